//! Sweeps over connections: their runs' ids, and whom they are for.

use domain::sweep::{ACCESS_CHUNK_LASTS, IN_USE, Run, SweepKind, is_in_use};
use jiff::{SignedDuration, Timestamp};

fn now() -> Timestamp {
    "2026-11-22T02:00:00.1234567Z".parse().unwrap()
}

#[test]
fn a_runs_id_reads_back_as_what_it_was_made_of() {
    for kind in SweepKind::ALL {
        let run = Run::new(kind, now(), "1a2b3c4d");
        let text = run.to_string();
        assert_eq!(text, format!("{kind}/2026-11-22T02:00:00.123Z/1a2b3c4d"));
        assert_eq!(text.parse(), Ok(run.clone()));
        let json = serde_json::to_value(&run).unwrap();
        assert_eq!(json, text.as_str());
        assert_eq!(serde_json::from_value::<Run>(json).unwrap(), run);
    }
}

#[test]
fn the_ids_of_a_kind_sort_by_time() {
    let whole: Timestamp = "2026-11-22T02:00:00Z".parse().unwrap();
    let ids: Vec<String> = [0, 1, 999, 1000, 60_000]
        .into_iter()
        .map(|ms| whole + SignedDuration::from_millis(ms))
        .map(|at| Run::new(SweepKind::Stale, at, "x").to_string())
        .collect();
    assert!(ids.is_sorted(), "{ids:?}");
}

#[test]
fn anything_else_is_no_run() {
    for text in [
        "",
        "stale",
        "stale/2026-11-22T02:00:00.123Z",
        "stale/2026-11-22T02:00:00.123Z/",
        "stale/2026-11-22T02:00:00.123Z/a/b",
        "boats/2026-11-22T02:00:00.123Z/a",
        "stale/now/a",
        "stale/2026-11-22T02:00:00Z/a",
        "stale/2026-11-22T03:00:00.123+01:00/a",
    ] {
        assert!(text.parse::<Run>().is_err(), "{text}");
    }
}

#[test]
fn a_connection_is_in_use_for_a_day_after_its_last_use() {
    let second = SignedDuration::from_secs(1);
    assert!(is_in_use(Some(now() - IN_USE + second), now()));
    assert!(!is_in_use(Some(now() - IN_USE), now()));
    assert!(!is_in_use(None, now()));
    // Noted by a process whose clock runs ahead.
    assert!(is_in_use(Some(now() + second), now()));
}

#[test]
fn a_chunk_of_the_five_minute_sweep_is_left_to_newer_runs_after_ten_minutes() {
    let started: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
    let run = |kind| Run::new(kind, started, "1a2b3c4d".to_owned());
    let access = run(SweepKind::Access);
    assert!(!access.may_be_overtaken(started));
    assert!(!access.may_be_overtaken(started + ACCESS_CHUNK_LASTS));
    assert!(access.may_be_overtaken(started + ACCESS_CHUNK_LASTS + SignedDuration::from_secs(1)));
    // The others come once a day or once a week: nobody else would.
    let late = started + SignedDuration::from_hours(4);
    assert!(!run(SweepKind::Stale).may_be_overtaken(late));
    assert!(!run(SweepKind::HardExpiry).may_be_overtaken(late));
}
