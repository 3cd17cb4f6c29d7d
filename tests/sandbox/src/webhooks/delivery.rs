//! A post and what became of it.

use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{batch::Draft, subscription::Shape};
use crate::{ids::Realm, server::hex};

/// Why a post was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Origin {
    /// Something changed. Tried until it is acknowledged.
    Change,
    /// By hand, once.
    Hand,
    /// An earlier post again, once.
    Redelivery,
}

/// Where a post stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Standing {
    /// For its turn or its next attempt.
    Waiting,
    Sending,
    Acknowledged,
    /// Not acknowledged and not tried again.
    Refused,
}

/// One try.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Attempt {
    /// By the sandbox's clock.
    pub(crate) at: Timestamp,
    #[serde(flatten)]
    pub(crate) outcome: Outcome,
}

/// How a try ended.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Outcome {
    /// `None`: no answer in time.
    pub(crate) status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    /// In real time.
    pub(crate) duration_ms: u64,
}

impl Outcome {
    /// 200 and nothing else acknowledges (webhooks page).
    pub(super) fn acknowledges(&self) -> bool {
        self.status == Some(200)
    }
}

/// One post.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Delivery {
    /// Counts up from 1.
    pub(crate) seq: u64,
    pub(crate) origin: Origin,
    pub(crate) standing: Standing,
    /// The number of the post that this one repeats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) repeats: Option<u64>,
    /// When it was made, by the sandbox's clock.
    pub(crate) at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) shape: Option<Shape>,
    pub(crate) content_type: String,
    /// `intuit-t-id`, the same on every attempt.
    pub(crate) trace_id: String,
    pub(crate) realms: Vec<Realm>,
    pub(crate) event_ids: Vec<String>,
    pub(crate) attempts: Vec<Attempt>,
    /// The last attempt's.
    pub(crate) status: Option<u16>,
    /// When it is tried again, unless something before it is in the way.
    pub(crate) next_attempt: Option<Timestamp>,
    pub(crate) body_sha256: String,
    /// To the byte as it is posted.
    pub(crate) body: String,
}

impl Delivery {
    /// A post that was not tried yet.
    pub(super) fn new(
        seq: u64,
        origin: Origin,
        repeats: Option<u64>,
        draft: Draft,
        at: Timestamp,
    ) -> Self {
        Self {
            seq,
            origin,
            standing: Standing::Waiting,
            repeats,
            at,
            shape: draft.shape,
            content_type: draft.content_type,
            trace_id: draft.trace_id,
            realms: draft.realms,
            event_ids: draft.event_ids,
            attempts: Vec::new(),
            status: None,
            next_attempt: None,
            body_sha256: hex(&Sha256::digest(&draft.body)),
            body: draft.body,
        }
    }
}
