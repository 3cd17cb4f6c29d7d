//! The page for people, at the root of the admin port. It is plain files that talk to the admin API;
//! nothing is made on this side, so there is nothing to escape here.

use std::sync::Arc;

use axum::{
    Router,
    extract::Path,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};

use crate::app::App;

/// What the page may load and reach: its own files and the API beside it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The files by name.
const FILES: &[(&str, &str, &str)] = &[
    ("style.css", "text/css; charset=utf-8", include_str!("style.css")),
    ("icon.svg", "image/svg+xml", include_str!("icon.svg")),
    ("main.js", SCRIPT, include_str!("main.js")),
    ("api.js", SCRIPT, include_str!("api.js")),
    ("dom.js", SCRIPT, include_str!("dom.js")),
    ("overview.js", SCRIPT, include_str!("overview.js")),
    ("company.js", SCRIPT, include_str!("company.js")),
    ("record.js", SCRIPT, include_str!("record.js")),
    ("requests.js", SCRIPT, include_str!("requests.js")),
    ("webhooks.js", SCRIPT, include_str!("webhooks.js")),
    ("state.js", SCRIPT, include_str!("state.js")),
];

/// `/page`.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new().route("/page/{file}", get(file))
}

/// Whether a client asks for a page rather than for text, as browsers do and `curl` does not.
pub(crate) fn wanted(headers: &HeaderMap) -> bool {
    headers.get_all(header::ACCEPT).iter().any(|accept| {
        accept.to_str().is_ok_and(|accept| accept.to_ascii_lowercase().contains("text/html"))
    })
}

/// The page itself.
pub(crate) fn page() -> Response {
    answer(HTML, include_str!("index.html"))
}

async fn file(Path(name): Path<String>) -> Response {
    match FILES.iter().find(|(known, ..)| *known == name) {
        Some((_, kind, text)) => answer(kind, text),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn answer(kind: &'static str, text: &'static str) -> Response {
    let mut response = text.into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        // The sandbox may be another version after a restart.
        (header::CACHE_CONTROL, "no-cache"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
