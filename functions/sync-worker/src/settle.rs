//! Sends whose outcome is not known, settled before anything newer goes out for the same records.
//!
//! The stored body goes again with its stored `requestid`: QuickBooks answers with the original. Where
//! that says nothing certain, or is too old to be trusted, what QuickBooks has is **looked up**: one
//! query over everything created since the first send, matched by our marker, else by the fields sent.

use std::collections::HashMap;

use domain::ids::TimecardId;
use domain::settle::{COMMIT_WINDOW, REPLAY_WINDOW};
use domain::time_activity::{TimeActivityBody, differences, marker_at_end};
use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};
use platform::Result;
use platform::access::AccessError;
use platform::journal::{Entry, InHand, JournalItem, Operation};
use platform::records::TimecardRecord;
use platform::tokens::TokenError;
use platform::work::{DeadReason, WorkItem};
use quickbooks::{Entity, KeysetPages};
use serde_json::Value;

use crate::conclude::{Conclusions, timecard_id};
use crate::drain::Drain;
use crate::failure::several;
use crate::pages::PageError;
use crate::send::Answer;

/// Clocks of ours and of QuickBooks may differ by this much.
const SKEW: SignedDuration = SignedDuration::from_mins(5);
/// A replay starts no later than this after settling began.
const SEND_WITHIN: SignedDuration = SignedDuration::from_secs(60);
/// Replays under way at once; the pacer decides when each starts.
const AT_ONCE: usize = 40;

/// What looking up came to.
enum Found {
    /// It is there, once.
    One(Value),
    /// It is not there.
    None,
    /// Several could be it.
    Several,
    /// QuickBooks could not be asked.
    Later(String),
}

