//! The export: the old side's table of tokens, a JSON object on each line.
//!
//! A line that cannot be used is told by its number and a reason that quotes nothing of it, and stops
//! nothing. Fields that are not named in `events/schemas/token-export.json` are left alone.

use domain::ids::{CompanyId, RealmId};
use jiff::Timestamp;
use quickbooks::Environment;
use secrecy::SecretString;
use serde::Serialize;
use serde_json::{Map, Value};

/// The largest export, in bytes: it is read whole. A row with both tokens is about 1.5 KB.
pub const MAX_BYTES: usize = 64 * 1024 * 1024;
/// The longest line, in bytes.
pub const MAX_LINE: usize = 64 * 1024;
/// The longest token, in characters. Intuit names no length; those seen are below 2,000.
const MAX_TOKEN: usize = 8_000;
/// The longest user or row id, in characters.
const MAX_ID: usize = 200;

/// Which row of the old table a line is of. No token.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RowName {
    /// The old table's own id of the row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row_id: Option<String>,
    /// Whose connection.
    pub company_id: CompanyId,
    /// Who had connected.
    pub user_id: String,
    /// The QuickBooks company.
    pub realm_id: RealmId,
    /// Intuit's environment.
    pub environment: Environment,
}

impl RowName {
    /// Whether both name one row of the old table: the same id of the company's, or, where either has
    /// none, the same user's tokens for the same QuickBooks company.
    pub fn same_row(&self, other: &Self) -> bool {
        match (&self.row_id, &other.row_id) {
            (Some(one), Some(two)) => one == two && self.company_id == other.company_id,
            _ => {
                self.company_id == other.company_id
                    && self.user_id == other.user_id
                    && self.realm_id == other.realm_id
                    && self.environment == other.environment
            }
        }
    }
}

/// A line that can be used. No `Debug`: it holds a token.
#[derive(Clone)]
pub struct Row {
    /// Its number, from 1.
    pub line: usize,
    /// Which row of the old table it is.
    pub name: RowName,
    /// The token.
    pub refresh_token: SecretString,
    /// When the user connected.
    pub connected_at: Option<Timestamp>,
    /// When the token was last refreshed.
    pub refreshed_at: Option<Timestamp>,
    /// When Intuit said that the token ends.
    pub expires_at: Option<Timestamp>,
    /// Since when the old side refreshes no token of this company.
    pub frozen_at: Option<Timestamp>,
}

impl Row {
    /// How recent the token is: the last moment that is known of it.
    pub fn time(&self) -> Option<Timestamp> {
        self.refreshed_at.max(self.connected_at)
    }
}

/// A line that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Broken {
    /// Its number, from 1.
    pub line: usize,
    /// Why; nothing of the line is quoted.
    pub reason: String,
}

/// What an export holds.
pub struct Lines<T> {
    /// Lines that are not blank.
    pub total: usize,
    /// Those that can be used.
    pub rows: Vec<T>,
    /// Those that cannot.
    pub broken: Vec<Broken>,
}

/// Reads an export with its tokens.
pub fn read(bytes: &[u8]) -> Lines<Row> {
    lines(bytes, row)
}

/// Reads only which rows an export names; their tokens may be left out of it.
pub fn read_names(bytes: &[u8]) -> Lines<RowName> {
    lines(bytes, |_, fields| name(fields))
}

fn lines<T>(
    bytes: &[u8],
    read: impl Fn(usize, &Map<String, Value>) -> Result<T, String>,
) -> Lines<T> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let mut found = Lines { total: 0, rows: Vec::new(), broken: Vec::new() };
    for (index, text) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let text = text.trim_ascii();
        if text.is_empty() {
            continue;
        }
        found.total += 1;
        let line = index + 1;
        match object(text).and_then(|fields| read(line, &fields)) {
            Ok(row) => found.rows.push(row),
            Err(reason) => found.broken.push(Broken { line, reason }),
        }
    }
    found
}

