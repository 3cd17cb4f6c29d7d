//! The app's webhooks: subscription, posts, and posts by hand.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Answer, Problem, Shared, bad, missing, read};
use crate::{
    app::App,
    webhooks::{Delivery, Receiver, Signed, Signing, Subscription},
};

/// How long a call waits for posts that are under way; longer than a receiver has by default.
const PATIENCE: Duration = Duration::from_secs(10);

/// `/webhooks`.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/webhooks", get(state).post(subscribe).delete(unsubscribe))
        .route("/webhooks/deliveries", get(deliveries).delete(forget))
        .route("/webhooks/flush", post(flush))
        .route("/webhooks/settle", post(settle))
        .route("/webhooks/pause", post(pause))
        .route("/webhooks/resume", post(resume))
        .route("/webhooks/send", post(send))
        .route("/webhooks/redeliver", post(redeliver))
}

fn describe(app: &App) -> Response {
    let (changes, posts) = app.webhooks.waiting();
    Json(json!({
        "subscription": app.webhooks.subscription().as_deref(),
        "paused": app.webhooks.is_paused(),
        "waiting": { "changes": changes, "posts": posts },
    }))
    .into_response()
}

async fn state(State(app): Shared) -> Response {
    describe(&app)
}

/// Subscribes, or changes the subscription by the fields that are sent.
async fn subscribe(State(app): Shared, body: Bytes) -> Answer {
    let changes: Map<String, Value> = read(&body)?;
    let before = if let Some(subscription) = app.webhooks.subscription() {
        subscription
    } else {
        let url = changes.get("url").and_then(Value::as_str);
        let receiver = Receiver::parse(url.ok_or_else(|| bad("url is missing"))?).map_err(bad)?;
        Arc::new(Subscription::new(receiver, app.config.webhook_verifier_token.clone()))
    };
    app.webhooks.subscribe(Some(before.changed(changes).map_err(bad)?));
    Ok(describe(&app))
}

async fn unsubscribe(State(app): Shared) -> StatusCode {
    app.webhooks.subscribe(None);
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Selection {
    realm: Option<String>,
    /// A sequence number: posts after it.
    since: Option<u64>,
}

async fn deliveries(State(app): Shared, Query(selection): Query<Selection>) -> Response {
    let wanted = |delivery: &Delivery| {
        let of_realm = |realm| delivery.realms.iter().any(|own| own.as_str() == realm);
        selection.realm.as_deref().is_none_or(of_realm)
            && selection.since.is_none_or(|since| delivery.seq > since)
    };
    Json(json!({ "deliveries": app.webhooks.deliveries(wanted) })).into_response()
}

async fn forget(State(app): Shared) -> StatusCode {
    app.webhooks.forget_finished();
    StatusCode::NO_CONTENT
}

async fn settled(app: &App) -> Response {
    let settled = app.webhooks.settle(&app.clock, PATIENCE).await;
    let (changes, posts) = app.webhooks.waiting();
    let waiting = json!({ "changes": changes, "posts": posts });
    Json(json!({ "settled": settled, "waiting": waiting })).into_response()
}

async fn flush(State(app): Shared) -> Response {
    app.webhooks.flush();
    settled(&app).await
}

async fn settle(State(app): Shared) -> Response {
    settled(&app).await
}

async fn pause(State(app): Shared) -> Response {
    app.webhooks.pause(true);
    describe(&app)
}

async fn resume(State(app): Shared) -> Response {
    app.webhooks.pause(false);
    describe(&app)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ByHand {
    /// A text is posted as it is, anything else as JSON.
    body: Value,
    content_type: Option<String>,
    #[serde(default)]
    signature: Signing,
    /// Signs under this token instead.
    verifier_token: Option<String>,
    /// The header's text instead of a signature.
    signature_header: Option<String>,
}

async fn send(State(app): Shared, body: Bytes) -> Answer {
    let wish: ByHand = read(&body)?;
    let text = match wish.body {
        Value::String(text) => text,
        other => other.to_string(),
    };
    let signed = match (wish.signature_header, wish.verifier_token) {
        (Some(text), _) => Signed::Text(text),
        (None, Some(token)) => Signed::With(token),
        (None, None) => Signed::As(wish.signature),
    };
    let sent = app.webhooks.send(&app.clock, text, wish.content_type, signed).await;
    sent.map(|delivery| Json(delivery).into_response()).ok_or_else(unsubscribed)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Redeliver {
    seq: u64,
}

async fn redeliver(State(app): Shared, body: Bytes) -> Answer {
    let Redeliver { seq } = read(&body)?;
    if app.webhooks.subscription().is_none() {
        return Err(unsubscribed());
    }
    let sent = app.webhooks.redeliver(&app.clock, seq).await;
    sent.map(|delivery| Json(delivery).into_response())
        .ok_or_else(|| missing(&format!("delivery {seq}")))
}

fn unsubscribed() -> Problem {
    Problem(StatusCode::CONFLICT, "nobody has subscribed: POST /webhooks".into())
}
