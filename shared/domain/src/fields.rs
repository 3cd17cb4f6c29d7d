//! Reads a JSON object field by field and notes every problem, so that a sender sees all of them at once.

use std::str::FromStr;

use jiff::{Timestamp, civil::Date};
use serde_json::{Map, Value};

use crate::{FieldError, IdError, amount::whole};

/// The years in which a date or time is believed; others are typing mistakes.
const YEARS: std::ops::RangeInclusive<i16> = 2000..=2100;

/// How many characters of a wrong value a message repeats.
const SHOWN: usize = 60;

/// An object being read, and what was wrong with it so far.
pub(crate) struct Fields<'a> {
    object: &'a Map<String, Value>,
    /// What stands before a field's name in a list: `employeeMapping[3].`
    prefix: String,
    pub(crate) problems: Vec<FieldError>,
}

impl<'a> Fields<'a> {
    /// Reads the object `value`, which messages call `what`.
    pub(crate) fn of(value: &'a Value, what: &str, path: &str) -> Result<Self, Vec<FieldError>> {
        let Some(object) = value.as_object() else {
            let name = if path.is_empty() { what } else { path };
            return Err(vec![FieldError::new(
                name,
                "wrong-type",
                format!("{name} is {}, not an object.", kind(value)),
                format!("Send the {what} as a JSON object with its fields."),
            )]);
        };
        let prefix = if path.is_empty() { String::new() } else { format!("{path}.") };
        Ok(Self { object, prefix, problems: Vec::new() })
    }

    pub(crate) fn note(
        &mut self,
        field: &str,
        code: &str,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) {
        let field = format!("{}{field}", self.prefix);
        self.problems.push(FieldError::new(field, code, message, fix));
    }

    /// The value read, or all problems noted.
    pub(crate) fn finish<T>(self, value: Option<T>) -> Result<T, Vec<FieldError>> {
        match value {
            Some(value) if self.problems.is_empty() => Ok(value),
            _ => Err(self.problems),
        }
    }

