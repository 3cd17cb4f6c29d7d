//! Starting over with another QuickBooks company: what `POST /reset` does.
//!
//! QuickBooks' ids are small numbers, and mean other things in another QuickBooks company. So a company
//! that had one refuses any other, until an admin has ended the connection and says by name which
//! QuickBooks company is left. Then, in one transaction:
//!
//! * the row of the ended connection says that any QuickBooks company may follow;
//! * the mapping is empty: a new version, the ones before stay for reading;
//! * live sync is off and has no first day: which work belongs into the new books is decided anew.
//!
//! Nothing else is written, however much is stored, since whatever speaks of QuickBooks' ids names its
//! QuickBooks company (realm), and counts for that one alone: what a timecard became there
//! (`records::TimecardRecord::seen_from`), which timecard a TimeActivity belongs to
//! (`keys::time_activity_guard`), imported names (`records::Imported`), sends whose outcome is not known
//! (`journal::JournalItem`).
//!
//! *Guaranteed*: no id of the QuickBooks company that was left is ever used in another one; what is there
//! stays, and is known again if that one is connected again, open sends included; what waits in the work
//! list waits for the new one, and goes there from the new first day on. *Not guaranteed*: that somebody
//! who saves the old mapping anew, without naming a version, means the new QuickBooks company.

use domain::ids::{CompanyId, RealmId};
use domain::mapping::Mapping;
use domain::settings::Settings;
use jiff::Timestamp;

use crate::audit::{Action, AuditLog, Entry};
use crate::clock::Clock;
use crate::connections::ConnectionStatus;
use crate::disconnect::Disconnect;
use crate::documents::Documents;
use crate::error::{Error, Result};

/// Somebody may save the mapping or the settings in between; then it is tried again, so many times.
const TRIES: u32 = 5;

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartedOver {
    /// The company may connect any QuickBooks company, since then.
    Yes(Timestamp),
    /// There never was a connection.
    NeverConnected,
    /// The connection has to be ended first.
    StillConnected,
    /// It is another QuickBooks company that would be left; its name and realm.
    Other(String, RealmId),
}

/// Starts companies over.
#[derive(Clone)]
pub struct StartOver {
    /// The connections, and what may be left to do of the one that was ended.
    pub disconnect: Disconnect,
    /// Whose mapping begins empty.
    pub mappings: Documents<Mapping>,
    /// Whose live sync is off.
    pub settings: Documents<Settings>,
    /// Who did it.
    pub audit: AuditLog,
    /// The clock.
    pub clock: Clock,
}

impl StartOver {
    /// Lets a company whose connection to `realm` was ended connect another QuickBooks company. Said
    /// twice, it answers the same again.
    ///
    /// # Errors
    /// When AWS does not answer; nothing was changed then, or all was.
    pub async fn company(
        &self,
        company: &CompanyId,
        realm: &RealmId,
        by: &str,
    ) -> Result<StartedOver> {
        for _ in 0..TRIES {
            let Some(ended) = self.disconnect.connections.get(company).await? else {
                return Ok(StartedOver::NeverConnected);
            };
            if ended.status != ConnectionStatus::Disconnected {
                return Ok(StartedOver::StillConnected);
            }
            if ended.realm != *realm {
                return Ok(StartedOver::Other(ended.company_name, ended.realm));
            }
            if ended.clean_up_shard.is_some() {
                // Whoever ended it died before all was done, and another connection's row would hide it.
                self.disconnect.finish(&ended).await?;
            }
            if let Some(at) = ended.started_over_at {
                let at = Timestamp::from_millisecond(at);
                let at = at.map_err(|error| Error::unreadable("a connection", error))?;
                let by = ended.started_over_by.as_deref().unwrap_or(by);
                self.tell(company, realm, &ended.connection_id, by, at).await?;
                return Ok(StartedOver::Yes(at));
            }
            let now = self.clock.now().await;
            // Saved even if it is the first version: whoever saves on top of what was there is refused.
            let mapping = self.mappings.current(company).await?;
            let empty = Mapping::default();
            let mut together = self.mappings.saving(company, mapping.version, &empty, by, now)?;
            let settings = self.settings.current(company).await?;
            let off = Settings { live_sync: false, sync_from: None, ..settings.document };
            together.extend(self.settings.saving(company, settings.version, &off, by, now)?);
            if self.disconnect.connections.start_over(&ended, together, by, now).await? {
                self.tell(company, realm, &ended.connection_id, by, now).await?;
                return Ok(StartedOver::Yes(now));
            }
        }
        Err(Error::unreadable("the company's settings", "they change all the time"))
    }

    /// One row in the audit trail, however often it is repeated.
    async fn tell(
        &self,
        company: &CompanyId,
        realm: &RealmId,
        connection_id: &str,
        by: &str,
        at: Timestamp,
    ) -> Result<()> {
        let entry = Entry::success(company, Action::StartedOver, by).record(realm.to_string());
        self.audit.write_once(&entry, &format!("started-over-{connection_id}"), at).await
    }
}