fn object(text: &[u8]) -> Result<Map<String, Value>, String> {
    if text.len() > MAX_LINE {
        return Err(format!("is longer than {} KB", MAX_LINE / 1024));
    }
    // The parser's own message could quote the line: it is not passed on.
    match serde_json::from_slice(text) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err("is not a JSON object".to_owned()),
        Err(_) => Err("is not JSON".to_owned()),
    }
}

fn name(fields: &Map<String, Value>) -> Result<RowName, String> {
    Ok(RowName {
        company_id: needed(fields, "companyId")?
            .parse()
            .map_err(|error| format!("companyId: {error}"))?,
        user_id: needed(fields, "userId")?,
        realm_id: needed(fields, "realmId")?
            .parse()
            .map_err(|error| format!("realmId: {error}"))?,
        environment: needed(fields, "environment")?
            .parse()
            .map_err(|_| "environment is neither sandbox nor production".to_owned())?,
        row_id: text(fields, "rowId")?,
    })
}

fn row(line: usize, fields: &Map<String, Value>) -> Result<Row, String> {
    let name = name(fields)?;
    let token = match fields.get("refreshToken") {
        None | Some(Value::Null) => return Err("refreshToken is missing".to_owned()),
        Some(Value::String(token)) => token.trim(),
        Some(_) => return Err("refreshToken is not a text".to_owned()),
    };
    if token.is_empty() {
        return Err("refreshToken is missing".to_owned());
    }
    if token.len() > MAX_TOKEN || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("refreshToken does not look like a token".to_owned());
    }
    Ok(Row {
        line,
        name,
        refresh_token: SecretString::from(token),
        connected_at: time(fields, "connectedAt")?,
        refreshed_at: time(fields, "refreshedAt")?.max(time(fields, "updatedAt")?),
        expires_at: time(fields, "refreshTokenExpiresAt")?,
        frozen_at: time(fields, "frozenAt")?,
    })
}

fn needed(fields: &Map<String, Value>, name: &str) -> Result<String, String> {
    text(fields, name)?.ok_or_else(|| format!("{name} is missing"))
}

/// Ids are texts; tables often hold them as numbers.
fn text(fields: &Map<String, Value>, name: &str) -> Result<Option<String>, String> {
    let text = match fields.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text.trim().to_owned(),
        Some(Value::Number(number)) if number.is_u64() => number.to_string(),
        Some(_) => return Err(format!("{name} is not a text")),
    };
    if text.chars().count() > MAX_ID || text.chars().any(char::is_control) {
        return Err(format!(
            "{name} is longer than {MAX_ID} characters or holds control characters"
        ));
    }
    Ok((!text.is_empty()).then_some(text))
}

