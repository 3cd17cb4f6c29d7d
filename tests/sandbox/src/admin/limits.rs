//! The REST limits.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Value, json};

use super::{Answer, Shared, bad, laid_over};
use crate::{
    app::App,
    limits::{Limit, Limits},
};

/// `/limits`.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/limits", get(limits).post(set_limits))
}

/// The switches, and under `effective` the number that each limit comes to.
fn describe(limits: &Limits) -> Response {
    let effective: Value = Limit::ALL
        .into_iter()
        .map(|limit| (limit.name().to_owned(), json!(limits.of(limit))))
        .collect();
    let mut out = json!(limits);
    out["effective"] = effective;
    Json(out).into_response()
}

async fn limits(State(app): Shared) -> Response {
    describe(&app.limits.get())
}

async fn set_limits(State(app): Shared, body: Bytes) -> Answer {
    let limits: Limits = laid_over(&app.limits.get(), &body)?;
    if !limits.scale.is_finite() || limits.scale <= 0.0 {
        return Err(bad("scale must be a positive number"));
    }
    app.limits.set(limits.clone());
    Ok(describe(&limits))
}
