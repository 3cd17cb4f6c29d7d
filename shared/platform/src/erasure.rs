//! What a deleted company leaves behind: nothing but one line in the audit trail (C11).
//!
//! [`Erasures`] are those lines. A line is written before anything is erased, so that nothing new is taken
//! for the company from then on, and it stays. While it says that the company is being erased, nobody can
//! connect the company; afterwards connecting it again opens it again, as a new company.
//!
//! [`Eraser`] erases the rows, by key only, in pages, as far as its [`Budget`] goes. Erasing again what is
//! erased costs a query for each table.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeValue, DeleteRequest, ReturnValuesOnConditionCheckFailure, WriteRequest,
};
use domain::ids::CompanyId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::Tables;
use crate::dynamo::{self, Item, ms, n, not_met, s};
use crate::error::{Error, Result};
use crate::keys;

/// Index over jobs by company.
pub const JOBS_INDEX: &str = "Company";
/// Rows that are read, and then erased, at once.
const PAGE: i32 = 500;

/// How far an erasure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// Under way.
    Erasing,
    /// Nothing else is left.
    Erased,
}

/// The line.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// Whose data it was.
    pub company: CompanyId,
    /// [`keys::ERASED`].
    pub item: String,
    /// When it was erased, or since when it is being erased. Milliseconds since 1970, like all times here.
    pub at: i64,
    /// Like an audit row's: `company-erased`.
    pub action: String,
    /// Like an audit row's.
    pub success: bool,
    /// Like an audit row's: the event that asked for it.
    pub actor: String,
    /// How far it is.
    pub state: State,
    /// When the event was published.
    pub requested_at: i64,
    /// Rows erased. A run that was cut off may not be counted.
    pub rows: u64,
    /// When the company was connected again: from then on it is as any other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again_at: Option<i64>,
}

/// What a request to erase a company comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// Its data is to be erased.
    Yes,
    /// That was done already, for this request or a later one.
    Already,
    /// The request is older than the company's new life: it was delivered late, or again.
    Old,
}

fn decide(line: Option<&Line>, requested: Timestamp) -> Begun {
    let requested = requested.as_millisecond();
    match line {
        None => Begun::Yes,
        Some(line) => match (line.state, line.again_at) {
            (_, Some(again)) if again >= requested => Begun::Old,
            (State::Erased, None) if line.requested_at >= requested => Begun::Already,
            _ => Begun::Yes,
        },
    }
}

/// The lines, in the audit trail's table.
#[derive(Clone, Debug)]
pub struct Erasures {
    client: Client,
    table: String,
}

impl Erasures {
    /// The lines in the audit trail's `table`.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// Says that a company is being erased, as was `requested` then.
    pub async fn begin(
        &self,
        company: &CompanyId,
        requested: Timestamp,
        now: Timestamp,
    ) -> Result<Begun> {
        let before = self.line(company).await?;
        let begun = decide(before.as_ref(), requested);
        let under_way = before.is_some_and(|line| line.state == State::Erasing);
        if begun == Begun::Yes && !under_way {
            let line = Line {
                company: company.clone(),
                item: keys::ERASED.to_owned(),
                at: now.as_millisecond(),
                action: "company-erased".to_owned(),
                success: true,
                actor: "company.deleted".to_owned(),
                state: State::Erasing,
                requested_at: requested.as_millisecond(),
                rows: 0,
                again_at: None,
            };
            self.client
                .put_item()
                .table_name(&self.table)
                .set_item(Some(dynamo::to_item(&line)?))
                .send()
                .await
                .map_err(Error::aws("write the line of a deleted company"))?;
        }
        Ok(begun)
    }

    /// Whether the company is being erased.
    pub async fn is_under_way(&self, company: &CompanyId) -> Result<bool> {
        Ok(self.line(company).await?.is_some_and(|line| line.state == State::Erasing))
    }

    /// Counts erased rows.
    pub async fn count(&self, company: &CompanyId, rows: u64) -> Result<()> {
        let result = self
            .update(company)
            .update_expression("ADD #rows :rows")
            .condition_expression("attribute_exists(#rows)")
            .expression_attribute_names("#rows", "rows")
            .expression_attribute_values(":rows", n(rows))
            .send()
            .await;
        match result {
            Ok(_) => Ok(()),
            Err(error) => not_met(error, "count erased rows").map(|_| ()),
        }
    }

