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
use quickbooks::{CallError, Entity, Fault, Permit};
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
    /// Leave for one call to QuickBooks: a permit of the pace, while the lease is ours for long enough and
    /// `by` is not over.
    pub async fn leave(&self, by: Option<Timestamp>) -> Option<Permit> {
        let permit = self.pacer.permit().await;
        let now = self.worker.clock.now().await;
        let in_time = by.is_none_or(|by| now <= by);
        (in_time && !self.keeper.must_stop(self.state) && self.keeper.may_call(now).await)
            .then_some(permit)
    }

    /// Sends a journal entry: the exact body under its `requestid`. `first` is false for a replay.
    pub async fn send(&self, entry: &Entry, send_by: Timestamp, first: bool) -> Answer {
        let answer = self
            .quickbooks
            .call_paced(
                &self.company,
                async || self.leave(Some(send_by)).await,
                async |client, session| match entry.operation {
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
                },
            )
            .await;
        let sent_at = self.worker.clock.now().await;
        match answer {
            Ok(stored) => Answer::Stored(stored),
            Err(error) => {
                if let AccessError::Call(CallError::Throttled { retry_after, .. }) = &error {
                    self.pacer.hold(*retry_after);
                }
                if no_access(&error) {
                    self.keeper.note_no_access();
                }
                meaning(entry.attempts, error, sent_at, first)
            }
        }
    }
}

/// Whether the company can do nothing until a person connects it again, or corrects the set-up. That is
/// no fault of any record: its work waits untouched.
pub fn no_access(error: &AccessError) -> bool {
    match error {
        AccessError::Declined => false,
        AccessError::OtherRealm => true,
        AccessError::Call(error) => matches!(error, CallError::ReconnectNeeded(_)),
        AccessError::Token(error) => matches!(
            error,
            TokenError::NotConnected
                | TokenError::ReconnectRequired
                | TokenError::OtherEnvironment { .. }
        ),
    }
}

