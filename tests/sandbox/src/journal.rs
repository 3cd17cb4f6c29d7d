//! The request journal: what came in and what it was answered, without tokens or bodies.

use std::{collections::VecDeque, sync::Mutex};

use jiff::Timestamp;
use serde::Serialize;

use crate::{ids::Realm, store::lock};

/// Old entries go when there are more than this, or when they take more than so many bytes.
const KEEP: usize = 100_000;
const KEEP_BYTES: usize = 128 * 1024 * 1024;

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

impl Entry {
    /// About what it takes in memory: itself and the texts whose length the client decides.
    fn bytes(&self) -> usize {
        let texts = [&self.requestid, &self.entity, &self.operation, &self.user_agent];
        let texts: usize = texts.into_iter().flatten().map(String::len).sum();
        let realm = self.realm.as_ref().map_or(0, |realm| realm.as_str().len());
        let own = self.intuit_tid.len() + self.body_sha256.len() + self.method.len();
        size_of::<Self>() + self.path.len() + self.query.len() + texts + realm + own
    }

    /// Whether the client got an error or no answer at all.
    pub(crate) fn failed(&self) -> bool {
        self.cut.is_some() || self.status.is_none_or(|status| status >= 400)
    }
}

#[derive(Default)]
struct Entries {
    kept: VecDeque<Entry>,
    bytes: usize,
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
        entries.bytes += entry.bytes();
        entries.kept.push_back(entry);
        while entries.kept.len() > KEEP || entries.bytes > KEEP_BYTES {
            let Some(oldest) = entries.kept.pop_front() else { break };
            entries.bytes = entries.bytes.saturating_sub(oldest.bytes());
        }
    }

    /// The newest `limit` of the entries that `wanted` wants, oldest first.
    pub(crate) fn newest(&self, limit: usize, wanted: impl Fn(&Entry) -> bool) -> Vec<Entry> {
        let entries = lock(&self.0);
        let newest = entries.kept.iter().rev().filter(|entry| wanted(entry)).take(limit);
        let mut newest: Vec<Entry> = newest.cloned().collect();
        newest.reverse();
        newest
    }

    /// Forgets the entries; the numbers go on, so that a `since` held by a test stays right.
    pub(crate) fn clear(&self) {
        let mut entries = lock(&self.0);
        entries.kept.clear();
        entries.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(query: String) -> Entry {
        Entry {
            seq: 0,
            at: Timestamp::UNIX_EPOCH,
            method: "GET".into(),
            path: "/v3/company/1/query".into(),
            query,
            realm: None,
            requestid: None,
            status: Some(200),
            intuit_tid: String::new(),
            entity: None,
            operation: None,
            replayed: false,
            fault: None,
            cut: None,
            user_agent: None,
            body_sha256: String::new(),
            duration_ms: 0,
        }
    }

    #[test]
    fn old_entries_go_when_they_are_too_many() {
        let journal = Journal::default();
        for _ in 0..=KEEP {
            journal.add(entry(String::new()));
        }
        let entries = lock(&journal.0);
        assert_eq!(entries.kept.len(), KEEP);
        assert_eq!(entries.kept.front().map(|entry| entry.seq), Some(2));
    }

    #[test]
    fn long_queries_do_not_make_it_grow_without_bound() {
        let journal = Journal::default();
        for _ in 0..300 {
            journal.add(entry("x".repeat(1024 * 1024)));
        }
        let entries = lock(&journal.0);
        assert_eq!(entries.kept.len(), 127);
        assert_eq!(entries.bytes, entries.kept.iter().map(Entry::bytes).sum::<usize>());
        assert_eq!(entries.kept.back().map(|entry| entry.seq), Some(300));
    }
}
