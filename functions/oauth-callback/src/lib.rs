//! Connecting, second and third step.
//!
//! # Layout
//! [`callback`]: what Intuit sends the browser to. [`confirm`]: what the asking user says in the app.

pub mod callback;
pub mod confirm;

use axum::Router;
use axum::routing::{get, post};
use platform::audit::AuditLog;
use platform::clock::Clock;
use platform::connections::Connections;
use platform::disconnect::Disconnect;
use platform::erasure::Erasures;
use platform::go_live::GoLive;
use platform::http::BASE;
use platform::oauth_states::OAuthStates;
use platform::outcome_page::OutcomePages;
use platform::pace::InteractivePace;
use platform::secrets::Secrets;
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
    /// To tell of an end that whoever ended it did not live to tell.
    pub disconnect: Disconnect,
    /// What follows a confirmation.
    pub go_live: GoLive,
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
