//! What a timecard becomes.

use domain::{Decision, Frozen, TimeFormat, decide, marker};
use serde_json::json;

use crate::support::{Company, card, codes, shift, target};

fn denver(start: &str, end: &str, pause: u32, format: TimeFormat) -> serde_json::Value {
    let mut company = Company::new();
    company.mapping.time_format = format;
    serde_json::to_value(company.body(&shift(start, end, pause))).unwrap()
}

#[test]
fn a_timecard_becomes_a_time_activity_under_quickbooks_names() {
    let body = serde_json::to_string(&Company::new().body(&card(json!({})))).unwrap();
    let marker = marker(&"company-a".parse().unwrap(), &"tc-1".parse().unwrap());
    let expected = [
        r#"{"TxnDate":"2026-10-26","NameOf":"Employee","EmployeeRef":{"value":"55"},"#,
        r#""CustomerRef":{"value":"21"},"ItemRef":{"value":"3"},"BillableStatus":"Billable","#,
        r#""HourlyRate":75.5,"Hours":8,"Minutes":0,"#,
        r#""Description":"framing\n08:00–16:30, break 30 min "#,
        &format!("{marker}\"}}"),
    ];
    assert_eq!(body, expected.concat());
}

#[test]
fn a_body_is_read_back_the_same() {
    let body = Company::new().body(&card(json!({"rate": "66.6666667"})));
    let text = serde_json::to_string(&body).unwrap();
    assert!(text.contains(r#""HourlyRate":66.6666667,"#), "{text}");
    assert_eq!(serde_json::from_str::<domain::TimeActivityBody>(&text).unwrap(), body);
    let value = serde_json::to_value(&body).unwrap();
    assert_eq!(serde_json::from_value::<domain::TimeActivityBody>(value).unwrap(), body);
}

#[test]
fn time_that_nobody_pays_has_no_rate() {
    let body = Company::new().body(&card(json!({"billable": false})));
    let body = serde_json::to_value(body).unwrap();
    assert_eq!(
        (&body["BillableStatus"], &body["HourlyRate"]),
        (&json!("NotBillable"), &json!(null))
    );
    assert!(matches!(
        Company::new().decide(&card(json!({"billable": false, "rate": null}))),
        Decision::Send { .. }
    ));
}

#[test]
fn billable_time_needs_a_rate() {
    let problems = Company::new().problems(&card(json!({"rate": null})));
    assert_eq!(codes(&problems), ["rate: missing-rate"]);
    assert!(matches!(Company::new().decide(&card(json!({"rate": 0}))), Decision::Send { .. }));
}

#[test]
fn what_is_not_mapped_is_told_all_at_once_with_the_page_that_helps() {
    let company = Company::new();
    let problems = company.problems(&card(
        json!({"workerId": "w-9", "projectId": "p-9", "costCodeId": "c-9", "rate": null}),
    ));
    assert_eq!(
        codes(&problems),
        [
            "workerId: not-mapped",
            "projectId: not-mapped",
            "costCodeId: not-mapped",
            "rate: missing-rate"
        ]
    );
    assert_eq!(problems[0].message, "No QuickBooks employee is chosen for worker w-9.");
    assert_eq!(problems[0].fix, "Open Mapping and choose the QuickBooks employee for worker w-9.");
}

#[test]
fn a_target_that_left_quickbooks_is_named() {
    let mut company = Company::new();
    company.book = crate::support::Book::default();
    let problems = company.problems(&card(json!({})));
    assert_eq!(
        codes(&problems),
        [
            "workerId: not-in-quickbooks",
            "projectId: not-in-quickbooks",
            "costCodeId: not-in-quickbooks"
        ]
    );
    assert!(problems[0].message.contains("employee 55"), "{}", problems[0].message);
}

#[test]
fn an_inactive_target_is_named_as_people_know_it() {
    let mut company = Company::new();
    company.book.employees.extend([target("55", "Walter Pruitt (deleted)", false)]);
    company.book.customers.extend([target("21", "Ivy Court", false)]);
    company.book.items.extend([target("3", "Asbestos", false)]);
    let problems = company.problems(&card(json!({})));
    assert_eq!(
        codes(&problems),
        ["workerId: inactive", "projectId: inactive", "costCodeId: inactive"]
    );
    let message = "'Ivy Court', the QuickBooks customer of project p-1, is inactive in QuickBooks.";
    assert_eq!(problems[1].message, message);
}

#[test]
fn a_timecard_without_cost_code_has_no_item() {
    let body = Company::new().body(&card(json!({"costCodeId": null})));
    assert_eq!((body.item_ref, body.class_ref), (None, None));
}

#[test]
fn cost_codes_become_classes_where_the_mapping_says_so() {
    let mut company = Company::new();
    company.mapping.cost_code_target = domain::CostCodeTarget::Class;
    company.book.items.clear();
    let body = company.body(&card(json!({})));
    assert_eq!((body.item_ref, body.class_ref.unwrap().value.as_str()), (None, "500"));
    company.book.classes.extend([target("500", "North", false)]);
    assert_eq!(codes(&company.problems(&card(json!({})))), ["costCodeId: inactive"]);
}

#[test]
fn the_work_day_is_the_local_day_of_clock_in() {
    let day = |start: &str, zone: Option<&str>| {
        let end = "2026-10-30T00:00:00Z";
        let card =
            card(json!({"clockIn": start, "clockOut": end, "breakMinutes": 0, "timeZone": zone}));
        Company::new().body(&card).txn_date.to_string()
    };
    assert_eq!(day("2026-10-29T05:59:59Z", None), "2026-10-28");
    assert_eq!(day("2026-10-29T06:00:00Z", None), "2026-10-29");
    assert_eq!(day("2026-10-29T05:59:59Z", Some("America/New_York")), "2026-10-29");
    assert_eq!(day("2026-10-29T13:00:00Z", Some("Australia/Lord_Howe")), "2026-10-30");
}

#[test]
fn zone_and_day_stay_as_frozen() {
    let company = Company::new();
    let frozen = Frozen { time_zone: "Asia/Tokyo".into(), txn_date: "2026-09-01".parse().unwrap() };
    let decision = decide(
        &card(json!({"timeZone": "America/Denver"})),
        &company.mapping,
        &company.book,
        &company.settings,
        Some(&frozen),
    );
    let Decision::Send { body, frozen: still } = decision else { panic!("{decision:?}") };
    assert_eq!(body.txn_date, frozen.txn_date);
    assert_eq!(still, frozen);
    assert!(body.description.unwrap().contains("23:00–07:30 (next day), break 30 min"));
}

#[test]
fn without_any_zone_nothing_is_sent() {
    let mut company = Company::new();
    company.settings.time_zone = None;
    let problems = company.problems(&card(json!({"workerId": "w-9"})));
    assert_eq!(codes(&problems), ["timeZone: missing", "workerId: not-mapped"]);
    assert!(problems[0].fix.contains("Settings"));
    company.settings.time_zone = Some("Mars/Base".into());
    assert_eq!(codes(&company.problems(&card(json!({})))), ["timeZone: unknown-zone"]);
}

#[test]
fn a_work_day_before_the_first_is_never_sent_and_no_failure() {
    let card = card(json!({
        "clockIn": "2026-10-26T05:59:00Z", "clockOut": "2026-10-26T12:00:00Z",
        "breakMinutes": 0, "workerId": "w-9",
    }));
    let Decision::BeforeStart { txn_date, sync_from } = Company::new().decide(&card) else {
        panic!("not before the start")
    };
    assert_eq!(
        (txn_date.to_string(), sync_from.to_string()),
        ("2026-10-25".into(), "2026-10-26".into())
    );
}

#[test]
fn a_shift_that_contradicts_itself_is_not_sent() {
    let mut card = card(json!({}));
    card.clock_out = card.clock_in;
    assert_eq!(codes(&Company::new().problems(&card)), ["clockOut: end-before-start"]);
}

#[test]
fn clock_times_stand_in_the_description_as_the_wall_showed_them() {
    let times = |start: &str, end: &str, pause: u32| {
        let body = denver(start, end, pause, TimeFormat::Duration);
        let text = body["Description"].as_str().unwrap().to_owned();
        text.strip_prefix("framing\n").unwrap().rsplit_once(' ').unwrap().0.to_owned()
    };
    assert_eq!(times("2026-10-26T13:05:00Z", "2026-10-26T22:00:00Z", 0), "07:05–16:00");
    assert_eq!(
        times("2026-10-26T13:05:10Z", "2026-10-26T22:00:00Z", 5),
        "07:05:10–16:00:00, break 5 min"
    );
    assert_eq!(
        times("2026-10-31T22:00:00-06:00", "2026-11-01T06:00:00-07:00", 30),
        "22:00 MDT–06:00 MST (next day), break 30 min"
    );
    assert_eq!(
        times("2026-11-01T01:30:00-06:00", "2026-11-01T01:15:00-07:00", 0),
        "01:30 MDT–01:15 MST"
    );
    assert_eq!(
        times("2026-10-26T08:00:00-06:00", "2026-10-28T08:00:00-06:00", 1500),
        "08:00–08:00 (2 days later), break 1500 min"
    );
}

#[test]
fn start_and_end_are_sent_where_quickbooks_counts_them_as_we_do() {
    let body =
        denver("2026-10-26T08:00:00-06:00", "2026-10-26T18:15:00-06:00", 75, TimeFormat::StartEnd);
    assert_eq!(
        (&body["StartTime"], &body["EndTime"]),
        (&json!("08:00:00-06:00"), &json!("18:15:00-06:00"))
    );
    assert_eq!((&body["BreakHours"], &body["BreakMinutes"]), (&json!(1), &json!(15)));
    assert_eq!((&body["Hours"], &body["Minutes"]), (&json!(null), &json!(null)));
    assert!(body["Description"].as_str().unwrap().starts_with("framing\n[tc:"));

    let body = denver("2026-10-26T14:00:20Z", "2026-10-26T15:00:20Z", 0, TimeFormat::StartEnd);
    assert_eq!((&body["StartTime"], &body["BreakHours"]), (&json!("08:00:20-06:00"), &json!(null)));
}

#[test]
fn hours_and_minutes_are_sent_where_quickbooks_would_count_otherwise() {
    for (start, end, hours, minutes, why) in [
        ("2026-10-26T22:00:00-06:00", "2026-10-27T06:00:00-06:00", 8, 0, "over midnight"),
        ("2026-10-26T08:00:00-06:00", "2026-10-27T08:00:00-06:00", 24, 0, "24 hours"),
        ("2026-11-01T00:30:00-06:00", "2026-11-01T05:00:00-07:00", 5, 30, "clocks back"),
        (
            "2026-11-01T01:30:00-06:00",
            "2026-11-01T01:15:00-07:00",
            0,
            45,
            "end before start on the wall",
        ),
        ("2027-03-14T00:30:00-07:00", "2027-03-14T05:00:00-06:00", 3, 30, "clocks forward"),
        ("2026-10-26T08:00:00-06:00", "2026-10-26T09:00:31-06:00", 1, 1, "seconds left over"),
    ] {
        let body = denver(start, end, 0, TimeFormat::StartEnd);
        assert_eq!((&body["Hours"], &body["Minutes"]), (&json!(hours), &json!(minutes)), "{why}");
        assert_eq!(
            (&body["StartTime"], &body["BreakHours"]),
            (&json!(null), &json!(null)),
            "{why}"
        );
        assert!(body["Description"].as_str().unwrap().contains('–'), "{why}");
    }
}

#[test]
fn the_marker_can_be_switched_off() {
    let mut company = Company::new();
    company.mapping.marker = false;
    let body = company.body(&card(json!({})));
    assert_eq!(body.description.as_deref(), Some("framing\n08:00–16:30, break 30 min"));
    company.mapping.time_format = TimeFormat::StartEnd;
    assert_eq!(company.body(&card(json!({"notes": "  "}))).description, None);
}

#[test]
fn notes_that_do_not_fit_are_refused_with_what_fits() {
    let company = Company::new();
    // "08:00–16:30, break 30 min", a space, the marker, and the line break before them.
    let fits = 4000 - (25 + 1 + 13 + 1);
    let body = company.body(&card(json!({"notes": "🧱".repeat(fits)})));
    assert_eq!(body.description.unwrap().chars().count(), 4000);
    let problems = company.problems(&card(json!({"notes": "🧱".repeat(fits + 1)})));
    assert_eq!(codes(&problems), ["notes: too-long"]);
    assert!(problems[0].message.contains(&fits.to_string()), "{}", problems[0].message);
}

#[test]
fn notes_go_as_they_were_written() {
    let notes = "\"Joe's\" crew\nsaid: don't 🧱 \\ <b> & 100%";
    let text = Company::new().body(&card(json!({"notes": notes}))).description.unwrap();
    assert!(text.starts_with(&format!("{notes}\n08:00")), "{text}");
}
