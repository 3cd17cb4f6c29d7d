//! Timecard intake: validate, store, ring.
//!
//! # Layout
//! [`accept`]: the one way in, for both triggers. [`post`]: `POST /timecards`. [`queue`]: the queue
//! `Intake`, fed by `timecard.approved` on the bus.

pub mod accept;
pub mod post;
pub mod queue;

use platform::activity::Activity;
use platform::audit::AuditLog;
use platform::bus::Bus;
use platform::clock::Clock;
use platform::companies::Companies;
use platform::doorbell::Doorbell;
use platform::erasure::Erasures;
use platform::records::Records;
use platform::work::Work;

/// What the function works with.
#[derive(Clone)]
pub struct Intake {
    /// Timecards.
    pub records: Records,
    /// The work list, and dead letters of bad events.
    pub work: Work,
    /// Company rows.
    pub companies: Companies,
    /// The doorbell.
    pub doorbell: Doorbell,
    /// To tell the host app of bad events.
    pub bus: Bus,
    /// Companies that were deleted: nothing is taken for them.
    pub erasures: Erasures,
    /// Refused bodies.
    pub audit: AuditLog,
    /// A timecard from the bus is a use of the company's connection.
    pub activity: Activity,
    /// The clock.
    pub clock: Clock,
}
