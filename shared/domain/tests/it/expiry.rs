//! When a connection ends whatever is refreshed, and when its admins are warned.

use domain::expiry::{
    Ends, JITTER, first_warning, hard_expiry, next_warning, warning_after_refresh,
};
use jiff::{SignedDuration, Timestamp};

fn hard() -> Timestamp {
    "2031-11-20T12:00:00Z".parse().unwrap()
}

const fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

const SECONDS: SignedDuration = SignedDuration::from_secs(9);

#[test]
fn admins_are_warned_30_and_7_days_before_the_hard_expiry_and_then_no_more() {
    let first = first_warning(hard());
    assert_eq!(hard().duration_since(first), days(30));
    let second = next_warning(hard(), first).unwrap();
    assert_eq!(hard().duration_since(second), days(7));
    assert_eq!(next_warning(hard(), second), None);
}

#[test]
fn a_warning_that_comes_late_is_the_one_for_all_that_passed_meanwhile() {
    assert_eq!(next_warning(hard(), hard() - days(8)), Some(hard() - days(7)));
    assert_eq!(next_warning(hard(), hard() - days(5)), None);
    assert_eq!(next_warning(hard(), hard() + days(5)), None);
}

#[test]
fn answers_that_differ_by_seconds_arm_no_warning_again() {
    // The life of a connection: each refresh reports an end that is off by some seconds.
    let mut known = hard();
    let mut warn_at = Some(first_warning(hard()));
    let mut warned = Vec::new();
    for day in (0..40).rev() {
        let now = hard() - days(day);
        if let Some(due) = warn_at.filter(|due| *due <= now) {
            warned.push(known.duration_since(due).as_hours() / 24);
            warn_at = next_warning(known, now);
        }
        for shift in [SECONDS, SignedDuration::ZERO - SECONDS] {
            let reported = hard() + shift;
            warn_at =
                warning_after_refresh(Some(known), warn_at, Some(reported), now + SECONDS * 2);
            known = reported;
        }
    }
    assert_eq!(warned, [30, 7]);
}

#[test]
fn an_expiry_that_really_moved_is_warned_of_anew() {
    let now = hard() - days(5);
    let later = hard() + days(5 * 365);
    assert_eq!(
        warning_after_refresh(Some(hard()), None, Some(later), now),
        Some(first_warning(later))
    );
    let shortly = hard() + JITTER;
    let again = warning_after_refresh(Some(hard()), None, Some(shortly), now);
    assert_eq!(again, Some(first_warning(shortly)));
}

#[test]
fn what_was_never_known_is_armed_when_it_becomes_known_and_disarmed_when_it_is_refuted() {
    let now = hard() - days(400);
    assert_eq!(warning_after_refresh(None, None, Some(hard()), now), Some(first_warning(hard())));
    // A row that an earlier version wrote has an expiry and no warning.
    assert_eq!(
        warning_after_refresh(Some(hard()), None, Some(hard()), now),
        Some(first_warning(hard()))
    );
    assert_eq!(warning_after_refresh(Some(hard()), Some(now), None, now), None);
}

#[test]
fn what_intuit_reports_is_the_hard_expiry() {
    let now = hard() - days(200);
    let before = Ends { soft: now + days(20), hard: Some(hard() + days(9)) };
    assert_eq!(hard_expiry(before, Some(hard()), now + days(100), now), Some(hard()));
}

#[test]
fn a_near_soft_expiry_that_a_refresh_does_not_move_is_the_hard_one() {
    let now = hard() - days(29);
    let before = |soft| Ends { soft, hard: None };
    // Intuit's sign, the answer being some seconds off.
    let soft = hard() - SECONDS;
    assert_eq!(hard_expiry(before(hard()), None, soft, now), Some(soft));
    // It moved: the connection has a hundred days again.
    assert_eq!(hard_expiry(before(hard()), None, now + days(100), now), None);
    // Far from the soft expiry two refreshes in a row look the same too, and say nothing.
    let far = now + days(100);
    assert_eq!(hard_expiry(before(far), None, far + SECONDS, now), None);
}

#[test]
fn a_hard_expiry_once_known_stays_until_a_soft_one_lies_beyond_it() {
    let now = hard() - days(20);
    let before = Ends { soft: hard(), hard: Some(hard()) };
    assert_eq!(hard_expiry(before, None, hard() + SECONDS, now), Some(hard()));
    assert_eq!(hard_expiry(before, None, now + days(100), now), None);
}

#[test]
fn a_warning_never_comes_a_second_before_its_threshold() {
    let seven = hard() - days(7);
    let later = hard() + SECONDS;
    let moved = warning_after_refresh(Some(hard()), Some(seven), Some(later), hard() - days(9));
    assert_eq!(moved, Some(later - days(7)));
}