impl Drain<'_> {
    /// Settles what is due of the company's open sends, and remembers which records wait.
    pub async fn settle(&mut self) -> Result<()> {
        if self.state != platform::companies::CompanyState::Live {
            return Ok(());
        }
        self.unsettled.clear();
        self.parked.clear();
        for journal in self.open_sends().await? {
            self.settle_item(journal).await?;
        }
        Ok(())
    }

    /// The open sends to the QuickBooks company that is connected. Those to one that was left when the
    /// company started over wait until that one is connected again.
    pub async fn open_sends(&self) -> Result<Vec<JournalItem>> {
        let mut open = self.worker.journal.open(&self.company).await?;
        open.retain(|journal| journal.realm == self.realm);
        Ok(open)
    }

    async fn settle_item(&mut self, journal: JournalItem) -> Result<()> {
        let now = self.worker.clock.now().await;
        let send_by = now + SEND_WITHIN;
        let (due, waiting): (Vec<Entry>, Vec<Entry>) = journal
            .entries
            .iter()
            .cloned()
            .map(|entry| with_time(entry, journal.send_by))
            .partition(|entry| {
                !entry.parked && entry.resend_at.is_some_and(|at| at <= now.as_millisecond())
            });
        if due.is_empty() {
            for entry in &waiting {
                self.waits(entry);
            }
            return Ok(());
        }
        let mut conclusions = Conclusions::default();
        for entry in waiting {
            conclusions.keep(entry);
        }
        let keys: Vec<String> = due.iter().map(|entry| entry.work_item.clone()).collect();
        let items = self.worker.work.items(&self.company, &keys).await?;
        let ids: Vec<_> = due.iter().filter_map(|entry| timecard_id(&entry.record)).collect();
        let records = self.timecards(&ids).await?;
        let item_of = |entry: &Entry| -> Option<WorkItem> {
            items.iter().find(|item| item.key == entry.work_item && item.seq == entry.seq).cloned()
        };
        let record_of = |entry: &Entry| -> Option<&TimecardRecord> {
            timecard_id(&entry.record).and_then(|id| records.get(&id))
        };

        let (look_ups, replays): (Vec<Entry>, Vec<Entry>) = due
            .into_iter()
            .partition(|entry| entry.look_up || now.duration_since(first_sent(entry)) > window());
        let (alone, together): (Vec<Entry>, Vec<Entry>) =
            replays.into_iter().partition(|entry| entry.crashes >= domain::retry::CRASHES_ALONE);
        if !together.is_empty() {
            let fence = self.keeper.lease().fence;
            let mine =
                JournalItem { in_hand: Some(InHand { fence, record: None }), ..journal.clone() };
            self.worker.journal.keep_open(&self.keeper.lease(), &mine).await?;
        }
        let this: &Self = self;
        let answers: Vec<(Entry, Answer)> = futures::stream::iter(together)
            .map(|entry| async move {
                let answer = this.send(&entry, send_by, false).await;
                (entry, answer)
            })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        for (entry, answer) in answers {
            match record_of(&entry) {
                Some(record) => {
                    let item = item_of(&entry);
                    conclusions.answered(item, record, entry, answer);
                }
                // The record was erased with its company; its send has no owner any more.
                None => {
                    tracing::warn!(company = %self.company, record = %entry.record, "a settled send has no record");
                }
            }
        }
        if !look_ups.is_empty() {
            let candidates = self.candidates(&look_ups).await?;
            for entry in look_ups {
                let Some(record) = record_of(&entry) else { continue };
                let found = match &candidates {
                    Ok(candidates) => self.find(&entry, candidates).await?,
                    Err(reason) => Found::Later(reason.clone()),
                };
                let item = item_of(&entry);
                looked_up(&mut conclusions, item, record, entry, found, now);
            }
        }
        for entry in &alone {
            conclusions.keep(entry.clone());
        }
        let rest = JournalItem { entries: conclusions.open_entries(), ..journal };
        conclusions.write_down(self, Some(rest.clone())).await?;
        self.settle_alone(rest, &alone, &items, &records).await
    }

    /// Settles what may have brought workers down, one at a time, each written down before the next. The
    /// journal names the one that runs, so that a crash counts on no other.
    async fn settle_alone(
        &mut self,
        mut journal: JournalItem,
        alone: &[Entry],
        items: &[WorkItem],
        records: &HashMap<TimecardId, TimecardRecord>,
    ) -> Result<()> {
        for entry in alone {
            let Some(record) = timecard_id(&entry.record).and_then(|id| records.get(&id)) else {
                continue;
            };
            let item = items
                .iter()
                .find(|item| item.key == entry.work_item && item.seq == entry.seq)
                .cloned();
            journal.in_hand = Some(InHand {
                fence: self.keeper.lease().fence,
                record: Some(entry.record.clone()),
            });
            self.worker.journal.keep_open(&self.keeper.lease(), &journal).await?;
            let send_by = self.worker.clock.now().await + SEND_WITHIN;
            let answer = self.send(entry, send_by, false).await;
            let mut conclusions = Conclusions::default();
            for other in journal.entries.iter().filter(|other| other.record != entry.record) {
                conclusions.keep(other.clone());
            }
            self.unsettled.remove(&entry.record);
            conclusions.answered(item, record, entry.clone(), answer);
            journal.entries = conclusions.open_entries();
            conclusions.write_down(self, Some(journal.clone())).await?;
        }
        Ok(())
    }

    /// Everything created since the first of these sends: one paged query for all of them.
    async fn candidates(&self, entries: &[Entry]) -> Result<Result<Vec<Value>, String>> {
        let since = entries.iter().map(first_sent).min().unwrap_or(Timestamp::UNIX_EPOCH) - SKEW;
        let mut pages = KeysetPages::created_since(Entity::TimeActivity, since);
        let mut found = Vec::new();
        while let Some(page) = self.next_page(&mut pages).await {
            match page {
                Ok(fresh) => found.extend(fresh),
                Err(PageError::Access(AccessError::Token(TokenError::Platform(error)))) => {
                    return Err(error);
                }
                Err(error) => return Ok(Err(error.to_string())),
            }
        }
        Ok(Ok(found))
    }

    /// The candidate that is this record's, by our marker, else by exactly the fields sent. One that
    /// belongs to another record is never it.
    async fn find(&self, entry: &Entry, candidates: &[Value]) -> Result<Found> {
        let Ok(sent) = serde_json::from_str::<TimeActivityBody>(&entry.body) else {
            return Ok(Found::Several);
        };
        let sent_id = serde_json::from_str::<Value>(&entry.body)
            .ok()
            .and_then(|body| body.get("Id").and_then(Value::as_str).map(str::to_owned));
        let marker = sent.description.as_deref().and_then(marker_at_end);
        let mut matching = Vec::new();
        for candidate in candidates {
            let id = candidate.get("Id").and_then(Value::as_str).unwrap_or_default();
            let description =
                candidate.get("Description").and_then(Value::as_str).unwrap_or_default();
            let matches = match (&entry.operation, marker) {
                (Operation::Update, _) => {
                    sent_id.as_deref() == Some(id) && differences(&sent, candidate).is_empty()
                }
                (Operation::Create, Some(marker)) => marker_at_end(description) == Some(marker),
                (Operation::Create, None) => {
                    description == sent.description.as_deref().unwrap_or_default()
                        && differences(&sent, candidate).is_empty()
                }
            };
            if matches {
                let owner = self.worker.records.owner(&self.company, &self.realm, id).await?;
                if owner.is_none_or(|owner| owner == entry.record) {
                    matching.push(candidate);
                }
            }
        }
        Ok(match matching.as_slice() {
            [] => Found::None,
            [one] => Found::One((*one).clone()),
            _ => Found::Several,
        })
    }

    /// Somebody asks for records whose open send was given up: settle them now.
    pub async fn unpark(&mut self, ids: &[TimecardId]) -> Result<()> {
        let now = self.worker.clock.now().await;
        for mut journal in self.open_sends().await? {
            let mut changed = false;
            for entry in &mut journal.entries {
                let asked = timecard_id(&entry.record).is_some_and(|id| ids.contains(&id));
                if entry.parked && asked {
                    entry.parked = false;
                    entry.attempts = 0;
                    entry.crashes = 0;
                    let at = entry.resend_at.unwrap_or_default().max(now.as_millisecond());
                    entry.resend_at = Some(at);
                    changed = true;
                }
            }
            if changed {
                self.worker.journal.keep_open(&self.keeper.lease(), &journal).await?;
            }
        }
        self.due_at(now);
        self.settle().await
    }
}

