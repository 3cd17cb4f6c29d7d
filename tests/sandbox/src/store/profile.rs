//! Who a company is and which of QuickBooks' features it has turned on.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::CompanyStatus;
use crate::{
    entities::Kind,
    ids::{EntityId, Realm},
};

/// The `company` part of a seed: who the company is and which features are on.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Profile {
    pub(crate) realm: Realm,
    pub(crate) company_name: String,
    #[serde(default)]
    pub(crate) legal_name: Option<String>,
    #[serde(default = "default_country")]
    pub(crate) country: String,
    /// IANA name. It decides the offset of all times and what "today" is.
    #[serde(default = "default_zone")]
    pub(crate) time_zone: String,
    #[serde(default)]
    pub(crate) email: Option<String>,
    #[serde(default)]
    pub(crate) company_start_date: Option<Date>,
    #[serde(default)]
    pub(crate) address: Option<Value>,
    #[serde(default)]
    pub(crate) class_tracking: bool,
    #[serde(default)]
    pub(crate) track_departments: bool,
    #[serde(default = "default_true")]
    pub(crate) time_tracking: bool,
    #[serde(default = "default_true")]
    pub(crate) projects_enabled: bool,
    #[serde(default)]
    pub(crate) mark_time_billable: bool,
    /// Whether people may number transactions themselves; then a number must not be used twice.
    #[serde(default = "default_true")]
    pub(crate) custom_txn_numbers: bool,
    /// The item of a TimeActivity that names none.
    #[serde(default)]
    pub(crate) default_time_item: Option<EntityId>,
    /// Days up to and including this one are closed.
    #[serde(default)]
    pub(crate) book_close_date: Option<Date>,
    /// What is wrong with the company, if anything.
    #[serde(default)]
    pub(crate) status: CompanyStatus,
    /// Kinds of entity that the person who connected may neither see nor change: a role of
    /// QuickBooks that leaves them out, as "time tracking only" does with sales.
    #[serde(default)]
    pub(crate) not_permitted: BTreeSet<Kind>,
    /// Whether the query parser knows only the characters up to U+00FF, as recorded of the real one
    /// from 2014 to 2021 (a curly quote or a dash was a lexical error). Not known of today's.
    #[serde(default)]
    pub(crate) query_latin1_only: bool,
    /// What callers wrote of CompanyInfo beyond the fields above.
    #[serde(default)]
    pub(crate) company_info: Written,
    /// What callers wrote of Preferences beyond the fields above.
    #[serde(default)]
    pub(crate) preferences: Written,
    /// Next id by id space.
    #[serde(default)]
    pub(crate) next_ids: BTreeMap<String, u64>,
}

/// The written part of what a company has exactly one of.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Written {
    /// How often it was written.
    pub(crate) sync_token: u64,
    /// When it was written last, by the sandbox's clock.
    pub(crate) updated: Option<Timestamp>,
    /// Laid over what the profile says; null takes a field away.
    pub(crate) fields: Map<String, Value>,
}

fn default_country() -> String {
    "US".into()
}

fn default_zone() -> String {
    "America/Los_Angeles".into()
}

fn default_true() -> bool {
    true
}
