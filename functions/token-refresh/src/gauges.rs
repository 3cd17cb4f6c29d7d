//! How old the refresh tokens are, and whether the rare sweeps do their work.
//!
//! CloudWatch evaluates at most a week, so no alarm can say that a weekly sweep stopped. Instead the
//! five-minute sweep, whose own stop an alarm sees within 15 minutes, measures what the others are there
//! to prevent: a refresh token that grows old, a warning that is overdue.

use jiff::{SignedDuration, Timestamp};
use platform::connections::due::DueIndex;
use platform::telemetry::{self, Of, Unit};
use platform::{Result, keys};

use crate::TokenRefresh;
use crate::sweep::number;

/// Classes of age that are counted, in days. What is younger than 30 days is not: counting costs.
const CLASSES: [(&str, i64, i64); 3] = [("30-60", 30, 60), ("60-90", 60, 90), ("90-", 90, 36_500)];
/// From this age on a connection counts as stale, whatever the weekly sweep's threshold is (C12).
const STALE_DAYS: i64 = 60;

/// Measures the age of the oldest refresh token and of the longest overdue warning. Reads the first row
/// of each part of two indexes.
pub async fn watch_the_rare_sweeps(refresh: &TokenRefresh, now: Timestamp) -> Result<()> {
    let oldest = earliest(refresh, DueIndex::RefreshAge).await.map(|since| {
        let days = age(since, now).as_secs_f64() / 86_400.0;
        telemetry::metric("OldestRefreshTokenDays", days, Unit::None, now);
    });
    let overdue = earliest(refresh, DueIndex::HardExpiry).await.map(|since| {
        let hours = age(since, now).as_secs_f64() / 3600.0;
        telemetry::metric("OverdueWarningHours", hours, Unit::None, now);
    });
    oldest.and(overdue)
}

async fn earliest(refresh: &TokenRefresh, index: DueIndex) -> Result<Option<Timestamp>> {
    let mut earliest: Option<Timestamp> = None;
    for shard in keys::live_shards() {
        let first = refresh.connections.earliest(index, &shard).await?;
        earliest = [earliest, first].into_iter().flatten().min();
    }
    Ok(earliest)
}

fn age(since: Option<Timestamp>, now: Timestamp) -> SignedDuration {
    since.map_or(SignedDuration::ZERO, |since| now.duration_since(since)).max(SignedDuration::ZERO)
}

/// Counts connections by the age of their refresh tokens (C12).
pub async fn ages(refresh: &TokenRefresh, now: Timestamp) -> Result<()> {
    let mut stale = 0;
    for (class, from, until) in CLASSES {
        let (newest, oldest) = (before(now, from), before(now, until));
        let mut count = 0;
        for shard in keys::live_shards() {
            count += refresh.connections.count_refreshed(&shard, oldest, newest).await?;
        }
        if from >= STALE_DAYS {
            stale += count;
        }
        let of = Of::FunctionAnd("age", class);
        telemetry::metric_of("ConnectionsByTokenAge", number(count), Unit::Count, of, now);
    }
    telemetry::metric("StaleConnections", number(stale), Unit::Count, now);
    Ok(())
}

fn before(now: Timestamp, days: i64) -> Timestamp {
    now.checked_sub(SignedDuration::from_hours(24 * days)).unwrap_or(Timestamp::UNIX_EPOCH)
}
