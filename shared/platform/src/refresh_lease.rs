//! The refresh lease on a connection's row: who may ask Intuit for new tokens, and under which VersionId
//! they will be stored. The protocol that uses it is in [`crate::tokens`].

use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};
use jiff::{SignedDuration, Timestamp};

use crate::companies::not_met;
use crate::connections::{Connection, ConnectionStatus, Connections};
use crate::dynamo::{self, ms, n, s};
use crate::error::{Error, Result};

/// The refresh lease as its holder knows it.
#[derive(Debug, Clone)]
pub struct RefreshLease {
    /// The connection as it was when the lease was taken.
    pub connection: Connection,
    /// The holder.
    pub owner: String,
    /// Raised at each taking.
    pub fence: u64,
    /// The VersionId that the new tokens will be stored under.
    pub promised: String,
    /// What an earlier holder, whose lease ran out, had promised.
    pub predecessor: Option<String>,
}

/// What came of asking for the refresh lease.
#[derive(Debug)]
pub enum RefreshAsked {
    /// It is ours.
    Yes(Box<RefreshLease>),
    /// Somebody is refreshing.
    Held,
    /// The tokens are not those any more that were to be refreshed: somebody was faster.
    Newer,
}

/// Expiries of a stored set of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expiries {
    /// Access token.
    pub access: Timestamp,
    /// Refresh token, rolling.
    pub refresh: Timestamp,
    /// Refresh token, hard.
    pub hard: Option<Timestamp>,
    /// When they were issued.
    pub issued: Timestamp,
}

impl Connections {
    /// Asks for the refresh lease of tokens that the caller has seen as `connection`.
    pub async fn ask_refresh(
        &self,
        connection: &Connection,
        owner: &str,
        promised: &str,
        lease: SignedDuration,
        now: Timestamp,
    ) -> Result<RefreshAsked> {
        let result = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("id", s(&connection.id))
            .update_expression(
                "SET refreshOwner = :owner, refreshUntil = :until, refreshFence = refreshFence + :one, \
                 promisedVersion = :promised",
            )
            .condition_expression(
                "connectionId = :connection AND versionId = :version \
                 AND (attribute_not_exists(refreshOwner) OR refreshUntil <= :now)",
            )
            .expression_attribute_values(":owner", s(owner))
            .expression_attribute_values(":until", ms(now + lease))
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":promised", s(promised))
            .expression_attribute_values(":connection", s(&connection.connection_id))
            .expression_attribute_values(":version", s(&connection.version_id))
            .expression_attribute_values(":now", ms(now))
            .return_values(ReturnValue::AllOld)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match result {
            Ok(answer) => {
                let before: Connection =
                    dynamo::from_item("a connection", answer.attributes.unwrap_or_default())?;
                Ok(RefreshAsked::Yes(Box::new(RefreshLease {
                    owner: owner.to_owned(),
                    fence: before.refresh_fence + 1,
                    promised: promised.to_owned(),
                    predecessor: before
                        .refresh_owner
                        .is_some()
                        .then(|| before.promised_version.clone())
                        .flatten(),
                    connection: before,
                })))
            }
            Err(error) => {
                let row: Option<Connection> = not_met(error, "take the refresh lease")?
                    .map(|item| dynamo::from_item("a connection", item))
                    .transpose()?;
                Ok(match row {
                    Some(row)
                        if row.connection_id == connection.connection_id
                            && row.version_id == connection.version_id =>
                    {
                        RefreshAsked::Held
                    }
                    _ => RefreshAsked::Newer,
                })
            }
        }
    }

    /// Points the connection at new tokens and gives the lease back, if it is still ours. Answers false
    /// when it is not: then the tokens that were put are an orphan that nobody points to.
    pub async fn point_at(
        &self,
        lease: &RefreshLease,
        version: &str,
        expiries: Expiries,
    ) -> Result<bool> {
        let mut update = self
            .fenced(lease)
            .expression_attribute_values(":version", s(version))
            .expression_attribute_values(":access", ms(expiries.access))
            .expression_attribute_values(":refresh", ms(expiries.refresh))
            .expression_attribute_values(":issued", ms(expiries.issued))
            .expression_attribute_values(":ok", s("ok"));
        let mut hard = "";
        if let Some(at) = expiries.hard {
            update = update.expression_attribute_values(":hard", ms(at));
            hard = ", hardExpiresAt = :hard";
        }
        let result = update
            .update_expression(format!(
                "SET versionId = :version, accessExpiresAt = :access, refreshExpiresAt = :refresh, \
                 refreshedAt = :issued, lastRefreshResult = :ok{hard} \
                 REMOVE refreshOwner, refreshUntil, promisedVersion"
            ))
            .send()
            .await;
        match result {
            Ok(_) => Ok(true),
            Err(error) => not_met(error, "store the refreshed connection").map(|_| false),
        }
    }

    /// Gives the refresh lease back without new tokens. `reconnect` ends the connection's life until an
    /// admin connects again. Answers false when the lease was not ours any more.
    pub async fn give_up_refresh(
        &self,
        lease: &RefreshLease,
        reason: &str,
        reconnect: bool,
    ) -> Result<bool> {
        let status =
            if reconnect { ConnectionStatus::ReconnectRequired } else { lease.connection.status };
        let status: aws_sdk_dynamodb::types::AttributeValue =
            serde_dynamo::to_attribute_value(status)
                .map_err(|error| Error::unreadable("a status", error))?;
        let result = self
            .fenced(lease)
            .update_expression(
                "SET lastRefreshResult = :reason, #status = :status \
                 REMOVE refreshOwner, refreshUntil, promisedVersion",
            )
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":reason", s(reason))
            .expression_attribute_values(":status", status)
            .send()
            .await;
        match result {
            Ok(_) => Ok(true),
            Err(error) => not_met(error, "give the refresh lease back").map(|_| false),
        }
    }

    fn fenced(
        &self,
        lease: &RefreshLease,
    ) -> aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .key("id", s(&lease.connection.id))
            .condition_expression(
                "connectionId = :connection AND refreshOwner = :owner AND refreshFence = :fence",
            )
            .expression_attribute_values(":connection", s(&lease.connection.connection_id))
            .expression_attribute_values(":owner", s(&lease.owner))
            .expression_attribute_values(":fence", n(lease.fence))
    }
}
