//! What must not be kept of Intuit's words.
//!
//! The gateway's fault for an expired access token carries that token in `detail`. Text of Intuit's
//! answers is therefore cleaned before anybody can store or log it: the secrets of the call itself
//! are taken out by value, and what looks like a token is taken out by shape.

use std::borrow::Cow;

use secrecy::{ExposeSecret, SecretString};

/// Stands where a secret was.
pub const REDACTED: &str = "[redacted]";

/// The most that is kept of one text, in characters.
pub const MAX_CHARS: usize = 2_000;

/// A run of token characters of this length that holds letters and digits is taken for a token.
/// Intuit's opaque tokens have 40 characters and more, its authorization codes about 50; record ids,
/// error names and the marker of a description are far shorter.
const TOKEN_LENGTH: usize = 20;

/// A run this long is taken for a token whatever it is made of.
const LONG_RUN: usize = 40;

/// Behind these words, whatever their case, the rest of the text goes. The first is the gateway's.
const CUT_AFTER: [&str; 4] =
    ["token expired:", "token revoked:", "token invalid:", "invalid token:"];

/// Behind these words the next run goes.
const TAKE_AFTER: [&str; 7] =
    ["access_token", "refresh_token", "client_secret", "bearer ", "basic ", "token:", "token="];

/// A secret shorter than this is not searched for by value: it would blot out plain words.
const SHORTEST_KNOWN: usize = 4;

/// Cleans texts, knowing the secrets of one call.
#[derive(Clone, Default)]
pub struct Redactor<'a> {
    known: Vec<&'a SecretString>,
}

impl<'a> Redactor<'a> {
    /// Takes out what looks like a token, and these secrets wherever they stand.
    pub fn knowing(known: impl IntoIterator<Item = &'a SecretString>) -> Self {
        Self { known: known.into_iter().collect() }
    }

    /// The text without secrets and control characters, at most [`MAX_CHARS`] long.
    pub fn clean(&self, text: &str) -> String {
        let text = self.without_known(text);
        let text = cut_after_marker(&text);
        let text = without_marked_values(text);
        let text = without_token_shapes(&text);
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_CHARS).collect()
    }

    fn without_known<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut text = Cow::Borrowed(text);
        for secret in &self.known {
            let value = secret.expose_secret();
            if value.len() >= SHORTEST_KNOWN && text.contains(value) {
                text = Cow::Owned(text.replace(value, REDACTED));
            }
        }
        text
    }
}

