//! What the runs of sweeps came to: a row for each run, and one for each chunk that was counted.
//!
//! # How nothing is counted twice
//!
//! A run's row says how far its index was read. A part of the index is counted as due in the write that
//! moves this place on, and that write needs the place to be the one that was read from: a part that is
//! read twice is handed out once. What was done about a chunk is counted in the transaction that puts
//! the chunk's own row, which can be put once. So a message may come twice, and a function may die
//! anywhere: a part that was counted and whose messages were never sent stays in `left`, for everybody
//! to see, and the next run finds it due again.
//!
//! The rows are in the table `Counters` under partitions that are no company's, and go by time to live.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    Put, ReturnValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use domain::ids::CompanyId;
use domain::sweep::{Run, SweepKind};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::connections::due::Place;
use crate::dynamo::{self, Item, ms, n, not_met, s, ttl};
use crate::error::{Error, Result};
use crate::keys;

const HOURS: SignedDuration = SignedDuration::from_hours(1);

/// How long a run is kept. The five-minute sweep has 288 a day.
fn kept(kind: SweepKind) -> SignedDuration {
    let days = match kind {
        SweepKind::Access => 7,
        SweepKind::Stale | SweepKind::HardExpiry => 90,
    };
    HOURS * (24 * days)
}

/// How long it is remembered that a chunk was counted: longer than a message can live, dead letters
/// included (14 days).
const CHUNK_KEPT: SignedDuration = SignedDuration::from_hours(15 * 24);

/// How far a run has read its index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "at")]
pub enum Position {
    /// Some of this shard was read, or nothing of it yet.
    Shard {
        /// Its number.
        shard: u32,
        /// The row read last.
        #[serde(skip_serializing_if = "Option::is_none")]
        after: Option<Place>,
    },
    /// Everything was read.
    End,
}

impl Position {
    /// Nothing was read.
    pub const START: Self = Self::Shard { shard: 0, after: None };

    fn text(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|error| Error::unreadable("a run's position", error))
    }
}

/// What became of companies that were due.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Refreshed or, by the sweep over hard expiries, warned.
    pub done: u64,
    /// Not, for a reason that the logs and the audit trail tell.
    pub failed: u64,
    /// There was nothing to do: ended, switched off, or not in use.
    pub skipped: u64,
}

impl Counts {
    /// Of how many companies.
    pub fn all(self) -> u64 {
        self.done + self.failed + self.skipped
    }
}

/// A run as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// Which.
    #[serde(rename = "item")]
    pub run: Run,
    /// Companies found due.
    pub due: u64,
    /// See [`Counts::done`].
    pub done: u64,
    /// See [`Counts::failed`].
    pub failed: u64,
    /// See [`Counts::skipped`].
    pub skipped: u64,
    /// Handed out, and not heard of.
    pub left: u64,
    /// What reading the index cost, in DynamoDB's read units.
    pub read_units: f64,
    /// When it ended, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<i64>,
    position: String,
}

impl Progress {
    /// How far the index was read.
    pub fn position(&self) -> Result<Position> {
        serde_json::from_str(&self.position)
            .map_err(|error| Error::unreadable("a run's position", error))
    }

    /// Whether nothing is left to do.
    pub fn is_over(&self) -> Result<bool> {
        Ok(self.left == 0 && self.position()? == Position::End)
    }
}

/// A part of the index that was read: from where, to where, and what it held.
#[derive(Debug)]
pub struct Part<'a> {
    /// Where reading began.
    pub from: &'a Position,
    /// Where it ended.
    pub to: &'a Position,
    /// Companies in it.
    pub due: usize,
    /// What reading it cost.
    pub read_units: f64,
}

/// The runs, in the table `Counters`.
#[derive(Clone, Debug)]
pub struct SweepRuns {
    client: Client,
    table: String,
}

impl SweepRuns {
    /// The runs in `table`.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// Puts the row of a run that begins.
    pub async fn begin(&self, run: &Run) -> Result<()> {
        let progress = Progress {
            run: run.clone(),
            due: 0,
            done: 0,
            failed: 0,
            skipped: 0,
            left: 0,
            read_units: 0.0,
            finished_at: None,
            position: Position::START.text()?,
        };
        let mut item = dynamo::to_item(&progress)?;
        item.insert("company".to_owned(), s(keys::SWEEPS));
        item.insert("expiresAt".to_owned(), ttl(run.started + kept(run.kind)));
        self.client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .send()
            .await
            .map_err(Error::aws("begin a sweep's run"))?;
        Ok(())
    }

