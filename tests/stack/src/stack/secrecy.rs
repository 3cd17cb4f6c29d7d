//! What the tests have seen of secrets and of answers, so that the last test can look for the ones in
//! the others.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use url::Url;

/// Secrets seen so far: what they are, and their values.
static SECRETS: Mutex<BTreeSet<(&str, String)>> = Mutex::new(BTreeSet::new());
/// What the product answered to anybody so far.
static ANSWERS: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Begins each answer in the text of all.
pub const MARK: &str = "\n#### ";

/// Remembers a secret that somebody outside was given.
pub fn seen(what: &'static str, value: &str) {
    let mut secrets = SECRETS.lock().unwrap_or_else(PoisonError::into_inner);
    secrets.insert((what, value.to_owned()));
}

/// Remembers the secrets in the query of an address: tickets, states and codes.
pub fn seen_in(address: &Url) {
    for (name, value) in address.query_pairs() {
        let what = match name.as_ref() {
            "ticket" => "ticket",
            "state" => "state",
            "code" => "code",
            _ => continue,
        };
        // A shorter one was made up by a test.
        if value.len() >= 20 {
            seen(what, &value);
        }
    }
}

/// Every secret seen so far.
pub fn secrets() -> BTreeSet<(&'static str, String)> {
    SECRETS.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Remembers an answer of the product: to what, and its headers and body as text.
pub fn answered(to: &str, headers: &reqwest::header::HeaderMap, body: &str) {
    let mut answers = ANSWERS.lock().unwrap_or_else(PoisonError::into_inner);
    answers.extend_from_slice(format!("{MARK}{to}\n").as_bytes());
    for (name, value) in headers {
        answers.extend_from_slice(name.as_str().as_bytes());
        answers.extend_from_slice(b": ");
        answers.extend_from_slice(value.as_bytes());
        answers.push(b'\n');
    }
    answers.extend_from_slice(body.as_bytes());
}

/// Every answer so far, as one text.
pub fn answers() -> Vec<u8> {
    ANSWERS.lock().unwrap_or_else(PoisonError::into_inner).clone()
}
