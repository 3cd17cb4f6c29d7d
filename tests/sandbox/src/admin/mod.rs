//! The admin API: what a test, a script or the page for people does to the sandbox. No authorization;
//! loopback only.

mod clock;
mod companies;
mod counters;
mod faults;
mod guard;
mod help;
mod latency;
mod limits;
mod meter;
mod oauth;
mod requests;
mod scenarios;
mod schema;
mod snapshots;
mod switches;
mod webhooks;

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode},
    middleware,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use crate::{app::App, page, store::Company};

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

/// The admin port's side of `app`.
pub(crate) fn router(app: &Arc<App>) -> Router {
    routes()
        .layer(middleware::map_response(harden))
        .layer(middleware::from_fn_with_state(Arc::clone(app), guard::guard))
        .with_state(Arc::clone(app))
}

/// No browser takes an answer for another kind of file, or lets a foreign page embed it.
async fn harden(mut response: Response) -> Response {
    for (name, value) in
        [("x-content-type-options", "nosniff"), ("cross-origin-resource-policy", "same-origin")]
    {
        response
            .headers_mut()
            .insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(index))
        .route("/help", get(help))
        .route("/reset", post(reset))
        .merge(clock::routes())
        .merge(companies::routes())
        .merge(counters::routes())
        .merge(faults::routes())
        .merge(latency::routes())
        .merge(limits::routes())
        .merge(meter::routes())
        .merge(oauth::routes())
        .merge(page::routes())
        .merge(requests::routes())
        .merge(schema::routes())
        .merge(scenarios::routes())
        .merge(snapshots::routes())
        .merge(switches::routes())
        .merge(webhooks::routes())
        // The server's own limit has been applied already.
        .layer(DefaultBodyLimit::disable())
}

async fn index(headers: HeaderMap) -> Response {
    if page::wanted(&headers) { page::page() } else { help::text().into_response() }
}

async fn help() -> String {
    help::text()
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Reset {
    seed: Option<u64>,
}

async fn reset(State(app): Shared, body: Bytes) -> Answer {
    let Reset { seed } = if body.is_empty() { Reset::default() } else { read(&body)? };
    app.reset(seed).map_err(bad)?;
    Ok(clock::now_json(app.now()))
}
