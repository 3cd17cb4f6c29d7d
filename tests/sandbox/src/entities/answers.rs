//! Holds what the sandbox answers against the schema: names, types and enumerations.
//!
//! Stricter than what a caller may send: a number is a number, nothing is null.

use jiff::{civil::Date, fmt::temporal::Pieces};
use serde_json::{Map, Value};

use super::schema::{Field, enumeration, is_entity, type_of};

/// No more are told of one answer.
const MOST_PROBLEMS: usize = 20;

/// Checks one answer of the REST API, whatever it was asked: entities, a query's page, a batch, a
/// change data capture, a fault of either shape. Answers how many entities it held.
///
/// # Errors
/// A sentence for each thing that is wrong, with the path to it.
pub(crate) fn check_answer(answer: &Value) -> Result<usize, Vec<String>> {
    let mut check = Check::default();
    match answer {
        Value::Object(fields) if fields.contains_key("fault") => check.gateway_fault(fields),
        Value::Object(fields) => {
            let time = fields.get("time").and_then(Value::as_str);
            if time.is_none_or(|time| !has_offset(time)) {
                check.wrong("time", "is no time with an offset");
            }
            check.parts(fields, "", &["time"]);
        }
        _ => check.wrong("", "the answer is no object"),
    }
    if check.problems.is_empty() {
        return Ok(check.entities);
    }
    check.problems.truncate(MOST_PROBLEMS);
    Err(check.problems)
}

#[derive(Default)]
struct Check {
    entities: usize,
    problems: Vec<String>,
}

impl Check {
    fn wrong(&mut self, path: &str, what: &str) {
        self.problems.push(format!("{path}: {what}"));
    }

    /// The members of an answer, of a batch's item or of a query's page.
    fn parts(&mut self, fields: &Map<String, Value>, path: &str, also: &[&str]) {
        for (name, value) in fields {
            let path = format!("{path}/{name}");
            match (name.as_str(), value) {
                (name, _) if also.contains(&name) => {}
                ("QueryResponse", Value::Object(page)) => self.page(page, &path),
                ("Fault", Value::Object(fault)) => self.fault(fault, &path),
                // Within a batch there is one, and no list around it.
                ("CDCResponse", Value::Object(response)) => self.parts(response, &path, &[]),
                ("BatchItemResponse" | "CDCResponse" | "QueryResponse", Value::Array(items)) => {
                    for (at, item) in items.iter().enumerate() {
                        let path = format!("{path}/{at}");
                        match item {
                            Value::Object(item) if name == "QueryResponse" => {
                                self.page(item, &path);
                            }
                            Value::Object(item) => self.parts(item, &path, &["bId"]),
                            _ => self.wrong(&path, "is no object"),
                        }
                    }
                }
                (name, Value::Object(entity)) if is_entity(name) => {
                    self.entity(name, entity, &path);
                }
                _ => self.wrong(&path, "is not known in an answer"),
            }
        }
    }

    /// A page of a query, or one entity's part of a change data capture.
    fn page(&mut self, page: &Map<String, Value>, path: &str) {
        for (name, value) in page {
            let path = format!("{path}/{name}");
            match (name.as_str(), value) {
                ("startPosition" | "maxResults" | "totalCount", value) if value.is_u64() => {}
                (name, Value::Array(rows)) if is_entity(name) => {
                    if rows.is_empty() {
                        self.wrong(&path, "is empty, where a real answer leaves it out");
                    }
                    for (at, row) in rows.iter().enumerate() {
                        let path = format!("{path}/{at}");
                        match row {
                            Value::Object(row) => self.entity(name, row, &path),
                            _ => self.wrong(&path, "is no object"),
                        }
                    }
                }
                ("Fault", Value::Object(fault)) => self.fault(fault, &path),
                _ => self.wrong(&path, "is not known in a page"),
            }
        }
    }

