//! What a timecard becomes in QuickBooks: the words for it. The rules are in [`decide`](mod@crate::decide).

use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{ClassId, CustomerId, EmployeeId, FieldError, ItemId};

pub use crate::{
    answer::{differences, net_minutes_of},
    decide::decide,
    description::{MAX_DESCRIPTION, marker, marker_at_end},
};

/// An employee, customer, item or class of QuickBooks, as last imported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// Its Id in QuickBooks.
    pub id: String,
    /// How QuickBooks shows it.
    pub name: String,
    /// Whether new records may refer to it.
    pub active: bool,
}

/// What QuickBooks knows, by id.
pub trait Directory {
    /// The employee of this id.
    fn employee(&self, id: &EmployeeId) -> Option<&Target>;
    /// The customer, sub-customer or project of this id.
    fn customer(&self, id: &CustomerId) -> Option<&Target>;
    /// The item of this id.
    fn item(&self, id: &ItemId) -> Option<&Target>;
    /// The class of this id.
    fn class(&self, id: &ClassId) -> Option<&Target>;
}

/// Zone and day of a record, which stay as they were at its first send: a later change of the zone moves no shift to another day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Frozen {
    /// IANA name of the zone.
    pub time_zone: String,
    /// The work day: the local day of the clock-in.
    pub txn_date: Date,
}

/// Who a TimeActivity is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NameOf {
    /// An Employee.
    Employee,
    /// A Vendor.
    Vendor,
}

impl NameOf {
    /// QuickBooks' word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Employee => "Employee",
            Self::Vendor => "Vendor",
        }
    }
}

/// Whether the customer pays for the time. `HasBeenBilled` follows from an invoice and cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BillableStatus {
    /// To be billed.
    Billable,
    /// Not to be billed.
    NotBillable,
}

impl BillableStatus {
    /// QuickBooks' word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Billable => "Billable",
            Self::NotBillable => "NotBillable",
        }
    }
}

/// A reference to another record of QuickBooks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// The record's Id.
    pub value: String,
}

impl Reference {
    pub(crate) fn to(id: &impl AsRef<str>) -> Self {
        Self { value: id.as_ref().to_owned() }
    }
}

/// A TimeActivity as it is sent, under QuickBooks' names. It has either hours and minutes, or start and end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct TimeActivityBody {
    /// The work day; without it QuickBooks takes its own today.
    pub txn_date: Date,
    /// Who it is of.
    pub name_of: NameOf,
    /// The employee.
    pub employee_ref: Reference,
    /// The customer.
    pub customer_ref: Reference,
    /// The service item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item_ref: Option<Reference>,
    /// The class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_ref: Option<Reference>,
    /// Whether the customer pays.
    pub billable_status: BillableStatus,
    /// What the customer pays per hour, where the time is billable.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "crate::amount::write_number",
        deserialize_with = "crate::amount::read_number"
    )]
    pub hourly_rate: Option<Decimal>,
    /// Net hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<u32>,
    /// Net minutes beyond the hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minutes: Option<u32>,
    /// Local time of the clock-in with its offset: `08:00:00-06:00`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<String>,
    /// Local time of the clock-out with its offset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_time: Option<String>,
    /// Hours of the break; only with start and end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_hours: Option<u32>,
    /// Minutes of the break beyond its hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_minutes: Option<u32>,
    /// Notes, clock times and marker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

impl TimeActivityBody {
    /// The net time in minutes, counted as QuickBooks counts it.
    pub fn net_minutes(&self) -> Option<i64> {
        net_minutes_of(&serde_json::to_value(self).ok()?)
    }
}

/// What is to be done with a timecard.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one decision lives at a time, and most are to send")]
pub enum Decision {
    /// Send this body; from now on zone and day are frozen.
    Send {
        /// What is sent.
        body: TimeActivityBody,
        /// What stays as it is for this record.
        frozen: Frozen,
    },
    /// The work day lies before the first one that is sent: never sent.
    BeforeStart {
        /// The work day.
        txn_date: Date,
        /// The first work day that is sent.
        sync_from: Date,
    },
    /// It cannot be sent until somebody puts these right.
    Refused(Vec<FieldError>),
}
