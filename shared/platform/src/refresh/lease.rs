//! The refresh lease on a connection's row: who may ask Intuit for new tokens, and under which VersionId
//! they will be stored. The protocol that uses it is in [`crate::refresh`].

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use domain::expiry;
use jiff::Timestamp;
use uuid::Uuid;

use super::{LEASE, at};
use crate::connections::{CLEAN_UP, Connection, ConnectionStatus, Connections};
use crate::dynamo::{self, met, ms, n, not_met, s};
use crate::error::Result;

/// Promised versions that are remembered. Each has a stage label of its own (`f0` to `f15`), and older
/// ones may have vanished from Secrets Manager.
const UNRESOLVED: usize = 15;

/// The refresh lease as its holder knows it.
#[derive(Debug, Clone)]
pub struct Lease {
    /// The connection as it was when the lease was taken.
    pub connection: Connection,
    /// The holder.
    pub owner: String,
    /// Raised at each taking.
    pub fence: u64,
    /// When it runs out.
    pub until: Timestamp,
    /// The VersionId that the new tokens will be stored under.
    pub promised: String,
    /// What earlier holders had promised whose leases ran out, oldest first.
    pub unresolved: Vec<String>,
}

impl Lease {
    /// The lease that `owner` has taken on the row as it was `before`.
    pub fn taken(before: Connection, owner: &str, promised: &str, now: Timestamp) -> Self {
        Self {
            owner: owner.to_owned(),
            fence: before.refresh_fence + 1,
            until: now + LEASE,
            promised: promised.to_owned(),
            unresolved: unresolved(&before),
            connection: before,
        }
    }
}

/// What the row says was promised and never resolved. A holder who gave its lease back has left no
/// promise.
fn unresolved(row: &Connection) -> Vec<String> {
    let mut versions = row.unresolved_versions.clone();
    if row.refresh_owner.is_some() {
        versions.extend(row.promised_version.clone());
    }
    let forgotten = versions.len().saturating_sub(UNRESOLVED);
    versions.split_off(forgotten)
}

/// What came of asking for the refresh lease.
#[derive(Debug)]
pub enum LeaseAsked {
    /// It is ours.
    Taken(Box<Lease>),
    /// Somebody is refreshing, or a request may still be under way at Intuit.
    Held,
    /// The last answer of Intuit was no help, and it is too early to ask again.
    CoolingDown,
    /// The tokens are not those any more that were to be refreshed: somebody was faster.
    Newer,
}

impl LeaseAsked {
    /// Why a row did not give its lease to somebody who had seen it as `seen`.
    pub fn refused(seen: &Connection, row: Option<&Connection>, now: Timestamp) -> Self {
        match row {
            Some(row) if same_tokens(row, seen) => {
                if row.refresh_owner.is_none()
                    && row.refresh_after.is_some_and(|after| at(after) > now)
                {
                    Self::CoolingDown
                } else {
                    Self::Held
                }
            }
            _ => Self::Newer,
        }
    }
}

fn same_tokens(one: &Connection, other: &Connection) -> bool {
    one.connection_id == other.connection_id
        && one.version_id == other.version_id
        && one.status == other.status
}

/// How a refresh ends without new tokens, and what becomes of its lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GivenBack<'a> {
    /// Nothing was tried.
    Unused,
    /// It failed for now.
    Failed {
        /// Why.
        reason: &'a str,
        /// Nobody asks again before this.
        after: Timestamp,
    },
    /// Not given back: Intuit's answer never came, and the request may still be under way; or it came
    /// and could not be stored yet.
    Kept {
        /// What happened.
        reason: &'a str,
        /// When it runs out.
        until: Timestamp,
    },
    /// Intuit refuses the refresh token: the connection's life ends until an admin connects again.
    RefusedForGood {
        /// Intuit's words.
        reason: &'a str,
    },
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

