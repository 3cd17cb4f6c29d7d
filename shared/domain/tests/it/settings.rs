//! What may be set, and how.

use domain::alert::AlertSwitches;
use domain::{Settings, time_zone};
use serde_json::{Value, json};

use crate::support::codes;

fn live() -> Settings {
    let change = json!({"liveSync": true, "timeZone": "America/Denver", "syncFrom": "2026-10-26"});
    Settings::default().apply(&change).unwrap()
}

fn refused(settings: &Settings, change: Value) -> Vec<String> {
    codes(&settings.apply(&change).unwrap_err())
}

#[test]
fn a_company_starts_with_live_sync_off() {
    let settings = Settings::default();
    assert!(!settings.live_sync && settings.automatic_refresh);
    assert_eq!(
        (settings.catch_up_minutes, settings.time_zone, settings.sync_from),
        (15, None, None)
    );
}

#[test]
fn given_fields_replace_and_absent_ones_stay() {
    let changed = live().apply(&json!({"catchUpMinutes": 60, "automaticRefresh": false})).unwrap();
    assert_eq!(changed, Settings { catch_up_minutes: 60, automatic_refresh: false, ..live() });
    assert_eq!(live().apply(&json!({})).unwrap(), live());
}

#[test]
fn null_clears_what_may_be_empty() {
    let with_mail = live().apply(&json!({"recipients": ["a@b.example"]})).unwrap();
    let cleared =
        json!({"liveSync": false, "timeZone": null, "syncFrom": null, "recipients": null});
    assert_eq!(with_mail.apply(&cleared).unwrap(), Settings::default());
    for field in ["liveSync", "catchUpMinutes", "automaticRefresh"] {
        assert_eq!(refused(&live(), json!({field: null})), [format!("{field}: wrong-type")]);
    }
}

#[test]
fn live_sync_needs_zone_and_first_day() {
    let off = Settings::default();
    assert_eq!(
        refused(&off, json!({"liveSync": true})),
        ["timeZone: missing", "syncFrom: missing"]
    );
    assert_eq!(refused(&live(), json!({"timeZone": null})), ["timeZone: missing"]);
    assert_eq!(refused(&live(), json!({"syncFrom": null})), ["syncFrom: missing"]);
    let wrong = json!({"liveSync": true, "timeZone": "Mars", "syncFrom": "soon"});
    assert_eq!(refused(&off, wrong), ["timeZone: unknown-zone", "syncFrom: not-a-date"]);
}

#[test]
fn alerts_are_all_on_and_a_change_is_laid_over_them() {
    let all = AlertSwitches { reconnect_required: true, hard_expiry: true };
    assert_eq!(Settings::default().alerts, all);
    let off = live().apply(&json!({"alerts": {"hardExpiry": false}})).unwrap();
    assert_eq!(off.alerts, AlertSwitches { hard_expiry: false, ..all });
    let both = off.apply(&json!({"alerts": {"reconnectRequired": false}})).unwrap();
    assert_eq!(both.alerts, AlertSwitches { reconnect_required: false, hard_expiry: false });
    assert_eq!(
        both.apply(&json!({"alerts": {}, "catchUpMinutes": 60})).unwrap().alerts,
        both.alerts
    );
    let on = both.apply(&json!({"alerts": {"reconnectRequired": true, "hardExpiry": true}}));
    assert_eq!(on.unwrap(), live());
}

#[test]
fn alerts_name_known_kinds_with_true_or_false() {
    for (change, code) in [
        (json!(null), "alerts: wrong-type"),
        (json!(false), "alerts: wrong-type"),
        (json!(["hardExpiry"]), "alerts: wrong-type"),
        (json!({"hardExpiry": null}), "alerts.hardExpiry: wrong-type"),
        (json!({"reconnectRequired": "off"}), "alerts.reconnectRequired: wrong-type"),
        (json!({"hardexpiry": false}), "alerts.hardexpiry: unknown-field"),
    ] {
        assert_eq!(refused(&live(), json!({"alerts": change})), [code], "{change}");
    }
    let problems = live().apply(&json!({"alerts": {"x": 1, "hardExpiry": 2}, "y": 3})).unwrap_err();
    assert_eq!(
        codes(&problems),
        ["y: unknown-field", "alerts.x: unknown-field", "alerts.hardExpiry: wrong-type"]
    );
    assert!(problems[1].fix.contains("reconnectRequired, hardExpiry"), "{}", problems[1].fix);
}

