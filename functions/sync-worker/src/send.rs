//! One call to QuickBooks for one record, and what its answer means for the record.
//!
//! The meaning decides whether a record can double. So there are exactly five, and which one it is
//! follows from the error's variant alone (see `quickbooks::CallError`).

use domain::retry::next_attempt;
use domain::settle::{Sent, earliest_resend};
use jiff::{SignedDuration, Timestamp};
use platform::access::AccessError;
use platform::journal::{Entry, Operation};
use platform::tokens::TokenError;
use quickbooks::{CallError, Entity, Fault};
use serde_json::Value;

use crate::drain::Drain;

/// What a send came to.
#[derive(Debug)]
pub enum Answer {
    /// QuickBooks has the record; what it shows.
    Stored(Value),
    /// QuickBooks certainly has not stored it and never will as it is. Closes the `requestid`.
    Refused(Fault),
    /// Whether it was stored is not known, or it must be sent again under the same `requestid`.
    Open {
        /// Not before.
        resend_at: Timestamp,
        /// It counts as a failed attempt.
        counts: bool,
        /// Replaying is no use: look it up.
        look_up: bool,
        /// For the audit trail.
        reason: String,
    },
    /// It was certainly not stored, and may be tried anew with another `requestid`.
    Anew {
        /// Not before; `None` when the retries are used up.
        due: Option<Timestamp>,
        /// It counts as a failed attempt.
        counts: bool,
        /// For the audit trail.
        reason: String,
    },
    /// It was not sent, for a reason that has nothing to do with it.
    NotTried,
}

impl Drain<'_> {
    /// Sends a journal entry: the exact body under its `requestid`. `first` is false for a replay.
    pub async fn send(&self, entry: &Entry, send_by: Timestamp, first: bool) -> Answer {
        let permit = self.pacer.permit().await;
        let now = self.worker.clock.now().await;
        if now > send_by || self.keeper.must_stop(self.state) || !self.keeper.may_call(now).await {
            return Answer::NotTried;
        }
        let answer = self
            .worker
            .quickbooks
            .call(&self.company, async |client, session| match entry.operation {
                Operation::Create => {
                    client
                        .create(session, Entity::TimeActivity, &entry.body, &entry.request_id)
                        .await
                }
                Operation::Update => {
                    client
                        .update(session, Entity::TimeActivity, &entry.body, &entry.request_id)
                        .await
                }
            })
            .await;
        drop(permit);
        let sent_at = self.worker.clock.now().await;
        match answer {
            Ok(stored) => Answer::Stored(stored),
            Err(error) => self.meaning(entry, error, sent_at, first),
        }
    }

    fn meaning(&self, entry: &Entry, error: AccessError, now: Timestamp, first: bool) -> Answer {
        let reason = error.to_string();
        let anew = |counts: bool| Answer::Anew {
            due: next_attempt(entry.attempts + 1, now, rand::random()),
            counts,
            reason: reason.clone(),
        };
        let error = match error {
            AccessError::Call(error) => error,
            // Nothing was sent: without a token there is no call.
            AccessError::Token(TokenError::Later(_)) => return anew(true),
            AccessError::Token(_) => return Answer::NotTried,
        };
        match error {
            CallError::Throttled { retry_after, .. } => {
                self.pacer.hold(retry_after);
                let wait = SignedDuration::try_from(retry_after).unwrap_or(ONE_MINUTE);
                Answer::Open { resend_at: now + wait, counts: false, look_up: false, reason }
            }
            // A token less than a minute old that is refused: certainly not stored, and worth a minute.
            CallError::TokenRefused(_) => {
                Answer::Open { resend_at: now + ONE_MINUTE, counts: true, look_up: false, reason }
            }
            CallError::ReconnectNeeded(_) => Answer::NotTried,
            CallError::CompanyUnusable(_) | CallError::NotSent { .. } => anew(true),
            // QuickBooks answers 6000 to a replay where 600 would be right.
            CallError::Refused(fault) if !first && fault.has("6000") => {
                open_for_look_up(now, reason)
            }
            CallError::DuplicateRequestId(_) => open_for_look_up(now, reason),
            CallError::Refused(fault) => Answer::Refused(fault),
            CallError::Stale(_) => Answer::Anew { due: Some(now), counts: true, reason },
            CallError::Unavailable { .. } | CallError::Unanswered { .. } => {
                let earliest = earliest_resend(now, Sent::Unknown);
                let ladder = next_attempt(entry.attempts + 1, now, rand::random());
                Answer::Open {
                    resend_at: ladder.map_or(earliest, |at| at.max(earliest)),
                    counts: true,
                    look_up: false,
                    reason,
                }
            }
        }
    }
}

const ONE_MINUTE: SignedDuration = SignedDuration::from_mins(1);

fn open_for_look_up(now: Timestamp, reason: String) -> Answer {
    Answer::Open {
        resend_at: earliest_resend(now, Sent::Ambiguous),
        counts: true,
        look_up: true,
        reason,
    }
}
