//! The refresh protocol: how a company's tokens are renewed, one refresh at a time, over all functions,
//! without ever losing the newest token (C5).
//!
//! Intuit replaces the refresh token about once a day and honours only the newest; two refreshes at once
//! may be taken for theft, and cost the connection. Secrets Manager holds the tokens and cannot be
//! fenced; DynamoDB can, and holds no token. The protocol joins the two.
//!
//! # The protocol
//!
//! 1. The connection's **row** says which secret **version** is current. Readers ask for that version by
//!    its VersionId, never for "the newest".
//! 2. To refresh, take the **lease**: one conditional write on the row, which needs the connection and
//!    the version to be those that were seen, no live lease, and no cool-down. It raises the **fence**,
//!    and writes down the **promised** VersionId under which the new tokens will be stored.
//! 3. Whoever takes over a lease that ran out first asks Secrets Manager for every version that was
//!    promised and not resolved. If one is there, Intuit's answer was stored and only the row was not:
//!    it is adopted.
//! 4. Read the app's keys, and ask Intuit at once, unless too little of the lease is left. Put the answer
//!    under the promised VersionId, again and again while the lease lasts. Point the row at it, under the
//!    fence. When the first put fails, the lease is extended by [`HELD_FOR`], since asking with the old
//!    value might end the connection. What could not be put stays with the process, which tries again
//!    whenever it is called, extends the lease each time, and never asks Intuit itself meanwhile.
//! 5. An answer that never came **keeps the lease** until it runs out: the request may still be under way
//!    at Intuit, so nobody asks again before it cannot be. Then the old value is tried once more, as
//!    after a crash. Any other failure gives the lease back with a **cool-down**, so that a company whose
//!    refresh fails does not loop.
//! 6. `invalid_grant` ends the connection only when the row, read again, still shows what was refreshed,
//!    no promised version has appeared, and the write of the end passes the fence.
//!
//! [`LEASE`] is longer than any function's time-out, so Lambda kills a holder before its lease runs out;
//! the fence and the promised versions are there for when it does not.
//!
//! # Guaranteed
//!
//! * Never two refreshes of a connection at Intuit under a live lease, however many ask.
//! * A token that Intuit gave is lost only if its answer did not come within the lease, or if the process
//!   died before the put was acknowledged. If Intuit honours the old value then, the connection lives on.
//! * `reconnect_required` is never declared while a token that we stored is honoured.
//! * A connection that was ended or replaced meanwhile gets no new token: its row is not touched, its
//!   secret is destroyed whatever was put there before, and what Intuit gave is given back. None gets
//!   another's.
//! * A caller whose token lasts for more than a minute, and was not refused, never waits for a refresh.
//! * Everybody gets an answer within a bounded time: the caller's patience, and one refresh of its own.
//!
//! # Not guaranteed
//!
//! * That an answer survives that Intuit gave and nobody received. No protocol can: an admin must connect
//!   again, if Intuit refuses the old value.
//! * That a connection survives if Secrets Manager refuses writes just when Intuit has replaced the token,
//!   and the process that has it dies, or is not called for longer than the lease and [`HELD_FOR`]. An
//!   invocation that runs out of time does not end the process ([`crate::deadline`]).
//! * Anything, if the clocks of two processes are apart by more than the lease's reserve of 20 s.
//!
//! A condition that is not met means that somebody else was faster. It is never an authentication
//! failure.
//!
//! # Layout
//! Here: who asks Intuit, and what its answers mean. [`storing`]: how an answer is kept, and what becomes of
//! one that cannot be. [`need`]: whether a refresh is due, a pure rule. [`lease`]: the conditional writes on
//! the row.
//! [`surroundings`]: what the protocol needs of the world, and the world on AWS. The test
//! `refresh_interleavings` explores this very code over a simulated world.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::ids::CompanyId;
use jiff::{SignedDuration, Timestamp};
use quickbooks::{Environment, OAuthError};

use crate::connections::{Connection, ConnectionStatus};
use crate::error::Error;
use crate::keys;
use crate::secrets::TokenSet;
use storing::Unsaved;

pub mod lease;
pub mod need;
pub mod storing;
pub mod surroundings;

pub use lease::{Expiries, GivenBack, Lease, LeaseAsked};
pub use need::{Need, Wanted, need};
pub use storing::HELD_FOR;
pub use surroundings::{OnAws, Outcome, Surroundings};

