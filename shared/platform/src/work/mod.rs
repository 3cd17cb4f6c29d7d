//! The work list: one item per company, lane and record, and what became of those that cannot go on.
//!
//! An item says *that* something is to be done, the record says *what*: draining an item twice changes
//! nothing, and a second event for the same record coalesces into the same item. Each writing of an
//! item gives it a new `seq`; finishing is conditional on it, so that work which arrived while the old
//! state was being sent stays in the list.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, TransactWriteItem};
use domain::ids::{CompanyId, JobId};
use domain::work::Lane;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::dynamo::{self, Item, Sql, Statement, ms, n, s};
use crate::error::{Error, Result};
use crate::jobs::{Jobs, Outcome};
use crate::keys::{self, Task};

mod dead_letters;

pub use dead_letters::{DeadLetter, DeadReason};

/// Work to be added.
#[derive(Debug, Clone)]
pub struct NewWork {
    /// Whose.
    pub company: CompanyId,
    /// How urgent.
    pub lane: Lane,
    /// What.
    pub task: Task,
    /// Not before this time.
    pub due: Timestamp,
    /// The job that waits for it, if any.
    pub job: Option<JobId>,
}

/// A stored work item.
#[derive(Debug, Clone)]
pub struct WorkItem {
    /// Whose.
    pub company: CompanyId,
    /// Its sort key.
    pub key: String,
    /// How urgent.
    pub lane: Lane,
    /// What.
    pub task: Task,
    /// Not before this time.
    pub due: Timestamp,
    /// Failed attempts that can heal; the ladder's position.
    pub attempts: u32,
    /// Workers that died while it was being sent.
    pub crashes: u32,
    /// Changes with each writing.
    pub seq: String,
    /// Jobs that count it.
    pub jobs: BTreeSet<JobId>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredItem {
    company: CompanyId,
    item: String,
    due: i64,
    attempts: u32,
    #[serde(default)]
    crashes: u32,
    seq: String,
}

impl WorkItem {
    fn read(mut item: Item) -> Result<Self> {
        let jobs = match item.remove("jobs") {
            Some(AttributeValue::Ss(jobs)) => jobs
                .iter()
                .map(|job| job.parse())
                .collect::<Result<_, _>>()
                .map_err(|error| Error::unreadable("a work item's job", error))?,
            _ => BTreeSet::new(),
        };
        let stored: StoredItem = dynamo::from_item("a work item", item)?;
        let (lane, task) = keys::parse_work_item(&stored.item)
            .ok_or_else(|| Error::unreadable("a work item's key", &stored.item))?;
        Ok(Self {
            company: stored.company,
            lane,
            task,
            due: Timestamp::from_millisecond(stored.due)
                .map_err(|error| Error::unreadable("a work item's due time", error))?,
            attempts: stored.attempts,
            crashes: stored.crashes,
            seq: stored.seq,
            key: stored.item,
            jobs,
        })
    }
}

/// A finished work item: how its jobs count it.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The item as it was read.
    pub item: WorkItem,
    /// What became of it.
    pub outcome: Outcome,
}

/// The work list and its dead letters.
#[derive(Clone, Debug)]
pub struct Work {
    client: Client,
    table: String,
}

impl Work {
    /// The list in `table`.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// Adds work, 25 items to a request. An item that is there already is made due again and keeps its
    /// jobs and its count of crashes.
    pub async fn add(&self, work: &[NewWork]) -> Result<()> {
        let mut seen = BTreeSet::new();
        // A batch must not hold one key twice; the later one goes through the single path.
        let (first, twice): (Vec<_>, Vec<_>) = work.iter().partition(|work| {
            seen.insert((work.company.clone(), keys::work_item(work.lane, &work.task)))
        });
        let statements = first.iter().map(|work| self.insert(work)).collect();
        let outcomes =
            dynamo::batch_statements(&self.client, "add to the work list", statements).await?;
        for (work, outcome) in first.iter().zip(outcomes) {
            if matches!(outcome, Statement::NotMet(_)) {
                self.add_again(work).await?;
            }
        }
        for work in twice {
            self.add_again(work).await?;
        }
        Ok(())
    }

    fn insert(&self, work: &NewWork) -> Sql {
        let mut parameters = vec![
            s(work.company.as_ref()),
            s(keys::work_item(work.lane, &work.task)),
            ms(work.due),
            n(0),
            s(Uuid::new_v4().to_string()),
        ];
        let jobs = if let Some(job) = &work.job {
            parameters.push(AttributeValue::Ss(vec![job.to_string()]));
            ", 'jobs': ?"
        } else {
            ""
        };
        Sql {
            text: format!(
                "INSERT INTO \"{}\" VALUE {{'company': ?, 'item': ?, 'due': ?, 'attempts': ?, 'seq': ?{jobs}}}",
                self.table
            ),
            parameters,
        }
    }

    async fn add_again(&self, work: &NewWork) -> Result<()> {
        let mut update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("company", s(work.company.as_ref()))
            .key("item", s(keys::work_item(work.lane, &work.task)))
            .expression_attribute_values(":due", ms(work.due))
            .expression_attribute_values(":zero", n(0))
            .expression_attribute_values(":seq", s(Uuid::new_v4().to_string()));
        let mut expression = "SET due = :due, attempts = :zero, seq = :seq".to_owned();
        if let Some(job) = &work.job {
            expression.push_str(" ADD jobs :job");
            update = update
                .expression_attribute_values(":job", AttributeValue::Ss(vec![job.to_string()]));
        }
        update
            .update_expression(expression)
            .send()
            .await
            .map_err(Error::aws("add to the work list"))?;
        Ok(())
    }

