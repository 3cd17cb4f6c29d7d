//! What is due among the connections, read from the sparse indexes: a read costs what it finds, not what
//! the table holds.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity, Select};
use domain::ids::CompanyId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ACCESS_EXPIRY_INDEX, Connection, Connections, HARD_EXPIRY_INDEX, REFRESH_AGE_INDEX};
use crate::dynamo::{Item, met, ms, n, s};
use crate::error::{Error, Result};

/// Connections read at a time (C6: pages of 100).
pub const PAGE: i32 = 100;

/// An index over connections, by a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DueIndex {
    /// Live ones, by when their refresh token was last renewed.
    RefreshAge,
    /// Those in use, by the end of their access token.
    AccessExpiry,
    /// Live ones, by when somebody must be warned of the hard expiry.
    HardExpiry,
}

impl DueIndex {
    /// The index, the attribute with the shard, and the one with the time.
    const fn names(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::RefreshAge => (REFRESH_AGE_INDEX, "liveShard", "refreshedAt"),
            Self::AccessExpiry => (ACCESS_EXPIRY_INDEX, "activeShard", "accessExpiresAt"),
            Self::HardExpiry => (HARD_EXPIRY_INDEX, "liveShard", "warnAt"),
        }
    }
}

/// A place in an index: the row that was read last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The row's key.
    pub id: String,
    /// Its time in the index, in milliseconds since 1970.
    pub at: i64,
}

/// A page of an index.
#[derive(Debug)]
pub struct Page {
    /// Whose connections, the longest due first.
    pub companies: Vec<CompanyId>,
    /// Where the next page begins; `None` after the last one.
    pub next: Option<Place>,
    /// What reading it cost, in DynamoDB's read units.
    pub read_units: f64,
}

impl Connections {
    /// Connections of one shard whose time in the index is `until` or earlier, at most [`PAGE`], from
    /// `after` on. A page does not depend on what was done about the one before.
    pub async fn due(
        &self,
        index: DueIndex,
        shard: &str,
        until: Timestamp,
        after: Option<&Place>,
    ) -> Result<Page> {
        let (name, part, time) = index.names();
        let start = after.map(|place| {
            HashMap::from([
                ("id".to_owned(), s(&place.id)),
                (part.to_owned(), s(shard)),
                (time.to_owned(), n(place.at)),
            ])
        });
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(name)
            .key_condition_expression("#part = :shard AND #time <= :until")
            .expression_attribute_names("#part", part)
            .expression_attribute_names("#time", time)
            .expression_attribute_values(":shard", s(shard))
            .expression_attribute_values(":until", ms(until))
            .set_exclusive_start_key(start)
            .limit(PAGE)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(Error::aws("read the connections that are due"))?;
        let companies = answer.items.unwrap_or_default().iter().filter_map(company).collect();
        Ok(Page {
            companies,
            next: answer.last_evaluated_key.as_ref().and_then(|key| place(key, time)),
            read_units: answer
                .consumed_capacity
                .and_then(|capacity| capacity.capacity_units)
                .unwrap_or_default(),
        })
    }

    /// The earliest time in one shard of an index, if anything is there.
    pub async fn earliest(&self, index: DueIndex, shard: &str) -> Result<Option<Timestamp>> {
        let (name, part, time) = index.names();
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(name)
            .key_condition_expression("#part = :shard")
            .expression_attribute_names("#part", part)
            .expression_attribute_values(":shard", s(shard))
            .limit(1)
            .send()
            .await
            .map_err(Error::aws("read the earliest connection of an index"))?;
        let first = answer.items.unwrap_or_default().into_iter().next();
        let at = first.and_then(|item| number(item.get(time)));
        Ok(at.and_then(|at| Timestamp::from_millisecond(at).ok()))
    }

    /// How many live connections of one shard were last refreshed after `from` and at `until` or
    /// earlier. Costs half a read unit for about forty of them.
    pub async fn count_refreshed(
        &self,
        shard: &str,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<u64> {
        let mut count = 0;
        let mut start: Option<Item> = None;
        loop {
            let answer = self
                .client
                .query()
                .table_name(&self.table)
                .index_name(REFRESH_AGE_INDEX)
                .select(Select::Count)
                .key_condition_expression(
                    "liveShard = :shard AND refreshedAt BETWEEN :from AND :until",
                )
                .expression_attribute_values(":shard", s(shard))
                .expression_attribute_values(":from", n(from.as_millisecond() + 1))
                .expression_attribute_values(":until", ms(until))
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(Error::aws("count connections by age"))?;
            count += u64::try_from(answer.count).unwrap_or_default();
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok(count);
            }
        }
    }

    /// Takes a connection that is not in use out of the index that the five-minute sweep reads; the next
    /// use puts it back. Answers false when it was used, or refreshed into another one, meanwhile.
    pub async fn rest(&self, connection: &Connection) -> Result<bool> {
        let used = match connection.active_at {
            Some(_) => "activeAt = :used",
            None => "attribute_not_exists(activeAt)",
        };
        let mut update = self
            .update(connection)
            .update_expression("REMOVE activeShard")
            .condition_expression(format!("connectionId = :connection AND {used}"));
        if let Some(at) = connection.active_at {
            update = update.expression_attribute_values(":used", n(at));
        }
        met(update.send().await, "let a connection rest")
    }

    /// Says that somebody was warned of the hard expiry, and when the next warning is due. Answers false
    /// when the time of the warning is another one by now.
    pub async fn warned(&self, connection: &Connection, next: Option<Timestamp>) -> Result<bool> {
        let Some(seen) = connection.warn_at else { return Ok(false) };
        let mut update = self
            .update(connection)
            .condition_expression("connectionId = :connection AND warnAt = :seen")
            .expression_attribute_values(":seen", n(seen));
        update = match next {
            Some(next) => update
                .update_expression("SET warnAt = :next")
                .expression_attribute_values(":next", ms(next)),
            None => update.update_expression("REMOVE warnAt"),
        };
        met(update.send().await, "put the next warning off")
    }
}

fn company(item: &Item) -> Option<CompanyId> {
    let id = item.get("id").and_then(|id| id.as_s().ok())?;
    let company = id.strip_prefix("company#").and_then(|company| company.parse().ok());
    if company.is_none() {
        // One row that cannot be understood must not stop a sweep over all the others.
        tracing::error!(row = id, "a row in an index over connections is of no company");
    }
    company
}

fn place(key: &Item, time: &str) -> Option<Place> {
    Some(Place { id: key.get("id")?.as_s().ok()?.clone(), at: number(key.get(time))? })
}

fn number(value: Option<&AttributeValue>) -> Option<i64> {
    value?.as_n().ok()?.parse().ok()
}
