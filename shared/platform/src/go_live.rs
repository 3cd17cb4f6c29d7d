//! What follows when a connection has become a company's live one, whether its user confirmed it or it was
//! migrated. Every step may be repeated, so whoever died in the middle begins again.

use domain::settings::Settings;
use domain::work::Lane;
use jiff::Timestamp;
use quickbooks::Entity;

use crate::audit::{AuditLog, Entry};
use crate::bus::{Bus, ConnectionChange, Event};
use crate::companies::{Companies, CompanyState};
use crate::connections::{Connection, Connections};
use crate::documents::{Documents, Saved};
use crate::doorbell::Doorbell;
use crate::error::Result;
use crate::keys::Task;
use crate::secrets::Secrets;
use crate::work::{NewWork, Work};

/// What is read from QuickBooks when a company connects.
const FIRST_IMPORT: [Entity; 4] = [Entity::Employee, Entity::Customer, Entity::Item, Entity::Class];

/// What it takes to let a newly connected company run.
#[derive(Clone)]
pub struct GoLive {
    /// To note that nothing of a connection that was replaced is left.
    pub connections: Connections,
    /// To destroy the tokens of a connection that was replaced.
    pub secrets: Secrets,
    /// For live sync and the time zone.
    pub settings: Documents<Settings>,
    /// To let the company's work run.
    pub companies: Companies,
    /// For the first import.
    pub work: Work,
    /// For the first import.
    pub doorbell: Doorbell,
    /// To tell the host app.
    pub bus: Bus,
    /// Who connected what.
    pub audit: AuditLog,
}

impl GoLive {
    /// Lets the company of a connection that has just become live run: imports names, lets waiting work
    /// go, and says so. `history` is who connected, for the audit trail, each at its time: the one whose
    /// connection it is comes first.
    pub async fn finish(
        &self,
        connection: &Connection,
        history: &[(Timestamp, Entry)],
        now: Timestamp,
    ) -> Result<()> {
        let company = &connection.company;
        if let Some(replaced) = &connection.replaces {
            // Nothing is revoked: of the same realm that might end this connection too, and another one's
            // was given back when it was ended.
            self.secrets.destroy(replaced).await?;
            self.connections.cleaned(connection).await?;
        }
        let state = self.propose_time_zone(connection, now).await?;
        let mut work: Vec<NewWork> = FIRST_IMPORT
            .into_iter()
            .map(|entity| NewWork {
                company: company.clone(),
                lane: Lane::Normal,
                task: Task::Import(entity),
                due: now,
                job: None,
            })
            .collect();
        if state == CompanyState::Live {
            work.push(NewWork { task: Task::CatchUp, ..work[0].clone() });
        }
        self.work.add(&work).await?;
        if self.companies.set_state(company, state, now).await? {
            self.doorbell.ring(company, Lane::Normal).await?;
        }
        for (number, (at, entry)) in history.iter().enumerate() {
            let what = match number {
                0 => format!("connected-{}", connection.connection_id),
                _ => format!("connected-{}-{number}", connection.connection_id),
            };
            self.audit.write_once(entry, &what, *at).await?;
        }
        self.bus.publish(&[Event::connection(connection, ConnectionChange::Connected, now)]).await
    }

    /// Proposes the QuickBooks company's time zone where the settings have none, and answers how the
    /// company runs by them.
    async fn propose_time_zone(
        &self,
        connection: &Connection,
        now: Timestamp,
    ) -> Result<CompanyState> {
        let company = &connection.company;
        let settings = self.settings.current(company).await?;
        if settings.document.time_zone.is_none()
            && let Some(zone) = &connection.company_time_zone
            && domain::settings::time_zone(zone).is_some()
        {
            let mut proposed = settings.document.clone();
            proposed.time_zone = Some(zone.clone());
            let saved =
                self.settings.save(company, settings.version, &proposed, "QuickBooks", now).await?;
            if saved == Saved::Conflict {
                tracing::info!(company = %company, "settings changed while connecting; the time zone is not proposed");
            }
        }
        let live = settings.document.live_sync;
        Ok(if live { CompanyState::Live } else { CompanyState::Inward })
    }
}
