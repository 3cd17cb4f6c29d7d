//! Calls to QuickBooks on behalf of a company: token, one refresh after a 401, and what to do when
//! Intuit takes the access away.

use domain::ids::{CompanyId, RealmId};
use quickbooks::{CallError, Client, Session};

use crate::audit::{Action, AuditLog, Entry};
use crate::bus::{Bus, ConnectionChange, Event};
use crate::clock::Clock;
use crate::companies::Companies;
use crate::connections::{Connection, Connections};
use crate::error::Error;
use crate::refresh::{OnAws, Refresher};
use crate::tokens::{Access, TokenError, TokenProvider};

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
    /// The company is connected to another QuickBooks company than the one meant; nothing was sent.
    #[error("the call was not made: the company is connected to another QuickBooks company by now")]
    OtherRealm,
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
    /// The only QuickBooks company that calls go to, where one is meant.
    realm: Option<RealmId>,
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
        Self { tokens, client, connections, companies, bus, audit, clock, realm: None }
    }

    /// See [`TokenProvider::refresher`].
    pub fn refresher(&self) -> &Refresher<OnAws> {
        self.tokens.refresher()
    }

    /// The QuickBooks company that a company is connected to, or was last.
    pub async fn realm(&self, company: &CompanyId) -> Result<Option<RealmId>, Error> {
        Ok(self.connections.get(company).await?.map(|connection| connection.realm))
    }

    /// The same access, for calls that are meant for one QuickBooks company: ids in them would mean
    /// something else in another.
    #[must_use]
    pub fn only(&self, realm: RealmId) -> Self {
        Self { realm: Some(realm), ..self.clone() }
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
                let now = self.clock.now().await;
                let reason = fault.to_string();
                if self.connections.require_reconnect(&access.connection, &reason, now).await? {
                    let entry =
                        Entry::failure(company, Action::ReconnectRequired, "connector", &reason);
                    self.audit.write(&[entry], now).await?;
                    self.announce_end(&access.connection).await?;
                }
                return Err(CallError::ReconnectNeeded(fault).into());
            }
            other => return Err(other.into()),
        }
        let access = self.told(company, self.tokens.after_refusal(company, &access).await).await?;
        if !self.is_meant(&access) {
            return Err(AccessError::OtherRealm);
        }
        let _held = leave().await.ok_or(AccessError::Declined)?;
        Ok(call(&self.client, &access.session).await?)
    }

    async fn access(&self, company: &CompanyId) -> Result<Access, AccessError> {
        let access = self.told(company, self.tokens.access(company).await).await?;
        if self.is_meant(&access) {
            return Ok(access);
        }
        // What this process knows may be of before the company was connected to another one.
        self.tokens.forget(company, &access).await;
        let access = self.told(company, self.tokens.access(company).await).await?;
        if self.is_meant(&access) { Ok(access) } else { Err(AccessError::OtherRealm) }
    }

    fn is_meant(&self, access: &Access) -> bool {
        self.realm.as_ref().is_none_or(|realm| *realm == access.connection.realm)
    }

    /// Passes an answer on; when it is that Intuit ended the connection, says so to whom it concerns.
    async fn told(
        &self,
        company: &CompanyId,
        answer: Result<Access, TokenError>,
    ) -> Result<Access, AccessError> {
        if matches!(answer, Err(TokenError::ReconnectRequired))
            && let Some(connection) = self.connections.get(company).await?
        {
            self.announce_end(&connection).await?;
        }
        Ok(answer?)
    }

    /// Announces that Intuit ended the connection, and pauses the company: its work waits. The row
    /// remembers that this is to be done, so it is done once however many calls find out together, and
    /// by the clean-up schedule if all of them die.
    pub async fn announce_end(&self, connection: &Connection) -> Result<(), Error> {
        let now = self.clock.now().await;
        if !self.connections.claim_announcement(connection, now).await? {
            return Ok(());
        }
        let event = Event::connection(connection, ConnectionChange::ReconnectRequired, now);
        self.bus.publish(&[event]).await?;
        self.connections.announced(connection, &self.companies).await
    }
}
