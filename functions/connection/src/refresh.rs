//! `POST /refresh`: new tokens now, because an admin asks for them (C9). By the same protocol and under
//! the same lease as every other refresh, at most once a minute and 20 times a day for each company.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::ids::CompanyId;
use jiff::{SignedDuration, Timestamp};
use platform::audit::{Action, Entry};
use platform::caller::{Caller, Permission};
use platform::connections::ConnectionStatus;
use platform::http::JsonBody;
use platform::problem::Problem;
use platform::refresh::Wanted;
use platform::tokens::TokenError;
use serde::Serialize;

use crate::Manage;
use crate::status::TokenHealth;

/// Between two refreshes by hand of one company, whatever came of the first (C9).
pub const BETWEEN: SignedDuration = SignedDuration::from_mins(1);
/// Refreshes by hand of one company in a day. Each is a version of its secret, of which Secrets Manager
/// keeps 100 and removes none that is younger than a day; ordinary use takes some 30.
pub const A_DAY: usize = 20;
/// What [`A_DAY`] counts over.
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// How long somebody else's refresh is waited for. With one of our own it fits into the function's 29 s.
const PATIENCE: Duration = Duration::from_secs(10);

/// The answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Refreshed {
    success: bool,
    company_id: CompanyId,
    token_health: TokenHealth,
}

/// Refreshes the company's tokens.
pub async fn refresh(
    State(manage): State<Manage>,
    caller: Caller,
    body: JsonBody,
) -> Result<Json<Refreshed>, Problem> {
    let company = body.company()?;
    caller.may(Permission::Administer, &company)?;
    let now = manage.clock.now().await;
    let Some(connection) = manage.connections.get(&company).await? else {
        return Err(Problem::not_connected());
    };
    match connection.status {
        ConnectionStatus::Connected => {}
        ConnectionStatus::ReconnectRequired => return Err(reconnect_required()),
        ConnectionStatus::Disconnected | ConnectionStatus::Unconfirmed => {
            return Err(Problem::not_connected());
        }
    }
    let asked = asked_with(&connection.asked_by_hand, now).map_err(too_often)?;
    if !manage.connections.ask_by_hand(&connection, &asked).await? {
        return Err(too_often(BETWEEN));
    }
    let wanted = Wanted::refreshed_since(now);
    let refreshed = manage.refresher.provide(&company, &wanted, PATIENCE).await;
    let entry = match &refreshed {
        Ok(_) => Entry::success(&company, Action::RefreshByHand, &caller.subject),
        Err(error) => {
            let reason = error.to_string();
            Entry::failure(&company, Action::RefreshByHand, &caller.subject, reason)
        }
    };
    let now = manage.clock.now().await;
    manage.audit.write(&[entry], now).await?;
    let connection = match refreshed {
        Ok(connection) => connection,
        Err(error) => return Err(manage.why_not(&company, error).await?),
    };
    let automatic_refresh = manage.settings.current(&company).await?.document.automatic_refresh;
    Ok(Json(Refreshed {
        success: true,
        company_id: company,
        token_health: TokenHealth::of(&connection, automatic_refresh, now),
    }))
}

impl Manage {
    /// The failure as the caller sees it. That Intuit has ended the connection is announced, as wherever
    /// it is found out.
    async fn why_not(&self, company: &CompanyId, error: TokenError) -> Result<Problem, Problem> {
        Ok(match error {
            TokenError::ReconnectRequired => {
                if let Some(connection) = self.connections.get(company).await? {
                    self.quickbooks.announce_end(&connection).await?;
                }
                reconnect_required()
            }
            TokenError::NotConnected => Problem::not_connected(),
            TokenError::OtherEnvironment { .. } => Problem::new(
                StatusCode::CONFLICT,
                "other-environment",
                "Made in Intuit's other environment",
                format!("{error}. Connect the company again here."),
            ),
            TokenError::Later(_) => Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "intuit-unavailable",
                "Intuit does not answer",
                "QuickBooks gave no new access just now. Nothing was lost, and it is tried again by itself. You can try again in a minute.",
            )
            .retry_after(60),
            TokenError::Platform(error) => error.into(),
        })
    }
}

fn reconnect_required() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "reconnect-required",
        "QuickBooks must be connected again",
        "QuickBooks no longer accepts this connection. An admin connects again, with the same QuickBooks company; what waits goes out then.",
    )
}

/// The times of the last day with this one, or how long to wait until it may be asked.
fn asked_with(before: &[i64], now: Timestamp) -> Result<Vec<i64>, SignedDuration> {
    let ago = |at: i64| SignedDuration::from_millis(now.as_millisecond() - at);
    // One from the future was asked by a process whose clock was ahead: a little counts as now, more for
    // nothing.
    let mut lately: Vec<i64> = before
        .iter()
        .copied()
        .filter(|at| (-BETWEEN..DAY).contains(&ago(*at)))
        .map(|at| at.min(now.as_millisecond()))
        .collect();
    if let Some(last) = lately.last().copied().filter(|last| ago(*last) < BETWEEN) {
        return Err(BETWEEN - ago(last));
    }
    if lately.len() >= A_DAY {
        return Err(DAY - ago(lately[lately.len() - A_DAY]));
    }
    lately.push(now.as_millisecond());
    Ok(lately)
}

fn too_often(left: SignedDuration) -> Problem {
    let seconds = (left + SignedDuration::from_millis(999)).as_secs();
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "refreshed-too-often",
        "Refreshed too often",
        "New tokens can be asked for once a minute and 20 times a day. They are also renewed by themselves, long before they end.",
    )
    .retry_after(u32::try_from(seconds).unwrap_or(1).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + seconds).unwrap()
    }

    fn asked(seconds: impl IntoIterator<Item = i64>) -> Vec<i64> {
        seconds.into_iter().map(|seconds| at(seconds).as_millisecond()).collect()
    }

    #[test]
    fn new_tokens_are_asked_for_once_a_minute() {
        assert_eq!(asked_with(&[], at(0)), Ok(asked([0])));
        assert_eq!(asked_with(&asked([0]), at(20)), Err(SignedDuration::from_secs(40)));
        assert_eq!(asked_with(&asked([0]), at(60)), Ok(asked([0, 60])));
    }

    #[test]
    fn new_tokens_are_asked_for_twenty_times_in_any_24_hours() {
        let most = asked((0..20).map(|minute| minute * 60));
        assert_eq!(asked_with(&most[..19], at(1200)).map(|times| times.len()), Ok(20));
        assert_eq!(asked_with(&most, at(3600)), Err(SignedDuration::from_hours(23)));
        let day_later = asked_with(&most, at(86_400)).unwrap();
        assert_eq!((day_later.len(), day_later[0]), (20, at(60).as_millisecond()));
    }

    #[test]
    fn a_clock_that_was_ahead_does_not_lock_anybody_out_for_longer_than_the_rule() {
        assert_eq!(asked_with(&asked([10]), at(0)), Err(BETWEEN));
        assert_eq!(asked_with(&asked([7200]), at(0)), Ok(asked([0])));
    }
}
