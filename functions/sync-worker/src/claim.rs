//! TimeActivities that QuickBooks has, given to their timecards, or taken back.

use domain::work::SyncStatus;
use jiff::Timestamp;
use platform::Result;
use platform::access::AccessError;
use platform::audit::Entry as AuditEntry;
use platform::jobs::Outcome;
use platform::records::{Shown, Written};
use platform::work::{DeadReason, Finished};
use quickbooks::{CallError, Entity};

use crate::conclude::{Conclusions, Failure, Stored, event, unchanged};
use crate::drain::Drain;
use crate::failure::{ambiguous, filed_differently};

impl Conclusions {
    /// Gives each TimeActivity to its card. One that belongs to another card, or that QuickBooks filed
    /// differently from what was sent, becomes a failure with its reason.
    pub(crate) async fn claim(&mut self, drain: &Drain<'_>, now: Timestamp) -> Result<()> {
        let stored = std::mem::take(&mut self.stored);
        let pairs: Vec<(String, String)> = stored
            .iter()
            .map(|stored| (stored.copy.id.clone(), stored.record.item.clone()))
            .collect();
        let ours = drain.worker.records.claim(&drain.company, &drain.realm, &pairs).await?;
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
        let taken_back = drain
            .quickbooks
            .call_paced(
                &drain.company,
                async || Some(drain.pacer.permit().await),
                async |client, session| {
                    client
                        .delete(
                            session,
                            Entity::TimeActivity,
                            &copy.id,
                            &copy.sync_token,
                            &request_id,
                        )
                        .await
                },
            )
            .await;
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
        if let Some(written) = self.written.last_mut() {
            written.frozen = if gone { record.frozen.clone() } else { Some(frozen) };
        }
    }
}
