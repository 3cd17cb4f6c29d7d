//! A company's connection to one QuickBooks company: everything about it but its tokens.
//!
//! Four kinds of row: the live connection of a company, one that waits for the asking user's
//! confirmation, exported tokens that are being made a connection ([`crate::migrations`]), and the guard
//! that gives a realm to one company. Tokens are in Secrets Manager; the row holds the VersionId of the
//! current ones ([`crate::tokens`]).
//!
//! # Layout
//! [`row`]: what a row says. Here: how a connection becomes live, is used, and is found to have ended.
//! [`endings`]: how it is ended by an admin, and what is owed afterwards. [`due`]: which ones are due.
//! The refresh lease on the row is [`crate::refresh`]'s.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::builders::PutBuilder;
use aws_sdk_dynamodb::types::{
    Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use domain::ids::{CompanyId, RealmId};
use jiff::{SignedDuration, Timestamp};
use quickbooks::Environment;

use crate::companies::Companies;
use crate::dynamo::{self, Item, flag, met, ms, n, not_met, s};
use crate::error::{Error, Result};
use crate::keys;

/// A connection is confirmed within this time, or never (design: the PRD's third step).
pub const CONFIRM_WITHIN: SignedDuration = SignedDuration::from_mins(10);
/// A use of a connection is noted at most this often.
pub const NOTE_ACTIVITY_EVERY: SignedDuration = SignedDuration::from_hours(1);
/// A proof of a connection that Intuit's disconnect URL hints at is asked for at most this often.
/// Anybody can ask, and each proof is a version of the company's secret, of which Secrets Manager keeps
/// 100 and removes none that is younger than a day.
pub const PROOF_EVERY: SignedDuration = SignedDuration::from_hours(1);
pub mod due;
pub mod endings;
pub mod row;

pub use row::{Connection, ConnectionStatus, NewConnection};

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
        met(put.send().await, "store the connection")
    }

    /// Says that the secret of a waiting connection holds its tokens, so that it may be confirmed. Answers
    /// false when it was given up meanwhile, or another one waits by now.
    pub async fn waiting_is_ready(&self, waiting: &Connection) -> Result<bool> {
        let result = self
            .update(waiting)
            .update_expression("SET ready = :yes")
            // Whoever gives it up sets this to 0.
            .condition_expression("connectionId = :connection AND confirmBy = :confirmBy")
            .expression_attribute_values(":yes", flag(true))
            .expression_attribute_values(":confirmBy", n(waiting.confirm_by.unwrap_or_default()))
            .send()
            .await;
        met(result, "prepare the waiting connection")
    }

    /// Makes a waiting connection the company's live one, in the place of `before`, in one transaction with
    /// the realm's guard. Answers false when the realm belongs to another company, the company has another
    /// realm, or one of the rows changed meanwhile. `live` is [`Connection::live`] of the waiting one;
    /// `opening` opens the company again if it was deleted ([`crate::erasure::lines`]).
    pub async fn confirm(
        &self,
        waiting: &Connection,
        live: &Connection,
        before: Option<&Connection>,
        opening: Option<TransactWriteItem>,
        now: Timestamp,
    ) -> Result<bool> {
        let call = "confirm the connection";
        let put_live =
            Put::builder().table_name(&self.table).set_item(Some(dynamo::to_item(live)?));
        // As `Connection::may_be_followed_by` says; and the one that `live` says it replaces, since
        // nobody else would destroy the secret of another one.
        let put_live = match before {
            None => put_live.condition_expression("attribute_not_exists(id)"),
            Some(before) => put_live
                .condition_expression(
                    "connectionId = :before AND (realm = :realm OR attribute_exists(startedOverAt))",
                )
                .expression_attribute_values(":before", s(&before.connection_id))
                .expression_attribute_values(":realm", s(live.realm.as_ref())),
        };
        let put_live = put_live.build().map_err(Error::aws(call))?;
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
        let mut actions = vec![
            TransactWriteItem::builder().put(put_live).build(),
            TransactWriteItem::builder().put(put_guard).build(),
            TransactWriteItem::builder().delete(delete).build(),
        ];
        actions.extend(opening);
        dynamo::transact(&self.client, call, actions).await
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
        let result = self
            .client
            .delete_item()
            .table_name(&self.table)
            .key("id", s(&waiting.id))
            .condition_expression("connectionId = :connection")
            .expression_attribute_values(":connection", s(&waiting.connection_id))
            .send()
            .await;
        met(result, "remove the unconfirmed connection")
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
            .update(connection)
            .update_expression("SET activeAt = :now, activeShard = :shard")
            .condition_expression(
                "connectionId = :connection AND #status = :connected \
                 AND (attribute_not_exists(activeShard) OR attribute_not_exists(activeAt) \
                 OR activeAt <= :before)",
            )
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":connected", s("connected"))
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
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Err(error) = result else { return Ok(true) };
        let row: Option<Connection> = not_met(error, "note that a proof is asked for")?
            .map(|item| dynamo::from_item("a connection", item))
            .transpose()?;
        // The first try's answer was lost, and the AWS client has tried again.
        Ok(row.is_some_and(|row| row.proof_asked_at == Some(now.as_millisecond())))
    }

    /// Takes the note back that was made at `noted`: the proof could not be asked for, and the next hint
    /// counts.
    pub async fn proof_not_asked(&self, company: &CompanyId, noted: Timestamp) -> Result<()> {
        let result = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("id", s(keys::connection(company)))
            .update_expression("REMOVE proofAskedAt")
            .condition_expression("proofAskedAt = :noted")
            .expression_attribute_values(":noted", ms(noted))
            .send()
            .await;
        met(result, "take back that a proof is asked for").map(|_| ())
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
            .update(connection)
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

    /// Says that the announcement was made, and pauses the company's work in the same transaction: a
    /// company that was connected again meanwhile goes on.
    pub async fn announced(&self, connection: &Connection, companies: &Companies) -> Result<()> {
        let call = "finish the announcement";
        let row = Update::builder()
            .table_name(&self.table)
            .key("id", s(&connection.id))
            .update_expression("REMOVE cleanUpShard, cleanUpAt")
            .condition_expression("connectionId = :connection AND #status = :gone")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":connection", s(&connection.connection_id))
            .expression_attribute_values(":gone", s("reconnectRequired"))
            .build()
            .map_err(Error::aws(call))?;
        let actions = vec![
            companies.pausing(&connection.company)?,
            TransactWriteItem::builder().update(row).build(),
        ];
        dynamo::transact(&self.client, call, actions).await.map(|_| ())
    }

    fn gone(&self, connection: &Connection) -> UpdateItemFluentBuilder {
        self.update(connection)
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":gone", s("reconnectRequired"))
    }

    /// An update of the row as long as it is this connection's. A condition that says more must begin with
    /// this one.
    pub(crate) fn update(&self, connection: &Connection) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .key("id", s(&connection.id))
            .condition_expression("connectionId = :connection")
            .expression_attribute_values(":connection", s(&connection.connection_id))
    }
}
