//! Sync jobs: what `POST /sync-now` asked for, and how far it is.
//!
//! A job's counts change only in the transaction that takes the counted work item off the list, so
//! progress is exact and never goes back.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem, Update};
use domain::ids::{CompanyId, JobId};
use domain::problem::FieldError;
use domain::work::{JobStatus, Lane};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::dynamo::{self, Item, flag, ms, n, s, ttl};
use crate::error::{Error, Result};
use crate::work::Finished;

/// Jobs are kept this long (S8).
pub const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Errors that a status answer lists; all are counted.
pub const ERRORS_LISTED: i32 = 100;

/// Which way a job moves data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub enum Direction {
    /// From QuickBooks.
    In,
    /// To QuickBooks.
    Out,
    /// Both.
    #[default]
    Both,
}

/// What a job covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, PartialOrd, Ord)]
#[serde(rename_all = "camelCase")]
pub enum JobEntity {
    /// Timecards out.
    Timecards,
    /// Employees in.
    Employees,
    /// Customers, sub-customers and projects in.
    Customers,
    /// Service items in: what cost codes map to.
    Items,
    /// Classes in: what cost codes map to.
    Classes,
}

/// Full or what changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub enum Extent {
    /// Everything.
    Full,
    /// What is new or changed.
    #[default]
    Incremental,
}

/// How a finished work item counts.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It is in QuickBooks (or imported).
    Synced,
    /// It needs a person; the errors say what for.
    Failed(Vec<FieldError>),
    /// There was nothing to do: before `syncFrom`, or deleted meanwhile.
    Nothing,
}

/// A stored job.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// Its id.
    pub job: JobId,
    /// Always `job`; error rows have other sort keys.
    pub item: String,
    /// Whose.
    pub company: CompanyId,
    /// What it covers.
    pub entities: Vec<JobEntity>,
    /// Which way.
    pub direction: Direction,
    /// Full or incremental.
    pub extent: Extent,
    /// How urgent.
    pub lane: Lane,
    /// Who asked.
    pub asked_by: String,
    /// All of its work items are in the list.
    pub planned: bool,
    /// Work items in all.
    pub total: u64,
    /// Work items not finished yet.
    pub remaining: i64,
    /// Finished well.
    pub synced: u64,
    /// Waiting for a person.
    pub failed: u64,
    /// Finished with nothing to do.
    pub nothing: u64,
    /// Milliseconds since 1970.
    pub created_at: i64,
    /// When a worker first took it up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<i64>,
    /// When an item was last finished, or an empty job was planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_at: Option<i64>,
    /// For DynamoDB's TTL, in seconds.
    pub expires_at: i64,
}

impl Job {
    /// A job as it is asked for; not planned yet.
    pub fn new(
        job: JobId,
        company: CompanyId,
        entities: Vec<JobEntity>,
        lane: Lane,
        asked_by: String,
        now: Timestamp,
    ) -> Self {
        Self {
            job,
            item: "job".to_owned(),
            company,
            entities,
            direction: Direction::Both,
            extent: Extent::Incremental,
            lane,
            asked_by,
            planned: false,
            total: 0,
            remaining: 0,
            synced: 0,
            failed: 0,
            nothing: 0,
            created_at: now.as_millisecond(),
            started_at: None,
            last_at: None,
            expires_at: (now + KEPT).as_second(),
        }
    }

    /// When it was over, if it is. That follows from the counts alone, which change in the transaction
    /// that finishes the work: no crash can leave a job running that has nothing left to do.
    pub fn completed_at(&self) -> Option<i64> {
        let over = self.planned && self.remaining <= 0;
        over.then(|| self.last_at.unwrap_or(self.created_at))
    }

    /// The status that a caller sees.
    pub fn status(&self) -> JobStatus {
        match (self.started_at, self.completed_at()) {
            (_, Some(_)) if self.failed > 0 && self.synced == 0 => JobStatus::Failed,
            (_, Some(_)) => JobStatus::Completed,
            (Some(_), None) => JobStatus::Running,
            (None, None) => JobStatus::Pending,
        }
    }

    /// Whole percent, 0 to 100; 100 only when the job is over.
    pub fn progress(&self) -> u64 {
        if self.completed_at().is_some() {
            return 100;
        }
        let done = self.total.saturating_sub(self.remaining.max(0).unsigned_abs());
        (done * 100).checked_div(self.total).unwrap_or(0).min(99)
    }
}

/// One record of a job that needs a person.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobError {
    /// The record: a timecard id or an entity's name.
    pub record: String,
    /// What is wrong and what to do.
    pub errors: Vec<FieldError>,
}

/// The jobs.
#[derive(Clone, Debug)]
pub struct Jobs {
    client: Client,
    table: String,
}

