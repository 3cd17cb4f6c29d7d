//! The token provider: every call to QuickBooks gets its access token here (C4).
//!
//! Which tokens are current, and how they are renewed, is in [`crate::refresh`]. Here are the caches of
//! a warm process, and the order in which its calls wait.
//!
//! A caller whose token lasts for more than a minute, and was not refused, never waits: not for another
//! process, and not for another call of its own process that refreshes or reads the row again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::ids::CompanyId;
use jiff::{SignedDuration, Timestamp};
use quickbooks::Session;
use tokio::sync::Mutex;

use crate::clock::Clock;
use crate::connections::Connection;
use crate::refresh::need::USABLE;
use crate::refresh::{OnAws, Refresher, Wanted};
use crate::secrets::Secrets;

pub use crate::refresh::TokenError;

/// How long a process trusts what it read of a connection.
const CACHED: Duration = Duration::from_secs(30);
/// A version that was just stored may not be visible yet: it is asked for again, so many times.
const LOOKS: u32 = 4;

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
    refresher: Refresher<OnAws>,
    secrets: Secrets,
    clock: Clock,
    margin: SignedDuration,
    patience: Duration,
    cache: Arc<Mutex<HashMap<CompanyId, (Instant, Access)>>>,
    /// One read or refresh at a time in a process: eight calls in flight ask once, not eight times.
    alone: Arc<Mutex<()>>,
}

impl TokenProvider {
    /// A provider over a refresher and the secrets. A token with less left than `margin` is refreshed
    /// before use (C4). A caller without a usable token waits for somebody else's refresh for at most
    /// `patience`; what is left of its time must then be enough for a refresh of its own.
    pub fn new(
        refresher: Refresher<OnAws>,
        secrets: Secrets,
        clock: Clock,
        margin: SignedDuration,
        patience: Duration,
    ) -> Self {
        Self {
            refresher,
            secrets,
            clock,
            margin,
            patience,
            cache: Arc::default(),
            alone: Arc::default(),
        }
    }

    /// The refresh protocol. Whoever else refreshes in this process uses the same one: it has the tokens that
    /// could not be stored yet.
    pub fn refresher(&self) -> &Refresher<OnAws> {
        &self.refresher
    }

    /// An access token that lasts for at least the margin, or that is the best there is.
    pub async fn access(&self, company: &CompanyId) -> Result<Access, TokenError> {
        let known = self.cached(company).await;
        if let Known::Fresh(access) = known {
            return Ok(*access);
        }
        let _alone = match (self.alone.try_lock(), known) {
            (Ok(alone), _) => alone,
            // Somebody sees to it already.
            (Err(_), Known::Usable(access)) => return Ok(*access),
            // In the order of asking: whoever asks first is also the first to get leave for its call.
            (Err(_), _) => self.alone.lock().await,
        };
        match self.cached(company).await {
            Known::Fresh(access) => Ok(*access),
            _ => self.provide(company, &Wanted::lasting(self.margin)).await,
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
        let wanted = Wanted::lasting(self.margin).other_than(&refused.connection.version_id);
        match self.cached(company).await {
            Known::Fresh(access) => Ok(*access),
            _ => self.provide(company, &wanted).await,
        }
    }

    /// Whether nobody in this process has refreshed, or is refreshing, since this access was given out.
    pub async fn is_current(&self, access: &Access) -> bool {
        let cache = self.cache.lock().await;
        cache.get(&access.connection.company).is_some_and(|(_, cached)| same(cached, access))
    }

    async fn cached(&self, company: &CompanyId) -> Known {
        let now = self.clock.now().await;
        let cache = self.cache.lock().await;
        let Some((read_at, access)) = cache.get(company) else { return Known::Nothing };
        let left = access.expires.duration_since(now);
        if read_at.elapsed() < CACHED && left > self.margin {
            Known::Fresh(Box::new(access.clone()))
        } else if left > USABLE {
            Known::Usable(Box::new(access.clone()))
        } else {
            Known::Nothing
        }
    }

    /// Forgets an access that is of no use, unless another one is known by now.
    pub async fn forget(&self, company: &CompanyId, useless: &Access) {
        let mut cache = self.cache.lock().await;
        if cache.get(company).is_some_and(|(_, cached)| same(cached, useless)) {
            cache.remove(company);
        }
    }

    async fn provide(
        &self,
        company: &CompanyId,
        wanted: &Wanted<'_>,
    ) -> Result<Access, TokenError> {
        let connection = self.refresher.provide(company, wanted, self.patience).await;
        if connection.is_err() {
            self.cache.lock().await.remove(company);
        }
        self.read(connection?).await
    }

    async fn read(&self, connection: Connection) -> Result<Access, TokenError> {
        let mut looks = 0;
        let tokens = loop {
            match self.secrets.get(&connection.secret, &connection.version_id).await? {
                Some(tokens) => break tokens,
                None if looks == LOOKS => {
                    return Err(TokenError::Later("the tokens are not readable yet".to_owned()));
                }
                None => tokio::time::sleep(Duration::from_millis(100 << looks)).await,
            }
            looks += 1;
        };
        let access = Access {
            session: Session { realm: connection.realm.to_string(), access_token: tokens.access },
            expires: tokens.expiries.access,
            connection,
        };
        let company = access.connection.company.clone();
        self.cache.lock().await.insert(company, (Instant::now(), access.clone()));
        Ok(access)
    }
}

/// What a process knows of a company's access.
enum Known {
    /// Read a moment ago, and lasting.
    Fresh(Box<Access>),
    /// To be looked at again, and good for a while.
    Usable(Box<Access>),
    /// Nothing that can be used.
    Nothing,
}

fn same(one: &Access, other: &Access) -> bool {
    one.connection.connection_id == other.connection.connection_id
        && one.connection.version_id == other.connection.version_id
}
