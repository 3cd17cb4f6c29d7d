//! Records: the timecards of the host app, and what was imported from QuickBooks.

use std::collections::HashMap;
use std::fmt::Write as _;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use domain::ids::{CompanyId, RealmId, TimecardId};
use domain::problem::FieldError;
use domain::time_activity::Frozen;
use domain::timecard::Timecard;
use domain::work::SyncStatus;
use jiff::Timestamp;
use serde::Serialize;

use crate::dynamo::{self, Item, Sql, Statement, ms, n, s};
use crate::error::{Error, Result};
use crate::keys;

mod names;
mod timecard;

pub use names::{Imported, Names};
pub use timecard::{FormerCopy, QuickBooksCopy, TimecardRecord};

/// What became of a timecard at intake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// Stored: new, or a higher version.
    New,
    /// The same version with the same body is there already, in this status.
    Duplicate(SyncStatus),
    /// The same version is there with another body.
    OtherBody,
    /// A higher version is there.
    Older(u64),
}

/// What a send or a check came to, to be written on the record.
#[derive(Debug, Clone)]
pub struct Written {
    /// The record's key.
    pub record: String,
    /// The version that was sent or checked.
    pub version: u64,
    /// The status if that version is still the newest.
    pub status: SyncStatus,
    /// Why it failed, if it did.
    pub errors: Vec<FieldError>,
    /// What QuickBooks holds now.
    pub shown: Shown,
    /// Zone and day, if it was sent; those that stay, if it was taken back.
    pub frozen: Option<Frozen>,
    /// [`TimecardRecord::former`] of the record that it was sent for.
    pub former: Vec<FormerCopy>,
}

/// What a result says of the TimeActivity in QuickBooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// Nothing new.
    Unchanged,
    /// It is this now.
    Now(QuickBooksCopy),
    /// It was taken back.
    Gone,
}

/// The records.
#[derive(Clone, Debug)]
pub struct Records {
    client: Client,
    table: String,
}

impl Records {
    /// The records in `table`.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// Stores timecards, 25 to a request, each only if it is newer than what is stored. The cards of
    /// one call must have different ids.
    pub async fn accept(&self, cards: &[Timecard], now: Timestamp) -> Result<Vec<Accepted>> {
        let statements =
            cards.iter().map(|card| self.insert(card, now)).collect::<Result<Vec<_>>>()?;
        let outcomes =
            dynamo::batch_statements(&self.client, "store timecards", statements).await?;
        let mut accepted = Vec::with_capacity(cards.len());
        for (card, outcome) in cards.iter().zip(outcomes) {
            accepted.push(match outcome {
                Statement::Done => Accepted::New,
                Statement::NotMet(_) => self.replace(card, now).await?,
            });
        }
        Ok(accepted)
    }

    fn insert(&self, card: &Timecard, now: Timestamp) -> Result<Sql> {
        Ok(Sql {
            text: format!(
                "INSERT INTO \"{}\" VALUE {{'company': ?, 'item': ?, 'version': ?, 'fingerprint': ?, \
                 'card': ?, 'status': ?, 'errors': ?, 'acceptedAt': ?, 'fence': ?}}",
                self.table
            ),
            parameters: vec![
                s(card.company_id.as_ref()),
                s(keys::timecard(&card.timecard_id)),
                n(card.version),
                s(card.fingerprint()),
                s(to_json(card)?),
                s(SyncStatus::Pending.as_str()),
                s(""),
                ms(now),
                n(0),
            ],
        })
    }

