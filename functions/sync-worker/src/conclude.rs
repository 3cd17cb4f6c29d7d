//! Writing outcomes down, in the order that makes a crash between any two steps harmless:
//! the TimeActivity's owner, the record, dead letters, the audit trail, the host app's event, the work
//! item, and last the journal. Until the journal item is gone, the whole is repeated from there, and
//! QuickBooks answers a replay with the original.

use domain::problem::FieldError;
use domain::time_activity::{Frozen, TimeActivityBody, differences};
use domain::work::SyncStatus;
use jiff::Timestamp;
use platform::Result;
use platform::audit::{Action, Entry as AuditEntry};
use platform::bus::Event;
use platform::jobs::Outcome;
use platform::journal::{Entry, JournalItem, Operation};
use platform::keys;
use platform::records::{QuickBooksCopy, Shown, TimecardRecord, Written};
use platform::work::{DeadLetter, DeadReason, Finished, WorkItem};
use serde_json::Value;

use crate::drain::Drain;
use crate::failure::{exhausted, refusal, words};
use crate::send::Answer;

/// A TimeActivity that QuickBooks has, and the card it is for.
pub(crate) struct Stored {
    pub(crate) item: Option<WorkItem>,
    pub(crate) record: TimecardRecord,
    pub(crate) version: u64,
    pub(crate) frozen: Frozen,
    pub(crate) copy: QuickBooksCopy,
    pub(crate) action: Action,
    /// Fields in which QuickBooks shows something else than was sent.
    pub(crate) differs: Vec<String>,
}

/// A work item that waits for its next attempt.
struct PutOff {
    item: WorkItem,
    due: Timestamp,
    attempts: u32,
    crashes: u32,
}

/// What a failure is about.
pub(crate) struct Failure<'a> {
    /// Absent when newer work waits under the same key.
    pub(crate) item: Option<WorkItem>,
    pub(crate) record: &'a TimecardRecord,
    /// The version that failed; a newer one may wait by now.
    pub(crate) version: u64,
    pub(crate) status: SyncStatus,
    pub(crate) reason: DeadReason,
    pub(crate) errors: Vec<FieldError>,
    pub(crate) shown: Shown,
}

/// Outcomes that are not written down yet.
#[derive(Default)]
pub struct Conclusions {
    pub(crate) stored: Vec<Stored>,
    pub(crate) written: Vec<Written>,
    letters: Vec<DeadLetter>,
    pub(crate) exhume: Vec<String>,
    pub(crate) audit: Vec<AuditEntry>,
    pub(crate) events: Vec<Event>,
    pub(crate) finished: Vec<Finished>,
    put_off: Vec<PutOff>,
    open: Vec<Entry>,
    /// Some were not sent: they are due still.
    not_tried: bool,
}

impl Conclusions {
    /// The record is gone: there is nothing to do.
    pub fn nothing(&mut self, item: WorkItem) {
        self.finished.push(Finished { item, outcome: Outcome::Nothing });
    }

    /// QuickBooks shows the newest version already.
    pub fn already_synced(&mut self, item: WorkItem) {
        self.finished.push(Finished { item, outcome: Outcome::Synced });
    }

    /// The work day lies before `syncFrom`.
    pub fn before_start(&mut self, item: WorkItem, record: &TimecardRecord) {
        self.written.push(Written { status: SyncStatus::BeforeStart, ..unchanged(record) });
        self.exhume_other(record, keys::BEFORE_START);
        self.letters.push(letter(record, keys::BEFORE_START, DeadReason::Check, &[], &item));
        self.finished.push(Finished { item, outcome: Outcome::Nothing });
    }

    /// Our own check found what a person must fix. It is looked at again at each catch-up.
    pub fn check_failed(
        &mut self,
        item: WorkItem,
        record: &TimecardRecord,
        errors: Vec<FieldError>,
    ) {
        self.note_failure(record, Action::CheckTimecard, &words(&errors), None);
        self.exhume_other(record, keys::DEAD);
        self.fail(Failure {
            item: Some(item),
            record,
            version: record.version,
            status: SyncStatus::Failed,
            reason: DeadReason::Check,
            errors,
            shown: Shown::Unchanged,
        });
    }

    /// QuickBooks refused it.
    pub fn refused(
        &mut self,
        item: Option<WorkItem>,
        record: &TimecardRecord,
        version: u64,
        errors: Vec<FieldError>,
        intuit_tid: Option<String>,
    ) {
        self.note_failure(record, action_on(record), &words(&errors), intuit_tid);
        self.fail(Failure {
            item,
            record,
            version,
            status: SyncStatus::Failed,
            reason: DeadReason::Refused,
            errors,
            shown: Shown::Unchanged,
        });
    }

