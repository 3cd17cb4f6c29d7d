//! Field names and types, from `schema/quickbooks-schema.json`.
//!
//! A body is read against it: unknown fields and values of the wrong type are refused with 2010, an
//! unknown enumeration value with 2170. Numbers sent as text are taken, as the real API takes them.

use std::{collections::HashMap, str::FromStr, sync::LazyLock};

use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::{Map, Number, Value, json};

use super::UnknownFields;
use crate::fault::Fault;

/// One element of a type.
#[derive(Debug, Deserialize)]
pub(crate) struct Field {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    many: bool,
}

#[derive(Deserialize)]
struct File {
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

/// Reads a body of `entity`: every field known, every value of its type, numbers normalised.
pub(crate) fn read_body(
    entity: &str,
    body: &Map<String, Value>,
    unknown: UnknownFields,
) -> Result<Map<String, Value>, Fault> {
    let Some(fields) = SCHEMA.types.get(entity) else {
        return Err(Fault::bad_property(entity));
    };
    read_object(fields, body, unknown)
}

fn read_object(
    fields: &[Field],
    body: &Map<String, Value>,
    unknown: UnknownFields,
) -> Result<Map<String, Value>, Fault> {
    let mut out = Map::new();
    for (name, value) in body {
        let Some(field) = fields.iter().find(|field| field.name == *name) else {
            if unknown == UnknownFields::Ignore {
                continue;
            }
            return Err(Fault::bad_property(name));
        };
        let read = match value {
            Value::Null => Value::Null,
            // Public clients send what is not set as empty text, dates and numbers included.
            Value::String(text) if text.is_empty() => Value::Null,
            Value::Array(items) if field.many => Value::Array(
                items
                    .iter()
                    .map(|item| read_value(field, item, unknown))
                    .collect::<Result<_, _>>()?,
            ),
            _ if field.many => return Err(Fault::bad_property(name)),
            single => read_value(field, single, unknown)?,
        };
        out.insert(name.clone(), read);
    }
    Ok(out)
}

fn read_value(field: &Field, value: &Value, unknown: UnknownFields) -> Result<Value, Fault> {
    let name = field.name.as_str();
    let bad = || Fault::bad_property(name);
    match field.kind.as_str() {
        "ReferenceType" => {
            let reference = value.as_object().ok_or_else(bad)?;
            if reference.keys().any(|key| !["value", "name", "type"].contains(&key.as_str())) {
                return Err(bad());
            }
            let id = text_of(reference.get("value").unwrap_or(&Value::Null)).ok_or_else(bad)?;
            Ok(json!({ "value": id }))
        }
        "int" | "positiveInteger" => {
            let number = decimal_of(value).filter(Decimal::is_integer).ok_or_else(bad)?;
            number_value(number).ok_or_else(bad)
        }
        "decimal" => decimal_of(value).and_then(number_value).ok_or_else(bad),
        "boolean" => match value {
            Value::Bool(_) => Ok(value.clone()),
            Value::String(text) if text == "true" => Ok(Value::Bool(true)),
            Value::String(text) if text == "false" => Ok(Value::Bool(false)),
            _ => Err(bad()),
        },
        "date" => {
            let text = value.as_str().ok_or_else(bad)?;
            let date: Date = text.parse().map_err(|_| bad())?;
            Ok(Value::String(date.to_string()))
        }
        "IntuitAnyType" | "ModificationMetaData" => Ok(value.clone()),
        other => {
            if let Some(values) = SCHEMA.enums.get(other) {
                let text = value.as_str().ok_or_else(bad)?;
                if !values.iter().any(|known| known == text) {
                    return Err(Fault::bad_enumeration(name, text));
                }
                return Ok(value.clone());
            }
            match (SCHEMA.types.get(other), value) {
                // `MemoRef` and its like have no elements: they hold a bare value.
                (Some(fields), Value::Object(inner)) if !fields.is_empty() => {
                    let mut inner = read_object(fields, inner, unknown)?;
                    inner.retain(|_, value| !value.is_null());
                    Ok(Value::Object(inner))
                }
                (Some(fields), Value::Object(_)) if fields.is_empty() => Ok(value.clone()),
                (Some(_), _) => Err(bad()),
                (None, _) => text_of(value).map(Value::String).ok_or_else(bad),
            }
        }
    }
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
    Decimal::from_str(&text).or_else(|_| Decimal::from_scientific(&text)).ok()
}

/// The number without trailing zeros: 75.00 is stored and answered as 75.
pub(crate) fn number_value(number: Decimal) -> Option<Value> {
    Number::from_str(&number.normalize().to_string()).ok().map(Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(entity: &str, body: &Value) -> Result<Map<String, Value>, Fault> {
        read_body(entity, body.as_object().unwrap(), UnknownFields::Refuse)
    }

    #[test]
    fn an_unknown_field_is_2010_and_named() {
        let fault = read("TimeActivity", &json!({"Hours": 1, "Hoours": 2})).unwrap_err();
        assert_eq!((&*fault.code, fault.element.as_deref()), ("2010", Some("Hoours")));
    }

    #[test]
    fn nested_fields_are_checked_too() {
        let fault = read("Employee", &json!({"PrimaryEmailAddr": {"Adress": "a@b"}})).unwrap_err();
        assert_eq!(&*fault.code, "2010");
    }

    #[test]
    fn numbers_are_normalised_and_may_be_text() {
        let body = read("TimeActivity", &json!({"HourlyRate": 75.50, "Hours": "7"})).unwrap();
        assert_eq!(Value::Object(body).to_string(), r#"{"HourlyRate":75.5,"Hours":7}"#);
        assert!(read("TimeActivity", &json!({"Hours": 7.5})).is_err());
    }

    #[test]
    fn empty_text_is_null_whatever_the_type() {
        let body = json!({
            "ReleasedDate": "",
            "BillRate": "",
            "Gender": "",
            "Notes": "",
            "PrimaryAddr": { "Line1": "1 Main St", "Line2": "" },
        });
        let read = read("Employee", &body).unwrap();
        assert_eq!(
            Value::Object(read),
            json!({
                "ReleasedDate": null,
                "BillRate": null,
                "Gender": null,
                "Notes": null,
                "PrimaryAddr": { "Line1": "1 Main St" },
            })
        );
    }

    #[test]
    fn a_bad_enumeration_is_2170() {
        let fault =
            read("TimeActivity", &json!({"BillableStatus": "HAS_BEEN_BILLED"})).unwrap_err();
        assert_eq!(&*fault.code, "2170");
    }

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
