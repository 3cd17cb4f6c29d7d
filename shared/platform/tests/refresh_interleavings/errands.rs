//! Who is about: callers who want tokens, somebody who disconnects, somebody who connects again, and the
//! last caller, who proves the connection.

use std::time::Duration;

use domain::ids::CompanyId;
use jiff::SignedDuration;
use platform::connections::{Connection, ConnectionStatus};
use platform::refresh::{HELD_FOR, Refresher, TokenError, Wanted};
use quickbooks::Environment;

use crate::coverage::Met;
use crate::intuit::GrantState;
use crate::invariants::{CLOCKS_APART, Violation};
use crate::rows;
use crate::surroundings::Handle;
use crate::variants::Broken;
use crate::world::{COMPANIES, Call, World, at, since_epoch};

/// A live token is proven within this: the longest lease, extended by a process that died, the longest
/// cool-down, clocks that are apart, and two refreshes.
const PROVEN_WITHIN: i64 = 300_000 + HELD_FOR.as_secs() * 1_000;

/// What somebody does who wants no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Errand {
    Disconnect,
    Reconnect,
}

/// Callers of one process, one after the other.
pub(crate) async fn callers(
    handle: Handle,
    refresher: Refresher<Handle>,
    calls: usize,
    begins: i64,
) {
    wait_until(&handle, begins).await;
    for call in 0..calls {
        if call > 0 {
            let pause = {
                let mut world = handle.world();
                let longest = world.rng.pick(&[10, 20_000, 20_000, 250_000]);
                world.rng.between(0, longest)
            };
            handle.sleep(pause).await;
        }
        if handle.world().broken == Some(Broken::ForgetsTheAnswer) {
            let forgetful = Refresher::new(handle.clone(), Environment::Sandbox);
            caller(&handle, &forgetful).await;
        } else {
            caller(&handle, &refresher).await;
        }
    }
}

/// A process that is called once more, for whatever it is.
pub(crate) async fn called_again(handle: Handle, refresher: Refresher<Handle>) {
    handle.world().begin_errand(true);
    refresher.save_all_unsaved().await;
}

async fn wait_until(handle: &Handle, begins: i64) {
    let now = handle.world().now;
    if begins > now {
        handle.sleep(begins - now).await;
    }
}

/// What a caller wants, with its own version of [`Wanted`]'s parts.
struct Wish {
    company: usize,
    left: i64,
    not: Option<String>,
    since: Option<i64>,
    patience: i64,
}

impl World {
    fn begin_errand(&mut self, must_refresh: bool) {
        self.errands += 1;
        let (now, number) = (self.now, self.errands);
        let task = self.task();
        task.errand = number;
        task.began = now;
        task.steps = 0;
        task.must_refresh = must_refresh;
        task.left_seen = None;
        task.refused = None;
    }

    fn wish(&mut self) -> Wish {
        let company = usize::from(self.rng.chance(150));
        let kind = self.rng.index(8);
        let current = self.rows[company].as_ref().map(|row| row.version_id.clone());
        Wish {
            company,
            left: self.rng.pick(&[300_000, 300_000, 600_000]),
            not: current.filter(|_| kind == 0),
            since: (kind == 1 || kind == 2).then(|| self.clock()),
            patience: self.rng.pick(&[0, 500, 500, 2_000, 2_000, 20_000]),
        }
    }
}

async fn caller(handle: &Handle, refresher: &Refresher<Handle>) {
    let wish = {
        let mut world = handle.world();
        let wish = world.wish();
        world.begin_errand(wish.not.is_some() || wish.since.is_some());
        world.say(|_| {
            let Wish { company, left, not, since, patience } = &wish;
            format!(
                "  wants {} for {left} ms, not {not:?}, since {since:?}, patience {patience}",
                COMPANIES[*company]
            )
        });
        wish
    };
    let company: CompanyId = COMPANIES[wish.company].parse().unwrap();
    let mut wanted = Wanted::lasting(SignedDuration::from_millis(wish.left));
    if let Some(since) = wish.since {
        wanted = Wanted::refreshed_since(at(since));
    }
    if let Some(not) = &wish.not {
        wanted = wanted.other_than(not);
    }
    let patience = Duration::from_millis(wish.patience.unsigned_abs());
    let answer = refresher.provide(&company, &wanted, patience).await;
    handle.world().judge(&wish, answer);
}