fn cut_after_marker(text: &str) -> Cow<'_, str> {
    let lower = text.to_ascii_lowercase();
    let end = CUT_AFTER
        .iter()
        .filter_map(|marker| lower.find(marker).map(|at| at + marker.len()))
        .filter(|end| !text[*end..].trim().is_empty())
        .min();
    match end {
        Some(end) => Cow::Owned(format!("{} {REDACTED}", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// Takes out the run behind each of [`TAKE_AFTER`], past separators and quotes.
fn without_marked_values(text: Cow<'_, str>) -> Cow<'_, str> {
    let lower = text.to_ascii_lowercase();
    let mut spans: Vec<(usize, usize)> = Vec::new();
    for marker in TAKE_AFTER {
        for (at, _) in lower.match_indices(marker) {
            let from = at + marker.len();
            let value = &text[from..];
            let skipped = value.len() - value.trim_start_matches([' ', ':', '=', '"', '\'']).len();
            let run: usize = value[skipped..]
                .chars()
                .take_while(|c| is_token_char(*c))
                .map(char::len_utf8)
                .sum();
            // "Basic information" are words; base64 of an id and a secret is longer or has more than
            // letters.
            let word = value[skipped..skipped + run].chars().all(char::is_alphabetic);
            if run > 0 && !(word && marker == "basic ") {
                spans.push((from + skipped, from + skipped + run));
            }
        }
    }
    if spans.is_empty() {
        return text;
    }
    spans.sort_unstable();
    let mut clean = String::with_capacity(text.len());
    let mut done = 0;
    for (start, end) in spans {
        if start >= done {
            clean.push_str(&text[done..start]);
            clean.push_str(REDACTED);
            done = end;
        } else {
            done = done.max(end);
        }
    }
    clean.push_str(&text[done..]);
    Cow::Owned(clean)
}

fn without_token_shapes(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let same = is_token_char(c);
        let end = rest.find(|c| is_token_char(c) != same).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        clean.push_str(if same && looks_like_a_token(run) { REDACTED } else { run });
        rest = after;
    }
    clean
}

/// The characters of JWTs, base64 in both alphabets and Intuit's opaque tokens.
fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~' | '+' | '/' | '=')
}

fn looks_like_a_token(run: &str) -> bool {
    let digits = run.bytes().any(|b| b.is_ascii_digit());
    let letters = run.bytes().any(|b| b.is_ascii_alphabetic());
    run.len() >= LONG_RUN
        || (run.len() >= TOKEN_LENGTH && digits && letters)
        || (run.starts_with("RT1-") && run.len() > "RT1-".len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn clean(text: &str) -> String {
        Redactor::default().clean(text)
    }

    #[test]
    fn nothing_stays_behind_token_expired() {
        assert_eq!(clean("Token expired: AB017 tail"), "Token expired: [redacted]");
        assert_eq!(clean("token EXPIRED:AB0"), "token EXPIRED: [redacted]");
        assert_eq!(clean("Token expired:"), "Token expired:");
    }

    #[test]
    fn token_shapes_go_wherever_they_stand() {
        let jwt = "eyJlbmMiOiJBMTI4Q0JDLUhTMjU2IiwiYWxnIjoiZGlyIn0..b0S9xYq-1";
        for token in [jwt, "AB11764012345abcdefghij", "RT1-7-H0-17"] {
            let text = clean(&format!("before {token}, after"));
            assert_eq!(text, "before [redacted], after", "{token}");
        }
    }

    #[test]
    fn values_behind_their_names_go_even_when_short() {
        assert_eq!(clean(r#"{"access_token":"abc1"}"#), r#"{"access_token":"[redacted]"}"#);
        assert_eq!(clean("Authorization: Bearer x1y2"), "Authorization: Bearer [redacted]");
        assert_eq!(clean("Basic information is missing"), "Basic information is missing");
        assert_eq!(clean("token: abc, token=def"), "token: [redacted], token=[redacted]");
    }

    #[test]
    fn words_for_people_stay() {
        for text in [
            "Object Not Found : Something you're trying to use has been made inactive.",
            "message=AuthenticationFailed; errorCode=003200; statusCode=401",
            "Business Validation Error: the hours [tc:1a2b3c4d] of O\u{2019}Brien on 2026-11-18",
            "Incorrect or invalid refresh token",
            "Token invalid",
        ] {
            assert_eq!(clean(text), text);
        }
    }

    #[test]
    fn length_is_limited_and_control_characters_go() {
        assert_eq!(clean("a\nb\u{1b}[0m"), "a b [0m");
        assert_eq!(clean(&"\u{e9} ".repeat(3_000)).chars().count(), MAX_CHARS);
    }

    proptest! {
        #[test]
        fn a_known_secret_never_stays(
            secret in "[A-Za-z0-9._~+/=-]{4,60}",
            before in ".{0,20}",
            after in ".{0,20}",
        ) {
            prop_assume!(!REDACTED.contains(&secret));
            let known = SecretString::from(secret.clone());
            let text = Redactor::knowing([&known]).clean(&format!("{before}{secret}{after}"));
            prop_assert!(!text.contains(&secret), "{text}");
        }

        #[test]
        fn any_text_can_be_cleaned(text in "\\PC{0,200}") {
            prop_assert!(clean(&text).chars().count() <= MAX_CHARS);
        }
    }
}
