//! `GET` and `PUT /settings`.

use platform::activity::Activity;
use platform::bootstrap::{self, Platform};
use platform::{Result, telemetry};
use settings::{SettingsApi, router};

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::start();
    let (api, activity) = load().await.map_err(|error| bootstrap::refuse_to_start(&error))?;
    bootstrap::run_http(router(api), activity).await
}

async fn load() -> Result<(SettingsApi, Activity)> {
    let platform = Platform::load().await?;
    let activity = platform.activity()?;
    let api = SettingsApi {
        settings: platform.settings(),
        connections: platform.connections(),
        companies: platform.companies(),
        work: platform.work(),
        doorbell: platform.doorbell()?,
        erasures: platform.erasures(),
        audit: platform.audit(),
        clock: platform.clock,
    };
    Ok((api, activity))
}
