//! How long things live, and how the unknown parts of the real service are played.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// An access token's life: `expires_in` of the token answer.
pub(crate) const ACCESS_S: i64 = 3600;
/// A refresh token dies after this long without a refresh (100 days; some real answers say 101).
const REFRESH_S: i64 = 8_640_000;
/// A grant dies this long after consent, whatever is refreshed (5 years, policy of 2025-11).
pub(super) const HARD_S: i64 = 157_680_000;
/// The refresh token's value changes with the first refresh after this long.
pub(super) const ROTATE_S: i64 = 86_400;
/// An authorization code must be exchanged within this time. Intuit publishes none.
pub(super) const CODE_S: i64 = 600;

/// The switches of `POST /oauth`. What is left out is the default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(crate) struct Policy {
    /// Seconds for which a rotated-out refresh token still works.
    pub(crate) refresh_grace_s: i64,
    /// Whether two refreshes of one grant at once kill it.
    pub(crate) revoke_on_concurrent_refresh: bool,
    /// Whether revoking one token ends every grant that its app has for the company.
    pub(crate) revoke_whole_realm: bool,
    /// Seconds that a refresh token lives unused, as `x_refresh_token_expires_in` says. Real answers
    /// have shown 8640000 and 8726400.
    pub(crate) refresh_expires_s: i64,
    /// Whether a `code_challenge` must be answered by its `code_verifier`. Whether Intuit looks at
    /// PKCE is not known: here it is taken and not looked at unless this is on.
    pub(crate) verify_pkce: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            refresh_grace_s: 0,
            revoke_on_concurrent_refresh: false,
            revoke_whole_realm: false,
            refresh_expires_s: REFRESH_S,
            verify_pkce: false,
        }
    }
}

impl Policy {
    /// The policy, if its numbers make sense.
    ///
    /// # Errors
    /// A sentence that names the one that does not.
    pub(crate) fn checked(self) -> Result<Self, String> {
        if self.refresh_grace_s < 0 {
            return Err("refreshGraceS is negative".into());
        }
        if !(1..=HARD_S).contains(&self.refresh_expires_s) {
            return Err(format!("refreshExpiresS is not between 1 and {HARD_S}"));
        }
        Ok(self)
    }
}

/// `seconds` after `now`, or the end of the calendar.
pub(super) fn later(now: Timestamp, seconds: i64) -> Timestamp {
    now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}
