//! A local issuer of the host application's JWTs (RS256, OIDC discovery), for development and tests.
//!
//! Its tokens live in real time: whoever checks them does not know the sandbox's clock. The key is
//! in the repository and protects nothing. `sign_in`: how a web page gets a token, with a person.

mod sign_in;

use std::sync::Arc;

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeyPair,
    signature::{KeyPair as _, RSA_PKCS1_SHA256},
};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{app::App, fault::json_response};
use sign_in::{Codes, readable_here};

const KEY: &str = include_str!("../keys/development-only-issuer.pem");

/// Audience of the tokens unless the request names another.
const AUDIENCE: &str = "quickbooks-connector";
/// Seconds that a token lives unless the request says otherwise.
const LIFETIME_S: i64 = 3600;

/// The users that can be asked for by name, with their `companies` claim.
const USERS: [(&str, &str); 6] = [
    ("admin-a", "company-a:admin"),
    ("viewer-a", "company-a:viewer"),
    ("admin-b", "company-b:admin"),
    ("admin-both", "company-a:admin company-b:admin"),
    ("service", "*:service"),
    ("operator", "*:operator"),
];

/// The signing key and what is published of it.
pub(crate) struct Issuer {
    url: String,
    key: KeyPair,
    key_id: String,
    jwk: Value,
    codes: Codes,
}

impl Issuer {
    /// Reads the development key.
    pub(crate) fn new(url: String) -> Result<Self, String> {
        let encoded: String = KEY
            .split("-----BEGIN PRIVATE KEY-----")
            .nth(1)
            .and_then(|rest| rest.split("-----END").next())
            .unwrap_or("")
            .split_whitespace()
            .collect();
        let der = STANDARD.decode(encoded).map_err(|error| format!("issuer key: {error}"))?;
        let key = KeyPair::from_pkcs8(&der).map_err(|error| format!("issuer key: {error}"))?;
        let public = key.public_key();
        let modulus = public.modulus().big_endian_without_leading_zero().to_vec();
        let exponent = public.exponent().big_endian_without_leading_zero().to_vec();
        let key_id = URL_SAFE_NO_PAD.encode(&Sha256::digest(&modulus)[..12]);
        let jwk = json!({
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": key_id,
            "n": URL_SAFE_NO_PAD.encode(modulus),
            "e": URL_SAFE_NO_PAD.encode(exponent),
        });
        Ok(Self { url, key, key_id, jwk, codes: Codes::default() })
    }

    /// The key set.
    pub(crate) fn jwks(&self) -> Value {
        json!({ "keys": [self.jwk] })
    }

    /// A token with these claims. `None`: the key does not sign.
    pub(crate) fn sign(&self, claims: &Value) -> Option<String> {
        let header = json!({ "alg": "RS256", "typ": "JWT", "kid": self.key_id });
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(&header), encode(claims));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .ok()?;
        Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// The issuer's routes.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/issuer/.well-known/openid-configuration", get(discovery))
        .route("/issuer/jwks", get(jwks))
        .route("/issuer/authorize", get(sign_in::authorize))
        .route("/issuer/token", post(token))
}

async fn discovery(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let url = &app.issuer.url;
    let document = json!({
        "issuer": url,
        "jwks_uri": format!("{url}/jwks"),
        "token_endpoint": format!("{url}/token"),
        "authorization_endpoint": format!("{url}/authorize"),
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none"],
        "scopes_supported": ["openid"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "claims_supported": ["iss", "sub", "aud", "iat", "exp", "companies"],
    });
    readable_here(&headers, json_response(StatusCode::OK, &document))
}

async fn jwks(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    readable_here(&headers, json_response(StatusCode::OK, &app.issuer.jwks()))
}

/// A known `user`, or any `sub` with any `companies`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wish {
    user: Option<String>,
    sub: Option<String>,
    companies: Option<String>,
    /// Seconds; negative for a token that has expired.
    expires_in: Option<i64>,
    audience: Option<String>,
}

/// `POST /issuer/token`: a [`Wish`] as JSON, for scripts; or the form of a page that signs in.
async fn token(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Response {
    let is_wish = body.trim_ascii_start().starts_with(b"{");
    let answer = if is_wish { granted(&app, &body) } else { sign_in::exchange(&app, &body) };
    // Any page may sign in with a person's help; only scripts may wish.
    let mut answer = if is_wish { answer } else { readable_here(&headers, answer) };
    answer
        .headers_mut()
        .insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    answer
}

fn granted(app: &App, body: &[u8]) -> Response {
    let refuse = |problem: &str| {
        json_response(
            StatusCode::BAD_REQUEST,
            &json!({ "error": "invalid_request", "error_description": problem }),
        )
    };
    let wish: Wish = match serde_json::from_slice(body) {
        Ok(wish) => wish,
        Err(error) => return refuse(&error.to_string()),
    };
    let (subject, companies) = match (wish.user, wish.sub, wish.companies) {
        (Some(user), None, None) => match USERS.iter().find(|(name, _)| *name == user) {
            Some((_, companies)) => (user, (*companies).to_owned()),
            None => return refuse(&format!("no user {user}")),
        },
        (None, Some(sub), Some(companies)) => (sub, companies),
        _ => return refuse("give either user, or sub and companies"),
    };
    let lifetime = wish.expires_in.unwrap_or(LIFETIME_S);
    let audience = wish.audience.as_deref().unwrap_or(AUDIENCE);
    let Some(token) = access_token(app, &subject, &companies, audience, lifetime) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let answer = json!({ "access_token": token, "token_type": "Bearer", "expires_in": lifetime });
    json_response(StatusCode::OK, &answer)
}

/// `None`: the key does not sign.
fn access_token(
    app: &App,
    subject: &str,
    companies: &str,
    audience: &str,
    lifetime: i64,
) -> Option<String> {
    let now = Timestamp::now().as_second();
    app.issuer.sign(&json!({
        "iss": app.issuer.url,
        "sub": subject,
        "aud": audience,
        "iat": now.min(now.saturating_add(lifetime)),
        "exp": now.saturating_add(lifetime),
        "jti": uuid::Uuid::new_v4(),
        "companies": companies,
    }))
}
