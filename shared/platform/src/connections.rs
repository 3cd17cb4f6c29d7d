//! A company's connection to one QuickBooks company: everything about it but its tokens.
//!
//! Three kinds of row: the live connection of a company, one that waits for the asking user's
//! confirmation, and the guard that gives a realm to one company. Tokens are in Secrets Manager; the
//! row holds the VersionId of the current ones ([`crate::tokens`]).

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::builders::PutBuilder;
use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem};
use domain::expiry;
use domain::ids::{CompanyId, RealmId};
use jiff::{SignedDuration, Timestamp};
use quickbooks::Environment;
use serde::{Deserialize, Serialize};

use crate::companies::met;
use crate::dynamo::{self, Item, ms, s};
use crate::error::{Error, Result};
use crate::keys;

/// A connection is confirmed within this time, or never (design: the PRD's third step).
pub const CONFIRM_WITHIN: SignedDuration = SignedDuration::from_mins(10);
/// A use of a connection is noted at most this often.
pub const NOTE_ACTIVITY_EVERY: SignedDuration = SignedDuration::from_hours(1);
/// A proof of a connection that Intuit's disconnect URL hints at is asked for at most this often.
pub const PROOF_EVERY: SignedDuration = SignedDuration::from_mins(1);
/// Index over live connections by the age of their refresh token.
pub const REFRESH_AGE_INDEX: &str = "RefreshAge";
/// Sparse index over connections in use, by the end of their access token.
pub const ACCESS_EXPIRY_INDEX: &str = "AccessExpiry";
/// Index over live connections by the time when somebody must be warned of their hard expiry.
pub const HARD_EXPIRY_INDEX: &str = "HardExpiry";
/// Sparse index over rows that leave something to do: a secret to destroy, an end to announce.
pub const CLEAN_UP_INDEX: &str = "CleanUp";
/// How long one process may take to announce that a connection ended, before another does it.
const ANNOUNCING: SignedDuration = SignedDuration::from_mins(5);
/// The one partition of [`CLEAN_UP_INDEX`].
pub const CLEAN_UP: &str = "clean-up";

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
    /// When a refresh was last asked for by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_by_hand_at: Option<i64>,
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

impl Connection {
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

/// The connections.
#[derive(Clone, Debug)]
pub struct Connections {
    pub(crate) client: Client,
    pub(crate) table: String,
}

impl Connections {
    /// The rows in `table`.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// The company's live connection, if it ever had one.
    pub async fn get(&self, company: &CompanyId) -> Result<Option<Connection>> {
        self.read(keys::connection(company)).await
    }

    /// The connection that waits for confirmation, also when its time is over.
    pub async fn unconfirmed(&self, company: &CompanyId) -> Result<Option<Connection>> {
        self.read(keys::unconfirmed(company)).await
    }

    /// A row by its key.
    pub(crate) async fn read(&self, id: String) -> Result<Option<Connection>> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("id", s(id))
            .consistent_read(true)
            .send()
            .await
            .map_err(Error::aws("read the connection"))?;
        answer.item.map(|item| dynamo::from_item("a connection", item)).transpose()
    }

