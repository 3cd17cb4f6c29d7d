//! `POST` and `GET /connect`: make the state, send the browser to Intuit.

use oauth_initiate::{Connect, router};
use platform::bootstrap::{self, Platform};
use platform::config::Intuit;
use platform::outcome_page::OutcomePages;
use platform::{Result, telemetry};

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::start();
    let connect = load().await.map_err(|error| bootstrap::refuse_to_start(&error))?;
    bootstrap::run_http(router(connect)).await
}

async fn load() -> Result<Connect> {
    let platform = Platform::load().await?;
    Ok(Connect {
        states: platform.oauth_states(),
        secrets: platform.secrets()?,
        oauth: platform.oauth(&Intuit::from_env()?),
        audit: platform.audit(),
        pages: OutcomePages::from_env()?,
        clock: platform.clock,
    })
}