/// What a refresh tells about the connection's end, and about warning of it (C7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HardExpiry {
    /// When it ends whatever is refreshed, where that is known.
    pub hard: Option<Timestamp>,
    /// When somebody must next be warned.
    pub warn_at: Option<Timestamp>,
}

impl HardExpiry {
    /// After the refresh of a connection, as it was `before`.
    pub fn after(before: &Connection, expiries: Expiries) -> Self {
        let known = before.hard_expires_at.map(at);
        let ends = expiry::Ends { soft: at(before.refresh_expires_at), hard: known };
        let now = expiries.issued;
        let hard = expiry::hard_expiry(ends, expiries.hard, expiries.refresh, now);
        let warn_at = before.warn_at.map(at);
        Self { hard, warn_at: expiry::warning_after_refresh(known, warn_at, hard, now) }
    }
}

impl Connections {
    /// Asks for the refresh lease of tokens that the caller has seen as `seen`.
    pub async fn take_lease(&self, seen: &Connection, now: Timestamp) -> Result<LeaseAsked> {
        let owner = Uuid::new_v4().to_string();
        let promised = Uuid::new_v4().to_string();
        let unresolved = unresolved(seen).into_iter().map(s).collect();
        let result = self
            .update(seen)
            .update_expression(
                "SET refreshOwner = :owner, refreshUntil = :until, refreshFence = refreshFence + :one, \
                 promisedVersion = :promised, unresolvedVersions = :unresolved REMOVE refreshAfter",
            )
            // The fence as it was seen: whatever happened since may have left a promise.
            .condition_expression(
                "connectionId = :connection AND versionId = :version AND #status = :status \
                 AND refreshFence = :seen \
                 AND (attribute_not_exists(refreshOwner) OR refreshUntil <= :now) \
                 AND (attribute_not_exists(refreshAfter) OR refreshAfter <= :now)",
            )
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":status", status(seen)?)
            .expression_attribute_values(":owner", s(&owner))
            .expression_attribute_values(":until", ms(now + LEASE))
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":seen", n(seen.refresh_fence))
            .expression_attribute_values(":promised", s(&promised))
            .expression_attribute_values(":unresolved", AttributeValue::L(unresolved))
            .expression_attribute_values(":version", s(&seen.version_id))
            .expression_attribute_values(":now", ms(now))
            .return_values(ReturnValue::AllOld)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match result {
            Ok(answer) => {
                let before: Connection =
                    dynamo::from_item("a connection", answer.attributes.unwrap_or_default())?;
                Ok(LeaseAsked::Taken(Box::new(Lease::taken(before, &owner, &promised, now))))
            }
            Err(error) => {
                let row: Option<Connection> = not_met(error, "take the refresh lease")?
                    .map(|item| dynamo::from_item("a connection", item))
                    .transpose()?;
                // The first try's answer was lost, and the AWS client has tried again.
                if row.as_ref().is_some_and(|row| row.refresh_owner.as_ref() == Some(&owner)) {
                    let lease = Lease::taken(seen.clone(), &owner, &promised, now);
                    return Ok(LeaseAsked::Taken(Box::new(lease)));
                }
                Ok(LeaseAsked::refused(seen, row.as_ref(), now))
            }
        }
    }

    /// Points the connection at new tokens and gives the lease back, if it is still ours. Answers false
    /// when it is not: then the tokens that were put are an orphan that nobody points to.
    pub async fn point_at(&self, lease: &Lease, version: &str, expiries: Expiries) -> Result<bool> {
        let mut update = self
            .fenced(lease)
            .expression_attribute_values(":version", s(version))
            .expression_attribute_values(":access", ms(expiries.access))
            .expression_attribute_values(":refresh", ms(expiries.refresh))
            .expression_attribute_values(":issued", ms(expiries.issued))
            .expression_attribute_values(":ok", s("ok"));
        let (mut known, mut unknown) = (String::new(), String::new());
        let HardExpiry { hard, warn_at } = HardExpiry::after(&lease.connection, expiries);
        for (attribute, at) in [("hardExpiresAt", hard), ("warnAt", warn_at)] {
            if let Some(at) = at {
                known = format!("{known}, {attribute} = :{attribute}");
                update = update.expression_attribute_values(format!(":{attribute}"), ms(at));
            } else {
                unknown = format!("{unknown}, {attribute}");
            }
        }
        let result = update
            .update_expression(format!(
                "SET versionId = :version, accessExpiresAt = :access, refreshExpiresAt = :refresh, \
                 refreshedAt = :issued, lastRefreshResult = :ok{known} \
                 REMOVE refreshOwner, refreshUntil, promisedVersion, unresolvedVersions, \
                 refreshAfter{unknown}"
            ))
            .send()
            .await;
        met(result, "store the refreshed connection")
    }

    /// Gives the refresh lease back without new tokens. Answers false when it was not ours any more.
    ///
    /// A connection that is refused for good leaves the indexes over live ones, and asks for a follow-up:
    /// somebody must be told.
    pub async fn give_back(
        &self,
        lease: &Lease,
        outcome: &GivenBack<'_>,
        now: Timestamp,
    ) -> Result<bool> {
        const RELEASED: &str = "refreshOwner, refreshUntil, promisedVersion";
        let update = self.fenced(lease);
        let update = match outcome {
            GivenBack::Unused => update.update_expression(format!("REMOVE {RELEASED}")),
            GivenBack::Failed { reason, after } => update
                .update_expression(format!(
                    "SET lastRefreshResult = :reason, refreshAfter = :after REMOVE {RELEASED}"
                ))
                .expression_attribute_values(":reason", s(*reason))
                .expression_attribute_values(":after", ms(*after)),
            GivenBack::Kept { reason, until } => update
                .update_expression("SET lastRefreshResult = :reason, refreshUntil = :until")
                .expression_attribute_values(":reason", s(*reason))
                .expression_attribute_values(":until", ms(*until)),
            // A row that was never live concerns nobody but who made it.
            GivenBack::RefusedForGood { reason }
                if lease.connection.status == ConnectionStatus::Unconfirmed =>
            {
                update
                    .update_expression(format!(
                        "SET lastRefreshResult = :reason, #status = :gone \
                         REMOVE {RELEASED}, unresolvedVersions"
                    ))
                    .expression_attribute_names("#status", "status")
                    .expression_attribute_values(":gone", s("reconnectRequired"))
                    .expression_attribute_values(":reason", s(*reason))
            }
            // Whoever found the end out before has marked the row, and told of it.
            GivenBack::RefusedForGood { reason } => update
                .condition_expression(
                    "connectionId = :connection AND refreshOwner = :owner \
                     AND refreshFence = :fence AND #status = :connected",
                )
                .expression_attribute_values(":connected", s("connected"))
                .update_expression(format!(
                    "SET lastRefreshResult = :reason, #status = :gone, cleanUpShard = :cleanUp, \
                     cleanUpAt = :now REMOVE {RELEASED}, unresolvedVersions, liveShard, activeShard"
                ))
                .expression_attribute_names("#status", "status")
                .expression_attribute_values(":gone", s("reconnectRequired"))
                .expression_attribute_values(":reason", s(*reason))
                .expression_attribute_values(":cleanUp", s(CLEAN_UP))
                .expression_attribute_values(":now", ms(now)),
        };
        met(update.send().await, "give the refresh lease back")
    }

    fn fenced(&self, lease: &Lease) -> UpdateItemFluentBuilder {
        self.update(&lease.connection)
            .condition_expression(
                "connectionId = :connection AND refreshOwner = :owner AND refreshFence = :fence",
            )
            .expression_attribute_values(":owner", s(&lease.owner))
            .expression_attribute_values(":fence", n(lease.fence))
    }
}

fn status(row: &Connection) -> Result<AttributeValue> {
    serde_dynamo::to_attribute_value(row.status)
        .map_err(|error| crate::Error::unreadable("a status", error))
}

#[cfg(test)]
pub(crate) mod tests;
