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
use serde::Deserialize;
use serde_json::json;

use super::{Answer, Shared, bad, read};
use crate::{
    app::App,
    ids::Realm,
    oauth::{Policy, Wish},
};

/// `/apps`, `/oauth`, `/tokens`.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/apps", get(apps).post(register))
        .route("/oauth", get(policy).post(set_policy))
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfRealm {
    realm: Realm,
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
