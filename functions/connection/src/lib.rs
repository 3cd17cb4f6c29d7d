//! One connection's management: how it is, and whether it works.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use domain::settings::Settings;
use jiff::Timestamp;
use platform::access::{AccessError, QuickBooks};
use platform::audit::{Action, AuditLog, Entry};
use platform::caller::{Caller, Permission};
use platform::clock::Clock;
use platform::connections::{Connection, ConnectionStatus, Connections};
use platform::documents::Documents;
use platform::give_back::give_back;
use platform::http::{BASE, CompanyOfQuery, JsonBody};
use platform::pace::InteractivePace;
use platform::problem::Problem;
use platform::secrets::Secrets;
use platform::tokens::TokenError;
use quickbooks::{CallError, OAuth, meaning};
use serde::Serialize;
use serde_json::{Value, json};

/// What the function works with.
#[derive(Clone)]
pub struct Manage {
    /// Connections.
    pub connections: Connections,
    /// For automatic refresh.
    pub settings: Documents<Settings>,
    /// For the live test.
    pub quickbooks: QuickBooks,
    /// Its share of Intuit's limits.
    pub pace: InteractivePace,
    /// For the clean-up.
    pub secrets: Secrets,
    /// For the clean-up.
    pub oauth: OAuth,
    /// Who tested, what was dropped.
    pub audit: AuditLog,
    /// The clock.
    pub clock: Clock,
}

