//! What these tests do from outside besides the harness: calls with any token, a browser, and a look
//! at tables, secrets and logs.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper that cannot do its work fails the test, and says why"
)]

mod aws;
mod browser;

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde_json::Value;
use stack_tests::stack::api::Answer;
use stack_tests::stack::{Stack, secrecy};

pub(crate) use aws::{
    Ear, Raw, app_keys, clock_off_by, connection, connection_key, delete_log, first_import,
    log_text, put_app_keys, raw, restart, secret_names, secrets, set_variables, table_text, tokens,
    variables, write_log,
};
pub(crate) use browser::{
    Page, Visitor, callback, confirm, grant, link, query, status, to_intuit, with_query,
};

/// A token of the local issuer; `wish` is what the issuer is asked for.
pub(crate) async fn token(stack: &Stack, wish: &Value) -> String {
    let url = format!("{}/token", stack.is.issuer_url);
    let answer = stack.http.post(url).json(wish).send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    let token = answer["access_token"].as_str().expect("the issuer gives a token").to_owned();
    secrecy::seen("bearer", token.rsplit('.').next().unwrap_or(&token));
    token
}

/// A call with a bearer as it is, or none.
pub(crate) async fn call(
    stack: &Stack,
    bearer: Option<&str>,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Answer {
    let mut request = stack.http.request(method, format!("{}{path}", stack.is.api_url));
    if let Some(bearer) = bearer {
        request = request.bearer_auth(bearer);
    }
    if let Some(body) = body {
        request = request.json(body);
    }
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let text = answer.text().await.unwrap();
    secrecy::answered(path, &headers, &text);
    Answer { status, headers, text }
}

/// The content type of an answer, without its parameters.
pub(crate) fn content_type(headers: &HeaderMap) -> &str {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default()
}

/// Checks that an answer is a problem document of this status and code, with words for a person, and
/// returns it.
#[track_caller]
pub(crate) fn problem(answer: &Answer, status: u16, code: &str) -> Value {
    let document = answer.json();
    assert_eq!(answer.status, status, "{}", answer.text);
    assert_eq!(document["code"], code, "{}", answer.text);
    assert_eq!(content_type(&answer.headers), "application/problem+json");
    assert_eq!(document["status"], status);
    for words in ["type", "title", "detail"] {
        let text = document[words].as_str().unwrap_or_default();
        assert!(!text.is_empty(), "a problem has {words}: {}", answer.text);
    }
    document
}

/// Checks that a problem names this field by this code with a fix, and returns that error.
#[track_caller]
pub(crate) fn names(document: &Value, field: &str, code: &str) -> Value {
    let errors = document["errors"].as_array().cloned().unwrap_or_default();
    let found = errors.iter().find(|error| error["field"] == field && error["code"] == code);
    let found = found.unwrap_or_else(|| panic!("no {code} of {field} in {document}"));
    for words in ["message", "fix"] {
        assert!(found[words].as_str().is_some_and(|text| !text.is_empty()), "{words}: {found}");
    }
    found.clone()
}

/// A `GET` on the sandbox's admin side.
pub(crate) async fn sandbox_get(stack: &Stack, path: &str) -> Value {
    let url = format!("{}{path}", stack.is.sandbox_admin_url);
    stack.http.get(url).send().await.unwrap().json().await.unwrap()
}

/// How often somebody tried to exchange a code of this realm.
pub(crate) async fn exchanges(stack: &Stack, realm: &str) -> u64 {
    let tokens = stack.sandbox().counters(realm).await["tokens"].clone();
    tokens["exchange"].as_u64().unwrap() + tokens["refused"].as_u64().unwrap()
}

/// How many grants Intuit still honours for a realm.
pub(crate) async fn live_grants(stack: &Stack, realm: &str) -> u64 {
    sandbox_get(stack, &format!("/companies/{realm}")).await["liveGrants"].as_u64().unwrap()
}
