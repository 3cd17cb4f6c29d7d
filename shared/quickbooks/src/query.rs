//! Statements of Intuit's query language, and their escaping.
//!
//! The language has no OR, no joins and no grouping; values stand in single quotes; `MAXRESULTS` is
//! 100 unless told and 1,000 at most; `STARTPOSITION` counts from 1 ("Data queries" of the
//! Accounting API's documentation).

use std::fmt;
use std::fmt::Write as _;

use jiff::Timestamp;

use crate::entity::Entity;

/// The most entities that one query gives.
pub const MAX_RESULTS: usize = 1_000;

/// How many values of usual length an `IN` list takes safely. Intuit has an undocumented limit on
/// its length; this many names stay well below the lengths that were reported to fail.
pub const IN_CHUNK: usize = 50;

/// The value for use between single quotes: `'` and `\` get a backslash. Doubling the quote, as SQL
/// does, is refused by QuickBooks.
pub fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len() + 8);
    for c in value.chars() {
        if matches!(c, '\'' | '\\') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// Encodes a value of a query string: everything but unreserved characters, so that a space is `%20`
/// and the `+` of a UTC offset `%2B`.
pub(crate) fn percent_encode(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len() * 2);
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            // Writing into a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// A statement in the making. Fields are constants of the program; values are escaped.
///
/// ```
/// use quickbooks::{Entity, Query};
/// let statement = Query::select(Entity::Employee)
///     .active_and_inactive()
///     .equals("DisplayName", "Pat O'Brien")
///     .max_results(10)
///     .to_string();
/// assert_eq!(
///     statement,
///     r"SELECT * FROM Employee WHERE Active IN (true,false) AND DisplayName = 'Pat O\'Brien' MAXRESULTS 10"
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a query does nothing until it is sent"]
pub struct Query {
    entity: Entity,
    count: bool,
    conditions: Vec<String>,
    order_by: Option<&'static str>,
    start_position: Option<usize>,
    max_results: Option<usize>,
}

impl Query {
    /// `SELECT *`.
    pub fn select(entity: Entity) -> Self {
        Self {
            entity,
            count: false,
            conditions: Vec::new(),
            order_by: None,
            start_position: None,
            max_results: None,
        }
    }

    /// `SELECT COUNT(*)`: the answer is the page's `total_count`.
    pub fn count(entity: Entity) -> Self {
        Self { count: true, ..Self::select(entity) }
    }

    /// `field = 'value'`.
    pub fn equals(self, field: &'static str, value: &str) -> Self {
        let value = escape(value);
        self.condition(format!("{field} = '{value}'"))
    }

    /// `field IN ('a','b')`. See [`IN_CHUNK`]. An empty list matches nothing in SQL and is no
    /// statement here: do not ask then.
    pub fn one_of<'v>(
        self,
        field: &'static str,
        values: impl IntoIterator<Item = &'v str>,
    ) -> Self {
        let values: Vec<String> =
            values.into_iter().map(|value| format!("'{}'", escape(value))).collect();
        self.condition(format!("{field} IN ({})", values.join(",")))
    }

    /// `field >= 'time'`.
    pub fn from_time(self, field: &'static str, time: Timestamp) -> Self {
        self.condition(format!("{field} >= '{time}'"))
    }

    /// `field < 'time'`.
    pub fn before_time(self, field: &'static str, time: Timestamp) -> Self {
        self.condition(format!("{field} < '{time}'"))
    }

    /// Asks for inactive names too, where the entity has [`Entity::has_active`]; otherwise nothing.
    pub fn active_and_inactive(self) -> Self {
        if self.entity.has_active() {
            self.condition("Active IN (true,false)".to_owned())
        } else {
            self
        }
    }

    /// `ORDERBY field ASC`. Not by `Id`: Intuit ended that in January 2026.
    pub fn order_by(self, field: &'static str) -> Self {
        Self { order_by: Some(field), ..self }
    }

    /// `STARTPOSITION n`, from 1.
    pub fn start_position(self, position: usize) -> Self {
        Self { start_position: Some(position.max(1)), ..self }
    }

    /// `MAXRESULTS n`, at most [`MAX_RESULTS`].
    pub fn max_results(self, results: usize) -> Self {
        Self { max_results: Some(results.clamp(1, MAX_RESULTS)), ..self }
    }

    fn condition(mut self, condition: String) -> Self {
        self.conditions.push(condition);
        self
    }
}