    /// Says that nothing else is left.
    pub async fn finish(&self, company: &CompanyId, now: Timestamp) -> Result<()> {
        let result = self
            .update(company)
            .update_expression("SET #state = :erased, #at = :now")
            .condition_expression("#state = :erasing")
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#at", "at")
            .expression_attribute_values(":erased", s("erased"))
            .expression_attribute_values(":erasing", s("erasing"))
            .expression_attribute_values(":now", ms(now))
            .send()
            .await;
        match result {
            Ok(_) => Ok(()),
            Err(error) => not_met(error, "finish an erasure").map(|_| ()),
        }
    }

    /// Those of the companies that were deleted and not connected again: nothing is taken for them.
    pub async fn deleted(
        &self,
        companies: impl IntoIterator<Item = &CompanyId>,
    ) -> Result<BTreeSet<CompanyId>> {
        let keys = companies.into_iter().collect::<BTreeSet<_>>().into_iter().map(key).collect();
        let items =
            dynamo::batch_get(&self.client, "read deleted companies", &self.table, keys).await?;
        let lines: Vec<Line> = items
            .into_iter()
            .map(|item| dynamo::from_item("the line of a deleted company", item))
            .collect::<Result<_>>()?;
        let gone = lines.into_iter().filter(|line| line.again_at.is_none());
        Ok(gone.map(|line| line.company).collect())
    }

    /// Whether the company was deleted and not connected again.
    pub async fn is_deleted(&self, company: &CompanyId) -> Result<bool> {
        Ok(self.line(company).await?.is_some_and(|line| line.again_at.is_none()))
    }

    /// Opens a deleted company again, since it is being connected. Answers false while it is being erased.
    /// A company that was never deleted is open.
    pub async fn open_again(&self, company: &CompanyId, now: Timestamp) -> Result<bool> {
        let result = self
            .update(company)
            .update_expression("SET againAt = if_not_exists(againAt, :now)")
            .condition_expression("#state = :erased")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":erased", s("erased"))
            .expression_attribute_values(":now", ms(now))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match result {
            Ok(_) => Ok(true),
            Err(error) => not_met(error, "open a deleted company again").map(|line| line.is_none()),
        }
    }

    async fn line(&self, company: &CompanyId) -> Result<Option<Line>> {
        let call = "read deleted companies";
        let found = dynamo::batch_get(&self.client, call, &self.table, vec![key(company)]).await?;
        let line = found.into_iter().next();
        line.map(|item| dynamo::from_item("the line of a deleted company", item)).transpose()
    }

    fn update(
        &self,
        company: &CompanyId,
    ) -> aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder {
        self.client.update_item().table_name(&self.table).set_key(Some(key(company)))
    }
}

fn key(company: &CompanyId) -> Item {
    Item::from([("company".to_owned(), s(company.as_ref())), ("item".to_owned(), s(keys::ERASED))])
}

/// How much one run may erase, so that it ends long before its function is stopped.
#[derive(Debug)]
pub struct Budget {
    until: Instant,
    rows: u64,
    erased: u64,
}

impl Budget {
    /// Up to `rows` rows, and up to `time` from now; a page that was begun is ended.
    pub fn new(rows: u64, time: Duration) -> Self {
        Self { until: Instant::now() + time, rows, erased: 0 }
    }

    /// Rows erased so far.
    pub fn erased(&self) -> u64 {
        self.erased
    }

    fn is_used_up(&self) -> bool {
        self.erased >= self.rows || Instant::now() >= self.until
    }
}

/// Erases rows.
#[derive(Clone, Debug)]
pub struct Eraser {
    client: Client,
    tables: Tables,
}

impl Eraser {
    /// An eraser of all tables.
    pub fn new(client: Client, tables: Tables) -> Self {
        Self { client, tables }
    }

