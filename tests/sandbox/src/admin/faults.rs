//! Faults: armed, listed, cleared.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{delete, post},
};
use serde_json::json;

use super::{Answer, Shared, bad, missing, read};
use crate::{app::App, faults::Spec};

/// `/faults`.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/faults", post(add_fault).get(list_faults).delete(clear_faults))
        .route("/faults/{id}", delete(remove_fault))
}

async fn add_fault(State(app): Shared, body: Bytes) -> Answer {
    let spec: Spec = read(&body)?;
    let id = app.faults.add(spec).map_err(bad)?;
    Ok((StatusCode::CREATED, Json(json!({ "id": id }))).into_response())
}

async fn list_faults(State(app): Shared) -> Response {
    Json(json!({ "faults": app.faults.list() })).into_response()
}

async fn clear_faults(State(app): Shared) -> StatusCode {
    app.faults.clear();
    StatusCode::NO_CONTENT
}

async fn remove_fault(State(app): Shared, Path(id): Path<u64>) -> Answer {
    if app.faults.remove(id) {
        Ok(StatusCode::NO_CONTENT.into_response())
    } else {
        Err(missing(&format!("fault {id}")))
    }
}
