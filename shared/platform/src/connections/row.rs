//! What the row of a connection says.

use domain::expiry;
use domain::ids::{CompanyId, RealmId};
use jiff::Timestamp;
use quickbooks::Environment;
use serde::{Deserialize, Serialize};

use super::{CLEAN_UP, CONFIRM_WITHIN};
use crate::keys;

/// Where a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ConnectionStatus {
    /// Authorized at Intuit, not confirmed by the user who asked.
    Unconfirmed,
    /// Live.
    Connected,
    /// Intuit refuses its tokens: an admin must connect again.
    ReconnectRequired,
    /// Ended by an admin.
    Disconnected,
}

/// A connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Connection {
    /// The row's key.
    pub id: String,
    /// Whose.
    pub company: CompanyId,
    /// New with each connect; every token write is conditional on it.
    pub connection_id: String,
    /// The QuickBooks company.
    pub realm: RealmId,
    /// Which of Intuit's environments it was made in.
    pub environment: Environment,
    /// The client id of the Intuit app that it was made with: another app's keys never refresh it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The QuickBooks company's name.
    pub company_name: String,
    /// The QuickBooks company's time zone, where it tells one; proposed for the settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company_time_zone: Option<String>,
    /// Where it stands.
    pub status: ConnectionStatus,
    /// Name of the secret that holds its tokens.
    pub secret: String,
    /// Whether the secret holds them: the row is written first, so that no crash leaves a secret that
    /// nobody knows of.
    pub ready: bool,
    /// VersionId of the current tokens.
    pub version_id: String,
    /// Milliseconds since 1970, like all times here.
    pub access_expires_at: i64,
    /// Rolling expiry of the refresh token, as Intuit reported it.
    pub refresh_expires_at: i64,
    /// End of the five years, where Intuit reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hard_expires_at: Option<i64>,
    /// When the current tokens were issued.
    pub refreshed_at: i64,
    /// What the last refresh came to: `ok` or a reason.
    pub last_refresh_result: String,
    /// The user who connected.
    pub connected_by: String,
    /// When it went live.
    pub connected_at: i64,
    /// The end of the time for confirming.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm_by: Option<i64>,
    /// [`CLEAN_UP`] where something is left to do: a secret to destroy (of a connection that nobody
    /// confirmed, of one that was ended, of one that this one took the place of), or the announcement
    /// that Intuit ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clean_up_shard: Option<String>,
    /// When the clean-up is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clean_up_at: Option<i64>,
    /// The part of the indexes over live connections; gone when the connection is not live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_shard: Option<String>,
    /// The part of the index over connections in use; gone when it was not used for a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_shard: Option<String>,
    /// When it was last used, to the hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_at: Option<i64>,
    /// When somebody must next be warned of the hard expiry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warn_at: Option<i64>,
    /// When it was ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disconnected_at: Option<i64>,
    /// By whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disconnected_by: Option<String>,
    /// When an admin let another QuickBooks company take its place, after it was ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_over_at: Option<i64>,
    /// Who did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_over_by: Option<String>,
    /// When new tokens were asked for by hand within the last day, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked_by_hand: Vec<i64>,
    /// When a proof was last asked for because Intuit's side said that it was disconnected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof_asked_at: Option<i64>,
    /// The secret of the connection that this one took the place of. It is destroyed unless
    /// `clean_up_shard` says that this is still owed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
    /// Who holds the refresh lease.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_owner: Option<String>,
    /// Until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_until: Option<i64>,
    /// Raised at each taking.
    #[serde(default)]
    pub refresh_fence: u64,
    /// The VersionId that the holder will store under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promised_version: Option<String>,
    /// What earlier holders, whose leases ran out, had promised: oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unresolved_versions: Vec<String>,
    /// Nobody asks Intuit for new tokens before this: the last answer was no help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_after: Option<i64>,
}

/// What is known when a connection begins.
#[derive(Debug, Clone)]
pub struct NewConnection {
    /// Whose.
    pub company: CompanyId,
    /// A fresh id.
    pub connection_id: String,
    /// The QuickBooks company.
    pub realm: RealmId,
    /// In which of Intuit's environments.
    pub environment: Environment,
    /// The client id of the Intuit app.
    pub client_id: String,
    /// Name of the secret that its tokens will be in.
    pub secret: String,
    /// VersionId that they will have.
    pub version_id: String,
    /// The user who connected.
    pub user: String,
    /// When.
    pub at: Timestamp,
}

impl Connection {
    /// A connection that is in no table yet, and whose tokens are not stored.
    #[must_use]
    pub fn new(new: NewConnection) -> Self {
        Self {
            id: String::new(),
            company: new.company,
            connection_id: new.connection_id,
            realm: new.realm,
            environment: new.environment,
            client_id: Some(new.client_id),
            company_name: String::new(),
            company_time_zone: None,
            status: ConnectionStatus::Unconfirmed,
            secret: new.secret,
            ready: false,
            version_id: new.version_id,
            access_expires_at: 0,
            refresh_expires_at: 0,
            hard_expires_at: None,
            refreshed_at: new.at.as_millisecond(),
            last_refresh_result: "ok".to_owned(),
            connected_by: new.user,
            connected_at: new.at.as_millisecond(),
            confirm_by: None,
            clean_up_shard: None,
            clean_up_at: None,
            live_shard: None,
            active_shard: None,
            active_at: None,
            warn_at: None,
            disconnected_at: None,
            disconnected_by: None,
            started_over_at: None,
            started_over_by: None,
            asked_by_hand: Vec::new(),
            proof_asked_at: None,
            replaces: None,
            refresh_owner: None,
            refresh_until: None,
            refresh_fence: 0,
            promised_version: None,
            unresolved_versions: Vec::new(),
            refresh_after: None,
        }
    }

    /// Whether its company may be connected to this QuickBooks company after it: to the same one, or to
    /// any if the company started over.
    #[must_use]
    pub fn may_be_followed_by(&self, realm: &RealmId) -> bool {
        self.realm == *realm || self.started_over_at.is_some()
    }

    /// The same connection as the row that waits for confirmation.
    #[must_use]
    pub fn waiting(mut self, now: Timestamp) -> Self {
        self.id = keys::unconfirmed(&self.company);
        self.status = ConnectionStatus::Unconfirmed;
        self.confirm_by = Some((now + CONFIRM_WITHIN).as_millisecond());
        self.clean_up_at = self.confirm_by;
        self.clean_up_shard = Some(CLEAN_UP.to_owned());
        self
    }

    /// The same connection as the company's live row.
    #[must_use]
    pub fn live(mut self, now: Timestamp) -> Self {
        self.id = keys::connection(&self.company);
        self.status = ConnectionStatus::Connected;
        self.connected_at = now.as_millisecond();
        self.confirm_by = None;
        self.clean_up_at = None;
        self.clean_up_shard = None;
        let shard = keys::live_shard(&self.company);
        self.live_shard = Some(shard.clone());
        self.active_shard = Some(shard);
        self.active_at = Some(now.as_millisecond());
        let hard = self.hard_expires_at.and_then(|at| Timestamp::from_millisecond(at).ok());
        self.warn_at = hard.map(|hard| expiry::first_warning(hard).as_millisecond());
        self
    }
}
