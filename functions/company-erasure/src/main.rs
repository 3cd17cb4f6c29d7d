//! Erases companies: the queue `CompanyDeletions`, which the bus feeds with `company.deleted`.

use std::time::Duration;

use company_erasure::{CompanyErasure, queue};
use platform::bootstrap::{self, Platform};
use platform::config::Intuit;
use platform::{Result, telemetry};

/// How long Intuit has to take the access back.
const REVOKE_WITHIN: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    telemetry::start();
    let erasure = load().await.map_err(|error| bootstrap::refuse_to_start(&error))?;
    bootstrap::run_events(async move |event| queue::handle(&erasure, event).await).await
}

async fn load() -> Result<CompanyErasure> {
    let platform = Platform::load().await?;
    Ok(CompanyErasure {
        disconnect: platform.disconnect(&Intuit::from_env()?, REVOKE_WITHIN)?,
        connections: platform.connections(),
        companies: platform.companies(),
        erasures: platform.erasures(),
        eraser: platform.eraser(),
        requests: platform.erasure_requests()?,
        work: platform.work(),
        bus: platform.bus()?,
        clock: platform.clock,
    })
}
