//! What is done about a chunk, at which pace, and how it is counted.
//!
//! One company after the other; one's failure never stops the next. Whoever runs out of time sends the
//! rest as a chunk of its own. Counted is once, at the end, together with the chunk's row: a chunk whose
//! function died comes again, finds what was done already done, and is counted then.

use std::time::{Duration, Instant};

use domain::ids::CompanyId;
use domain::sweep::{Run, SweepKind};
use platform::Result;
use platform::refresh_requests::RefreshRequest;
use platform::sweep_runs::Counts;

use crate::{KEPT_BACK, SPACING, TIME_OUT, TokenRefresh, keep, report};

/// What one company may take: 10 s of waiting for somebody else's refresh, 30 s of waiting for Intuit, and
/// the rest for AWS. Nobody is begun with less: an answer that is on its way when the time is over would
/// be lost.
const ONE: Duration = Duration::from_secs(75);

/// Takes care of a chunk's companies, for as long as there is time.
pub async fn handle(
    refresh: &TokenRefresh,
    run: &Run,
    chunk: &str,
    companies: &[CompanyId],
    began: Instant,
) -> Result<()> {
    // It was counted, and the function died before it said so, or before it sent the rest.
    if let Some(rest) = refresh.runs.counted(chunk).await? {
        send_rest(refresh, run, chunk, &rest).await?;
        return report::finish_if_over(refresh, run).await;
    }
    let mut counts = Counts::default();
    let mut handled = 0;
    if is_overtaken(refresh, run).await? {
        tracing::warn!(%run, chunk, companies = companies.len(), "a chunk waited for so long that a newer run has its companies");
        counts.skipped = companies.len() as u64;
        handled = companies.len();
    }
    for company in &companies[handled..] {
        if began.elapsed() + SPACING + ONE + KEPT_BACK > TIME_OUT {
            break;
        }
        if run.kind != SweepKind::HardExpiry {
            // Also before the first: the same process may have refreshed another chunk's last company
            // a moment ago.
            tokio::time::sleep(SPACING).await;
        }
        // Storing new tokens is tried for longer than the function lives. One company whose secret takes
        // no writes must not take the others of its chunk with it; its tokens stay with this process.
        let time = TIME_OUT.saturating_sub(began.elapsed() + KEPT_BACK);
        match tokio::time::timeout(time, keep::alive(refresh, run, company)).await {
            Ok(Ok(keep::Kept::Done)) => counts.done += 1,
            Ok(Ok(keep::Kept::Skipped(why))) => {
                tracing::info!(%company, %run, why, "nothing to do for a company");
                counts.skipped += 1;
            }
            Ok(Err(error)) => {
                tracing::warn!(%company, %run, %error, "a sweep could not take care of a company");
                counts.failed += 1;
            }
            Err(_) => {
                let unsaved = refresh.refresher.holds_unsaved(company);
                tracing::error!(%company, %run, unsaved, "a sweep ran out of time at a company");
                counts.failed += 1;
            }
        }
        handled += 1;
    }
    let rest = &companies[handled..];
    let now = refresh.clock.now().await;
    if !refresh.runs.count(run, chunk, counts, rest, now).await? {
        tracing::info!(%run, chunk, "a chunk was counted before, or its run is gone");
    }
    send_rest(refresh, run, chunk, rest).await?;
    report::finish_if_over(refresh, run).await
}

/// Whether the chunk has waited for so long that a newer run has handed out what is still due of it. With
/// schedules that are further apart, or off, there is none, and the chunk counts.
async fn is_overtaken(refresh: &TokenRefresh, run: &Run) -> Result<bool> {
    if !run.may_be_overtaken(refresh.clock.now().await) {
        return Ok(false);
    }
    let latest = refresh.runs.latest(run.kind).await?;
    Ok(latest.is_some_and(|latest| latest.run.started > run.started))
}

/// Sends what there was no time for. Its id follows from the chunk's, so that a rest that is sent twice
/// is counted once.
async fn send_rest(
    refresh: &TokenRefresh,
    run: &Run,
    chunk: &str,
    rest: &[CompanyId],
) -> Result<()> {
    if rest.is_empty() {
        return Ok(());
    }
    tracing::info!(%run, chunk, rest = rest.len(), "the rest of a chunk goes on in another invocation");
    let request = RefreshRequest::Sweep {
        run: run.clone(),
        chunk: format!("{chunk}+"),
        companies: rest.to_vec(),
    };
    refresh.requests.send(&request).await
}
