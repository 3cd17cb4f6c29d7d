//! Drains one company's work: rung for by the queues `Doorbell` and `DoorbellUrgent`.

use platform::bootstrap::{self, Platform};
use platform::config::{self, Intuit};
use platform::{Result, telemetry};
use sync_worker::{Worker, ring};

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    telemetry::start();
    let worker = load().await.map_err(|error| bootstrap::refuse_to_start(&error))?;
    bootstrap::run_events(async move |event| ring::handle(&worker, event).await).await
}

async fn load() -> Result<Worker> {
    let platform = Platform::load().await?;
    Ok(Worker {
        companies: platform.companies(),
        work: platform.work(),
        journal: platform.journal(),
        records: platform.records(),
        jobs: platform.jobs(),
        settings: platform.settings(),
        mappings: platform.mappings(),
        quickbooks: platform.quickbooks(&Intuit::from_env()?)?,
        doorbell: platform.doorbell()?,
        bus: platform.bus()?,
        audit: platform.audit(),
        pace_scale: config::pace_scale(),
        clock: platform.clock,
    })
}
