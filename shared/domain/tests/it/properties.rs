//! What holds for every input.

use domain::{
    Decision, Mapping, Settings, TimeFormat, Timecard, differences, marker, marker_at_end,
    net_minutes_of,
};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::support::{Company, good, with};

/// Zones whose clocks change: by an hour, by half an hour, on other days, at other hours, never.
const ZONES: [&str; 10] = [
    "America/Denver",
    "America/New_York",
    "America/St_Johns",
    "America/Santiago",
    "Australia/Lord_Howe",
    "Europe/Dublin",
    "Pacific/Apia",
    "Asia/Kathmandu",
    "Africa/Casablanca",
    "UTC",
];

/// Any JSON, of a few levels.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[0-9T:Z.+-]{0,30}".prop_map(Value::from),
        "-?[0-9]{1,40}(\\.[0-9]{1,40})?".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((".{0,8}", inner), 0..6)
                .prop_map(|entries| Value::from(entries.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// The good timecard with any of its fields replaced by anything.
fn any_timecard() -> impl Strategy<Value = Value> {
    let names: Vec<String> = good().as_object().unwrap().keys().cloned().collect();
    let field = prop::sample::select([names, vec!["hours".into(), "timeZone".into()]].concat());
    prop::collection::vec((field, any_json()), 0..4)
        .prop_map(|changes| with(Value::from(changes.into_iter().collect::<Map<_, _>>())))
}

prop_compose! {
    /// A good shift of any length in any zone of the list, often near a change of its clocks.
    fn any_shift()(
        near in prop::sample::select(vec![
            "2026-11-01T08:00:00Z", "2026-03-08T09:00:00Z", "2026-04-04T15:00:00Z", "2026-10-03T15:30:00Z",
            "2026-04-05T03:00:00Z", "2026-09-06T04:00:00Z", "2026-10-25T01:00:00Z", "2026-07-01T12:00:00Z",
        ]),
        zone in prop::sample::select(ZONES.to_vec()),
        start in -100_000_i64..100_000,
        net in 30_i64..=86_400,
        pause in 0_u32..600,
        whole in any::<bool>(),
        nanos in prop::sample::select(vec![0, 499_999_999, 500_000_000]),
    ) -> (Value, i64) {
        let near: Timestamp = near.parse().unwrap();
        let (start, net) = if whole { (start / 60 * 60, (net / 60 * 60).max(60)) } else { (start, net) };
        let begin = near.as_second() + start;
        let end = begin + net + i64::from(pause) * 60;
        let nanos = if whole { 0 } else { nanos };
        let card = with(json!({
            "clockIn": Timestamp::new(begin, nanos).unwrap().to_string(),
            "clockOut": Timestamp::new(end, nanos).unwrap().to_string(),
            "breakMinutes": pause,
            "timeZone": zone,
        }));
        (card, (net + 30) / 60)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_json_makes_a_reader_panic(value in any_json()) {
        let _ = Timecard::from_json(&value);
        let _ = Mapping::from_json(&value);
        let _ = Settings::default().apply(&value);
        let _ = net_minutes_of(&value);
        let company = Company::new();
        let sent = company.body(&Timecard::from_json(&good()).unwrap());
        let _ = differences(&sent, &value);
    }

    #[test]
    fn a_timecard_is_good_or_every_problem_helps(value in any_timecard()) {
        match Timecard::from_json(&value) {
            Ok(card) => {
                prop_assert!((1..=1440).contains(&card.net_minutes()));
                let stored: Value = serde_json::to_value(&card).unwrap();
                prop_assert_eq!(Timecard::from_json(&stored).unwrap().fingerprint(), card.fingerprint());
            }
            Err(problems) => {
                prop_assert!(!problems.is_empty());
                for problem in problems {
                    let parts = [&problem.field, &problem.code, &problem.message, &problem.fix];
                    prop_assert!(parts.iter().all(|part| !part.is_empty()), "{:?}", problem);
                    prop_assert!(problem.fix.ends_with('.') && problem.message.ends_with('.'));
                }
            }
        }
    }

    #[test]
    fn quickbooks_nets_what_the_timecard_nets((value, net) in any_shift()) {
        let mut company = Company::new();
        company.settings.sync_from = None;
        let card = Timecard::from_json(&value).unwrap();
        prop_assert_eq!(i64::from(card.net_minutes()), net);
        for format in [TimeFormat::Duration, TimeFormat::StartEnd] {
            company.mapping.time_format = format;
            let body = company.body(&card);
            let answer = serde_json::to_value(&body).unwrap();
            prop_assert_eq!(net_minutes_of(&answer), Some(net), "{}", answer);
            prop_assert_eq!(body.net_minutes(), Some(net));
            prop_assert!(differences(&body, &answer).is_empty());
            let zone = domain::time_zone(card.time_zone.as_deref().unwrap()).unwrap();
            prop_assert_eq!(body.txn_date, card.clock_in.to_zoned(zone).date());
        }
    }

    #[test]
    fn hours_that_are_the_net_time_are_accepted((value, net) in any_shift(), decimals in 2_u32..10) {
        let hours = (rust_decimal::Decimal::from(net) / rust_decimal::Decimal::from(60)).round_dp(decimals);
        let mut value = value;
        for form in [json!(hours.to_string()), serde_json::from_str(&hours.to_string()).unwrap()] {
            value["hours"] = form;
            prop_assert!(Timecard::from_json(&value).is_ok(), "{} of {}", hours, net);
        }
        value["hours"] = json!((hours + rust_decimal::Decimal::new(26, 3)).to_string());
        prop_assert!(Timecard::from_json(&value).is_err());
    }

    #[test]
    fn a_description_never_passes_4000_characters(
        part in ".{1,40}",
        times in 1_usize..4000,
        start_end in any::<bool>(),
        with_marker in any::<bool>(),
    ) {
        let mut company = Company::new();
        company.mapping.marker = with_marker;
        company.mapping.time_format = if start_end { TimeFormat::StartEnd } else { TimeFormat::Duration };
        let notes: String = part.repeat(times).chars().take(4000).collect();
        let value = with(json!({"notes": notes}));
        let Ok(card) = Timecard::from_json(&value) else { return Ok(()) };
        match company.decide(&card) {
            Decision::Send { body, .. } => {
                let text = body.description.unwrap_or_default();
                prop_assert!(text.chars().count() <= 4000);
                let ours = marker(&card.company_id, &card.timecard_id);
                prop_assert!(!with_marker || marker_at_end(&text) == Some(ours.as_str()));
            }
            Decision::Refused(problems) => prop_assert_eq!(problems[0].code.as_str(), "too-long"),
            early @ Decision::BeforeStart { .. } => prop_assert!(false, "{:?}", early),
        }
    }

    #[test]
    fn a_marker_is_stable_and_plain(company in "[A-Za-z0-9_-]{1,64}", timecard in "[^#\\pC\\pZ]{1,100}") {
        let (company, timecard) = (company.parse().unwrap(), timecard.parse().unwrap());
        let first = marker(&company, &timecard);
        prop_assert_eq!(&first, &marker(&company, &timecard));
        prop_assert_eq!(marker_at_end(&first), Some(first.as_str()));
        prop_assert_eq!(first.len(), 13);
    }
}