    /// The company that a realm belongs to.
    pub async fn company_of(
        &self,
        environment: Environment,
        realm: &RealmId,
    ) -> Result<Option<CompanyId>> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("id", s(keys::realm_guard(environment, realm)))
            .consistent_read(true)
            .send()
            .await
            .map_err(Error::aws("read the realm's company"))?;
        answer
            .item
            .and_then(|item| item.get("company").and_then(|value| value.as_s().ok()).cloned())
            .map(|company| {
                company.parse().map_err(|error| Error::unreadable("a realm's company", error))
            })
            .transpose()
    }

    /// Stores a connection that waits for confirmation, in the place of the one with the id `instead_of`,
    /// or where none waits. Answers false when another one waits by now.
    pub async fn put_unconfirmed(
        &self,
        connection: &Connection,
        instead_of: Option<&str>,
    ) -> Result<bool> {
        use aws_sdk_dynamodb::operation::put_item::PutItemError;
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(dynamo::to_item(connection)?));
        let put = match instead_of {
            Some(before) => put
                .condition_expression("connectionId = :before")
                .expression_attribute_values(":before", s(before)),
            None => put.condition_expression("attribute_not_exists(id)"),
        };
        match put.send().await {
            Ok(_) => Ok(true),
            Err(error)
                if matches!(
                    error.as_service_error(),
                    Some(PutItemError::ConditionalCheckFailedException(_))
                ) =>
            {
                Ok(false)
            }
            Err(error) => Err(Error::aws("store the connection")(error)),
        }
    }

    /// Makes a waiting connection the company's live one, in one transaction with the realm's guard.
    /// Answers false when the realm belongs to another company, the company has another realm, or the
    /// waiting row changed meanwhile. `live` is [`Connection::live`] of the waiting one.
    pub async fn confirm(
        &self,
        waiting: &Connection,
        live: &Connection,
        now: Timestamp,
    ) -> Result<bool> {
        let call = "confirm the connection";
        let put_live = Put::builder()
            .table_name(&self.table)
            .set_item(Some(dynamo::to_item(live)?))
            .condition_expression("attribute_not_exists(id) OR realm = :realm")
            .expression_attribute_values(":realm", s(live.realm.as_ref()))
            .build()
            .map_err(Error::aws(call))?;
        let put_guard = self.guard_of(live).build().map_err(Error::aws(call))?;
        let delete = Delete::builder()
            .table_name(&self.table)
            .key("id", s(&waiting.id))
            .condition_expression(
                "connectionId = :connection AND versionId = :version AND confirmBy > :now",
            )
            .expression_attribute_values(":version", s(&waiting.version_id))
            .expression_attribute_values(":connection", s(&waiting.connection_id))
            .expression_attribute_values(":now", ms(now))
            .build()
            .map_err(Error::aws(call))?;
        dynamo::transact(
            &self.client,
            call,
            vec![
                TransactWriteItem::builder().put(put_live).build(),
                TransactWriteItem::builder().put(put_guard).build(),
                TransactWriteItem::builder().delete(delete).build(),
            ],
        )
        .await
    }

    /// Gives a connection's realm to its company, unless it is another one's.
    pub(crate) fn guard_of(&self, live: &Connection) -> PutBuilder {
        let guard = Item::from([
            ("id".to_owned(), s(keys::realm_guard(live.environment, &live.realm))),
            ("company".to_owned(), s(live.company.as_ref())),
        ]);
        Put::builder()
            .table_name(&self.table)
            .set_item(Some(guard))
            .condition_expression("attribute_not_exists(id) OR company = :company")
            .expression_attribute_values(":company", s(live.company.as_ref()))
    }

    /// Removes a waiting connection. Answers false when it changed meanwhile.
    pub async fn remove_unconfirmed(&self, waiting: &Connection) -> Result<bool> {
        use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
        let result = self
            .client
            .delete_item()
            .table_name(&self.table)
            .key("id", s(&waiting.id))
            .condition_expression("connectionId = :connection")
            .expression_attribute_values(":connection", s(&waiting.connection_id))
            .send()
            .await;
        match result {
            Ok(_) => Ok(true),
            Err(error)
                if matches!(
                    error.as_service_error(),
                    Some(DeleteItemError::ConditionalCheckFailedException(_))
                ) =>
            {
                Ok(false)
            }
            Err(error) => Err(Error::aws("remove the unconfirmed connection")(error)),
        }
    }

    /// Notes on a live connection that it is in use; at most once an hour, or when it counts as unused.
    /// Answers false when there was nothing to note, or it is another connection by now.
    pub async fn note_activity(&self, connection: &Connection, now: Timestamp) -> Result<bool> {
        let before = now - NOTE_ACTIVITY_EVERY;
        let noted = connection.active_at.is_some_and(|at| at > before.as_millisecond());
        if noted && connection.active_shard.is_some() {
            return Ok(false);
        }
        let result = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("id", s(&connection.id))
            .update_expression("SET activeAt = :now, activeShard = :shard")
            .condition_expression(
                "connectionId = :connection AND #status = :connected \
                 AND (attribute_not_exists(activeShard) OR attribute_not_exists(activeAt) \
                 OR activeAt <= :before)",
            )
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":connected", s("connected"))
            .expression_attribute_values(":connection", s(&connection.connection_id))
            .expression_attribute_values(":shard", s(keys::live_shard(&connection.company)))
            .expression_attribute_values(":now", ms(now))
            .expression_attribute_values(":before", ms(before))
            .send()
            .await;
        met(result, "note a use of the connection")
    }

    /// Notes that a proof of the company's live connection to this realm is asked for; at most once in
    /// [`PROOF_EVERY`]. Answers whether to ask.
    pub async fn ask_for_proof(
        &self,
        company: &CompanyId,
        realm: &RealmId,
        now: Timestamp,
    ) -> Result<bool> {
        let result = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("id", s(keys::connection(company)))
            .update_expression("SET proofAskedAt = :now")
            .condition_expression(
                "realm = :realm AND #status = :connected \
                 AND (attribute_not_exists(proofAskedAt) OR proofAskedAt <= :before)",
            )
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":realm", s(realm.as_ref()))
            .expression_attribute_values(":connected", s("connected"))
            .expression_attribute_values(":now", ms(now))
            .expression_attribute_values(":before", ms(now - PROOF_EVERY))
            .send()
            .await;
        met(result, "note that a proof is asked for")
    }

    /// Marks a connection whose access Intuit has taken away. Answers false when it is another
    /// connection by now, or was marked already.
    pub async fn require_reconnect(
        &self,
        connection: &Connection,
        reason: &str,
        now: Timestamp,
    ) -> Result<bool> {
        let result = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("id", s(&connection.id))
            .update_expression(
                "SET lastRefreshResult = :reason, #status = :gone, cleanUpShard = :cleanUp, \
                 cleanUpAt = :now REMOVE liveShard, activeShard",
            )
            .condition_expression("connectionId = :connection AND #status = :connected")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":cleanUp", s(CLEAN_UP))
            .expression_attribute_values(":now", ms(now))
            .expression_attribute_values(":reason", s(reason))
            .expression_attribute_values(":gone", s("reconnectRequired"))
            .expression_attribute_values(":connected", s("connected"))
            .expression_attribute_values(":connection", s(&connection.connection_id))
            .send()
            .await;
        met(result, "mark the connection")
    }

    /// Claims the announcement of a connection that Intuit has ended, for five minutes; `false` when it
    /// was made already, or is being made.
    pub async fn claim_announcement(
        &self,
        connection: &Connection,
        now: Timestamp,
    ) -> Result<bool> {
        let result = self
            .gone(connection)
            .update_expression("SET cleanUpAt = :later")
            .condition_expression(
                "connectionId = :connection AND #status = :gone AND cleanUpAt <= :now",
            )
            .expression_attribute_values(":now", ms(now))
            .expression_attribute_values(":later", ms(now + ANNOUNCING))
            .send()
            .await;
        met(result, "claim the announcement")
    }

    /// Says that the announcement was made.
    pub async fn announced(&self, connection: &Connection) -> Result<()> {
        let result = self
            .gone(connection)
            .update_expression("REMOVE cleanUpShard, cleanUpAt")
            .condition_expression("connectionId = :connection AND #status = :gone")
            .send()
            .await;
        met(result, "finish the announcement").map(|_| ())
    }

    fn gone(
        &self,
        connection: &Connection,
    ) -> aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .key("id", s(&connection.id))
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":gone", s("reconnectRequired"))
            .expression_attribute_values(":connection", s(&connection.connection_id))
    }
}
