//! The consent page, for people and for scripts.

use std::{fmt::Write as _, sync::Arc};

use axum::{
    body::{Body, Bytes},
    extract::{RawQuery, State},
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use url::Url;

use super::{Consent, Oauth, Registration, pkce::Challenge, request::Form, scope};
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
pub(super) struct Request {
    client: ClientId,
    redirect_uri: Url,
    /// As sent, since the exchange must repeat it to the letter.
    redirect_text: String,
    state: String,
    scope: String,
    nonce: Option<String>,
    challenge: Option<Challenge>,
    /// The two parameters of the challenge as sent, for the form.
    challenge_text: [String; 2],
}

/// `GET /connect/oauth2`: the page, or with `auto=<realm>` the redirect at once.
pub(super) async fn authorize(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Response {
    let form = Form::read(query.unwrap_or_default().as_bytes());
    let request = match read(&app.oauth, &form) {
        Ok(request) => request,
        Err(problem) => return error_page(StatusCode::BAD_REQUEST, &problem),
    };
    if !scope::all_known(&request.scope) {
        return redirect(&request, &[("error", "invalid_scope")], None);
    }
    match form.get("auto") {
        Some(realm) => connect(&app, &request, realm),
        None => consent_page(&app, &request),
    }
}

/// `POST /connect/oauth2`: the page's form. `decision` is `connect` or `deny`.
pub(super) async fn decide(State(app): State<Arc<App>>, body: Bytes) -> Response {
    let form = Form::read(&body);
    let refuse = |problem: &str| error_page(StatusCode::BAD_REQUEST, problem);
    let request = match read(&app.oauth, &form) {
        Ok(request) => request,
        Err(problem) => return refuse(&problem),
    };
    match form.get("decision") {
        Some("deny") => redirect(&request, &[("error", "access_denied")], None),
        _ if !scope::all_known(&request.scope) => {
            redirect(&request, &[("error", "invalid_scope")], None)
        }
        Some("connect") => match form.get("realm").or_else(|| form.get("auto")) {
            Some(realm) => connect(&app, &request, realm),
            None => refuse("Choose a company."),
        },
        _ => refuse("The form came without a decision."),
    }
}

/// `GET /app/connect/oauth2/request?appId=..&realmId=..&mode=reconnect`: Intuit's link to the page
/// where a customer connects the app again. Whether the real one tells that page the company is not
/// known, so this one does not. The `appId` is the client id here.
pub(super) async fn reconnect(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Response {
    let form = Form::read(query.unwrap_or_default().as_bytes());
    let refuse = |problem: &str| error_page(StatusCode::NOT_FOUND, problem);
    if form.get("mode") != Some("reconnect") {
        return refuse("The mode must be reconnect.");
    }
    let Some(registration) = form.get("appId").and_then(|id| app.oauth.registration(id)) else {
        return refuse("The appId is not the client id of an app that this sandbox knows.");
    };
    if form.get("realmId").is_none_or(|realm| app.company(realm).is_none()) {
        return refuse("There is no company with this realmId.");
    }
    match registration.reconnect_url {
        Some(url) => found(&url),
        None => refuse("The app has no reconnect URL."),
    }
}

/// Reads an authorize call. The error is a sentence for the person: a bad call is not redirected.
pub(super) fn read(oauth: &Oauth, form: &Form) -> Result<Request, String> {
    let field = |name: &str| form.get(name).unwrap_or("").to_owned();
    if form.repeats {
        return Err("A parameter came twice.".into());
    }
    let Registration { client_id, blocked, .. } = &oauth
        .registration(&field("client_id"))
        .ok_or("The client_id is not one of an app that this sandbox knows.")?;
    if *blocked {
        return Err("This app is blocked.".into());
    }
    if field("response_type") != "code" {
        return Err("The response_type must be code.".into());
    }
    let redirect_text = field("redirect_uri");
    let redirect_uri = Url::parse(&redirect_text)
        .ok()
        .filter(|_| oauth.leads_to(client_id, &redirect_text))
        .ok_or(
            "The redirect_uri must be a URL on localhost or 127.0.0.1, and one of the app's \
             registered ones if it has any.",
        )?;
    let (state, scope) = (field("state"), field("scope"));
    if scope.is_empty() || state.is_empty() {
        return Err("The request must carry a scope and a state.".into());
    }
    let challenge_text = [field("code_challenge"), field("code_challenge_method")];
    Ok(Request {
        client: client_id.clone(),
        redirect_uri,
        redirect_text,
        state,
        scope,
        nonce: form.get("nonce").map(ToOwned::to_owned),
        challenge: Challenge::read(&challenge_text[0], &challenge_text[1])?,
        challenge_text,
    })
}

fn connect(app: &App, request: &Request, realm: &str) -> Response {
    let Some(company) = app.company(realm) else {
        return error_page(StatusCode::BAD_REQUEST, "There is no company with this realm.");
    };
    let consent = Consent {
        client: request.client.clone(),
        realm: company.realm.clone(),
        redirect_uri: request.redirect_text.clone(),
        scope: request.scope.clone(),
        nonce: request.nonce.clone(),
        challenge: request.challenge.clone(),
    };
    let code = app.oauth.code(consent, app.now());
    redirect(request, &[("code", &code), ("realmId", realm)], Some(company.realm.clone()))
}

fn redirect(request: &Request, answer: &[(&str, &str)], realm: Option<Realm>) -> Response {
    let mut target = request.redirect_uri.clone();
    target.query_pairs_mut().extend_pairs(answer).append_pair("state", &request.state);
    let mut response = found(target.as_str());
    response.extensions_mut().insert(Note {
        realm,
        entity: "authorize".into(),
        operation: answer.first().map_or("", |(name, _)| *name).into(),
        ..Note::default()
    });
    response
}

pub(crate) fn found(target: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::FOUND;
    if let Ok(target) = HeaderValue::from_str(target) {
        response.headers_mut().insert(header::LOCATION, target);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
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
        .replace("{{client_id}}", &escape(request.client.as_str()))
        .replace("{{redirect_uri}}", &escape(&request.redirect_text))
        .replace("{{host}}", &escape(request.redirect_uri.host_str().unwrap_or("")))
        .replace("{{state}}", &escape(&request.state))
        .replace("{{nonce}}", &escape(request.nonce.as_deref().unwrap_or("")))
        .replace("{{code_challenge}}", &escape(&request.challenge_text[0]))
        .replace("{{code_challenge_method}}", &escape(&request.challenge_text[1]))
        .replace("{{scope}}", &escape(&request.scope));
    html(StatusCode::OK, page)
}

fn error_page(status: StatusCode, problem: &str) -> Response {
    html(status, ERROR_PAGE.replace("{{problem}}", &escape(problem)))
}

pub(crate) fn html(status: StatusCode, page: String) -> Response {
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

pub(crate) fn escape(text: &str) -> String {
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
