//! Snapshots by name, and the state file.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};

use super::{Answer, Problem, Shared, bad, missing};
use crate::{app::App, snapshot::Snapshot};

/// Longest name, in characters.
const MAX_NAME: usize = 64;

/// `/snapshots`, `/state`.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/snapshots", get(list))
        .route("/snapshots/{name}", post(keep).delete(remove))
        .route("/snapshots/{name}/restore", post(restore))
        .route("/state/save", post(save))
}

fn describe(name: &str, snapshot: &Snapshot) -> Value {
    let (companies, entities) = snapshot.size();
    json!({ "name": name, "taken": snapshot.taken, "companies": companies, "entities": entities })
}

async fn list(State(app): Shared) -> Response {
    let all = app.snapshots.list();
    let all: Vec<Value> = all.iter().map(|(name, snapshot)| describe(name, snapshot)).collect();
    Json(json!({ "snapshots": all })).into_response()
}

async fn keep(State(app): Shared, Path(name): Path<String>) -> Answer {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(plain) {
        return Err(bad(format!(
            "a snapshot's name is 1 to {MAX_NAME} letters, digits, dots, hyphens or underscores"
        )));
    }
    let snapshot = app.snapshots.keep(&name, app.snapshot());
    Ok((StatusCode::CREATED, Json(describe(&name, &snapshot))).into_response())
}

async fn restore(State(app): Shared, Path(name): Path<String>) -> Answer {
    let snapshot = app.snapshots.get(&name).ok_or_else(|| missing(&format!("snapshot {name}")))?;
    app.restore((*snapshot).clone());
    Ok(Json(json!({ "restored": name, "now": app.now() })).into_response())
}

async fn remove(State(app): Shared, Path(name): Path<String>) -> Answer {
    if app.snapshots.remove(&name) {
        Ok(StatusCode::NO_CONTENT.into_response())
    } else {
        Err(missing(&format!("snapshot {name}")))
    }
}

async fn save(State(app): Shared) -> Answer {
    let failed = |problem: String| Problem(StatusCode::INTERNAL_SERVER_ERROR, problem);
    let saved = tokio::task::spawn_blocking(move || app.save_state())
        .await
        .map_err(|error| failed(error.to_string()))?;
    match saved.map_err(|error| failed(error.to_string()))? {
        Some(path) => Ok(Json(json!({ "saved": path })).into_response()),
        None => Err(Problem(
            StatusCode::CONFLICT,
            "the sandbox was started without --state-file".into(),
        )),
    }
}