    /// Items of a lane in key order, after `after`, read consistently; and the key to go on from, or
    /// `None` at the end.
    pub async fn page(
        &self,
        company: &CompanyId,
        prefix: &str,
        after: Option<String>,
        limit: i32,
    ) -> Result<(Vec<WorkItem>, Option<String>)> {
        let (items, last) = self.query(company.as_ref(), prefix, after, limit).await?;
        Ok((items.into_iter().map(WorkItem::read).collect::<Result<_>>()?, last))
    }

    async fn query(
        &self,
        company: &str,
        prefix: &str,
        after: Option<String>,
        limit: i32,
    ) -> Result<(Vec<Item>, Option<String>)> {
        let start = after.map(|item| {
            Item::from([("company".to_owned(), s(company)), ("item".to_owned(), s(item))])
        });
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("company = :company AND begins_with(#item, :prefix)")
            .expression_attribute_names("#item", "item")
            .expression_attribute_values(":company", s(company))
            .expression_attribute_values(":prefix", s(prefix))
            .consistent_read(true)
            .limit(limit)
            .set_exclusive_start_key(start)
            .send()
            .await
            .map_err(Error::aws("read the work list"))?;
        let last = answer.last_evaluated_key.and_then(|mut key| match key.remove("item") {
            Some(AttributeValue::S(item)) => Some(item),
            _ => None,
        });
        Ok((answer.items.unwrap_or_default(), last))
    }

    /// Puts an item off. Nothing happens if it changed meanwhile: it is due anyway then.
    pub async fn put_off(
        &self,
        item: &WorkItem,
        due: Timestamp,
        attempts: u32,
        crashes: u32,
    ) -> Result<()> {
        let result = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("company", s(item.company.as_ref()))
            .key("item", s(&item.key))
            .update_expression("SET due = :due, attempts = :attempts, crashes = :crashes")
            .condition_expression("seq = :seq")
            .expression_attribute_values(":due", ms(due))
            .expression_attribute_values(":attempts", n(attempts))
            .expression_attribute_values(":crashes", n(crashes))
            .expression_attribute_values(":seq", s(&item.seq))
            .send()
            .await;
        match result {
            Ok(_) => Ok(()),
            Err(error) => dynamo::not_met(error, "put work off").map(|_| ()),
        }
    }

    /// Takes finished items off the list, each only if it did not change meanwhile. Items that a job
    /// waits for leave in one transaction with the job's count, so that progress is exact.
    pub async fn finish(&self, jobs: &Jobs, finished: &[Finished], now: Timestamp) -> Result<()> {
        let (counted, plain): (Vec<_>, Vec<_>) =
            finished.iter().partition(|done| !done.item.jobs.is_empty());
        let statements = plain
            .iter()
            .map(|done| Sql {
                text: format!(
                    "DELETE FROM \"{}\" WHERE \"company\"=? AND \"item\"=? AND \"seq\"=?",
                    self.table
                ),
                parameters: vec![
                    s(done.item.company.as_ref()),
                    s(&done.item.key),
                    s(&done.item.seq),
                ],
            })
            .collect();
        dynamo::batch_statements(&self.client, "finish work", statements).await?;
        // An item brings at most a delete, a count per job and an error row per job.
        for chunk in counted.chunks(25) {
            if !self.finish_counted(jobs, chunk, now).await? {
                for done in chunk {
                    self.finish_counted(jobs, std::slice::from_ref(done), now).await?;
                }
            }
        }
        Ok(())
    }

    /// Answers false when an item changed meanwhile and nothing was done.
    async fn finish_counted(
        &self,
        jobs: &Jobs,
        finished: &[&Finished],
        now: Timestamp,
    ) -> Result<bool> {
        let mut actions = Vec::with_capacity(finished.len() * 2);
        for done in finished {
            let delete = Delete::builder()
                .table_name(&self.table)
                .key("company", s(done.item.company.as_ref()))
                .key("item", s(&done.item.key))
                .condition_expression("seq = :seq")
                .expression_attribute_values(":seq", s(&done.item.seq))
                .build()
                .map_err(Error::aws("finish work"))?;
            actions.push(TransactWriteItem::builder().delete(delete).build());
        }
        actions.extend(jobs.count(finished, now)?);
        dynamo::transact(&self.client, "finish work of a job", actions).await
    }

    /// Reads work items by their sort keys; absent ones are not in the answer.
    pub async fn items(&self, company: &CompanyId, items: &[String]) -> Result<Vec<WorkItem>> {
        let keys = items
            .iter()
            .map(|item| {
                Item::from([
                    ("company".to_owned(), s(company.as_ref())),
                    ("item".to_owned(), s(item)),
                ])
            })
            .collect();
        let found = dynamo::batch_get(&self.client, "read work", &self.table, keys).await?;
        found.into_iter().map(WorkItem::read).collect()
    }
}