impl World {
    /// Whether the answer is what was wanted.
    fn judge(&mut self, wish: &Wish, answer: Result<Connection, TokenError>) {
        let now = self.clock();
        self.say(|_| match &answer {
            Ok(row) => format!("  is given {}", row.version_id),
            Err(error) => format!("  is told: {error}"),
        });
        let row = match answer {
            Ok(row) => row,
            Err(TokenError::Later(reason)) => {
                if reason.contains("another refresh") {
                    self.meet(Met::PatienceOver);
                }
                if reason.contains("less than a minute old") {
                    self.meet(Met::TooYoung);
                }
                return;
            }
            Err(_) => return,
        };
        let left = since_epoch(crate::surroundings::time(row.access_expires_at)) - now;
        let issued = since_epoch(crate::surroundings::time(row.refreshed_at));
        let wrong = match wish {
            Wish { since: Some(since), .. } => issued < *since,
            Wish { not: Some(not), .. } if row.version_id == *not => true,
            _ => left < 30_000,
        };
        if wrong {
            self.violate(Violation::WrongAnswer, format!("{left} ms left, issued {issued}"));
        }
        if wish.since.is_none() && left <= wish.left {
            self.meet(Met::UsedMeanwhile);
        }
    }
}

/// Disconnects or connects again, at the first company.
pub(crate) async fn other(handle: Handle, errand: Errand, begins: i64) {
    wait_until(&handle, begins).await;
    handle.world().begin_errand(true);
    match errand {
        Errand::Disconnect => disconnect(&handle).await,
        Errand::Reconnect => reconnect(&handle).await,
    }
}

/// As `platform::disconnect` does it: wait for a refresh, but not for long; end the connection in one
/// write; take it back at Intuit; destroy the secret.
async fn disconnect(handle: &Handle) {
    let began = handle.world().now;
    let ended = loop {
        handle.before(Call::Other).await;
        let ended = handle.world().disconnect(began + 20_000);
        match ended {
            Some(ended) => break ended,
            None => handle.sleep(1_000).await,
        }
    };
    handle.before(Call::Other).await;
    handle.world().revoke_stored(&ended);
    handle.before(Call::Other).await;
    handle.world().destroy(&ended.secret);
}

/// A new authorization, as the callback and the confirmation do it.
async fn reconnect(handle: &Handle) {
    handle.before(Call::Other).await;
    let (old, mut new) = {
        let mut world = handle.world();
        let now = world.now;
        let new = world.connect(0, now);
        (world.rows[0].clone(), new)
    };
    new.refreshed_at = at(handle.world().now).as_millisecond();
    handle.before(Call::Other).await;
    {
        let mut world = handle.world();
        let now = world.now;
        let during = world.rows[0]
            .as_ref()
            .and_then(|row| row.refresh_until)
            .is_some_and(|until| until > at(now).as_millisecond());
        world.meet(if during { Met::ReconnectedDuring } else { Met::Reconnected });
        world.say(|_| format!("  connected again as {}", new.connection_id));
        world.quiet_until[0] = 0;
        let kept = old.as_ref().is_some_and(|old| old.secret == new.secret);
        if kept {
            world.hand_over(&new);
        }
        world.rows[0] = Some(new);
        world.changed = true;
        if kept {
            return;
        }
    }
    handle.before(Call::Other).await;
    if let Some(old) = old {
        handle.world().destroy(&old.secret);
    }
}

