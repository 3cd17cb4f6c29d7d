//! Writing outcomes down, in the order that makes a crash between any two steps harmless:
//! the TimeActivity's owner, the record, dead letters, the audit trail, the host app's event, the work
//! item, and last the journal. Until the journal item is gone, the whole is repeated from there, and
//! QuickBooks answers a replay with the original.

use std::collections::HashSet;

use domain::problem::FieldError;
use domain::retry::CRASHES_POISON;
use domain::time_activity::{Frozen, TimeActivityBody, differences};
use domain::work::SyncStatus;
use jiff::Timestamp;
use platform::Result;
use platform::audit::{Action, Entry as AuditEntry};
use platform::bus::Event;
use platform::jobs::Outcome;
use platform::journal::{Entry, JournalItem, Operation};
use platform::keys;
use platform::records::{QuickBooksCopy, TimecardRecord, Written};
use platform::work::{DeadLetter, DeadReason, Finished, WorkItem};
use quickbooks::{Entity, Fault, meaning};
use serde_json::Value;

use crate::drain::Drain;
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
    put_off: Vec<(WorkItem, Timestamp, u32)>,
    open: Vec<Entry>,
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
        self.written.push(Written { status: SyncStatus::BeforeStart, ..blank(record) });
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
        self.audit.push(
            AuditEntry::failure(
                &record.company,
                Action::CheckTimecard,
                "connector",
                words(&errors),
            )
            .record(&record.item),
        );
        self.fail(Some(item), record, SyncStatus::Failed, DeadReason::Check, errors, None);
    }

    /// QuickBooks refused it.
    pub fn refused(
        &mut self,
        item: Option<WorkItem>,
        record: &TimecardRecord,
        errors: Vec<FieldError>,
        intuit_tid: Option<String>,
    ) {
        self.audit.push(AuditEntry {
            intuit_tid,
            ..AuditEntry::failure(
                &record.company,
                action(record.quick_books.is_some()),
                "connector",
                words(&errors),
            )
            .record(&record.item)
        });
        self.fail(item, record, SyncStatus::Failed, DeadReason::Refused, errors, None);
    }

    /// It was not stored, and is tried anew at `due`, or given up.
    pub fn anew(
        &mut self,
        item: Option<WorkItem>,
        record: &TimecardRecord,
        due: Option<Timestamp>,
        attempts: u32,
        reason: &str,
    ) {
        self.audit.push(
            AuditEntry::failure(
                &record.company,
                action(record.quick_books.is_some()),
                "connector",
                reason,
            )
            .record(&record.item),
        );
        match (due, item) {
            (Some(due), Some(item)) => self.put_off.push((item, due, attempts)),
            (Some(_), None) => {}
            (None, item) => {
                let errors = vec![exhausted(reason)];
                self.fail(item, record, SyncStatus::Dead, DeadReason::Exhausted, errors, None);
            }
        }
    }

    /// QuickBooks has it.
    pub fn stored(
        &mut self,
        drain: &Drain<'_>,
        item: Option<WorkItem>,
        record: &TimecardRecord,
        frozen: &Frozen,
        version: u64,
        stored: &Value,
    ) {
        self.take_stored(drain, item, record, frozen, version, stored, Vec::new());
    }

    #[expect(clippy::too_many_arguments, reason = "one row of facts about one answer")]
    fn take_stored(
        &mut self,
        _drain: &Drain<'_>,
        item: Option<WorkItem>,
        record: &TimecardRecord,
        frozen: &Frozen,
        version: u64,
        stored: &Value,
        differs: Vec<String>,
    ) {
        let text =
            |field: &str| stored.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        self.stored.push(Stored {
            item,
            record: record.clone(),
            version,
            frozen: frozen.clone(),
            copy: QuickBooksCopy {
                id: text("Id"),
                sync_token: text("SyncToken"),
                version,
                synced_at: 0,
            },
            action: action(record.quick_books.is_some()),
            differs,
        });
    }

    /// What a send came to. `item` is absent when newer work waits under the same key.
    pub fn answered(
        &mut self,
        drain: &Drain<'_>,
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
                let frozen = entry.frozen.clone();
                self.take_stored(drain, item, record, &frozen, entry.version, &stored, differs);
            }
            Answer::Refused(fault) => {
                self.refused(item, record, vec![refusal(&fault)], fault.intuit_tid.clone());
            }
            Answer::Anew { due, counts, reason } => {
                let attempts = entry.attempts + u32::from(counts);
                self.anew(item, record, due, attempts, &reason);
            }
            Answer::NotTried if entry.resend_at.is_some() => self.open.push(entry),
            Answer::NotTried => {}
            Answer::Open { resend_at, counts, look_up, reason } => {
                entry.attempts += u32::from(counts);
                entry.resend_at = Some(resend_at.as_millisecond());
                entry.look_up |= look_up;
                self.audit.push(
                    AuditEntry::failure(
                        &record.company,
                        action(entry.operation == Operation::Update),
                        "connector",
                        &reason,
                    )
                    .record(&record.item),
                );
                if entry.attempts > u32::try_from(domain::retry::LADDER.len()).unwrap_or(u32::MAX) {
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
        self.open.push(entry);
        self.fail(item, record, SyncStatus::Dead, reason, vec![error], None);
    }

    /// Keeps an entry open as it is.
    pub fn keep(&mut self, entry: Entry) {
        self.open.push(entry);
    }

    fn fail(
        &mut self,
        item: Option<WorkItem>,
        record: &TimecardRecord,
        status: SyncStatus,
        reason: DeadReason,
        errors: Vec<FieldError>,
        quick_books: Option<QuickBooksCopy>,
    ) {
        self.written.push(Written { status, errors: errors.clone(), quick_books, ..blank(record) });
        self.events.push(event(record, status, None, errors.clone()));
        if let Some(item) = item {
            self.letters.push(letter(record, keys::DEAD, reason, &errors, &item));
            self.finished.push(Finished { item, outcome: Outcome::Failed(errors) });
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
        let fence = drain.keeper.lease().fence;
        for letter in &mut self.letters {
            letter.failed_at = now.as_millisecond();
        }
        for event in &mut self.events {
            if let Event::Timecard { at, .. } = event {
                *at = now;
            }
        }
        worker.records.write_results(&drain.company, fence, &self.written).await?;
        worker.work.bury(&self.letters).await?;
        worker.work.exhume(&drain.company, &self.exhume).await?;
        worker.audit.write(&self.audit, now).await?;
        worker.bus.publish(&self.events).await?;
        worker.work.finish(&worker.jobs, &self.finished, now).await?;
        for (item, due, attempts) in &self.put_off {
            worker.work.put_off(item, *due, *attempts, item.crashes).await?;
            drain.due_at(*due);
        }
        if let Some(journal) = journal {
            for entry in &self.open {
                drain.unsettled.insert(entry.record.clone());
                if entry.parked {
                    drain.parked.insert(entry.record.clone());
                } else if let Some(at) =
                    entry.resend_at.and_then(|at| Timestamp::from_millisecond(at).ok())
                {
                    drain.due_at(at);
                }
            }
            let rest = JournalItem { entries: self.open, ..journal };
            worker.journal.keep_open(&drain.company, &rest).await?;
        }
        Ok(())
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
                let error = ambiguous(&stored.copy.id);
                let reason = DeadReason::Ambiguous;
                self.fail(stored.item, &stored.record, SyncStatus::Dead, reason, vec![error], None);
            } else if stored.differs.is_empty() {
                self.synced(stored, now);
            } else {
                self.filed_differently(drain, stored).await;
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
        let mut synced = event(&record, SyncStatus::Synced, Some(&copy), Vec::new());
        if let Event::Timecard { version: of, synced_at, .. } = &mut synced {
            *of = Some(version);
            *synced_at = Some(now);
        }
        self.events.push(synced);
        match record.status {
            SyncStatus::Failed | SyncStatus::Dead => {
                self.exhume.push(format!("{}{}", keys::DEAD, record.item));
            }
            SyncStatus::BeforeStart => {
                self.exhume.push(format!("{}{}", keys::BEFORE_START, record.item));
            }
            _ => {}
        }
        self.written.push(Written {
            version,
            status: SyncStatus::Synced,
            quick_books: Some(copy),
            frozen: Some(frozen),
            ..blank(&record)
        });
        if let Some(item) = item {
            self.finished.push(Finished { item, outcome: Outcome::Synced });
        }
    }

    /// QuickBooks accepted the time and filed it under something else (a wrong EmployeeRef becomes
    /// `Other` without a word). Wrong time must not stay in the books: it is taken back, and fails.
    async fn filed_differently(&mut self, drain: &Drain<'_>, stored: Stored) {
        let Stored { item, record, frozen, copy, differs, .. } = stored;
        let fields = differs.join(", ");
        let permit = drain.pacer.permit().await;
        let request_id = uuid::Uuid::new_v4().to_string();
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
        let (quick_books, message) = match taken_back {
            Ok(_) => (
                None,
                format!(
                    "QuickBooks filed this time differently ({fields}), so it was taken back there."
                ),
            ),
            Err(error) => {
                tracing::error!(company = %drain.company, record = %record.item, %error, "a TimeActivity that was filed differently could not be taken back");
                (
                    Some(copy.clone()),
                    format!(
                        "QuickBooks filed this time differently ({fields}), and it could not be taken back: it is there as TimeActivity {}.",
                        copy.id
                    ),
                )
            }
        };
        let error = FieldError {
            field: "quickBooks".to_owned(),
            code: "filed-differently".to_owned(),
            message,
            fix: "Open Mapping and choose the QuickBooks employee, customer and item again, then retry."
                .to_owned(),
        };
        self.audit.push(AuditEntry {
            quick_books_id: Some(copy.id),
            ..AuditEntry::failure(
                &record.company,
                Action::CreateTimeActivity,
                "connector",
                &error.message,
            )
            .record(&record.item)
        });
        self.fail(item, &record, SyncStatus::Failed, DeadReason::Refused, vec![error], quick_books);
        if let Some(written) = self.written.last_mut()
            && written.quick_books.is_some()
        {
            written.frozen = Some(frozen);
        }
    }
}

impl Drain<'_> {
    /// Counts a crash on everything that the predecessor was sending; what took four workers down is
    /// given up.
    pub async fn count_crash(&mut self) -> Result<()> {
        for journal in self.worker.journal.open(&self.company).await? {
            let mut conclusions = Conclusions::default();
            let items: HashSet<String> =
                journal.entries.iter().map(|entry| entry.work_item.clone()).collect();
            let items: Vec<String> = items.into_iter().collect();
            let items = self.worker.work.items(&self.company, &items).await?;
            let ids: Vec<_> =
                journal.entries.iter().filter_map(|entry| timecard_id(&entry.record)).collect();
            let records = self.worker.records.timecards(&self.company, &ids).await?;
            for mut entry in journal.entries.clone() {
                entry.crashes += u32::from(!entry.parked);
                let record = timecard_id(&entry.record).and_then(|id| records.get(&id));
                match record {
                    Some(record) if entry.crashes >= CRASHES_POISON && !entry.parked => {
                        let item = items
                            .iter()
                            .find(|item| item.key == entry.work_item && item.seq == entry.seq)
                            .cloned();
                        conclusions.park(item, record, entry, DeadReason::Poison, poison());
                    }
                    _ => conclusions.keep(entry),
                }
            }
            conclusions.write_down(self, Some(journal)).await?;
        }
        Ok(())
    }
}

