//! One company with everything that the requests to it share.

use std::{
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, MutexGuard},
};

use super::{State, lock, replay::Replays};
use crate::{counters::Counters, ids::Realm, limits::Limiter, webhooks::Webhooks};

/// See the module.
pub(crate) struct Company {
    pub(crate) realm: Realm,
    state: Mutex<State>,
    webhooks: Arc<Webhooks>,
    pub(crate) replays: Arc<Replays>,
    pub(crate) limiter: Limiter,
    pub(crate) counters: Counters,
}

impl Company {
    /// A company whose changes go to `webhooks` from now on.
    pub(crate) fn new(mut state: State, webhooks: Arc<Webhooks>) -> Self {
        state.forget_changes();
        Self {
            realm: state.profile.realm.clone(),
            state: Mutex::new(state),
            webhooks,
            replays: Arc::default(),
            limiter: Limiter::default(),
            counters: Counters::default(),
        }
    }

    /// The company's data, locked. What is changed is told to the webhooks when the lock is given
    /// back, so no way of writing can forget it.
    pub(crate) fn state(&self) -> StateGuard<'_> {
        StateGuard { company: self, state: lock(&self.state) }
    }
}

/// A company's data under its lock.
pub(crate) struct StateGuard<'a> {
    company: &'a Company,
    state: MutexGuard<'a, State>,
}

impl Deref for StateGuard<'_> {
    type Target = State;
    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for StateGuard<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

impl Drop for StateGuard<'_> {
    fn drop(&mut self) {
        let changes = std::mem::take(&mut self.state.changes);
        if !changes.is_empty() {
            self.company.webhooks.tell(&self.company.realm, &changes);
        }
    }
}
