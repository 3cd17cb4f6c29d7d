//! What `requestid` does where the real service is not known.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};

use super::{Answer, Shared, read};
use crate::{app::App, store::ReplayPolicy};

/// `/replay`.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/replay", get(policy).post(set_policy))
}

async fn policy(State(app): Shared) -> Response {
    Json(app.replay.get()).into_response()
}

/// Sets all switches: what is not sent is back at its default.
async fn set_policy(State(app): Shared, body: Bytes) -> Answer {
    let policy: ReplayPolicy = read(&body)?;
    app.replay.set(policy);
    Ok(Json(policy).into_response())
}
