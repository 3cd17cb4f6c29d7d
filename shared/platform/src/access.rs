//! Calls to QuickBooks on behalf of a company: token, one refresh after a 401, and what to do when
//! Intuit takes the access away.

use std::sync::Arc;

use domain::ids::CompanyId;
use quickbooks::{CallError, Client, Session};
use tokio::sync::Mutex;

use crate::audit::{Action, AuditLog, Entry};
use crate::bus::{Bus, ConnectionChange, Event};
use crate::clock::Clock;
use crate::companies::{Companies, CompanyState};
use crate::connections::{Connection, Connections};
use crate::error::Error;
use crate::tokens::{TokenError, TokenProvider};

/// Why a call on behalf of a company did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// There is no access token; nothing was sent.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// QuickBooks' answer, or the lack of one.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The caller's own pace gave no leave; nothing was sent.
    #[error("the call was not made: its time was over")]
    Declined,
}

impl From<Error> for AccessError {
    fn from(error: Error) -> Self {
        Self::Token(error.into())
    }
}

/// Access to QuickBooks for any company.
#[derive(Clone)]
pub struct QuickBooks {
    tokens: TokenProvider,
    client: Client,
    connections: Connections,
    companies: Companies,
    bus: Bus,
    audit: AuditLog,
    clock: Clock,
    announcing: Arc<Mutex<()>>,
}

impl QuickBooks {
    /// Puts the parts together.
    pub fn new(
        tokens: TokenProvider,
        client: Client,
        connections: Connections,
        companies: Companies,
        bus: Bus,
        audit: AuditLog,
        clock: Clock,
    ) -> Self {
        Self {
            tokens,
            client,
            connections,
            companies,
            bus,
            audit,
            clock,
            announcing: Arc::default(),
        }
    }

    /// Makes a call for which the caller has leave already; see [`QuickBooks::call_paced`].
    pub async fn call<T, F>(&self, company: &CompanyId, call: F) -> Result<T, AccessError>
    where
        F: AsyncFn(&Client, &Session) -> Result<T, CallError>,
    {
        self.call_paced(company, async || Some(()), call).await
    }

    /// Makes a call; after a 401 refreshes the token once and makes it once more, with the very same
    /// request. Whatever `call` captures must therefore not change between the two.
    ///
    /// `leave` is asked for right before each of the two, when the token is there: leave that waited for
    /// a token would be used in a burst. It is held until the answer is read; `None` declines the call.
    pub async fn call_paced<T, G, L, F>(
        &self,
        company: &CompanyId,
        leave: L,
        call: F,
    ) -> Result<T, AccessError>
    where
        L: AsyncFn() -> Option<G>,
        F: AsyncFn(&Client, &Session) -> Result<T, CallError>,
    {
        let (access, held) = loop {
            let access = self.access(company).await?;
            let held = leave().await.ok_or(AccessError::Declined)?;
            // Leave may have taken long: a token that was refused meanwhile is not tried again.
            if self.tokens.is_current(&access).await {
                break (access, held);
            }
        };
        let error = match call(&self.client, &access.session).await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        drop(held);
        match error {
            CallError::TokenRefused(_) => {}
            CallError::ReconnectNeeded(fault) => {
                self.reconnect_required(&access.connection, &fault.to_string()).await?;
                return Err(CallError::ReconnectNeeded(fault).into());
            }
            other => return Err(other.into()),
        }
        let access = match self.tokens.after_refusal(company, &access).await {
            Err(error @ TokenError::ReconnectRequired) => {
                self.announce(&access.connection, "Intuit refuses the refresh token").await?;
                return Err(error.into());
            }
            other => other?,
        };
        let _held = leave().await.ok_or(AccessError::Declined)?;
        Ok(call(&self.client, &access.session).await?)
    }

    async fn access(&self, company: &CompanyId) -> Result<crate::tokens::Access, AccessError> {
        match self.tokens.access(company).await {
            Err(TokenError::ReconnectRequired) => {
                if let Some(connection) = self.connections.get(company).await? {
                    self.announce(&connection, &connection.last_refresh_result).await?;
                }
                Err(TokenError::ReconnectRequired.into())
            }
            other => Ok(other?),
        }
    }

    /// Intuit has taken the access away: work waits, the admin connects again.
    async fn reconnect_required(
        &self,
        connection: &Connection,
        reason: &str,
    ) -> Result<(), AccessError> {
        if self.connections.require_reconnect(connection, reason).await? {
            self.announce(connection, reason).await?;
        }
        Ok(())
    }

    async fn announce(&self, connection: &Connection, reason: &str) -> Result<(), AccessError> {
        // Calls in flight together hear of it together; the host app hears of it once. It is told before
        // the company is paused, so that a crash in between tells it again rather than never.
        let _alone = self.announcing.lock().await;
        let company = &connection.company;
        if self.companies.state(company).await? == CompanyState::Paused {
            return Ok(());
        }
        let now = self.clock.now().await;
        self.bus
            .publish(&[Event::connection(connection, ConnectionChange::ReconnectRequired, now)])
            .await?;
        let entry = Entry::failure(company, Action::TokenRefreshFailed, "connector", reason);
        self.audit.write(&[entry], now).await?;
        self.companies.set_state(company, CompanyState::Paused, now).await?;
        Ok(())
    }
}