/// The routes.
pub fn router(manage: Manage) -> Router {
    Router::new()
        .route(&format!("{BASE}/status"), get(status))
        .route(&format!("{BASE}/test-connection"), post(test_connection))
        .with_state(manage)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    company_id: String,
    connected: bool,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    company_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    realm_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_health: Option<TokenHealth>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connected_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connected_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting_for_confirmation: Option<Waiting>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TokenHealth {
    access_token_expires_at: Timestamp,
    last_refresh_at: Timestamp,
    last_refresh_result: String,
    refresh_token_age_days: i64,
    refresh_token_expires_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    hard_expires_at: Option<Timestamp>,
    automatic_refresh: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Waiting {
    asked_by: String,
    company_name: String,
    realm_id: String,
    until: Timestamp,
}

async fn status(
    State(manage): State<Manage>,
    caller: Caller,
    CompanyOfQuery(company): CompanyOfQuery,
) -> Result<Json<Status>, Problem> {
    caller.may(Permission::ReadStatus, &company)?;
    let now = manage.clock.now().await;
    let live = manage.connections.get(&company).await?;
    let waiting = manage.connections.unconfirmed(&company).await?;
    let automatic_refresh = manage.settings.current(&company).await?.document.automatic_refresh;
    let waiting_for_confirmation = waiting.filter(|waiting| waiting.ready).and_then(|waiting| {
        let until = time(waiting.confirm_by?);
        (until > now).then_some(Waiting {
            asked_by: waiting.connected_by,
            company_name: waiting.company_name,
            realm_id: waiting.realm.to_string(),
            until,
        })
    });
    let Some(live) = live else {
        return Ok(Json(Status {
            company_id: company.to_string(),
            connected: false,
            status: "notConnected",
            company_name: None,
            realm_id: None,
            environment: None,
            token_health: None,
            connected_by: None,
            connected_at: None,
            waiting_for_confirmation,
        }));
    };
    Ok(Json(Status {
        company_id: company.to_string(),
        connected: live.status == ConnectionStatus::Connected,
        status: match live.status {
            ConnectionStatus::Connected => "connected",
            ConnectionStatus::ReconnectRequired => "reconnectRequired",
            ConnectionStatus::Disconnected | ConnectionStatus::Unconfirmed => "notConnected",
        },
        token_health: Some(TokenHealth {
            access_token_expires_at: time(live.access_expires_at),
            last_refresh_at: time(live.refreshed_at),
            last_refresh_result: live.last_refresh_result.clone(),
            refresh_token_age_days: now.duration_since(time(live.refreshed_at)).as_hours() / 24,
            refresh_token_expires_at: time(live.refresh_expires_at),
            hard_expires_at: live.hard_expires_at.map(time),
            automatic_refresh,
        }),
        connected_at: Some(time(live.connected_at)),
        company_name: Some(live.company_name),
        realm_id: Some(live.realm.to_string()),
        environment: Some(live.environment.to_string()),
        connected_by: Some(live.connected_by),
        waiting_for_confirmation,
    }))
}

fn time(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Tested {
    connected: bool,
    company_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

async fn test_connection(
    State(manage): State<Manage>,
    caller: Caller,
    body: JsonBody,
) -> Result<Json<Tested>, Problem> {
    let company = body.company()?;
    caller.may(Permission::Administer, &company)?;
    let Some(connection) = manage.connections.get(&company).await? else {
        return Err(Problem::not_connected());
    };
    let now = manage.clock.now().await;
    let Some(leave) = manage.pace.ask(&company, now).await? else {
        return Err(Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too-many-tests",
            "Tested too often",
            "QuickBooks limits how often we may ask. Try again in a few seconds.",
        )
        .retry_after(5));
    };
    let tested = manage
        .quickbooks
        .call(&company, async |client, session| client.company_info(session).await)
        .await;
    let now = manage.clock.now().await;
    manage.pace.done(leave, now).await;
    let (answer, entry) = match tested {
        Ok(info) => (
            Tested { connected: true, company_name: info.company_name, error: None },
            Entry::success(&company, Action::TestConnection, &caller.subject),
        ),
        Err(error) => {
            let words = words(&error);
            (
                Tested {
                    connected: false,
                    company_name: connection.company_name,
                    error: Some(words.clone()),
                },
                Entry::failure(&company, Action::TestConnection, &caller.subject, words),
            )
        }
    };
    manage.audit.write(&[entry], now).await?;
    Ok(Json(answer))
}

/// The failure in words for an office manager.
fn words(error: &AccessError) -> String {
    match error {
        AccessError::Declined
        | AccessError::Token(TokenError::Platform(_) | TokenError::Later(_)) => {
            "QuickBooks could not be asked just now. Try again in a minute.".to_owned()
        }
        AccessError::Token(error) => format!("{error}."),
        AccessError::Call(
            CallError::Unavailable { .. }
            | CallError::Unanswered { .. }
            | CallError::NotSent { .. }
            | CallError::Throttled { .. },
        ) => "QuickBooks did not answer as it should. Try again in a minute.".to_owned(),
        AccessError::Call(error) => match error.code() {
            Some(code) => {
                let meaning = meaning(code);
                format!("{} {} (QuickBooks code {code})", meaning.says, meaning.fix)
            }
            None => "QuickBooks did not answer. Try again in a minute.".to_owned(),
        },
    }
}

impl Manage {
    /// Revokes and forgets connections whose time for confirming is over. Runs every five minutes; one
    /// company's failure does not stop the others.
    pub async fn drop_unconfirmed(&self) -> Result<Value, lambda_runtime::Error> {
        let now = self.clock.now().await;
        let (mut dropped, mut failed) = (0, 0);
        for company in self.connections.overdue(now).await? {
            let Some(waiting) = self.connections.unconfirmed(&company).await? else { continue };
            match self.drop_one(&waiting, now).await {
                Ok(()) => dropped += 1,
                Err(error) => {
                    tracing::error!(company = %company, %error, "could not drop an unconfirmed connection");
                    failed += 1;
                }
            }
        }
        Ok(json!({ "dropped": dropped, "failed": failed }))
    }

    async fn drop_one(&self, waiting: &Connection, now: Timestamp) -> platform::Result<()> {
        if waiting.confirm_by.is_some_and(|by| by > now.as_millisecond()) {
            return Ok(());
        }
        // Tokens first: a crash in between leaves the row, and the next run goes on.
        give_back(waiting, &self.connections, &self.secrets, &self.oauth).await?;
        self.connections.remove_unconfirmed(waiting).await?;
        let entry = Entry::failure(
            &waiting.company,
            Action::ConnectRefused,
            "connector",
            "not confirmed within ten minutes",
        )
        .record(waiting.realm.to_string());
        self.audit.write(&[entry], now).await
    }
}