/// How long a lease lasts. Longer than the longest time-out of a function (180 s), so that no holder
/// outlives it; and long enough for [`UNDER_WAY`] to pass after the latest moment to ask.
pub const LEASE: SignedDuration = SignedDuration::from_secs(200);
/// How long a request may be under way at Intuit after its sender gave it up (Intuit cuts requests
/// after 120 s).
pub const UNDER_WAY: SignedDuration = SignedDuration::from_secs(120);
/// Kept of the lease for storing the answer and pointing the row at it.
const STORING: SignedDuration = SignedDuration::from_secs(30);
/// Between two looks at a lease that somebody else holds.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// Nobody asks Intuit again for this long after it answered with an error.
const AFTER_AN_ERROR: SignedDuration = SignedDuration::from_secs(60);
/// The same after a failure on our side, when nothing was sent.
const AFTER_NOTHING_SENT: SignedDuration = SignedDuration::from_secs(15);

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

fn later(reason: impl Into<String>) -> TokenError {
    TokenError::Later(reason.into())
}

/// Refreshes connections, by the protocol above.
#[derive(Clone)]
pub struct Refresher<S> {
    world: S,
    environment: Environment,
    /// By the version that was promised for it.
    unsaved: Arc<Mutex<HashMap<String, Unsaved>>>,
}

impl<S: Surroundings> Refresher<S> {
    /// A refresher in these surroundings, for connections made in `environment`.
    pub fn new(world: S, environment: Environment) -> Self {
        Self { world, environment, unsaved: Arc::default() }
    }

    /// The company's live connection with tokens as `wanted`, refreshed if need be. Waits for somebody
    /// else's refresh for at most `patience`, and only if the token at hand cannot be used meanwhile.
    ///
    /// With [`Wanted::since`] an answer means that the tokens are that new. Without it, it may be a
    /// connection whose token is usable and was not refreshed because that did not succeed just now.
    pub async fn provide(
        &self,
        company: &CompanyId,
        wanted: &Wanted<'_>,
        patience: Duration,
    ) -> Result<Connection, TokenError> {
        self.provide_row(&keys::connection(company), wanted, patience).await
    }

    /// The same for any row of the table: also for one that waits for its confirmation.
    pub async fn provide_row(
        &self,
        row: &str,
        wanted: &Wanted<'_>,
        patience: Duration,
    ) -> Result<Connection, TokenError> {
        self.save_unsaved_of(row).await;
        let began = self.world.now().await;
        loop {
            let now = self.world.now().await;
            let connection = self.live(row).await?;
            let usable = match need(&connection, wanted, now) {
                Need::Nothing => return Ok(connection),
                Need::TooYoung => {
                    return Err(later("QuickBooks refused a token that is less than a minute old"));
                }
                Need::Refresh { usable } => usable,
            };
            // Whoever has newer tokens, and could not store them yet, has the lease still.
            let asked = if self.has_newer(&connection) {
                LeaseAsked::Held
            } else {
                self.world.take_lease(&connection, now).await?
            };
            let hindered = match asked {
                LeaseAsked::Taken(lease) => match self.refresh(&lease).await {
                    Ok(()) => continue,
                    Err(error @ (TokenError::Later(_) | TokenError::Platform(_))) => error,
                    Err(error) => return Err(error),
                },
                LeaseAsked::Newer => continue,
                LeaseAsked::CoolingDown => later(&connection.last_refresh_result),
                LeaseAsked::Held if !usable && now.duration_since(began) < signed(patience) => {
                    self.world.pause(LOOK_AGAIN).await;
                    continue;
                }
                LeaseAsked::Held => later("another refresh is under way"),
            };
            // The refresh of one's own may have taken longer than the token at hand lasted.
            let usable = usable && {
                let now = self.world.now().await;
                matches!(need(&connection, wanted, now), Need::Refresh { usable: true })
            };
            return if usable { Ok(connection) } else { Err(hindered) };
        }
    }

    async fn live(&self, row: &str) -> Result<Connection, TokenError> {
        let connection = self.world.connection(row).await?.ok_or(TokenError::NotConnected)?;
        if connection.environment != self.environment {
            return Err(TokenError::OtherEnvironment {
                made: connection.environment,
                here: self.environment,
            });
        }
        match connection.status {
            ConnectionStatus::Connected | ConnectionStatus::Unconfirmed => Ok(connection),
            ConnectionStatus::ReconnectRequired => Err(TokenError::ReconnectRequired),
            ConnectionStatus::Disconnected => Err(TokenError::NotConnected),
        }
    }

