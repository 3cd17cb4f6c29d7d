//! What must hold after each step, whatever happened.

use platform::connections::{Connection, ConnectionStatus};

use crate::coverage::Met;
use crate::intuit::{GrantState, UNUSED_LIFE};
use crate::world::{World, since_epoch};

/// A promise of the protocol that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Violation {
    /// A refresh was sent while another one of the same connection was under way at Intuit.
    TwoAtIntuit,
    /// The newest token was stored, and nothing on the row leads to it.
    NewestLost,
    /// `reconnect_required` while a token is stored, or held under a live lease, that Intuit honours.
    EndedWhileHonoured,
    /// The row points at a version that does not exist.
    PointsNowhere,
    /// A token was written after the disconnect.
    WrittenAfterDisconnect,
    /// A connection's token is in another's secret, or on another's row.
    OthersToken,
    /// Two different token sets under one VersionId.
    TwoSetsOneVersion,
    /// A value was sent although the row points at a newer one, or the process itself has one.
    OldValueSent,
    /// Intuit was asked for a connection that had ended.
    AskedAfterTheEnd,
    /// Intuit was asked again before the cool-down was over.
    AskedTooEarly,
    /// A caller whose token lasts waited for somebody else's refresh.
    WaitedInVain,
    /// A caller got something else than it wanted.
    WrongAnswer,
    /// Tokens that a living process had for an ended connection were not given back.
    NotGivenBack,
    /// A live connection's tokens were given back.
    LiveGivenBack,
    /// A caller, or the connection, got nowhere in the bounded time.
    NoProgress,
}

/// Clocks of two processes differ by this at most.
pub(crate) const CLOCKS_APART: i64 = 10_000;
/// What is kept of a lease beyond the life of a process: for clocks, and for versions that are not seen
/// at once.
pub(crate) const RESERVE: i64 = 20_000;

impl World {
    /// Checks the rows after a step that changed something.
    pub(crate) fn check_rows(&mut self) {
        for company in 0..self.rows.len() {
            let Some(row) = &self.rows[company] else { continue };
            if matches!(row.status, ConnectionStatus::Connected)
                && let Some((what, story)) = self.wrong_with(row)
            {
                self.violate(what, story);
            }
        }
    }

    fn wrong_with(&self, row: &Connection) -> Option<(Violation, String)> {
        let secret = self.secrets.iter().find(|secret| secret.name == row.secret)?;
        let chain = &self.chains[secret.chain];
        if chain.connection != row.connection_id {
            return Some((
                Violation::OthersToken,
                format!("row of {} has {}", row.connection_id, secret.name),
            ));
        }
        let Some(current) = secret.versions.iter().find(|version| version.id == row.version_id)
        else {
            return Some((Violation::PointsNowhere, row.version_id.clone()));
        };
        if current.tokens.expiries.access.as_millisecond() != row.access_expires_at {
            return Some((
                Violation::OthersToken,
                "the row tells another token's expiry".to_owned(),
            ));
        }
        let newest = |grant: usize| {
            let grant = &self.grants[grant];
            grant.chain == secret.chain && grant.value == chain.newest
        };
        let stored = |grant: usize| matches!(self.grants[grant].state, GrantState::Stored { .. });
        let stored = secret.versions.iter().any(|v| newest(v.grant) && stored(v.grant));
        let led_to = |id: &String| {
            *id == row.version_id
                || row.promised_version.as_ref() == Some(id)
                || row.unresolved_versions.contains(id)
        };
        if stored && !secret.versions.iter().any(|v| newest(v.grant) && led_to(&v.id)) {
            return Some((
                Violation::NewestLost,
                format!("value {} of {}", chain.newest, row.connection_id),
            ));
        }
        None
    }

