//! How a sweep finds what is due, and hands it out in chunks.
//!
//! A sweep reads nothing but its index: pages of 100 until none is left, and each page follows on the
//! one before, whatever has been refreshed meanwhile. Its cost is that of the pages, so it grows with
//! what is due. Who is really to be refreshed is found out by whoever takes the chunk.

use std::time::{Duration, Instant};

use domain::ids::CompanyId;
use domain::sweep::{ACCESS_TOKEN_LASTS, Run, SweepKind};
use jiff::Timestamp;
use platform::connections::due::DueIndex;
use platform::refresh_requests::RefreshRequest;
use platform::sweep_runs::{Counts, Part, Position, Progress};
use platform::telemetry::{self, Of, Unit};
use platform::{Error, Result, keys};
use serde_json::Value;
use uuid::Uuid;

use crate::{TIME_OUT, Thresholds, TokenRefresh, gauges, report};

/// Companies of one chunk. At one a second it takes half a minute, far from the function's time-out,
/// and a chunk that comes again repeats little.
pub const CHUNK: usize = 25;
/// Companies handed out at a time: ten chunks, which is what one call to the queue takes.
const HANDED_OUT: usize = 10 * CHUNK;
/// Reading stops with this left of the function's time, and another invocation reads on.
const RESERVE: Duration = Duration::from_secs(45);

/// Begins a run. Answers what is known of it when everything that is due was handed out.
pub async fn begin(refresh: &TokenRefresh, kind: SweepKind, began: Instant) -> Result<Value> {
    let now = refresh.clock.now().await;
    let nonce: String = Uuid::new_v4().simple().to_string().chars().take(8).collect();
    let run = Run::new(kind, now, nonce);
    refresh.runs.begin(&run).await?;
    let measured = match kind {
        SweepKind::Access => gauges::watch_the_rare_sweeps(refresh, now).await,
        SweepKind::Stale => gauges::ages(refresh, now).await,
        SweepKind::HardExpiry => Ok(()),
    };
    if let Err(error) = measured {
        tracing::error!(%run, %error, "could not measure the ages of tokens; the sweep goes on");
        // The alarms on those ages are silent without them.
        telemetry::metric("TokenAgesNotMeasured", 1.0, Unit::Count, now);
    }
    tracing::info!(%run, "a sweep begins");
    read_on(refresh, &run, began).await
}

/// Reads what is due from where the run's row says, and hands it out.
pub async fn read_on(refresh: &TokenRefresh, run: &Run, began: Instant) -> Result<Value> {
    let Some(mut progress) = refresh.runs.get(run).await? else {
        tracing::warn!(%run, "a run to read on is not known any more");
        return Ok(Value::Null);
    };
    let (index, until) = due_by(refresh.thresholds, run);
    let mut refused = 0;
    while let Position::Shard { shard, after } = progress.position()? {
        if began.elapsed() + RESERVE > TIME_OUT {
            refresh.requests.send(&RefreshRequest::ReadOn { run: run.clone() }).await?;
            tracing::info!(%run, due = progress.due, "a sweep reads on in another invocation");
            return report::answer(&progress);
        }
        let from = Position::Shard { shard, after };
        let found = read(refresh, index, until, from.clone()).await?;
        let part = Part {
            from: &from,
            to: &found.to,
            due: found.companies.len(),
            read_units: found.read_units,
        };
        let Some(counted) = refresh.runs.read(run, part).await? else {
            // The message that asked for it came twice: somebody else reads on.
            return report::answer(&progress);
        };
        progress = counted;
        refused += hand_out(refresh, run, &found.companies).await?;
    }
    let now = refresh.clock.now().await;
    let of = Of::FunctionAnd("sweep", run.kind.name());
    telemetry::metric_of("TokenSweepDue", number(progress.due), Unit::Count, of, now);
    report::finish_if_over(refresh, run).await?;
    if refused > 0 {
        return Err(Error::Aws {
            call: "hand out a sweep's chunks",
            reason: format!("the queue refused {refused} companies; they count as failed"),
        });
    }
    let progress = refresh.runs.get(run).await?.unwrap_or(progress);
    report::answer(&progress)
}

/// What the run looks for: where, and up to which time.
fn due_by(thresholds: Thresholds, run: &Run) -> (DueIndex, Timestamp) {
    match run.kind {
        SweepKind::Access if thresholds.refresh_idle => {
            (DueIndex::RefreshAge, run.started + thresholds.ahead - ACCESS_TOKEN_LASTS)
        }
        SweepKind::Access => (DueIndex::AccessExpiry, run.started + thresholds.ahead),
        SweepKind::Stale => (DueIndex::RefreshAge, run.started - thresholds.stale_after),
        SweepKind::HardExpiry => (DueIndex::HardExpiry, run.started),
    }
}

