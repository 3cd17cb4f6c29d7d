//! Tells people by e-mail what needs them: the queue `Alerts`, which the bus feeds.

use alerts::{Alerts, queue};
use platform::bootstrap::{self, Platform};
use platform::config::{self, Intuit};
use platform::{Result, telemetry};

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    telemetry::start();
    let alerts = load().await.map_err(|error| bootstrap::refuse_to_start(&error))?;
    bootstrap::run_events(async |event| queue::handle(&alerts, event).await).await
}

async fn load() -> Result<Alerts> {
    let platform = Platform::load().await?;
    Ok(Alerts {
        connections: platform.connections(),
        settings: platform.settings(),
        log: platform.mail_log(),
        mailer: platform.mailer(),
        operator: config::optional("OPERATOR_EMAIL"),
        environment: Intuit::from_env()?.environment,
        origin: match config::optional("PUBLIC_URL") {
            Some(origin) => origin,
            None => config::required("API_URL")?,
        },
        clock: platform.clock,
    })
}