/// The timecard of a record's key.
pub fn timecard_id(record: &str) -> Option<domain::ids::TimecardId> {
    record.strip_prefix("timecard#").and_then(|id| id.parse().ok())
}

fn action(update: bool) -> Action {
    if update { Action::UpdateTimeActivity } else { Action::CreateTimeActivity }
}

fn blank(record: &TimecardRecord) -> Written {
    Written {
        record: record.item.clone(),
        version: record.version,
        status: record.status,
        errors: Vec::new(),
        quick_books: None,
        frozen: None,
    }
}

fn event(
    record: &TimecardRecord,
    status: SyncStatus,
    copy: Option<&QuickBooksCopy>,
    errors: Vec<FieldError>,
) -> Event {
    Event::Timecard {
        company_id: Some(record.company.to_string()),
        timecard_id: timecard_id(&record.item).map(|id| id.to_string()),
        version: Some(record.version),
        status,
        quick_books_id: copy.map(|copy| copy.id.clone()),
        sync_token: copy.map(|copy| copy.sync_token.clone()),
        synced_at: None,
        errors,
        at: Timestamp::UNIX_EPOCH,
    }
}

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

fn words(errors: &[FieldError]) -> String {
    errors.iter().map(|error| error.message.as_str()).collect::<Vec<_>>().join(" ")
}

