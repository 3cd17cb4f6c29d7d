//! Exactly once: what may follow a send, by what is known about it.
//!
//! A request to QuickBooks may still commit after its sender has given up on it or died. Three rules keep that from making a second record:
//!
//! 1. The same body goes out again only with the `requestid` it had, and QuickBooks then answers with the original.
//! 2. While a first send may still be committing, it is not sent again, because nobody says whether a `requestid` counts from arrival or from commit.
//! 3. Where a replay is too old to be trusted, or its answer is ambiguous, QuickBooks is asked what it holds.
//!
//! What this does not guarantee: that QuickBooks remembers a `requestid` as long as [`REPLAY_WINDOW`]. Rule 3's look-up and the daily comparison
//! stand behind that.

use std::time::Duration;

use jiff::Timestamp;

/// How long after it was sent a request may still commit at Intuit: its own limit of 120 s, and 30 s for the way.
pub const COMMIT_WINDOW: Duration = Duration::from_secs(150);

/// How long after the first send a replay is trusted. Intuit does not say how long it remembers a `requestid`; the whole retry ladder takes less than six hours.
pub const REPLAY_WINDOW: Duration = Duration::from_hours(24);

/// What is known about the last send of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// QuickBooks answered with the record.
    Committed,
    /// A parsed 4xx Fault other than 401, 429 and 600: certainly not stored, and the `requestid` is spent.
    Refused,
    /// Turned away before it was read (401, 429): certainly not stored, the `requestid` stays.
    TurnedAway,
    /// No connection was made: certainly not stored, the `requestid` stays.
    NotSent,
    /// Time-out, cut, 5xx, unreadable answer, or a worker that died after sending.
    Unknown,
    /// 600, or 6000 on a re-send: QuickBooks may hold the record and does not say so.
    Ambiguous,
}

/// What may be done next with a record that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextStep {
    /// Nothing: the record is in QuickBooks.
    Done,
    /// A new attempt with a new `requestid`.
    SendAnew,
    /// The stored body with its stored `requestid`, not before this time.
    Replay(Timestamp),
    /// Ask QuickBooks what it holds, not before this time.
    LookUp(Timestamp),
}

/// The earliest time at which a body last sent at `last_sent` may go out again, or be looked for.
pub fn earliest_resend(last_sent: Timestamp, sent: Sent) -> Timestamp {
    match sent {
        Sent::Unknown | Sent::Ambiguous => later(last_sent, COMMIT_WINDOW),
        Sent::Committed | Sent::Refused | Sent::TurnedAway | Sent::NotSent => last_sent,
    }
}

/// What follows a send of which `sent` is known. `first_sent` is when this body went out for the first time with this `requestid`, `last_sent` when it went out last.
pub fn next_step(
    first_sent: Timestamp,
    last_sent: Timestamp,
    sent: Sent,
    now: Timestamp,
) -> NextStep {
    let from = earliest_resend(last_sent, sent);
    match sent {
        Sent::Committed => NextStep::Done,
        Sent::Refused => NextStep::SendAnew,
        Sent::Ambiguous => NextStep::LookUp(from),
        // Sent once and certainly not stored: there is nothing that could be doubled.
        Sent::TurnedAway | Sent::NotSent if first_sent == last_sent => NextStep::Replay(from),
        Sent::TurnedAway | Sent::NotSent | Sent::Unknown => {
            if now.max(from) > later(first_sent, REPLAY_WINDOW) {
                NextStep::LookUp(from)
            } else {
                NextStep::Replay(from)
            }
        }
    }
}

fn later(time: Timestamp, wait: Duration) -> Timestamp {
    time.checked_add(wait).unwrap_or(Timestamp::MAX)
}
