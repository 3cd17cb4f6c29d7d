//! The token and revocation endpoints.

use std::{collections::HashMap, sync::Arc};

use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::grants::{ACCESS_S, Refusal, Tokens};
use crate::{app::App, counters::TokenCall, fault::json_response, faults::Subject, server::Note};

/// Opt-in for `x_refresh_token_hard_expires_in` in the answer.
const HARD_EXPIRY_HEADER: &str = "x-include-refresh-token-hard-expires-in";

/// `POST /oauth2/v1/tokens/bearer`: code exchange and refresh.
pub(super) async fn bearer(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let form: HashMap<String, String> = url::form_urlencoded::parse(&body).into_owned().collect();
    let field = |name: &str| form.get(name).map_or("", String::as_str);
    let grant_type = field("grant_type");
    let (operation, credential) = match grant_type {
        "authorization_code" => ("exchange", field("code")),
        "refresh_token" => ("refresh", field("refresh_token")),
        _ => ("", ""),
    };
    let realm = app.oauth.realm_of(credential);
    let zone = app.zone(realm.as_ref());
    let plan = app.faults.plan(&Subject {
        method: "POST",
        path_and_query: super::TOKEN_PATH,
        realm: realm.as_ref(),
        body: &body,
        batch_item: None,
    });
    // Held over the delays of a fault, so that two refreshes at once are seen as such.
    let refreshing = (operation == "refresh").then(|| app.oauth.begin_refresh(credential));
    if refreshing.as_ref().is_some_and(|refreshing| refreshing.concurrent) {
        app.count(realm.as_ref(), |counters| counters.token(TokenCall::Concurrent));
    }

    let mut response = if let Some(response) = plan.before(app.now(), &zone).await {
        response
    } else {
        let (response, call) = answer(&app, &headers, &form, operation, credential);
        app.count(realm.as_ref(), |counters| counters.token(call));
        plan.after(response, app.now(), &zone).await
    };
    response.extensions_mut().insert(Note {
        realm,
        entity: "token".into(),
        operation: operation.into(),
        fault: plan.fault,
        ..Note::default()
    });
    response
}

fn answer(
    app: &App,
    headers: &HeaderMap,
    form: &HashMap<String, String>,
    operation: &str,
    credential: &str,
) -> (Response, TokenCall) {
    let refuse = |status, error, description: Option<&str>| {
        (refusal(status, error, description), TokenCall::Refused)
    };
    if !known_client(app, headers, form) {
        return refuse(StatusCode::UNAUTHORIZED, "invalid_client", None);
    }
    let is_form = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    let grant_type = form.get("grant_type").map_or("", String::as_str);
    if !is_form || grant_type.is_empty() {
        return refuse(StatusCode::BAD_REQUEST, "invalid_request", None);
    }
    let now = app.now();
    let (result, call) = match operation {
        "exchange" => {
            let redirect_uri = form.get("redirect_uri").map_or("", String::as_str);
            (app.oauth.exchange(credential, redirect_uri, now), TokenCall::Exchange)
        }
        "refresh" => (app.oauth.refresh(credential, now), TokenCall::Refresh),
        _ => return refuse(StatusCode::BAD_REQUEST, "unsupported_grant_type", None),
    };
    match result {
        Ok(tokens) => {
            let hard = headers.get(HARD_EXPIRY_HEADER).is_some_and(|value| value == "true");
            (token_response(&tokens, hard), call)
        }
        Err(reason) => {
            let description = match (operation, reason) {
                ("refresh", Refusal::Expired) => Some("Token invalid"),
                ("refresh", _) => Some("Incorrect or invalid refresh token"),
                // A real refused exchange often says nothing more.
                _ => None,
            };
            refuse(StatusCode::BAD_REQUEST, "invalid_grant", description)
        }
    }
}

fn token_response(tokens: &Tokens, hard: bool) -> Response {
    let mut body = json!({
        "token_type": "bearer",
        "access_token": tokens.access,
        "expires_in": ACCESS_S,
        "refresh_token": tokens.refresh,
        "x_refresh_token_expires_in": tokens.refresh_expires_s,
    });
    if hard {
        body["x_refresh_token_hard_expires_in"] = json!(tokens.hard_expires_s);
    }
    no_store(json_response(StatusCode::OK, &body))
}

fn refusal(status: StatusCode, error: &str, description: Option<&str>) -> Response {
    let mut body = json!({ "error": error });
    if let Some(description) = description {
        body["error_description"] = json!(description);
    }
    no_store(json_response(status, &body))
}

fn no_store(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Id and secret by Basic authorization, or as form fields.
fn known_client(app: &App, headers: &HeaderMap, form: &HashMap<String, String>) -> bool {
    let basic = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"))
        .and_then(|(_, encoded)| STANDARD.decode(encoded.trim()).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let (id, secret) = match basic.as_deref().and_then(|pair| pair.split_once(':')) {
        Some(pair) => pair,
        None => match (form.get("client_id"), form.get("client_secret")) {
            (Some(id), Some(secret)) => (id.as_str(), secret.as_str()),
            _ => return false,
        },
    };
    id == app.config.client_id && secret == app.config.client_secret
}

/// `POST /v2/oauth2/tokens/revoke`: `{"token": "<access or refresh>"}`, JSON or form.
pub(super) async fn revoke(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let form: HashMap<String, String> = url::form_urlencoded::parse(&body).into_owned().collect();
    let token = serde_json::from_slice::<Value>(&body)
        .ok()
        .and_then(|body| body.get("token")?.as_str().map(ToOwned::to_owned))
        .or_else(|| form.get("token").cloned());
    if !known_client(&app, &headers, &form) {
        return refusal(StatusCode::UNAUTHORIZED, "invalid_client", None);
    }
    let realm = token.as_deref().and_then(|token| app.oauth.realm_of(token));
    let mut response = match token {
        Some(token) if app.oauth.revoke(&token) => Response::default(),
        _ => refusal(StatusCode::BAD_REQUEST, "invalid_request", None),
    };
    app.count(realm.as_ref(), |counters| counters.token(TokenCall::Revoke));
    let note =
        Note { realm, entity: "token".into(), operation: "revoke".into(), ..Note::default() };
    response.extensions_mut().insert(note);
    response
}
