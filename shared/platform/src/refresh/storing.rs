//! Storing what Intuit gave. The answer exists only in the process that asked until it is stored: Secrets
//! Manager has it, and then the row points at it.

use std::collections::HashMap;
use std::sync::PoisonError;
use std::time::Duration;

use domain::ids::CompanyId;
use jiff::SignedDuration;

use super::{GivenBack, Lease, OnAws, Outcome, Refresher, Surroundings, TokenError, signed};
use crate::connections::{Connection, ConnectionStatus};
use crate::keys;
use crate::secrets::TokenSet;

/// Nobody else asks Intuit for this long after a process tried in vain to store what Intuit gave it. Twice
/// the five minutes after which token-refresh is called at the latest.
pub const HELD_FOR: SignedDuration = SignedDuration::from_mins(10);
/// How long storing what earlier calls could not store may take at the beginning of a call.
const SAVING: Duration = Duration::from_secs(30);
/// What the row says meanwhile.
const NOT_STORED: &str = "Secrets Manager does not store the new tokens";

/// An answer of Intuit that could not be stored yet. It exists only here.
#[derive(Clone)]
pub(super) struct Unsaved {
    lease: Lease,
    tokens: TokenSet,
}

impl<S: Surroundings> Refresher<S> {
    /// Stores what Intuit gave and points the row at it. The answer exists only here until it is stored,
    /// so storing is tried for as long as the lease allows. A caller who waits for less than that lets the
    /// answer stay with this process, which tries again whenever it is asked for this connection.
    pub(super) async fn keep(&self, lease: &Lease, tokens: TokenSet) -> Result<(), TokenError> {
        let unsaved = Unsaved { lease: lease.clone(), tokens: tokens.clone() };
        self.lock().insert(lease.promised.clone(), unsaved);
        let kept = self.store_and_settle(lease, tokens).await;
        if kept.is_ok() {
            self.lock().remove(&lease.promised);
        }
        kept
    }

    async fn store_and_settle(&self, lease: &Lease, tokens: TokenSet) -> Result<(), TokenError> {
        let before = &lease.connection;
        let mut pause = Duration::from_millis(500);
        let (mut held, mut told) = (false, false);
        while let Err(error) =
            self.world.store(&before.secret, &lease.promised, lease.fence, &tokens).await
        {
            tracing::warn!(company = %before.company, %error, "storing refreshed tokens failed; trying again");
            if self.is_over(lease).await {
                self.world.discard(before, &tokens).await;
                return Ok(());
            }
            // Now, and not at the end: whoever waits for less than the lease may not get there.
            if !held {
                held = self.hold(lease).await;
            }
            if !told {
                self.world.note(before, Outcome::Failed(NOT_STORED)).await;
                told = true;
            }
            if self.world.now().await + signed(pause) + signed(pause) >= lease.until {
                return Err(error.into());
            }
            self.world.pause(pause).await;
            pause = (pause * 2).min(Duration::from_secs(8));
        }
        self.settle(lease, &tokens).await
    }

    /// Extends the lease, so that nobody asks Intuit with a value that it has replaced. Answers false when
    /// DynamoDB takes no writes either.
    async fn hold(&self, lease: &Lease) -> bool {
        let until = lease.until.max(self.world.now().await + HELD_FOR);
        let kept =
            self.world.give_back(lease, &GivenBack::Kept { reason: NOT_STORED, until }).await;
        if let Err(error) = &kept {
            tracing::warn!(company = %lease.connection.company, %error, "could not extend the refresh lease");
        }
        kept.is_ok()
    }

    /// Points the row at tokens that are stored.
    async fn settle(&self, lease: &Lease, tokens: &TokenSet) -> Result<(), TokenError> {
        if self.world.point_at(lease, &lease.promised, tokens.expiries).await? {
            self.world.note(&lease.connection, Outcome::Refreshed).await;
        } else if self.is_over(lease).await {
            self.world.discard(&lease.connection, tokens).await;
        }
        Ok(())
    }

    /// Whether the connection was ended or replaced since the lease was taken.
    async fn is_over(&self, lease: &Lease) -> bool {
        match self.world.connection(&lease.connection.id).await {
            Ok(Some(row)) => {
                row.connection_id != lease.connection.connection_id
                    || row.status == ConnectionStatus::Disconnected
            }
            Ok(None) => true,
            Err(_) => false,
        }
    }

    /// Whether this process holds tokens of the company that it could not store yet.
    pub fn holds_unsaved(&self, company: &CompanyId) -> bool {
        let row = keys::connection(company);
        self.lock().values().any(|unsaved| unsaved.lease.connection.id == row)
    }

    /// Whether this process holds the tokens that follow on the row's.
    pub(super) fn has_newer(&self, row: &Connection) -> bool {
        self.lock().values().any(|unsaved| {
            let before = &unsaved.lease.connection;
            before.connection_id == row.connection_id && before.version_id == row.version_id
        })
    }

    /// Tries once more to store whatever this process could not store before.
    pub async fn save_all_unsaved(&self) {
        self.save_unsaved(|_| true).await;
    }

    /// The same for one row.
    pub(super) async fn save_unsaved_of(&self, row: &str) {
        self.save_unsaved(|lease| lease.connection.id == row).await;
    }

    async fn save_unsaved(&self, whose: impl Fn(&Lease) -> bool) {
        let unsaved: Vec<Unsaved> =
            self.lock().values().filter(|unsaved| whose(&unsaved.lease)).cloned().collect();
        // All of them first: a put that hangs may take the time of the others.
        for Unsaved { lease, .. } in &unsaved {
            self.hold(lease).await;
        }
        for Unsaved { lease, tokens } in unsaved {
            match self.save(&lease, &tokens).await {
                Ok(()) => {
                    self.lock().remove(&lease.promised);
                }
                Err(error) => {
                    tracing::warn!(company = %lease.connection.company, %error, "refreshed tokens still cannot be stored");
                }
            }
        }
    }

    async fn save(&self, lease: &Lease, tokens: &TokenSet) -> Result<(), TokenError> {
        let before = &lease.connection;
        if self.is_over(lease).await {
            self.world.discard(before, tokens).await;
            return Ok(());
        }
        self.world.store(&before.secret, &lease.promised, lease.fence, tokens).await?;
        self.settle(lease, tokens).await
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Unsaved>> {
        self.unsaved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Refresher<OnAws> {
    /// [`Refresher::save_all_unsaved`] at the beginning of an invocation, which has other things to do.
    pub async fn save_first(&self) {
        if tokio::time::timeout(SAVING, self.save_all_unsaved()).await.is_err() {
            tracing::warn!("storing what could not be stored before takes too long");
        }
    }
}
