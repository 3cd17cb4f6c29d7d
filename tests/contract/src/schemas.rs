//! Schemas and limits: the document's examples, the product's own readers and writers, and the
//! schemas of the bus events agree.

use domain::mapping::Mapping;
use domain::problem::FieldError;
use domain::settings::Settings;
use domain::timecard::Timecard;
use domain::work::SyncStatus;
use jiff::Timestamp;
use platform::bus::Event;
use serde_json::{Map, Value};

use crate::document::{Document, complaints};
use crate::files;

const NONE: Vec<String> = Vec::new();

#[test]
fn every_example_is_as_its_schema_says() {
    let document = Document::read();
    let examples = document.examples();
    assert!(examples.len() > 50, "only {} examples", examples.len());
    for (place, schema, example) in examples {
        assert_eq!(document.complaints(&schema, &example), NONE, "{place}");
    }
}

#[test]
fn every_json_answer_has_an_example() {
    let document = Document::read();
    for operation in document.operations() {
        for (status, response) in operation.value["responses"].as_object().unwrap() {
            let content = &document.resolve(response)["content"]["application/json"];
            assert!(
                content.is_null() || content["examples"].is_object(),
                "{} {status} has no example",
                operation.name()
            );
        }
    }
}

#[test]
fn the_products_own_readers_take_the_examples() {
    for (place, _, example) in Document::read().examples() {
        match place.split(" application").next().unwrap() {
            "POST /timecards request" => {
                let one = [example.clone()];
                for card in example["timecards"].as_array().map_or(&one[..], Vec::as_slice) {
                    assert!(Timecard::from_json(card).is_ok(), "{place}");
                }
            }
            "PUT /settings request" => {
                assert!(Settings::default().apply(&example).is_ok(), "{place}");
            }
            "PUT /mapping request" => {
                assert!(Mapping::from_json(&example["mapping"]).is_ok(), "{place}");
            }
            _ => {}
        }
    }
}

#[test]
fn settings_and_mapping_have_the_fields_that_the_product_writes() {
    let document = Document::read();
    let settings = Settings {
        time_zone: Some("America/Denver".to_owned()),
        sync_from: Some("2026-11-16".parse().unwrap()),
        ..Settings::default()
    };
    let mapping = Mapping {
        updated_by: Some("user-17".to_owned()),
        updated_at: Some(Timestamp::UNIX_EPOCH),
        ..Mapping::default()
    };
    let documented = |names: &[&str]| -> Vec<String> {
        let mut all = Map::new();
        for name in names {
            let schema = document.schema(name);
            let properties = schema["properties"].as_object().or_else(|| {
                schema["allOf"].as_array()?.iter().find_map(|part| part["properties"].as_object())
            });
            all.extend(properties.unwrap().clone());
        }
        all.into_iter().map(|(name, _)| name).collect()
    };
    for (written, names) in [
        (serde_json::to_value(settings).unwrap(), &["Settings"][..]),
        (serde_json::to_value(mapping).unwrap(), &["MappingFields", "StoredMapping"][..]),
    ] {
        let documented = documented(names);
        for field in written.as_object().unwrap().keys() {
            assert!(documented.contains(field), "{names:?} do not document {field}");
        }
    }
}

#[test]
fn the_limits_are_those_of_the_code() {
    let document = Document::read();
    let timecards = document.schema("Timecards")["properties"]["timecards"]["maxItems"].clone();
    assert_eq!(timecards, timecard_intake::post::MOST);
    let ids = document.schema("SyncRequest")["properties"]["timecardIds"]["maxItems"].clone();
    assert_eq!(ids, sync_orchestrator::sync_now::MOST);
    let notes = document.schema("Timecard")["properties"]["notes"]["maxLength"].clone();
    assert_eq!(notes, domain::timecard::MAX_NOTES);
    for operation in document.operations() {
        if let Some(body) = operation.value.get("requestBody") {
            let most = &document.resolve(body)["x-max-bytes"];
            assert_eq!(*most, platform::http::MAX_BODY, "{}", operation.name());
        }
    }
}

