//! `GET /callback` and `POST /connect/confirm`: burn the state, exchange the code, store, prove,
//! redirect; go live when the asking user confirms.

use std::time::Duration;

use oauth_callback::{Callback, router};
use platform::activity::Activity;
use platform::bootstrap::{self, Platform};
use platform::config::Intuit;
use platform::outcome_page::OutcomePages;
use platform::{Result, telemetry};

/// The exchange and two proofs, one after the other, fit into the function's 29 s.
const CALL_TIMEOUT: Duration = Duration::from_secs(7);

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::start();
    let (callback, activity) = load().await.map_err(|error| bootstrap::refuse_to_start(&error))?;
    bootstrap::run_http(router(callback), activity).await
}

async fn load() -> Result<(Callback, Activity)> {
    let platform = Platform::load().await?.with_call_timeout(CALL_TIMEOUT);
    let intuit = Intuit::from_env()?;
    let activity = platform.activity()?;
    let secrets = platform.secrets()?;
    let callback = Callback {
        states: platform.oauth_states(),
        connections: platform.connections(),
        secrets: secrets.clone(),
        oauth: platform.oauth(&intuit),
        quickbooks: platform.quickbooks_client(&intuit),
        pace: platform.interactive_pace(),
        environment: intuit.environment,
        erasures: platform.erasures(),
        disconnect: platform.disconnect(&intuit, CALL_TIMEOUT)?,
        go_live: platform.go_live(secrets)?,
        audit: platform.audit(),
        pages: OutcomePages::from_env()?,
        clock: platform.clock,
    };
    Ok((callback, activity))
}
