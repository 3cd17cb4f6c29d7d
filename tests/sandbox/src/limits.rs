//! The REST limits of one company: 500 a minute, 10 a second, 10 in flight
//! (developer.intuit.com, "limits and throttles", 2025-09).
//!
//! The windows slide, which is at least as strict as fixed ones. They run on real time whatever the
//! sandbox's clock says. A refused call counts towards none of them.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::store::lock;

const PER_MINUTE: f64 = 500.0;
const PER_SECOND: f64 = 10.0;
const IN_FLIGHT: f64 = 10.0;

/// The factor on all limits, shared by all companies and changed while running.
pub(crate) struct Scale(AtomicU64);

impl Scale {
    pub(crate) fn new(scale: f64) -> Self {
        Self(AtomicU64::new(scale.to_bits()))
    }

    pub(crate) fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }

    pub(crate) fn set(&self, scale: f64) {
        self.0.store(scale.to_bits(), Ordering::Relaxed);
    }
}

/// Calls let in so far, and those under way.
#[derive(Default)]
struct Window {
    /// Start times of the calls of the last minute.
    calls: VecDeque<Instant>,
    in_flight: usize,
    peak_in_flight: usize,
    peak_second: usize,
    peak_minute: usize,
}

/// The largest numbers seen since the counters were cleared.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Peaks {
    pub(crate) in_flight: usize,
    pub(crate) per_second: usize,
    pub(crate) per_minute: usize,
}

/// One company's limits.
#[derive(Default)]
pub(crate) struct Limiter {
    window: Arc<Mutex<Window>>,
}

/// A call that was let in; it is under way until this is dropped.
pub(crate) struct Admission {
    window: Arc<Mutex<Window>>,
}

impl Limiter {
    /// Lets a call in, or not.
    pub(crate) fn admit(&self, scale: f64) -> Option<Admission> {
        self.admit_at(scale, Instant::now())
    }

    fn admit_at(&self, scale: f64, now: Instant) -> Option<Admission> {
        let mut window = lock(&self.window);
        while window.calls.front().is_some_and(|at| now - *at >= Duration::from_mins(1)) {
            window.calls.pop_front();
        }
        let minute = window.calls.len();
        let second =
            window.calls.iter().rev().take_while(|at| now - **at < Duration::from_secs(1)).count();
        if minute >= limit(PER_MINUTE, scale)
            || second >= limit(PER_SECOND, scale)
            || window.in_flight >= limit(IN_FLIGHT, scale)
        {
            return None;
        }
        window.calls.push_back(now);
        window.in_flight += 1;
        window.peak_minute = window.peak_minute.max(minute + 1);
        window.peak_second = window.peak_second.max(second + 1);
        window.peak_in_flight = window.peak_in_flight.max(window.in_flight);
        Some(Admission { window: Arc::clone(&self.window) })
    }

    pub(crate) fn peaks(&self) -> Peaks {
        let window = lock(&self.window);
        Peaks {
            in_flight: window.peak_in_flight,
            per_second: window.peak_second,
            per_minute: window.peak_minute,
        }
    }

    /// Forgets past calls and peaks; calls under way stay counted.
    pub(crate) fn clear(&self) {
        let mut window = lock(&self.window);
        window.calls.clear();
        window.peak_in_flight = window.in_flight;
        window.peak_second = 0;
        window.peak_minute = 0;
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        lock(&self.window).in_flight -= 1;
    }
}

/// At least one call is always possible, else nothing could ever be tested at a small scale.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
fn limit(base: f64, scale: f64) -> usize {
    ((base * scale).floor() as usize).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_a_second_and_no_more() {
        let (limiter, start) = (Limiter::default(), Instant::now());
        for _ in 0..10 {
            drop(limiter.admit_at(1.0, start).unwrap());
        }
        assert!(limiter.admit_at(1.0, start + Duration::from_millis(999)).is_none());
        assert!(limiter.admit_at(1.0, start + Duration::from_secs(1)).is_some());
        assert_eq!(limiter.peaks().per_second, 10);
    }

    #[test]
    fn five_hundred_a_minute_in_any_sixty_seconds() {
        let (limiter, start) = (Limiter::default(), Instant::now());
        for call in 0..500 {
            assert!(limiter.admit_at(1.0, start + Duration::from_millis(call * 100)).is_some());
        }
        assert!(limiter.admit_at(1.0, start + Duration::from_secs(59)).is_none());
        assert!(limiter.admit_at(1.0, start + Duration::from_mins(1)).is_some());
    }

    #[test]
    fn ten_in_flight_until_one_ends() {
        let (limiter, start) = (Limiter::default(), Instant::now());
        let at = |i: u64| start + Duration::from_millis(i * 200);
        let mut open: Vec<_> = (0..10).filter_map(|i| limiter.admit_at(1.0, at(i))).collect();
        assert_eq!(open.len(), 10);
        assert!(limiter.admit_at(1.0, at(10)).is_none());
        open.pop();
        assert!(limiter.admit_at(1.0, at(11)).is_some());
    }

    #[test]
    fn the_scale_multiplies_every_limit() {
        let (limiter, start) = (Limiter::default(), Instant::now());
        let open: Vec<_> = (0..200).filter_map(|_| limiter.admit_at(3.0, start)).collect();
        assert_eq!(open.len(), 30);
    }
}