/// A refusal in words: what the code means, what to do, and QuickBooks' own text.
pub fn refusal(fault: &Fault) -> FieldError {
    let code = fault.code().unwrap_or("unknown");
    let meaning = meaning(code);
    FieldError {
        field: "quickBooks".to_owned(),
        code: format!("quickbooks-{code}"),
        message: format!("{} QuickBooks says: {}", meaning.says, fault.words()),
        fix: meaning.fix.to_owned(),
    }
}

fn exhausted(reason: &str) -> FieldError {
    FieldError {
        field: "quickBooks".to_owned(),
        code: "retries-used-up".to_owned(),
        message: format!(
            "QuickBooks could not be reached in six attempts over more than five hours. Last: {reason}"
        ),
        fix: "Retry it once QuickBooks works again. It will not be entered twice.".to_owned(),
    }
}

fn poison() -> FieldError {
    FieldError {
        field: "timecard".to_owned(),
        code: "poison".to_owned(),
        message: "Sending this timecard stopped the connector four times.".to_owned(),
        fix: "Tell support; the timecard was set aside so that the others go on.".to_owned(),
    }
}

fn ambiguous(id: &str) -> FieldError {
    FieldError {
        field: "quickBooks".to_owned(),
        code: "ambiguous".to_owned(),
        message: format!(
            "QuickBooks answered with TimeActivity {id}, which belongs to another timecard."
        ),
        fix: "Look both up in QuickBooks, and enter this one by hand if it is missing.".to_owned(),
    }
}
