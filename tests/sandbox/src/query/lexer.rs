//! Words of the query language, with their columns for error texts.

/// One word of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// A keyword, an entity or a (dotted) property.
    Word(String),
    /// A literal between single quotes, unescaped.
    Text(String),
    /// Digits, with sign and point.
    Number(String),
    /// `= != < > <= >= ( ) , *`
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

/// A token and the column of its first character, counted from 1.
pub(crate) type Spanned = (Token, usize);

const SYMBOLS: [&str; 10] = ["!=", "<=", ">=", "=", "<", ">", "(", ")", ",", "*"];

/// Cuts a statement into tokens. The error says what could not be read, and where.
pub(crate) fn tokens(statement: &str) -> Result<Vec<Spanned>, String> {
    let chars: Vec<char> = statement.chars().collect();
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        let column = at + 1;
        if c.is_whitespace() {
            at += 1;
        } else if c == '\'' {
            let (text, next) = literal(&chars, at + 1)
                .ok_or_else(|| lexical_error("after : \"'\"", chars.len() + 1))?;
            out.push((Token::Text(text), column));
            at = next;
        } else if c.is_ascii_digit() || (c == '-' && next_is_digit(&chars, at)) {
            let start = at;
            at += 1;
            while chars.get(at).is_some_and(|c| c.is_ascii_digit() || *c == '.') {
                at += 1;
            }
            out.push((Token::Number(chars[start..at].iter().collect()), column));
        } else if c.is_ascii_alphabetic() || c == '_' {
            let start = at;
            while chars.get(at).is_some_and(|c| c.is_ascii_alphanumeric() || "._".contains(*c)) {
                at += 1;
            }
            out.push((Token::Word(chars[start..at].iter().collect()), column));
        } else if let Some(symbol) = SYMBOLS.iter().find(|s| starts_with(&chars, at, s)) {
            out.push((Token::Symbol(symbol), column));
            at += symbol.len();
        } else {
            return Err(lexical_error(&format!("Encountered: \"{c}\" ({})", c as u32), column));
        }
    }
    Ok(out)
}

/// Reads up to the closing quote. `\'` is a quote and `\\` a backslash; before anything else a
/// backslash stands for itself. `''` is not an escape: it ends one literal and begins another.
fn literal(chars: &[char], mut at: usize) -> Option<(String, usize)> {
    let mut text = String::new();
    loop {
        match (chars.get(at)?, chars.get(at + 1)) {
            ('\'', _) => return Some((text, at + 1)),
            ('\\', Some(&next)) if next == '\'' || next == '\\' => {
                text.push(next);
                at += 2;
            }
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

fn lexical_error(what: &str, column: usize) -> String {
    format!("Lexical error at line 1, column {column}.  {what}")
}
