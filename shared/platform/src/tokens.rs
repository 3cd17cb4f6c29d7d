//! The token provider: every call to QuickBooks gets its access token here (C3, C4, C5).
//!
//! # The refresh protocol
//!
//! 1. The connection row says which secret version is current. A caller whose token has more than the
//!    margin left, and was not refused, uses it. One with more than a minute left does not
//!    wait for another process; within one, callers take turns, so that eight in flight ask once.
//! 2. To refresh, take the **refresh lease**: a conditional write on the row that needs the connection
//!    and the secret version to be those that were seen, and no live lease. It raises the fence and
//!    writes down the **promised** VersionId, under which the new tokens will be stored.
//! 3. Who takes over an expired lease first asks Secrets Manager for the predecessor's promised version.
//!    If it is there, Intuit's answer was stored and only the row was not: adopt it.
//! 4. Ask Intuit. Put the answer under the promised VersionId. Point the row at it, fenced.
//!
//! *Guaranteed*: one refresh at a time per company while the clock is shared; a token that Intuit gave
//! and that was put is never lost; no token is stored for a connection that was replaced meanwhile;
//! `reconnect_required` is never declared on the word of a stale token, since the row is read again
//! first. *Not guaranteed*: that an answer survives that Intuit gave and nobody received. Then the old
//! value is tried once more, and if Intuit refuses it, an admin must connect again.
//!
//! A condition that is not met means that somebody else was faster. It is never an authentication
//! failure.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::ids::CompanyId;
use jiff::{SignedDuration, Timestamp};
use quickbooks::{Environment, OAuth, OAuthError, Session, TokenGrant};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::clock::Clock;
use crate::connections::{Connection, ConnectionStatus, Connections};
use crate::error::{Error, Result};
use crate::refresh_lease::{RefreshAsked, RefreshLease};
use crate::secrets::{Secrets, TokenSet};

/// A token with less left than this is refreshed before use (C4).
pub const MARGIN: SignedDuration = SignedDuration::from_mins(5);
/// A token with more left than this is used rather than waited for.
const USABLE: SignedDuration = SignedDuration::from_secs(60);
/// A token this young that is refused is not refreshed again: something else is wrong.
const YOUNG: SignedDuration = SignedDuration::from_secs(60);
/// Covers two tries at Intuit (30 s each), the put and the pointing.
const LEASE: SignedDuration = SignedDuration::from_secs(90);
/// How long a caller without a usable token waits for somebody else's refresh.
const WAIT: Duration = Duration::from_secs(20);
/// How long a process trusts what it read of a connection.
const CACHED: Duration = Duration::from_secs(30);

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The company has no live connection.
    #[error("the company is not connected to QuickBooks")]
    NotConnected,
    /// Intuit refuses the connection for good.
    #[error("QuickBooks no longer accepts this connection; an admin must connect again")]
    ReconnectRequired,
    /// The connection was made in Intuit's other environment.
    #[error("the connection was made in Intuit's {made} environment, this stage uses {here}")]
    OtherEnvironment {
        /// Where it was made.
        made: Environment,
        /// Where we are.
        here: Environment,
    },
    /// Intuit does not answer, or somebody else's refresh takes too long. It heals.
    #[error("no access token right now: {0}")]
    Later(String),
    /// AWS does not answer.
    #[error(transparent)]
    Platform(#[from] Error),
}

/// Access to one company, with what is needed to say "this token was refused".
#[derive(Clone)]
pub struct Access {
    /// For the QuickBooks client.
    pub session: Session,
    /// The connection as it was read.
    pub connection: Connection,
    expires: Timestamp,
}

/// Gives out access tokens.
#[derive(Clone)]
pub struct TokenProvider {
    connections: Connections,
    secrets: Secrets,
    oauth: OAuth,
    environment: Environment,
    clock: Clock,
    cache: Arc<Mutex<HashMap<CompanyId, (Instant, Access)>>>,
    /// One read or refresh at a time in a process: eight calls in flight ask once, not eight times.
    alone: Arc<Mutex<()>>,
}

impl TokenProvider {
    /// A provider over the stores, Intuit's token endpoint, and a clock.
    pub fn new(
        connections: Connections,
        secrets: Secrets,
        oauth: OAuth,
        environment: Environment,
        clock: Clock,
    ) -> Self {
        Self {
            connections,
            secrets,
            oauth,
            environment,
            clock,
            cache: Arc::default(),
            alone: Arc::default(),
        }
    }

