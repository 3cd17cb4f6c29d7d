//! The demo's timecards through the rules give what its generator reckoned on its own.

use std::collections::HashMap;

use domain::{Decision, FieldError, Mapping, Settings, Target, TimeFormat, Timecard};
use serde_json::Value;

use crate::support::{Book, Company, target};

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn rows(seed: &Value, kind: &str) -> HashMap<String, Target> {
    let entities = seed[kind].as_array().unwrap();
    let name =
        |row: &Value| row["DisplayName"].as_str().or(row["Name"].as_str()).unwrap().to_owned();
    entities
        .iter()
        .map(|row| {
            target(row["Id"].as_str().unwrap(), &name(row), row["Active"].as_bool().unwrap())
        })
        .collect()
}

fn company() -> Company {
    let seed = read(include_str!("../../../../tests/sandbox/seed/company-a.json"));
    let mapping = read(include_str!("../../../../events/demo/mapping.json"));
    let settings = read(include_str!("../../../../events/demo/settings.json"));
    Company {
        mapping: Mapping::from_json(&mapping["mapping"]).unwrap(),
        settings: Settings::default().apply(&settings).unwrap(),
        book: Book {
            employees: rows(&seed, "Employee"),
            customers: rows(&seed, "Customer"),
            items: rows(&seed, "Item"),
            classes: rows(&seed, "Class"),
        },
    }
}

/// The last version of each timecard.
fn timecards() -> HashMap<String, Timecard> {
    let sent = read(include_str!("../../../../events/demo/timecards.json"));
    let mut latest: HashMap<String, Timecard> = HashMap::new();
    for entry in sent.as_array().unwrap() {
        let card = Timecard::from_json(&entry["timecard"]).unwrap();
        let id = card.timecard_id.to_string();
        if let Some(before) = latest.get(&id) {
            let again =
                card.version == before.version && card.fingerprint() == before.fingerprint();
            assert!(again || card.version > before.version, "{id}");
        }
        latest.insert(id, card);
    }
    latest
}

fn matches(expected: &Value, decision: &Decision) -> bool {
    match decision {
        Decision::BeforeStart { .. } => expected["outcome"] == "beforeStart",
        Decision::Refused(problems) => {
            let told = |problem: &FieldError| {
                expected["field"] == problem.field && expected["reason"] == problem.code
            };
            expected["outcome"] == "failed" && problems.len() == 1 && problems.iter().all(told)
        }
        Decision::Send { body, .. } => {
            let sent = serde_json::to_value(body).unwrap();
            let hours = expected["hours"].as_i64().zip(expected["minutes"].as_i64());
            expected["outcome"] == "synced"
                && expected["employeeId"] == sent["EmployeeRef"]["value"]
                && expected["customerId"] == sent["CustomerRef"]["value"]
                && expected["itemId"] == sent["ItemRef"]["value"]
                && expected["classId"] == sent["ClassRef"]["value"]
                && expected["txnDate"] == sent["TxnDate"]
                && hours.map(|(hours, minutes)| hours * 60 + minutes) == body.net_minutes()
                && expected["billableStatus"] == sent["BillableStatus"]
                && expected["hourlyRate"].as_f64() == sent["HourlyRate"].as_f64()
        }
    }
}

#[test]
fn the_demo_becomes_what_was_reckoned_apart_from_the_rules() {
    let mut company = company();
    let cards = timecards();
    let expected = read(include_str!("../../../../events/demo/expected.json"));
    let expected = expected.as_array().unwrap();
    assert_eq!(expected.len(), cards.len());
    for format in [TimeFormat::Duration, TimeFormat::StartEnd] {
        company.mapping.time_format = format;
        for outcome in expected {
            let card = &cards[outcome["timecardId"].as_str().unwrap()];
            let decision = company.decide(card);
            assert!(matches(outcome, &decision), "{outcome}\n{decision:?}");
        }
    }
}

#[test]
fn the_demo_shows_every_outcome() {
    let expected = read(include_str!("../../../../events/demo/expected.json"));
    let count = |field: &str, word: &str| {
        expected.as_array().unwrap().iter().filter(|row| row[field] == word).count()
    };
    assert!(count("outcome", "synced") > 200);
    assert!(count("reason", "not-mapped") > 0 && count("reason", "inactive") > 0);
    assert_eq!(count("outcome", "beforeStart"), 1);
    assert!(count("billableStatus", "NotBillable") > 0);
}

#[test]
fn no_two_timecards_of_the_demo_share_a_marker() {
    let cards = timecards();
    let markers: std::collections::HashSet<_> =
        cards.values().map(|card| domain::marker(&card.company_id, &card.timecard_id)).collect();
    assert_eq!(markers.len(), cards.len());
}
