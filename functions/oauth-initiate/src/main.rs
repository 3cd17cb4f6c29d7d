//! `POST` and `GET /connect`: make the state, send the browser to Intuit. `GET /reconnect` and
//! `GET /disconnected`: the pages for customers that Intuit asks for.

use axum::Router;
use oauth_initiate::connect::Connect;
use oauth_initiate::disconnected::Disconnected;
use oauth_initiate::reconnect::Reconnect;
use oauth_initiate::router;
use oauth_initiate::sign_in::SignIn;
use platform::activity::Activity;
use platform::bootstrap::{self, Platform};
use platform::config::Intuit;
use platform::outcome_page::OutcomePages;
use platform::{Result, telemetry};

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::start();
    let (router, activity) = load().await.map_err(|error| bootstrap::refuse_to_start(&error))?;
    bootstrap::run_http(router, activity).await
}

async fn load() -> Result<(Router, Activity)> {
    let platform = Platform::load().await?;
    let activity = platform.activity()?;
    let intuit = Intuit::from_env()?;
    let reconnect = Reconnect::from_env(SignIn::from_env(platform.clock.clone())?)?;
    let disconnected = Disconnected {
        connections: platform.connections(),
        requests: platform.refresh_requests()?,
        environment: intuit.environment,
        clock: platform.clock.clone(),
    };
    let connect = Connect {
        states: platform.oauth_states(),
        secrets: platform.secrets()?,
        oauth: platform.oauth(&intuit),
        erasures: platform.erasures(),
        audit: platform.audit(),
        pages: OutcomePages::from_env()?,
        clock: platform.clock,
    };
    Ok((router(connect, reconnect, disconnected), activity))
}
