//! The worker: it takes one company's lease and drains that company's work.
//!
//! # Layout
//!
//! | module | answers |
//! |---|---|
//! | [`ring`] | what happens when the doorbell rings |
//! | [`drain`] | in which order work is done, and when a slice ends |
//! | [`keeper`] | how the lease is kept while calls are under way |
//! | [`push`] | how timecards go out |
//! | [`settle`] | what happens to sends whose outcome is not known |
//! | [`send`] | one call to QuickBooks, and what its answer means |
//! | [`conclude`], [`claim`], [`failure`] | how outcomes are written down, and in which words |
//! | [`crash`] | what happens to records that bring workers down |
//! | [`import`], [`pages`] | how names come in |
//! | [`catch_up`], [`plan`] | looking again at what failed; turning a job into work |

pub mod catch_up;
pub mod claim;
pub mod conclude;
pub mod crash;
pub mod drain;
pub mod failure;
pub mod import;
pub mod keeper;
pub mod pages;
pub mod plan;
pub mod push;
pub mod ring;
pub mod send;
pub mod settle;

use domain::mapping::Mapping;
use domain::settings::Settings;
use platform::access::QuickBooks;
use platform::audit::AuditLog;
use platform::bus::Bus;
use platform::clock::Clock;
use platform::companies::Companies;
use platform::documents::Documents;
use platform::doorbell::Doorbell;
use platform::jobs::Jobs;
use platform::journal::Journal;
use platform::records::Records;
use platform::work::Work;

/// What the function works with.
#[derive(Clone)]
pub struct Worker {
    /// Leases.
    pub companies: Companies,
    /// The work list.
    pub work: Work,
    /// Sends under way.
    pub journal: Journal,
    /// Timecards and names.
    pub records: Records,
    /// Jobs.
    pub jobs: Jobs,
    /// Settings.
    pub settings: Documents<Settings>,
    /// Mappings.
    pub mappings: Documents<Mapping>,
    /// QuickBooks.
    pub quickbooks: QuickBooks,
    /// To ring for what is left.
    pub doorbell: Doorbell,
    /// Results for the host app.
    pub bus: Bus,
    /// Every attempt.
    pub audit: AuditLog,
    /// Multiplies the pace; 1 on AWS.
    pub pace_scale: f64,
    /// The clock.
    pub clock: Clock,
}