    /// An access token that lasts for at least [`MARGIN`], or that is the best there is.
    pub async fn access(&self, company: &CompanyId) -> Result<Access, TokenError> {
        // In the order of asking: whoever asks first is also the first to get leave for its call.
        let _alone = self.alone.lock().await;
        match self.cached(company).await {
            Some(access) => Ok(access),
            None => self.fresh(company, None).await,
        }
    }

    /// Another access token, after QuickBooks refused `refused`.
    pub async fn after_refusal(
        &self,
        company: &CompanyId,
        refused: &Access,
    ) -> Result<Access, TokenError> {
        self.forget(company, refused).await;
        let _alone = self.alone.lock().await;
        self.forget(company, refused).await;
        match self.cached(company).await {
            Some(access) => Ok(access),
            None => self.fresh(company, Some(&refused.connection.version_id)).await,
        }
    }

    /// Whether nobody in this process has refreshed, or is refreshing, since this access was given out.
    pub async fn is_current(&self, access: &Access) -> bool {
        let cache = self.cache.lock().await;
        cache.get(&access.connection.company).is_some_and(|(_, cached)| same(cached, access))
    }

    async fn cached(&self, company: &CompanyId) -> Option<Access> {
        let now = self.clock.now().await;
        let cache = self.cache.lock().await;
        let (read_at, access) = cache.get(company)?;
        (read_at.elapsed() < CACHED && access.expires.duration_since(now) > MARGIN)
            .then(|| access.clone())
    }

    async fn forget(&self, company: &CompanyId, refused: &Access) {
        let mut cache = self.cache.lock().await;
        if cache.get(company).is_some_and(|(_, cached)| same(cached, refused)) {
            cache.remove(company);
        }
    }

    async fn fresh(
        &self,
        company: &CompanyId,
        refused: Option<&str>,
    ) -> Result<Access, TokenError> {
        let began = Instant::now();
        loop {
            let now = self.clock.now().await;
            let connection = self.usable_connection(company).await?;
            let was_refused = refused == Some(connection.version_id.as_str());
            let left = at(connection.access_expires_at)?.duration_since(now);
            if !was_refused && left > MARGIN {
                return self.read(connection).await;
            }
            if was_refused && now.duration_since(at(connection.refreshed_at)?) < YOUNG {
                return Err(TokenError::Later(
                    "QuickBooks refused a token that is less than a minute old".to_owned(),
                ));
            }
            let owner = Uuid::new_v4().to_string();
            let promised = Uuid::new_v4().to_string();
            match self.connections.ask_refresh(&connection, &owner, &promised, LEASE, now).await? {
                RefreshAsked::Yes(lease) => self.refresh(&lease).await?,
                RefreshAsked::Newer => {}
                RefreshAsked::Held if !was_refused && left > USABLE => {
                    return self.read(connection).await;
                }
                RefreshAsked::Held if began.elapsed() > WAIT => {
                    return Err(TokenError::Later("another refresh is under way".to_owned()));
                }
                RefreshAsked::Held => tokio::time::sleep(Duration::from_millis(250)).await,
            }
        }
    }

    async fn usable_connection(&self, company: &CompanyId) -> Result<Connection, TokenError> {
        let connection = self.connections.get(company).await?.ok_or(TokenError::NotConnected)?;
        if connection.environment != self.environment {
            return Err(TokenError::OtherEnvironment {
                made: connection.environment,
                here: self.environment,
            });
        }
        match connection.status {
            ConnectionStatus::Connected => Ok(connection),
            ConnectionStatus::ReconnectRequired => Err(TokenError::ReconnectRequired),
            ConnectionStatus::Disconnected | ConnectionStatus::Unconfirmed => {
                Err(TokenError::NotConnected)
            }
        }
    }

    async fn read(&self, connection: Connection) -> Result<Access, TokenError> {
        let tokens = self
            .secrets
            .get(&connection.secret, &connection.version_id)
            .await?
            .ok_or_else(|| TokenError::Later("the tokens are not readable yet".to_owned()))?;
        let access = Access {
            session: Session { realm: connection.realm.to_string(), access_token: tokens.access },
            expires: tokens.expiries.access,
            connection,
        };
        let company = access.connection.company.clone();
        self.cache.lock().await.insert(company, (Instant::now(), access.clone()));
        Ok(access)
    }

