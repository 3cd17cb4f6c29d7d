//! Whether QuickBooks stored what was sent.

use domain::{TimeActivityBody, differences, net_minutes_of};
use serde_json::{Value, json};

use crate::support::{Company, card};

fn sent() -> TimeActivityBody {
    Company::new().body(&card(json!({})))
}

/// QuickBooks' answer to `sent`, with some fields replaced.
fn answer(changes: Value) -> Value {
    let mut answer = serde_json::to_value(sent()).unwrap();
    answer["Id"] = json!("6");
    answer["SyncToken"] = json!("0");
    answer["EmployeeRef"]["name"] = json!("Aaron O'Brien");
    answer["Seconds"] = json!(0);
    for (field, value) in changes.as_object().unwrap() {
        answer[field] = value.clone();
    }
    answer
}

#[test]
fn the_same_record_differs_in_nothing() {
    assert_eq!(differences(&sent(), &answer(json!({}))), [""; 0]);
    let added = json!({"ClassRef": {"value": "9"}, "Description": "other", "HourlyRate": 1});
    assert_eq!(differences(&sent(), &answer(added)), [""; 0]);
}

#[test]
fn every_silent_change_is_named() {
    let changes = json!({
        "TxnDate": "2026-11-20", "NameOf": "Other", "EmployeeRef": {"value": "77"}, "CustomerRef": null,
        "ItemRef": {"value": "1"}, "BillableStatus": "NotBillable", "Hours": 9,
    });
    assert_eq!(
        differences(&sent(), &answer(changes)),
        ["TxnDate", "NameOf", "EmployeeRef", "CustomerRef", "ItemRef", "BillableStatus", "Hours"]
    );
    assert_eq!(differences(&sent(), &json!("")).len(), 7);
}

#[test]
fn a_class_that_was_sent_is_compared() {
    let mut company = Company::new();
    company.mapping.cost_code_target = domain::CostCodeTarget::Class;
    let body = company.body(&card(json!({})));
    let mut answer = serde_json::to_value(&body).unwrap();
    assert_eq!(differences(&body, &answer), [""; 0]);
    answer["ClassRef"]["value"] = json!("501");
    assert_eq!(differences(&body, &answer), ["ClassRef"]);
}

#[test]
fn an_hour_or_a_minute_other_is_a_difference() {
    assert_eq!(differences(&sent(), &answer(json!({"Minutes": 1}))), ["Hours"]);
    assert_eq!(differences(&sent(), &answer(json!({"Hours": 7, "Minutes": 60}))), [""; 0]);
    assert_eq!(
        differences(&sent(), &answer(json!({"Hours": null, "Minutes": null, "Seconds": null}))),
        ["Hours"]
    );
}

#[test]
fn net_time_is_read_from_hours_minutes_and_seconds() {
    for (activity, minutes) in [
        (json!({"Hours": 7, "Minutes": 30}), Some(450)),
        (json!({"Hours": "7", "Minutes": "5"}), Some(425)),
        (json!({"Minutes": 45}), Some(45)),
        (json!({"Hours": 7.5}), Some(450)),
        (json!({"Hours": 0, "Minutes": 0, "Seconds": 30}), Some(1)),
        (json!({"Hours": 1, "Minutes": 0, "Seconds": 29}), Some(60)),
        (json!({"Hours": 0, "Minutes": 0}), Some(0)),
        (json!({"Hours": "seven"}), None),
        (json!({"Hours": 1e300}), None),
        (json!({"Hours": "79228162514264337593543950335"}), None),
        (json!({"Hours": "9999999999999999999999999"}), None),
        (json!({}), None),
        (json!(null), None),
        (json!([1]), None),
    ] {
        assert_eq!(net_minutes_of(&activity), minutes, "{activity}");
    }
}

#[test]
fn net_time_is_read_from_start_end_and_break() {
    for (start, end, pause, minutes) in [
        ("08:00:00-08:00", "17:00:00-08:00", json!({"BreakHours": 1}), Some(480)),
        ("08:00:00-08:00", "17:00:00-07:00", json!({"BreakMinutes": 30}), Some(510)),
        ("08:00:00", "17:00:00", json!({"Hours": 0, "Minutes": 0}), Some(540)),
        ("22:00:00-06:00", "06:00:00-06:00", json!({}), Some(480)),
        ("08:00:00", "08:00:00", json!({}), Some(1440)),
        ("2026-10-26T22:00:00-06:00", "2026-10-27T06:00:30-06:00", json!({}), Some(481)),
        ("2026-10-26T08:00:00Z", "2026-10-26T09:00:00Z", json!({"BreakSeconds": 31}), Some(59)),
        ("8 o'clock", "17:00:00", json!({}), None),
        ("08:00:00", "17:00:00", json!({"BreakHours": "x"}), None),
        ("yesterdayT08:00:00", "17:00:00", json!({}), None),
    ] {
        let mut activity = pause;
        activity["StartTime"] = json!(start);
        activity["EndTime"] = json!(end);
        assert_eq!(net_minutes_of(&activity), minutes, "{activity}");
    }
    // Hours that QuickBooks states besides are its own net figure.
    let both = json!({"Hours": 8, "Minutes": 0, "StartTime": "08:00:00", "EndTime": "17:00:00", "BreakHours": 1});
    assert_eq!(net_minutes_of(&both), Some(480));
}
