//! `requestid`: who sends an id again is answered with the first answer.
//!
//! That much is documented (the QuickBooks best practices of 2018; learn, "basic field definitions").
//! How long an id is remembered, whether a refusal is, what a repeat reads when it is not the original
//! and from when on an id counts is not known of the real service: [`Policy`] has a switch for each.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
};

use axum::{body::Bytes, http::StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tokio::sync::{Notify, futures::OwnedNotified};

use super::lock;
use crate::fault::Fault;

/// How the unknown parts of the real service are played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(crate) struct Policy {
    /// Seconds by the sandbox's clock for which an id is remembered after its answer; `None` is until
    /// a reset.
    pub(crate) remember_s: Option<u32>,
    /// Whether a refusal is remembered like a success. If not, its id counts as never sent.
    pub(crate) replay_refusals: bool,
    pub(crate) answer: Repeat,
    pub(crate) counts_from: CountsFrom,
    pub(crate) twin: Twin,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            remember_s: None,
            // Harder on a client that uses an id again after it mended its request.
            replay_refusals: true,
            answer: Repeat::Original,
            counts_from: CountsFrom::Arrival,
            twin: Twin::Waits,
        }
    }
}

/// What a repeat of a remembered id is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Repeat {
    /// The first answer (documented).
    #[serde(rename = "original")]
    Original,
    /// 400 with code 600, "Duplicate Request ID" (in Intuit's list of error codes).
    #[serde(rename = "600")]
    Duplicate,
    /// 400 with code 6000 (recorded of batch items in 2016: ruckus/quickbooks-ruby#344).
    #[serde(rename = "6000")]
    Business,
}

/// From when on an id counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CountsFrom {
    /// From the request's arrival: a twin that comes while it is under way is held back.
    Arrival,
    /// From the commit: nothing is noted before, so twins run side by side, and the one that comes
    /// later to its commit does nothing.
    Commit,
}

/// What becomes of a request whose id is under way; only where ids count from arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Twin {
    /// It waits for the first one and reads its answer.
    #[serde(rename = "waits")]
    Waits,
    /// It is refused at once with code 600.
    #[serde(rename = "600")]
    Refused,
}

impl Policy {
    /// What a repeat is answered, given the first answer.
    pub(crate) fn repeat(&self, first: Original) -> Result<Original, Fault> {
        match self.answer {
            Repeat::Original => Ok(first),
            Repeat::Duplicate => Err(Fault::duplicate_request_id()),
            Repeat::Business => Err(Fault::broken_repeat()),
        }
    }

    fn remembers(&self, first: &Original) -> bool {
        self.replay_refusals || first.status.is_success()
    }

    /// Whether what was answered at `at` is still known at `now`.
    fn still_known(&self, at: Timestamp, now: Timestamp) -> bool {
        self.remember_s.is_none_or(|seconds| {
            now.duration_since(at) < SignedDuration::from_secs(i64::from(seconds))
        })
    }
}

/// A first answer, kept.
#[derive(Clone, Debug)]
pub(crate) struct Original {
    pub(crate) status: StatusCode,
    /// As it was written out, so that a repeat is the same byte for byte.
    pub(crate) body: Bytes,
}

/// A first answer with its time, as a snapshot keeps it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Remembered {
    status: u16,
    #[serde(serialize_with = "as_text", deserialize_with = "from_text")]
    body: Bytes,
    at: Timestamp,
}

/// Answers are JSON, so they are text.
fn as_text<S: Serializer>(body: &Bytes, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&String::from_utf8_lossy(body))
}

fn from_text<'de, D: Deserializer<'de>>(from: D) -> Result<Bytes, D::Error> {
    String::deserialize(from).map(Bytes::from)
}

enum Slot {
    UnderWay(Arc<Notify>),
    Answered { first: Original, at: Timestamp },
}

/// The request ids of one company.
#[derive(Default)]
pub(crate) struct Replays {
    slots: Mutex<HashMap<String, Slot>>,
}

