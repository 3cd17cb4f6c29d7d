//! Connecting, second and third step.
//!
//! # Layout
//! [`callback`]: what Intuit sends the browser to. [`confirm`]: what the asking user says in the app.

pub mod callback;
pub mod confirm;

use axum::Router;
use axum::routing::{get, post};
use domain::settings::Settings;
use platform::audit::AuditLog;
use platform::bus::Bus;
use platform::clock::Clock;
use platform::companies::Companies;
use platform::connections::Connections;
use platform::documents::Documents;
use platform::doorbell::Doorbell;
use platform::erasure::Erasures;
use platform::http::BASE;
use platform::oauth_states::OAuthStates;
use platform::outcome_page::OutcomePages;
use platform::pace::InteractivePace;
use platform::secrets::Secrets;
use platform::work::Work;
use quickbooks::{Client, Environment, OAuth};

/// What the function works with.
#[derive(Clone)]
pub struct Callback {
    /// OAuth states.
    pub states: OAuthStates,
    /// Connections.
    pub connections: Connections,
    /// Tokens and app credentials.
    pub secrets: Secrets,
    /// Intuit's token endpoint.
    pub oauth: OAuth,
    /// To prove the access.
    pub quickbooks: Client,
    /// Its share of Intuit's limits.
    pub pace: InteractivePace,
    /// What a new connection remembers.
    pub environment: Environment,
    /// For live sync and the time zone.
    pub settings: Documents<Settings>,
    /// To let the company's work run.
    pub companies: Companies,
    /// For the first import.
    pub work: Work,
    /// For the first import.
    pub doorbell: Doorbell,
    /// To tell the host app.
    pub bus: Bus,
    /// Companies that were deleted, and are connected again.
    pub erasures: Erasures,
    /// Who connected what.
    pub audit: AuditLog,
    /// Where the browser goes on.
    pub pages: OutcomePages,
    /// The clock.
    pub clock: Clock,
}

/// The routes.
pub fn router(callback: Callback) -> Router {
    Router::new()
        .route(&format!("{BASE}/callback"), get(callback::callback))
        .route(&format!("{BASE}/connect/confirm"), post(confirm::confirm))
        .with_state(callback)
}
