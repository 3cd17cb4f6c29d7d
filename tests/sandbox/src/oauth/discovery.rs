//! The discovery documents and what else they point at.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use serde_json::json;

use crate::{
    app::App,
    fault::{Fault, json_response},
    rest::bearer,
};

/// Links carry the host that was asked, so that a proxy in front stays in front.
pub(super) async fn document(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let base = match host {
        Some(host) if app.config.public_url.is_none() => format!("http://{host}"),
        _ => app.public_url.clone(),
    };
    let document = json!({
        "issuer": format!("{base}/op/v1"),
        "authorization_endpoint": format!("{base}/connect/oauth2"),
        "token_endpoint": format!("{base}{}", super::TOKEN_PATH),
        "userinfo_endpoint": format!("{base}/v1/openid_connect/userinfo"),
        "revocation_endpoint": format!("{base}/v2/oauth2/tokens/revoke"),
        "jwks_uri": format!("{base}/op/v1/jwks"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid", "email", "profile", "address", "phone"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "claims_supported": ["aud", "exp", "iat", "iss", "realmid", "sub"],
    });
    json_response(StatusCode::OK, &document)
}

pub(super) async fn jwks(State(app): State<Arc<App>>) -> Response {
    json_response(StatusCode::OK, &app.issuer.jwks())
}

/// The one person who gives consent here.
pub(super) async fn userinfo(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let now = app.now();
    let known = bearer(&headers).is_some_and(|token| app.oauth.check(token, now).is_ok());
    if !known {
        return Fault::unauthenticated("Token expired").response(now, &app.zone(None));
    }
    let person = json!({
        "sub": "1182d6ec-60a9-4a2f-8c53-6d1f7a1c0001",
        "email": "owner@sandbox.example",
        "emailVerified": true,
        "givenName": "Sandbox",
        "familyName": "Owner",
    });
    json_response(StatusCode::OK, &person)
}
