//! When an unacknowledged post is tried again.
//!
//! Webhooks page, best practices (February 2026): "10s, 20s, 30s, 5m, 20m, 2h, 4h, 6h, then every
//! 6 h". Whether each time counts from the attempt before or from the first is not known of the real
//! service; here from the attempt before, which is the longer wait. No end is documented.

use jiff::SignedDuration;

/// Waits in seconds; the last one repeats.
const STEPS_S: [i64; 8] = [10, 20, 30, 5 * 60, 20 * 60, 2 * 3600, 4 * 3600, 6 * 3600];

/// How long after the start of attempt number `attempts` (1 is the first) the next one is due.
pub(super) fn wait_after(attempts: usize) -> SignedDuration {
    let step = attempts.saturating_sub(1).min(STEPS_S.len() - 1);
    SignedDuration::from_secs(STEPS_S[step])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_wait_repeats_for_ever() {
        let waits: Vec<i64> = (1..=8).map(|attempts| wait_after(attempts).as_secs()).collect();
        assert_eq!(waits, [10, 20, 30, 300, 1200, 7200, 14_400, 21_600]);
        assert_eq!(wait_after(9), wait_after(8));
        assert_eq!(wait_after(usize::MAX), wait_after(8));
    }
}
