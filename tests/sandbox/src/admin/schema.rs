//! What becomes of fields that the schema does not have.

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

use super::{Answer, Shared, read};
use crate::{app::App, entities::UnknownFields};

/// `/schema`.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/schema", get(switches).post(set))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Switches {
    unknown_fields: UnknownFields,
}

async fn switches(State(app): Shared) -> Response {
    Json(json!({ "unknownFields": app.unknown_fields.get() })).into_response()
}

async fn set(State(app): Shared, body: Bytes) -> Answer {
    let Switches { unknown_fields } = read(&body)?;
    app.unknown_fields.set(unknown_fields);
    Ok(Json(json!({ "unknownFields": unknown_fields })).into_response())
}
