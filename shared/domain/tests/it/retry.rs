//! When a send is tried again, and what may follow one.

use std::time::Duration;

use domain::{
    COMMIT_WINDOW, JobStatus, LADDER, Lane, NextStep, REPLAY_WINDOW, Sent, SyncStatus,
    earliest_resend, next_attempt, next_step,
};
use jiff::Timestamp;

fn now() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

fn minutes_after(failed: u32, jitter: f64) -> Option<f64> {
    Some(next_attempt(failed, now(), jitter)?.duration_since(now()).as_secs_f64() / 60.0)
}

#[test]
fn five_retries_after_1_5_15_60_and_240_minutes() {
    let waits: Vec<_> = (1..=6).map(|failed| minutes_after(failed, 0.0)).collect();
    assert_eq!(waits, [Some(1.0), Some(5.0), Some(15.0), Some(60.0), Some(240.0), None]);
    assert_eq!(LADDER.iter().sum::<Duration>(), Duration::from_mins(321));
    assert_eq!(minutes_after(u32::MAX, 0.0), None);
}

#[test]
fn what_has_not_failed_is_due_now() {
    assert_eq!(next_attempt(0, now(), 0.5), Some(now()));
}

#[test]
fn jitter_adds_at_most_a_tenth() {
    for (jitter, expected) in
        [(1.0, 16.5), (0.5, 15.75), (7.0, 16.5), (-1.0, 15.0), (f64::NAN, 15.0)]
    {
        assert_eq!(minutes_after(3, jitter), Some(expected), "{jitter}");
    }
}

#[test]
fn a_send_that_may_commit_is_not_repeated_within_its_window() {
    for sent in [Sent::Unknown, Sent::Ambiguous] {
        assert_eq!(earliest_resend(now(), sent), now() + COMMIT_WINDOW);
    }
    for sent in [Sent::Committed, Sent::Refused, Sent::TurnedAway, Sent::NotSent] {
        assert_eq!(earliest_resend(now(), sent), now());
    }
}

#[test]
fn what_follows_a_send_is_decided_by_what_is_known() {
    let step = |sent| next_step(now(), now(), sent, now());
    assert_eq!(step(Sent::Committed), NextStep::Done);
    assert_eq!(step(Sent::Refused), NextStep::SendAnew);
    assert_eq!(step(Sent::TurnedAway), NextStep::Replay(now()));
    assert_eq!(step(Sent::NotSent), NextStep::Replay(now()));
    assert_eq!(step(Sent::Unknown), NextStep::Replay(now() + COMMIT_WINDOW));
    assert_eq!(step(Sent::Ambiguous), NextStep::LookUp(now() + COMMIT_WINDOW));
}

#[test]
fn a_replay_that_is_too_old_becomes_a_look_up() {
    let first = now() - REPLAY_WINDOW;
    let second = Duration::from_secs(1);
    let last = first + COMMIT_WINDOW;
    for sent in [Sent::Unknown, Sent::TurnedAway, Sent::NotSent] {
        assert!(matches!(next_step(first, last, sent, now()), NextStep::Replay(_)), "{sent:?}");
        assert!(
            matches!(next_step(first, last, sent, now() + second), NextStep::LookUp(_)),
            "{sent:?}"
        );
    }
    // Sent once and turned away: there is nothing that a look-up could find.
    assert_eq!(next_step(first, first, Sent::TurnedAway, now() + second), NextStep::Replay(first));
}

#[test]
fn words_are_read_as_they_are_written() {
    for lane in Lane::ALL {
        assert_eq!(lane.as_str().parse(), Ok(lane));
        assert_eq!(serde_json::to_value(lane).unwrap(), lane.to_string());
    }
    assert!(Lane::Urgent < Lane::Normal && Lane::Normal < Lane::Background);
    for status in
        [SyncStatus::Pending, SyncStatus::Sending, SyncStatus::Dead, SyncStatus::BeforeStart]
    {
        assert_eq!(status.as_str().parse(), Ok(status));
        assert_eq!(serde_json::to_value(status).unwrap(), status.to_string());
    }
    for status in [JobStatus::Pending, JobStatus::Running, JobStatus::Completed, JobStatus::Failed]
    {
        assert_eq!(serde_json::to_value(status).unwrap(), status.to_string());
    }
    assert_eq!(
        "soon".parse::<Lane>().unwrap_err().to_string(),
        "expected one of 'urgent' 'normal' 'background'"
    );
    assert!(SyncStatus::Failed.is_settled() && !SyncStatus::Sending.is_settled());
}