impl Jobs {
    /// The jobs in `table`.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// Stores a new job.
    pub async fn create(&self, job: &Job) -> Result<()> {
        self.client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(dynamo::to_item(job)?))
            .condition_expression("attribute_not_exists(job)")
            .send()
            .await
            .map_err(Error::aws("store the job"))?;
        Ok(())
    }

    /// Reads a job.
    pub async fn get(&self, job: &JobId) -> Result<Option<Job>> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("job", s(job.as_ref()))
            .key("item", s("job"))
            .consistent_read(true)
            .send()
            .await
            .map_err(Error::aws("read the job"))?;
        answer.item.map(|item| dynamo::from_item("a job", item)).transpose()
    }

    /// The first [`ERRORS_LISTED`] records of a job that need a person.
    pub async fn errors(&self, job: &JobId) -> Result<Vec<JobError>> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("job = :job AND begins_with(#item, :error)")
            .expression_attribute_names("#item", "item")
            .expression_attribute_values(":job", s(job.as_ref()))
            .expression_attribute_values(":error", s("error#"))
            .limit(ERRORS_LISTED)
            .send()
            .await
            .map_err(Error::aws("read the job's errors"))?;
        answer.items.unwrap_or_default().iter().map(read_error).collect()
    }

    /// Says how many work items the job still has to finish. Called before they are added, and again
    /// under the company's lease if planning was interrupted: the last call counts.
    pub async fn planned(&self, job: &JobId, remaining: u64, now: Timestamp) -> Result<()> {
        let done = self.get(job).await?.map_or(0, |job| job.synced + job.failed + job.nothing);
        let result = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("job", s(job.as_ref()))
            .key("item", s("job"))
            .update_expression(
                "SET planned = :true, #total = :total, remaining = :remaining, lastAt = :now",
            )
            .condition_expression("attribute_exists(job)")
            .expression_attribute_names("#total", "total")
            .expression_attribute_values(":true", flag(true))
            .expression_attribute_values(":total", n(remaining + done))
            .expression_attribute_values(":remaining", n(remaining))
            .expression_attribute_values(":now", ms(now))
            .send()
            .await;
        if let Err(error) = result {
            dynamo::not_met(error, "plan the job")?;
        }
        Ok(())
    }

    /// The changes to job rows that go into the transaction which finishes work.
    pub(crate) fn count(
        &self,
        finished: &[&Finished],
        now: Timestamp,
    ) -> Result<Vec<TransactWriteItem>> {
        let mut tallies: BTreeMap<&JobId, [i64; 3]> = BTreeMap::new();
        let mut actions = Vec::new();
        for done in finished {
            for job in &done.item.jobs {
                let tally = tallies.entry(job).or_default();
                match &done.outcome {
                    Outcome::Synced => tally[0] += 1,
                    Outcome::Nothing => tally[2] += 1,
                    Outcome::Failed(errors) => {
                        tally[1] += 1;
                        actions.push(self.error_row(job, done, errors)?);
                    }
                }
            }
        }
        for (job, [synced, failed, nothing]) in tallies {
            let update = Update::builder()
                .table_name(&self.table)
                .key("job", s(job.as_ref()))
                .key("item", s("job"))
                .update_expression(
                    "SET startedAt = if_not_exists(startedAt, :now), lastAt = :now \
                     ADD synced :synced, failed :failed, nothing :nothing, remaining :done",
                )
                .expression_attribute_values(":now", ms(now))
                .expression_attribute_values(":synced", n(synced))
                .expression_attribute_values(":failed", n(failed))
                .expression_attribute_values(":nothing", n(nothing))
                .expression_attribute_values(":done", n(-(synced + failed + nothing)))
                .build()
                .map_err(Error::aws("count for the job"))?;
            actions.push(TransactWriteItem::builder().update(update).build());
        }
        Ok(actions)
    }

    fn error_row(
        &self,
        job: &JobId,
        done: &Finished,
        errors: &[FieldError],
    ) -> Result<TransactWriteItem> {
        let record = done.item.task.key();
        let json = serde_json::to_string(errors)
            .map_err(|error| Error::unreadable("a job's error", error))?;
        let item = Item::from([
            ("job".to_owned(), s(job.as_ref())),
            ("item".to_owned(), s(format!("error#{record}"))),
            ("errors".to_owned(), s(json)),
            ("expiresAt".to_owned(), ttl(done.item.due + KEPT)),
        ]);
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .build()
            .map_err(Error::aws("count for the job"))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }
}

fn read_error(item: &Item) -> Result<JobError> {
    let text = |name: &str| {
        item.get(name)
            .and_then(|value| value.as_s().ok())
            .ok_or_else(|| Error::unreadable("a job's error", format!("{name} is missing")))
    };
    let errors = serde_json::from_str(text("errors")?)
        .map_err(|error| Error::unreadable("a job's error", error))?;
    let record = text("item")?.trim_start_matches("error#");
    let record = record.split_once('#').map_or(record, |(_, id)| id);
    Ok(JobError { record: record.to_owned(), errors })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(planned: bool, total: u64, remaining: i64, synced: u64, failed: u64) -> Job {
        let now = Timestamp::UNIX_EPOCH;
        let (id, company) = ("j1".parse().unwrap(), "c1".parse().unwrap());
        let mut job = Job::new(id, company, Vec::new(), Lane::Normal, "u".to_owned(), now);
        (job.planned, job.total, job.remaining) = (planned, total, remaining);
        (job.synced, job.failed) = (synced, failed);
        job.started_at = (synced + failed > 0).then_some(1);
        job
    }

    #[test]
    fn a_job_is_over_when_it_is_planned_and_nothing_remains() {
        assert_eq!(job(false, 0, 0, 0, 0).status(), JobStatus::Pending);
        assert_eq!(job(true, 3, 3, 0, 0).status(), JobStatus::Pending);
        assert_eq!(job(true, 3, 1, 1, 1).status(), JobStatus::Running);
        assert_eq!(job(true, 3, 0, 2, 1).status(), JobStatus::Completed);
        assert_eq!(job(true, 3, 0, 0, 3).status(), JobStatus::Failed);
        assert_eq!(job(true, 0, 0, 0, 0).status(), JobStatus::Completed);
    }

    #[test]
    fn progress_reaches_100_only_when_the_job_is_over() {
        assert_eq!(job(true, 1000, 1, 999, 0).progress(), 99);
        assert_eq!(job(true, 1000, 0, 1000, 0).progress(), 100);
        assert_eq!(job(false, 0, 0, 0, 0).progress(), 0);
        assert_eq!(job(true, 0, 0, 0, 0).progress(), 100);
    }
}
