//! Looks for secret values in large texts: as they are, and in the forms that programs give to text.

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Of a longer value, so much from the beginning and from the end is looked for: a value that was cut
/// short is found too.
const PIECE: usize = 24;
/// A shorter value could stand somewhere by chance.
pub const SHORTEST: usize = 10;

/// Values, ready to be looked for.
#[derive(Debug)]
pub struct Needles {
    forms: AhoCorasick,
    /// What each form is a form of.
    names: Vec<&'static str>,
}

impl Needles {
    /// Of what each value is, and the value.
    ///
    /// # Panics
    ///
    /// If a value is too short to be told from chance.
    pub fn new<'a>(values: impl IntoIterator<Item = (&'static str, &'a str)>) -> Self {
        let (mut forms, mut names) = (Vec::new(), Vec::new());
        for (name, value) in values {
            assert!(value.len() >= SHORTEST, "a {name} of {} characters", value.len());
            for piece in pieces(value) {
                for form in self::forms(piece) {
                    forms.push(form);
                    names.push(name);
                }
            }
        }
        Self { forms: AhoCorasick::new(forms).expect("the forms can be looked for"), names }
    }

    /// The first occurrence of each kind of value in a text: what it is, and where it begins.
    pub fn found(&self, text: &[u8]) -> Vec<(&'static str, usize)> {
        let mut found: Vec<(&'static str, usize)> = Vec::new();
        for hit in self.forms.find_iter(text) {
            let name = self.names[hit.pattern().as_usize()];
            if found.iter().all(|(known, _)| *known != name) {
                found.push((name, hit.start()));
            }
        }
        found
    }
}

fn pieces(value: &str) -> Vec<&str> {
    let bounds =
        value.get(..PIECE).zip(value.len().checked_sub(PIECE).and_then(|at| value.get(at..)));
    bounds.map_or_else(|| vec![value], |(head, tail)| vec![head, tail])
}

/// A piece as it is, in hexadecimal digits, percent-encoded, and within a longer text in base64.
fn forms(piece: &str) -> Vec<String> {
    let bytes = piece.as_bytes();
    let hex = hex(bytes);
    let encoded: String = url::form_urlencoded::byte_serialize(bytes).collect();
    let mut forms = vec![piece.to_owned(), hex.to_uppercase(), hex, encoded];
    // In base64 three bytes are four characters: what a piece looks like depends on how many bytes stand
    // before it, and its first and last characters on its neighbours.
    for before in 0..3 {
        let mut text = vec![0; before];
        text.extend_from_slice(bytes);
        for alphabet in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            let whole = alphabet.encode(&text);
            let first = before * 8_usize.div_ceil(6);
            let last = text.len() * 8 / 6;
            forms.extend(whole.get(first..last).map(str::to_owned));
        }
    }
    forms.sort_unstable();
    forms.dedup();
    forms
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "RT1-kJh3+9/aB7xQ0wZt5mPv8yNc2dLs4gRf6eUi";

    fn finds(text: &str) -> bool {
        Needles::new([("token", TOKEN)]).found(text.as_bytes()).len() == 1
    }

    #[test]
    fn a_value_is_found_in_every_form_that_text_takes() {
        let hex = hex(TOKEN.as_bytes());
        assert!(finds(TOKEN) && finds(&hex) && finds(&hex.to_uppercase()));
        let encoded: String = url::form_urlencoded::byte_serialize(TOKEN.as_bytes()).collect();
        assert!(finds(&format!("https://example.com/?token={encoded}&x=1")));
        for before in ["", "1", "22", "{\"refreshToken\":\""] {
            for after in ["", "\"", "\"}", "and more"] {
                let text = format!("{before}{TOKEN}{after}");
                assert!(finds(&STANDARD_NO_PAD.encode(&text)), "{text}");
                assert!(finds(&URL_SAFE_NO_PAD.encode(&text)), "{text}");
            }
        }
    }

    #[test]
    fn a_value_that_was_cut_short_is_found_from_either_end() {
        assert!(finds(&TOKEN[..30]) && finds(&TOKEN[10..]));
        assert!(!finds(&TOKEN[..20]) && !finds("RT1-something-else"));
    }

    #[test]
    fn each_kind_is_reported_once_with_its_place() {
        let needles = Needles::new([("code", "AB1-first-code"), ("state", "a-state-of-it")]);
        let text = b"-- a-state-of-it AB1-first-code a-state-of-it";
        assert_eq!(needles.found(text), [("state", 3), ("code", 17)]);
    }
}
