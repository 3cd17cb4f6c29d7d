//! One company with everything that the requests to it share.

use std::{
    ops::{Deref, DerefMut},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{State, lock, replay::Replays};
use crate::{counters::Counters, ids::Realm, limits::Limiter, webhooks::Webhooks};

/// See the module.
pub(crate) struct Company {
    pub(crate) realm: Realm,
    state: Mutex<State>,
    webhooks: Arc<Webhooks>,
    /// Whether another state has taken its place; what a late request still does here is lost.
    retired: AtomicBool,
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
            retired: AtomicBool::new(false),
            replays: Arc::default(),
            limiter: Limiter::default(),
            counters: Counters::default(),
        }
    }

    /// The same with the request ids that it had answered.
    pub(crate) fn with_replays(state: State, replays: Replays, webhooks: Arc<Webhooks>) -> Self {
        Self { replays: Arc::new(replays), ..Self::new(state, webhooks) }
    }

    /// Ends the telling of changes: another state takes this one's place.
    pub(crate) fn retire(&self) {
        let _state = self.state();
        self.retired.store(true, Ordering::SeqCst);
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
        if !changes.is_empty() && !self.company.retired.load(Ordering::SeqCst) {
            self.company.webhooks.tell(&self.company.realm, &changes);
        }
    }
}
