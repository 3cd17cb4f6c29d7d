//! Protocols and worlds that are broken on purpose. Each must be caught, or the exploration proves
//! nothing.

use crate::invariants::Violation;
use crate::rng::Rng;
use crate::scheduler;
use crate::weather::Weather;

/// One thing that is left out, or done wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// Writes on the row are not fenced.
    NoFence,
    /// Whoever gives a lease back is not asked whether it is theirs.
    ReleaseWithoutOwner,
    /// Readers take the newest version of the secret (AWSCURRENT) instead of the one they ask for.
    ReadersTakeTheNewest,
    /// Nobody takes a lease before asking and putting; only the pointing at the row is conditional.
    PutBeforeTheLease,
    /// The lease does not say under which version the answer will be stored.
    NoPromise,
    /// The lease is shorter than the time that a process may live.
    ShortLease,
    /// An unanswered request gives the lease back.
    AsksAgainAtOnce,
    /// `invalid_grant` ends the connection without another look.
    EndsWithoutLooking,
    /// Intuit is asked however little is left of the lease.
    IgnoresTheRest,
    /// A failure has no cool-down.
    NoCoolDown,
    /// Giving a lease back forgets what earlier holders had promised.
    ForgetsPromises,
    /// The lease is taken on a row that changed since it was seen.
    TakenUnseen,
    /// A new connection uses the old one's secret.
    SecretOfTheCompany,
    /// A process does not remember what it could not store.
    ForgetsTheAnswer,
}

impl Broken {
    /// Where it shows.
    pub(crate) fn weather(self) -> fn(&mut Rng) -> Weather {
        match self {
            Self::EndsWithoutLooking | Self::ForgetsTheAnswer => Weather::last_seconds,
            _ => Weather::draw,
        }
    }
}

/// Runs seeds until one of these is violated; panics when none is.
fn caught(broken: Broken, seeds: u64, by: &[Violation]) {
    for seed in 0..seeds {
        let ended = scheduler::run(seed, Some(broken), false);
        if let Some((what, story)) = ended.violation {
            println!("{broken:?}: {what:?} with seed {seed} after {} steps: {story}", ended.steps);
            assert!(by.contains(&what), "{broken:?} was caught by {what:?} ({story}), seed {seed}");
            return;
        }
    }
    panic!("{broken:?} was not caught in {seeds} schedules");
}

macro_rules! must_be_caught {
    ($($name:ident: $broken:ident within $seeds:literal by $($what:ident)|+;)+) => {
        $(
            #[test]
            fn $name() {
                caught(Broken::$broken, $seeds, &[$(Violation::$what),+]);
            }
        )+
    };
}

must_be_caught! {
    without_the_fence_a_late_write_wins:
        NoFence within 20_000 by WrittenAfterDisconnect | NewestLost | TwoAtIntuit;
    a_release_that_asks_for_no_owner_lets_two_refresh:
        ReleaseWithoutOwner within 200_000 by TwoAtIntuit | EndedWhileHonoured | NewestLost;
    readers_of_the_newest_version_follow_an_orphan:
        ReadersTakeTheNewest within 20_000 by PointsNowhere | OthersToken;
    a_put_before_the_lease_lets_two_refresh:
        PutBeforeTheLease within 1_000 by TwoAtIntuit | NewestLost;
    without_a_promise_a_crash_loses_the_token:
        NoPromise within 20_000 by NewestLost | EndedWhileHonoured;
    a_lease_shorter_than_a_process_lets_two_refresh:
        ShortLease within 20_000 by TwoAtIntuit | EndedWhileHonoured;
    asking_again_at_once_lets_two_refresh:
        AsksAgainAtOnce within 20_000 by TwoAtIntuit;
    an_end_without_another_look_loses_a_stored_token:
        EndsWithoutLooking within 100_000 by EndedWhileHonoured;
    a_held_up_holder_that_asks_late_lets_two_refresh:
        IgnoresTheRest within 100_000 by TwoAtIntuit | OldValueSent;
    without_a_cool_down_a_failing_company_loops:
        NoCoolDown within 20_000 by AskedTooEarly;
    promises_forgotten_by_a_failure_lose_the_token:
        ForgetsPromises within 50_000 by NewestLost | EndedWhileHonoured;
    a_lease_on_a_row_that_changed_sends_an_old_value:
        TakenUnseen within 20_000 by OldValueSent | NewestLost | TwoAtIntuit;
    a_process_that_forgets_what_it_could_not_store_asks_with_an_old_value:
        ForgetsTheAnswer within 100_000 by OldValueSent | EndedWhileHonoured | NotGivenBack;
    a_secret_shared_by_two_connections_mixes_them:
        SecretOfTheCompany within 20_000 by OthersToken;
}
