//! Erasing a company that the host app has deleted (C11): its connection is ended, and everything that is
//! stored of it goes, at once. One line in the audit trail stays, which says so.
//!
//! # Layout
//! [`queue`]: what arrives, and what is done with a message that cannot be read. [`erase`]: the erasure,
//! step by step.

pub mod erase;
pub mod queue;

use platform::bus::Bus;
use platform::clock::Clock;
use platform::companies::Companies;
use platform::connections::Connections;
use platform::disconnect::Disconnect;
use platform::erasure::{Eraser, Erasures};
use platform::erasure_requests::ErasureRequests;
use platform::work::Work;

/// What the function works with.
#[derive(Clone)]
pub struct CompanyErasure {
    /// Ends the connection.
    pub disconnect: Disconnect,
    /// Whose rows go last.
    pub connections: Connections,
    /// To stop the company's worker.
    pub companies: Companies,
    /// The lines that stay.
    pub erasures: Erasures,
    /// The rows that go.
    pub eraser: Eraser,
    /// To go on later.
    pub requests: ErasureRequests,
    /// Dead letters of events that cannot be read.
    pub work: Work,
    /// To tell the host app.
    pub bus: Bus,
    /// The clock.
    pub clock: Clock,
}
