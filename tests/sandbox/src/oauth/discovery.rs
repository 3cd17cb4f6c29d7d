//! The discovery documents and what else they point at.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use serde_json::{Value, json};

use super::{ISSUER, Refusal, person, scope};
use crate::{
    app::App,
    fault::{Fault, json_response},
    rest::bearer,
};

/// Links carry the host that was asked, so that a proxy in front stays in front. The issuer is
/// Intuit's own name, as in the id tokens: its clients compare it with a constant.
pub(super) async fn document(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let base = match host {
        Some(host) if app.config.public_url.is_none() => format!("http://{host}"),
        _ => app.public_url.clone(),
    };
    let document = json!({
        "issuer": ISSUER,
        "authorization_endpoint": format!("{base}/connect/oauth2"),
        "token_endpoint": format!("{base}{}", super::TOKEN_PATH),
        "userinfo_endpoint": format!("{base}/v1/openid_connect/userinfo"),
        "revocation_endpoint": format!("{base}/v2/oauth2/tokens/revoke"),
        "jwks_uri": format!("{base}/op/v1/jwks"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        // The OpenID scopes alone, as in the real documents.
        "scopes_supported": ["openid", "email", "profile", "address", "phone"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "claims_supported": ["aud", "exp", "iat", "iss", "realmid", "sub"],
    });
    json_response(StatusCode::OK, &document)
}

pub(super) async fn jwks(State(app): State<Arc<App>>) -> Response {
    json_response(StatusCode::OK, &app.issuer.jwks())
}

/// Who gave consent, for a token whose scopes hold `openid`.
pub(super) async fn userinfo(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let now = app.now();
    let refuse = |fault: Fault| fault.response(now, &app.zone(None));
    let Some(token) = bearer(&headers) else {
        return refuse(Fault::unauthenticated("Header Authorization is missing or is no bearer"));
    };
    match app.oauth.opened(token, now) {
        Ok((_, scopes)) if scope::holds(&scopes, scope::OPENID) => {
            json_response(StatusCode::OK, &Value::Object(person::described(&scopes)))
        }
        Ok(_) => refuse(Refusal::Scope.fault(token)),
        Err(refusal) => refuse(refusal.fault(token)),
    }
}
