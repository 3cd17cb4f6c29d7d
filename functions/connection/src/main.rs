//! `GET /status`, `POST /test-connection`, `POST /refresh`, `DELETE /disconnect`, `POST /reset`, and the clean-up.

use std::time::Duration;

use connection::disconnect::REVOKE_WITHIN;
use connection::{Manage, router};
use platform::activity::Activity;
use platform::bootstrap::{self, Platform};
use platform::config::Intuit;
use platform::{Result, telemetry};

/// A refresh and a call, one after the other, fit into the function's 29 s.
const CALL_TIMEOUT: Duration = Duration::from_secs(8);

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    telemetry::start();
    let (manage, activity) = load().await.map_err(|error| bootstrap::refuse_to_start(&error))?;
    let cleaner = manage.clone();
    bootstrap::run_both(router(manage), activity, async move |_| cleaner.clean_up().await).await
}

async fn load() -> Result<(Manage, Activity)> {
    let platform = Platform::load().await?.with_call_timeout(CALL_TIMEOUT);
    let intuit = Intuit::from_env()?;
    let activity = platform.activity()?;
    let disconnect = platform.disconnect(&intuit, REVOKE_WITHIN)?;
    let quickbooks = platform.quickbooks(&intuit)?;
    let manage = Manage {
        connections: platform.connections(),
        settings: platform.settings(),
        refresher: quickbooks.refresher().clone(),
        quickbooks,
        pace: platform.interactive_pace(),
        disconnect: disconnect.clone(),
        start_over: platform.start_over(disconnect),
        erasures: platform.erasures(),
        audit: platform.audit(),
        clock: platform.clock,
    };
    Ok((manage, activity))
}
