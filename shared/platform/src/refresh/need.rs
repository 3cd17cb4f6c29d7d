//! Whether a connection needs a refresh. Pure.

use jiff::{SignedDuration, Timestamp};

use super::at;
use crate::connections::Connection;

/// A token with more left than this is used rather than waited for.
pub const USABLE: SignedDuration = SignedDuration::from_secs(60);
/// A token this young that is refused is not refreshed again: something else is wrong. It may look as if it
/// were issued a little later than now, by the clock of the process that refreshed it.
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
    if refused && age.abs() < YOUNG {
        return Need::TooYoung;
    }
    let left = at(connection.access_expires_at).duration_since(now);
    let too_old = wanted.since.is_some_and(|since| at(connection.refreshed_at) < since);
    if !refused && !too_old && left > wanted.left {
        return Need::Nothing;
    }
    Need::Refresh { usable: !refused && wanted.since.is_none() && left > USABLE }
}

#[cfg(test)]
mod tests {
    use super::super::lease::tests::a_connection;
    use super::*;

    const MARGIN: SignedDuration = SignedDuration::from_mins(5);

    fn now() -> Timestamp {
        "2026-11-20T12:00:00Z".parse().unwrap()
    }

    /// A connection refreshed so many seconds ago, with so many milliseconds left.
    fn connection(age: i64, left_ms: i64) -> Connection {
        let mut connection = a_connection();
        connection.refreshed_at = (now() - SignedDuration::from_secs(age)).as_millisecond();
        connection.access_expires_at =
            (now() + SignedDuration::from_millis(left_ms)).as_millisecond();
        connection
    }

    const USED_MEANWHILE: Need = Need::Refresh { usable: true };
    const WAITED_FOR: Need = Need::Refresh { usable: false };

    #[test]
    fn a_token_is_refreshed_when_no_more_than_the_margin_is_left() {
        let wanted = Wanted::lasting(MARGIN);
        for (left, expected) in [
            (3_600_000, Need::Nothing),
            (300_001, Need::Nothing),
            (300_000, USED_MEANWHILE),
            (299_999, USED_MEANWHILE),
            (60_001, USED_MEANWHILE),
            (60_000, WAITED_FOR),
            (59_999, WAITED_FOR),
            (0, WAITED_FOR),
            (-1, WAITED_FOR),
            (-400 * 86_400_000, WAITED_FOR),
        ] {
            assert_eq!(need(&connection(3_000, left), &wanted, now()), expected, "{left} ms left");
        }
    }

    #[test]
    fn a_refused_token_is_never_used_meanwhile() {
        let wanted = Wanted::lasting(MARGIN).other_than("v1");
        assert_eq!(need(&connection(3_000, 3_000_000), &wanted, now()), WAITED_FOR);
        assert_eq!(need(&connection(3_000, 100_000), &wanted, now()), WAITED_FOR);
    }

    #[test]
    fn a_refusal_of_another_version_changes_nothing() {
        let wanted = Wanted::lasting(MARGIN).other_than("v0");
        assert_eq!(need(&connection(5, 3_000_000), &wanted, now()), Need::Nothing);
        assert_eq!(need(&connection(3_400, 200_000), &wanted, now()), USED_MEANWHILE);
    }

    #[test]
    fn a_refused_token_younger_than_a_minute_is_not_refreshed_again() {
        let wanted = Wanted::lasting(MARGIN).other_than("v1");
        for (age, expected) in
            [(0, Need::TooYoung), (59, Need::TooYoung), (60, WAITED_FOR), (61, WAITED_FOR)]
        {
            assert_eq!(need(&connection(age, 3_000_000), &wanted, now()), expected, "{age} s old");
        }
    }

    #[test]
    fn a_clock_that_is_off_neither_hides_a_young_token_nor_keeps_an_old_one() {
        let wanted = Wanted::lasting(MARGIN).other_than("v1");
        // Refreshed by a process whose clock is ahead of ours: still young.
        assert_eq!(need(&connection(-5, 3_600_000), &wanted, now()), Need::TooYoung);
        assert_eq!(need(&connection(-59, 3_600_000), &wanted, now()), Need::TooYoung);
        // A clock that is off by far does not keep a refused token for as long.
        assert_eq!(need(&connection(-60, 3_600_000), &wanted, now()), WAITED_FOR);
        assert_eq!(need(&connection(-86_400, 90_000_000), &wanted, now()), WAITED_FOR);
    }

    #[test]
    fn refreshed_since_asks_for_the_age_and_not_for_what_is_left() {
        let since = now() - SignedDuration::from_secs(10);
        let wanted = Wanted::refreshed_since(since);
        assert_eq!(need(&connection(10, 3_000_000), &wanted, now()), Need::Nothing);
        assert_eq!(need(&connection(9, 1), &wanted, now()), Need::Nothing);
        // However long it lasts, it is not what was wanted.
        assert_eq!(need(&connection(11, 3_000_000), &wanted, now()), WAITED_FOR);
        assert_eq!(need(&connection(9, 0), &wanted, now()), WAITED_FOR);
    }
}