#[test]
fn a_timecard_is_the_same_over_http_and_on_the_bus() {
    let document = Document::read();
    let bus = files::json("events/schemas/timecard.approved.json");
    let over_http = bare(&document.schema("Timecard"), &document.0);
    assert_eq!(over_http, bare(&bus, &bus));
}

/// A schema without its words, with what it refers to put in place.
fn bare(schema: &Value, root: &Value) -> Value {
    match schema {
        Value::Object(fields) => {
            let mut kept = Map::new();
            for (name, value) in fields {
                match name.as_str() {
                    "description" | "title" | "examples" | "$schema" | "$id" | "$defs" => {}
                    "$ref" => {
                        let target = value.as_str().unwrap().trim_start_matches('#');
                        let target = bare(root.pointer(target).unwrap(), root);
                        kept.extend(target.as_object().unwrap().clone());
                    }
                    _ => {
                        kept.insert(name.clone(), bare(value, root));
                    }
                }
            }
            Value::Object(kept)
        }
        Value::Array(rows) => rows.iter().map(|row| bare(row, root)).collect(),
        other => other.clone(),
    }
}

#[test]
fn what_the_product_publishes_is_as_the_event_schemas_say() {
    let result = |status: SyncStatus, errors: Vec<FieldError>| Event::Timecard {
        company_id: Some("acme-roofing".to_owned()),
        timecard_id: Some("tc-1001".to_owned()),
        version: Some(1),
        status,
        quick_books_id: Some("145".to_owned()),
        sync_token: Some("0".to_owned()),
        synced_at: Some(Timestamp::UNIX_EPOCH),
        errors,
        at: Timestamp::UNIX_EPOCH,
    };
    let error = || vec![FieldError::new("workerId", "not-mapped", "No employee.", "Choose one.")];
    let unreadable = Event::Timecard {
        company_id: None,
        timecard_id: None,
        version: None,
        status: SyncStatus::Failed,
        quick_books_id: None,
        sync_token: None,
        synced_at: None,
        errors: error(),
        at: Timestamp::UNIX_EPOCH,
    };
    for (schema, event) in [
        ("timecard.synced", result(SyncStatus::Synced, Vec::new())),
        ("timecard.failed", result(SyncStatus::Failed, error())),
        ("timecard.failed", result(SyncStatus::Dead, error())),
        ("timecard.failed", unreadable),
        (
            "company.erased",
            Event::Company {
                company_id: "acme-roofing".parse().unwrap(),
                at: Timestamp::UNIX_EPOCH,
            },
        ),
        ("app.credentials_refused", Event::AppCredentialsRefused { at: Timestamp::UNIX_EPOCH }),
    ] {
        let schema = files::json(&format!("events/schemas/{schema}.json"));
        let event = serde_json::to_value(&event).unwrap();
        assert_eq!(complaints(&schema, &event), NONE, "{event}");
    }
}

#[test]
fn the_demo_is_as_the_schemas_say() {
    let document = Document::read();
    let approved = files::json("events/schemas/timecard.approved.json");
    let cards = files::json("events/demo/timecards.json");
    for row in cards.as_array().unwrap() {
        let card = &row["timecard"];
        assert_eq!(complaints(&approved, card), NONE, "{}", card["timecardId"]);
        assert!(Timecard::from_json(card).is_ok(), "{}", card["timecardId"]);
    }
    for (file, method, path) in [("settings", "PUT", "/settings"), ("mapping", "PUT", "/mapping")] {
        let schema = document.request_schema(&document.operation(method, path));
        let body = files::json(&format!("events/demo/{file}.json"));
        assert_eq!(document.complaints(&schema, &body), NONE, "{file}");
    }
}
