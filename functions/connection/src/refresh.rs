//! `POST /refresh`: new tokens now, because an admin asks for them (C9). By the same protocol and under
//! the same lease as every other refresh, at most once a minute for each company.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::ids::CompanyId;
use jiff::{SignedDuration, Timestamp};
use platform::audit::{Action, Entry};
use platform::caller::{Caller, Permission};
use platform::connections::{Connection, ConnectionStatus};
use platform::http::JsonBody;
use platform::problem::Problem;
use platform::refresh::Wanted;
use platform::tokens::TokenError;
use serde::Serialize;

use crate::Manage;
use crate::status::TokenHealth;

/// Between two refreshes by hand of one company, whatever came of the first (C9).
pub const BETWEEN: SignedDuration = SignedDuration::from_mins(1);
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
    if !manage.connections.ask_by_hand(&connection, BETWEEN, now).await? {
        return Err(too_often(&connection, now));
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

fn too_often(connection: &Connection, now: Timestamp) -> Problem {
    let asked = connection.asked_by_hand_at.unwrap_or(now.as_millisecond());
    let left = asked + i64::try_from(BETWEEN.as_millis()).unwrap_or(60_000) - now.as_millisecond();
    let seconds = u32::try_from((left + 999) / 1000).unwrap_or(1).clamp(1, 60);
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "refreshed-too-often",
        "Refreshed a moment ago",
        "New tokens can be asked for once a minute. They are also renewed by themselves, long before they end.",
    )
    .retry_after(seconds)
}
