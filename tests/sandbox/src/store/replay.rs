//! `requestid`: the same id is answered with the first answer, and a twin in flight waits.
//!
//! Not known of the real service: how long ids are remembered (here: until a reset) and whether a
//! refusal is replayed (here: yes, the harsher choice for a client that reuses an id).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use axum::{body::Bytes, http::StatusCode};
use tokio::sync::Notify;

use super::lock;

/// A first answer, kept.
#[derive(Clone, Debug)]
pub(crate) struct Original {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

enum Slot {
    InFlight(Arc<Notify>),
    Answered(Original),
}

/// The request ids of one company.
#[derive(Default)]
pub(crate) struct Replays {
    slots: Mutex<HashMap<String, Slot>>,
}

/// What a request id turned out to be.
pub(crate) enum Claim {
    /// New: the caller does the work and settles it.
    Mine(Mine),
    /// Seen: this was the answer.
    Seen(Original),
}

/// The right to answer a request id. Dropped unsettled, the id counts as never sent.
pub(crate) struct Mine {
    replays: Arc<Replays>,
    id: String,
    settled: bool,
}

impl Replays {
    /// Claims `id`, waiting for a twin in flight.
    pub(crate) async fn claim(self: &Arc<Self>, id: &str) -> Claim {
        loop {
            let wait = {
                let mut slots = lock(&self.slots);
                match slots.get(id) {
                    Some(Slot::Answered(original)) => return Claim::Seen(original.clone()),
                    Some(Slot::InFlight(notify)) => Arc::clone(notify).notified_owned(),
                    None => {
                        slots.insert(id.to_owned(), Slot::InFlight(Arc::new(Notify::new())));
                        let replays = Arc::clone(self);
                        return Claim::Mine(Mine { replays, id: id.to_owned(), settled: false });
                    }
                }
            };
            wait.await;
        }
    }
}

impl Mine {
    /// Keeps the answer for every later request with this id.
    pub(crate) fn settle(mut self, original: Original) {
        self.settled = true;
        self.end(Some(original));
    }

    fn end(&self, original: Option<Original>) {
        let mut slots = lock(&self.replays.slots);
        let slot = match original {
            Some(original) => slots.insert(self.id.clone(), Slot::Answered(original)),
            None => slots.remove(&self.id),
        };
        if let Some(Slot::InFlight(notify)) = slot {
            notify.notify_waiters();
        }
    }
}

impl Drop for Mine {
    fn drop(&mut self) {
        if !self.settled {
            self.end(None);
        }
    }
}
