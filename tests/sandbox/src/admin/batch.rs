//! What a batch takes where the real service is not known.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};

use super::{Answer, Shared, read};
use crate::{app::App, rest::BatchPolicy};

/// `/batch`.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/batch", get(policy).post(set_policy))
}

async fn policy(State(app): Shared) -> Response {
    Json(app.batch.get()).into_response()
}

/// Sets all switches: what is not sent is back at its default.
async fn set_policy(State(app): Shared, body: Bytes) -> Answer {
    let policy: BatchPolicy = read(&body)?;
    app.batch.set(policy);
    Ok(Json(policy).into_response())
}
