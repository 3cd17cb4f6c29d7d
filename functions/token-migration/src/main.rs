//! From per-user tokens to one connection per company; invoked by hand.

use std::time::Duration;

use platform::bootstrap::{self, Platform};
use platform::config::{self, Intuit};
use platform::{Result, telemetry};
use token_migration::{Migration, Pacer};

/// Between two refreshes, as in the sweeps (C6): a run writes at most six secrets a second.
const GAP: Duration = Duration::from_millis(500);
/// A company's refresh, proof and what follows fit into the 90 s that a slice leaves of 180.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    telemetry::start();
    let migration = load().await.map_err(|error| bootstrap::refuse_to_start(&error))?;
    bootstrap::run_events(async move |event| Ok(migration.handle(event).await?)).await
}

async fn load() -> Result<Migration> {
    let platform = Platform::load().await?.with_call_timeout(CALL_TIMEOUT);
    let intuit = Intuit::from_env()?;
    let secrets = platform.secrets()?;
    Ok(Migration {
        bucket: platform.bucket("BUCKET_MIGRATION")?,
        connections: platform.connections(),
        erasures: platform.erasures(),
        refresher: platform.refresher(&intuit, secrets.clone())?,
        quickbooks: platform.quickbooks_client(&intuit),
        go_live: platform.go_live(secrets.clone())?,
        secrets,
        environment: intuit.environment,
        margin: config::refresh_margin()?,
        pacer: Pacer::new(GAP.div_f64(config::pace_scale())),
        clock: platform.clock,
    })
}
