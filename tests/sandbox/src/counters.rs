//! What was called how often, per company; and the token calls that belong to none.

use std::{collections::BTreeMap, sync::Mutex};

use serde_json::{Value, json};

use crate::{limits::Peaks, store::lock};

/// What one REST call came to.
pub(crate) struct Call<'a> {
    /// `TimeActivity`, `CompanyInfo`, `query` ...; empty if the path was not understood.
    pub(crate) entity: &'a str,
    /// `create`, `read`, `update`, `delete`, `query`; empty likewise.
    pub(crate) operation: &'a str,
    /// `None`: cut before any work.
    pub(crate) status: Option<u16>,
    pub(crate) replayed: bool,
    /// Whether it is one of the calls that Intuit's meter counts (reads, when they succeed).
    pub(crate) read: bool,
}

#[derive(Default)]
struct Numbers {
    calls: u64,
    by_operation: BTreeMap<String, BTreeMap<String, u64>>,
    by_status: BTreeMap<u16, u64>,
    throttled: u64,
    replayed: u64,
    metered_reads: u64,
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
        numbers.metered_reads +=
            u64::from(call.read && call.status.is_some_and(|status| (200..300).contains(&status)));
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

    pub(crate) fn snapshot(&self, peaks: Peaks) -> Value {
        let numbers = lock(&self.0);
        let by_status: BTreeMap<String, u64> =
            numbers.by_status.iter().map(|(status, count)| (status.to_string(), *count)).collect();
        json!({
            "calls": numbers.calls,
            "rest": numbers.by_operation,
            "byStatus": by_status,
            "throttled429": numbers.throttled,
            "replayed": numbers.replayed,
            "readsMetered": numbers.metered_reads,
            "tokens": {
                "exchange": numbers.exchanges,
                "refresh": numbers.refreshes,
                "refused": numbers.refused_tokens,
                "concurrentRefresh": numbers.concurrent_refreshes,
                "revoke": numbers.revocations,
            },
            "maxInFlight": peaks.in_flight,
            "maxPerSecond": peaks.per_second,
            "maxPerMinute": peaks.per_minute,
        })
    }
}