    /// Refreshes under the lease. `Ok` means: read the connection again.
    async fn refresh(&self, lease: &Lease) -> Result<(), TokenError> {
        let before = &lease.connection;
        let current = match self.prepare(lease).await {
            Ok(Prepared::Adopted) => return Ok(()),
            Ok(Prepared::Ask(current)) => current,
            Err(error) => {
                // Nothing was asked of Intuit: somebody else may, soon. But while tokens cannot be read,
                // nobody can, and those who watch must hear of it.
                let reason = error.to_string();
                self.world.note(before, Outcome::Failed(&reason)).await;
                self.give_up(lease, &reason, AFTER_NOTHING_SENT).await;
                return Err(error);
            }
        };
        let answer = match self.world.app(before).await {
            Ok(app) => {
                // Nothing comes between this look at the clock and the sending.
                let asked = self.world.now().await;
                if lease.until.duration_since(asked) < UNDER_WAY + STORING {
                    self.world.give_back(lease, &GivenBack::Unused).await?;
                    return Err(later("this refresh was held up before it could begin"));
                }
                let answer = self.world.ask_intuit(&app, &current).await;
                answer.map(|grant| TokenSet::from_grant(&grant, asked))
            }
            Err(error) => Err(error),
        };
        match answer {
            Ok(tokens) => self.keep(lease, tokens).await,
            Err(OAuthError::InvalidGrant { description }) => {
                let reason = description.unwrap_or_else(|| "invalid_grant".to_owned());
                self.refused_for_good(lease, &reason).await
            }
            Err(error) if error.may_be_under_way() => {
                // The lease stays until the request cannot be under way any more.
                let reason = error.to_string();
                let kept = GivenBack::Kept { reason: &reason, until: lease.until };
                self.world.give_back(lease, &kept).await.ok();
                self.world.note(before, Outcome::Unanswered(&reason)).await;
                Err(later(reason))
            }
            Err(error) => {
                let reason = error.to_string();
                let outcome = match error {
                    OAuthError::InvalidClient => Outcome::AppRefused(&reason),
                    _ => Outcome::Failed(&reason),
                };
                self.world.note(before, outcome).await;
                let pause = match error {
                    OAuthError::NotSent { .. } => AFTER_NOTHING_SENT,
                    _ => AFTER_AN_ERROR,
                };
                self.give_up(lease, &reason, pause).await;
                Err(later(reason))
            }
        }
    }

    /// Adopts what an interrupted refresh has stored, or reads the token to ask with.
    async fn prepare(&self, lease: &Lease) -> Result<Prepared, TokenError> {
        if self.adopt(lease).await? {
            return Ok(Prepared::Adopted);
        }
        let before = &lease.connection;
        let current = self.world.stored(&before.secret, &before.version_id).await?;
        current.map(Prepared::Ask).ok_or_else(|| later("the tokens are not readable yet"))
    }

    /// Points the row at a promised version, if there is one in Secrets Manager; the newest first.
    async fn adopt(&self, lease: &Lease) -> Result<bool, Error> {
        let before = &lease.connection;
        for version in lease.unresolved.iter().rev() {
            if let Some(tokens) = self.world.stored(&before.secret, version).await? {
                if self.world.point_at(lease, version, tokens.expiries).await? {
                    self.world.note(before, Outcome::Adopted).await;
                }
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn refused_for_good(&self, lease: &Lease, reason: &str) -> Result<(), TokenError> {
        let before = &lease.connection;
        // Somebody newer means success: read again before declaring the connection dead.
        let row = self.world.connection(&before.id).await?;
        if row.is_none_or(|row| {
            row.connection_id != before.connection_id || row.version_id != before.version_id
        }) {
            return Ok(());
        }
        if self.adopt(lease).await? {
            return Ok(());
        }
        if !self.world.give_back(lease, &GivenBack::RefusedForGood { reason }).await? {
            return Ok(());
        }
        self.world.note(before, Outcome::RefusedForGood(reason)).await;
        Err(TokenError::ReconnectRequired)
    }

    async fn give_up(&self, lease: &Lease, reason: &str, pause: SignedDuration) {
        let after = self.world.now().await + pause;
        if let Err(error) = self.world.give_back(lease, &GivenBack::Failed { reason, after }).await
        {
            tracing::warn!(company = %lease.connection.company, %error, "could not give the refresh lease back; it runs out");
        }
    }
}

/// What a holder does next.
enum Prepared {
    /// Nothing: an interrupted refresh had stored its tokens.
    Adopted,
    /// Ask Intuit with this.
    Ask(TokenSet),
}

fn signed(time: Duration) -> SignedDuration {
    SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX)
}

/// A stored time as a timestamp.
pub(crate) fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH)
}