    /// It was not stored, and is tried anew at `due`, or given up. `attempts` and `crashes` are those
    /// after this one.
    pub fn anew(
        &mut self,
        item: Option<WorkItem>,
        record: &TimecardRecord,
        version: u64,
        due: Option<Timestamp>,
        (attempts, crashes): (u32, u32),
        reason: &str,
    ) {
        self.note_failure(record, action_on(record), reason, None);
        match (due, item) {
            (Some(due), Some(item)) => self.put_off.push(PutOff { item, due, attempts, crashes }),
            // Newer work waits under the same key.
            (Some(_), None) => {}
            (None, item) => self.fail(Failure {
                item,
                record,
                version,
                status: SyncStatus::Dead,
                reason: DeadReason::Exhausted,
                errors: vec![exhausted(reason)],
                shown: Shown::Unchanged,
            }),
        }
    }

    /// QuickBooks has it; `differs` names the fields in which it shows something else than was sent.
    pub fn stored(
        &mut self,
        item: Option<WorkItem>,
        record: &TimecardRecord,
        version: u64,
        frozen: Frozen,
        stored: &Value,
        differs: Vec<String>,
    ) {
        let text =
            |field: &str| stored.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let copy =
            QuickBooksCopy { id: text("Id"), sync_token: text("SyncToken"), version, synced_at: 0 };
        let action = action_on(record);
        let record = record.clone();
        self.stored.push(Stored { item, record, version, frozen, copy, action, differs });
    }

    /// What a send came to. `item` is absent when newer work waits under the same key.
    pub fn answered(
        &mut self,
        item: Option<WorkItem>,
        record: &TimecardRecord,
        mut entry: Entry,
        answer: Answer,
    ) {
        match answer {
            Answer::Stored(stored) => {
                let differs = serde_json::from_str::<TimeActivityBody>(&entry.body)
                    .map(|sent| differences(&sent, &stored))
                    .unwrap_or_default();
                self.stored(item, record, entry.version, entry.frozen, &stored, differs);
            }
            Answer::Refused(fault) => {
                let errors = vec![refusal(&fault)];
                self.refused(item, record, entry.version, errors, fault.intuit_tid);
            }
            Answer::Anew { due, counts, reason } => {
                let attempts = entry.attempts + u32::from(counts);
                self.anew(item, record, entry.version, due, (attempts, entry.crashes), &reason);
            }
            Answer::NotTried if entry.resend_at.is_some() => self.open.push(entry),
            Answer::NotTried => self.not_tried = true,
            Answer::Open { resend_at, counts, look_up, reason } => {
                entry.attempts += u32::from(counts);
                entry.resend_at = Some(resend_at.as_millisecond());
                entry.look_up |= look_up;
                let action = action(entry.operation == Operation::Update);
                self.note_failure(record, action, &reason, None);
                if usize::try_from(entry.attempts).unwrap_or(usize::MAX)
                    > domain::retry::LADDER.len()
                {
                    self.park(item, record, entry, DeadReason::Exhausted, exhausted(&reason));
                } else {
                    self.open.push(entry);
                }
            }
        }
    }

    /// Gives a send up whose outcome is not known. Its entry stays in the journal.
    pub fn park(
        &mut self,
        item: Option<WorkItem>,
        record: &TimecardRecord,
        mut entry: Entry,
        reason: DeadReason,
        error: FieldError,
    ) {
        entry.parked = true;
        let version = entry.version;
        self.open.push(entry);
        self.fail(Failure {
            item,
            record,
            version,
            status: SyncStatus::Dead,
            reason,
            errors: vec![error],
            shown: Shown::Unchanged,
        });
    }

    /// Keeps an entry open as it is.
    pub fn keep(&mut self, entry: Entry) {
        self.open.push(entry);
    }

    /// A record was not sent, for a reason that has nothing to do with it: it is due still.
    pub fn not_tried(&mut self) {
        self.not_tried = true;
    }

    /// What will stay in the journal.
    pub fn open_entries(&self) -> Vec<Entry> {
        self.open.clone()
    }

    fn note_failure(
        &mut self,
        record: &TimecardRecord,
        action: Action,
        reason: &str,
        intuit_tid: Option<String>,
    ) {
        let entry = AuditEntry::failure(&record.company, action, "connector", reason);
        self.audit.push(AuditEntry { intuit_tid, ..entry.record(&record.item) });
    }

