//! Keeps connections alive: by schedule, by the queue `Refreshes`, and by hand.

use platform::bootstrap::{self, Platform};
use platform::config::Intuit;
use platform::{Result, telemetry};
use token_refresh::{Thresholds, TokenRefresh};

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    telemetry::start();
    let refresh = load().await.map_err(|error| bootstrap::refuse_to_start(&error))?;
    bootstrap::run_events(async move |event| refresh.handle(event).await).await
}

async fn load() -> Result<TokenRefresh> {
    let platform = Platform::load().await?;
    let intuit = Intuit::from_env()?;
    let quickbooks = platform.quickbooks(&intuit)?;
    Ok(TokenRefresh {
        connections: platform.connections(),
        companies: platform.companies(),
        settings: platform.settings(),
        runs: platform.sweep_runs(),
        requests: platform.refresh_requests()?,
        refresher: quickbooks.refresher().clone(),
        quickbooks,
        bus: platform.bus()?,
        thresholds: Thresholds::from_env()?,
        clock: platform.clock,
    })
}
