//! What the refresh protocol needs of the world, and the world on AWS.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use quickbooks::{AppCredentials, OAuth, OAuthError, TokenGrant};
use tokio::sync::Mutex;

use super::lease::{Expiries, GivenBack, Lease, LeaseAsked};
use crate::audit::{Action, AuditLog, Entry};
use crate::bus::{Bus, Event};
use crate::clock::Clock;
use crate::connections::{Connection, ConnectionStatus, Connections};
use crate::error::Result;
use crate::give_back::revoke_unless_live;
use crate::secrets::{Secrets, TokenSet};
use crate::telemetry::{self, Of, Unit};

/// What a refresh came to, for those who watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// New tokens are stored.
    Refreshed,
    /// The tokens of an interrupted refresh were found and are in use.
    Adopted,
    /// Intuit's answer never came.
    Unanswered(&'a str),
    /// It failed for now.
    Failed(&'a str),
    /// Intuit refuses the app's own credentials: every company is affected.
    AppRefused(&'a str),
    /// Intuit refuses the refresh token: an admin must connect again.
    RefusedForGood(&'a str),
}

/// The world as the protocol sees it: a clock, the rows, the secrets, and Intuit.
pub trait Surroundings: Clone + Send + Sync {
    /// The time.
    fn now(&self) -> impl Future<Output = Timestamp> + Send;
    /// Lets time pass.
    fn pause(&self, time: Duration) -> impl Future<Output = ()> + Send;
    /// A connection's row, as it is now.
    fn connection(&self, row: &str) -> impl Future<Output = Result<Option<Connection>>> + Send;
    /// See [`Connections::take_lease`].
    fn take_lease(
        &self,
        seen: &Connection,
        now: Timestamp,
    ) -> impl Future<Output = Result<LeaseAsked>> + Send;
    /// See [`Connections::point_at`].
    fn point_at(
        &self,
        lease: &Lease,
        version: &str,
        expiries: Expiries,
    ) -> impl Future<Output = Result<bool>> + Send;
    /// See [`Connections::give_back`].
    fn give_back(
        &self,
        lease: &Lease,
        outcome: &GivenBack<'_>,
    ) -> impl Future<Output = Result<bool>> + Send;
    /// See [`Secrets::get`].
    fn stored(
        &self,
        secret: &str,
        version: &str,
    ) -> impl Future<Output = Result<Option<TokenSet>>> + Send;
    /// See [`Secrets::put`].
    fn store(
        &self,
        secret: &str,
        version: &str,
        fence: u64,
        tokens: &TokenSet,
    ) -> impl Future<Output = Result<()>> + Send;
    /// The keys of the Intuit app that the connection was made with. [`OAuthError::NotSent`] when they
    /// cannot be read, [`OAuthError::InvalidClient`] when ours are another app's.
    fn app(
        &self,
        connection: &Connection,
    ) -> impl Future<Output = std::result::Result<AppCredentials, OAuthError>> + Send;
    /// Asks Intuit for new tokens: at once, and once, without any retry.
    fn ask_intuit(
        &self,
        app: &AppCredentials,
        current: &TokenSet,
    ) -> impl Future<Output = std::result::Result<TokenGrant, OAuthError>> + Send;
    /// Gives back what Intuit granted to a connection that was ended meanwhile.
    fn discard(
        &self,
        connection: &Connection,
        tokens: &TokenSet,
    ) -> impl Future<Output = ()> + Send;
    /// Tells those who watch. It never fails the refresh.
    fn note(
        &self,
        connection: &Connection,
        outcome: Outcome<'_>,
    ) -> impl Future<Output = ()> + Send;
}

/// The world on AWS.
#[derive(Clone)]
pub struct OnAws {
    connections: Connections,
    secrets: Secrets,
    oauth: OAuth,
    audit: AuditLog,
    bus: Bus,
    clock: Clock,
    /// When this process last told the operator that the app's credentials are refused.
    told_operator: Arc<Mutex<Option<Timestamp>>>,
}

/// Every company notices it when the app's credentials are refused; a process says it once in this time.
const TELL_OPERATOR: SignedDuration = SignedDuration::from_mins(5);

impl OnAws {
    /// The rows, the secrets, Intuit, the trail, the bus for what the operator must know, and the clock.
    pub fn new(
        connections: Connections,
        secrets: Secrets,
        oauth: OAuth,
        audit: AuditLog,
        bus: Bus,
        clock: Clock,
    ) -> Self {
        Self { connections, secrets, oauth, audit, bus, clock, told_operator: Arc::default() }
    }

    async fn tell_operator(&self, now: Timestamp) {
        let mut told = self.told_operator.lock().await;
        if told.is_some_and(|at| now.duration_since(at) < TELL_OPERATOR) {
            return;
        }
        match self.bus.publish(&[Event::AppCredentialsRefused { at: now }]).await {
            Ok(()) => *told = Some(now),
            Err(error) => tracing::warn!(%error, "could not tell the operator"),
        }
    }
}

impl Surroundings for OnAws {
    async fn now(&self) -> Timestamp {
        self.clock.now().await
    }

    async fn pause(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    async fn connection(&self, row: &str) -> Result<Option<Connection>> {
        self.connections.read(row.to_owned()).await
    }

    async fn take_lease(&self, seen: &Connection, now: Timestamp) -> Result<LeaseAsked> {
        self.connections.take_lease(seen, now).await
    }

    async fn point_at(&self, lease: &Lease, version: &str, expiries: Expiries) -> Result<bool> {
        self.connections.point_at(lease, version, expiries).await
    }

    async fn give_back(&self, lease: &Lease, outcome: &GivenBack<'_>) -> Result<bool> {
        self.connections.give_back(lease, outcome, self.clock.now().await).await
    }

    async fn stored(&self, secret: &str, version: &str) -> Result<Option<TokenSet>> {
        self.secrets.get(secret, version).await
    }

    async fn store(
        &self,
        secret: &str,
        version: &str,
        fence: u64,
        tokens: &TokenSet,
    ) -> Result<()> {
        self.secrets.put(secret, version, fence, tokens).await
    }

    async fn app(
        &self,
        connection: &Connection,
    ) -> std::result::Result<AppCredentials, OAuthError> {
        let app = self
            .secrets
            .app()
            .await
            .map_err(|error| OAuthError::NotSent { reason: error.to_string() })?;
        // Another app's keys would be answered with `invalid_grant`, as if the connection were dead.
        if connection.client_id.as_ref().is_some_and(|made_with| *made_with != app.client_id) {
            self.secrets.forget_app().await;
            return Err(OAuthError::InvalidClient);
        }
        Ok(app)
    }

    async fn ask_intuit(
        &self,
        app: &AppCredentials,
        current: &TokenSet,
    ) -> std::result::Result<TokenGrant, OAuthError> {
        let answer = self.oauth.refresh(app, &current.refresh).await;
        if matches!(answer, Err(OAuthError::InvalidClient)) {
            self.secrets.forget_app().await;
        }
        answer
    }

    async fn discard(&self, connection: &Connection, tokens: &TokenSet) {
        tracing::warn!(company = %connection.company, "the connection was ended during a refresh; its new tokens are given back");
        if let Err(error) =
            revoke_unless_live(connection, tokens, &self.connections, &self.secrets, &self.oauth)
                .await
        {
            tracing::warn!(company = %connection.company, %error, "could not give them back");
        }
    }

    async fn note(&self, connection: &Connection, outcome: Outcome<'_>) {
        let company = &connection.company;
        let now = self.clock.now().await;
        let failed = |action, reason| Entry::failure(company, action, "connector", reason);
        let entry = match outcome {
            Outcome::Refreshed | Outcome::Adopted => {
                let age = now.duration_since(super::at(connection.refreshed_at));
                tracing::info!(company = %company, ?outcome, age_hours = age.as_hours(), "refreshed the tokens");
                telemetry::metric("TokenRefreshes", 1.0, Unit::Count, now);
                let days = age.as_secs_f64() / 86_400.0;
                telemetry::metric("RefreshTokenAgeDays", days, Unit::None, now);
                Entry::success(company, Action::TokenRefreshed, "connector")
            }
            Outcome::Unanswered(reason) | Outcome::Failed(reason) => {
                tracing::warn!(company = %company, reason, "could not refresh the tokens");
                telemetry::metric_of("TokenRefreshFailures", 1.0, Unit::Count, Of::Everything, now);
                failed(Action::TokenRefreshFailed, reason)
            }
            Outcome::AppRefused(reason) => {
                tracing::error!(company = %company, reason, "Intuit refuses the app's client id or secret, or they are another app's; no company can be refreshed");
                telemetry::metric_of(
                    "AppCredentialsRefused",
                    1.0,
                    Unit::Count,
                    Of::Everything,
                    now,
                );
                self.tell_operator(now).await;
                failed(Action::TokenRefreshFailed, reason)
            }
            Outcome::RefusedForGood(reason)
                if connection.status == ConnectionStatus::Unconfirmed =>
            {
                tracing::info!(company = %company, reason, "Intuit refuses a connection that was never live");
                return;
            }
            Outcome::RefusedForGood(reason) => {
                tracing::error!(company = %company, reason, "Intuit refuses the refresh token; an admin must connect again");
                telemetry::metric_of("TokenRefreshFailures", 1.0, Unit::Count, Of::Everything, now);
                failed(Action::ReconnectRequired, reason)
            }
        };
        if let Err(error) = self.audit.write(&[entry], now).await {
            tracing::warn!(company = %company, %error, "could not write the audit trail of a refresh");
        }
    }
}
