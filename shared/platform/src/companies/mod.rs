//! One row per company: whether its work runs, when the next is due, and who holds the lease
//! ([`lease`]).
//!
//! # Whether a company runs
//!
//! [`CompanyState`] is written by whoever changes it: confirming a connection, switching live sync, a
//! refusal of the token. A company that is not `Live` or `Inward` has no `nextDue`, is not in the due
//! index, and costs nothing however much work waits for it.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use domain::ids::CompanyId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::dynamo::{Item, flag, ms, not_met, s};
use crate::error::{Error, Result};
use crate::keys;

pub mod lease;

pub use lease::{Acquired, LEASE, Lease, Released};

/// Name of the sparse index over companies with something due.
pub const DUE_INDEX: &str = "Due";

/// Whether a company's work runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CompanyState {
    /// Nothing runs: not connected, or the connection needs its admin.
    Paused,
    /// Connected, live sync off: reading from QuickBooks runs, writing waits.
    Inward,
    /// Everything runs.
    Live,
}

impl CompanyState {
    /// The stored text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Paused => "paused",
            Self::Inward => "inward",
            Self::Live => "live",
        }
    }
}

/// The company rows.
#[derive(Clone, Debug)]
pub struct Companies {
    client: Client,
    table: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    #[serde(default = "paused")]
    state: CompanyState,
    lease_owner: Option<String>,
    lease_until: Option<i64>,
    #[serde(default)]
    fence: u64,
    #[serde(default)]
    again: bool,
}

fn paused() -> CompanyState {
    CompanyState::Paused
}

impl Row {
    fn read(item: Item) -> Result<Self> {
        crate::dynamo::from_item("a company row", item)
    }

    fn held(&self, now: Timestamp) -> bool {
        self.lease_owner.is_some()
            && self.lease_until.is_some_and(|until| until > now.as_millisecond())
    }
}

