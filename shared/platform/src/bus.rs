//! Events to the host app on its own bus. At least once: an event goes out before the work item that
//! caused it leaves the list.

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use domain::ids::CompanyId;
use domain::problem::FieldError;
use domain::work::SyncStatus;
use jiff::Timestamp;
use serde::Serialize;

use crate::connections::Connection;
use crate::error::{Error, Result};

/// The `source` of every event that the connector publishes.
pub const SOURCE: &str = "quickbooks-connector";
/// Entries in one PutEvents request (EventBridge's limit).
const ENTRIES: usize = 10;

/// An event to the host app.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Event {
    /// `timecard.synced` or `timecard.failed`.
    #[serde(rename_all = "camelCase")]
    Timecard {
        /// Whose; absent when a bad event named none.
        #[serde(skip_serializing_if = "Option::is_none")]
        company_id: Option<String>,
        /// Which; absent when a bad event named none.
        #[serde(skip_serializing_if = "Option::is_none")]
        timecard_id: Option<String>,
        /// The version that the result is about.
        #[serde(skip_serializing_if = "Option::is_none")]
        version: Option<u64>,
        /// Where it is now.
        status: SyncStatus,
        /// QuickBooks' Id of the TimeActivity.
        #[serde(skip_serializing_if = "Option::is_none")]
        quick_books_id: Option<String>,
        /// QuickBooks' version of it.
        #[serde(skip_serializing_if = "Option::is_none")]
        sync_token: Option<String>,
        /// When QuickBooks had it.
        #[serde(skip_serializing_if = "Option::is_none")]
        synced_at: Option<Timestamp>,
        /// Why not.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        errors: Vec<FieldError>,
        /// When this was found.
        at: Timestamp,
    },
    /// `company.erased`: nothing of a deleted company is left here but one line that says so.
    #[serde(rename_all = "camelCase")]
    Company {
        /// Whose data it was.
        company_id: CompanyId,
        /// When the last of it was gone.
        at: Timestamp,
    },
    /// `connection.*`: see [`ConnectionChange`].
    #[serde(rename_all = "camelCase")]
    Connection {
        /// Whose.
        company_id: CompanyId,
        /// The QuickBooks company.
        realm_id: String,
        /// Which connection: new with each connect.
        connection_id: String,
        /// The QuickBooks company's name.
        company_name: String,
        /// What happened; the rest of the event's name.
        #[serde(skip)]
        change: ConnectionChange,
        /// `connection.hard_expiry_near` only: when an admin must have connected again.
        #[serde(skip_serializing_if = "Option::is_none")]
        hard_expires_at: Option<Timestamp>,
        /// When.
        at: Timestamp,
    },
    /// `app.credentials_refused`: Intuit refuses the app's client id or secret, or they are another
    /// app's. Every company is affected; the operator must act.
    AppCredentialsRefused {
        /// When.
        at: Timestamp,
    },
}

/// What happened to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionChange {
    /// It went live.
    Connected,
    /// Its admin must connect again.
    ReconnectRequired,
    /// It was ended here.
    Disconnected,
    /// Intuit will end it soon, whatever is refreshed: 30 or 7 days are left.
    HardExpiryNear,
}

impl Event {
    /// What happened to a connection at `at`.
    pub fn connection(connection: &Connection, change: ConnectionChange, at: Timestamp) -> Self {
        let hard_expires_at = (change == ConnectionChange::HardExpiryNear)
            .then_some(connection.hard_expires_at)
            .flatten()
            .and_then(|at| Timestamp::from_millisecond(at).ok());
        Self::Connection {
            company_id: connection.company.clone(),
            realm_id: connection.realm.to_string(),
            connection_id: connection.connection_id.clone(),
            company_name: connection.company_name.clone(),
            change,
            hard_expires_at,
            at,
        }
    }

    fn detail_type(&self) -> &'static str {
        match self {
            Self::Timecard { status: SyncStatus::Synced, .. } => "timecard.synced",
            Self::Timecard { .. } => "timecard.failed",
            Self::AppCredentialsRefused { .. } => "app.credentials_refused",
            Self::Company { .. } => "company.erased",
            Self::Connection { change, .. } => match change {
                ConnectionChange::Connected => "connection.connected",
                ConnectionChange::ReconnectRequired => "connection.reconnect_required",
                ConnectionChange::Disconnected => "connection.disconnected",
                ConnectionChange::HardExpiryNear => "connection.hard_expiry_near",
            },
        }
    }
}

/// The host app's bus.
#[derive(Clone, Debug)]
pub struct Bus {
    client: Client,
    name: String,
}

impl Bus {
    /// The bus by name.
    pub fn new(client: Client, name: impl Into<String>) -> Self {
        Self { client, name: name.into() }
    }

    /// Reads `BUS_NAME`.
    pub fn from_env(client: Client) -> Result<Self> {
        Ok(Self::new(client, crate::config::required("BUS_NAME")?))
    }

    /// Publishes events, ten to a request; entries that the bus refuses are sent again.
    ///
    /// # Errors
    /// When some are still refused after three rounds: the caller must not finish their work items.
    pub async fn publish(&self, events: &[Event]) -> Result<()> {
        for chunk in events.chunks(ENTRIES) {
            let mut open: Vec<PutEventsRequestEntry> =
                chunk.iter().map(|event| self.entry(event)).collect::<Result<_>>()?;
            let mut round = 0;
            while !open.is_empty() {
                if round == 3 {
                    return Err(Error::Aws {
                        call: "publish events",
                        reason: format!("{} events are still refused", open.len()),
                    });
                }
                if round > 0 {
                    tokio::time::sleep(std::time::Duration::from_millis(200 << round)).await;
                }
                round += 1;
                let answer = self
                    .client
                    .put_events()
                    .set_entries(Some(open.clone()))
                    .send()
                    .await
                    .map_err(Error::aws("publish events"))?;
                let refused: Vec<bool> = answer
                    .entries
                    .unwrap_or_default()
                    .iter()
                    .map(|entry| entry.error_code.is_some())
                    .collect();
                let mut index = 0;
                open.retain(|_| {
                    let again = refused.get(index).copied().unwrap_or(false);
                    index += 1;
                    again
                });
            }
        }
        Ok(())
    }

    fn entry(&self, event: &Event) -> Result<PutEventsRequestEntry> {
        let detail =
            serde_json::to_string(event).map_err(|error| Error::unreadable("an event", error))?;
        Ok(PutEventsRequestEntry::builder()
            .event_bus_name(&self.name)
            .source(SOURCE)
            .detail_type(event.detail_type())
            .detail(detail)
            .build())
    }
}
