//! A small company whose list is edited while it is read, with the orders and precisions of the real
//! service: milliseconds are stored, whole seconds are shown, equal times come most recently modified
//! first.

use jiff::{SignedDuration, Timestamp, tz};
use serde_json::{Value, json};

#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) id: usize,
    pub(crate) version: u32,
    created: Timestamp,
    changed: Timestamp,
    /// Counts all edits: the later, the higher.
    stamp: usize,
}

/// What somebody else does between two calls.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Act {
    /// Saves the n-th row (modulo their number).
    Edit(usize),
    /// Deletes the n-th row.
    Delete(usize),
    /// Creates one.
    Create,
}

#[derive(Debug)]
pub(crate) struct Company {
    pub(crate) rows: Vec<Row>,
    now: Timestamp,
    stamps: usize,
    pub(crate) queries: usize,
}

impl Company {
    /// Rows created at these milliseconds.
    pub(crate) fn new(created_ms: &[i64]) -> Self {
        let epoch: Timestamp = "2026-11-01T06:59:00Z".parse().unwrap();
        let at = |ms: i64| epoch.saturating_add(SignedDuration::from_millis(ms)).unwrap();
        let rows = created_ms
            .iter()
            .enumerate()
            .map(|(id, ms)| Row { id, version: 0, created: at(*ms), changed: at(*ms), stamp: id })
            .collect();
        // The hour of the clock change lies between the rows and now: offsets differ.
        Self { rows, now: at(86_400_000), stamps: created_ms.len(), queries: 0 }
    }

    /// Somebody else's work. Each call to the service takes a second or more.
    pub(crate) fn act(&mut self, acts: &[Act]) {
        self.now = self.now.saturating_add(SignedDuration::from_millis(1_250)).unwrap();
        for act in acts {
            self.stamps += 1;
            let count = self.rows.len();
            match *act {
                Act::Edit(n) if count > 0 => {
                    let row = &mut self.rows[n % count];
                    row.version += 1;
                    row.changed = self.now;
                    row.stamp = self.stamps;
                }
                Act::Delete(n) if count > 0 => {
                    self.rows.remove(n % count);
                }
                Act::Create => self.rows.push(Row {
                    id: 1_000_000 + self.stamps,
                    version: 0,
                    created: self.now,
                    changed: self.now,
                    stamp: self.stamps,
                }),
                Act::Edit(_) | Act::Delete(_) => {}
            }
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    /// Answers a statement of the paging's shape.
    pub(crate) fn query(&mut self, statement: &str) -> Vec<Value> {
        self.queries += 1;
        let by_change = statement.contains("ORDERBY MetaData.LastUpdatedTime ASC");
        let field = if by_change { "MetaData.LastUpdatedTime" } else { "MetaData.CreateTime" };
        assert!(statement.contains(&format!("ORDERBY {field} ASC")), "{statement}");
        let time = |operator: &str| -> Option<Timestamp> {
            let (_, rest) = statement.split_once(&format!("{field} {operator} '"))?;
            Some(rest.split_once('\'').unwrap().0.parse().unwrap())
        };
        let number = |word: &str| -> Option<usize> {
            let (_, rest) = statement.split_once(word)?;
            Some(rest.split_whitespace().next().unwrap().parse().unwrap())
        };
        let (from, before) = (time(">="), time("<"));
        let key = |row: &Row| if by_change { row.changed } else { row.created };
        let mut found: Vec<&Row> = self
            .rows
            .iter()
            .filter(|row| from.is_none_or(|from| key(row) >= from))
            .filter(|row| before.is_none_or(|before| key(row) < before))
            .collect();
        found.sort_by_key(|row| (key(row), std::cmp::Reverse(row.stamp)));
        found
            .into_iter()
            .skip(number("STARTPOSITION ").unwrap_or(1) - 1)
            .take(number("MAXRESULTS ").unwrap())
            .map(shown)
            .collect()
    }
}

fn shown(row: &Row) -> Value {
    json!({
        "Id": row.id.to_string(),
        "SyncToken": row.version.to_string(),
        "MetaData": {"CreateTime": stated(row.created), "LastUpdatedTime": stated(row.changed)},
    })
}

/// Whole seconds with the company's offset, which changes with the clocks.
fn stated(time: Timestamp) -> String {
    let zone = tz::TimeZone::get("America/Denver").unwrap();
    time.to_zoned(zone).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}