    /// Erases the company's rows but those of `Connections` and `Companies`, which have rules of their
    /// own. Answers whether all are gone; if not, the budget is used up.
    pub async fn erase(&self, company: &CompanyId, budget: &mut Budget) -> Result<bool> {
        // The trail goes last: it says what was there.
        let tables = [
            &self.tables.work,
            &self.tables.records,
            &self.tables.settings,
            &self.tables.mappings,
            &self.tables.counters,
            &self.tables.audit_log,
        ];
        if !self.jobs(company, budget).await? {
            return Ok(false);
        }
        for table in tables {
            if !self.partition(table, ("company", company.as_ref()), budget).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A job's other rows go before the row that says whose it is, so that a crash leaves none behind.
    async fn jobs(&self, company: &CompanyId, budget: &mut Budget) -> Result<bool> {
        let mut start = None;
        loop {
            let answer = self
                .client
                .query()
                .table_name(&self.tables.jobs)
                .index_name(JOBS_INDEX)
                .key_condition_expression("company = :company")
                .expression_attribute_values(":company", s(company.as_ref()))
                .set_exclusive_start_key(start)
                .limit(PAGE)
                .send()
                .await
                .map_err(Error::aws("read the company's jobs"))?;
            for item in answer.items.unwrap_or_default() {
                let Some(AttributeValue::S(job)) = item.get("job") else { continue };
                if !self.partition(&self.tables.jobs, ("job", job), budget).await? {
                    return Ok(false);
                }
            }
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok(true);
            }
        }
    }

    /// Erases the rows under one partition key, in the order of their sort keys.
    async fn partition(
        &self,
        table: &str,
        (name, value): (&str, &str),
        budget: &mut Budget,
    ) -> Result<bool> {
        let mut start = None;
        loop {
            if budget.is_used_up() {
                return Ok(false);
            }
            let answer = self
                .client
                .query()
                .table_name(table)
                .key_condition_expression("#key = :value")
                .projection_expression("#key, #item")
                .expression_attribute_names("#key", name)
                .expression_attribute_names("#item", "item")
                .expression_attribute_values(":value", s(value))
                .consistent_read(true)
                .set_exclusive_start_key(start)
                .limit(PAGE)
                .send()
                .await
                .map_err(Error::aws("read what is to be erased"))?;
            let requests = answer
                .items
                .unwrap_or_default()
                .into_iter()
                .filter(|key| {
                    key.get("item")
                        .and_then(|item| item.as_s().ok())
                        .is_none_or(|item| item != keys::ERASED)
                })
                .map(|key| {
                    let request = DeleteRequest::builder()
                        .set_key(Some(key))
                        .build()
                        .map_err(Error::aws("erase rows"))?;
                    Ok(WriteRequest::builder().delete_request(request).build())
                })
                .collect::<Result<Vec<_>>>()?;
            let count = u64::try_from(requests.len()).unwrap_or(u64::MAX);
            dynamo::batch_write(&self.client, "erase rows", table, requests).await?;
            budget.erased += count;
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok(true);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn line(state: State, requested: i64, again: Option<i64>) -> Line {
        Line {
            company: "c1".parse().unwrap(),
            item: keys::ERASED.to_owned(),
            at: 0,
            action: String::new(),
            success: true,
            actor: String::new(),
            state,
            requested_at: at(requested).as_millisecond(),
            rows: 0,
            again_at: again.map(|again| at(again).as_millisecond()),
        }
    }

    #[test]
    fn a_company_is_erased_when_it_is_first_asked_for_and_when_it_is_asked_again_later() {
        assert_eq!(decide(None, at(5)), Begun::Yes);
        assert_eq!(decide(Some(&line(State::Erasing, 5, None)), at(5)), Begun::Yes);
        assert_eq!(decide(Some(&line(State::Erased, 5, None)), at(6)), Begun::Yes);
        assert_eq!(decide(Some(&line(State::Erased, 5, Some(7))), at(8)), Begun::Yes);
    }

    #[test]
    fn a_request_that_comes_again_changes_nothing() {
        assert_eq!(decide(Some(&line(State::Erased, 5, None)), at(5)), Begun::Already);
        assert_eq!(decide(Some(&line(State::Erased, 5, None)), at(4)), Begun::Already);
    }

    #[test]
    fn a_late_request_never_erases_a_company_that_was_connected_again_since() {
        assert_eq!(decide(Some(&line(State::Erased, 5, Some(7))), at(5)), Begun::Old);
        assert_eq!(decide(Some(&line(State::Erased, 5, Some(7))), at(6)), Begun::Old);
    }
}