    /// Counts a part of the index as due, and moves the run's place on. `None` when somebody else has
    /// read that part: then it must not be handed out again.
    pub async fn read(&self, run: &Run, part: Part<'_>) -> Result<Option<Progress>> {
        let reader = Uuid::new_v4().to_string();
        let result = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(run)))
            .update_expression(
                "SET #position = :to, readBy = :reader ADD due :due, #left :due, readUnits :units",
            )
            .condition_expression("#position = :from")
            .expression_attribute_values(":reader", s(&reader))
            .expression_attribute_names("#position", "position")
            .expression_attribute_names("#left", "left")
            .expression_attribute_values(":from", s(part.from.text()?))
            .expression_attribute_values(":to", s(part.to.text()?))
            .expression_attribute_values(":due", n(part.due))
            .expression_attribute_values(":units", n(part.read_units))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match result {
            Ok(answer) => progress(answer.attributes.unwrap_or_default()).map(Some),
            Err(error) => {
                // The first try's answer may have been lost, and the AWS client has tried again.
                let row = not_met(error, "count what a sweep found due")?;
                row.filter(|row| row.get("readBy") == Some(&s(&reader))).map(progress).transpose()
            }
        }
    }

    /// Counts what was done about a chunk, once. `rest` are those of its companies that another message
    /// is to take care of. Answers false when the chunk was counted before, or its run is gone.
    pub async fn count(
        &self,
        run: &Run,
        chunk: &str,
        counts: Counts,
        rest: &[CompanyId],
        now: Timestamp,
    ) -> Result<bool> {
        let call = "count a sweep's chunk";
        let mut row = key_of_chunk(chunk);
        row.insert("expiresAt".to_owned(), ttl(now + CHUNK_KEPT));
        row.insert("rest".to_owned(), s(companies_text(rest)?));
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(row))
            .condition_expression("attribute_not_exists(company)")
            .build()
            .map_err(Error::aws(call))?;
        let update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(key(run)))
            .update_expression("ADD done :done, failed :failed, skipped :skipped, #left :handled")
            .condition_expression("attribute_exists(company)")
            .expression_attribute_names("#left", "left")
            .expression_attribute_values(":done", n(counts.done))
            .expression_attribute_values(":failed", n(counts.failed))
            .expression_attribute_values(":skipped", n(counts.skipped))
            .expression_attribute_values(":handled", n(format!("-{}", counts.all())))
            .build()
            .map_err(Error::aws(call))?;
        let actions = vec![
            TransactWriteItem::builder().put(put).build(),
            TransactWriteItem::builder().update(update).build(),
        ];
        dynamo::transact(&self.client, call, actions).await
    }

    /// What a chunk that was counted left for another message; `None` when it was not counted yet.
    pub async fn counted(&self, chunk: &str) -> Result<Option<Vec<CompanyId>>> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key_of_chunk(chunk)))
            .consistent_read(true)
            .send()
            .await
            .map_err(Error::aws("read a sweep's chunk"))?;
        let Some(row) = answer.item else { return Ok(None) };
        let rest = row.get("rest").and_then(|rest| rest.as_s().ok()).map_or("[]", String::as_str);
        serde_json::from_str(rest)
            .map(Some)
            .map_err(|error| Error::unreadable("a sweep's chunk", error))
    }

    /// A run, if it is known.
    pub async fn get(&self, run: &Run) -> Result<Option<Progress>> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key(run)))
            .consistent_read(true)
            .send()
            .await
            .map_err(Error::aws("read a sweep's run"))?;
        answer.item.map(progress).transpose()
    }

    /// The last run of a kind that began.
    pub async fn latest(&self, kind: SweepKind) -> Result<Option<Progress>> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("company = :sweeps AND begins_with(#item, :kind)")
            .expression_attribute_names("#item", "item")
            .expression_attribute_values(":sweeps", s(keys::SWEEPS))
            .expression_attribute_values(":kind", s(format!("{kind}/")))
            .scan_index_forward(false)
            .consistent_read(true)
            .limit(1)
            .send()
            .await
            .map_err(Error::aws("read a sweep's last run"))?;
        answer.items.unwrap_or_default().into_iter().next().map(progress).transpose()
    }

    /// Notes that a run has ended. Answers true to whoever noted it: one caller, once.
    pub async fn finish(&self, run: &Run, now: Timestamp) -> Result<bool> {
        let result = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(run)))
            .update_expression("SET finishedAt = :now")
            .condition_expression("attribute_exists(company) AND attribute_not_exists(finishedAt)")
            .expression_attribute_values(":now", ms(now))
            .send()
            .await;
        match result {
            Ok(_) => Ok(true),
            Err(error) => not_met(error, "finish a sweep's run").map(|_| false),
        }
    }
}

fn key(run: &Run) -> Item {
    Item::from([("company".to_owned(), s(keys::SWEEPS)), ("item".to_owned(), s(run.to_string()))])
}

fn key_of_chunk(chunk: &str) -> Item {
    Item::from([
        ("company".to_owned(), s(keys::sweep_chunk(chunk))),
        ("item".to_owned(), s("counted")),
    ])
}

fn companies_text(companies: &[CompanyId]) -> Result<String> {
    serde_json::to_string(companies)
        .map_err(|error| Error::unreadable("a list of companies", error))
}

fn progress(item: Item) -> Result<Progress> {
    dynamo::from_item("a sweep's run", item)
}
