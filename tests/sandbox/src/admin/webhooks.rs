//! The app's webhooks: subscription, posts, and posts by hand.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{FromRequestParts, Query, State},
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Answer, Problem, Shared, bad, missing, read};
use crate::{
    app::App,
    ids::ClientId,
    webhooks::{Channel, Delivery, Receiver, Signed, Signing, Subscription},
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

#[derive(Deserialize)]
struct OfApp {
    app: Option<ClientId>,
}

/// The webhooks of `?app=`, by default those of the configured app.
struct Own(Arc<Channel>);

impl FromRequestParts<Arc<App>> for Own {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let query = Query::<OfApp>::try_from_uri(&parts.uri);
        let OfApp { app: named } = query.map_err(|rejection| bad(rejection.body_text()))?.0;
        let client = named.as_ref().map_or(app.config.client_id.as_str(), ClientId::as_str);
        match app.oauth.registration(client) {
            Some(registration) => Ok(Self(app.webhooks.channel(&registration.client_id))),
            None => Err(missing(&format!("app {client}"))),
        }
    }
}

fn describe(channel: &Channel) -> Response {
    let (changes, posts) = channel.waiting();
    Json(json!({
        "subscription": channel.subscription().as_deref(),
        "paused": channel.is_paused(),
        "waiting": { "changes": changes, "posts": posts },
    }))
    .into_response()
}

async fn state(Own(channel): Own) -> Response {
    describe(&channel)
}

/// Subscribes, or changes the subscription by the fields that are sent.
async fn subscribe(State(app): Shared, Own(channel): Own, body: Bytes) -> Answer {
    let changes: Map<String, Value> = read(&body)?;
    let before = if let Some(subscription) = channel.subscription() {
        subscription
    } else {
        let url = changes.get("url").and_then(Value::as_str);
        let receiver = Receiver::parse(url.ok_or_else(|| bad("url is missing"))?).map_err(bad)?;
        Arc::new(Subscription::new(receiver, app.config.webhook_verifier_token.clone()))
    };
    channel.subscribe(Some(before.changed(changes).map_err(bad)?));
    Ok(describe(&channel))
}

async fn unsubscribe(Own(channel): Own) -> StatusCode {
    channel.subscribe(None);
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct Selection {
    realm: Option<String>,
    /// A sequence number: posts after it.
    since: Option<u64>,
    /// No more than so many, the latest.
    last: Option<usize>,
}

async fn deliveries(Own(channel): Own, Query(selection): Query<Selection>) -> Response {
    let Selection { realm, since, last } = selection;
    let wanted = |delivery: &Delivery| {
        let of_realm = |realm| delivery.realms.iter().any(|own| own.as_str() == realm);
        realm.as_deref().is_none_or(of_realm) && since.is_none_or(|since| delivery.seq > since)
    };
    let chosen = channel.deliveries(wanted, last.unwrap_or(usize::MAX));
    Json(json!({ "deliveries": chosen })).into_response()
}

async fn forget(Own(channel): Own) -> StatusCode {
    channel.forget_finished();
    StatusCode::NO_CONTENT
}

async fn settle(State(app): Shared, Own(channel): Own) -> Response {
    let settled = app.webhooks.settle(&app.clock, PATIENCE).await;
    let (changes, posts) = channel.waiting();
    let waiting = json!({ "changes": changes, "posts": posts });
    Json(json!({ "settled": settled, "waiting": waiting })).into_response()
}

async fn flush(state: Shared, Own(channel): Own) -> Response {
    channel.flush();
    settle(state, Own(channel)).await
}

async fn pause(Own(channel): Own) -> Response {
    channel.pause(true);
    describe(&channel)
}

async fn resume(Own(channel): Own) -> Response {
    channel.pause(false);
    describe(&channel)
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

async fn send(State(app): Shared, Own(channel): Own, body: Bytes) -> Answer {
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
    let sent = channel.send(&app.clock, text, wish.content_type, signed).await;
    sent.map(|delivery| Json(delivery).into_response()).ok_or_else(unsubscribed)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Redeliver {
    seq: u64,
}

async fn redeliver(State(app): Shared, Own(channel): Own, body: Bytes) -> Answer {
    let Redeliver { seq } = read(&body)?;
    if channel.subscription().is_none() {
        return Err(unsubscribed());
    }
    let sent = channel.redeliver(&app.clock, seq).await;
    sent.map(|delivery| Json(delivery).into_response())
        .ok_or_else(|| missing(&format!("delivery {seq}")))
}

fn unsubscribed() -> Problem {
    Problem(StatusCode::CONFLICT, "nobody has subscribed: POST /webhooks".into())
}