/// What an arriving request id turned out to be.
pub(crate) enum Arrival {
    /// New: the caller does the work and settles the claim.
    New(Claim),
    /// Answered before.
    Seen(Original),
    /// A twin is under way; the future ends when the twin does.
    Busy(OwnedNotified),
}

/// The right to answer a request id. Dropped unsettled, the id counts as never sent.
pub(crate) struct Claim {
    replays: Arc<Replays>,
    id: String,
    settled: bool,
}

impl Replays {
    /// What is remembered. An id under way is not among it: in a snapshot it was never sent. The
    /// caller holds the company's lock, so that no work is without its id.
    pub(crate) fn remembered(&self) -> BTreeMap<String, Remembered> {
        let slots = lock(&self.slots);
        let answered = slots.iter().filter_map(|(id, slot)| match slot {
            Slot::Answered { first, at } => {
                let (status, body) = (first.status.as_u16(), first.body.clone());
                Some((id.clone(), Remembered { status, body, at: *at }))
            }
            Slot::UnderWay(_) => None,
        });
        answered.collect()
    }

    /// A memory that holds these.
    pub(crate) fn with(remembered: BTreeMap<String, Remembered>) -> Self {
        let slots = remembered.into_iter().filter_map(|(id, Remembered { status, body, at })| {
            // A file can hold anything; what is no status was never answered.
            let status = StatusCode::from_u16(status).ok()?;
            Some((id, Slot::Answered { first: Original { status, body }, at }))
        });
        Self { slots: Mutex::new(slots.collect()) }
    }

    /// Claims `id` for a request that arrives at `now`.
    pub(crate) fn arrive(self: &Arc<Self>, id: &str, policy: Policy, now: Timestamp) -> Arrival {
        let mut slots = lock(&self.slots);
        match slots.get(id) {
            Some(Slot::Answered { first, at }) if policy.still_known(*at, now) => {
                Arrival::Seen(first.clone())
            }
            Some(Slot::UnderWay(notify)) => Arrival::Busy(Arc::clone(notify).notified_owned()),
            _ => {
                slots.insert(id.to_owned(), Slot::UnderWay(Arc::default()));
                Arrival::New(Claim { replays: Arc::clone(self), id: id.to_owned(), settled: false })
            }
        }
    }

    /// The first answer to `id`, where ids count from the commit. The caller holds the company's
    /// lock from here until it has called [`Replays::note`], so no twin can come in between.
    pub(crate) fn answered(&self, id: &str, policy: Policy, now: Timestamp) -> Option<Original> {
        match lock(&self.slots).get(id) {
            Some(Slot::Answered { first, at }) if policy.still_known(*at, now) => {
                Some(first.clone())
            }
            _ => None,
        }
    }

    /// Keeps an answer for every later request with this id, if `policy` remembers such ones.
    pub(crate) fn note(&self, id: &str, first: &Original, policy: Policy, now: Timestamp) {
        let mut slots = lock(&self.slots);
        let before = if policy.remembers(first) {
            slots.insert(id.to_owned(), Slot::Answered { first: first.clone(), at: now })
        } else {
            slots.remove(id)
        };
        drop(slots);
        wake(before);
    }
}

impl Claim {
    /// Keeps the answer given at `now`, and lets the twins go on.
    pub(crate) fn settle(mut self, first: &Original, policy: Policy, now: Timestamp) {
        self.settled = true;
        self.replays.note(&self.id, first, policy, now);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.settled {
            let mut slots = lock(&self.replays.slots);
            // An answer can be there if the policy was changed meanwhile; it stays.
            if matches!(slots.get(&self.id), Some(Slot::UnderWay(_))) {
                wake(slots.remove(&self.id));
            }
        }
    }
}

