//! One stored entity.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ids::EntityId;

/// An entity as stored: its fields apart from what every entity has.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Record {
    pub(crate) id: EntityId,
    pub(crate) sync_token: u64,
    /// To the second, as QuickBooks keeps it.
    pub(crate) created: Timestamp,
    /// To the second.
    pub(crate) updated: Timestamp,
    /// Order of creation within the company, for equal times.
    pub(crate) created_seq: u64,
    /// Order of change within the company, for equal times.
    pub(crate) updated_seq: u64,
    pub(crate) fields: Map<String, Value>,
}

impl Record {
    /// A field as text.
    pub(crate) fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field)?.as_str()
    }

    /// The id inside a reference field.
    pub(crate) fn reference(&self, field: &str) -> Option<&str> {
        reference(&self.fields, field)
    }

    /// Whether a list entry is active; what has no flag is.
    pub(crate) fn is_active(&self) -> bool {
        self.fields.get("Active") != Some(&Value::Bool(false))
    }
}

/// The id inside a reference field.
pub(crate) fn reference<'a>(fields: &'a Map<String, Value>, field: &str) -> Option<&'a str> {
    fields.get(field)?.get("value")?.as_str()
}
