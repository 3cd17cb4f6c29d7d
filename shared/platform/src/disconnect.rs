//! Ending a company's connection: what `DELETE /disconnect` does, and the first thing that happens to a
//! company that is deleted (C11).
//!
//! 1. A connection that waits for confirmation is given up, and exported tokens that are being migrated
//!    are put away.
//! 2. If somebody is refreshing, wait for a while; then go on without waiting. One transaction: the row
//!    says disconnected, when and by whom; the fence of the refresh lease is raised, so that a refresh
//!    which ends later stores nothing; the realm is free for another company; the company's work waits.
//!    From here on nothing uses the connection.
//! 3. Ask Intuit to take the access back. Intuit being down, or saying no, changes nothing here.
//! 4. Destroy the secret.
//! 5. Say so in the audit trail and to the host app.
//!
//! *Guaranteed*: after step 2 the connection is ended, whatever happens; what a crash leaves undone, the
//! clean-up does, since the row says that a secret is left. Each step may be repeated. Timecards,
//! mappings, settings and history stay. No other company's connection is touched: nothing is revoked for a
//! realm that is another company's by then. *Not guaranteed*: that Intuit has taken the access back. The
//! answer says whether it has; what is left there is an access whose tokens nobody has any more.

use std::time::{Duration, Instant};

use domain::ids::CompanyId;
use jiff::Timestamp;
use quickbooks::OAuth;

use crate::audit::{Action, AuditLog, Entry};
use crate::bus::{Bus, ConnectionChange, Event};
use crate::clock::Clock;
use crate::companies::Companies;
use crate::connections::{Connection, ConnectionStatus, Connections};
use crate::error::Result;
use crate::give_back::{destroy, give_back, revoke};
use crate::secrets::Secrets;

/// Time between two looks at a refresh under way.
const LOOK: Duration = Duration::from_millis(250);

/// How a connection was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// When.
    pub at: Timestamp,
    /// Whether Intuit took the access back.
    pub revoked: bool,
}

/// Ends connections.
#[derive(Clone)]
pub struct Disconnect {
    /// The connections.
    pub connections: Connections,
    /// Whose work waits from then on.
    pub companies: Companies,
    /// The tokens.
    pub secrets: Secrets,
    /// Intuit; its time-out is what step 3 may take.
    pub oauth: OAuth,
    /// To tell the host app.
    pub bus: Bus,
    /// Who ended what.
    pub audit: AuditLog,
    /// The clock.
    pub clock: Clock,
}

impl Disconnect {
    /// Ends the company's connection, and one that waits for confirmation. Waits at most `patience` of
    /// real time for a refresh under way. Ending what is ended answers the same again; `None` says that
    /// there never was a connection.
    pub async fn company(
        &self,
        company: &CompanyId,
        by: &str,
        patience: Duration,
    ) -> Result<Option<Ended>> {
        let waiting = self.waiting(company, by).await?;
        self.put_away_migration(company).await?;
        let began = Instant::now();
        loop {
            let Some(connection) = self.connections.get(company).await? else {
                return Ok(waiting);
            };
            if connection.status == ConnectionStatus::Disconnected {
                return self.finish(&connection).await.map(Some);
            }
            let hurry = began.elapsed() >= patience;
            let now = self.clock.now().await;
            if self.connections.end(&connection, &self.companies, by, hurry, now).await? {
                tracing::info!(company = %company, realm = %connection.realm, "ended the connection");
            } else if !hurry {
                tokio::time::sleep(LOOK).await;
            }
        }
    }

    /// Steps 3 to 5, for an ended connection; nothing if they were done.
    pub async fn finish(&self, ended: &Connection) -> Result<Ended> {
        let at = ended_at(ended);
        let before = self.connections.was_revoked(ended).await?;
        if ended.clean_up_shard.is_none() {
            return Ok(Ended { at, revoked: before.unwrap_or_default() });
        }
        let revoked = if let Some(before) = before {
            before
        } else {
            let revoked = revoke(ended, &self.connections, &self.secrets, &self.oauth).await?;
            self.connections.note_revoked(ended, revoked).await?;
            revoked
        };
        destroy(ended, &self.secrets).await?;
        self.tell(ended, revoked, at).await?;
        self.connections.cleaned(ended).await?;
        Ok(Ended { at, revoked })
    }

