//! Sweeps over connections: which there are, and whom they are for (C6).
//!
//! A sweep's **run** reads an index and hands what is due out in chunks; its id names the kind and the
//! time, so that whoever holds a chunk knows by what to go, and the runs of a kind sort by time.

use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// A connection counts as in use for this long after its last use (C6).
pub const IN_USE: SignedDuration = SignedDuration::from_hours(24);
/// How long an access token lasts at Intuit. Only the sweep over idle connections goes by it, to find
/// those that may be due; whether they are, their own expiry says.
pub const ACCESS_TOKEN_LASTS: SignedDuration = SignedDuration::from_hours(1);

/// What a sweep looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SweepKind {
    /// Access tokens about to end, of connections in use.
    Access,
    /// Refresh tokens that nobody has renewed for long.
    Stale,
    /// Hard expiries that somebody must be warned of.
    HardExpiry,
}

impl SweepKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Access, Self::Stale, Self::HardExpiry];

    /// Its name: in requests, ids of runs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Stale => "stale",
            Self::HardExpiry => "hard-expiry",
        }
    }
}

impl fmt::Display for SweepKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A chunk of the five-minute sweep that is this old is left alone if there is a newer run, which has handed
/// out whatever is still due: runs must not pile up while each refresh takes long.
pub const ACCESS_CHUNK_LASTS: SignedDuration = SignedDuration::from_mins(10);

/// One run of a sweep. Its text is `stale/2026-11-22T02:00:00.000Z/1a2b3c4d`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Run {
    /// What it looks for.
    pub kind: SweepKind,
    /// When it began, to the millisecond.
    pub started: Timestamp,
    nonce: String,
}

impl Run {
    /// Whether a newer run, if there is one, has taken over what this one found due.
    pub fn may_be_overtaken(&self, now: Timestamp) -> bool {
        self.kind == SweepKind::Access && now.duration_since(self.started) > ACCESS_CHUNK_LASTS
    }

    /// A run that begins at `now`. `nonce` tells it from others that begin in the same millisecond; it
    /// has no slash in it.
    pub fn new(kind: SweepKind, now: Timestamp, nonce: impl Into<String>) -> Self {
        let started = Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now);
        Self { kind, started, nonce: nonce.into() }
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{:.3}/{}", self.kind, self.started, self.nonce)
    }
}

/// A text that is no id of a run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not the id of a run, such as stale/2026-11-22T02:00:00.000Z/1a2b3c4d")]
pub struct NoRun(String);

impl FromStr for Run {
    type Err = NoRun;

    fn from_str(text: &str) -> Result<Self, NoRun> {
        let wrong = || NoRun(text.chars().take(80).collect());
        let mut parts = text.split('/');
        let (Some(kind), Some(started), Some(nonce), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong());
        };
        let kind = SweepKind::ALL.into_iter().find(|known| known.name() == kind);
        let started = started.parse::<Timestamp>().map_err(|_| wrong())?;
        let run = Self::new(kind.ok_or_else(wrong)?, started, nonce);
        // Another spelling of the same time would be the id of another row.
        if nonce.is_empty() || run.to_string() != text {
            return Err(wrong());
        }
        Ok(run)
    }
}

impl TryFrom<String> for Run {
    type Error = NoRun;

    fn try_from(text: String) -> Result<Self, NoRun> {
        text.parse()
    }
}

impl From<Run> for String {
    fn from(run: Run) -> Self {
        run.to_string()
    }
}

/// Whether a connection last used at `used` counts as in use.
pub fn is_in_use(used: Option<Timestamp>, now: Timestamp) -> bool {
    used.is_some_and(|used| now.duration_since(used) < IN_USE)
}
