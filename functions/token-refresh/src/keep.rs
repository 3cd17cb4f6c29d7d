//! What a sweep does about one company: refresh it, warn of its end, or leave it in peace.

use std::time::Duration;

use domain::expiry;
use domain::ids::CompanyId;
use domain::sweep::{Run, SweepKind, is_in_use};
use jiff::Timestamp;
use platform::bus::{ConnectionChange, Event};
use platform::connections::{Connection, ConnectionStatus};
use platform::refresh::{TokenError, Wanted};

use crate::TokenRefresh;

/// How long somebody else's refresh of the same company is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// The tokens are newer than the run, whoever refreshed them; or the admins were warned.
    Done,
    /// There was nothing to do, and why.
    Skipped(&'static str),
}

/// Does what the run is for. An index may be behind: the row, as it is now, decides.
pub async fn alive(
    refresh: &TokenRefresh,
    run: &Run,
    company: &CompanyId,
) -> Result<Kept, TokenError> {
    let Some(connection) = refresh.connections.get(company).await? else {
        return Ok(Kept::Skipped("it is not connected"));
    };
    match connection.status {
        ConnectionStatus::Connected => {}
        ConnectionStatus::ReconnectRequired => {
            // Whoever found out may have died before it said so.
            refresh.quickbooks.announce_end(&connection).await?;
            return Ok(Kept::Skipped("an admin must connect again"));
        }
        ConnectionStatus::Disconnected | ConnectionStatus::Unconfirmed => {
            return Ok(Kept::Skipped("it is not connected"));
        }
    }
    let now = refresh.clock.now().await;
    let wanted = match run.kind {
        SweepKind::HardExpiry => return warn(refresh, &connection, now).await,
        SweepKind::Stale => Wanted::refreshed_since(run.started - refresh.thresholds.stale_after),
        SweepKind::Access => {
            if let Some(why) = rests(refresh, &connection, now).await? {
                return Ok(Kept::Skipped(why));
            }
            Wanted::lasting(refresh.thresholds.ahead).strictly()
        }
    };
    let connection = renewed(refresh, company, &wanted).await?;
    if connection.refreshed_at >= run.started.as_millisecond() {
        Ok(Kept::Done)
    } else {
        Ok(Kept::Skipped("its tokens are new enough"))
    }
}

/// The connection with tokens as wanted. When Intuit has ended it, that is announced.
pub async fn renewed(
    refresh: &TokenRefresh,
    company: &CompanyId,
    wanted: &Wanted<'_>,
) -> Result<Connection, TokenError> {
    let answer = refresh.refresher.provide(company, wanted, PATIENCE).await;
    if matches!(answer, Err(TokenError::ReconnectRequired))
        && let Some(connection) = refresh.connections.get(company).await?
    {
        refresh.quickbooks.announce_end(&connection).await?;
    }
    answer
}

/// Why the five-minute sweep leaves a company to its next use and to the weekly sweep, if it does. It is
/// then taken out of the index, so that no sweep reads it again until it is used.
async fn rests(
    refresh: &TokenRefresh,
    connection: &Connection,
    now: Timestamp,
) -> Result<Option<&'static str>, TokenError> {
    let company = &connection.company;
    let settings = refresh.settings.current(company).await?.document;
    let why = if !settings.automatic_refresh {
        "its automatic refresh is off"
    } else if refresh.thresholds.refresh_idle
        || is_in_use(connection.active_at.and_then(|at| Timestamp::from_millisecond(at).ok()), now)
        || refresh.companies.has_work_due(company, now).await?
    {
        return Ok(None);
    } else {
        "nobody uses it"
    };
    refresh.connections.rest(connection).await?;
    Ok(Some(why))
}

/// Warns of the hard expiry. The event goes out first and the next warning is set then: it may go out
/// twice, and is never forgotten.
async fn warn(
    refresh: &TokenRefresh,
    connection: &Connection,
    now: Timestamp,
) -> Result<Kept, TokenError> {
    let time = |ms: Option<i64>| ms.and_then(|ms| Timestamp::from_millisecond(ms).ok());
    let (Some(hard), Some(warn_at)) = (time(connection.hard_expires_at), time(connection.warn_at))
    else {
        return Ok(Kept::Skipped("there is nothing to warn of"));
    };
    if warn_at > now {
        return Ok(Kept::Skipped("the warning was given already"));
    }
    if hard > now {
        let event = Event::connection(connection, ConnectionChange::HardExpiryNear, now);
        refresh.bus.publish(&[event]).await?;
        tracing::info!(company = %connection.company, %hard, "warned of the hard expiry");
    }
    refresh.connections.warned(connection, expiry::next_warning(hard, now)).await?;
    // Past the end there is nothing left to warn of: the next refresh finds out, in the ordinary way.
    Ok(if hard > now { Kept::Done } else { Kept::Skipped("its hard expiry has passed") })
}