    /// Step 5 alone, for an ended connection whose row is about to be replaced while more of it is owed: the
    /// one that replaces it destroys its secret. Nothing is revoked, since that might end the new one.
    pub async fn tell_of_replaced(&self, ended: &Connection) -> Result<()> {
        if ended.status != ConnectionStatus::Disconnected || ended.clean_up_shard.is_none() {
            return Ok(());
        }
        let revoked = self.connections.was_revoked(ended).await?.unwrap_or_default();
        self.tell(ended, revoked, ended_at(ended)).await
    }

    async fn tell(&self, ended: &Connection, revoked: bool, at: Timestamp) -> Result<()> {
        let by = ended.disconnected_by.as_deref().unwrap_or("connector");
        let mut entry = Entry::success(&ended.company, Action::Disconnected, by)
            .record(ended.realm.to_string());
        if !revoked {
            entry.error = Some("Intuit did not confirm that it took the access back".to_owned());
        }
        let what = format!("disconnected-{}", ended.connection_id);
        self.audit.write_once(&entry, &what, at).await?;
        self.bus.publish(&[Event::connection(ended, ConnectionChange::Disconnected, at)]).await
    }

    /// Puts exported tokens away that are being made a connection. Those that were not used yet are still
    /// the old side's, and are not revoked.
    pub async fn put_away_migration(&self, company: &CompanyId) -> Result<()> {
        let Some(begun) = self.connections.migrating(company).await? else { return Ok(()) };
        // Once live, its secret is the live connection's, which is ended by itself.
        if begun.connection.status != ConnectionStatus::Connected {
            if begun.is_proven() {
                revoke(&begun.connection, &self.connections, &self.secrets, &self.oauth).await?;
            }
            self.secrets.destroy(&begun.connection.secret).await?;
        }
        self.connections.remove_migrating(&begun).await.map(|_| ())
    }

    /// Gives up a connection that waits for confirmation.
    async fn waiting(&self, company: &CompanyId, by: &str) -> Result<Option<Ended>> {
        let Some(waiting) = self.connections.unconfirmed(company).await? else { return Ok(None) };
        if !self.connections.condemn(&waiting).await? {
            // It was confirmed, or replaced, in this moment; the loop above sees what is live.
            return Ok(None);
        }
        let at = self.clock.now().await;
        let revoked = revoke(&waiting, &self.connections, &self.secrets, &self.oauth).await?;
        destroy(&waiting, &self.secrets).await?;
        let entry =
            Entry::failure(company, Action::ConnectRefused, by, "ended before it was confirmed")
                .record(waiting.realm.to_string());
        self.audit.write(&[entry], at).await?;
        self.connections.remove_unconfirmed(&waiting).await?;
        Ok(Some(Ended { at, revoked }))
    }

    /// What is owed for a connection that waited and whose time is over. Answers false when it is not
    /// over, or it is another one by now.
    pub async fn drop_unconfirmed(&self, waiting: &Connection, now: Timestamp) -> Result<bool> {
        if waiting.confirm_by.is_none_or(|by| by > now.as_millisecond())
            || !self.connections.condemn(waiting).await?
        {
            return Ok(false);
        }
        give_back(waiting, &self.connections, &self.secrets, &self.oauth).await?;
        let entry = Entry::failure(
            &waiting.company,
            Action::ConnectRefused,
            "connector",
            "not confirmed within ten minutes",
        )
        .record(waiting.realm.to_string());
        self.audit.write(&[entry], now).await?;
        self.connections.remove_unconfirmed(waiting).await
    }

    /// What is owed for a connection that took the place of another one: the other one's secret. Nothing
    /// is revoked: of the same realm that might end this connection too, and another one's was given back
    /// when it was ended.
    pub async fn drop_replaced(&self, connection: &Connection) -> Result<()> {
        self.destroy_replaced(connection).await?;
        self.connections.cleaned(connection).await
    }

    /// The same, where the row owes something else besides.
    pub async fn destroy_replaced(&self, connection: &Connection) -> Result<()> {
        match &connection.replaces {
            Some(replaced) => self.secrets.destroy(replaced).await,
            None => Ok(()),
        }
    }
}

fn ended_at(ended: &Connection) -> Timestamp {
    let at = ended.disconnected_at.and_then(|at| Timestamp::from_millisecond(at).ok());
    at.unwrap_or(Timestamp::UNIX_EPOCH)
}
