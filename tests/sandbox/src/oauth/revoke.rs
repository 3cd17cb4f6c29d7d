//! The revocation endpoint.

use std::sync::Arc;

use axum::{body::Bytes, extract::State, http::HeaderMap, response::Response};
use serde_json::Value;

use super::request::{Form, INVALID_CLIENT, INVALID_REQUEST, authenticate};
use crate::{app::App, counters::TokenCall, server::Note};

/// `POST /v2/oauth2/tokens/revoke`: `{"token": "<access or refresh>"}`, or the same as a form. 200
/// with nothing in it, or 400: no such token, another app's, or dead already.
pub(super) async fn revoke(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let form = Form::read(&body);
    let token = token_of(&body, &form);
    let Some(caller) = authenticate(&app.oauth, &headers, &form) else {
        return INVALID_CLIENT.response();
    };
    let realm = token.as_deref().and_then(|token| app.oauth.realm_of(token));
    let mut response = match token {
        Some(token) if app.oauth.revoke(&caller.client_id, &token).is_ok() => Response::default(),
        _ => INVALID_REQUEST.response(),
    };
    app.count(realm.as_ref(), |counters| counters.token(TokenCall::Revoke));
    let note =
        Note { realm, entity: "token".into(), operation: "revoke".into(), ..Note::default() };
    response.extensions_mut().insert(note);
    response
}

/// The token of a JSON body or of a form.
pub(super) fn token_of(body: &[u8], form: &Form) -> Option<String> {
    match serde_json::from_slice::<Value>(body) {
        Ok(body) => body.get("token")?.as_str().map(ToOwned::to_owned),
        Err(_) => form.get("token").map(ToOwned::to_owned),
    }
}
