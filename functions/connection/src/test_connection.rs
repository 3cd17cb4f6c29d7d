//! `POST /test-connection`: one live call to QuickBooks, in the company's interactive share.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use platform::access::AccessError;
use platform::audit::{Action, Entry};
use platform::caller::{Caller, Permission};
use platform::connections::ConnectionStatus;
use platform::http::JsonBody;
use platform::problem::Problem;
use platform::tokens::TokenError;
use quickbooks::{CallError, meaning};
use serde::Serialize;

use crate::Manage;

/// The answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tested {
    connected: bool,
    company_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Tells whether QuickBooks answers.
pub async fn test_connection(
    State(manage): State<Manage>,
    caller: Caller,
    body: JsonBody,
) -> Result<Json<Tested>, Problem> {
    let company = body.company()?;
    caller.may(Permission::Administer, &company)?;
    let connection = manage.connections.get(&company).await?;
    let Some(connection) =
        connection.filter(|connection| connection.status != ConnectionStatus::Disconnected)
    else {
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
        | AccessError::OtherRealm
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