    /// Somebody declares a connection dead.
    pub(crate) fn check_end(&mut self, row: &Connection, refused: Option<i64>) {
        let Some(secret) = self.secrets.iter().find(|secret| secret.name == row.secret) else {
            return;
        };
        let chain = &self.chains[secret.chain];
        let looked_again = refused.unwrap_or(i64::MIN);
        let honoured = secret.versions.iter().find(|version| {
            let grant = &self.grants[version.grant];
            let to_be_found = grant.state == GrantState::Stored { in_time: true }
                || (matches!(grant.state, GrantState::Stored { .. })
                    && version.visible <= looked_again);
            grant.chain == secret.chain && to_be_found && chain.honours(grant.value, self.now)
        });
        let held = self.grants.iter().any(|grant| {
            grant.chain == secret.chain
                && grant.value == chain.newest
                && matches!(grant.state, GrantState::Read { until, .. } if until > self.now + CLOCKS_APART)
        });
        let unused = self.now - chain.renewed > UNUSED_LIFE;
        if let Some(version) = honoured {
            let story = format!("{} is honoured", version.id);
            self.violate(Violation::EndedWhileHonoured, story);
        } else if held {
            self.violate(Violation::EndedWhileHonoured, "a living process has it and its lease");
        } else if unused {
            self.meet(Met::EndedUnused);
        } else {
            self.meet(Met::EndedRightly);
        }
    }

    /// Somebody is about to ask Intuit.
    pub(crate) fn check_send(&mut self, process: usize, row: &str, chain: usize, value: u64) {
        let busy = self.requests.iter().any(|request| {
            request.chain == chain && !request.done && request.plan.handled.is_some()
        });
        if busy {
            self.violate(
                Violation::TwoAtIntuit,
                format!("another refresh of chain {chain} is under way"),
            );
        }
        let newer = self.grants.iter().any(|grant| {
            let its =
                |state| matches!(state, GrantState::Read { process: its, .. } if its == process);
            grant.chain == chain && grant.value > value && its(grant.state)
        });
        if newer {
            let story = format!("value {value} of chain {chain}, and the process has a newer one");
            self.violate(Violation::OldValueSent, story);
        }
        let Some(row) = self.row_of(row).clone() else { return };
        if row.connection_id != self.chains[chain].connection {
            return;
        }
        match row.status {
            ConnectionStatus::ReconnectRequired => {
                self.violate(Violation::AskedAfterTheEnd, row.connection_id);
            }
            ConnectionStatus::Connected => {
                let current =
                    self.secrets.iter().find(|secret| secret.name == row.secret).and_then(
                        |secret| {
                            secret.versions.iter().find(|version| version.id == row.version_id)
                        },
                    );
                if current.is_some_and(|current| World::value_of(&current.tokens).1 > value) {
                    self.violate(
                        Violation::OldValueSent,
                        format!("value {value} of chain {chain}"),
                    );
                }
            }
            _ => {}
        }
    }

    /// Somebody has taken the lease.
    pub(crate) fn check_taken(&mut self, company: usize) {
        if self.now + CLOCKS_APART < self.quiet_until[company] {
            self.violate(Violation::AskedTooEarly, "the lease was taken in the cool-down");
        }
        self.quiet_until[company] = 0;
    }

    /// Somebody waits for somebody else's refresh.
    pub(crate) fn check_wait(&mut self) {
        let task = &self.tasks[self.current];
        if !task.must_refresh && task.left_seen.is_some_and(|left| left > 60_000) {
            self.violate(Violation::WaitedInVain, "its token lasts for more than a minute");
        }
    }

    /// At the end, when every process that lives was called once more.
    pub(crate) fn check_given_back(&mut self) {
        for grant in 0..self.grants.len() {
            let GrantState::Read { process, .. } = self.grants[grant].state else { continue };
            let connection = &self.chains[self.grants[grant].chain].connection;
            let live = self.rows.iter().flatten().any(|row| {
                row.connection_id == *connection && row.status != ConnectionStatus::Disconnected
            });
            if !live && !self.processes[process].dead && !self.row_unread {
                self.violate(Violation::NotGivenBack, format!("grant {grant}"));
            }
        }
    }

    /// How long a row's access token lasts, by the clock that the task has read.
    pub(crate) fn note_seen(&mut self, row: &Connection) {
        let left =
            since_epoch(crate::surroundings::time(row.access_expires_at)) - self.task().clock_read;
        self.task().left_seen = Some(left);
    }
}