#[test]
fn an_unknown_name_is_refused_with_the_known_ones() {
    let problems = live().apply(&json!({"livesync": false})).unwrap_err();
    assert_eq!(codes(&problems), ["livesync: unknown-field"]);
    assert!(problems[0].fix.contains("liveSync, catchUpMinutes"), "{}", problems[0].fix);
}

#[test]
fn an_answer_can_be_sent_back() {
    let mut answer = serde_json::to_value(live()).unwrap();
    for (field, value) in
        [("companyId", json!("a")), ("version", json!(3)), ("updatedBy", json!("u"))]
    {
        answer[field] = value;
    }
    assert_eq!(live().apply(&answer).unwrap(), live());
}

#[test]
fn a_first_day_is_a_plain_day() {
    for day in [
        "2026-10-32",
        "26.10.2026",
        "20261026",
        "2026-W44-1",
        "2026-10-26T00:00:00Z",
        "",
        "1970-01-01",
        "+2026-10-2",
    ] {
        assert_eq!(refused(&live(), json!({"syncFrom": day})), ["syncFrom: not-a-date"], "{day}");
    }
    assert_eq!(refused(&live(), json!({"syncFrom": 20_261_026})), ["syncFrom: wrong-type"]);
}

#[test]
fn the_catch_up_interval_is_from_5_minutes_to_a_day() {
    for (minutes, code) in [
        (json!(4), "out-of-range"),
        (json!(0), "out-of-range"),
        (json!(-15), "out-of-range"),
        (json!(1441), "out-of-range"),
        (json!(1e12), "out-of-range"),
        (json!(7.5), "not-a-whole-number"),
        (json!("15"), "wrong-type"),
    ] {
        let expected = [format!("catchUpMinutes: {code}")];
        assert_eq!(refused(&live(), json!({"catchUpMinutes": minutes})), expected, "{minutes}");
    }
    for minutes in [5, 1440] {
        assert!(live().apply(&json!({"catchUpMinutes": minutes})).is_ok());
    }
}

#[test]
fn recipients_are_addresses_each_once() {
    let change = json!({"recipients": ["Office@Rocky.example", " office@rocky.EXAMPLE ", "o'brien+qb@büro.example"]});
    let recipients = live().apply(&change).unwrap().recipients;
    assert_eq!(recipients, ["Office@Rocky.example", "o'brien+qb@büro.example"]);
    for address in [
        "",
        "@",
        "a@",
        "@b.example",
        "a b@c.example",
        "a@b",
        "a@b..example",
        "a@b.example\nBcc: x@y.example",
        "a@b.example,c@d.example",
        "A <a@b.example>",
        "a@b@c.example",
    ] {
        let change = json!({"recipients": ["ok@ok.example", address]});
        assert_eq!(refused(&live(), change), ["recipients[1]: not-an-address"], "{address}");
    }
    assert_eq!(refused(&live(), json!({"recipients": "a@b.example"})), ["recipients: wrong-type"]);
    assert_eq!(refused(&live(), json!({"recipients": [1]})), ["recipients[0]: not-an-address"]);
    let many: Vec<_> = (0..21).map(|n| format!("a{n}@b.example")).collect();
    assert_eq!(refused(&live(), json!({"recipients": many})), ["recipients: too-many"]);
    assert_eq!(live().apply(&json!({"recipients": many[..20]})).unwrap().recipients.len(), 20);
}

#[test]
fn settings_of_a_newer_version_are_read() {
    let stored = r#"{"liveSync":true,"timeZone":"America/Denver","conflictPolicy":"host","alerts":{"hardExpiry":false,"breakerOpen":false}}"#;
    let settings: Settings = serde_json::from_str(stored).unwrap();
    assert!(settings.live_sync && settings.automatic_refresh);
    assert_eq!(settings.catch_up_minutes, 15);
    assert!(settings.alerts.reconnect_required && !settings.alerts.hard_expiry);
}

#[test]
fn zones_are_known_without_the_machine_s_own_list() {
    assert!(time_zone("Australia/Lord_Howe").is_some());
    assert!(time_zone("Mountain Standard Time").is_none());
}
