//! `GET /callback`: Intuit sends the browser back with a code, or with an error.
//!
//! The state is burned in one conditional delete, only by the browser that it was made for; otherwise
//! the code is not exchanged. A code is exchanged once and never again, whatever happens: a second
//! exchange may revoke what the first one gave.

use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use domain::ids::{CompanyId, RealmId};
use jiff::Timestamp;
use platform::audit::{Action, Entry};
use platform::connections::{Connection, NewConnection};
use platform::give_back::give_back;
use platform::http::{BASE, public_url, query_value};
use platform::oauth_states::{Asked, Burned, COOKIE, STATE_LIVES};
use platform::outcome_page::Reason;
use platform::problem::Problem;
use platform::secrets::TokenSet;
use quickbooks::{CallError, CompanyInfo, OAuthError, Session};
use secrecy::SecretString;
use serde_json::json;
use uuid::Uuid;

use crate::Callback;

/// Answers with a redirect to the configured page, or with JSON to a caller that asks for it.
pub async fn callback(
    State(callback): State<Callback>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let wants_json = parts
        .headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("application/json"));
    let mut response = match connect(&callback, &parts).await? {
        Ok(connection) if wants_json => {
            Json(json!({ "success": true, "realmId": connection.realm })).into_response()
        }
        Ok(connection) => callback.pages.success(&connection.company),
        Err(reason) if wants_json => {
            Problem::new(reason.status(), reason.code(), "Not connected", reason.sentence())
                .into_response()
        }
        Err(reason) => callback.pages.failure(reason),
    };
    let forget =
        format!("{COOKIE}=; Path={BASE}/callback; Max-Age=0; HttpOnly; Secure; SameSite=Lax");
    if let Ok(forget) = HeaderValue::from_str(&forget) {
        response.headers_mut().insert(header::SET_COOKIE, forget);
    }
    Ok(response)
}

async fn connect(
    callback: &Callback,
    parts: &Parts,
) -> Result<Result<Connection, Reason>, Problem> {
    let now = callback.clock.now().await;
    let Some(state) = query_value(parts, "state") else { return Ok(Err(Reason::LinkUnknown)) };
    let asked = match callback.states.burn_state(&state, &cookie(parts), now).await? {
        Burned::Valid(asked) => asked,
        Burned::Expired(_) => return Ok(Err(Reason::LinkExpired)),
        Burned::Unknown => return Ok(Err(Reason::LinkUnknown)),
        Burned::OtherBrowser => return Ok(Err(Reason::OtherBrowser)),
    };
    // The erasure waits for processes, not for people at Intuit's page. Nothing of a company that was
    // deleted meanwhile is stored any more, the refusal neither.
    let began = asked.expires - STATE_LIVES.as_secs() * 1000;
    let began = Timestamp::from_millisecond(began).unwrap_or(now);
    if callback.erasures.is_deleted_since(&asked.company, began).await? {
        return Ok(Err(Reason::LinkUnknown));
    }
    let outcome = authorize(callback, parts, &asked, now).await?;
    let entry = match &outcome {
        Ok(connection) => Entry::success(&asked.company, Action::ConnectAuthorized, &asked.user)
            .record(connection.realm.to_string()),
        Err(reason) => {
            Entry::failure(&asked.company, Action::ConnectRefused, &asked.user, reason.code())
        }
    };
    callback.audit.write(&[entry], now).await?;
    Ok(outcome)
}

