//! `GET` and `PUT /mapping`.

use mapping::{MappingApi, router};
use platform::bootstrap::{self, Platform};
use platform::{Result, telemetry};

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::start();
    let api = load().await.map_err(|error| bootstrap::refuse_to_start(&error))?;
    bootstrap::run_http(router(api)).await
}

async fn load() -> Result<MappingApi> {
    let platform = Platform::load().await?;
    Ok(MappingApi {
        mappings: platform.mappings(),
        companies: platform.companies(),
        work: platform.work(),
        doorbell: platform.doorbell()?,
        audit: platform.audit(),
        clock: platform.clock,
    })
}
