//! What happened to an entity, for webhooks.

use jiff::Timestamp;

use crate::ids::EntityId;

/// What was done; the words are those of the webhooks (webhooks page, table of operations).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ChangeKind {
    Create,
    Update,
    Delete,
    Void,
    /// A name was merged into this one; the other's id is gone.
    Merge {
        deleted: EntityId,
    },
    Emailed,
}

/// One change of one entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// QuickBooks' name of it.
    pub(crate) entity: &'static str,
    pub(crate) id: EntityId,
    pub(crate) change: ChangeKind,
    /// By the sandbox's clock.
    pub(crate) at: Timestamp,
}
