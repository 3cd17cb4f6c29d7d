//! `POST` and `GET /connect`: make the state, send the browser to Intuit.

use oauth_initiate::{Connect, router};
use platform::activity::Activity;
use platform::bootstrap::{self, Platform};
use platform::config::Intuit;
use platform::outcome_page::OutcomePages;
use platform::{Result, telemetry};

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::start();
    let (connect, activity) = load().await.map_err(|error| bootstrap::refuse_to_start(&error))?;
    bootstrap::run_http(router(connect), activity).await
}

async fn load() -> Result<(Connect, Activity)> {
    let platform = Platform::load().await?;
    let activity = platform.activity()?;
    let connect = Connect {
        states: platform.oauth_states(),
        secrets: platform.secrets()?,
        oauth: platform.oauth(&Intuit::from_env()?),
        erasures: platform.erasures(),
        audit: platform.audit(),
        pages: OutcomePages::from_env()?,
        clock: platform.clock,
    };
    Ok((connect, activity))
}