async fn authorize(
    callback: &Callback,
    parts: &Parts,
    asked: &Asked,
    now: Timestamp,
) -> Result<Result<Connection, Reason>, Problem> {
    if let Some(error) = query_value(parts, "error") {
        return Ok(Err(if error == "access_denied" {
            Reason::AccessDenied
        } else {
            Reason::IntuitError
        }));
    }
    let realm: Option<RealmId> = query_value(parts, "realmId").and_then(|realm| realm.parse().ok());
    let (Some(code), Some(realm)) =
        (query_value(parts, "code").filter(|code| !code.is_empty()), realm)
    else {
        return Ok(Err(Reason::MissingCode));
    };
    let live = callback.connections.get(&asked.company).await?;
    if live.as_ref().is_some_and(|live| !live.may_be_followed_by(&realm)) {
        return Ok(Err(Reason::OtherRealm));
    }
    let owner = callback.connections.company_of(callback.environment, &realm).await?;
    if owner.is_some_and(|owner| owner != asked.company) {
        return Ok(Err(Reason::RealmTaken));
    }

    let app = callback.secrets.app().await?;
    let redirect = format!("{}{BASE}/callback", public_url(parts)?);
    let grant = match callback.oauth.exchange(&app, &SecretString::from(code), &redirect).await {
        Ok(grant) => grant,
        Err(OAuthError::InvalidGrant { .. }) => return Ok(Err(Reason::CodeUsed)),
        Err(OAuthError::InvalidClient | OAuthError::Refused { .. }) => {
            tracing::error!(company = %asked.company, "Intuit refuses the app's credentials or redirect address");
            return Ok(Err(Reason::IntuitError));
        }
        Err(_) => return Ok(Err(Reason::IntuitUnavailable)),
    };
    let tokens = TokenSet::from_grant(&grant, now);
    let session = Session { realm: realm.to_string(), access_token: tokens.access.clone() };
    let proven = prove(callback, &asked.company, &session).await?;
    let info = match proven {
        Ok(info) => info,
        Err(error) => {
            tracing::warn!(company = %asked.company, realm = %realm, %error, "a new access does not work");
            // Of the same QuickBooks company that might end the connection that there is.
            if live.as_ref().is_none_or(|live| live.realm != realm)
                && let Err(error) = callback.oauth.revoke(&app, &tokens.refresh).await
            {
                tracing::warn!(company = %asked.company, %error, "could not revoke it");
            }
            return Ok(Err(Reason::AccessNotProven));
        }
    };

    let connection_id = Uuid::new_v4().to_string();
    let secret = callback.secrets.name(&asked.company, &connection_id);
    let mut connection = Connection {
        company_name: info.company_name,
        company_time_zone: info.time_zone,
        access_expires_at: tokens.expiries.access.as_millisecond(),
        refresh_expires_at: tokens.expiries.refresh.as_millisecond(),
        hard_expires_at: tokens.expiries.hard.map(Timestamp::as_millisecond),
        ..Connection::new(NewConnection {
            company: asked.company.clone(),
            connection_id,
            version_id: Uuid::new_v4().to_string(),
            realm,
            environment: callback.environment,
            client_id: app.client_id.clone(),
            secret,
            user: asked.user.clone(),
            at: now,
        })
    }
    .waiting(now);
    if !take_the_place(callback, &connection).await? {
        return Ok(Err(Reason::LinkUnknown));
    }
    callback.secrets.create(&connection.secret, &connection.company).await?;
    callback.secrets.put(&connection.secret, &connection.version_id, 0, &tokens).await?;
    connection.ready = true;
    if !callback.connections.waiting_is_ready(&connection).await? {
        // It was ready, the answer was lost, and its user has confirmed before the AWS client tried again.
        let live = callback.connections.get(&connection.company).await?;
        if live.is_some_and(|live| live.connection_id == connection.connection_id) {
            return Ok(Ok(connection));
        }
        // A later attempt took this one's place, the same user's or another admin's; or an admin
        // disconnected, or the company was deleted. Whoever did that found no secret to destroy yet.
        callback.secrets.destroy(&connection.secret).await?;
        return Ok(Err(Reason::LinkUnknown));
    }
    Ok(Ok(connection))
}

/// Writes the row of a connection that will wait, in the place of one that waited. What that one was
/// granted is given back first, so that no crash leaves a secret that no row names. Answers false when
/// others connect the company at the same time, again and again.
async fn take_the_place(callback: &Callback, connection: &Connection) -> Result<bool, Problem> {
    for _ in 0..3 {
        let before = callback.connections.unconfirmed(&connection.company).await?;
        if let Some(before) = &before {
            if !callback.connections.condemn(before).await? {
                continue;
            }
            if before.realm == connection.realm {
                // Revoking the one might end the other.
                callback.secrets.destroy(&before.secret).await?;
            } else {
                give_back(before, &callback.connections, &callback.secrets, &callback.oauth)
                    .await?;
            }
        }
        let instead_of = before.as_ref().map(|before| before.connection_id.as_str());
        if callback.connections.put_unconfirmed(connection, instead_of).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Reads the company and its preferences with a new access, each in the company's interactive share. The
/// code is spent, so a share that stays used up for two seconds does not stop this.
async fn prove(
    callback: &Callback,
    company: &CompanyId,
    session: &Session,
) -> Result<Result<CompanyInfo, CallError>, Problem> {
    let patience = Duration::from_secs(2);
    let leave = callback.pace.wait(company, &callback.clock, patience).await?;
    let info = callback.quickbooks.company_info(session).await;
    if let Some(leave) = leave {
        callback.pace.done(leave, callback.clock.now().await).await;
    }
    let info = match info {
        Ok(info) => info,
        Err(error) => return Ok(Err(error)),
    };
    let leave = callback.pace.wait(company, &callback.clock, patience).await?;
    let preferences = callback.quickbooks.preferences(session).await;
    if let Some(leave) = leave {
        callback.pace.done(leave, callback.clock.now().await).await;
    }
    Ok(preferences.map(|_| info))
}

/// The browser's cookie, or nothing, which matches no state.
fn cookie(parts: &Parts) -> String {
    parts
        .headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE)
        .map(|(_, value)| value.to_owned())
        .unwrap_or_default()
}
