//! Signing in at the issuer as a web page does it: authorization code with PKCE (RFC 7636), without a
//! client secret. The page shows the demo people as links; `auto=<user>` chooses one at once, and with
//! `companies=<claim>` besides it is anybody.

use std::{
    collections::HashMap,
    fmt::Write as _,
    sync::{Arc, Mutex},
};

use axum::{
    extract::{RawQuery, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use url::Url;

use super::{AUDIENCE, LIFETIME_S, USERS, access_token};
use crate::{
    app::App,
    fault::json_response,
    oauth::{Challenge, Form, escape, found, html, is_local},
    store::lock,
};

const PAGE: &str = include_str!("sign_in.html");

/// A code is exchanged within this time (real time, as all of the issuer's).
const CODE_LIVES: SignedDuration = SignedDuration::from_mins(1);
/// Codes that wait for their exchange; the oldest go first.
const CODES: usize = 1000;

/// Codes that were handed out and not exchanged yet.
#[derive(Default)]
pub(super) struct Codes(Mutex<HashMap<String, Code>>);

struct Code {
    user: String,
    companies: String,
    audience: String,
    client: String,
    redirect_uri: String,
    challenge: Challenge,
    nonce: Option<String>,
    ends: Timestamp,
}

/// `GET /issuer/authorize`.
pub(super) async fn authorize(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let form = Form::read(query.as_bytes());
    let refuse = |problem: &str| {
        let page =
            PAGE.replace("{{people}}", &format!("<p role=\"alert\">{}</p>", escape(problem)));
        html(StatusCode::BAD_REQUEST, page)
    };
    let redirect_uri = form.get("redirect_uri").unwrap_or("");
    let Some(client) = form.get("client_id") else { return refuse("The client_id is missing.") };
    let Some(target) = Url::parse(redirect_uri).ok().filter(|_| is_local(redirect_uri)) else {
        return refuse("The redirect_uri is not an address on this machine.");
    };
    let back = |answer: &[(&str, &str)]| {
        let mut target = target.clone();
        target.query_pairs_mut().extend_pairs(answer);
        if let Some(state) = form.get("state") {
            target.query_pairs_mut().append_pair("state", state);
        }
        found(target.as_str())
    };
    let method = form.get("code_challenge_method").unwrap_or("");
    let challenge = Challenge::read(form.get("code_challenge").unwrap_or(""), method);
    let (Ok(Some(challenge)), "S256", Some("code"), false) =
        (challenge, method, form.get("response_type"), form.repeats)
    else {
        return back(&[("error", "invalid_request")]);
    };
    if form.get("auto") == Some("nobody") {
        return back(&[("error", "access_denied")]);
    }
    let known = |user: &str| {
        USERS.iter().find(|(name, _)| *name == user).map(|(_, companies)| (*companies).to_owned())
    };
    let person = form.get("auto").and_then(|user| {
        let companies = form.get("companies").map(str::to_owned).or_else(|| known(user))?;
        Some((user.to_owned(), companies))
    });
    let Some((user, companies)) = person else {
        return html(StatusCode::OK, PAGE.replace("{{people}}", &people(&query)));
    };
    let code = Code {
        user,
        companies,
        audience: form.get("audience").unwrap_or(AUDIENCE).to_owned(),
        client: client.to_owned(),
        redirect_uri: redirect_uri.to_owned(),
        challenge,
        nonce: form.get("nonce").map(str::to_owned),
        ends: Timestamp::now() + CODE_LIVES,
    };
    back(&[("code", &app.issuer.codes.keep(code))])
}

/// The people as links that come back with their name.
fn people(query: &str) -> String {
    let mut links = String::new();
    for (user, companies) in USERS {
        // Writing to a String cannot fail.
        let _ = write!(
            links,
            r#"<a href="?{}&amp;auto={user}">{user}<small>{companies}</small></a>"#,
            escape(query)
        );
    }
    let _ = write!(links, r#"<a href="?{}&amp;auto=nobody">Cancel</a>"#, escape(query));
    links
}

/// The form of `POST /issuer/token`: `grant_type=authorization_code`.
pub(super) fn exchange(app: &App, body: &[u8]) -> Response {
    let refuse = |error: &str| json_response(StatusCode::BAD_REQUEST, &json!({ "error": error }));
    let form = Form::read(body);
    if form.get("grant_type") != Some("authorization_code") {
        return refuse("unsupported_grant_type");
    }
    let code = form.get("code").and_then(|code| app.issuer.codes.burn(code));
    let good = code.filter(|code| {
        code.ends > Timestamp::now()
            && form.get("client_id") == Some(&code.client)
            && form.get("redirect_uri") == Some(&code.redirect_uri)
            && code.challenge.is_answered_by(form.get("code_verifier"))
    });
    let Some(code) = good else { return refuse("invalid_grant") };
    let now = Timestamp::now().as_second();
    let mut identity = json!({
        "iss": app.issuer.url,
        "sub": code.user,
        "aud": code.client,
        "iat": now,
        "exp": now + LIFETIME_S,
    });
    if let Some(nonce) = code.nonce {
        identity["nonce"] = nonce.into();
    }
    let access = access_token(app, &code.user, &code.companies, &code.audience, LIFETIME_S);
    let (Some(access), Some(identity)) = (access, app.issuer.sign(&identity)) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let answer = json!({
        "access_token": access,
        "id_token": identity,
        "token_type": "Bearer",
        "expires_in": LIFETIME_S,
    });
    json_response(StatusCode::OK, &answer)
}

/// Lets pages of this machine read the answer, and no others.
pub(super) fn readable_here(headers: &HeaderMap, mut response: Response) -> Response {
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = headers.get(header::ORIGIN)
        && origin.to_str().is_ok_and(is_local)
    {
        response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    }
    response
}

impl Codes {
    fn keep(&self, code: Code) -> String {
        let name = uuid::Uuid::new_v4().simple().to_string();
        let mut codes = lock(&self.0);
        let now = Timestamp::now();
        codes.retain(|_, code| code.ends > now);
        if codes.len() >= CODES {
            codes.clear();
        }
        codes.insert(name.clone(), code);
        name
    }

    /// The code, once.
    fn burn(&self, name: &str) -> Option<Code> {
        lock(&self.0).remove(name)
    }
}
