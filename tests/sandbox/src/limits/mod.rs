//! The REST limits (developer.intuit.com, "limits and throttles", 2025-10): per company 500 calls a
//! minute and 120 batches a minute, all apps together; per company and app 10 calls a second, 10 in
//! flight (2016 text) and 40 batches a minute. A batch is a call too and counts as both.
//!
//! They run on real time whatever the sandbox's clock says. Not known of the real service: whether
//! its windows slide or are those of the calendar, and whether a refused call counts. Here both
//! windows hold and a refused call does not count; [`Limits`] has the switches.

mod limiter;
mod refusal;
mod window;

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

pub(crate) use limiter::{Limiter, LimiterSnapshot};
pub(crate) use refusal::refusal;

/// What kind of call asks to be let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Single,
    Batch,
}

impl Endpoint {
    /// By the path after the realm.
    pub(crate) fn of(rest: &str) -> Self {
        if rest.trim_matches('/').eq_ignore_ascii_case("batch") {
            Self::Batch
        } else {
            Self::Single
        }
    }
}

/// Which windows count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Windows {
    /// The last 60 seconds and the calendar minute. The sliding window holds at least as many calls
    /// as the fixed one, so it decides.
    #[default]
    Both,
    /// The last 60 seconds, the last second.
    Sliding,
    /// The calendar's minute and second: twice the number can pass around a boundary.
    Fixed,
}

/// How a refusal is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RefusalBody {
    /// The gateway's lower-case `fault`.
    #[default]
    Json,
    /// `IntuitResponse`, as recorded in 2016 and 2017.
    Xml,
}

/// One of the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Limit {
    PerMinute,
    PerSecond,
    InFlight,
    BatchPerMinuteApp,
    BatchPerMinuteRealm,
}

impl Limit {
    pub(crate) const ALL: [Self; 5] = [
        Self::PerMinute,
        Self::PerSecond,
        Self::InFlight,
        Self::BatchPerMinuteApp,
        Self::BatchPerMinuteRealm,
    ];

    /// As the admin API names it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::PerMinute => "perMinute",
            Self::PerSecond => "perSecond",
            Self::InFlight => "inFlight",
            Self::BatchPerMinuteApp => "batchPerMinuteApp",
            Self::BatchPerMinuteRealm => "batchPerMinuteRealm",
        }
    }

    /// What Intuit's page says.
    fn base(self) -> f64 {
        match self {
            Self::PerMinute => 500.0,
            Self::PerSecond | Self::InFlight => 10.0,
            Self::BatchPerMinuteApp => 40.0,
            Self::BatchPerMinuteRealm => 120.0,
        }
    }
}

/// The switches of the limits, the same for all companies; also the body of the admin API's `/limits`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Limits {
    /// Factor on every limit that has no number of its own.
    pub(crate) scale: f64,
    pub(crate) windows: Windows,
    /// Whether a refused call counts in the windows, so that a client which goes on stays refused.
    pub(crate) count_refused: bool,
    /// Seconds in a `Retry-After` header; none is documented.
    pub(crate) retry_after: Option<u32>,
    pub(crate) body: RefusalBody,
    per_minute: Option<NonZeroU32>,
    per_second: Option<NonZeroU32>,
    in_flight: Option<NonZeroU32>,
    batch_per_minute_app: Option<NonZeroU32>,
    batch_per_minute_realm: Option<NonZeroU32>,
}

impl Limits {
    /// Intuit's numbers times `scale`.
    pub(crate) fn scaled(scale: f64) -> Self {
        Self {
            scale,
            windows: Windows::default(),
            count_refused: false,
            retry_after: None,
            body: RefusalBody::default(),
            per_minute: None,
            per_second: None,
            in_flight: None,
            batch_per_minute_app: None,
            batch_per_minute_realm: None,
        }
    }

    /// How many calls `limit` lets in. At least one, else nothing could be tested at a small scale.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive; saturates"
    )]
    pub(crate) fn of(&self, limit: Limit) -> usize {
        let own = match limit {
            Limit::PerMinute => self.per_minute,
            Limit::PerSecond => self.per_second,
            Limit::InFlight => self.in_flight,
            Limit::BatchPerMinuteApp => self.batch_per_minute_app,
            Limit::BatchPerMinuteRealm => self.batch_per_minute_realm,
        };
        match own {
            Some(number) => number.get() as usize,
            None => ((limit.base() * self.scale).floor() as usize).max(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_its_own_is_not_scaled() {
        let limits = Limits { per_second: NonZeroU32::new(3), ..Limits::scaled(2.0) };
        assert_eq!(limits.of(Limit::PerSecond), 3);
        assert_eq!(limits.of(Limit::PerMinute), 1000);
        assert_eq!(limits.of(Limit::BatchPerMinuteApp), 80);
        assert_eq!(limits.of(Limit::BatchPerMinuteRealm), 240);
        assert_eq!(Limits::scaled(0.001).of(Limit::PerSecond), 1);
    }

    #[test]
    fn only_the_path_batch_is_a_batch() {
        assert_eq!(Endpoint::of("batch"), Endpoint::Batch);
        assert_eq!(Endpoint::of("Batch/"), Endpoint::Batch);
        assert_eq!(Endpoint::of("batches"), Endpoint::Single);
    }
}
