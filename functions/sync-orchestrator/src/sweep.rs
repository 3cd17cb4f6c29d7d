//! The one-minute sweep: serves every wait and heals every lost ring.
//!
//! It reads the sparse index of due companies, so its cost follows what is due. Ringing for a company
//! that is being drained does no harm, and one company's failure does not stop the others.

use platform::keys;
use platform::telemetry::{self, Unit};
use serde_json::{Value, json};

use crate::Orchestrator;
use domain::work::Lane;

/// Companies rung for in one sweep and shard. More than that wait a minute; the earliest due go first.
const MOST: i32 = 500;

/// Runs one sweep. Answers how many companies were due, and how many rings failed.
pub async fn handle(
    orchestrator: &Orchestrator,
    _event: &Value,
) -> Result<Value, lambda_runtime::Error> {
    let now = orchestrator.clock.now().await;
    let (mut rung, mut failed) = (0u32, 0u32);
    for shard in keys::due_shards() {
        for company in orchestrator.companies.due(&shard, now, MOST).await? {
            match orchestrator.doorbell.ring(&company, Lane::Normal).await {
                Ok(()) => rung += 1,
                Err(error) => {
                    tracing::error!(company = %company, %error, "the sweep could not ring");
                    failed += 1;
                }
            }
        }
    }
    telemetry::metric("SweepRings", f64::from(rung), Unit::Count, now);
    telemetry::metric("SweepFailures", f64::from(failed), Unit::Count, now);
    Ok(json!({ "rung": rung, "failed": failed }))
}
