//! What is accepted as a timecard.

use domain::Timecard;
use serde_json::{Value, json};

use crate::support::{card, codes, good, shift, with};

fn refused(changes: Value) -> Vec<String> {
    codes(&Timecard::from_json(&with(changes)).unwrap_err())
}

#[test]
fn a_good_timecard_is_read_whole() {
    let card = Timecard::from_json(&good()).unwrap();
    assert_eq!(card.worker_id.as_str(), "w-1");
    assert_eq!(card.clock_in.to_string(), "2026-10-26T14:00:00Z");
    assert_eq!(card.rate.unwrap().to_string(), "75.5");
    assert_eq!(card.net_minutes(), 480);
}

#[test]
fn a_stored_timecard_is_read_back_the_same() {
    let card =
        card(json!({"hours": "8.0", "timeZone": "Australia/Lord_Howe", "notes": "🧱 \"x\"\n'y'"}));
    let stored = serde_json::to_string(&card).unwrap();
    assert_eq!(serde_json::from_str::<Timecard>(&stored).unwrap(), card);
    let value = serde_json::from_str(&stored).unwrap();
    assert_eq!(Timecard::from_json(&value).unwrap(), card);
}

#[test]
fn every_problem_is_told_at_once() {
    let nothing = codes(&Timecard::from_json(&json!({})).unwrap_err());
    let required = [
        "companyId",
        "timecardId",
        "version",
        "workerId",
        "projectId",
        "clockIn",
        "clockOut",
        "breakMinutes",
        "billable",
    ];
    assert_eq!(nothing, required.map(|field| format!("{field}: missing")));

    let problems = refused(json!({
        "companyId": "a b", "version": 0, "workerId": 17, "clockIn": "yesterday",
        "breakMinutes": -5, "billable": "yes", "rate": "a lot", "notes": ["x"], "timeZone": "Mars/Base",
    }));
    assert_eq!(
        problems,
        [
            "companyId: invalid-id",
            "version: too-small",
            "workerId: wrong-type",
            "clockIn: not-a-time",
            "breakMinutes: negative-break",
            "billable: wrong-type",
            "rate: not-a-number",
            "notes: wrong-type",
            "timeZone: unknown-zone",
        ]
    );
}

#[test]
fn only_an_object_is_a_timecard() {
    for value in [json!(null), json!([]), json!("x"), json!(1), json!(true)] {
        assert_eq!(codes(&Timecard::from_json(&value).unwrap_err()), ["timecard: wrong-type"]);
    }
}

#[test]
fn null_is_absent() {
    let card = card(
        json!({"costCodeId": null, "hours": null, "rate": null, "notes": null, "timeZone": null}),
    );
    assert_eq!((card.cost_code_id, card.hours, card.rate), (None, None, None));
    assert_eq!(refused(json!({"billable": null})), ["billable: missing"]);
}

#[test]
fn unknown_fields_are_ignored() {
    assert!(Timecard::from_json(&with(json!({"approvedBy": "u-9", "gps": [1, 2]}))).is_ok());
}

#[test]
fn a_version_is_a_whole_number_from_1() {
    assert_eq!(card(json!({"version": 9_007_199_254_740_992_u64})).version, 1 << 53);
    assert_eq!(card(json!({"version": 2.0})).version, 2);
    assert_eq!(refused(json!({"version": 9_007_199_254_740_993_u64})), ["version: too-large"]);
    assert_eq!(refused(json!({"version": u64::MAX})), ["version: too-large"]);
    assert_eq!(refused(json!({"version": -1})), ["version: too-small"]);
    assert_eq!(refused(json!({"version": 1.5})), ["version: not-a-whole-number"]);
    assert_eq!(refused(json!({"version": "1"})), ["version: wrong-type"]);
}

#[test]
fn a_clock_time_says_its_offset() {
    for time in ["2026-10-26T08:00:00", "2026-10-26 08:00:00.25"] {
        assert_eq!(refused(json!({"clockIn": time})), ["clockIn: no-offset"], "{time}");
    }
    for time in [
        "",
        "2026-10-26",
        "2026-10-26T08:00-06:00",
        "08:00:00-06:00",
        "20261026T080000Z",
        "2026-10-26T08:00:00-0600",
        "2026-10-26T08:00:00-06:00[America/Denver]",
        "2026-02-30T08:00:00Z",
        "2026-10-26T25:00:00Z",
        "2026-10-26T08:00:00.Z",
        "２026-10-26T08:00:00Z",
        "-2026-10-26T08:00:00Z",
        "1761487200",
    ] {
        assert_eq!(refused(json!({"clockIn": time})), ["clockIn: not-a-time"], "{time}");
    }
    assert_eq!(refused(json!({"clockIn": 1_761_487_200})), ["clockIn: wrong-type"]);
    for time in
        ["2026-10-26t14:00:00z", "2026-10-26 14:00:00Z", "2026-10-26T14:00:00.000000000+00:00"]
    {
        assert_eq!(card(json!({"clockIn": time})).net_minutes(), 480, "{time}");
    }
}

