//! One piece of work under its request id: done once, by whoever's turn it is.

use axum::{body::Bytes, http::StatusCode};
use serde_json::Value;
use tokio::sync::futures::OwnedNotified;

use super::{
    execute,
    target::{Target, Write},
};
use crate::{
    app::App,
    entities::Circumstances,
    fault::Fault,
    store::{Arrival, Claim, Company, CountsFrom, Original, ReplayPolicy, Twin},
};

/// Longest request id, in characters (learn, "basic field definitions"). In a batch it holds for the
/// request id and the item's `bId` together (recorded: intuit/QuickBooks-V3-Java-SDK#180).
const MAX_REQUEST_ID: usize = 50;

/// The fault of a request id that is too long, with the recorded text, which shows its first letters.
pub(super) fn too_long(id: &str) -> Option<Fault> {
    let length = id.chars().count();
    if length <= MAX_REQUEST_ID {
        return None;
    }
    let first: String = id.chars().take(10).collect();
    Some(Fault::business(
        "requestid",
        &format!(
            "You cannot enter more than {MAX_REQUEST_ID} characters in the request_id field. You \
             tried entering {first}..., which is {length} characters."
        ),
    ))
}

/// Where a piece of work stands with regard to its request id.
pub(super) enum Turn {
    /// It has none, or is a read, whose answer is the newest in any case.
    Free,
    /// Its id is new and is held until the work is done.
    Mine(Claim),
    /// Its id is looked up at the commit.
    AtCommit(String),
    /// Its id was answered before.
    Seen(Original),
    /// A twin is under way.
    Behind { id: String, twin: OwnedNotified },
    /// It is refused whatever it asks for.
    Refused(Fault),
}

/// What a piece of work came to.
pub(super) struct Done {
    pub(super) status: StatusCode,
    pub(super) body: Written,
    /// Whether it was a repeat, for which nothing was done.
    pub(super) replayed: bool,
}

/// The body of an answer.
pub(super) enum Written {
    New(Value),
    /// As it was written out the first time.
    Kept(Bytes),
}

impl Written {
    pub(super) fn bytes(self) -> Bytes {
        match self {
            Self::New(value) => value.to_string().into(),
            Self::Kept(bytes) => bytes,
        }
    }

    pub(super) fn value(self) -> Value {
        match self {
            Self::New(value) => value,
            Self::Kept(bytes) => serde_json::from_slice(&bytes).unwrap_or_default(),
        }
    }
}

impl Turn {
    /// At the arrival of a request.
    pub(super) fn arrive(app: &App, company: &Company, id: String, policy: ReplayPolicy) -> Self {
        if let Some(fault) = too_long(&id) {
            return Self::Refused(fault);
        }
        if policy.counts_from == CountsFrom::Commit {
            return Self::AtCommit(id);
        }
        match company.replays.arrive(&id, policy, app.now()) {
            Arrival::New(claim) => Self::Mine(claim),
            Arrival::Seen(first) => Self::Seen(first),
            Arrival::Busy(_) if policy.twin == Twin::Refused => {
                Self::Refused(Fault::duplicate_request_id())
            }
            Arrival::Busy(twin) => Self::Behind { id, twin },
        }
    }

    /// Waits until no twin is under way. The caller holds no other claim, so no two requests can
    /// wait for each other.
    pub(super) async fn come(self, app: &App, company: &Company, policy: ReplayPolicy) -> Self {
        let mut turn = self;
        while let Self::Behind { id, twin } = turn {
            twin.await;
            turn = Self::arrive(app, company, id, policy);
        }
        turn
    }

    pub(super) fn is_behind(&self) -> bool {
        matches!(self, Self::Behind { .. })
    }

    /// Does the work in one step under the company's lock, unless it was done before.
    pub(super) fn commit(
        self,
        app: &App,
        company: &Company,
        target: &Target,
        policy: ReplayPolicy,
    ) -> Done {
        let mut state = company.state();
        let now = app.now();
        let seen = match &self {
            Self::Seen(first) => Some(first.clone()),
            Self::AtCommit(id) => company.replays.answered(id, policy, now),
            _ => None,
        };
        let replayed = seen.is_some();
        let result = match (seen, &self) {
            (Some(first), _) => match policy.repeat(first) {
                Ok(Original { status, body }) => {
                    return Done { status, body: Written::Kept(body), replayed };
                }
                Err(fault) => Err(fault),
            },
            (None, Self::Refused(fault)) => Err(fault.clone()),
            (None, _) => {
                let duplicate_numbers =
                    matches!(target, Target::Write(Write { duplicate_numbers: true, .. }));
                let unknown_fields = app.unknown_fields.get();
                let circumstances = Circumstances { now, unknown_fields, duplicate_numbers };
                execute::execute(&mut state, target, circumstances)
            }
        };
        let (status, body) = match result {
            Ok(body) => (StatusCode::OK, body),
            Err(fault) => (fault.status, fault.body(now, &state.zone)),
        };
        let first = || Original { status, body: body.to_string().into() };
        match self {
            Self::Mine(claim) => claim.settle(&first(), policy, now),
            Self::AtCommit(id) if !replayed => company.replays.note(&id, &first(), policy, now),
            _ => {}
        }
        Done { status, body: Written::New(body), replayed }
    }
}