fn wake(before: Option<Slot>) {
    if let Some(Slot::UnderWay(notify)) = before {
        notify.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    fn answer(status: u16) -> Original {
        Original { status: StatusCode::from_u16(status).unwrap(), body: Bytes::new() }
    }

    fn claim(arrival: Arrival) -> Claim {
        match arrival {
            Arrival::New(claim) => claim,
            Arrival::Seen(_) => panic!("seen"),
            Arrival::Busy(_) => panic!("busy"),
        }
    }

    #[test]
    fn an_id_is_remembered_until_a_reset_by_default() {
        let (replays, policy) = (Arc::<Replays>::default(), Policy::default());
        claim(replays.arrive("r", policy, at(0))).settle(&answer(200), policy, at(1));
        let century = 100 * 366 * 86_400;
        assert!(matches!(replays.arrive("r", policy, at(century)), Arrival::Seen(_)));
        assert!(matches!(replays.arrive("other", policy, at(2)), Arrival::New(_)));
    }

    #[test]
    fn an_id_is_remembered_for_the_time_set_from_its_answer_on() {
        let replays = Arc::<Replays>::default();
        let policy = Policy { remember_s: Some(60), ..Policy::default() };
        claim(replays.arrive("r", policy, at(0))).settle(&answer(200), policy, at(10));
        assert!(matches!(replays.arrive("r", policy, at(69)), Arrival::Seen(_)));
        // A clock that was moved back does not make it forget.
        assert!(matches!(replays.arrive("r", policy, at(-100)), Arrival::Seen(_)));
        assert!(replays.answered("r", policy, at(70)).is_none());
        assert!(matches!(replays.arrive("r", policy, at(70)), Arrival::New(_)));
        let never = Policy { remember_s: Some(0), ..policy };
        claim(replays.arrive("n", never, at(0))).settle(&answer(200), never, at(0));
        assert!(matches!(replays.arrive("n", never, at(0)), Arrival::New(_)));
    }

    #[test]
    fn a_refusal_is_remembered_only_if_the_switch_says_so() {
        let replays = Arc::<Replays>::default();
        let kept = Policy::default();
        let forgotten = Policy { replay_refusals: false, ..kept };
        claim(replays.arrive("a", kept, at(0))).settle(&answer(400), kept, at(0));
        assert!(matches!(replays.arrive("a", kept, at(1)), Arrival::Seen(_)));
        claim(replays.arrive("b", forgotten, at(0))).settle(&answer(400), forgotten, at(0));
        assert!(matches!(replays.arrive("b", forgotten, at(1)), Arrival::New(_)));
        claim(replays.arrive("c", forgotten, at(0))).settle(&answer(200), forgotten, at(0));
        assert!(matches!(replays.arrive("c", forgotten, at(1)), Arrival::Seen(_)));
    }

    #[tokio::test]
    async fn a_claim_that_is_dropped_counts_as_never_sent_and_wakes_its_twin() {
        let (replays, policy) = (Arc::<Replays>::default(), Policy::default());
        let first = claim(replays.arrive("r", policy, at(0)));
        let Arrival::Busy(twin) = replays.arrive("r", policy, at(0)) else { panic!("not busy") };
        drop(first);
        twin.await;
        assert!(matches!(replays.arrive("r", policy, at(0)), Arrival::New(_)));
    }

    #[test]
    fn what_a_repeat_reads_is_a_switch() {
        let with = |answer| Policy { answer, ..Policy::default() };
        assert_eq!(with(Repeat::Original).repeat(answer(200)).unwrap().status, 200);
        let duplicate = with(Repeat::Duplicate).repeat(answer(200)).unwrap_err();
        assert_eq!((duplicate.status.as_u16(), duplicate.code.as_ref()), (400, "600"));
        let business = with(Repeat::Business).repeat(answer(200)).unwrap_err();
        assert_eq!((business.status.as_u16(), business.code.as_ref()), (400, "6000"));
    }

    #[test]
    fn where_ids_count_from_the_commit_nothing_is_known_before_it() {
        let replays = Arc::<Replays>::default();
        let policy = Policy { counts_from: CountsFrom::Commit, ..Policy::default() };
        assert!(replays.answered("r", policy, at(0)).is_none());
        replays.note("r", &answer(200), policy, at(0));
        assert!(replays.answered("r", policy, at(1)).is_some());
    }
}
