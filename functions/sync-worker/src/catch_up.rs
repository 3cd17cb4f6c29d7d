//! The catch-up: at least every interval of the settings (15 minutes by default), and whenever a
//! mapping, a setting or the imported names changed, look again at the timecards that failed our own
//! checks or lay before `syncFrom`. Those that would pass now go out.
//!
//! It is a work item that puts itself off, so a company that is not live costs nothing.

use domain::time_activity::Decision;
use domain::work::Lane;
use jiff::{SignedDuration, Timestamp};
use platform::Result;
use platform::keys::{self, Task};
use platform::work::{DeadReason, NewWork, WorkItem};

use crate::conclude::timecard_id;
use crate::drain::Drain;

impl Drain<'_> {
    /// Looks again, and puts the item off by an interval.
    pub async fn catch_up(&mut self, item: WorkItem) -> Result<()> {
        // Whoever changed one of them has asked for this, and the slice may have begun before.
        self.mapping = self.worker.mappings.current(&self.company).await?;
        self.settings = self.worker.settings.current(&self.company).await?;
        let now = self.worker.clock.now().await;
        for prefix in [keys::DEAD, keys::BEFORE_START] {
            self.look_again(prefix, now).await?;
        }
        let minutes = i64::from(self.settings.document.catch_up_minutes);
        let due = now + SignedDuration::from_mins(minutes);
        self.worker.work.put_off(&item, due, 0, 0).await?;
        self.due_at(due);
        Ok(())
    }

    async fn look_again(&mut self, prefix: &str, now: Timestamp) -> Result<()> {
        let mut after = None;
        loop {
            let (letters, next) =
                self.worker.work.buried(self.company.as_ref(), prefix, after).await?;
            let ids: Vec<_> = letters
                .iter()
                .filter(|letter| letter.reason == DeadReason::Check)
                .filter_map(|letter| letter.item.strip_prefix(prefix).and_then(timecard_id))
                .collect();
            let records = self.timecards(&ids).await?;
            let mut cards = Vec::with_capacity(records.len());
            for record in records.into_values() {
                cards.push((record.timecard()?, record));
            }
            self.read_names(cards.iter().map(|(card, _)| card)).await?;
            let mut work = Vec::new();
            for (card, record) in cards {
                if let Decision::Send { .. } = self.decide(&card, record.frozen.as_ref()).await {
                    work.push(NewWork {
                        company: self.company.clone(),
                        lane: Lane::Normal,
                        task: Task::Timecard(card.timecard_id),
                        due: now,
                        job: None,
                    });
                }
            }
            if !work.is_empty() {
                self.worker.work.add(&work).await?;
                self.due_at(now);
            }
            match next {
                Some(key) => after = Some(key),
                None => return Ok(()),
            }
        }
    }

    /// Makes the catch-up due, for a company that is live.
    pub async fn catch_up_soon(&mut self, now: Timestamp) -> Result<()> {
        if self.state != platform::companies::CompanyState::Live {
            return Ok(());
        }
        let catch_up = NewWork {
            company: self.company.clone(),
            lane: Lane::Normal,
            task: Task::CatchUp,
            due: now,
            job: None,
        };
        self.worker.work.add(&[catch_up]).await?;
        self.due_at(now);
        Ok(())
    }
}
