//! When a connection ends whatever is refreshed, and when its admins are warned of it (C7).
//!
//! Intuit ends every connection five years after consent; only connecting again begins a new one. It
//! tells the time in a field that has to be asked for. Where it does not, its page names a sign: a soft
//! expiry that is near and that a refresh does not move is the hard one.
//!
//! Intuit counts in seconds that are left, so two answers about the same end differ by the time that an
//! answer takes. A difference below [`JITTER`] says nothing.
//!
//! What was warned of needs no memory of its own: the time of the next warning says it.

use jiff::{SignedDuration, Timestamp};

/// Admins are warned this long before the hard expiry, the first warning first (C7).
pub const WARN_BEFORE: [SignedDuration; 2] =
    [SignedDuration::from_hours(30 * 24), SignedDuration::from_hours(7 * 24)];
/// Two answers about the same expiry differ by less than this.
pub const JITTER: SignedDuration = SignedDuration::from_hours(1);
/// Within this time of its soft expiry, a connection whose expiry a refresh does not move has reached
/// the hard one (Intuit's page on the policy of refresh tokens, 2025-11-12).
pub const NEAR: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What is known of a connection's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// The end unless it is refreshed before.
    pub soft: Timestamp,
    /// The end whatever is refreshed, where it is known.
    pub hard: Option<Timestamp>,
}

/// The hard expiry after a refresh at `now`: as Intuit reports it, else what follows from a soft expiry
/// that did or did not move. `None`: it is not known.
pub fn hard_expiry(
    before: Ends,
    reported: Option<Timestamp>,
    soft: Timestamp,
    now: Timestamp,
) -> Option<Timestamp> {
    if reported.is_some() {
        return reported;
    }
    if let Some(hard) = before.hard {
        // A soft expiry beyond it refutes it.
        return (soft.duration_since(hard) < JITTER).then_some(hard);
    }
    let near = before.soft.duration_since(now) <= NEAR;
    let moved = soft.duration_since(before.soft) >= JITTER;
    (near && !moved).then_some(soft)
}

/// When somebody must be warned of a hard expiry that was not known before. It may lie in the past: then
/// it is due.
pub fn first_warning(hard: Timestamp) -> Timestamp {
    earlier(hard, WARN_BEFORE[0])
}

/// When somebody must be warned after the warning of `now`; `None` after the last one.
pub fn next_warning(hard: Timestamp, now: Timestamp) -> Option<Timestamp> {
    WARN_BEFORE
        .into_iter()
        .map(|before| earlier(hard, before))
        .find(|at| at.duration_since(now) >= JITTER)
}

/// The time of the next warning after a refresh at `now`. `before` and `warn_at` are what was known of
/// the hard expiry and the next warning until then.
pub fn warning_after_refresh(
    before: Option<Timestamp>,
    warn_at: Option<Timestamp>,
    hard: Option<Timestamp>,
    now: Timestamp,
) -> Option<Timestamp> {
    let hard = hard?;
    match before {
        // The warning moves along, so that a warning of the last 7 days never comes with 7 days and a
        // second left.
        Some(before) if before.duration_since(hard).abs() < JITTER => match warn_at {
            Some(at) => at.checked_add(hard.duration_since(before)).ok(),
            None => next_warning(hard, now),
        },
        _ => Some(first_warning(hard)),
    }
}

fn earlier(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}
