//! The product's rules, pure: no I/O and no clock. What is needed is passed in, the time among it.
//!
//! # Layout
//!
//! * [`ids`]: every id is a type, checked where it enters.
//! * [`problem`]: one field that is wrong, in words for the person who can put it right.
//! * [`timecard`]: what the host app sends, and what is accepted.
//! * [`settings`], [`mapping`]: what a company's admin decides.
//! * [`time_activity`], [`decide`](mod@decide): what a timecard becomes in QuickBooks, or why it does not.
//! * [`answer`]: whether QuickBooks stored what was sent.
//! * [`alert`]: the e-mails: thresholds, readers, words.
//! * [`expiry`], [`sweep`]: when a connection ends, and what the sweeps over connections look for.
//! * [`retry`], [`settle`], [`work`]: when a send is tried again, and how it never happens twice.

pub mod alert;
mod amount;
pub mod answer;
pub mod decide;
mod description;
pub mod expiry;
mod fields;
pub mod ids;
pub mod mapping;
pub mod problem;
pub mod retry;
pub mod settings;
pub mod settle;
mod shift;
pub mod sweep;
pub mod time_activity;
pub mod timecard;
pub mod work;

pub use answer::{differences, net_minutes_of};
pub use decide::decide;
pub use description::{MAX_DESCRIPTION, marker, marker_at_end};
pub use ids::{
    ClassId, CompanyId, CostCodeId, CustomerId, EmployeeId, IdError, ItemId, JobId, ProjectId,
    RealmId, TimeActivityId, TimecardId, WorkerId,
};
pub use mapping::{
    CostCodeMapping, CostCodeTarget, CustomerMapping, EmployeeMapping, Mapping, TimeFormat,
};
pub use problem::FieldError;
pub use retry::{CRASHES_ALONE, CRASHES_POISON, LADDER, next_attempt};
pub use settings::{Settings, time_zone};
pub use settle::{COMMIT_WINDOW, NextStep, REPLAY_WINDOW, Sent, earliest_resend, next_step};
pub use sweep::{Run, SweepKind};
pub use time_activity::{
    BillableStatus, Decision, Directory, Frozen, NameOf, Reference, Target, TimeActivityBody,
};
pub use timecard::Timecard;
pub use work::{JobStatus, Lane, SyncStatus};
