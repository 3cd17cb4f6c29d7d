//! Good and bad timecards, over HTTP and from the bus: each answer names the field and the fix, good
//! ones go through beside bad ones, and nothing is lost.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that cannot do its work fails the test, and says why"
)]

mod bus;
mod checks;
mod post;
mod sync_now;

use serde_json::{Value, json};

/// A timecard that nothing is wrong with.
fn card(company: &str, id: &str) -> Value {
    json!({
        "companyId": company,
        "timecardId": id,
        "version": 1,
        "workerId": "w-1",
        "projectId": "p-1",
        "clockIn": "2026-11-02T07:00:00-07:00",
        "clockOut": "2026-11-02T15:30:00-07:00",
        "breakMinutes": 30,
        "billable": false,
    })
}

/// The card with some fields replaced; null removes one.
fn changed(card: &Value, change: &Value) -> Value {
    let mut card = card.clone();
    for (name, value) in change.as_object().unwrap() {
        if value.is_null() {
            card.as_object_mut().unwrap().remove(name);
        } else {
            card[name] = value.clone();
        }
    }
    card
}

/// What can be wrong with a timecard: what is sent instead, the field at fault, and the code.
fn wrong_fields() -> Vec<(Value, &'static str, &'static str)> {
    let long = "x".repeat(4001);
    vec![
        (json!({ "timecardId": null }), "timecardId", "missing"),
        (json!({ "timecardId": "a#b" }), "timecardId", "invalid-id"),
        (json!({ "timecardId": 7 }), "timecardId", "wrong-type"),
        (json!({ "version": null }), "version", "missing"),
        (json!({ "version": 0 }), "version", "too-small"),
        (json!({ "version": -1 }), "version", "too-small"),
        (json!({ "version": 1.5 }), "version", "not-a-whole-number"),
        (json!({ "version": "1" }), "version", "wrong-type"),
        (json!({ "version": 9_007_199_254_740_993_u64 }), "version", "too-large"),
        (json!({ "workerId": null }), "workerId", "missing"),
        (json!({ "workerId": "" }), "workerId", "invalid-id"),
        (json!({ "projectId": null }), "projectId", "missing"),
        (json!({ "costCodeId": " x" }), "costCodeId", "invalid-id"),
        (json!({ "clockIn": null }), "clockIn", "missing"),
        (json!({ "clockOut": null }), "clockOut", "missing"),
        (json!({ "clockIn": "2026-11-02T07:00:00" }), "clockIn", "no-offset"),
        (json!({ "clockIn": "yesterday" }), "clockIn", "not-a-time"),
        (json!({ "clockIn": "2026-02-30T07:00:00Z" }), "clockIn", "not-a-time"),
        (json!({ "clockIn": 1_793_000_000 }), "clockIn", "wrong-type"),
        (json!({ "clockOut": "2206-11-02T15:30:00Z" }), "clockOut", "out-of-range"),
        // End before start, no time at all, and 30 hours.
        (json!({ "clockOut": "2026-11-02T06:00:00-07:00" }), "clockOut", "end-before-start"),
        (json!({ "clockOut": "2026-11-02T07:00:00-07:00" }), "clockOut", "end-before-start"),
        (json!({ "clockOut": "2026-11-03T13:00:00-07:00" }), "clockOut", "shift-too-long"),
        (json!({ "breakMinutes": null }), "breakMinutes", "missing"),
        (json!({ "breakMinutes": -15 }), "breakMinutes", "negative-break"),
        (json!({ "breakMinutes": 510 }), "breakMinutes", "break-too-long"),
        (json!({ "breakMinutes": 0.5 }), "breakMinutes", "not-a-whole-number"),
        (json!({ "hours": 9 }), "hours", "hours-differ"),
        (json!({ "hours": "8,0" }), "hours", "not-a-number"),
        (json!({ "hours": true }), "hours", "wrong-type"),
        (json!({ "billable": null }), "billable", "missing"),
        (json!({ "billable": "yes" }), "billable", "wrong-type"),
        (json!({ "rate": -1 }), "rate", "negative-rate"),
        (json!({ "rate": "much" }), "rate", "not-a-number"),
        (json!({ "rate": 1e9 }), "rate", "too-large"),
        (json!({ "notes": long }), "notes", "too-long"),
        (json!({ "notes": ["x"] }), "notes", "wrong-type"),
        (json!({ "timeZone": "Mars/Olympus" }), "timeZone", "unknown-zone"),
        (json!({ "timeZone": "-07:00" }), "timeZone", "unknown-zone"),
    ]
}