    fn entity(&mut self, name: &str, entity: &Map<String, Value>, path: &str) {
        self.entities += 1;
        let Some(fields) = type_of(name) else { return self.wrong(path, "has no type") };
        self.object(fields, entity, path);
        let is =
            |field: &str, value: &str| entity.get(field).and_then(Value::as_str) == Some(value);
        if !is("domain", "QBO") {
            self.wrong(path, "has no domain QBO");
        }
        // A deleted entity is a stub; `sparse` says that fields were left out.
        let stub = is("status", "Deleted") || entity.get("sparse") == Some(&Value::Bool(true));
        let required: &[&str] =
            if stub { &["Id"] } else { &["Id", "SyncToken", "MetaData", "sparse"] };
        for field in required {
            if !entity.contains_key(*field) {
                self.wrong(path, &format!("lacks {field}"));
            }
        }
    }

    fn object(&mut self, fields: &[Field], object: &Map<String, Value>, path: &str) {
        for (name, value) in object {
            let path = format!("{path}/{name}");
            let Some(field) = fields.iter().find(|field| field.name == *name) else {
                self.wrong(&path, "is not in the schema");
                continue;
            };
            match value {
                Value::Array(items) if field.many => {
                    for (at, item) in items.iter().enumerate() {
                        self.value(&field.kind, item, &format!("{path}/{at}"));
                    }
                }
                _ if field.many => self.wrong(&path, "is no list"),
                value => self.value(&field.kind, value, &path),
            }
        }
    }

    fn value(&mut self, kind: &str, value: &Value, path: &str) {
        let text = value.as_str();
        let fits = match kind {
            "ReferenceType" | "MemoRef" => return self.reference(kind, value, path),
            "IntuitAnyType" => true,
            "int" => value.is_i64(),
            "positiveInteger" => value.is_u64(),
            "decimal" => value.is_number(),
            "boolean" => value.is_boolean(),
            "date" => text.is_some_and(|text| text.len() == 10 && text.parse::<Date>().is_ok()),
            "dateTime" => {
                text.is_some_and(|t| has_offset(t) || has_offset(&format!("2000-01-01T{t}")))
            }
            other => {
                if let Some(values) = enumeration(other) {
                    text.is_some_and(|text| values.iter().any(|known| known == text))
                } else if let Some(fields) = type_of(other) {
                    match value {
                        Value::Object(inner) => return self.object(fields, inner, path),
                        _ => false,
                    }
                } else {
                    value.is_string()
                }
            }
        };
        if !fits {
            self.wrong(path, &format!("{value} is no {kind}"));
        }
    }

    /// `{value, name, type}`, all of them text; the value is never left out.
    fn reference(&mut self, kind: &str, value: &Value, path: &str) {
        let keys: &[&str] = if kind == "MemoRef" { &["value"] } else { &["value", "name", "type"] };
        let fits = value.as_object().is_some_and(|reference| {
            reference.contains_key("value")
                && reference.iter().all(|(k, v)| keys.contains(&k.as_str()) && v.is_string())
        });
        if !fits {
            self.wrong(path, &format!("{value} is no {kind}"));
        }
    }

    /// A fault of the accounting service. Clients turn `code` into a number.
    fn fault(&mut self, fault: &Map<String, Value>, path: &str) {
        const TYPES: [&str; 5] = [
            "ValidationFault",
            "AuthenticationFault",
            "AuthorizationFault",
            "SystemFault",
            "SERVICE",
        ];
        let kind = fault.get("type").and_then(Value::as_str).unwrap_or("");
        let errors = fault.get("Error").and_then(Value::as_array);
        let fits = |error: &Value| {
            error["Message"].is_string()
                && error["Detail"].is_string()
                && error.get("element").is_none_or(Value::is_string)
                && error["code"].as_str().is_some_and(is_number)
        };
        if !TYPES.contains(&kind)
            || fault.len() != 2
            || errors.is_none_or(|errors| errors.is_empty() || !errors.iter().all(fits))
        {
            self.wrong(path, &format!("{fault:?} is no fault"));
        }
    }

