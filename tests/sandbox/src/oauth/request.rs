//! What an app's call to the token or revocation endpoint carries, and how it is refused.

use std::collections::HashMap;

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;

use super::{Oauth, Registration};
use crate::fault::json_response;

/// A form, read.
pub(crate) struct Form {
    fields: HashMap<String, String>,
    /// Whether a field came twice, which RFC 6749 forbids.
    pub(crate) repeats: bool,
}

impl Form {
    pub(crate) fn read(encoded: &[u8]) -> Self {
        let mut form = Self { fields: HashMap::new(), repeats: false };
        for (name, value) in url::form_urlencoded::parse(encoded).into_owned() {
            form.repeats |= form.fields.insert(name, value).is_some();
        }
        form
    }

    /// A field; what is empty is not there.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// The app that calls, if its id and secret are right: by Basic authorization, or as form fields.
pub(super) fn authenticate(
    oauth: &Oauth,
    headers: &HeaderMap,
    form: &Form,
) -> Option<Registration> {
    let basic = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"))
        .and_then(|(_, encoded)| STANDARD.decode(encoded.trim()).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let (id, secret) = match basic.as_deref().and_then(|pair| pair.split_once(':')) {
        Some(pair) => pair,
        None => (form.get("client_id")?, form.get("client_secret")?),
    };
    oauth.registration(id).filter(|app| app.client_secret == secret)
}

/// Whether the body says that it is a form.
pub(super) fn is_form(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .and_then(|kind| kind.split(';').next())
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded"))
}

/// One of OAuth's words for what is wrong, with a text. A real refusal often says nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused(pub(super) &'static str, pub(super) Option<&'static str>);

/// The id or the secret is wrong.
pub(super) const INVALID_CLIENT: Refused = Refused("invalid_client", None);
/// Something is missing, or there twice, or not a form.
pub(super) const INVALID_REQUEST: Refused = Refused("invalid_request", None);

impl Refused {
    /// 401 for `invalid_client`, else 400.
    pub(super) fn response(self) -> Response {
        let Self(error, description) = self;
        let mut body = json!({ "error": error });
        if let Some(description) = description {
            body["error_description"] = json!(description);
        }
        let unknown = self == INVALID_CLIENT;
        let status = if unknown { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
        no_store(json_response(status, &body))
    }
}

/// Nothing of this is to be kept by a cache.
pub(super) fn no_store(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