impl Companies {
    /// The rows in `table`.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// The table's name, for the transactions of other modules that check the fence.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// Says that work of a company is due at `due`. Answers whether a ring is needed: only if the row
    /// changed and nobody holds the lease. Work that must not run yet changes nothing. `again` says that
    /// somebody has rung since the lease was last free or a pass last began, so a burst rings once.
    ///
    /// # Errors
    /// When DynamoDB does not answer; the work item is stored by then, and the next enqueue, catch-up
    /// or redelivery repairs the row.
    pub async fn enqueue(
        &self,
        company: &CompanyId,
        only_reads: bool,
        due: Timestamp,
        now: Timestamp,
    ) -> Result<bool> {
        let runs = if only_reads { "#state IN (:live, :inward)" } else { "#state = :live" };
        let update = self
            .update(company)
            .update_expression("SET nextDue = :due, dueShard = :shard, again = :true")
            .condition_expression(format!(
                "{runs} AND (attribute_not_exists(again) OR again = :false \
                 OR attribute_not_exists(nextDue) OR nextDue > :due)"
            ))
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":live", s(CompanyState::Live.as_str()))
            .expression_attribute_values(":due", ms(due))
            .expression_attribute_values(":shard", s(keys::due_shard(company)))
            .expression_attribute_values(":true", flag(true))
            .expression_attribute_values(":false", flag(false))
            .return_values(ReturnValue::AllNew);
        let update = if only_reads {
            update.expression_attribute_values(":inward", s(CompanyState::Inward.as_str()))
        } else {
            update
        };
        match update.send().await {
            Ok(answer) => {
                let row = Row::read(answer.attributes.unwrap_or_default())?;
                Ok(due <= now && !row.held(now))
            }
            Err(error) => not_met(error, "enqueue").map(|_| false),
        }
    }

    /// Switches what runs. Pausing is this one write, however much work waits; going on makes the
    /// company due at once. Answers whether a ring is needed.
    pub async fn set_state(
        &self,
        company: &CompanyId,
        state: CompanyState,
        now: Timestamp,
    ) -> Result<bool> {
        let update = self
            .update(company)
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":state", s(state.as_str()))
            .return_values(ReturnValue::AllNew);
        let update = if state == CompanyState::Paused {
            update.update_expression("SET #state = :state REMOVE nextDue, dueShard")
        } else {
            update
                .update_expression(
                    "SET #state = :state, nextDue = :now, dueShard = :shard, again = :true",
                )
                .expression_attribute_values(":now", ms(now))
                .expression_attribute_values(":shard", s(keys::due_shard(company)))
                .expression_attribute_values(":true", flag(true))
        };
        let answer = update.send().await.map_err(Error::aws("switch the company"))?;
        let row = Row::read(answer.attributes.unwrap_or_default())?;
        Ok(state != CompanyState::Paused && !row.held(now))
    }

    /// Pausing as a part of another module's transaction, so that it happens together with what makes it
    /// needful, and never after the company was set going again.
    pub(crate) fn pausing(&self, company: &CompanyId) -> Result<TransactWriteItem> {
        let update = Update::builder()
            .table_name(&self.table)
            .key("company", s(company.as_ref()))
            .update_expression("SET #state = :paused REMOVE nextDue, dueShard")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":paused", s(CompanyState::Paused.as_str()))
            .build()
            .map_err(Error::aws("pause the company"))?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    /// Whether a worker holds the company's lease.
    pub async fn is_held(&self, company: &CompanyId, now: Timestamp) -> Result<bool> {
        Ok(self.row(company).await?.is_some_and(|row| row.held(now)))
    }

    /// Forgets a company. A worker that holds its lease loses it: whatever it writes under the lease
    /// from now on changes nothing.
    pub async fn forget(&self, company: &CompanyId) -> Result<()> {
        self.client
            .delete_item()
            .table_name(&self.table)
            .key("company", s(company.as_ref()))
            .send()
            .await
            .map_err(Error::aws("forget the company"))?;
        Ok(())
    }

    /// Whether the company's work runs, and `Paused` for one that was never seen.
    pub async fn state(&self, company: &CompanyId) -> Result<CompanyState> {
        Ok(self.row(company).await?.map_or(CompanyState::Paused, |row| row.state))
    }

    async fn row(&self, company: &CompanyId) -> Result<Option<Row>> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("company", s(company.as_ref()))
            .consistent_read(true)
            .send()
            .await
            .map_err(Error::aws("read the company"))?;
        answer.item.map(Row::read).transpose()
    }

    /// Whether the company has work that is due by `now`.
    pub async fn has_work_due(&self, company: &CompanyId, now: Timestamp) -> Result<bool> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("company", s(company.as_ref()))
            .send()
            .await
            .map_err(Error::aws("read whether work is due"))?;
        let due =
            answer.item.and_then(|item| item.get("nextDue")?.as_n().ok()?.parse::<i64>().ok());
        Ok(due.is_some_and(|due| due <= now.as_millisecond()))
    }

    /// Companies of one shard with something due by `now`, earliest first, at most `limit`.
    pub async fn due(&self, shard: &str, now: Timestamp, limit: i32) -> Result<Vec<CompanyId>> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(DUE_INDEX)
            .key_condition_expression("dueShard = :shard AND nextDue <= :now")
            .expression_attribute_values(":shard", s(shard))
            .expression_attribute_values(":now", ms(now))
            .limit(limit)
            .send()
            .await
            .map_err(Error::aws("read the due index"))?;
        answer
            .items
            .unwrap_or_default()
            .into_iter()
            .filter_map(|mut item| match item.remove("company") {
                Some(AttributeValue::S(company)) => Some(company),
                _ => None,
            })
            .map(|company| {
                company.parse().map_err(|error| Error::unreadable("a company id", error))
            })
            .collect()
    }

    fn update(
        &self,
        company: &CompanyId,
    ) -> aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .key("company", s(company.as_ref()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }
}