    async fn replace(&self, card: &Timecard, now: Timestamp) -> Result<Accepted> {
        let result = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("company", s(card.company_id.as_ref()))
            .key("item", s(keys::timecard(&card.timecard_id)))
            .update_expression(
                "SET version = :version, fingerprint = :fingerprint, card = :card, #status = :pending, \
                 errors = :none, acceptedAt = :now",
            )
            .condition_expression("version < :version")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":version", n(card.version))
            .expression_attribute_values(":fingerprint", s(card.fingerprint()))
            .expression_attribute_values(":card", s(to_json(card)?))
            .expression_attribute_values(":pending", s(SyncStatus::Pending.as_str()))
            .expression_attribute_values(":none", s(""))
            .expression_attribute_values(":now", ms(now))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Err(error) = result else { return Ok(Accepted::New) };
        let Some(item) = dynamo::not_met(error, "store a timecard")? else {
            return Err(Error::unreadable("a timecard", "it changed while it was being stored"));
        };
        let stored: TimecardRecord = dynamo::from_item("a timecard", item)?;
        Ok(if stored.version > card.version {
            Accepted::Older(stored.version)
        } else if stored.fingerprint == card.fingerprint() {
            Accepted::Duplicate(stored.status)
        } else {
            Accepted::OtherBody
        })
    }

    /// Reads timecards by id; absent ones are not in the answer.
    pub async fn timecards(
        &self,
        company: &CompanyId,
        ids: &[TimecardId],
    ) -> Result<HashMap<TimecardId, TimecardRecord>> {
        let keys = ids.iter().map(|id| key(company, &keys::timecard(id))).collect();
        let items = dynamo::batch_get(&self.client, "read timecards", &self.table, keys).await?;
        items
            .into_iter()
            .map(|item| {
                let record: TimecardRecord = dynamo::from_item("a timecard", item)?;
                let id = record
                    .item
                    .trim_start_matches("timecard#")
                    .parse()
                    .map_err(|error| Error::unreadable(&record.item, error))?;
                Ok((id, record))
            })
            .collect()
    }

    /// Gives each TimeActivity of a QuickBooks company to its timecard. Answers, per pair, whether it is
    /// that timecard's: false means that it belongs to another one and must never be adopted.
    pub async fn claim(
        &self,
        company: &CompanyId,
        realm: &RealmId,
        pairs: &[(String, String)],
    ) -> Result<Vec<bool>> {
        let statements = pairs
            .iter()
            .map(|(id, record)| Sql {
                text: format!(
                    "INSERT INTO \"{}\" VALUE {{'company': ?, 'item': ?, 'record': ?}}",
                    self.table
                ),
                parameters: vec![
                    s(company.as_ref()),
                    s(keys::time_activity_guard(realm, id)),
                    s(record),
                ],
            })
            .collect();
        let outcomes =
            dynamo::batch_statements(&self.client, "claim TimeActivities", statements).await?;
        let mut ours = Vec::with_capacity(pairs.len());
        for ((id, record), outcome) in pairs.iter().zip(outcomes) {
            ours.push(match outcome {
                Statement::Done => true,
                Statement::NotMet(_) => {
                    self.owner(company, realm, id).await?.as_deref() == Some(record)
                }
            });
        }
        Ok(ours)
    }

    /// The record that a TimeActivity of a QuickBooks company belongs to.
    pub async fn owner(
        &self,
        company: &CompanyId,
        realm: &RealmId,
        id: &str,
    ) -> Result<Option<String>> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key(company, &keys::time_activity_guard(realm, id))))
            .consistent_read(true)
            .send()
            .await
            .map_err(Error::aws("read a TimeActivity's owner"))?;
        Ok(answer.item.and_then(|mut item| match item.remove("record") {
            Some(AttributeValue::S(record)) => Some(record),
            _ => None,
        }))
    }

    /// Writes what came of sends to, or checks for, a QuickBooks company, 25 to a request. A result of an
    /// older version changes what QuickBooks holds, not the status; a worker with an older fence changes
    /// nothing.
    pub async fn write_results(
        &self,
        company: &CompanyId,
        realm: &RealmId,
        fence: u64,
        results: &[Written],
    ) -> Result<()> {
        let statements = results
            .iter()
            .map(|result| self.result(company, realm, fence, result, true))
            .collect::<Result<Vec<_>>>()?;
        let outcomes = dynamo::batch_statements(&self.client, "write results", statements).await?;
        let late = results
            .iter()
            .zip(outcomes)
            .filter(|(result, outcome)| {
                matches!(outcome, Statement::NotMet(_)) && result.shown != Shown::Unchanged
            })
            .map(|(result, _)| self.result(company, realm, fence, result, false))
            .collect::<Result<Vec<_>>>()?;
        dynamo::batch_statements(&self.client, "write results", late).await?;
        Ok(())
    }

    fn result(
        &self,
        company: &CompanyId,
        realm: &RealmId,
        fence: u64,
        result: &Written,
        newest: bool,
    ) -> Result<Sql> {
        let mut sets = vec!["fence"];
        let mut parameters = vec![n(fence)];
        if newest {
            sets.extend(["status", "errors"]);
            parameters.push(s(result.status.as_str()));
            parameters.push(s(if result.errors.is_empty() {
                String::new()
            } else {
                to_json(&result.errors)?
            }));
        }
        match &result.shown {
            Shown::Unchanged => {}
            Shown::Now(copy) => {
                sets.push("quickBooks");
                parameters.push(AttributeValue::M(dynamo::to_item(copy)?));
            }
            Shown::Gone => {
                sets.push("quickBooks");
                parameters.push(AttributeValue::Null(true));
            }
        }
        if result.shown == Shown::Gone && result.frozen.is_none() {
            sets.push("frozen");
            parameters.push(AttributeValue::Null(true));
        }
        if let Some(frozen) = &result.frozen {
            sets.push("frozen");
            parameters.push(AttributeValue::M(dynamo::to_item(frozen)?));
        }
        if result.shown != Shown::Unchanged || result.frozen.is_some() {
            sets.push("realm");
            parameters.push(s(realm.as_ref()));
            if !result.former.is_empty() {
                sets.push("former");
                let former = result.former.iter().map(dynamo::to_item);
                let former = former.map(|former| former.map(AttributeValue::M));
                parameters.push(AttributeValue::L(former.collect::<Result<_>>()?));
            }
        }
        let mut text = format!("UPDATE \"{}\"", self.table);
        for set in sets {
            let _ = write!(text, " SET \"{set}\"=?");
        }
        text.push_str(" WHERE \"company\"=? AND \"item\"=?");
        parameters.extend([s(company.as_ref()), s(&result.record)]);
        if newest {
            text.push_str(" AND \"version\"=?");
            parameters.push(n(result.version));
        }
        text.push_str(" AND \"fence\"<=?");
        parameters.push(n(fence));
        Ok(Sql { text, parameters })
    }
}

fn key(company: &CompanyId, item: &str) -> Item {
    Item::from([("company".to_owned(), s(company.as_ref())), ("item".to_owned(), s(item))])
}

fn to_json<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::unreadable("a new record", error))
}
