//! The request journal: what came in and what it was answered, without tokens or bodies.

use std::{collections::VecDeque, sync::Mutex};

use jiff::Timestamp;
use serde::Serialize;

use crate::{ids::Realm, store::lock};

/// Old entries go when there are more than this.
const KEEP: usize = 100_000;

/// One request.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    /// Counts up from 1; `since=` takes it.
    pub(crate) seq: u64,
    /// When it arrived, by the sandbox's clock.
    pub(crate) at: Timestamp,
    pub(crate) method: String,
    pub(crate) path: String,
    /// Empty for the OAuth pages, whose queries hold codes and states.
    pub(crate) query: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) realm: Option<Realm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) requestid: Option<String>,
    /// What was answered, or would have been had the connection not been cut.
    pub(crate) status: Option<u16>,
    #[serde(rename = "intuit_tid")]
    pub(crate) intuit_tid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) entity: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) operation: Option<String>,
    /// Whether a stored answer was given again.
    pub(crate) replayed: bool,
    /// The id of the injected fault that the request met.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fault: Option<u64>,
    /// `before` or `after`: where the connection was cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cut: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user_agent: Option<String>,
    /// SHA-256 of the body in hex, so that a test can tell a repeated body from a new one.
    pub(crate) body_sha256: String,
    pub(crate) duration_ms: u64,
}

#[derive(Default)]
struct Entries {
    kept: VecDeque<Entry>,
    last: u64,
}

/// See the module.
#[derive(Default)]
pub(crate) struct Journal(Mutex<Entries>);

impl Journal {
    /// Adds an entry and numbers it.
    pub(crate) fn add(&self, mut entry: Entry) {
        let mut entries = lock(&self.0);
        entries.last += 1;
        entry.seq = entries.last;
        if entries.kept.len() == KEEP {
            entries.kept.pop_front();
        }
        entries.kept.push_back(entry);
    }

    /// Entries that `wanted` wants, oldest first.
    pub(crate) fn select(&self, wanted: impl Fn(&Entry) -> bool) -> Vec<Entry> {
        lock(&self.0).kept.iter().filter(|entry| wanted(entry)).cloned().collect()
    }

    /// Forgets the entries; the numbers go on, so that a `since` held by a test stays right.
    pub(crate) fn clear(&self) {
        lock(&self.0).kept.clear();
    }
}
