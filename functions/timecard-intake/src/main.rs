//! Timecards in: the queue `Intake`, which the bus feeds, and `POST /timecards`.

use platform::bootstrap::{self, Platform};
use platform::{Result, telemetry};
use timecard_intake::{Intake, post, queue};

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    telemetry::start();
    let intake = load().await.map_err(|error| bootstrap::refuse_to_start(&error))?;
    let from_queue = intake.clone();
    let activity = intake.activity.clone();
    bootstrap::run_both(post::router(intake), activity, async move |event| {
        queue::handle(&from_queue, event).await
    })
    .await
}

async fn load() -> Result<Intake> {
    let platform = Platform::load().await?;
    Ok(Intake {
        records: platform.records(),
        work: platform.work(),
        companies: platform.companies(),
        doorbell: platform.doorbell()?,
        bus: platform.bus()?,
        erasures: platform.erasures(),
        audit: platform.audit(),
        activity: platform.activity()?,
        clock: platform.clock,
    })
}
