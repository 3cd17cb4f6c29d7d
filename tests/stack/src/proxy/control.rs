//! The proxy's HTTP interface for tests and scripts.
//!
//! | call | does |
//! |---|---|
//! | `GET /health` | answers `{"ok":true}` |
//! | `GET /log?since=N` | `{entries, next}`: calls from number N on |
//! | `DELETE /log` | forgets the calls |
//! | `GET /usage`, `DELETE /usage` | permissions used: function, action, resource, counts |
//! | `POST /crash` | kills the process at its `nth` matching call, `when` before or after it |
//! | `POST /cut` | closes the connection there instead |
//! | `POST /delay` | holds matching calls back for `delayMs`, then passes them on |
//! | `POST /refuse` | answers matching calls with `status` (503) for `seconds` or `calls` |
//! | `GET /rules`, `DELETE /rules` | the rules in force |

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::rules::{Effect, Matcher, Span, When};
use super::{Proxy, Target};

type Shared = State<Arc<Proxy>>;
type Refused = (StatusCode, Json<Value>);
type Added = Result<Json<Value>, Refused>;

/// The routes.
pub fn router(proxy: Arc<Proxy>) -> Router {
    Router::new()
        .route("/health", get(async || Json(json!({ "ok": true }))))
        .route("/log", get(log).delete(clear_log))
        .route("/usage", get(usage).delete(clear_usage))
        .route("/crash", post(crash))
        .route("/cut", post(cut))
        .route("/delay", post(delay))
        .route("/refuse", post(refuse))
        .route("/rules", get(rules).delete(clear_rules))
        .with_state(proxy)
}

#[derive(Deserialize)]
struct Since {
    #[serde(default)]
    since: u64,
}

async fn log(State(proxy): Shared, Query(Since { since }): Query<Since>) -> Json<Value> {
    let (entries, next) = proxy.log.since(since);
    Json(json!({ "entries": entries, "next": next }))
}

async fn clear_log(State(proxy): Shared) {
    proxy.log.clear();
}

async fn usage(State(proxy): Shared) -> Json<Value> {
    Json(json!(proxy.log.usage()))
}

async fn clear_usage(State(proxy): Shared) {
    proxy.log.clear_usage();
}

/// The body of `POST /crash`, `/cut`, `/delay` and `/refuse`: one flat object.
#[derive(Deserialize)]
struct Order {
    function: Option<String>,
    target: Option<Target>,
    action: Option<String>,
    resource: Option<String>,
    path: Option<String>,
    nth: Option<u64>,
    calls: Option<u64>,
    seconds: Option<u64>,
    when: Option<When>,
    status: Option<u16>,
    #[serde(rename = "delayMs")]
    delay_ms: Option<u64>,
}

impl Order {
    /// One call is touched unless more are asked for: a test that forgets the number must not
    /// kill a process again and again.
    fn add(self, proxy: &Proxy, effect: Effect) -> Added {
        let calls = self.calls.or(self.seconds.is_none().then_some(1));
        let span = Span { nth: self.nth, calls, seconds: self.seconds };
        let Self { function, target, action, resource, path, .. } = self;
        let matcher = Matcher { function, target, action, resource, path };
        let id = proxy.rules.add(matcher, span, effect).map_err(|error| refused(&error))?;
        Ok(Json(json!({ "id": id })))
    }

    fn when(&self) -> Result<When, Refused> {
        self.when.ok_or_else(|| refused(&"`when` is missing: before or after"))
    }
}

fn refused(reason: &impl std::fmt::Display) -> Refused {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": reason.to_string() })))
}

async fn crash(State(proxy): Shared, Json(order): Json<Order>) -> Added {
    let when = order.when()?;
    order.add(&proxy, Effect::Crash { when })
}

async fn cut(State(proxy): Shared, Json(order): Json<Order>) -> Added {
    let when = order.when()?;
    order.add(&proxy, Effect::Cut { when })
}

async fn delay(State(proxy): Shared, Json(order): Json<Order>) -> Added {
    let ms = order.delay_ms.ok_or_else(|| refused(&"`delayMs` is missing"))?;
    order.add(&proxy, Effect::Delay { ms })
}

async fn refuse(State(proxy): Shared, Json(order): Json<Order>) -> Added {
    let status = order.status.unwrap_or(503);
    order.add(&proxy, Effect::Refuse { status })
}

async fn rules(State(proxy): Shared) -> Json<Value> {
    Json(json!(proxy.rules.list()))
}

async fn clear_rules(State(proxy): Shared) {
    proxy.rules.clear();
}
