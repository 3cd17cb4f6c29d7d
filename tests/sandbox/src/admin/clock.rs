//! The sandbox's clock: read, moved, set.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::{Answer, Shared, bad, read};
use crate::app::App;

/// `/clock`.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/clock", get(clock))
        .route("/clock/advance", post(clock_advance))
        .route("/clock/set", post(clock_set))
}

pub(super) fn now_json(now: Timestamp) -> Response {
    Json(json!({ "now": now })).into_response()
}

async fn clock(State(app): Shared) -> Response {
    now_json(app.now())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: i64,
}

async fn clock_advance(State(app): Shared, body: Bytes) -> Answer {
    let Advance { seconds } = read(&body)?;
    app.clock.advance(seconds).map(now_json).ok_or_else(|| bad("outside of the calendar"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetClock {
    now: Timestamp,
}

async fn clock_set(State(app): Shared, body: Bytes) -> Answer {
    let SetClock { now } = read(&body)?;
    Ok(now_json(app.clock.set(now)))
}