    /// A fault of the gateway, whose `time` is a number.
    fn gateway_fault(&mut self, answer: &Map<String, Value>) {
        let fault = answer.get("fault").unwrap_or(&Value::Null);
        let error = &fault["error"][0];
        let fits = answer.get("time").is_some_and(Value::is_u64)
            && ["AUTHENTICATION", "SERVICE"].contains(&fault["type"].as_str().unwrap_or(""))
            && error["message"].is_string()
            && error["detail"].is_string()
            && error["code"].as_str().is_some_and(is_number);
        if !fits {
            self.wrong("/fault", &format!("{fault} is no gateway fault"));
        }
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a text is a date with a time and an offset.
fn has_offset(text: &str) -> bool {
    Pieces::parse(text).is_ok_and(|read| read.time().is_some() && read.offset().is_some())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::entities::{Kind, company_info, preferences};

    #[test]
    fn every_seeded_entity_is_answered_by_the_schema() {
        let mut seen = 0;
        for state in crate::seed::load().unwrap() {
            let time = "2026-11-20T08:00:00.000-07:00";
            let mut answers = vec![
                json!({ "CompanyInfo": company_info(&state), "time": time }),
                json!({ "Preferences": preferences(&state), "time": time }),
            ];
            for kind in Kind::ALL {
                for record in state.table(kind).iter() {
                    answers.push(json!({ kind.name(): state.wire(kind, record), "time": time }));
                }
            }
            for answer in answers {
                seen += check_answer(&answer).unwrap_or_else(|wrong| panic!("{wrong:?}: {answer}"));
            }
        }
        assert!(seen > 80, "{seen}");
    }

    /// A sound answer with one value replaced.
    fn with(field: &str, value: Value) -> Value {
        let mut activity = json!({
            "Id": "1", "SyncToken": "0", "domain": "QBO", "sparse": false,
            "MetaData": { "CreateTime": "2026-11-18T08:00:00-07:00" },
            "TxnDate": "2026-11-18", "Hours": 7, "HourlyRate": 75.5, "NameOf": "Employee",
            "EmployeeRef": { "value": "55", "name": "A" }, "StartTime": "08:00:00-07:00",
        });
        activity[field] = value;
        json!({ "TimeActivity": activity, "time": "2026-11-20T08:00:00.000-07:00" })
    }

    #[test]
    fn what_does_not_fit_is_found() {
        assert_eq!(check_answer(&with("Hours", json!(8))), Ok(1));
        for (field, value) in [
            ("Hoours", json!(1)),
            ("Hours", json!("7")),
            ("Hours", json!(7.5)),
            ("Hours", json!(null)),
            ("HourlyRate", json!("75.5")),
            ("TxnDate", json!("2026-11-18T00:00:00Z")),
            ("TxnDate", json!("yesterday")),
            ("NameOf", json!("Robot")),
            ("EmployeeRef", json!({ "name": "A" })),
            ("EmployeeRef", json!({ "value": 55 })),
            ("EmployeeRef", json!("55")),
            ("StartTime", json!("08:00:00")),
            ("MetaData", json!({ "CreateTime": "2026-11-18" })),
            ("MetaData", json!({ "Created": "2026-11-18T08:00:00-07:00" })),
            ("domain", json!("QBD")),
            ("CustomField", json!({})),
        ] {
            let answer = with(field, value);
            assert!(check_answer(&answer).is_err(), "{answer}");
        }
        for wrong in [
            json!({ "TimeActivity": {}, "time": "2026-11-20T08:00:00.000-07:00" }),
            json!({ "QueryResponse": {} }),
            json!({ "QueryResponse": { "Item": [] }, "time": "2026-11-20T08:00:00Z" }),
            json!({ "Wages": {}, "time": "2026-11-20T08:00:00Z" }),
            json!([]),
        ] {
            assert!(check_answer(&wrong).is_err(), "{wrong}");
        }
    }
}
