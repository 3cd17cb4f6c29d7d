//! The latency model.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};

use super::{Answer, Shared, bad, laid_over};
use crate::{app::App, latency::LatencyModel};

/// `/latency`.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/latency", get(latency).post(set_latency))
}

async fn latency(State(app): Shared) -> Response {
    Json(app.latency.model()).into_response()
}

async fn set_latency(State(app): Shared, body: Bytes) -> Answer {
    let model: LatencyModel = laid_over(&app.latency.model(), &body)?;
    if let Some(problem) = model.problem() {
        return Err(bad(problem));
    }
    app.latency.set(model.clone());
    Ok(Json(model).into_response())
}
