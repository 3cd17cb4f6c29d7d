//! What a run came to, and the metrics of its end.

use domain::sweep::{Run, SweepKind};
use jiff::Timestamp;
use platform::sweep_runs::Progress;
use platform::telemetry::{self, Of, Unit};
use platform::{Error, Result};
use serde_json::{Value, json};

use crate::TokenRefresh;
use crate::sweep::{number, seconds};

/// Tells what a run came to: by its id, or the last of a kind. `null` when there was none.
pub async fn find(refresh: &TokenRefresh, which: &str) -> Result<Value> {
    let kind = SweepKind::ALL.into_iter().find(|kind| kind.name() == which);
    let progress = if let Some(kind) = kind {
        refresh.runs.latest(kind).await?
    } else {
        let run: Run = which.parse().map_err(|error| Error::unreadable("the request", error))?;
        refresh.runs.get(&run).await?
    };
    progress.as_ref().map_or(Ok(Value::Null), answer)
}

/// A run's numbers. `left` is what was handed out and not heard of yet.
pub fn answer(progress: &Progress) -> Result<Value> {
    let done = match progress.run.kind {
        SweepKind::Access | SweepKind::Stale => "refreshed",
        SweepKind::HardExpiry => "warned",
    };
    let finished = progress.finished_at.and_then(|at| Timestamp::from_millisecond(at).ok());
    Ok(json!({
        "run": progress.run,
        "due": progress.due,
        done: progress.done,
        "failed": progress.failed,
        "skipped": progress.skipped,
        "left": progress.left,
        "readUnits": progress.read_units,
        "startedAt": progress.run.started,
        "finishedAt": finished,
    }))
}

/// Logs and measures a run that is over, once.
pub async fn finish_if_over(refresh: &TokenRefresh, run: &Run) -> Result<()> {
    let Some(progress) = refresh.runs.get(run).await? else { return Ok(()) };
    let now = refresh.clock.now().await;
    if !progress.is_over()? || !refresh.runs.finish(run, now).await? {
        return Ok(());
    }
    let took = seconds(&progress, now);
    tracing::info!(
        %run, due = progress.due, done = progress.done, failed = progress.failed,
        skipped = progress.skipped, seconds = took, "a sweep is over"
    );
    let of = Of::FunctionAnd("sweep", run.kind.name());
    telemetry::metric_of("TokenSweepRefreshed", number(progress.done), Unit::Count, of, now);
    telemetry::metric_of("TokenSweepFailed", number(progress.failed), Unit::Count, of, now);
    let took = number(u64::try_from(took).unwrap_or_default());
    telemetry::metric_of("TokenSweepSeconds", took, Unit::Seconds, of, now);
    Ok(())
}
