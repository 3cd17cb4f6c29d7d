//! Words of the query language, with their places for error texts.

use std::fmt;

/// One word of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// A keyword, an entity or a (dotted) property.
    Word(String),
    /// A literal between single quotes, unescaped.
    Text(String),
    /// Digits, with sign and point.
    Number(String),
    /// `= < > <= >= ( ) , *`
    Symbol(&'static str),
}

impl Token {
    /// How the real parser names it in "Encountered ...".
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Word(word) => format!("\" <IDENTIFIER> \"{word} \"\""),
            Self::Text(text) => format!("\" <STRING> \"'{text}' \"\""),
            Self::Number(number) => format!("\" <INTEGER> \"{number} \"\""),
            Self::Symbol(symbol) => format!("\"{symbol}\""),
        }
    }
}

/// A token and the place of its first character.
pub(crate) type Spanned = (Token, Place);

/// Line and column, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    line: usize,
    column: usize,
}

impl Place {
    /// The place of the character at `at`.
    pub(crate) fn of(chars: &[char], at: usize) -> Self {
        let before = &chars[..at.min(chars.len())];
        let line = before.iter().filter(|c| **c == '\n').count() + 1;
        let column = before.iter().rev().take_while(|c| **c != '\n').count() + 1;
        Self { line, column }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

const SYMBOLS: [&str; 9] = ["<=", ">=", "=", "<", ">", "(", ")", ",", "*"];

/// Cuts a statement into tokens, up to the first character that is part of none. With `latin1_only`
/// a character above U+00FF is such a one, also between quotes. The text is about that character: the
/// real parser comes to it only after what stands before it.
pub(crate) fn tokens(chars: &[char], latin1_only: bool) -> (Vec<Spanned>, Option<String>) {
    let mut out = Vec::new();
    // Walked along with the characters, since a place from the start each time would be slow.
    let mut place = Place { line: 1, column: 1 };
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        let start = at;
        let mut token = None;
        if c.is_whitespace() {
            at += 1;
        } else if c == '\'' {
            match literal(chars, at + 1, latin1_only) {
                Ok((text, next)) => {
                    token = Some(Token::Text(text));
                    at = next;
                }
                Err(bad) => return (out, Some(lexical_error(chars, start, bad))),
            }
        } else if c.is_ascii_digit() || (c == '-' && next_is_digit(chars, at)) {
            at += 1;
            while chars.get(at).is_some_and(|c| c.is_ascii_digit() || *c == '.') {
                at += 1;
            }
            token = Some(Token::Number(chars[start..at].iter().collect()));
        } else if c.is_ascii_alphabetic() || c == '_' {
            while chars.get(at).is_some_and(|c| c.is_ascii_alphanumeric() || "._".contains(*c)) {
                at += 1;
            }
            token = Some(Token::Word(chars[start..at].iter().collect()));
        } else if let Some(symbol) = SYMBOLS.iter().find(|s| starts_with(chars, at, s)) {
            token = Some(Token::Symbol(symbol));
            at += symbol.len();
        } else {
            return (out, Some(lexical_error(chars, at, at)));
        }
        out.extend(token.map(|token| (token, place)));
        for c in &chars[start..at] {
            place = match c {
                '\n' => Place { line: place.line + 1, column: 1 },
                _ => Place { column: place.column + 1, ..place },
            };
        }
    }
    (out, None)
}

/// Reads up to the closing quote. `\'` is a quote and `\\` a backslash; before anything else a
/// backslash stands for itself. `''` is not an escape: it ends one literal and begins another. The
/// error is where the literal stops to be one.
fn literal(chars: &[char], mut at: usize, latin1_only: bool) -> Result<(String, usize), usize> {
    let mut text = String::new();
    loop {
        match (chars.get(at).ok_or(at)?, chars.get(at + 1)) {
            ('\'', _) => return Ok((text, at + 1)),
            ('\\', Some(&next)) if next == '\'' || next == '\\' => {
                text.push(next);
                at += 2;
            }
            (&c, _) if latin1_only && u32::from(c) > 0xff => return Err(at),
            (&c, _) => {
                text.push(c);
                at += 1;
            }
        }
    }
}

fn next_is_digit(chars: &[char], at: usize) -> bool {
    chars.get(at + 1).is_some_and(char::is_ascii_digit)
}

fn starts_with(chars: &[char], at: usize, symbol: &str) -> bool {
    symbol.chars().enumerate().all(|(i, c)| chars.get(at + i) == Some(&c))
}

/// The real parser's words for the character at `at`, where the token from `start` on is none.
fn lexical_error(chars: &[char], start: usize, at: usize) -> String {
    let encountered = match chars.get(at) {
        Some(c) => format!("\"{}\" ({})", escaped(&[*c]), u32::from(*c)),
        None => "<EOF>".to_owned(),
    };
    // Its beginning is enough to find it by.
    let before = escaped(&chars[start..at.min(start + 20)]);
    let place = Place::of(chars, at);
    format!(
        "Invalid content. Lexical error at {place}.  Encountered: {encountered}, after : \
         \"{before}\""
    )
}

fn escaped(chars: &[char]) -> String {
    let escape = |c: &char| match c {
        '\'' | '"' | '\\' => format!("\\{c}"),
        ' '..='~' => c.to_string(),
        c => format!("\\u{:04x}", u32::from(*c)),
    };
    chars.iter().map(escape).collect()
}
