//! The consent page, for people and for scripts.

use std::{collections::HashMap, fmt::Write as _, sync::Arc};

use axum::{
    body::{Body, Bytes},
    extract::{RawQuery, State},
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use url::Url;

use crate::{
    app::App,
    ids::{ClientId, Realm},
    server::Note,
};

const PAGE: &str = include_str!("consent.html");
const ERROR_PAGE: &str = include_str!("error.html");

/// What a page may load: nothing but its own style; and nobody may frame it, as at Intuit.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; \
                      frame-ancestors 'none'";

/// The authorize call, checked.
struct Request {
    client_id: String,
    redirect_uri: Url,
    /// As sent, since the exchange must repeat it to the letter.
    redirect_text: String,
    state: String,
    scope: String,
}

/// `GET /connect/oauth2`: the page, or with `auto=<realm>` the redirect at once.
pub(super) async fn authorize(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Response {
    let fields = fields(query.unwrap_or_default().as_bytes());
    let request = match read(&app, &fields) {
        Ok(request) => request,
        Err(problem) => return error_page(&problem),
    };
    match fields.get("auto") {
        Some(realm) => connect(&app, &request, realm),
        None => consent_page(&app, &request),
    }
}

/// `POST /connect/oauth2`: the page's form. `decision` is `connect` or `deny`.
pub(super) async fn decide(State(app): State<Arc<App>>, body: Bytes) -> Response {
    let fields = fields(&body);
    let request = match read(&app, &fields) {
        Ok(request) => request,
        Err(problem) => return error_page(&problem),
    };
    match fields.get("decision").map(String::as_str) {
        Some("deny") => redirect(&request, &[("error", "access_denied")], None),
        Some("connect") => match fields.get("realm").or_else(|| fields.get("auto")) {
            Some(realm) => connect(&app, &request, realm),
            None => error_page("Choose a company."),
        },
        _ => error_page("The form came without a decision."),
    }
}

fn fields(encoded: &[u8]) -> HashMap<String, String> {
    url::form_urlencoded::parse(encoded).into_owned().collect()
}

fn read(app: &App, fields: &HashMap<String, String>) -> Result<Request, String> {
    let field = |name: &str| fields.get(name).map_or("", String::as_str).to_owned();
    let client_id = field("client_id");
    if client_id != app.config.client_id {
        return Err("The client_id is not one of an app that this sandbox knows.".into());
    }
    if field("response_type") != "code" {
        return Err("The response_type must be code.".into());
    }
    let redirect_text = field("redirect_uri");
    let redirect_uri = Url::parse(&redirect_text)
        .ok()
        .filter(is_local)
        .ok_or("The redirect_uri must be a URL on localhost or 127.0.0.1.")?;
    let (state, scope) = (field("state"), field("scope"));
    if scope.is_empty() || state.is_empty() {
        return Err("The request must carry a scope and a state.".into());
    }
    Ok(Request { client_id, redirect_uri, redirect_text, state, scope })
}

/// Nothing leaves this machine: only loopback names are redirected to.
fn is_local(url: &Url) -> bool {
    let host = url.host_str().unwrap_or("");
    matches!(url.scheme(), "http" | "https")
        && (host == "127.0.0.1"
            || host == "[::1]"
            || host == "localhost"
            || host.ends_with(".localhost"))
}

fn connect(app: &App, request: &Request, realm: &str) -> Response {
    let Some(company) = app.company(realm) else {
        return error_page("There is no company with this realm.");
    };
    let code = app.oauth.code(
        ClientId::from(request.client_id.as_str()),
        company.realm.clone(),
        request.redirect_text.clone(),
        app.now(),
    );
    redirect(request, &[("code", &code), ("realmId", realm)], Some(company.realm.clone()))
}

fn redirect(request: &Request, answer: &[(&str, &str)], realm: Option<Realm>) -> Response {
    let mut target = request.redirect_uri.clone();
    target.query_pairs_mut().extend_pairs(answer).append_pair("state", &request.state);
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::FOUND;
    if let Ok(target) = HeaderValue::from_str(target.as_str()) {
        response.headers_mut().insert(header::LOCATION, target);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.extensions_mut().insert(Note {
        realm,
        entity: "authorize".into(),
        operation: answer.first().map_or("", |(name, _)| *name).into(),
        ..Note::default()
    });
    response
}

fn consent_page(app: &App, request: &Request) -> Response {
    let mut companies = String::new();
    for (index, company) in app.companies().iter().enumerate() {
        let name = company.state().profile.company_name.clone();
        let checked = if index == 0 { " checked" } else { "" };
        let realm = escape(company.realm.as_str());
        // Writing to a String cannot fail.
        let _ = write!(
            companies,
            r#"<label class="company"><input type="radio" name="realm" value="{realm}" required{checked}> <span>{}<small>{realm}</small></span></label>"#,
            escape(&name),
        );
    }
    let page = PAGE
        .replace("{{companies}}", &companies)
        .replace("{{client_id}}", &escape(&request.client_id))
        .replace("{{redirect_uri}}", &escape(&request.redirect_text))
        .replace("{{host}}", &escape(request.redirect_uri.host_str().unwrap_or("")))
        .replace("{{state}}", &escape(&request.state))
        .replace("{{scope}}", &escape(&request.scope));
    html(StatusCode::OK, page)
}

fn error_page(problem: &str) -> Response {
    html(StatusCode::BAD_REQUEST, ERROR_PAGE.replace("{{problem}}", &escape(problem)))
}

fn html(status: StatusCode, page: String) -> Response {
    let mut response = Response::new(Body::from(page));
    *response.status_mut() = status;
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // A brace could otherwise look like one of the page's own place-holders.
            '{' => out.push_str("&#123;"),
            c => out.push(c),
        }
    }
    out
}
