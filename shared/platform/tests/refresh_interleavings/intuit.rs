//! Intuit's side of refreshing: one chain of refresh tokens for each authorization, with the rules of
//! rotation as Intuit publishes them.

use crate::rng::Rng;

/// The value changes on the first refresh this long after it was issued.
const ROTATES_AFTER: i64 = 24 * HOUR;
/// How long the old value is honoured, where it is at all.
const GRACE: i64 = 24 * HOUR;
/// A value that nobody refreshes is dead after this.
pub(crate) const UNUSED_LIFE: i64 = 100 * 24 * HOUR;
/// Intuit is done with a request after this at the latest, or cuts it.
const CUT_AFTER: i64 = 119_000;
pub(crate) const HOUR: i64 = 3_600_000;

/// The tokens of one authorization. All times are milliseconds of the simulated world.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    /// The connection it belongs to.
    pub connection: String,
    /// The newest value's number.
    pub newest: u64,
    /// When that was issued.
    pub issued: i64,
    /// When it was last used.
    pub renewed: i64,
    /// Until when the value before it is honoured.
    pub old_until: i64,
    /// We gave it back.
    pub revoked: bool,
}

/// An access token and the refresh token that came with it.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub chain: usize,
    /// The number of the refresh token's value.
    pub value: u64,
    /// Whether that was a new one.
    pub rotated: bool,
    pub state: GrantState,
}

/// What became of an answer of Intuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GrantState {
    /// On its way to a process.
    UnderWay { process: usize },
    /// Read by a process, and only in its memory. `until` is the end of its lease.
    Read { process: usize, until: i64, errand: usize },
    /// Secrets Manager has said to a process that it is stored; within its lease or later.
    Stored { in_time: bool },
    /// Nobody got it, or the process died with it.
    Lost,
    /// Given back, because the connection was over.
    Discarded,
}

/// One request at the token endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub chain: usize,
    pub value: u64,
    pub process: usize,
    pub plan: Plan,
    /// The number of the grant, if Intuit granted it.
    pub granted: Option<usize>,
    /// Whether Intuit is done with it.
    pub done: bool,
    /// Nobody waits for it any more.
    pub abandoned: bool,
}

/// What becomes of a request. Times count from its sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// When Intuit handles it; `None` if it never gets there.
    pub handled: Option<i64>,
    /// When the sender hears something.
    pub heard: Option<i64>,
    pub answer: Answer,
}

/// What the sender hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Intuit's own: tokens, or `invalid_grant`.
    Result,
    /// The line is cut.
    Cut,
    /// A status of something on the way, or of Intuit in trouble.
    Status(u16),
    InvalidClient,
    Refused,
    /// It was not sent.
    NotSent,
}

impl Plan {
    pub(crate) fn prompt(rng: &mut Rng) -> Self {
        let handled = rng.between(0, 300);
        let heard = handled + rng.between(0, 300);
        Self { handled: Some(handled), heard: Some(heard), answer: Answer::Result }
    }

    pub(crate) fn troubled(rng: &mut Rng) -> Self {
        let soon = rng.between(0, 1_000);
        let late = rng.between(1_000, CUT_AFTER);
        let plan = |handled, heard, answer| Self { handled, heard, answer };
        match rng.index(17) {
            0 => plan(Some(soon), Some(soon + rng.between(1_000, 28_000)), Answer::Result),
            1 | 2 => plan(Some(soon), Some(rng.between(29_000, 260_000)), Answer::Result),
            3 | 4 => plan(Some(late), Some(late + rng.between(0, 5_000)), Answer::Result),
            5 => plan(Some(late), Some(late + rng.between(0, 120_000)), Answer::Result),
            6 => plan(Some(soon), Some(soon + 1), Answer::Cut),
            7 => plan(Some(late), Some(soon), Answer::Cut),
            8 => plan(Some(soon), None, Answer::Cut),
            9 => plan(None, Some(soon), Answer::Cut),
            10 => plan(Some(soon), Some(soon + 100), Answer::Status(500)),
            11 => plan(None, Some(soon), Answer::Status(rng.pick(&[429, 503]))),
            12 => plan(Some(late), Some(late.min(29_000)), Answer::Status(504)),
            13 => plan(None, Some(soon), Answer::InvalidClient),
            14 => plan(None, Some(soon), Answer::Refused),
            15 => plan(Some(late), Some(rng.between(190_000, 245_000)), Answer::Status(503)),
            _ => plan(None, Some(soon), Answer::NotSent),
        }
    }
}

impl Chain {
    /// Whether Intuit honours this value now.
    pub(crate) fn honours(&self, value: u64, now: i64) -> bool {
        !self.revoked
            && now - self.renewed <= UNUSED_LIFE
            && (value == self.newest || (value + 1 == self.newest && now < self.old_until))
    }

    /// A refresh with this value, which is honoured. Answers whether the value is a new one.
    pub(crate) fn refresh(&mut self, now: i64, rotates_always: bool, grace: bool) -> bool {
        self.renewed = now;
        let rotates = rotates_always || now - self.issued >= ROTATES_AFTER;
        if rotates {
            self.newest += 1;
            self.issued = now;
            self.old_until = if grace { now + GRACE } else { now };
        }
        rotates
    }
}
