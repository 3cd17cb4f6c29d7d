//! What happened, call by call, and which permissions were used.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Target;
use super::action::Use;

/// Calls kept; the oldest go first. Use counts are kept for all.
const KEPT: usize = 200_000;

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// Passed on and answered.
    Forwarded,
    /// Answered by the proxy.
    Refused,
    /// The service closed the connection or was not there.
    Unanswered,
    /// Connection closed before the call was passed on.
    CutBefore,
    /// Connection closed after the service answered.
    CutAfter,
    /// Process killed before the call was passed on.
    CrashedBefore,
    /// Process killed after the service answered.
    CrashedAfter,
}

/// One call. Bodies, queries and headers are not kept: they hold tokens and people's names.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Place in the log, from 0.
    pub seq: u64,
    /// When the call arrived.
    pub at: Timestamp,
    /// The service behind the proxy.
    pub target: Target,
    /// The calling function's name as deployed, if a function called.
    pub function: Option<String>,
    /// Its process.
    pub pid: Option<i32>,
    /// Such as `dynamodb`.
    pub service: String,
    /// The operation as called.
    pub action: String,
    /// The permissions it needed.
    pub uses: Vec<Use>,
    /// HTTP method.
    pub method: String,
    /// Path without query.
    pub path: String,
    /// HTTP status that the service answered, if it did.
    pub status: Option<u16>,
    /// AWS's name of the error, if it answered with one.
    pub error: Option<String>,
    /// Rows that DynamoDB looked at to answer a query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scanned: Option<u64>,
    /// Read or write units, if the caller asked for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub units: Option<f64>,
    /// What became of the call.
    pub outcome: Outcome,
    /// Time from arrival to the end.
    pub duration_ms: u64,
}

/// How often a function used a permission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// The function's name as deployed.
    pub function: String,
    /// The permission.
    #[serde(flatten)]
    pub used: Use,
    /// Calls that were allowed, whatever came of them.
    pub count: u64,
    /// Calls that were refused for want of the permission.
    pub denied: u64,
}

#[derive(Debug, Default)]
struct Kept {
    entries: VecDeque<Entry>,
    next: u64,
    usage: BTreeMap<(String, Use), (u64, u64)>,
}

/// The log.
#[derive(Debug, Default)]
pub struct Log(Mutex<Kept>);

/// Locks; a thread that panicked while it held the lock left no half-made entry behind.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Log {
    /// Adds a call; its `seq` is set here.
    pub fn add(&self, mut entry: Entry) {
        let mut kept = lock(&self.0);
        entry.seq = kept.next;
        kept.next += 1;
        if let Some(function) = entry.function.as_ref().filter(|_| entry.status.is_some()) {
            let denied =
                entry.error.as_deref().is_some_and(|name| name.starts_with("AccessDenied"));
            for used in &entry.uses {
                let key = (function.clone(), used.clone());
                let counts = kept.usage.entry(key).or_default();
                if denied { counts.1 += 1 } else { counts.0 += 1 }
            }
        }
        if kept.entries.len() == KEPT {
            kept.entries.pop_front();
        }
        kept.entries.push_back(entry);
    }

    /// The calls from number `since` on, and the number that comes next.
    pub fn since(&self, since: u64) -> (Vec<Entry>, u64) {
        let kept = lock(&self.0);
        let entries = kept.entries.iter().filter(|entry| entry.seq >= since).cloned().collect();
        (entries, kept.next)
    }

    /// Every permission used so far.
    pub fn usage(&self) -> Vec<Usage> {
        let kept = lock(&self.0);
        let usage = kept.usage.iter().map(|((function, used), (count, denied))| Usage {
            function: function.clone(),
            used: used.clone(),
            count: *count,
            denied: *denied,
        });
        usage.collect()
    }

    /// Forgets the calls; numbers go on, and use counts stay.
    pub fn clear(&self) {
        lock(&self.0).entries.clear();
    }

    /// Forgets the use counts.
    pub fn clear_usage(&self) {
        lock(&self.0).usage.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(status: Option<u16>, error: Option<&str>) -> Entry {
        let used = Use { action: "dynamodb:PutItem".into(), resource: "table/W".into() };
        Entry {
            seq: 0,
            at: Timestamp::UNIX_EPOCH,
            target: Target::Aws,
            function: Some("worker".into()),
            pid: Some(1),
            service: "dynamodb".into(),
            action: "dynamodb:PutItem".into(),
            uses: vec![used],
            method: "POST".into(),
            path: "/".into(),
            status,
            error: error.map(str::to_owned),
            scanned: None,
            units: None,
            outcome: Outcome::Forwarded,
            duration_ms: 1,
        }
    }

    #[test]
    fn a_failed_condition_is_a_use_and_a_denial_is_none() {
        let log = Log::default();
        log.add(entry(Some(200), None));
        log.add(entry(Some(400), Some("ConditionalCheckFailedException")));
        log.add(entry(Some(400), Some("AccessDeniedException")));
        log.add(entry(None, None));
        let usage = log.usage();
        assert_eq!(usage.len(), 1);
        assert_eq!((usage[0].count, usage[0].denied), (2, 1));
        let text = serde_json::to_string(&usage).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Usage>>(&text).unwrap(), usage);
    }

    #[test]
    fn clearing_the_calls_keeps_numbers_and_use_counts() {
        let log = Log::default();
        log.add(entry(Some(200), None));
        log.clear();
        log.add(entry(Some(200), None));
        let (entries, next) = log.since(1);
        assert_eq!((entries.len(), entries[0].seq, next), (1, 1, 2));
        assert_eq!(log.usage()[0].count, 2);
    }
}
