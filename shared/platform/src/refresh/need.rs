//! Whether a connection needs a refresh. Pure.

use jiff::{SignedDuration, Timestamp};

use super::at;
use crate::connections::Connection;

/// A token with more left than this is used rather than waited for.
pub const USABLE: SignedDuration = SignedDuration::from_secs(60);
/// A token this young that is refused is not refreshed again: something else is wrong.
pub const YOUNG: SignedDuration = SignedDuration::from_secs(60);

/// What a caller wants of the tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// The least time left on the access token.
    pub left: SignedDuration,
    /// The version that QuickBooks refused.
    pub not: Option<&'a str>,
    /// Refreshed at this moment or later.
    pub since: Option<Timestamp>,
}

impl<'a> Wanted<'a> {
    /// An access token with at least this left.
    pub fn lasting(left: SignedDuration) -> Self {
        Self { left, not: None, since: None }
    }

    /// Another one than the version that QuickBooks refused.
    #[must_use]
    pub fn other_than(self, version: &'a str) -> Self {
        Self { not: Some(version), ..self }
    }

    /// The same, and nothing less: a token that could be used meanwhile is no answer.
    #[must_use]
    pub fn strictly(self) -> Self {
        Self { since: self.since.or(Some(Timestamp::UNIX_EPOCH)), ..self }
    }

    /// Tokens refreshed at this moment or later, whatever is left on the access token.
    pub fn refreshed_since(since: Timestamp) -> Self {
        Self { left: SignedDuration::ZERO, not: None, since: Some(since) }
    }
}

/// What follows from a connection and a wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// The tokens are as wanted.
    Nothing,
    /// They must be refreshed.
    Refresh {
        /// Whether the token at hand serves meanwhile.
        usable: bool,
    },
    /// QuickBooks refused a token that is so young that another one would not help.
    TooYoung,
}

/// Whether `connection` needs a refresh at `now` to be as `wanted`.
pub fn need(connection: &Connection, wanted: &Wanted<'_>, now: Timestamp) -> Need {
    let refused = wanted.not == Some(connection.version_id.as_str());
    let age = now.duration_since(at(connection.refreshed_at));
    if refused && !age.is_negative() && age < YOUNG {
        return Need::TooYoung;
    }
    let left = at(connection.access_expires_at).duration_since(now);
    let too_old = wanted.since.is_some_and(|since| at(connection.refreshed_at) < since);
    if !refused && !too_old && left > wanted.left {
        return Need::Nothing;
    }
    Need::Refresh { usable: !refused && wanted.since.is_none() && left > USABLE }
}
