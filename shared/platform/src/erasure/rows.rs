//! Erasing a company's rows, page by page.

use std::time::{Duration, Instant};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, DeleteRequest, WriteRequest};
use domain::ids::CompanyId;

use crate::config::Tables;
use crate::dynamo::{self, s};
use crate::error::{Error, Result};
use crate::keys;

/// Index over jobs by company.
pub const JOBS_INDEX: &str = "Company";
/// Rows that are read, and then erased, at once.
const PAGE: i32 = 500;

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