fn time(fields: &Map<String, Value>, name: &str) -> Result<Option<Timestamp>, String> {
    let wrong = || format!("{name} is not a time such as 2026-11-20T09:30:00Z");
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
        Some(Value::String(text)) => text.trim().parse().map(Some).map_err(|_| wrong()),
        Some(_) => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = r#"{"companyId":"a","userId":"u","realmId":"9","environment":"sandbox","refreshToken":"RT1-x"}"#;

    fn reason(line: &str) -> String {
        let found = read(line.as_bytes());
        assert!(found.rows.is_empty(), "{line}");
        found.broken[0].reason.clone()
    }

    fn with(field: &str, value: &str) -> String {
        let mut line: Value = serde_json::from_str(GOOD).unwrap();
        line[field] = serde_json::from_str(value).unwrap();
        line.to_string()
    }

    #[test]
    fn byte_order_mark_line_ends_blank_lines_and_unknown_fields_do_no_harm() {
        let text = format!("\u{FEFF}{GOOD}\r\n\r\n   \n{}\r\n", with("shoeSize", "44"));
        let found = read(text.as_bytes());
        assert_eq!((found.total, found.broken.len()), (2, 0));
        assert_eq!(found.rows.iter().map(|row| row.line).collect::<Vec<_>>(), [1, 4]);
    }

    #[test]
    fn ids_may_be_numbers_and_times_may_be_left_out() {
        let found = read(with("realmId", "9341453000000001").as_bytes());
        assert_eq!(found.rows[0].name.realm_id.to_string(), "9341453000000001");
        assert_eq!(found.rows[0].time(), None);
        let found = read(with("updatedAt", "\"2026-01-02T03:04:05+01:00\"").as_bytes());
        assert_eq!(found.rows[0].time(), Some("2026-01-02T02:04:05Z".parse().unwrap()));
    }

    #[test]
    fn a_broken_line_is_told_by_its_reason() {
        assert_eq!(reason("{\"companyId\":"), "is not JSON");
        assert_eq!(reason("[1]"), "is not a JSON object");
        assert_eq!(reason(&with("companyId", "null")), "companyId is missing");
        assert!(reason(&with("companyId", "\"a#b\"")).starts_with("companyId: a company id has"));
        assert!(
            reason(&with("realmId", "\"12a\"")).starts_with("realmId: a QuickBooks realm id has")
        );
        assert_eq!(
            reason(&with("environment", "\"staging\"")),
            "environment is neither sandbox nor production"
        );
        assert_eq!(reason(&with("refreshToken", "\" \"")), "refreshToken is missing");
        assert_eq!(reason(&with("refreshToken", "7")), "refreshToken is not a text");
        assert_eq!(
            reason(&with("refreshToken", "\"two words\"")),
            "refreshToken does not look like a token"
        );
        assert_eq!(
            reason(&with("connectedAt", "1700000000")),
            "connectedAt is not a time such as 2026-11-20T09:30:00Z"
        );
        assert_eq!(
            reason(&with("shoeSize", &format!("\"{}\"", "x".repeat(MAX_LINE)))),
            "is longer than 64 KB"
        );
        assert_eq!(read(b"\xff\xfe{}").broken[0].reason, "is not JSON");
    }

    #[test]
    fn a_broken_line_stops_no_other() {
        let text = format!("{GOOD}\n{{\n{GOOD}");
        let found = read(text.as_bytes());
        assert_eq!((found.rows.len(), found.broken[0].line), (2, 2));
    }

    #[test]
    fn names_are_read_without_tokens() {
        let found = read_names(with("refreshToken", "null").as_bytes());
        assert_eq!((found.rows.len(), found.broken.len()), (1, 0));
    }

    #[test]
    fn rows_are_the_same_by_their_id_or_by_what_they_connect() {
        let name = |row_id: Option<&str>, user: &str| RowName {
            row_id: row_id.map(str::to_owned),
            company_id: "a".parse().unwrap(),
            user_id: user.to_owned(),
            realm_id: "9".parse().unwrap(),
            environment: Environment::Sandbox,
        };
        assert!(name(Some("1"), "u").same_row(&name(Some("1"), "v")));
        assert!(!name(Some("1"), "u").same_row(&name(Some("2"), "u")));
        assert!(name(None, "u").same_row(&name(Some("2"), "u")));
        assert!(!name(None, "u").same_row(&name(None, "v")));
    }

    proptest! {
        #[test]
        fn no_line_stops_the_reading_and_no_reason_quotes_it(
            lines in proptest::collection::vec("\\PC{0,60}", 0..20), token in "[a-z0-9]{24}",
        ) {
            let secret = format!("{{\"refreshToken\":\"{token}\"");
            let text = lines.join("\n") + "\n" + GOOD + "\n" + &secret;
            let found = read(text.as_bytes());
            prop_assert_eq!(found.total, found.rows.len() + found.broken.len());
            prop_assert!(!found.rows.is_empty());
            prop_assert!(found.broken.iter().all(|broken| !broken.reason.contains(&token)));
        }
    }
}
