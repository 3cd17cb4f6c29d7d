//! The registered apps, what the token endpoint does where the real one is not known, and the end of
//! tokens.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Problem, Shared, bad, read};
use crate::{
    app::App,
    ids::{ClientId, Realm},
    oauth::{Policy, Wish},
};

/// `/apps`, `/oauth`, `/tokens`.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/apps", get(apps).post(register))
        .route("/oauth", get(policy).post(set_policy))
        .route("/tokens", get(issued))
        .route("/tokens/issue", post(issue))
        .route("/tokens/expire", post(expire_tokens))
        .route("/tokens/revoke-refresh", post(revoke_refresh))
}

async fn apps(State(app): Shared) -> Response {
    Json(json!({ "apps": app.oauth.registrations() })).into_response()
}

/// Adds an app, or changes the fields that are sent of one.
async fn register(State(app): Shared, body: Bytes) -> Answer {
    let wish: Wish = read(&body)?;
    Ok(Json(app.oauth.register(wish).map_err(bad)?).into_response())
}

async fn policy(State(app): Shared) -> Response {
    Json(app.oauth.policy()).into_response()
}

async fn set_policy(State(app): Shared, body: Bytes) -> Answer {
    let policy = read::<Policy>(&body)?.checked().map_err(bad)?;
    app.oauth.set_policy(policy);
    Ok(Json(policy).into_response())
}

/// Every secret value that there ever was, so that a test can look for them where they must not be.
async fn issued(State(app): Shared) -> Response {
    Json(app.oauth.issued()).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfRealm {
    realm: Realm,
}

/// Who gets tokens, of which app, and how long ago.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Issue {
    realms: Vec<Realm>,
    client_id: Option<ClientId>,
    #[serde(default)]
    age_s: i64,
}

/// Tokens of many companies at once, without browser and code, in the order of the realms. The companies
/// need not be there: nothing but the token endpoint will know them.
async fn issue(State(app): Shared, body: Bytes) -> Answer {
    let Issue { realms, client_id, age_s } = read(&body)?;
    let known = app.oauth.registrations();
    let client = match client_id {
        Some(client) => known.iter().find(|app| app.client_id == client),
        None => known.first(),
    };
    let client = &client.ok_or_else(|| bad("no such app"))?.client_id;
    let then = app.now().checked_sub(SignedDuration::from_secs(age_s));
    let then = then.map_err(|error| bad(error.to_string()))?;
    let tokens = realms.iter().map(|realm| {
        let tokens = app.oauth.issue(client, realm, then);
        let tokens = tokens.map_err(|refusal| bad(format!("{refusal:?}")))?;
        Ok(json!({
            "realm": realm,
            "accessToken": tokens.access,
            "refreshToken": tokens.refresh,
            "issuedAt": then,
            "refreshExpiresIn": tokens.refresh_expires_s,
            "hardExpiresIn": tokens.hard_expires_s,
        }))
    });
    let tokens: Vec<Value> = tokens.collect::<Result<_, Problem>>()?;
    Ok(Json(json!({ "tokens": tokens })).into_response())
}

async fn expire_tokens(State(app): Shared, body: Bytes) -> Answer {
    let OfRealm { realm } = read(&body)?;
    let expired = app.oauth.expire_access(&realm, app.now());
    Ok(Json(json!({ "expired": expired })).into_response())
}

async fn revoke_refresh(State(app): Shared, body: Bytes) -> Answer {
    let OfRealm { realm } = read(&body)?;
    let revoked = app.oauth.revoke_refresh(&realm);
    Ok(Json(json!({ "revoked": revoked })).into_response())
}