#[test]
fn years_are_believable() {
    assert_eq!(refused(json!({"clockIn": "1999-12-31T23:59:59Z"})), ["clockIn: out-of-range"]);
    assert_eq!(refused(json!({"clockOut": "2101-01-01T00:00:00Z"})), ["clockOut: out-of-range"]);
    assert_eq!(refused(json!({"clockOut": "9999-12-31T23:59:59Z"})), ["clockOut: out-of-range"]);
}

#[test]
fn a_shift_ends_after_it_begins() {
    let end = "2026-10-26T08:00:00-06:00";
    assert_eq!(refused(json!({"clockOut": end})), ["clockOut: end-before-start"]);
    // Later on the clock on the wall, earlier in fact.
    let end = "2026-10-26T09:00:00-04:00";
    assert_eq!(refused(json!({"clockOut": end})), ["clockOut: end-before-start"]);
}

#[test]
fn net_time_is_over_0_and_at_most_24_hours() {
    let end = |end: &str, pause: u32| {
        Timecard::from_json(&with(json!({"clockOut": end, "breakMinutes": pause})))
    };
    assert_eq!(end("2026-10-27T08:00:00-06:00", 0).unwrap().net_minutes(), 1440);
    assert_eq!(end("2026-10-27T14:00:00-06:00", 360).unwrap().net_minutes(), 1440);
    let thirty_hours = end("2026-10-27T14:00:00-06:00", 0).unwrap_err();
    assert_eq!(codes(&thirty_hours), ["clockOut: shift-too-long"]);
    assert!(thirty_hours[0].message.contains("30 h 0 min"), "{}", thirty_hours[0].message);
    let over = end("2026-10-27T08:00:30-06:00", 0).unwrap_err();
    assert_eq!(codes(&over), ["clockOut: shift-too-long"]);
    let all_break = end("2026-10-26T08:30:00-06:00", 30).unwrap_err();
    assert_eq!(codes(&all_break), ["breakMinutes: break-too-long"]);
    let moment = end("2026-10-26T08:00:29-06:00", 0).unwrap_err();
    assert_eq!(codes(&moment), ["clockOut: no-time-worked"]);
    assert_eq!(end("2026-10-26T08:00:30-06:00", 0).unwrap().net_minutes(), 1);
}

#[test]
fn a_break_is_whole_minutes_within_the_shift() {
    assert_eq!(refused(json!({"breakMinutes": 30.5})), ["breakMinutes: not-a-whole-number"]);
    assert_eq!(refused(json!({"breakMinutes": "30"})), ["breakMinutes: wrong-type"]);
    assert_eq!(refused(json!({"breakMinutes": u64::MAX})), ["breakMinutes: break-too-long"]);
    assert_eq!(
        refused(json!({"breakMinutes": 4_294_967_295_u32})),
        ["breakMinutes: break-too-long"]
    );
    assert_eq!(refused(json!({"breakMinutes": 1e300})), ["breakMinutes: not-a-whole-number"]);
}

#[test]
fn minutes_are_rounded_half_up() {
    let minutes = |seconds: &str| {
        shift("2026-10-26T08:00:00Z", &format!("2026-10-26T09:00:{seconds}Z"), 0).net_minutes()
    };
    assert_eq!(minutes("29.999999999"), 60);
    assert_eq!(minutes("30"), 61);
    assert_eq!(minutes("59"), 61);
}

#[test]
fn the_clock_change_counts_elapsed_time() {
    // Denver, 2026-11-01: 2:00 becomes 1:00. Denver, 2026-03-08: 2:00 becomes 3:00.
    assert_eq!(
        shift("2026-10-31T22:00:00-06:00", "2026-11-01T06:00:00-07:00", 30).net_minutes(),
        510
    );
    assert_eq!(
        shift("2026-03-07T22:00:00-07:00", "2026-03-08T06:00:00-06:00", 30).net_minutes(),
        390
    );
}

#[test]
fn hours_may_not_contradict_the_clock() {
    for hours in [json!(8), json!(8.0), json!("8.00"), json!(8.005), json!("7.9951")] {
        assert!(Timecard::from_json(&with(json!({"hours": hours}))).is_ok(), "{hours}");
    }
    for hours in [
        json!(8.02),
        json!(7.98),
        json!("8.5"),
        json!(0),
        json!(-8),
        json!(1e15),
        json!("-22007831753984830000000000"),
        json!("79228162514264337593543950335"),
    ] {
        assert_eq!(refused(json!({"hours": hours})), ["hours: hours-differ"], "{hours}");
    }
    for hours in [json!("8,0"), json!("eight"), json!(""), json!(1e200), json!("9".repeat(60))] {
        assert_eq!(refused(json!({"hours": hours})), ["hours: not-a-number"], "{hours}");
    }
    assert_eq!(refused(json!({"hours": true})), ["hours: wrong-type"]);
}

