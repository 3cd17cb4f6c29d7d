//! The sandbox's clock: real time plus an offset that tests move.
//!
//! Token lives, MetaData times and "today" read it. Limits and delays use real time, and so do the
//! local issuer's tokens, since whoever checks those does not know this clock.

use jiff::Timestamp;
use tokio::sync::watch;

/// Real time plus an offset in milliseconds.
#[derive(Default)]
pub(crate) struct Clock {
    offset_ms: watch::Sender<i64>,
}

impl Clock {
    /// The sandbox's present.
    pub(crate) fn now(&self) -> Timestamp {
        let real = Timestamp::now();
        let millis = real.as_millisecond().saturating_add(*self.offset_ms.borrow());
        Timestamp::from_millisecond(millis).unwrap_or(real)
    }

    /// Moves the present by `seconds`, which may be negative. `None`: outside of the calendar.
    pub(crate) fn advance(&self, seconds: i64) -> Option<Timestamp> {
        let target = self.now().as_millisecond().checked_add(seconds.checked_mul(1000)?)?;
        Some(self.set(Timestamp::from_millisecond(target).ok()?))
    }

    /// Moves the present to `target`.
    pub(crate) fn set(&self, target: Timestamp) -> Timestamp {
        let offset = target.as_millisecond() - Timestamp::now().as_millisecond();
        self.offset_ms.send_replace(offset);
        self.now()
    }

    /// How far the present is from real time, in milliseconds.
    pub(crate) fn offset_ms(&self) -> i64 {
        *self.offset_ms.borrow()
    }

    /// Moves the present to that far from real time.
    pub(crate) fn set_offset_ms(&self, offset_ms: i64) {
        self.offset_ms.send_replace(offset_ms);
    }

    /// Back to real time.
    pub(crate) fn reset(&self) {
        self.offset_ms.send_replace(0);
    }

    /// Tells whoever waits for a time of this clock that it was moved.
    pub(crate) fn moves(&self) -> watch::Receiver<i64> {
        self.offset_ms.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_moves_and_comes_back() {
        let clock = Clock::default();
        let before = clock.now();
        let after = clock.advance(86_400).unwrap();
        assert!((after.as_second() - before.as_second() - 86_400).abs() <= 1);
        assert!(clock.advance(i64::MAX).is_none());
        clock.reset();
        assert!((clock.now().as_second() - before.as_second()).abs() <= 1);
    }
}
