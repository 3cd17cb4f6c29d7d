//! One connection's management: how it is, whether it works, new tokens by hand, ending it, and the
//! clean-up of what others left undone.
//!
//! # Layout
//! [`status`]: `GET /status`. [`test_connection`]: `POST /test-connection`. [`refresh`]: `POST /refresh`.
//! [`disconnect`]: `DELETE /disconnect`. [`reset`]: `POST /reset`. [`clean_up`]: every five minutes.

pub mod clean_up;
pub mod disconnect;
pub mod refresh;
pub mod reset;
pub mod status;
pub mod test_connection;

use axum::Router;
use axum::routing::{delete, get, post};
use domain::settings::Settings;
use platform::access::QuickBooks;
use platform::audit::AuditLog;
use platform::clock::Clock;
use platform::connections::Connections;
use platform::disconnect::Disconnect;
use platform::documents::Documents;
use platform::erasure::Erasures;
use platform::http::BASE;
use platform::pace::InteractivePace;
use platform::refresh::{OnAws, Refresher};
use platform::start_over::StartOver;

/// What the function works with.
#[derive(Clone)]
pub struct Manage {
    /// Connections.
    pub connections: Connections,
    /// For automatic refresh.
    pub settings: Documents<Settings>,
    /// For the live test.
    pub quickbooks: QuickBooks,
    /// Its share of Intuit's limits.
    pub pace: InteractivePace,
    /// New tokens by hand.
    pub refresher: Refresher<OnAws>,
    /// Ending connections, and the clean-up.
    pub disconnect: Disconnect,
    /// Starting over with another QuickBooks company.
    pub start_over: StartOver,
    /// Companies that were deleted: there is nothing to start over.
    pub erasures: Erasures,
    /// Who tested, who refreshed.
    pub audit: AuditLog,
    /// The clock.
    pub clock: Clock,
}

/// The routes.
pub fn router(manage: Manage) -> Router {
    Router::new()
        .route(&format!("{BASE}/status"), get(status::status))
        .route(&format!("{BASE}/test-connection"), post(test_connection::test_connection))
        .route(&format!("{BASE}/refresh"), post(refresh::refresh))
        .route(&format!("{BASE}/disconnect"), delete(disconnect::disconnect))
        .route(&format!("{BASE}/reset"), post(reset::reset))
        .with_state(manage)
}
