//! The writes that end a connection, and the index of those that leave a secret to destroy.
//!
//! A secret is destroyed only when a row says that this is owed ([`CLEAN_UP`]), and the row stays until it
//! is done. So whoever dies in between leaves something that the clean-up finds.

use aws_sdk_dynamodb::types::{AttributeValue, Delete, TransactWriteItem, Update};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::{CLEAN_UP, CLEAN_UP_INDEX, Connection, Connections};
use crate::companies::Companies;
use crate::dynamo::{self, Item, flag, met, ms, n, s};
use crate::error::{Error, Result};
use crate::keys::{self, ConnectionRow};

/// Whoever ended a connection has this long to destroy its secret, before the clean-up does it.
const OWN_CLEAN_UP: SignedDuration = SignedDuration::from_mins(1);
/// Rows of the index that are read at once.
const PAGE: i32 = 25;

/// What an ended connection's row says besides.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EndedRow {
    revoked_at_intuit: Option<bool>,
}

impl Connections {
    /// Ends a connection: in one transaction the row says so and raises the fence of the refresh lease, the
    /// realm is free for another company, and the company's work waits. Answers false when it is another
    /// connection by now, when it was ended already, or, unless `even_if_refreshing`, when somebody is
    /// refreshing it.
    pub async fn end(
        &self,
        connection: &Connection,
        companies: &Companies,
        by: &str,
        even_if_refreshing: bool,
        now: Timestamp,
    ) -> Result<bool> {
        let call = "end the connection";
        let mut condition = "connectionId = :connection AND #status <> :disconnected".to_owned();
        if !even_if_refreshing {
            condition.push_str(" AND (attribute_not_exists(refreshOwner) OR refreshUntil <= :now)");
        }
        let end = Update::builder()
            .table_name(&self.table)
            .key("id", s(&connection.id))
            .update_expression(
                "SET #status = :disconnected, disconnectedAt = :now, disconnectedBy = :by, \
                 refreshFence = refreshFence + :one, cleanUpShard = :shard, cleanUpAt = :later \
                 REMOVE refreshOwner, refreshUntil, refreshAfter, liveShard, activeShard, warnAt",
            )
            .condition_expression(condition)
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":disconnected", s("disconnected"))
            .expression_attribute_values(":connection", s(&connection.connection_id))
            .expression_attribute_values(":by", s(by))
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":shard", s(CLEAN_UP))
            .expression_attribute_values(":now", ms(now))
            .expression_attribute_values(":later", ms(now + OWN_CLEAN_UP))
            .build()
            .map_err(Error::aws(call))?;
        let mut actions = vec![
            TransactWriteItem::builder().update(end).build(),
            companies.pausing(&connection.company)?,
        ];
        // The guard of a realm that is another company's stays.
        let owner = self.company_of(connection.environment, &connection.realm).await?;
        if owner.as_ref() == Some(&connection.company) {
            let free = Delete::builder()
                .table_name(&self.table)
                .key("id", s(keys::realm_guard(connection.environment, &connection.realm)))
                .condition_expression("company = :company")
                .expression_attribute_values(":company", s(connection.company.as_ref()))
                .build()
                .map_err(Error::aws(call))?;
            actions.push(TransactWriteItem::builder().delete(free).build());
        }
        dynamo::transact(&self.client, call, actions).await
    }

    /// Whether Intuit took an ended connection's access back; `None` while nobody has asked it to.
    pub async fn was_revoked(&self, ended: &Connection) -> Result<Option<bool>> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("id", s(&ended.id))
            .consistent_read(true)
            .send()
            .await
            .map_err(Error::aws("read the ended connection"))?;
        let Some(item) = answer.item else { return Ok(None) };
        let row: EndedRow = dynamo::from_item("an ended connection", item)?;
        Ok(row.revoked_at_intuit)
    }

    /// Notes what Intuit said to taking an ended connection's access back. The first word counts: a
    /// repeated step would hear that the access is gone already.
    pub async fn note_revoked(&self, ended: &Connection, revoked: bool) -> Result<()> {
        let result = self
            .update(ended)
            .update_expression("SET revokedAtIntuit = if_not_exists(revokedAtIntuit, :revoked)")
            .expression_attribute_values(":revoked", flag(revoked))
            .send()
            .await;
        met(result, "note what Intuit said").map(|_| ())
    }

    /// Says that a row leaves no secret behind any more. Nothing happens if it is another connection by
    /// now, or stands otherwise: then something else may be owed.
    pub async fn cleaned(&self, connection: &Connection) -> Result<()> {
        let status = serde_dynamo::to_attribute_value(connection.status)
            .map_err(|error| Error::unreadable("a status", error))?;
        let result = self
            .update(connection)
            .update_expression("REMOVE cleanUpShard, cleanUpAt")
            .condition_expression("connectionId = :connection AND #status = :status")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":status", status)
            .send()
            .await;
        met(result, "note that the secret is destroyed").map(|_| ())
    }

    /// Makes sure that a waiting connection can never be confirmed, and that its clean-up is due. Answers
    /// false when it is another one by now, or none.
    pub async fn condemn(&self, waiting: &Connection) -> Result<bool> {
        let result = self
            .update(waiting)
            .update_expression(
                "SET ready = :no, confirmBy = :zero, cleanUpAt = :zero, cleanUpShard = :shard",
            )
            .expression_attribute_values(":no", flag(false))
            .expression_attribute_values(":zero", n(0))
            .expression_attribute_values(":shard", s(CLEAN_UP))
            .send()
            .await;
        met(result, "give up the waiting connection")
    }

    /// Lets another QuickBooks company follow an ended connection, `together` with other writes in one
    /// transaction. Answers false when a condition of one of them was not met.
    pub(crate) async fn start_over(
        &self,
        ended: &Connection,
        mut together: Vec<TransactWriteItem>,
        by: &str,
        now: Timestamp,
    ) -> Result<bool> {
        let call = "start over";
        let row = Update::builder()
            .table_name(&self.table)
            .key("id", s(&ended.id))
            .update_expression("SET startedOverAt = :now, startedOverBy = :by")
            .condition_expression(
                "connectionId = :connection AND #status = :disconnected \
                 AND attribute_not_exists(startedOverAt)",
            )
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":connection", s(&ended.connection_id))
            .expression_attribute_values(":disconnected", s("disconnected"))
            .expression_attribute_values(":by", s(by))
            .expression_attribute_values(":now", ms(now))
            .build()
            .map_err(Error::aws(call))?;
        together.push(TransactWriteItem::builder().update(row).build());
        dynamo::transact(&self.client, call, together).await
    }

    /// Removes the row of a connection that was ended and leaves no secret behind. Answers false when it
    /// is not so, or not any more.
    pub async fn remove_ended(&self, ended: &Connection) -> Result<bool> {
        let result = self
            .client
            .delete_item()
            .table_name(&self.table)
            .key("id", s(&ended.id))
            .condition_expression(
                "connectionId = :connection AND #status = :disconnected \
                 AND attribute_not_exists(cleanUpShard)",
            )
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":connection", s(&ended.connection_id))
            .expression_attribute_values(":disconnected", s("disconnected"))
            .send()
            .await;
        met(result, "remove the ended connection")
    }

    /// Notes that somebody asks for new tokens by hand, and when that was done lately (`asked`, with this
    /// time at its end). Answers false when somebody else has asked since `connection` was read, or when it
    /// is not the live one any more.
    pub async fn ask_by_hand(&self, connection: &Connection, asked: &[i64]) -> Result<bool> {
        let seen = connection.asked_by_hand.iter().copied().map(n).collect();
        let result = self
            .update(connection)
            .update_expression("SET askedByHand = :asked")
            .condition_expression(
                "connectionId = :connection AND #status = :connected \
                 AND (attribute_not_exists(askedByHand) OR askedByHand = :seen)",
            )
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":connected", s("connected"))
            .expression_attribute_values(":seen", AttributeValue::L(seen))
            .expression_attribute_values(
                ":asked",
                AttributeValue::L(asked.iter().copied().map(n).collect()),
            )
            .send()
            .await;
        met(result, "note who asks for new tokens")
    }

    /// Rows whose clean-up is due, the longest due first: a page, and where the next one begins.
    pub async fn due_for_clean_up(
        &self,
        now: Timestamp,
        after: Option<Item>,
    ) -> Result<(Vec<ConnectionRow>, Option<Item>)> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(CLEAN_UP_INDEX)
            .key_condition_expression("cleanUpShard = :shard AND cleanUpAt <= :now")
            .expression_attribute_values(":shard", s(CLEAN_UP))
            .expression_attribute_values(":now", ms(now))
            .limit(PAGE)
            .set_exclusive_start_key(after)
            .send()
            .await
            .map_err(Error::aws("read what is to be cleaned up"))?;
        let rows = answer
            .items
            .unwrap_or_default()
            .iter()
            .filter_map(|item| item.get("id").and_then(|id| id.as_s().ok()))
            // Rows of other kinds have their own clean-up, or none.
            .filter_map(|id| keys::parse_connection(id))
            .collect();
        Ok((rows, answer.last_evaluated_key))
    }
}
