//! Writing outcomes down, in the order that makes a crash between any two steps harmless:
//! the TimeActivity's owner, the record, dead letters, the audit trail, the host app's event, the work
//! item, and last the journal. Until the journal item is gone, the whole is repeated from there, and
//! QuickBooks answers a replay with the original.

use domain::problem::FieldError;
use domain::time_activity::{Frozen, TimeActivityBody, differences};
use domain::work::SyncStatus;
use jiff::Timestamp;
use platform::Result;
use platform::access::AccessError;
use platform::audit::{Action, Entry as AuditEntry};
use platform::bus::Event;
use platform::jobs::Outcome;
use platform::journal::{Entry, JournalItem, Operation};
use platform::keys;
use platform::records::{QuickBooksCopy, Shown, TimecardRecord, Written};
use platform::work::{DeadLetter, DeadReason, Finished, WorkItem};
use quickbooks::{CallError, Entity};
use serde_json::Value;

use crate::drain::Drain;
use crate::failure::{ambiguous, exhausted, filed_differently, refusal, words};
use crate::send::Answer;

/// A TimeActivity that QuickBooks has, and the card it is for.
struct Stored {
    item: Option<WorkItem>,
    record: TimecardRecord,
    version: u64,
    frozen: Frozen,
    copy: QuickBooksCopy,
    action: Action,
    /// Fields in which QuickBooks shows something else than was sent.
    differs: Vec<String>,
}

/// A work item that waits for its next attempt.
struct PutOff {
    item: WorkItem,
    due: Timestamp,
    attempts: u32,
    crashes: u32,
}

/// What a failure is about.
struct Failure<'a> {
    /// Absent when newer work waits under the same key.
    item: Option<WorkItem>,
    record: &'a TimecardRecord,
    /// The version that failed; a newer one may wait by now.
    version: u64,
    status: SyncStatus,
    reason: DeadReason,
    errors: Vec<FieldError>,
    shown: Shown,
}

/// Outcomes that are not written down yet.
#[derive(Default)]
pub struct Conclusions {
    stored: Vec<Stored>,
    written: Vec<Written>,
    letters: Vec<DeadLetter>,
    exhume: Vec<String>,
    audit: Vec<AuditEntry>,
    events: Vec<Event>,
    finished: Vec<Finished>,
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

    fn fail(&mut self, failure: Failure<'_>) {
        let Failure { item, record, version, status, reason, errors, shown } = failure;
        self.events.push(event(record, version, status, None, errors.clone()));
        if let Some(item) = item {
            self.letters.push(letter(record, keys::DEAD, reason, &errors, &item));
            self.finished.push(Finished { item, outcome: Outcome::Failed(errors.clone()) });
        }
        self.written.push(Written { version, status, errors, shown, ..unchanged(record) });
    }

    /// Removes what was written of the record under another prefix than `stays`.
    fn exhume_other(&mut self, record: &TimecardRecord, stays: &str) {
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
        worker.records.write_results(&drain.company, fence, &self.written).await?;
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

    /// Gives each TimeActivity to its card. One that belongs to another card, or that QuickBooks filed
    /// differently from what was sent, becomes a failure with its reason.
    async fn claim(&mut self, drain: &Drain<'_>, now: Timestamp) -> Result<()> {
        let stored = std::mem::take(&mut self.stored);
        let pairs: Vec<(String, String)> = stored
            .iter()
            .map(|stored| (stored.copy.id.clone(), stored.record.item.clone()))
            .collect();
        let ours = drain.worker.records.claim(&drain.company, &pairs).await?;
        for (mut stored, ours) in stored.into_iter().zip(ours) {
            stored.copy.synced_at = now.as_millisecond();
            if !ours {
                self.fail(Failure {
                    item: stored.item,
                    record: &stored.record,
                    version: stored.version,
                    status: SyncStatus::Dead,
                    reason: DeadReason::Ambiguous,
                    errors: vec![ambiguous(&stored.copy.id)],
                    shown: Shown::Unchanged,
                });
            } else if stored.differs.is_empty() {
                self.synced(stored, now);
            } else {
                self.take_back(drain, stored).await;
            }
        }
        Ok(())
    }

    fn synced(&mut self, stored: Stored, now: Timestamp) {
        let Stored { item, record, version, frozen, copy, action, .. } = stored;
        self.audit.push(AuditEntry {
            quick_books_id: Some(copy.id.clone()),
            ..AuditEntry::success(&record.company, action, "connector").record(&record.item)
        });
        self.events.push(event(
            &record,
            version,
            SyncStatus::Synced,
            Some((&copy, now)),
            Vec::new(),
        ));
        self.exhume_other(&record, "");
        self.written.push(Written {
            version,
            status: SyncStatus::Synced,
            shown: Shown::Now(copy),
            frozen: Some(frozen),
            ..unchanged(&record)
        });
        if let Some(item) = item {
            self.finished.push(Finished { item, outcome: Outcome::Synced });
        }
    }

    /// QuickBooks accepted the time and filed it under something else (a wrong EmployeeRef becomes
    /// `Other` without a word). Wrong time must not stay in the books: it is taken back, and fails.
    async fn take_back(&mut self, drain: &Drain<'_>, stored: Stored) {
        let Stored { item, record, version, frozen, copy, action, differs, .. } = stored;
        let request_id = uuid::Uuid::new_v4().to_string();
        let permit = drain.pacer.permit().await;
        let taken_back = drain
            .worker
            .quickbooks
            .call(&drain.company, async |client, session| {
                client
                    .delete(session, Entity::TimeActivity, &copy.id, &copy.sync_token, &request_id)
                    .await
            })
            .await;
        drop(permit);
        let still_there = match &taken_back {
            Ok(_) => None,
            // Not found means done: a predecessor died right after taking it back.
            Err(AccessError::Call(CallError::Refused(fault))) if fault.has("610") => None,
            Err(_) => Some(copy.id.as_str()),
        };
        if let (Some(_), Err(error)) = (still_there, &taken_back) {
            tracing::error!(company = %drain.company, record = %record.item, %error, "a TimeActivity that was filed differently could not be taken back");
        }
        let error = filed_differently(&differs, still_there);
        self.audit.push(AuditEntry {
            quick_books_id: Some(copy.id.clone()),
            ..AuditEntry::failure(&record.company, action, "connector", &error.message)
                .record(&record.item)
        });
        let gone = still_there.is_none();
        self.fail(Failure {
            item,
            record: &record,
            version,
            status: SyncStatus::Failed,
            reason: DeadReason::Refused,
            errors: vec![error],
            shown: if gone { Shown::Gone } else { Shown::Now(copy) },
        });
        if let Some(written) = self.written.last_mut().filter(|_| !gone) {
            written.frozen = Some(frozen);
        }
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

fn unchanged(record: &TimecardRecord) -> Written {
    Written {
        record: record.item.clone(),
        version: record.version,
        status: record.status,
        errors: Vec::new(),
        shown: Shown::Unchanged,
        frozen: None,
    }
}

/// The host app's event; its time is set when it is written down.
fn event(
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
