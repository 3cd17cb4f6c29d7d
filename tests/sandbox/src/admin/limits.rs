//! The REST limits.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Deserialize;
use serde_json::json;

use super::{Answer, Shared, bad, read};
use crate::app::App;

/// `/limits`.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/limits", get(limits).post(set_limits))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    scale: f64,
}

async fn limits(State(app): Shared) -> Response {
    Json(json!({ "scale": app.scale.get() })).into_response()
}

async fn set_limits(State(app): Shared, body: Bytes) -> Answer {
    let Limits { scale } = read(&body)?;
    if !scale.is_finite() || scale <= 0.0 {
        return Err(bad("scale must be a positive number"));
    }
    app.scale.set(scale);
    Ok(Json(json!({ "scale": scale })).into_response())
}
