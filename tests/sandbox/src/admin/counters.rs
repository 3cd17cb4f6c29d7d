//! Counters of companies and of what belongs to none.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Value, json};

use super::{Answer, Shared, find};
use crate::{app::App, limits::LimiterSnapshot, store::Company};

/// `/counters`.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/counters", get(all_counters).delete(clear_counters))
        .route("/counters/{realm}", get(counters))
}

fn counters_of(company: &Company) -> Value {
    company.counters.snapshot(&company.limiter.snapshot())
}

async fn all_counters(State(app): Shared) -> Response {
    let companies: BTreeMap<String, Value> = app
        .companies()
        .iter()
        .map(|company| (company.realm.to_string(), counters_of(company)))
        .collect();
    let other = app.counters.snapshot(&LimiterSnapshot::default());
    Json(json!({ "companies": companies, "other": other })).into_response()
}

async fn counters(State(app): Shared, Path(realm): Path<String>) -> Answer {
    let company = find(&app, &realm)?;
    Ok(Json(counters_of(&company)).into_response())
}

async fn clear_counters(State(app): Shared) -> StatusCode {
    app.counters.clear();
    for company in app.companies() {
        company.counters.clear();
        company.limiter.clear();
    }
    StatusCode::NO_CONTENT
}
