//! The admin API: what a test, a script or the page for people does to the sandbox. No authorization;
//! loopback only.

mod batch;
mod clock;
mod companies;
mod counters;
mod faults;
mod latency;
mod limits;
mod meter;
mod oauth;
mod replay;
mod requests;
mod schema;
mod webhooks;

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use crate::{app::App, store::Company};

type Shared = State<Arc<App>>;
type Answer = Result<Response, Problem>;

/// A refusal: `{"error": "..."}`.
struct Problem(StatusCode, String);

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

/// Reads a JSON body whatever its content type, so that a bare `curl -d` does.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| bad(error.to_string()))
}

/// `current` with the fields of a JSON body laid over it; null brings an optional one back to none.
fn laid_over<T: Serialize + DeserializeOwned>(current: &T, body: &[u8]) -> Result<T, Problem> {
    let changes: Map<String, Value> = read(body)?;
    let mut fields = serde_json::to_value(current).map_err(|error| bad(error.to_string()))?;
    if let Value::Object(fields) = &mut fields {
        fields.extend(changes);
    }
    serde_json::from_value(fields).map_err(|error| bad(error.to_string()))
}

fn bad(problem: impl Into<String>) -> Problem {
    Problem(StatusCode::BAD_REQUEST, problem.into())
}

fn missing(what: &str) -> Problem {
    Problem(StatusCode::NOT_FOUND, format!("no {what}"))
}

fn find(app: &App, realm: &str) -> Result<Arc<Company>, Problem> {
    app.company(realm).ok_or_else(|| missing(&format!("company {realm}")))
}

/// The admin routes.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(index))
        .route("/reset", post(reset))
        .merge(batch::routes())
        .merge(clock::routes())
        .merge(companies::routes())
        .merge(counters::routes())
        .merge(faults::routes())
        .merge(latency::routes())
        .merge(limits::routes())
        .merge(meter::routes())
        .merge(oauth::routes())
        .merge(replay::routes())
        .merge(requests::routes())
        .merge(schema::routes())
        .merge(webhooks::routes())
        // The server's own limit has been applied already.
        .layer(DefaultBodyLimit::disable())
}

async fn index() -> &'static str {
    "QuickBooks sandbox, admin API. See the README for /clock, /faults, /requests, /counters, \
     /companies, /oauth, /tokens, /limits, /meter, /latency, /replay, /batch, /webhooks, /reset.\n"
}

async fn reset(State(app): Shared) -> Answer {
    app.reset().map_err(bad)?;
    Ok(clock::now_json(app.now()))
}
