//! How many calls a stretch of time has seen.

use std::{
    collections::VecDeque,
    sync::LazyLock,
    time::{Duration, Instant, SystemTime},
};

use super::Windows;

/// Real time since 1970 that never goes back, so that one number serves sliding windows and those of
/// the calendar.
pub(super) fn real_now() -> Duration {
    static START: LazyLock<(Instant, Duration)> = LazyLock::new(|| {
        let epoch = SystemTime::UNIX_EPOCH;
        (Instant::now(), SystemTime::now().duration_since(epoch).unwrap_or_default())
    });
    START.1 + START.0.elapsed()
}

/// Numbers of calls in the two kinds of window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Both {
    /// In the stretch that ends now.
    pub(crate) sliding: usize,
    /// In the calendar's second or minute.
    pub(crate) fixed: usize,
}

impl Both {
    /// The number that `windows` holds against a limit.
    pub(super) fn by(self, windows: Windows) -> usize {
        match windows {
            Windows::Both => self.sliding.max(self.fixed),
            Windows::Sliding => self.sliding,
            Windows::Fixed => self.fixed,
        }
    }

    pub(super) fn max(self, other: Self) -> Self {
        Self { sliding: self.sliding.max(other.sliding), fixed: self.fixed.max(other.fixed) }
    }
}

/// The calls of one stretch of time, with the largest numbers there were.
pub(super) struct Rate {
    length: Duration,
    /// Times of the calls of the last stretch, oldest first.
    calls: VecDeque<Duration>,
    /// The calendar's stretch that was last called in, and its calls.
    fixed: (u128, usize),
    pub(super) peaks: Both,
}

impl Rate {
    pub(super) fn per(length: Duration) -> Self {
        Self { length, calls: VecDeque::new(), fixed: (0, 0), peaks: Both::default() }
    }

    /// The calls that a further one at `now` would meet.
    pub(super) fn seen(&mut self, now: Duration) -> Both {
        while self.calls.front().is_some_and(|at| now.saturating_sub(*at) >= self.length) {
            self.calls.pop_front();
        }
        let stretch = now.as_nanos() / self.length.as_nanos().max(1);
        if self.fixed.0 != stretch {
            self.fixed = (stretch, 0);
        }
        Both { sliding: self.calls.len(), fixed: self.fixed.1 }
    }

    pub(super) fn add(&mut self, now: Duration) {
        self.seen(now);
        self.calls.push_back(now);
        self.fixed.1 += 1;
        self.peaks = self.peaks.max(Both { sliding: self.calls.len(), fixed: self.fixed.1 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_around_a_boundary_is_one_sliding_window_and_two_fixed_ones() {
        let mut rate = Rate::per(Duration::from_secs(1));
        let start = Duration::from_secs(1_000_000);
        for millis in [900, 950, 1000, 1050] {
            rate.add(start + Duration::from_millis(millis));
        }
        let now = start + Duration::from_millis(1100);
        assert_eq!(rate.seen(now), Both { sliding: 4, fixed: 2 });
        assert_eq!(rate.peaks, Both { sliding: 4, fixed: 2 });
        assert_eq!(rate.seen(now + Duration::from_millis(800)), Both { sliding: 3, fixed: 2 });
        assert_eq!(rate.seen(now + Duration::from_secs(1)), Both { sliding: 0, fixed: 0 });
    }
}
