//! The orchestrator.
//!
//! # Layout
//! [`sync_now`]: `POST /sync-now` makes a job. [`sync_status`]: `GET /sync-status/{jobId}`.
//! [`sweep`]: every minute, ring for every company with something due.

pub mod sweep;
pub mod sync_now;
pub mod sync_status;

use axum::Router;
use axum::routing::{get, post};
use domain::settings::Settings;
use platform::audit::AuditLog;
use platform::clock::Clock;
use platform::companies::Companies;
use platform::connections::Connections;
use platform::documents::Documents;
use platform::doorbell::Doorbell;
use platform::http::BASE;
use platform::jobs::Jobs;
use platform::records::Records;
use platform::work::Work;

/// What the function works with.
#[derive(Clone)]
pub struct Orchestrator {
    /// Whether a company is connected.
    pub connections: Connections,
    /// Whether live sync is on.
    pub settings: Documents<Settings>,
    /// Company rows and the due index.
    pub companies: Companies,
    /// Whether the timecards of a job exist.
    pub records: Records,
    /// The work list.
    pub work: Work,
    /// Jobs.
    pub jobs: Jobs,
    /// The doorbell.
    pub doorbell: Doorbell,
    /// Who asked for what.
    pub audit: AuditLog,
    /// The clock.
    pub clock: Clock,
}

/// The routes.
pub fn router(orchestrator: Orchestrator) -> Router {
    Router::new()
        .route(&format!("{BASE}/sync-now"), post(sync_now::sync_now))
        .route(&format!("{BASE}/sync-status/{{job_id}}"), get(sync_status::sync_status))
        .with_state(orchestrator)
}