    /// Refreshes under the lease. `Ok` means: read the connection again.
    async fn refresh(&self, lease: &RefreshLease) -> Result<(), TokenError> {
        let connection = &lease.connection;
        if let Some(predecessor) = &lease.predecessor
            && let Some(tokens) = self.secrets.get(&connection.secret, predecessor).await?
        {
            tracing::info!(company = %connection.company, "adopted the tokens of an interrupted refresh");
            self.connections.point_at(lease, predecessor, tokens.expiries).await?;
            return Ok(());
        }
        match self.ask_intuit(lease).await {
            Ok(grant) => {
                let tokens = TokenSet::from_grant(&grant, self.clock.now().await);
                self.store(lease, &tokens).await?;
                if !self.connections.point_at(lease, &lease.promised, tokens.expiries).await? {
                    tracing::warn!(company = %connection.company, "the connection changed during a refresh; its tokens were dropped");
                }
                tracing::info!(company = %connection.company, "refreshed the access token");
                Ok(())
            }
            Err(Refused::ForGood(reason)) => {
                // Somebody newer means success: read again before declaring the connection dead.
                let current = self.connections.get(&connection.company).await?;
                if current.is_some_and(|row| {
                    row.connection_id != connection.connection_id
                        || row.version_id != connection.version_id
                }) {
                    return Ok(());
                }
                tracing::error!(company = %connection.company, reason, "Intuit refuses the refresh token; an admin must connect again");
                self.connections.give_up_refresh(lease, &reason, true).await?;
                Err(TokenError::ReconnectRequired)
            }
            Err(Refused::ForNow(reason)) => {
                tracing::warn!(company = %connection.company, reason, "could not refresh the access token");
                self.connections.give_up_refresh(lease, &reason, false).await?;
                Err(TokenError::Later(reason))
            }
        }
    }

    async fn ask_intuit(&self, lease: &RefreshLease) -> Result<TokenGrant, Refused> {
        let connection = &lease.connection;
        let for_now = |error: Error| Refused::ForNow(error.to_string());
        let app = self.secrets.app().await.map_err(for_now)?;
        let tokens = self
            .secrets
            .get(&connection.secret, &connection.version_id)
            .await
            .map_err(for_now)?
            .ok_or_else(|| Refused::ForNow("the tokens are not readable yet".to_owned()))?;
        let mut lost_an_answer = false;
        loop {
            match self.oauth.refresh(&app, &tokens.refresh).await {
                Ok(grant) => return Ok(grant),
                Err(OAuthError::InvalidGrant { description }) => {
                    return Err(Refused::ForGood(
                        description.unwrap_or_else(|| "invalid_grant".to_owned()),
                    ));
                }
                // Intuit may have rotated the token and its answer was lost. The old value may be
                // honoured once more; asking a third time would only look like an attack.
                Err(OAuthError::Unanswered { .. }) if !lost_an_answer => lost_an_answer = true,
                Err(error) => return Err(Refused::ForNow(error.to_string())),
            }
        }
    }

    /// Intuit's answer exists only here until it is stored, so storing is tried for as long as the
    /// lease allows.
    async fn store(&self, lease: &RefreshLease, tokens: &TokenSet) -> Result<(), TokenError> {
        let began = Instant::now();
        loop {
            let name = &lease.connection.secret;
            match self.secrets.put(name, &lease.promised, lease.fence, tokens).await {
                Ok(()) => return Ok(()),
                Err(error) if began.elapsed() > Duration::from_secs(15) => return Err(error.into()),
                Err(error) => {
                    tracing::warn!(company = %lease.connection.company, %error, "storing refreshed tokens failed; trying again");
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
            }
        }
    }
}

fn same(one: &Access, other: &Access) -> bool {
    one.connection.connection_id == other.connection.connection_id
        && one.connection.version_id == other.connection.version_id
}

enum Refused {
    ForGood(String),
    ForNow(String),
}

fn at(ms: i64) -> Result<Timestamp> {
    Timestamp::from_millisecond(ms).map_err(|error| Error::unreadable("a connection's time", error))
}
