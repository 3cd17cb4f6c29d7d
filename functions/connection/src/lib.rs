//! One connection's management: how it is, whether it works, new tokens by hand, ending it, and the
//! clean-up of what others left undone.
//!
//! # Layout
//! [`status`]: `GET /status`. [`test_connection`]: `POST /test-connection`. [`refresh`]: `POST /refresh`.
//! [`disconnect`]: `DELETE /disconnect`. [`clean_up`]: every five minutes.

pub mod clean_up;
pub mod disconnect;
pub mod refresh;
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
use platform::http::BASE;
use platform::pace::InteractivePace;
use platform::refresh::{OnAws, Refresher};

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
        .with_state(manage)
}