#[test]
fn hours_with_two_decimals_fit_every_minute_and_every_second() {
    for seconds in 60..7200 {
        let end = jiff::Timestamp::from_second(1_761_487_200 + seconds).unwrap();
        // To two decimals, rounded half up.
        let hundredths = (seconds * 100 + 1800) / 3600;
        let hours = format!("{}.{:02}", hundredths / 100, hundredths % 100);
        let changes = json!({
            "clockIn": "2025-10-26T14:00:00Z", "clockOut": end.to_string(), "breakMinutes": 0, "hours": hours
        });
        assert!(Timecard::from_json(&with(changes)).is_ok(), "{seconds} s are {hours} h");
    }
}

#[test]
fn the_fix_for_hours_names_the_right_figure() {
    let problems = Timecard::from_json(&with(json!({"hours": 9}))).unwrap_err();
    assert!(problems[0].message.contains("8 h 0 min"), "{}", problems[0].message);
}

#[test]
fn a_rate_is_an_amount_of_at_most_7_decimals() {
    assert_eq!(card(json!({"rate": "75.50"})).rate.unwrap().to_string(), "75.5");
    assert_eq!(card(json!({"rate": "0.1234567000"})).rate.unwrap().to_string(), "0.1234567");
    assert!(card(json!({"rate": 0})).rate.unwrap().is_zero());
    assert!(card(json!({"rate": -0.0})).rate.unwrap().is_zero());
    assert_eq!(refused(json!({"rate": -1})), ["rate: negative-rate"]);
    assert_eq!(refused(json!({"rate": "1.12345678"})), ["rate: too-many-decimals"]);
    assert_eq!(refused(json!({"rate": 1_000_001})), ["rate: too-large"]);
    assert_eq!(refused(json!({"rate": "$75"})), ["rate: not-a-number"]);
    assert_eq!(refused(json!({"rate": {}})), ["rate: wrong-type"]);
}

#[test]
fn notes_are_counted_in_characters() {
    assert!(card(json!({"notes": "🧱".repeat(4000)})).notes.is_some());
    let problems = Timecard::from_json(&with(json!({"notes": "é".repeat(4003)}))).unwrap_err();
    assert_eq!(codes(&problems), ["notes: too-long"]);
    assert!(problems[0].message.contains("4003") && problems[0].message.contains("4000"));
    assert!(problems[0].fix.contains('3'));
}

#[test]
fn a_zone_is_of_the_iana_list() {
    for zone in ["America/Denver", "US/Mountain", "UTC", "Etc/GMT+7", "Asia/Ho_Chi_Minh"] {
        assert_eq!(card(json!({"timeZone": zone})).time_zone.as_deref(), Some(zone));
    }
    for zone in
        ["", "MDT", "america/denver", "-06:00", "GMT-6", "Etc/Unknown", "../etc/passwd", "Factory"]
    {
        assert_eq!(refused(json!({"timeZone": zone})), ["timeZone: unknown-zone"], "{zone}");
    }
}

#[test]
fn a_message_repeats_no_endless_value() {
    let problems = Timecard::from_json(&with(json!({
        "workerId": "w\n".repeat(10_000), "clockIn": "x".repeat(10_000), "timeZone": "y".repeat(10_000),
        "rate": "z".repeat(10_000),
    })));
    for problem in problems.unwrap_err() {
        assert!(problem.message.chars().count() < 200, "{}", problem.message);
        assert!(!problem.message.contains('\n'));
    }
}

#[test]
fn equal_content_has_equal_fingerprints() {
    let same = [
        json!({}),
        json!({"clockIn": "2026-10-26T14:00:00Z"}),
        json!({"rate": "75.50"}),
        json!({"timeZone": null, "extra": 1}),
    ];
    for changes in same {
        assert_eq!(card(changes.clone()).fingerprint(), card(json!({})).fingerprint(), "{changes}");
    }
    assert_eq!(
        card(json!({"hours": 8})).fingerprint(),
        card(json!({"hours": "8.00"})).fingerprint()
    );
}

#[test]
fn other_content_has_another_fingerprint() {
    let mut fingerprints = vec![card(json!({})).fingerprint()];
    for changes in [
        json!({"companyId": "company-b"}),
        json!({"timecardId": "tc-2"}),
        json!({"version": 2}),
        json!({"workerId": "w-2"}),
        json!({"projectId": "p-2"}),
        json!({"costCodeId": null}),
        json!({"clockIn": "2026-10-26T08:00:01-06:00"}),
        json!({"clockOut": "2026-10-26T16:30:01-06:00"}),
        json!({"breakMinutes": 31}),
        json!({"hours": 8}),
        json!({"billable": false}),
        json!({"rate": 75}),
        json!({"notes": "framing "}),
        json!({"notes": null}),
        json!({"timeZone": "America/Denver"}),
    ] {
        fingerprints.push(card(changes).fingerprint());
    }
    let count = fingerprints.len();
    fingerprints.sort();
    fingerprints.dedup();
    assert_eq!(fingerprints.len(), count);
    assert!(fingerprints.iter().all(|f| f.len() == 64));
}