impl World {
    /// A secret that belongs to another connection from now on: only in a broken world.
    fn hand_over(&mut self, new: &Connection) {
        let chain = self.chains.iter().position(|chain| chain.connection == new.connection_id);
        if let (Some(chain), Some(secret)) = (chain, self.secret(&new.secret)) {
            secret.chain = chain;
        }
    }

    /// Ends the first company's connection, unless somebody is refreshing it and there is time to wait.
    fn disconnect(&mut self, waits_until: i64) -> Option<Connection> {
        let (now, clock) = (self.now, at(self.clock()));
        let row = self.rows[0].as_mut()?;
        let refreshing = row.refresh_until.is_some_and(|until| until > clock.as_millisecond());
        if refreshing && now < waits_until {
            return None;
        }
        rows::disconnect(row, clock);
        let row = row.clone();
        self.meet(if refreshing { Met::DisconnectedDuring } else { Met::Disconnected });
        self.say(|_| format!("  {} is disconnected", row.connection_id));
        self.changed = true;
        Some(row)
    }

    fn revoke_stored(&mut self, row: &Connection) {
        let Some(secret) = self.secret(&row.secret) else { return };
        let Some(version) = secret.versions.iter().find(|version| version.id == row.version_id)
        else {
            return;
        };
        let (chain, value) = Self::value_of(&version.tokens);
        if self.chains[chain].honours(value, self.now) {
            self.chains[chain].revoked = true;
        }
    }

    fn destroy(&mut self, name: &str) {
        if let Some(secret) = self.secret(name) {
            secret.destroyed = true;
            secret.versions.clear();
        }
        self.say(|_| format!("  {name} is destroyed"));
    }
}

/// The last caller: what it is told in a world that has healed must be true.
pub(crate) async fn last(handle: Handle, company: &'static str) {
    let refresher = Refresher::new(handle.clone(), Environment::Sandbox);
    // Whatever was refreshed before counts for nothing, by whichever clock.
    handle.sleep(2 * CLOCKS_APART).await;
    let (began, since) = {
        let mut world = handle.world();
        world.begin_errand(true);
        (world.now, at(world.clock()))
    };
    let company: CompanyId = company.parse().unwrap();
    loop {
        let wanted = Wanted::refreshed_since(since);
        let answer = refresher.provide(&company, &wanted, Duration::ZERO).await;
        if handle.world().judge_last(company.as_ref(), began, answer) {
            return;
        }
        handle.sleep(5_000).await;
    }
}

impl World {
    /// Whether the last caller knows what it wanted to know.
    fn judge_last(
        &mut self,
        company: &str,
        began: i64,
        answer: Result<Connection, TokenError>,
    ) -> bool {
        self.say(|_| {
            format!("  the last caller: {:?}", answer.as_ref().map(|row| &row.version_id))
        });
        match answer {
            Ok(row) => {
                if !self.is_honoured(&row) {
                    self.violate(Violation::WrongAnswer, "Intuit does not honour what is current");
                }
                true
            }
            // That these are right was judged when they were written.
            Err(TokenError::ReconnectRequired) => true,
            Err(TokenError::NotConnected) => {
                let row = self.row_of(company).clone();
                if row.is_none_or(|row| row.status != ConnectionStatus::Disconnected) {
                    self.violate(Violation::WrongAnswer, "told not connected, and it is");
                }
                true
            }
            Err(_) if self.now - began > PROVEN_WITHIN => {
                self.violate(Violation::NoProgress, "no token in a world that has healed");
                true
            }
            Err(_) => false,
        }
    }

    fn is_honoured(&self, row: &Connection) -> bool {
        let Some(secret) = self.secrets.iter().find(|secret| secret.name == row.secret) else {
            return false;
        };
        let current = secret.versions.iter().find(|version| version.id == row.version_id);
        current.is_some_and(|version| {
            let grant = &self.grants[version.grant];
            matches!(grant.state, GrantState::Stored { .. } | GrantState::Lost)
                && self.chains[grant.chain].honours(grant.value, self.now)
        })
    }
}