    /// The field's value; absent and `null` are the same.
    pub(crate) fn value(&self, field: &str) -> Option<&'a Value> {
        self.object.get(field).filter(|value| !value.is_null())
    }

    /// Whether the field is there, as a value or as `null`.
    pub(crate) fn has(&self, field: &str) -> bool {
        self.object.contains_key(field)
    }

    pub(crate) fn required(&mut self, field: &str, fix: &str) -> Option<&'a Value> {
        let value = self.value(field);
        if value.is_none() {
            self.note(field, "missing", format!("{field} is missing."), fix);
        }
        value
    }

    pub(crate) fn refuse_others(&mut self, known: &[&str], ignored: &[&str]) {
        let others: Vec<_> = (self.object.keys())
            .filter(|name| !known.contains(&name.as_str()) && !ignored.contains(&name.as_str()))
            .collect();
        for name in others {
            let name = shortened(name);
            let message = format!("There is no field named '{name}'.");
            self.note(&name, "unknown-field", message, format!("Known are {}.", known.join(", ")));
        }
    }

    pub(crate) fn wrong_type(&mut self, field: &str, value: &Value, wanted: &str) {
        self.note(
            field,
            "wrong-type",
            format!("{field} is {}, not {wanted}.", kind(value)),
            format!("Send {field} as {wanted}."),
        );
    }

    pub(crate) fn text(&mut self, field: &str) -> Option<&'a str> {
        let value = self.value(field)?;
        let text = value.as_str();
        if text.is_none() {
            self.wrong_type(field, value, "text");
        }
        text
    }

    pub(crate) fn required_text(&mut self, field: &str, fix: &str) -> Option<&'a str> {
        self.required(field, fix)?;
        self.text(field)
    }

    pub(crate) fn boolean(&mut self, field: &str) -> Option<bool> {
        let value = self.value(field)?;
        let answer = value.as_bool();
        if answer.is_none() {
            self.wrong_type(field, value, "true or false");
        }
        answer
    }

    /// A whole number of at least 0, of whatever size. `too_small` is the code of a negative one.
    pub(crate) fn count(&mut self, field: &str, too_small: &str) -> Option<u64> {
        let value = self.value(field)?;
        if !value.is_number() {
            self.wrong_type(field, value, "a whole number");
            return None;
        }
        match whole(value) {
            Some(number) if number < 0 => {
                self.note(
                    field,
                    too_small,
                    format!("{field} is {number}, which is less than 0."),
                    format!("Send {field} as 0 or a greater whole number."),
                );
                None
            }
            Some(number) => Some(u64::try_from(number).unwrap_or(u64::MAX)),
            None => {
                let shown = shown(value);
                self.note(
                    field,
                    "not-a-whole-number",
                    format!("{field} is {shown}, not a whole number."),
                    format!("Send {field} as a whole number."),
                );
                None
            }
        }
    }

    pub(crate) fn id<T: FromStr<Err = IdError>>(&mut self, field: &str) -> Option<T> {
        let text = self.text(field)?;
        match text.parse() {
            Ok(id) => Some(id),
            Err(error) => {
                let message = if text.is_empty() {
                    format!("{field} is empty.")
                } else {
                    format!("{field} '{}' cannot be right.", shortened(text))
                };
                self.note(field, "invalid-id", message, sentence(&error.to_string()));
                None
            }
        }
    }

    pub(crate) fn required_id<T: FromStr<Err = IdError>>(
        &mut self,
        field: &str,
        fix: &str,
    ) -> Option<T> {
        self.required(field, fix)?;
        self.id(field)
    }

    /// A day as `2026-10-26`.
    pub(crate) fn date(&mut self, field: &str) -> Option<Date> {
        let text = self.text(field)?;
        // The parser also takes basic and week dates, and times after the day.
        let plain = text.len() == 10 && text.as_bytes().get(4) == Some(&b'-');
        let date = text.parse::<Date>().ok().filter(|date| plain && YEARS.contains(&date.year()));
        if date.is_none() {
            let message = format!("{field} '{}' is not a day.", shortened(text));
            self.note(field, "not-a-date", message, format!("Send {field} like 2026-10-26."));
        }
        date
    }

    /// A time as RFC 3339 has it, which always says its offset from UTC.
    pub(crate) fn time(&mut self, field: &str, fix: &str) -> Option<Timestamp> {
        let text = self.required_text(field, fix)?;
        let shown = shortened(text);
        let example = "for example 2026-10-26T08:00:00-06:00";
        let (first, last) = (YEARS.start(), YEARS.end());
        let year = text.get(..4).and_then(|year| year.parse::<i16>().ok());
        let (code, message, fix) = match (Shape::of(text), text.parse::<Timestamp>()) {
            (Shape::WithOffset, _) if year.is_some_and(|year| !YEARS.contains(&year)) => (
                "out-of-range",
                format!("{field} {shown} is not between the years {first} and {last}."),
                format!("Correct the year of {field}."),
            ),
            (Shape::WithOffset, Ok(time)) => return Some(time),
            (Shape::WithoutOffset, _) => (
                "no-offset",
                format!("{field} {shown} does not say how far it is from UTC."),
                format!("Add the offset to {field}, {example}."),
            ),
            _ => (
                "not-a-time",
                format!("{field} '{shown}' is not a date and time."),
                format!("Send {field} as RFC 3339 date and time with offset, {example}."),
            ),
        };
        self.note(field, code, message, fix);
        None
    }
}

/// What a time's text looks like, before it is known whether there is such a time.
enum Shape {
    WithOffset,
    WithoutOffset,
    Other,
}

impl Shape {
    fn of(text: &str) -> Self {
        let matches = |text: &str, pattern: &str| {
            text.len() == pattern.len()
                && text.bytes().zip(pattern.bytes()).all(|(byte, wanted)| match wanted {
                    b'0' => byte.is_ascii_digit(),
                    b'T' => matches!(byte, b'T' | b't' | b' '),
                    b'Z' => matches!(byte, b'Z' | b'z'),
                    b'+' => matches!(byte, b'+' | b'-'),
                    _ => byte == wanted,
                })
        };
        let Some((main, rest)) = text.split_at_checked(19) else { return Self::Other };
        if !matches(main, "0000-00-00T00:00:00") {
            return Self::Other;
        }
        let offset = match rest.strip_prefix('.') {
            Some(fraction) => fraction.trim_start_matches(|c: char| c.is_ascii_digit()),
            None => rest,
        };
        if offset.is_empty() {
            Self::WithoutOffset
        } else if matches(offset, "Z") || matches(offset, "+00:00") {
            Self::WithOffset
        } else {
            Self::Other
        }
    }
}

/// What kind of JSON value this is, as a part of a sentence.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "empty",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The value as a message repeats it.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => shortened(text),
        other => shortened(&other.to_string()),
    }
}

/// The start of `text`, on one line.
pub(crate) fn shortened(text: &str) -> String {
    let mut start: String =
        text.chars().take(SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(SHOWN).is_some() {
        start.push('…');
    }
    start
}

/// `text` with a capital letter and a full stop.
fn sentence(text: &str) -> String {
    let mut rest = text.chars();
    let first = rest.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", rest.as_str())
}
