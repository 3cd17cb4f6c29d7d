//! Field names and types, from `schema/quickbooks-schema.json`.
//!
//! `body` reads what a caller sends by it, `answers` holds what the sandbox answers against it.

use std::{collections::HashMap, str::FromStr, sync::LazyLock};

use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::{Number, Value};

pub(crate) use super::body::read_body;

/// One element of a type.
#[derive(Debug, Deserialize)]
pub(crate) struct Field {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) many: bool,
}

#[derive(Deserialize)]
struct File {
    entities: Vec<String>,
    enums: HashMap<String, Vec<String>>,
    types: HashMap<String, Vec<Field>>,
}

static SCHEMA: LazyLock<File> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../schema/quickbooks-schema.json"))
        .unwrap_or_else(|error| panic!("schema/quickbooks-schema.json: {error}"))
});

/// Reads the schema now, so that the first request does not pay for it.
pub(crate) fn warm_up() {
    LazyLock::force(&SCHEMA);
}

/// Whether there is an entity of this name.
pub(super) fn is_entity(name: &str) -> bool {
    SCHEMA.entities.iter().any(|entity| entity == name)
}

/// The elements of a type; `None`: it is a simple one.
pub(super) fn type_of(name: &str) -> Option<&'static [Field]> {
    SCHEMA.types.get(name).map(Vec::as_slice)
}

/// The values of an enumeration; `None`: it is none.
pub(super) fn enumeration(name: &str) -> Option<&'static [String]> {
    SCHEMA.enums.get(name).map(Vec::as_slice)
}

/// How a property compares in a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Text,
    Number,
    Boolean,
    Date,
    Instant,
    Id,
}

/// A property that a query may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Property {
    /// Its canonical path, for example `["MetaData", "CreateTime"]`.
    pub(crate) path: Vec<String>,
    /// How it compares; `None`: it may be selected but not filtered or sorted.
    pub(crate) comparison: Option<Comparison>,
}

/// Finds a dotted property of `entity`, in any case.
pub(crate) fn property(entity: &str, dotted: &str) -> Option<Property> {
    let mut fields = SCHEMA.types.get(entity)?;
    let mut path = Vec::new();
    let mut last: Option<&Field> = None;
    for part in dotted.split('.') {
        if let Some(outer) = last {
            // A reference is `{value, name}`, which the schema does not spell out.
            if outer.kind == "ReferenceType" {
                let part = ["value", "name"].into_iter().find(|p| p.eq_ignore_ascii_case(part))?;
                path.push(part.to_owned());
                return Some(Property { path, comparison: Some(Comparison::Text) });
            }
            fields = SCHEMA.types.get(&outer.kind)?;
        }
        let field = fields.iter().find(|field| field.name.eq_ignore_ascii_case(part))?;
        path.push(field.name.clone());
        last = Some(field);
    }
    let field = last?;
    let comparison = match field.kind.as_str() {
        _ if field.many => None,
        "id" => Some(Comparison::Id),
        "decimal" | "int" | "positiveInteger" => Some(Comparison::Number),
        "boolean" => Some(Comparison::Boolean),
        "date" => Some(Comparison::Date),
        "dateTime" if path.first().is_some_and(|p| p == "MetaData") => Some(Comparison::Instant),
        // These compare by their one value: `CustomerRef = '21'`, `PrimaryEmailAddr = 'a@b.c'`.
        "string" | "dateTime" | "ReferenceType" | "EmailAddress" | "TelephoneNumber" => {
            Some(Comparison::Text)
        }
        other if SCHEMA.enums.contains_key(other) => Some(Comparison::Text),
        _ => None,
    };
    Some(Property { path, comparison })
}

/// Text, or a number or boolean written as one.
pub(crate) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// A number, or text that reads as one.
pub(crate) fn decimal_of(value: &Value) -> Option<Decimal> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_owned(),
        _ => return None,
    };
    // The decimal type itself would also read `1_000`.
    if text.contains('_') {
        return None;
    }
    Decimal::from_str(&text).or_else(|_| Decimal::from_scientific(&text)).ok()
}

/// The number without trailing zeros: 75.00 is stored and answered as 75.
pub(crate) fn number_value(number: Decimal) -> Option<Value> {
    Number::from_str(&number.normalize().to_string()).ok().map(Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_found_in_any_case() {
        let found = property("TimeActivity", "Metadata.lastupdatedtime").unwrap();
        assert_eq!(found.path, ["MetaData", "LastUpdatedTime"]);
        assert_eq!(found.comparison, Some(Comparison::Instant));
        assert!(property("TimeActivity", "Nope").is_none());
        assert!(property("TimeActivity", "Hours.x").is_none());
        assert_eq!(property("Employee", "PrimaryAddr").unwrap().comparison, None);
    }
}