/// What was found from a place in the index on.
struct Found {
    companies: Vec<CompanyId>,
    to: Position,
    read_units: f64,
}

/// Reads pages until there is enough to hand out, or nothing more.
async fn read(
    refresh: &TokenRefresh,
    index: DueIndex,
    until: Timestamp,
    from: Position,
) -> Result<Found> {
    let mut found = Found { companies: Vec::new(), to: from, read_units: 0.0 };
    while let Position::Shard { shard, after } = &found.to {
        let part = keys::live_shard_name(*shard);
        let page = refresh.connections.due(index, &part, until, after.as_ref()).await?;
        found.companies.extend(page.companies);
        found.read_units += page.read_units;
        found.to = match page.next {
            Some(after) => Position::Shard { shard: *shard, after: Some(after) },
            None if shard + 1 < keys::LIVE_SHARDS => {
                Position::Shard { shard: shard + 1, after: None }
            }
            None => Position::End,
        };
        if found.companies.len() >= HANDED_OUT {
            break;
        }
    }
    Ok(found)
}

/// Sends what is due in chunks. Answers how many companies the queue refused; they count as failed, so
/// that the run ends all the same.
async fn hand_out(refresh: &TokenRefresh, run: &Run, companies: &[CompanyId]) -> Result<u64> {
    let chunks: Vec<RefreshRequest> = companies
        .chunks(CHUNK)
        .map(|companies| RefreshRequest::Sweep {
            run: run.clone(),
            chunk: Uuid::new_v4().to_string(),
            companies: companies.to_vec(),
        })
        .collect();
    let mut refused = 0;
    for request in refresh.requests.send_all(&chunks).await? {
        let RefreshRequest::Sweep { chunk, companies, .. } = request else { continue };
        let counts = Counts { failed: companies.len() as u64, ..Counts::default() };
        tracing::error!(%run, companies = counts.failed, "the queue refused a sweep's chunk");
        refresh.runs.count(run, &chunk, counts, &[], run.started).await?;
        refused += counts.failed;
    }
    Ok(refused)
}

#[expect(clippy::cast_precision_loss, reason = "a number of companies, for a metric")]
pub(crate) fn number(count: u64) -> f64 {
    count as f64
}

/// How long a run took so far, in whole seconds.
pub(crate) fn seconds(progress: &Progress, now: Timestamp) -> i64 {
    now.duration_since(progress.run.started).as_secs()
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn due(kind: SweepKind, refresh_idle: bool) -> (DueIndex, SignedDuration) {
        let thresholds = Thresholds {
            ahead: SignedDuration::from_mins(10),
            stale_after: SignedDuration::from_hours(60 * 24),
            renew_after: SignedDuration::from_hours(30 * 24),
            refresh_idle,
        };
        let now: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
        let (index, until) = due_by(thresholds, &Run::new(kind, now, "00000000".to_owned()));
        (index, until.duration_since(now))
    }

    #[test]
    fn the_five_minute_sweep_looks_ten_minutes_ahead_at_what_is_in_use() {
        let ahead = SignedDuration::from_mins(10);
        assert_eq!(due(SweepKind::Access, false), (DueIndex::AccessExpiry, ahead));
    }

    /// Idle connections are in no index by the end of their access token. It lasts an hour from the
    /// refresh on, so it ends within ten minutes where that was fifty minutes ago.
    #[test]
    fn with_refresh_idle_the_five_minute_sweep_looks_at_all_connections_by_their_last_refresh() {
        let ago = SignedDuration::from_mins(-50);
        assert_eq!(due(SweepKind::Access, true), (DueIndex::RefreshAge, ago));
    }

    #[test]
    fn the_weekly_sweep_looks_at_refresh_tokens_of_sixty_days_and_the_daily_one_at_what_is_due_now()
    {
        let sixty_days = SignedDuration::from_hours(-60 * 24);
        for refresh_idle in [false, true] {
            assert_eq!(due(SweepKind::Stale, refresh_idle), (DueIndex::RefreshAge, sixty_days));
            let now = SignedDuration::ZERO;
            assert_eq!(due(SweepKind::HardExpiry, refresh_idle), (DueIndex::HardExpiry, now));
        }
    }
}
