//! From per-user tokens of an old table to one connection per company. Invoked by hand, see the runbook,
//! "Moving from per-user tokens":
//!
//! | event | does |
//! |---|---|
//! | `{"export": "exports/x", "dryRun": true}` | says what a run would do |
//! | `{"export": "exports/x"}`, then with `"after"` as answered | migrates, slice by slice |
//! | `{"cleanUp": "exports/x"}` | lists the rows that the old side deletes |
//! | `{"cleanUp": "exports/x", "remaining": "exports/y"}` | checks that they are gone, destroys both exports |
//!
//! # Layout
//! [`export`]: reading the lines. [`plan`]: which tokens of which company. [`judge`]: where a company
//! stands, and its next step. [`migrate`]: the steps. [`report`]: what became of it. [`clean_up`]: the end.

pub mod clean_up;
pub mod export;
pub mod judge;
pub mod migrate;
pub mod plan;
pub mod report;

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::ids::CompanyId;
use jiff::SignedDuration;
use platform::bucket::{Bucket, Read};
use platform::clock::Clock;
use platform::connections::Connections;
use platform::erasure::Erasures;
use platform::go_live::GoLive;
use platform::refresh::{OnAws, Refresher};
use platform::secrets::Secrets;
use quickbooks::{Client, Environment};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::export::{Lines, MAX_BYTES, Row};

/// What the function works with.
#[derive(Clone)]
pub struct Migration {
    /// Exports, reports and lists of deletions.
    pub bucket: Bucket,
    /// Connections.
    pub connections: Connections,
    /// Companies that were deleted: nothing of them is migrated.
    pub erasures: Erasures,
    /// Tokens and app credentials.
    pub secrets: Secrets,
    /// To prove a token.
    pub refresher: Refresher<OnAws>,
    /// To see whether a token and its realm fit.
    pub quickbooks: Client,
    /// What follows when a connection is live.
    pub go_live: GoLive,
    /// This stage's; lines of the other one are left alone.
    pub environment: Environment,
    /// The least time left on an access token that is used.
    pub margin: SignedDuration,
    /// Spaces the refreshes.
    pub pacer: Pacer,
    /// The clock.
    pub clock: Clock,
}

/// Why an event could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not one of the events.
    #[error("the event is not understood: {0}")]
    Event(String),
    /// There is no such file.
    #[error("there is no file {0} in the bucket Migration")]
    Absent(String),
    /// The export is too large.
    #[error(
        "{key} has {size} bytes; an export has at most {MAX_BYTES}: split it between companies"
    )]
    TooLarge {
        /// The export's key.
        key: String,
        /// Its size in bytes.
        size: i64,
    },
    /// AWS did not do what was asked.
    #[error(transparent)]
    Platform(#[from] platform::Error),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Event {
    export: Option<String>,
    #[serde(default)]
    dry_run: bool,
    after: Option<CompanyId>,
    clean_up: Option<String>,
    remaining: Option<String>,
}

/// The folder of exports: nothing else in the bucket is read as one, or destroyed.
const EXPORTS: &str = "exports/";

fn name_of(export: &str) -> &str {
    export.strip_prefix(EXPORTS).unwrap_or(export)
}

/// Where an export's report is written.
pub fn report_key(export: &str) -> String {
    format!("reports/{}.json", name_of(export))
}

/// Where the list of rows to delete is written.
pub fn deletions_key(export: &str) -> String {
    format!("deletions/{}", name_of(export))
}

fn check_key(key: &str) -> Result<(), Error> {
    let name = key.strip_prefix(EXPORTS).unwrap_or_default();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if (1..=200).contains(&name.len()) && name.bytes().all(plain) {
        return Ok(());
    }
    Err(Error::Event(format!(
        "an export's key is {EXPORTS} and up to 200 letters, digits, dots, '-' and '_'"
    )))
}

impl Migration {
    /// Carries out an event. What the person who invoked it can put right is answered as `error`, not
    /// thrown.
    ///
    /// # Errors
    /// When AWS did not do what was asked: invoke again.
    pub async fn handle(&self, event: Value) -> platform::Result<Value> {
        self.refresher.save_first().await;
        match self.carry_out(event).await {
            Ok(answer) => Ok(answer),
            Err(Error::Platform(error)) => Err(error),
            Err(error) => Ok(json!({ "error": error.to_string() })),
        }
    }

    async fn carry_out(&self, event: Value) -> Result<Value, Error> {
        let event: Event =
            serde_json::from_value(event).map_err(|error| Error::Event(error.to_string()))?;
        for key in [&event.export, &event.clean_up, &event.remaining].into_iter().flatten() {
            check_key(key)?;
        }
        let answer = match event {
            Event {
                export: Some(export),
                dry_run: true,
                after: None,
                clean_up: None,
                remaining: None,
            } => serde_json::to_value(self.dry_run(&export).await?),
            Event {
                export: Some(export),
                dry_run: false,
                after,
                clean_up: None,
                remaining: None,
            } => serde_json::to_value(self.run(&export, after.as_ref()).await?),
            Event {
                export: None,
                dry_run: false,
                after: None,
                clean_up: Some(export),
                remaining,
            } => {
                if remaining.as_ref() == Some(&export) {
                    return Err(Error::Event(
                        "remaining is a fresh export, not the same".to_owned(),
                    ));
                }
                serde_json::to_value(self.clean_up(&export, remaining.as_deref()).await?)
            }
            _ => return Err(Error::Event("name either export or cleanUp".to_owned())),
        };
        answer.map_err(|error| Error::Event(error.to_string()))
    }

    pub(crate) async fn read_export(&self, key: &str) -> Result<Lines<Row>, Error> {
        Ok(export::read(&self.read_bytes(key).await?))
    }

    pub(crate) async fn read_bytes(&self, key: &str) -> Result<Vec<u8>, Error> {
        match self.bucket.read(key, MAX_BYTES).await? {
            Read::Content(bytes) => Ok(bytes),
            Read::Absent => Err(Error::Absent(key.to_owned())),
            Read::TooLarge(size) => Err(Error::TooLarge { key: key.to_owned(), size }),
        }
    }
}

/// Spaces refreshes, so that the secret writes of a run (three for each company) leave the account's share
/// to the sweeps.
#[derive(Clone, Debug)]
pub struct Pacer {
    gap: Duration,
    last: Arc<Mutex<Option<Instant>>>,
}

impl Pacer {
    /// At most one in this time.
    pub fn new(gap: Duration) -> Self {
        Self { gap, last: Arc::default() }
    }

    /// Waits until the next one may begin.
    pub async fn wait(&self) {
        let mut last = self.last.lock().await;
        if let Some(last) = *last {
            tokio::time::sleep(self.gap.saturating_sub(last.elapsed())).await;
        }
        *last = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exports_are_read_as_exports() {
        assert!(check_key("exports/tokens-2026.jsonl").is_ok());
        for key in ["", "exports/", "reports/a.json", "exports/../a", "exports/a b", "exports/a/b"]
        {
            assert!(check_key(key).is_err(), "{key}");
        }
        assert_eq!(report_key("exports/a.jsonl"), "reports/a.jsonl.json");
        assert_eq!(deletions_key("exports/a.jsonl"), "deletions/a.jsonl");
    }

    #[tokio::test]
    async fn refreshes_are_spaced() {
        let gap = Duration::from_millis(5);
        let pacer = Pacer::new(gap);
        let began = Instant::now();
        for _ in 0..3 {
            pacer.wait().await;
        }
        assert!(began.elapsed() >= gap * 2);
    }
}
