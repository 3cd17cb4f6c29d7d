//! The sample events of `events/<function>/`: one for each trigger, in the shape that AWS sends.

use std::collections::BTreeSet;

use alerts::notice::Notice;
use domain::timecard::Timecard;
use platform::doorbell::Ring;
use platform::refresh_requests::RefreshRequest;
use serde_json::Value;

use crate::document::{Document, complaints};
use crate::files;
use crate::template::{self, Function};

const NONE: Vec<String> = Vec::new();

/// A function's samples: file and content.
fn samples(function: &Function) -> Vec<(String, Value)> {
    let folder = format!("events/{}", function.binary);
    files::names(&folder)
        .into_iter()
        .map(|name| format!("{folder}/{name}"))
        .map(|path| {
            let event = files::json(&path);
            (path, event)
        })
        .collect()
}

/// Which trigger a sample is of.
fn trigger(event: &Value) -> String {
    if let Some(route) = event["routeKey"].as_str() {
        return route.replacen(platform::http::BASE, "", 1);
    }
    if let Some(arn) = event.pointer("/Records/0/eventSourceARN").and_then(Value::as_str) {
        // `quickbooks-connector-DoorbellUrgent-8sJ2kQx0`: stack, logical id, random part.
        let queue = arn.rsplit(':').next().unwrap();
        return queue.rsplit('-').nth(1).unwrap().to_owned();
    }
    event.to_string()
}

#[test]
fn each_trigger_of_each_function_has_one_sample() {
    for function in template::functions().into_values() {
        let mut wanted: BTreeSet<String> = function.queues.iter().cloned().collect();
        wanted
            .extend(function.routes.iter().map(|route| format!("{} {}", route.method, route.path)));
        wanted.extend(function.schedules.iter().map(ToString::to_string));
        let mut samples = samples(&function);
        // What a person sends who calls the function has no trigger.
        samples.retain(|(file, _)| !file.contains("/by-hand-"));
        let found: BTreeSet<String> = samples.iter().map(|(_, event)| trigger(event)).collect();
        assert_eq!(found, wanted, "{}", function.binary);
        assert_eq!(found.len(), samples.len(), "{} has a trigger twice", function.binary);
    }
}

#[test]
fn requests_are_whole_and_carry_what_their_route_takes() {
    let document = Document::read();
    for function in template::functions().into_values() {
        for (file, event) in samples(&function) {
            let Some(route) = event["routeKey"].as_str() else { continue };
            let (method, path) = route.split_once(' ').unwrap();
            let path = path.strip_prefix(platform::http::BASE).unwrap();
            let operation = document.operation(method, path);
            assert_eq!(event["version"], "2.0", "{file}");
            let http = &event["requestContext"]["http"];
            assert_eq!(http["method"], method, "{file}");
            assert_eq!(http["path"], event["rawPath"], "{file}");
            assert!(event["requestContext"]["domainName"].is_string(), "{file}");

            let claims = event.pointer("/requestContext/authorizer/jwt/claims");
            assert_eq!(claims.is_none(), operation.public, "{file}");
            if let Some(claims) = claims {
                let role = claims["companies"].as_str().unwrap().rsplit(':').next().unwrap();
                assert!(operation.roles.iter().any(|allowed| allowed == role), "{file}: {role}");
            }

            let query = event["rawQueryString"].as_str().unwrap();
            for parameter in operation.value["parameters"].as_array().into_iter().flatten() {
                let parameter = document.resolve(parameter);
                if parameter["in"] == "query" && parameter["required"] == true {
                    let wanted = format!("{}=", parameter["name"].as_str().unwrap());
                    assert!(query.contains(&wanted), "{file} has no {wanted}");
                }
            }
            if operation.value.get("requestBody").is_some() {
                assert_eq!(event["headers"]["content-type"], "application/json", "{file}");
                let body = serde_json::from_str(event["body"].as_str().unwrap()).unwrap();
                let schema = document.request_schema(&operation);
                assert_eq!(document.complaints(&schema, &body), NONE, "{file}");
            }
        }
    }
}

#[test]
fn messages_hold_what_their_queue_carries() {
    let approved = files::json("events/schemas/timecard.approved.json");
    let mut seen = 0;
    for function in template::functions().into_values() {
        for (file, event) in samples(&function) {
            for record in event["Records"].as_array().into_iter().flatten() {
                seen += 1;
                assert_eq!(record["eventSource"], "aws:sqs", "{file}");
                assert!(record["messageId"].is_string(), "{file}");
                let body = record["body"].as_str().unwrap();
                if trigger(&event) == "Intake" {
                    let event: Value = serde_json::from_str(body).unwrap();
                    assert_eq!(event["detail-type"], "timecard.approved", "{file}");
                    assert_eq!(complaints(&approved, &event["detail"]), NONE, "{file}");
                    assert!(Timecard::from_json(&event["detail"]).is_ok(), "{file}");
                } else if trigger(&event) == "CompanyDeletions" {
                    let deleted = files::json("events/schemas/company.deleted.json");
                    let event: Value = serde_json::from_str(body).unwrap();
                    assert_eq!(event["detail-type"], "company.deleted", "{file}");
                    assert_eq!(complaints(&deleted, &event["detail"]), NONE, "{file}");
                } else if trigger(&event) == "Alerts" {
                    let event: Value = serde_json::from_str(body).unwrap();
                    let kind = event["detail-type"].as_str().unwrap();
                    let schema = files::json(&format!("events/schemas/{kind}.json"));
                    assert_eq!(complaints(&schema, &event["detail"]), NONE, "{file}");
                    assert_eq!(event["source"], platform::bus::SOURCE, "{file}");
                    assert!(Notice::read(body).is_ok(), "{file}");
                } else if trigger(&event) == "Refreshes" {
                    assert!(serde_json::from_str::<RefreshRequest>(body).is_ok(), "{file}");
                } else {
                    assert!(serde_json::from_str::<Ring>(body).is_ok(), "{file}");
                }
            }
        }
    }
    assert!(seen >= 3);
}

#[test]
fn no_sample_is_of_a_function_that_does_not_exist() {
    let functions: BTreeSet<String> =
        template::functions().into_values().map(|function| function.binary).collect();
    assert_eq!(functions, files::functions().into_iter().collect());
    for folder in files::names("events") {
        assert!(
            functions.contains(&folder) || ["demo", "schemas"].contains(&folder.as_str()),
            "events/{folder}"
        );
    }
}
