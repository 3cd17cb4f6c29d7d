//! Plans work, rings, and tells how it goes: `POST /sync-now`, `GET /sync-status/{jobId}`, and the
//! one-minute sweep.

use platform::activity::Activity;
use platform::bootstrap::{self, Platform};
use platform::{Result, telemetry};
use sync_orchestrator::{Orchestrator, router, sweep};

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    telemetry::start();
    let (orchestrator, activity) =
        load().await.map_err(|error| bootstrap::refuse_to_start(&error))?;
    let sweeper = orchestrator.clone();
    bootstrap::run_both(router(orchestrator), activity, async move |event| {
        sweep::handle(&sweeper, &event).await
    })
    .await
}

async fn load() -> Result<(Orchestrator, Activity)> {
    let platform = Platform::load().await?;
    let activity = platform.activity()?;
    let orchestrator = Orchestrator {
        connections: platform.connections(),
        settings: platform.settings(),
        companies: platform.companies(),
        records: platform.records(),
        work: platform.work(),
        jobs: platform.jobs(),
        doorbell: platform.doorbell()?,
        audit: platform.audit(),
        clock: platform.clock,
    };
    Ok((orchestrator, activity))
}
