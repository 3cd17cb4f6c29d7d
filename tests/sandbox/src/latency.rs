//! How long QuickBooks takes: a call about 0.4 s, a batch about 0.3 s for each item.
//!
//! Times are drawn evenly between `mean * (1 - jitter)` and `mean * (1 + jitter)`, so the mean is the
//! configured value. The distribution of the real service is not known. The time is real, not the
//! sandbox's clock. A call commits after three quarters of its time, so that a client which gives up
//! near the end meets a write that was done. Refusals of the gateway (401, 403, 429), OAuth and the
//! pages have none.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{chance::Chance, setting::Setting};

/// How long calls take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LatencyModel {
    /// Mean time of a call, in milliseconds.
    pub single_ms: u32,
    /// Mean time of one item of a batch, in milliseconds.
    pub batch_item_ms: u32,
    /// Share of the mean that a time may be shorter or longer, 0 to 1.
    pub jitter: f64,
    /// A call that takes longer than this, in milliseconds, is answered 504; what it has not
    /// committed by then is not done. Intuit's page says 120 s.
    pub timeout_ms: u32,
}

impl Default for LatencyModel {
    fn default() -> Self {
        Self { single_ms: 400, batch_item_ms: 300, jitter: 0.25, timeout_ms: 120_000 }
    }
}

impl LatencyModel {
    /// No latency at all.
    pub fn off() -> Self {
        Self { single_ms: 0, batch_item_ms: 0, ..Self::default() }
    }

    /// Reads the option's value: `on`, `off`, or two numbers of milliseconds as in `400,300`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "on" => return Ok(Self::default()),
            "off" => return Ok(Self::off()),
            _ => {}
        }
        text.split_once(',')
            .and_then(|(single, item)| {
                let single_ms = single.trim().parse().ok()?;
                let batch_item_ms = item.trim().parse().ok()?;
                Some(Self { single_ms, batch_item_ms, ..Self::default() })
            })
            .ok_or(format!("{text} is not on, off or two numbers of milliseconds as in 400,300"))
    }

    /// What is wrong with it, if anything.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        if !(0.0..=1.0).contains(&self.jitter) {
            return Some("jitter must be from 0 to 1");
        }
        (self.timeout_ms == 0).then_some("timeoutMs must be at least 1")
    }

    /// `mean_ms` with jitter; `unit` is from 0 to 1.
    fn draw(&self, mean_ms: u32, unit: f64) -> Duration {
        let factor = self.jitter.mul_add(2.0f64.mul_add(unit, -1.0), 1.0);
        Duration::from_millis(mean_ms.into()).mul_f64(factor.max(0.0))
    }
}

/// The latency in force.
pub(crate) struct Latency {
    model: Setting<LatencyModel>,
    chance: Arc<Chance>,
}

impl Latency {
    pub(crate) fn new(model: LatencyModel, chance: Arc<Chance>) -> Self {
        Self { model: Setting::new(model), chance }
    }

    pub(crate) fn model(&self) -> LatencyModel {
        self.model.get()
    }

    pub(crate) fn set(&self, model: LatencyModel) {
        self.model.set(model);
    }

    /// The time of one call that is no batch.
    pub(crate) fn single(&self) -> Duration {
        let model = self.model.get();
        self.draw(&model, model.single_ms)
    }

    /// The time of one item of a batch; each item draws its own.
    pub(crate) fn batch_item(&self) -> Duration {
        let model = self.model.get();
        self.draw(&model, model.batch_item_ms)
    }

    /// Longest time that a call may take.
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_millis(self.model.get().timeout_ms.into())
    }

    fn draw(&self, model: &LatencyModel, mean_ms: u32) -> Duration {
        // No chance is used up where there is nothing to draw.
        if mean_ms == 0 { Duration::ZERO } else { model.draw(mean_ms, self.chance.unit()) }
    }
}

/// Splits a call's time into what passes before the commit and what passes after it.
pub(crate) fn around_commit(whole: Duration) -> (Duration, Duration) {
    let before = whole * 3 / 4;
    (before, whole.saturating_sub(before))
}

/// Lets real time pass.
pub(crate) async fn pass(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_takes_400_ms_and_an_item_300_ms_give_or_take_a_quarter() {
        let latency = Latency::new(LatencyModel::default(), Arc::new(Chance::new(1)));
        let draws: Vec<_> = (0..2000).map(|_| latency.single()).collect();
        assert!(draws.iter().all(|d| (300..=500).contains(&d.as_millis())));
        let mean = draws.iter().sum::<Duration>() / 2000;
        assert!((390..=410).contains(&mean.as_millis()), "{mean:?}");
        assert!(draws.iter().any(|d| d.as_millis() < 320));
        assert!(draws.iter().any(|d| d.as_millis() > 480));
        let items: Vec<_> = (0..200).map(|_| latency.batch_item()).collect();
        assert!(items.iter().all(|d| (225..=375).contains(&d.as_millis())));
    }

    #[test]
    fn one_seed_gives_the_same_times() {
        let draw = |seed| {
            let latency = Latency::new(LatencyModel::default(), Arc::new(Chance::new(seed)));
            (0..5).map(|_| latency.single()).collect::<Vec<_>>()
        };
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
    }

    #[test]
    fn off_is_no_time_and_takes_no_chance() {
        let chance = Arc::new(Chance::new(1));
        let latency = Latency::new(LatencyModel::off(), Arc::clone(&chance));
        assert_eq!((latency.single(), latency.batch_item()), (Duration::ZERO, Duration::ZERO));
        assert_eq!(chance.bits(), Chance::new(1).bits());
    }

    #[test]
    fn without_jitter_every_call_takes_the_same() {
        let model = LatencyModel { jitter: 0.0, ..LatencyModel::default() };
        let latency = Latency::new(model, Arc::new(Chance::new(1)));
        assert_eq!(latency.single(), Duration::from_millis(400));
    }

    #[test]
    fn a_call_commits_after_three_quarters() {
        let (before, after) = around_commit(Duration::from_millis(400));
        assert_eq!((before.as_millis(), after.as_millis()), (300, 100));
    }

    #[test]
    fn the_option_takes_on_off_and_two_numbers() {
        assert_eq!(LatencyModel::parse("on"), Ok(LatencyModel::default()));
        assert_eq!(LatencyModel::parse("off"), Ok(LatencyModel::off()));
        let model = LatencyModel::parse("50,20").unwrap();
        assert_eq!((model.single_ms, model.batch_item_ms), (50, 20));
        for bad in ["", "50", "50,", "-1,2", "1,2,3", "fast"] {
            assert!(LatencyModel::parse(bad).is_err(), "{bad}");
        }
    }
}
