//! Storing timecards: the record first, then the work item, then the ring.
//!
//! Each step is safe to repeat, and the sender repeats until it is told that all were done: the queue
//! redelivers, an HTTP caller gets a 503. A card that is there already but not yet sent gets its work
//! item again, so a crash between two steps leaves nothing behind.

use std::collections::{BTreeMap, BTreeSet};

use domain::ids::{CompanyId, TimecardId};
use domain::problem::FieldError;
use domain::timecard::Timecard;
use domain::work::{Lane, SyncStatus};
use jiff::Timestamp;
use platform::audit::{Action, Entry};
use platform::keys::Task;
use platform::records::Accepted;
use platform::work::NewWork;

use crate::Intake;

/// What became of one timecard.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// Stored.
    Stored,
    /// The same version with the same body was stored before.
    Duplicate(SyncStatus),
    /// Not stored: a newer version is there. From the bus that only means that events overtook each
    /// other; a caller over HTTP is told.
    Older(FieldError),
    /// Not stored, and it never will be as it is.
    Refused(FieldError),
    /// Not stored, and nothing of it is kept: the host app has deleted its company.
    OfDeletedCompany(FieldError),
}

impl Intake {
    /// Stores timecards and rings for their companies. Answers one outcome per card, in order.
    pub async fn accept(
        &self,
        cards: &[Timecard],
        lane: Lane,
        actor: &str,
        now: Timestamp,
    ) -> platform::Result<Vec<Outcome>> {
        let mut outcomes: Vec<Option<Outcome>> = vec![None; cards.len()];
        let deleted = self.erasures.deleted(cards.iter().map(|card| &card.company_id)).await?;
        for (card, outcome) in cards.iter().zip(&mut outcomes) {
            if deleted.contains(&card.company_id) {
                *outcome = Some(Outcome::OfDeletedCompany(of_deleted_company()));
            }
        }
        // Versions of one timecard in one call are stored in their order, one round each.
        let mut open: Vec<usize> =
            (0..cards.len()).filter(|&index| outcomes[index].is_none()).collect();
        while !open.is_empty() {
            let mut seen: BTreeSet<(&CompanyId, &TimecardId)> = BTreeSet::new();
            let (round, later): (Vec<_>, Vec<_>) = open.into_iter().partition(|&index| {
                seen.insert((&cards[index].company_id, &cards[index].timecard_id))
            });
            let batch: Vec<Timecard> = round.iter().map(|&index| cards[index].clone()).collect();
            for (index, accepted) in round.into_iter().zip(self.records.accept(&batch, now).await?)
            {
                outcomes[index] = Some(outcome(&cards[index], &accepted));
            }
            open = later;
        }
        let outcomes: Vec<Outcome> = outcomes.into_iter().flatten().collect();

        let mut work: BTreeMap<(&CompanyId, &TimecardId), NewWork> = BTreeMap::new();
        let mut refused = Vec::new();
        for (card, outcome) in cards.iter().zip(&outcomes) {
            match outcome {
                Outcome::Stored | Outcome::Duplicate(SyncStatus::Pending) => {
                    work.insert(
                        (&card.company_id, &card.timecard_id),
                        NewWork {
                            company: card.company_id.clone(),
                            lane,
                            task: Task::Timecard(card.timecard_id.clone()),
                            due: now,
                            job: None,
                        },
                    );
                }
                Outcome::Duplicate(_) | Outcome::Older(_) | Outcome::OfDeletedCompany(_) => {}
                Outcome::Refused(error) => refused.push(
                    Entry::failure(&card.company_id, Action::RefuseTimecard, actor, &error.message)
                        .record(card.timecard_id.to_string()),
                ),
            }
        }
        let work: Vec<NewWork> = work.into_values().collect();
        self.work.add(&work).await?;
        let companies: BTreeSet<&CompanyId> = work.iter().map(|work| &work.company).collect();
        for company in companies {
            if self.companies.enqueue(company, false, now, now).await? {
                self.doorbell.ring(company, lane).await?;
            }
        }
        self.audit.write(&refused, now).await?;
        Ok(outcomes)
    }
}

/// Why nothing is taken for a company that was deleted.
pub fn of_deleted_company() -> FieldError {
    FieldError::new(
        "companyId",
        "company-deleted",
        "This company was deleted, and all of its data was erased.",
        "Connect the company to QuickBooks again, then send the timecard again.",
    )
}

fn outcome(card: &Timecard, accepted: &Accepted) -> Outcome {
    let error = |code: &str, message: String, fix: &str| FieldError {
        field: "version".to_owned(),
        code: code.to_owned(),
        message,
        fix: fix.to_owned(),
    };
    match accepted {
        Accepted::New => Outcome::Stored,
        Accepted::Duplicate(status) => Outcome::Duplicate(*status),
        Accepted::OtherBody => Outcome::Refused(error(
            "version-has-other-body",
            format!(
                "Timecard {} was sent before as version {} with other content.",
                card.timecard_id, card.version
            ),
            "Give a changed timecard a higher version.",
        )),
        Accepted::Older(stored) => Outcome::Older(error(
            "version-too-low",
            format!(
                "Timecard {} is stored as version {stored}; version {} is older.",
                card.timecard_id, card.version
            ),
            "Send the newest version, with a number higher than the stored one.",
        )),
    }
}
