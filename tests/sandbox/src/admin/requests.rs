//! The request journal.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    response::IntoResponse,
    routing::get,
};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::{Answer, Shared, bad};
use crate::app::App;

/// `/requests`.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/requests", get(requests).delete(clear_requests))
}

#[derive(Deserialize)]
struct Selection {
    realm: Option<String>,
    /// A sequence number (entries after it) or a time (entries at or after it).
    since: Option<String>,
}

async fn requests(State(app): Shared, Query(selection): Query<Selection>) -> Answer {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let (realm, since) = (given(&selection.realm), given(&selection.since));
    let since = since.as_deref();
    let number = since.and_then(|since| since.parse::<u64>().ok());
    let time = match (since, number) {
        (Some(text), None) => {
            let at: Timestamp =
                text.parse().map_err(|_| bad("since is neither a number nor an RFC 3339 time"))?;
            Some(at)
        }
        _ => None,
    };
    let entries = app.journal.select(|entry| {
        number.is_none_or(|number| entry.seq > number)
            && time.is_none_or(|time| entry.at >= time)
            && realm
                .as_deref()
                .is_none_or(|realm| entry.realm.as_ref().is_some_and(|own| own.as_str() == realm))
    });
    Ok(Json(json!({ "requests": entries })).into_response())
}

async fn clear_requests(State(app): Shared) -> StatusCode {
    app.journal.clear();
    StatusCode::NO_CONTENT
}
