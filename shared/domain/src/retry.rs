//! When a send that may heal is tried again.

use std::time::Duration;

use jiff::Timestamp;

/// The waits before the first to the fifth retry.
pub const LADDER: [Duration; 5] = [
    Duration::from_mins(1),
    Duration::from_mins(5),
    Duration::from_mins(15),
    Duration::from_hours(1),
    Duration::from_hours(4),
];

/// The largest share of a wait that jitter adds, so that what failed together does not return together.
const JITTER_SHARE: f64 = 0.1;

/// A record that was in hand at this many worker crashes runs alone from then on.
pub const CRASHES_ALONE: u32 = 2;

/// A record that was in hand at this many worker crashes is a dead letter with the reason `poison`.
pub const CRASHES_POISON: u32 = 4;

/// When to try again after `failed_attempts` failures (the first try among them), or `None` once the fifth retry has failed.
///
/// `jitter` is a random number from 0 to 1, taken as 0 when it is no number; it adds up to 10 % of the wait.
/// Nothing failed yet means due at once.
pub fn next_attempt(failed_attempts: u32, now: Timestamp, jitter: f64) -> Option<Timestamp> {
    let Some(step) = failed_attempts.checked_sub(1) else { return Some(now) };
    let wait = *LADDER.get(usize::try_from(step).ok()?)?;
    let share = if jitter.is_nan() { 0.0 } else { jitter.clamp(0.0, 1.0) * JITTER_SHARE };
    let due = now.checked_add(wait + wait.mul_f64(share));
    Some(due.unwrap_or(Timestamp::MAX))
}
