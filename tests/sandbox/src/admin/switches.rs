//! Switches for what is not known of the real service: read, and set as a whole.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    response::IntoResponse,
    routing::{MethodRouter, get},
};
use serde::{Serialize, de::DeserializeOwned};

use super::{Problem, Shared, read};
use crate::{app::App, setting::Setting};

/// `/batch`: what a batch takes. `/replay`: what `requestid` does.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/batch", switch(|app| &app.batch))
        .route("/replay", switch(|app| &app.replay))
}

/// Answers a setting, or sets it: what is not sent is back at its default.
fn switch<T>(of: fn(&App) -> &Setting<T>) -> MethodRouter<Arc<App>>
where
    T: Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
{
    let current = move |State(app): Shared| async move { Json(of(&app).get()).into_response() };
    let set = move |State(app): Shared, body: Bytes| async move {
        let value: T = read(&body)?;
        of(&app).set(value.clone());
        Ok::<_, Problem>(Json(value).into_response())
    };
    get(current).post(set)
}
