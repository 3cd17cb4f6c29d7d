//! The times of a shift: how long it is, and whether it can be so.

use jiff::Timestamp;
use rust_decimal::{Decimal, RoundingStrategy};

use crate::{FieldError, fields::shortened, timecard::MAX_NET_MINUTES};

/// The furthest, in seconds, that a right figure of hours with two decimals may be from the clock: half of 0.01 hours.
const HOURS_TOLERANCE_S: u32 = 18;

const NANOS_PER_MINUTE: i128 = 60 * 1_000_000_000;

/// The times of a timecard.
pub(crate) struct Shift {
    pub(crate) clock_in: Timestamp,
    pub(crate) clock_out: Timestamp,
    pub(crate) break_minutes: u64,
}

impl Shift {
    fn span_nanos(&self) -> i128 {
        self.clock_out.as_nanosecond() - self.clock_in.as_nanosecond()
    }

    fn net_nanos(&self) -> i128 {
        self.span_nanos() - i128::from(self.break_minutes) * NANOS_PER_MINUTE
    }

    pub(crate) fn net_minutes(&self) -> i128 {
        (self.net_nanos() + NANOS_PER_MINUTE / 2).div_euclid(NANOS_PER_MINUTE)
    }

    pub(crate) fn is_whole_minutes(&self) -> bool {
        self.net_nanos() % NANOS_PER_MINUTE == 0
    }

    pub(crate) fn problem(&self) -> Option<FieldError> {
        if self.span_nanos() <= 0 {
            return Some(FieldError::new(
                "clockOut",
                "end-before-start",
                "The shift ends before it begins, or at the same moment.",
                "Correct clockIn or clockOut: the end must be later than the start.",
            ));
        }
        if self.net_nanos() <= 0 {
            return Some(FieldError::new(
                "breakMinutes",
                "break-too-long",
                format!(
                    "The break of {} minutes is as long as the whole shift, or longer.",
                    self.break_minutes
                ),
                "Correct the break or the clock times.",
            ));
        }
        let net = self.net_minutes();
        if net == 0 {
            return Some(FieldError::new(
                "clockOut",
                "no-time-worked",
                "Less than half a minute was worked.",
                "Correct the clock times, or delete the timecard.",
            ));
        }
        if net > i128::from(MAX_NET_MINUTES) {
            return Some(FieldError::new(
                "clockOut",
                "shift-too-long",
                format!(
                    "The shift is {} h {} min long after its break; the most is 24 hours.",
                    net / 60,
                    net % 60
                ),
                "Correct clockIn or clockOut, or part the shift into several timecards.",
            ));
        }
        None
    }

    /// The problem that `hours` differs from the clock times less the break, if it does.
    ///
    /// Equal means the same whole minute. A figure of two decimals cannot always say the minute of clock times that have seconds, so one
    /// that is right to two decimals also counts as equal.
    pub(crate) fn contradicts(&self, hours: Decimal) -> Option<FieldError> {
        let net = Decimal::from_i128_with_scale(self.net_minutes(), 0);
        let equal = hours.checked_mul(Decimal::from(60)).is_some_and(|minutes| {
            let rounded = minutes.round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero);
            rounded == net || self.is_near(minutes)
        });
        (!equal).then(|| {
            let right = (net / Decimal::from(60)).round_dp(2);
            FieldError::new(
                "hours",
                "hours-differ",
                format!(
                    "hours is {}, but the clock times less the break give {right} ({} h {} min).",
                    shortened(&hours.to_string()),
                    self.net_minutes() / 60,
                    self.net_minutes() % 60
                ),
                "Correct hours, the clock times or the break, or leave hours out.",
            )
        })
    }

    fn is_near(&self, minutes: Decimal) -> bool {
        let seconds = Decimal::from_i128_with_scale(self.net_nanos(), 9);
        minutes
            .checked_mul(Decimal::from(60))
            .and_then(|given| given.checked_sub(seconds))
            .is_some_and(|gap| gap.abs() <= Decimal::from(HOURS_TOLERANCE_S))
    }
}
