//! Reads what a caller sends.
//!
//! Unknown fields and values of the wrong type are refused with 2010, an unknown enumeration value
//! with 2170, a text that is too long with 2050. Numbers sent as text are taken, as the real API takes
//! them. What is empty is null: public clients send what is not set as empty text, dates and numbers
//! included, and clear a reference with an empty `value`, an address with an empty object.

use jiff::{civil::Date, fmt::temporal::Pieces};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::{
    UnknownFields, lengths,
    schema::{Field, decimal_of, enumeration, number_value, text_of, type_of},
};
use crate::fault::Fault;

/// Types whose empty object clears the field.
const CLEARED_BY_EMPTY: [&str; 6] = [
    "ReferenceType",
    "MemoRef",
    "PhysicalAddress",
    "EmailAddress",
    "TelephoneNumber",
    "WebSiteAddress",
];

/// Reads a body of `entity`: every field known, every value of its type, numbers normalised.
///
/// # Errors
/// 2010, 2050 or 2170 with the field's name.
pub(crate) fn read_body(
    entity: &str,
    body: &Map<String, Value>,
    unknown: UnknownFields,
) -> Result<Map<String, Value>, Fault> {
    let Some(fields) = type_of(entity) else {
        return Err(Fault::bad_property(entity));
    };
    read_object(entity, fields, body, unknown)
}

fn read_object(
    of: &str,
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
            Value::String(text) if text.is_empty() => Value::Null,
            Value::Array(items) if field.many => Value::Array(
                items
                    .iter()
                    .map(|item| read_value(field, item, unknown))
                    .collect::<Result<_, _>>()?,
            ),
            _ if field.many => return Err(Fault::bad_property(name)),
            Value::Object(inner) if clears(&field.kind, inner) => Value::Null,
            single => read_value(field, single, unknown)?,
        };
        if let (Some(max), Some(text)) = (lengths::max(of, name), read.as_str()) {
            let length = text.chars().count();
            if length > max {
                return Err(Fault::too_long(name, max, length));
            }
        }
        out.insert(name.clone(), read);
    }
    Ok(out)
}

/// Whether an object of this type has nothing in it that could be set.
fn clears(kind: &str, inner: &Map<String, Value>) -> bool {
    let empty = |value: &Value| value.is_null() || value.as_str() == Some("");
    match kind {
        "ReferenceType" | "MemoRef" => {
            inner.get("value").is_none_or(empty) && inner.values().all(empty)
        }
        _ => CLEARED_BY_EMPTY.contains(&kind) && inner.is_empty(),
    }
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
        "MemoRef" => {
            let memo = value.as_object().ok_or_else(bad)?;
            if memo.keys().any(|key| key != "value") {
                return Err(bad());
            }
            let text = memo.get("value").and_then(Value::as_str).ok_or_else(bad)?;
            let length = text.chars().count();
            if length > lengths::MEMO {
                return Err(Fault::too_long(name, lengths::MEMO, length));
            }
            Ok(json!({ "value": text }))
        }
        "int" | "positiveInteger" => {
            // The XSD's integers are 32 bits wide.
            let in_range = |number: &Decimal| {
                number.is_integer() && *number >= i32::MIN.into() && *number <= i32::MAX.into()
            };
            let number = decimal_of(value).filter(in_range).ok_or_else(bad)?;
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
        // A TimeActivity sends bare times of day with an offset as well.
        "dateTime" => {
            let text = value.as_str().map(str::trim).ok_or_else(bad)?;
            let dated = [text.to_owned(), format!("2000-01-01T{text}")];
            if dated.iter().any(|text| Pieces::parse(text).is_ok_and(|read| read.time().is_some()))
            {
                Ok(Value::String(text.to_owned()))
            } else {
                Err(bad())
            }
        }
        "IntuitAnyType" | "ModificationMetaData" => Ok(value.clone()),
        other => {
            if let Some(values) = enumeration(other) {
                let text = value.as_str().ok_or_else(bad)?;
                if !values.iter().any(|known| known == text) {
                    return Err(Fault::bad_enumeration(name, text));
                }
                return Ok(value.clone());
            }
            match (type_of(other), value) {
                (Some(fields), Value::Object(inner)) => {
                    let mut inner = read_object(other, fields, inner, unknown)?;
                    inner.retain(|_, value| !value.is_null());
                    Ok(Value::Object(inner))
                }
                (Some(_), _) => Err(bad()),
                (None, _) => text_of(value).map(Value::String).ok_or_else(bad),
            }
        }
    }
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
}
