//! The audit trail: who did what, and what came of it.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::WriteRequest;
use domain::ids::CompanyId;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::dynamo;
use crate::error::Result;
use crate::keys;

/// Rows about records and settings are kept this long (H2).
pub const KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// A timecard was created in QuickBooks.
    CreateTimeActivity,
    /// A timecard's new version was written to QuickBooks.
    UpdateTimeActivity,
    /// A timecard was checked and not sent.
    CheckTimecard,
    /// A timecard was refused at intake.
    RefuseTimecard,
    /// Names were read from QuickBooks.
    Import,
    /// Settings were saved.
    SaveSettings,
    /// A mapping was saved.
    SaveMapping,
    /// Somebody began to connect.
    ConnectStarted,
    /// A connection came back from Intuit and waits for confirmation.
    ConnectAuthorized,
    /// A connection went live.
    Connected,
    /// The company was connected through this user in the system before this one.
    ConnectedBefore,
    /// A connection was refused or not confirmed.
    ConnectRefused,
    /// A connection went live where there had been one that was ended, or that needed its admin.
    Reconnected,
    /// A connection was ended by an admin, or because its company was deleted.
    Disconnected,
    /// An admin let the company connect another QuickBooks company than before.
    StartedOver,
    /// The tokens were refreshed. Kept 90 days: there is one for each refresh.
    TokenRefreshed,
    /// They could not be refreshed for now.
    TokenRefreshFailed,
    /// Intuit ended the connection: an admin must connect again.
    ReconnectRequired,
    /// Somebody asked for new tokens by hand.
    RefreshByHand,
    /// The connection was tested by hand.
    TestConnection,
    /// A job was asked for.
    SyncNow,
}

impl Action {
    /// Rows of the connection's history stay as long as the company does (S8).
    fn is_connection_history(self) -> bool {
        matches!(
            self,
            Self::ConnectStarted
                | Self::ConnectAuthorized
                | Self::Connected
                | Self::ConnectedBefore
                | Self::ConnectRefused
                | Self::Reconnected
                | Self::Disconnected
                | Self::StartedOver
                | Self::ReconnectRequired
        )
    }
}

/// One row. `None` fields are not stored.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Whose.
    pub company: CompanyId,
    /// What.
    pub action: Action,
    /// Whether it succeeded.
    pub success: bool,
    /// Who: a user's subject, or the function that did it.
    pub actor: String,
    /// The timecard or other record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    /// QuickBooks' Id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quick_books_id: Option<String>,
    /// What went wrong, in words; never a token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Intuit's id of the exchange, for their support.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intuit_tid: Option<String>,
}

impl Entry {
    /// A row that says that something worked.
    pub fn success(company: &CompanyId, action: Action, actor: impl Into<String>) -> Self {
        Self {
            company: company.clone(),
            action,
            success: true,
            actor: actor.into(),
            record: None,
            quick_books_id: None,
            error: None,
            intuit_tid: None,
        }
    }

    /// A row that says that something did not work, and why.
    pub fn failure(
        company: &CompanyId,
        action: Action,
        actor: impl Into<String>,
        error: impl Into<String>,
    ) -> Self {
        let error: String = error.into();
        Self {
            success: false,
            error: Some(error.chars().take(500).collect()),
            ..Self::success(company, action, actor)
        }
    }

    /// Names the record.
    #[must_use]
    pub fn record(self, record: impl Into<String>) -> Self {
        Self { record: Some(record.into()), ..self }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Stored<'a> {
    item: String,
    at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    #[serde(flatten)]
    entry: &'a Entry,
}

/// The trail.
#[derive(Clone, Debug)]
pub struct AuditLog {
    client: Client,
    table: String,
}

impl AuditLog {
    /// The trail in `table`.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// Writes rows, 25 to a request. The sort key is the time, then a random part.
    pub async fn write(&self, entries: &[Entry], now: Timestamp) -> Result<()> {
        let requests = entries
            .iter()
            .map(|entry| {
                let item = keys::audit_once(now, &Uuid::new_v4().simple().to_string());
                stored(item, entry, now)
            })
            .collect::<Result<Vec<_>>>()?;
        dynamo::batch_write(&self.client, "write the audit trail", &self.table, requests).await
    }

    /// Writes a row of a step that may be repeated: `what` happened at `at`, and stands there once.
    pub async fn write_once(&self, entry: &Entry, what: &str, at: Timestamp) -> Result<()> {
        let row = stored(keys::audit_once(at, what), entry, at)?;
        dynamo::batch_write(&self.client, "write the audit trail", &self.table, vec![row]).await
    }
}

fn stored(item: String, entry: &Entry, at: Timestamp) -> Result<WriteRequest> {
    let expires_at = (!entry.action.is_connection_history()).then(|| (at + KEPT).as_second());
    dynamo::put_request(dynamo::to_item(&Stored {
        item,
        at: at.as_millisecond(),
        expires_at,
        entry,
    })?)
}
