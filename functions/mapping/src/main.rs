//! `GET` and `PUT /mapping`.

use mapping::{MappingApi, router};
use platform::activity::Activity;
use platform::bootstrap::{self, Platform};
use platform::{Result, telemetry};

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::start();
    let (api, activity) = load().await.map_err(|error| bootstrap::refuse_to_start(&error))?;
    bootstrap::run_http(router(api), activity).await
}

async fn load() -> Result<(MappingApi, Activity)> {
    let platform = Platform::load().await?;
    let activity = platform.activity()?;
    let api = MappingApi {
        mappings: platform.mappings(),
        companies: platform.companies(),
        work: platform.work(),
        doorbell: platform.doorbell()?,
        erasures: platform.erasures(),
        audit: platform.audit(),
        clock: platform.clock,
    };
    Ok((api, activity))
}