    pub(crate) fn fail(&mut self, failure: Failure<'_>) {
        let Failure { item, record, version, status, reason, errors, shown } = failure;
        self.events.push(event(record, version, status, None, errors.clone()));
        if let Some(item) = item {
            self.letters.push(letter(record, keys::DEAD, reason, &errors, &item));
            self.finished.push(Finished { item, outcome: Outcome::Failed(errors.clone()) });
        }
        self.written.push(Written { version, status, errors, shown, ..unchanged(record) });
    }

    /// Removes what was written of the record under another prefix than `stays`.
    pub(crate) fn exhume_other(&mut self, record: &TimecardRecord, stays: &str) {
        let was = match record.status {
            SyncStatus::Failed | SyncStatus::Dead => keys::DEAD,
            SyncStatus::BeforeStart => keys::BEFORE_START,
            SyncStatus::Pending | SyncStatus::Sending | SyncStatus::Synced => return,
        };
        if was != stays {
            self.exhume.push(format!("{was}{}", record.item));
        }
    }

    /// Writes everything down. `journal` is the item that the answers belong to.
    pub async fn write_down(
        mut self,
        drain: &mut Drain<'_>,
        journal: Option<JournalItem>,
    ) -> Result<()> {
        let worker = drain.worker;
        let now = worker.clock.now().await;
        self.claim(drain, now).await?;
        for letter in &mut self.letters {
            letter.failed_at = now.as_millisecond();
        }
        for event in &mut self.events {
            if let Event::Timecard { at, .. } = event {
                *at = now;
            }
        }
        let fence = drain.keeper.lease().fence;
        worker.records.write_results(&drain.company, &drain.realm, fence, &self.written).await?;
        worker.work.bury(&self.letters).await?;
        worker.work.exhume(&drain.company, &self.exhume).await?;
        worker.audit.write(&self.audit, now).await?;
        worker.bus.publish(&self.events).await?;
        worker.work.finish(&worker.jobs, &self.finished, now).await?;
        for PutOff { item, due, attempts, crashes } in &self.put_off {
            worker.work.put_off(item, *due, *attempts, *crashes).await?;
            drain.due_at(*due);
        }
        if self.not_tried {
            drain.due_at(now);
        }
        let Some(journal) = journal else { return Ok(()) };
        for entry in &self.open {
            drain.waits(entry);
        }
        let rest = JournalItem { entries: self.open, in_hand: None, ..journal };
        worker.journal.keep_open(&drain.keeper.lease(), &rest).await
    }
}

/// The timecard of a record's key.
pub fn timecard_id(record: &str) -> Option<domain::ids::TimecardId> {
    record.strip_prefix("timecard#").and_then(|id| id.parse().ok())
}

fn action(update: bool) -> Action {
    if update { Action::UpdateTimeActivity } else { Action::CreateTimeActivity }
}

fn action_on(record: &TimecardRecord) -> Action {
    action(record.quick_books.is_some())
}

pub(crate) fn unchanged(record: &TimecardRecord) -> Written {
    Written {
        record: record.item.clone(),
        version: record.version,
        status: record.status,
        errors: Vec::new(),
        shown: Shown::Unchanged,
        frozen: None,
        former: record.former.clone(),
    }
}

/// The host app's event; its time is set when it is written down.
pub(crate) fn event(
    record: &TimecardRecord,
    version: u64,
    status: SyncStatus,
    synced: Option<(&QuickBooksCopy, Timestamp)>,
    errors: Vec<FieldError>,
) -> Event {
    Event::Timecard {
        company_id: Some(record.company.to_string()),
        timecard_id: timecard_id(&record.item).map(|id| id.to_string()),
        version: Some(version),
        status,
        quick_books_id: synced.map(|(copy, _)| copy.id.clone()),
        sync_token: synced.map(|(copy, _)| copy.sync_token.clone()),
        synced_at: synced.map(|(_, at)| at),
        errors,
        at: Timestamp::UNIX_EPOCH,
    }
}

/// The dead letter; its time is set when it is written down.
fn letter(
    record: &TimecardRecord,
    prefix: &str,
    reason: DeadReason,
    errors: &[FieldError],
    item: &WorkItem,
) -> DeadLetter {
    DeadLetter {
        company: record.company.to_string(),
        item: format!("{prefix}{}", record.item),
        reason,
        errors: serde_json::to_string(errors).unwrap_or_default(),
        failed_at: 0,
        attempts: item.attempts,
        event: None,
    }
}