fn looked_up(
    conclusions: &mut Conclusions,
    item: Option<WorkItem>,
    record: &TimecardRecord,
    entry: Entry,
    found: Found,
    now: Timestamp,
) {
    let answer = match found {
        Found::One(stored) => Answer::Stored(stored),
        Found::None => Answer::Anew {
            due: Some(now),
            counts: false,
            reason: "it is not in QuickBooks; it is sent anew".to_owned(),
        },
        Found::Later(reason) => Answer::Open {
            resend_at: domain::retry::next_attempt(entry.attempts + 1, now, rand::random())
                .unwrap_or(now),
            counts: true,
            look_up: true,
            reason,
        },
        Found::Several => {
            conclusions.park(item, record, entry, DeadReason::Ambiguous, several());
            return;
        }
    };
    conclusions.answered(item, record, entry, answer);
}

/// An entry that nothing was noted on since its journal was written may have been sent until `send_by`,
/// and may commit for a while after.
fn with_time(mut entry: Entry, send_by: Timestamp) -> Entry {
    if entry.resend_at.is_none() {
        let wait = SignedDuration::try_from(COMMIT_WINDOW).unwrap_or(SignedDuration::ZERO);
        entry.resend_at = Some((send_by + wait).as_millisecond());
    }
    entry
}

fn first_sent(entry: &Entry) -> Timestamp {
    Timestamp::from_millisecond(entry.first_sent_at).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn window() -> SignedDuration {
    SignedDuration::try_from(REPLAY_WINDOW).unwrap_or(SignedDuration::MAX)
}
