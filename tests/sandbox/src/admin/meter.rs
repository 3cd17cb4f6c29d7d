//! The monthly meter.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};

use super::{Answer, Shared, read};
use crate::{app::App, meter::MeterChange};

/// `/meter`.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/meter", get(meter).post(set_meter))
}

async fn meter(State(app): Shared) -> Response {
    Json(app.meter.view(app.now())).into_response()
}

async fn set_meter(State(app): Shared, body: Bytes) -> Answer {
    let change: MeterChange = read(&body)?;
    let now = app.now();
    app.meter.change(now, &change);
    Ok(Json(app.meter.view(now)).into_response())
}
