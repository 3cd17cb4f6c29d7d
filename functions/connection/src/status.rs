//! `GET /status`: how a company's connection is, without any token.

use axum::Json;
use axum::extract::State;
use domain::ids::CompanyId;
use jiff::Timestamp;
use platform::caller::{Caller, Permission};
use platform::connections::{Connection, ConnectionStatus};
use platform::http::CompanyOfQuery;
use platform::problem::Problem;
use serde::Serialize;

use crate::Manage;

/// The answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    company_id: CompanyId,
    connected: bool,
    status: &'static str,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    connection: Option<Known>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_health: Option<TokenHealth>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting_for_confirmation: Option<Waiting>,
}

/// What stays known of a connection, also when it has ended.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Known {
    company_name: String,
    realm_id: String,
    environment: String,
    connected_by: String,
    connected_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    disconnected_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disconnected_by: Option<String>,
    /// Since when another QuickBooks company may be connected.
    #[serde(skip_serializing_if = "Option::is_none")]
    started_over_at: Option<Timestamp>,
}

/// How long the tokens last, and how the last refresh went.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenHealth {
    access_token_expires_at: Timestamp,
    last_refresh_at: Timestamp,
    last_refresh_result: String,
    refresh_token_age_days: i64,
    refresh_token_expires_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    hard_expires_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_refresh_try_at: Option<Timestamp>,
    automatic_refresh: bool,
}

impl TokenHealth {
    /// The health of a connection's tokens at `now`.
    pub fn of(connection: &Connection, automatic_refresh: bool, now: Timestamp) -> Self {
        let age = now.duration_since(time(connection.refreshed_at));
        // After a failure nobody asks Intuit again before this; a refresh that got no answer holds its
        // lease until its request cannot be under way any more.
        let next = connection.refresh_after.max(connection.refresh_until).map(time);
        Self {
            access_token_expires_at: time(connection.access_expires_at),
            last_refresh_at: time(connection.refreshed_at),
            last_refresh_result: connection.last_refresh_result.clone(),
            refresh_token_age_days: age.as_hours() / 24,
            refresh_token_expires_at: time(connection.refresh_expires_at),
            hard_expires_at: connection.hard_expires_at.map(time),
            next_refresh_try_at: next.filter(|next| *next > now),
            automatic_refresh,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Waiting {
    asked_by: String,
    company_name: String,
    realm_id: String,
    until: Timestamp,
}

/// Tells how the connection is.
pub async fn status(
    State(manage): State<Manage>,
    caller: Caller,
    CompanyOfQuery(company): CompanyOfQuery,
) -> Result<Json<Status>, Problem> {
    caller.may(Permission::ReadStatus, &company)?;
    let now = manage.clock.now().await;
    let connection = manage.connections.get(&company).await?;
    let waiting = manage.connections.unconfirmed(&company).await?;
    let automatic_refresh = manage.settings.current(&company).await?.document.automatic_refresh;
    let status = connection.as_ref().map(|connection| connection.status);
    let has_tokens =
        matches!(status, Some(ConnectionStatus::Connected | ConnectionStatus::ReconnectRequired));
    Ok(Json(Status {
        company_id: company,
        connected: status == Some(ConnectionStatus::Connected),
        status: match status {
            Some(ConnectionStatus::Connected) => "connected",
            Some(ConnectionStatus::ReconnectRequired) => "reconnectRequired",
            Some(ConnectionStatus::Disconnected) => "disconnected",
            Some(ConnectionStatus::Unconfirmed) | None => "notConnected",
        },
        token_health: connection
            .as_ref()
            .filter(|_| has_tokens)
            .map(|connection| TokenHealth::of(connection, automatic_refresh, now)),
        connection: connection.map(known),
        waiting_for_confirmation: waiting.and_then(|waiting| still_waiting(waiting, now)),
    }))
}

fn known(connection: Connection) -> Known {
    Known {
        company_name: connection.company_name,
        realm_id: connection.realm.to_string(),
        environment: connection.environment.to_string(),
        connected_by: connection.connected_by,
        connected_at: time(connection.connected_at),
        disconnected_at: connection.disconnected_at.map(time),
        disconnected_by: connection.disconnected_by,
        started_over_at: connection.started_over_at.map(time),
    }
}

fn still_waiting(waiting: Connection, now: Timestamp) -> Option<Waiting> {
    let until = time(waiting.confirm_by?);
    (waiting.ready && until > now).then(|| Waiting {
        asked_by: waiting.connected_by,
        company_name: waiting.company_name,
        realm_id: waiting.realm.to_string(),
        until,
    })
}

fn time(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH)
}
