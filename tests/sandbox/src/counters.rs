//! What was called how often, per company; and the token calls that belong to none.

use std::{collections::BTreeMap, sync::Mutex};

use serde_json::{Value, json};

use crate::{
    limits::{Limit, LimiterSnapshot},
    meter::Metered,
    store::lock,
};

/// What one REST call came to.
pub(crate) struct Call<'a> {
    /// `TimeActivity`, `CompanyInfo`, `query` ...; empty if the path was not understood.
    pub(crate) entity: &'a str,
    /// `create`, `read`, `update`, `delete`, `query`; empty likewise.
    pub(crate) operation: &'a str,
    /// `None`: cut before any work.
    pub(crate) status: Option<u16>,
    pub(crate) replayed: bool,
    /// What Intuit's meter counts it as, if it succeeds.
    pub(crate) metered: Option<Metered>,
}

impl Call<'_> {
    /// What the meter counts it as, now that its status is known.
    pub(crate) fn metered_now(&self) -> Option<Metered> {
        self.metered.filter(|_| self.status.is_some_and(|status| (200..300).contains(&status)))
    }
}

#[derive(Default)]
struct Numbers {
    calls: u64,
    by_operation: BTreeMap<String, BTreeMap<String, u64>>,
    by_status: BTreeMap<u16, u64>,
    /// By entity, operation and outcome.
    batch_items: BTreeMap<&'static str, BTreeMap<&'static str, BTreeMap<&'static str, u64>>>,
    throttled: u64,
    replayed: u64,
    metered_reads: u64,
    over_cap: u64,
    exchanges: u64,
    refreshes: u64,
    refused_tokens: u64,
    concurrent_refreshes: u64,
    revocations: u64,
}

/// A token endpoint's doing, as counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenCall {
    Exchange,
    Refresh,
    /// Refused: `invalid_grant`, `invalid_client` and so on.
    Refused,
    /// A refresh that began while another one of the same grant was under way.
    Concurrent,
    Revoke,
}

/// What became of an item of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ItemOutcome {
    Done,
    Refused,
    /// A repeat of its request id; nothing was done.
    Replayed,
}

/// Counters of one company, or of what belongs to no company.
#[derive(Default)]
pub(crate) struct Counters(Mutex<Numbers>);

impl Counters {
    /// Counts a REST call. A throttled one counts in `calls` too.
    pub(crate) fn rest(&self, call: &Call<'_>) {
        let mut numbers = lock(&self.0);
        numbers.calls += 1;
        if let Some(status) = call.status {
            *numbers.by_status.entry(status).or_default() += 1;
        }
        if !call.entity.is_empty() {
            let operations = numbers.by_operation.entry(call.entity.to_owned()).or_default();
            *operations.entry(call.operation.to_owned()).or_default() += 1;
        }
        numbers.throttled += u64::from(call.status == Some(429));
        numbers.replayed += u64::from(call.replayed);
        numbers.metered_reads += u64::from(call.metered_now().is_some());
    }

    /// Counts a call that the monthly meter's cap refused.
    pub(crate) fn over_cap(&self) {
        lock(&self.0).over_cap += 1;
    }

    /// Counts an item of a batch, when it was answered.
    pub(crate) fn item(&self, entity: &'static str, operation: &'static str, outcome: ItemOutcome) {
        let outcome = match outcome {
            ItemOutcome::Done => "done",
            ItemOutcome::Refused => "refused",
            ItemOutcome::Replayed => "replayed",
        };
        let mut numbers = lock(&self.0);
        let operations = numbers.batch_items.entry(entity).or_default();
        *operations.entry(operation).or_default().entry(outcome).or_default() += 1;
    }

    pub(crate) fn token(&self, call: TokenCall) {
        let mut numbers = lock(&self.0);
        let number = match call {
            TokenCall::Exchange => &mut numbers.exchanges,
            TokenCall::Refresh => &mut numbers.refreshes,
            TokenCall::Refused => &mut numbers.refused_tokens,
            TokenCall::Concurrent => &mut numbers.concurrent_refreshes,
            TokenCall::Revoke => &mut numbers.revocations,
        };
        *number += 1;
    }

    pub(crate) fn clear(&self) {
        *lock(&self.0) = Numbers::default();
    }

    /// The numbers with those of the company's limits, as the admin API shows them.
    pub(crate) fn snapshot(&self, limiter: &LimiterSnapshot) -> Value {
        let numbers = lock(&self.0);
        let mut throttled_by: BTreeMap<&str, u64> = Limit::ALL
            .into_iter()
            .map(|limit| (limit.name(), limiter.refused.get(&limit).copied().unwrap_or(0)))
            .collect();
        throttled_by.insert("meter", numbers.over_cap);
        let by_status: BTreeMap<String, u64> =
            numbers.by_status.iter().map(|(status, count)| (status.to_string(), *count)).collect();
        json!({
            "calls": numbers.calls,
            "rest": numbers.by_operation,
            "byStatus": by_status,
            "batchItems": numbers.batch_items,
            "throttled429": numbers.throttled,
            "throttledBy": throttled_by,
            "replayed": numbers.replayed,
            "readsMetered": numbers.metered_reads,
            "tokens": {
                "exchange": numbers.exchanges,
                "refresh": numbers.refreshes,
                "refused": numbers.refused_tokens,
                "concurrentRefresh": numbers.concurrent_refreshes,
                "revoke": numbers.revocations,
            },
            "inFlight": limiter.in_flight,
            "maxInFlight": limiter.max_in_flight,
            "maxPerSecond": limiter.seconds.sliding,
            "maxPerFixedSecond": limiter.seconds.fixed,
            "maxPerMinute": limiter.minutes.sliding,
            "maxPerFixedMinute": limiter.minutes.fixed,
            "maxBatchPerMinute": limiter.batches.sliding,
            "maxBatchPerFixedMinute": limiter.batches.fixed,
            "apps": limiter.apps,
        })
    }
}