/// The statement.
impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.count { "COUNT(*)" } else { "*" };
        write!(f, "SELECT {what} FROM {}", self.entity)?;
        if !self.conditions.is_empty() {
            write!(f, " WHERE {}", self.conditions.join(" AND "))?;
        }
        if let Some(field) = self.order_by {
            write!(f, " ORDERBY {field} ASC")?;
        }
        if let Some(position) = self.start_position {
            write!(f, " STARTPOSITION {position}")?;
        }
        if let Some(results) = self.max_results {
            write!(f, " MAXRESULTS {results}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quotes_and_backslashes_get_a_backslash() {
        assert_eq!(escape("O'Brien"), r"O\'Brien");
        assert_eq!(escape(r"back\slash"), r"back\\slash");
        assert_eq!(escape("O\u{2019}Brien"), "O\u{2019}Brien");
        assert_eq!(escape(r"x' OR '1'='1"), r"x\' OR \'1\'=\'1");
        assert_eq!(escape(r"\'"), r"\\\'");
    }

    #[test]
    fn a_plus_is_encoded_and_a_space_is_no_plus() {
        assert_eq!(percent_encode("a b+c"), "a%20b%2Bc");
        assert_eq!(
            percent_encode("2026-11-01T00:00:00+01:00"),
            "2026-11-01T00%3A00%3A00%2B01%3A00"
        );
        assert_eq!(percent_encode("\u{e9}&="), "%C3%A9%26%3D");
    }

    #[test]
    fn each_part_stands_in_its_place() {
        let at: Timestamp = "2026-11-01T00:00:00Z".parse().unwrap();
        let query = Query::select(Entity::TimeActivity)
            .active_and_inactive()
            .from_time("MetaData.CreateTime", at)
            .before_time("MetaData.CreateTime", at)
            .one_of("Id", ["1", "O'2"])
            .order_by("MetaData.CreateTime")
            .start_position(0)
            .max_results(5_000);
        assert_eq!(
            query.to_string(),
            r"SELECT * FROM TimeActivity WHERE MetaData.CreateTime >= '2026-11-01T00:00:00Z' AND MetaData.CreateTime < '2026-11-01T00:00:00Z' AND Id IN ('1','O\'2') ORDERBY MetaData.CreateTime ASC STARTPOSITION 1 MAXRESULTS 1000"
        );
        assert_eq!(
            Query::count(Entity::Class).active_and_inactive().to_string(),
            "SELECT COUNT(*) FROM Class WHERE Active IN (true,false)"
        );
    }

    /// Reads a quoted value as the server does; `None` if it does not end where the text ends.
    fn unquote(text: &str) -> Option<String> {
        let mut chars = text.strip_prefix('\'')?.chars();
        let mut value = String::new();
        loop {
            match chars.next()? {
                '\\' => value.push(chars.next()?),
                '\'' => return chars.next().is_none().then_some(value),
                c => value.push(c),
            }
        }
    }

    proptest! {
        #[test]
        fn an_escaped_value_is_one_literal_and_reads_back(value in "(?s).{0,60}|[\\\\' a]{0,12}") {
            let literal = format!("'{}'", escape(&value));
            prop_assert_eq!(unquote(&literal), Some(value));
        }

        #[test]
        fn an_encoded_value_reads_back(value in "(?s).{0,60}") {
            let url = url::Url::parse(&format!("http://h/?q={}", percent_encode(&value))).unwrap();
            let (_, read) = url.query_pairs().next().unwrap();
            prop_assert_eq!(read.as_ref(), value.as_str());
        }
    }
}
