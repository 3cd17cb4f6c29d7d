//! Keeps connections alive (C6, C7, C11).
//!
//! # Layout
//!
//! | module | answers |
//! |---|---|
//! | [`sweep`] | how a sweep finds what is due, and hands it out in chunks |
//! | [`chunk`] | what is done about a chunk, at which pace, and how it is counted |
//! | [`keep`] | what is done about one company: refresh, warn, or leave in peace |
//! | [`prove`] | renewals that a use called for, and proofs that Intuit still accepts a connection |
//! | [`report`] | what a run came to, and the metrics of its end |
//! | [`gauges`] | how old the refresh tokens are, and whether the rare sweeps do their work |
//!
//! A sweep reads an index and sends chunks of companies to the queue `Refreshes`; this function takes
//! them from there, several at a time. So a sweep over ten thousand companies is the work of many, none
//! of which runs into its time-out, and a function that dies loses nothing: its message comes again.

pub mod chunk;
pub mod gauges;
pub mod keep;
pub mod prove;
pub mod report;
pub mod sweep;

use std::time::{Duration, Instant};

use domain::settings::Settings;
use domain::sweep::SweepKind;
use jiff::SignedDuration;
use platform::access::QuickBooks;
use platform::bus::Bus;
use platform::clock::Clock;
use platform::companies::Companies;
use platform::config;
use platform::connections::Connections;
use platform::documents::Documents;
use platform::queue::{Batch, Message, deliver_again};
use platform::refresh::{OnAws, Refresher};
use platform::refresh_requests::{RefreshRequest, RefreshRequests};
use platform::sweep_runs::SweepRuns;
use serde::Deserialize;
use serde_json::Value;

/// The function's time-out in `template.yaml`; a test holds the two together. It is less than the
/// refresh lease, so that no process outlives its lease.
pub const TIME_OUT: Duration = Duration::from_mins(3);

/// Refreshes of one process are at least this far apart: 12 processes (`MaximumConcurrency` of the
/// queue) then write at most 24 secrets a second together, where C6 allows 25.
pub const SPACING: Duration = Duration::from_millis(500);

/// Kept of the function's time for what follows on a refresh: counting, and sending a chunk's rest.
pub(crate) const KEPT_BACK: Duration = Duration::from_secs(15);

/// What is due when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// Access tokens with less left than this are refreshed by the five-minute sweep.
    pub ahead: SignedDuration,
    /// Refresh tokens of this age and older are renewed by the weekly sweep.
    pub stale_after: SignedDuration,
    /// Refresh tokens of this age and older are renewed when their company is used.
    pub renew_after: SignedDuration,
    /// Whether the five-minute sweep also refreshes connections that nobody uses.
    pub refresh_idle: bool,
}

impl Thresholds {
    /// Reads `SWEEP_AHEAD_MINUTES`, `STALE_AFTER_DAYS`, `RENEW_ON_USE_AFTER_DAYS` and `REFRESH_IDLE`.
    pub fn from_env() -> platform::Result<Self> {
        let days = |days: i64| SignedDuration::from_hours(24 * days);
        Ok(Self {
            ahead: SignedDuration::from_mins(config::number("SWEEP_AHEAD_MINUTES")?.unwrap_or(10)),
            stale_after: days(config::number("STALE_AFTER_DAYS")?.unwrap_or(60)),
            renew_after: platform::activity::renew_after()?,
            refresh_idle: config::optional("REFRESH_IDLE").as_deref() == Some("true"),
        })
    }
}

/// What the function works with.
#[derive(Clone)]
pub struct TokenRefresh {
    /// What is due.
    pub connections: Connections,
    /// Whether a company has work due.
    pub companies: Companies,
    /// Whether its automatic refresh is on.
    pub settings: Documents<Settings>,
    /// What the runs came to.
    pub runs: SweepRuns,
    /// Chunks, sent and received.
    pub requests: RefreshRequests,
    /// The refresh protocol.
    pub refresher: Refresher<OnAws>,
    /// To announce that Intuit ended a connection.
    pub quickbooks: QuickBooks,
    /// Warnings.
    pub bus: Bus,
    /// What is due when.
    pub thresholds: Thresholds,
    /// The clock.
    pub clock: Clock,
}

/// What a schedule, or a person, asks for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Asked {
    /// `{"sweep": "stale"}`: begin a run.
    Sweep(SweepKind),
    /// `{"report": "stale"}`, or the id of a run: tell what it came to.
    Report(String),
}

impl TokenRefresh {
    /// Takes messages of the queue, or what a schedule or a person asks for.
    pub async fn handle(&self, event: Value) -> Result<Value, lambda_runtime::Error> {
        let began = Instant::now();
        // Here more than elsewhere: nothing else is called every five minutes, whoever is in use.
        self.refresher.save_first().await;
        if event.get("Records").is_some() {
            let batch: Batch = serde_json::from_value(event)?;
            return Ok(self.messages(&batch, began).await);
        }
        match serde_json::from_value(event)? {
            Asked::Sweep(kind) => Ok(sweep::begin(self, kind, began).await?),
            Asked::Report(which) => Ok(report::find(self, &which).await?),
        }
    }

    /// One message at a time (`BatchSize: 1`). What fails comes again; what cannot be read goes to the
    /// queue `DeadLetters` by redrive.
    async fn messages(&self, batch: &Batch, began: Instant) -> Value {
        let mut again = Vec::new();
        for message in &batch.records {
            if let Err(error) = self.message(message, began).await {
                tracing::error!(%error, sqs_message = %message.message_id, "a refresh request failed; it comes again");
                again.push(message);
            }
        }
        deliver_again(again)
    }

    async fn message(&self, message: &Message, began: Instant) -> platform::Result<()> {
        let request: RefreshRequest = serde_json::from_str(&message.body)
            .map_err(|error| platform::Error::unreadable("a refresh request", error))?;
        match request {
            RefreshRequest::Sweep { run, chunk, companies } => {
                chunk::handle(self, &run, &chunk, &companies, began).await
            }
            RefreshRequest::ReadOn { run } => sweep::read_on(self, &run, began).await.map(|_| ()),
            RefreshRequest::Renew { company_id } => prove::renew(self, &company_id).await,
            RefreshRequest::Prove { company_id } => prove::prove(self, &company_id).await,
        }
    }
}