/// What an error means for a record that failed `attempts` times before. `first` is false for a replay.
fn meaning(attempts: u32, error: AccessError, now: Timestamp, first: bool) -> Answer {
    let reason = error.to_string();
    let ladder = next_attempt(attempts + 1, now, rand::random());
    // This send was certainly not stored. If it was a replay, that says nothing of the original.
    let not_stored = |due: Option<Timestamp>, counts: bool| {
        if first {
            Answer::Anew { due, counts, reason: reason.clone() }
        } else {
            let resend_at = due.unwrap_or(now);
            Answer::Open { resend_at, counts, look_up: false, reason: reason.clone() }
        }
    };
    let error = match error {
        AccessError::Call(error) => error,
        // Nothing was sent: without a token there is no call.
        AccessError::Token(TokenError::Later(_)) => return not_stored(ladder, true),
        AccessError::Token(TokenError::Platform(_)) => {
            return not_stored(Some(now + ONE_MINUTE), false);
        }
        AccessError::Token(_) | AccessError::Declined | AccessError::OtherRealm => {
            return Answer::NotTried;
        }
    };
    match error {
        CallError::Throttled { retry_after, .. } => {
            let wait = SignedDuration::try_from(retry_after).unwrap_or(ONE_MINUTE);
            Answer::Open { resend_at: now + wait, counts: false, look_up: false, reason }
        }
        // A token less than a minute old that is refused: certainly not stored, and worth a minute.
        CallError::TokenRefused(_) => {
            Answer::Open { resend_at: now + ONE_MINUTE, counts: true, look_up: false, reason }
        }
        CallError::ReconnectNeeded(_) => Answer::NotTried,
        CallError::CompanyUnusable(_) | CallError::NotSent { .. } => not_stored(ladder, true),
        // QuickBooks answers 6000 to a replay where 600 would be right.
        CallError::Refused(fault) if !first && fault.has("6000") => open_for_look_up(now, reason),
        CallError::DuplicateRequestId(_) => open_for_look_up(now, reason),
        CallError::Refused(fault) => Answer::Refused(fault),
        CallError::Stale(_) => Answer::Anew { due: Some(now), counts: true, reason },
        CallError::Unavailable { .. } | CallError::Unanswered { .. } => {
            let earliest = earliest_resend(now, Sent::Unknown);
            Answer::Open {
                resend_at: ladder.map_or(earliest, |at| at.max(earliest)),
                counts: true,
                look_up: false,
                reason,
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn now() -> Timestamp {
        "2026-11-20T12:00:00Z".parse().unwrap()
    }

    fn fault(code: &str) -> Fault {
        Fault {
            http_status: 400,
            fault_type: "ValidationFault".to_owned(),
            errors: vec![quickbooks::FaultError {
                code: code.to_owned(),
                message: "m".to_owned(),
                detail: "d".to_owned(),
                element: None,
            }],
            intuit_tid: None,
        }
    }

    fn of(error: CallError, first: bool) -> Answer {
        meaning(0, AccessError::Call(error), now(), first)
    }

    #[test]
    fn a_send_without_an_answer_stays_open_and_is_not_repeated_before_it_can_have_committed() {
        for error in [
            CallError::Unanswered { reason: "time-out".to_owned() },
            CallError::Unavailable { status: 503, fault: None },
        ] {
            let Answer::Open { resend_at, counts: true, look_up: false, .. } = of(error, true)
            else {
                panic!("must stay open");
            };
            assert!(resend_at.duration_since(now()) >= SignedDuration::from_secs(150));
        }
    }

    #[test]
    fn a_429_keeps_the_requestid_waits_as_told_and_costs_no_attempt() {
        let error =
            CallError::Throttled { retry_after: Duration::from_secs(17), fault: fault("3001") };
        let Answer::Open { resend_at, counts: false, look_up: false, .. } = of(error, true) else {
            panic!("must stay open");
        };
        assert_eq!(resend_at.duration_since(now()), SignedDuration::from_secs(17));
    }

    #[test]
    fn a_refusal_closes_the_requestid_but_6000_on_a_replay_is_looked_up() {
        assert!(matches!(of(CallError::Refused(fault("2500")), true), Answer::Refused(_)));
        assert!(matches!(of(CallError::Refused(fault("2500")), false), Answer::Refused(_)));
        assert!(matches!(of(CallError::Refused(fault("6000")), true), Answer::Refused(_)));
        let replayed = of(CallError::Refused(fault("6000")), false);
        assert!(matches!(replayed, Answer::Open { look_up: true, .. }), "{replayed:?}");
    }

    #[test]
    fn a_duplicate_requestid_is_looked_up_and_never_sent_anew() {
        for first in [true, false] {
            let answer = of(CallError::DuplicateRequestId(fault("600")), first);
            assert!(matches!(answer, Answer::Open { look_up: true, .. }), "{answer:?}");
        }
    }

    #[test]
    fn what_never_left_is_tried_anew_along_the_ladder_until_it_is_used_up() {
        let not_sent = |attempts| {
            let error = CallError::NotSent { reason: "no connection".to_owned() };
            meaning(attempts, AccessError::Call(error), now(), true)
        };
        let Answer::Anew { due: Some(due), counts: true, .. } = not_sent(0) else {
            panic!("must be tried anew");
        };
        let wait = due.duration_since(now());
        assert!(wait >= SignedDuration::from_mins(1) && wait <= SignedDuration::from_secs(66));
        assert!(matches!(not_sent(5), Answer::Anew { due: None, .. }));
    }

    #[test]
    fn a_lost_connection_touches_no_record() {
        let lost = AccessError::Call(CallError::ReconnectNeeded(fault("3100")));
        let refused = AccessError::Token(TokenError::ReconnectRequired);
        for error in [lost, refused] {
            assert!(no_access(&error));
            let answer = meaning(5, error, now(), true);
            assert!(matches!(answer, Answer::NotTried), "{answer:?}");
        }
        let outage = AccessError::Token(TokenError::Later("Intuit is down".to_owned()));
        assert!(!no_access(&outage));
    }

    #[test]
    fn a_replay_that_never_left_leaves_the_original_open() {
        let error = CallError::NotSent { reason: "no connection".to_owned() };
        let answer = of(error, false);
        assert!(matches!(answer, Answer::Open { look_up: false, .. }), "{answer:?}");
        let error = AccessError::Token(TokenError::Later("Intuit is down".to_owned()));
        let answer = meaning(0, error, now(), false);
        assert!(matches!(answer, Answer::Open { look_up: false, .. }), "{answer:?}");
    }
}
