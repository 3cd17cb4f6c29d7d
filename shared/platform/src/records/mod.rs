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
use serde::{Deserialize, Serialize};

use crate::dynamo::{self, Item, Sql, Statement, ms, n, s};
use crate::error::{Error, Result};
use crate::keys;

mod names;

pub use names::{Imported, Names};

/// What QuickBooks holds for a timecard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QuickBooksCopy {
    /// The TimeActivity's Id.
    pub id: String,
    /// Its SyncToken after our last write.
    pub sync_token: String,
    /// The timecard's version that it shows.
    pub version: u64,
    /// When QuickBooks answered, in milliseconds since 1970.
    pub synced_at: i64,
}

/// What one QuickBooks company holds for a timecard, kept after the timecard's company started over with
/// another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FormerCopy {
    /// The QuickBooks company.
    pub realm: RealmId,
    /// Zone and day, as they were frozen for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen: Option<Frozen>,
    /// What it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quick_books: Option<QuickBooksCopy>,
}

/// A stored timecard.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TimecardRecord {
    /// Whose.
    pub company: CompanyId,
    /// `timecard#` and its id.
    pub item: String,
    /// The newest version accepted.
    pub version: u64,
    /// Tells the same body from another one of the same version.
    pub fingerprint: String,
    /// The timecard as accepted, as JSON.
    pub card: String,
    /// Where it is on its way.
    pub status: SyncStatus,
    /// `[FieldError]` as JSON; empty unless it failed.
    pub errors: String,
    /// When the newest version was accepted, in milliseconds since 1970.
    pub accepted_at: i64,
    /// The QuickBooks company that `frozen` and `quick_books` are about. Ids of one mean nothing in
    /// another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub realm: Option<RealmId>,
    /// Zone and day, frozen at the first send.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen: Option<Frozen>,
    /// What QuickBooks holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quick_books: Option<QuickBooksCopy>,
    /// The same of QuickBooks companies that its company was connected to before it started over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<FormerCopy>,
    /// The fence of the worker that last wrote a result; 0 before the first.
    pub fence: u64,
}

impl TimecardRecord {
    /// The timecard itself.
    pub fn timecard(&self) -> Result<Timecard> {
        serde_json::from_str(&self.card).map_err(|error| Error::unreadable(&self.item, error))
    }

    /// The record as it stands in a QuickBooks company: what it says of another one, which its company
    /// was connected to before it started over, is [`former`](Self::former).
    #[must_use]
    pub fn seen_from(mut self, realm: &RealmId) -> Self {
        let Some(left) = self.realm.take_if(|of| of != realm) else { return self };
        let back = self.former.iter().position(|former| former.realm == *realm);
        let back = back.map(|index| self.former.remove(index));
        self.former.push(FormerCopy {
            realm: left,
            frozen: self.frozen.take(),
            quick_books: self.quick_books.take(),
        });
        if let Some(back) = back {
            (self.realm, self.frozen, self.quick_books) =
                (Some(back.realm), back.frozen, back.quick_books);
        }
        self
    }

    /// Whether the newest version is in a QuickBooks company that its company has left, and not in this
    /// one ([`seen_from`](Self::seen_from)): it is not entered twice.
    pub fn is_former(&self) -> bool {
        let there = |former: &FormerCopy| former.quick_books.as_ref().map(|copy| copy.version);
        self.quick_books.is_none()
            && self.former.iter().any(|former| there(former) == Some(self.version))
    }

    /// Whether QuickBooks shows the newest version.
    pub fn is_current(&self) -> bool {
        self.quick_books.as_ref().is_some_and(|copy| copy.version == self.version)
    }
}

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

    /// Gives each TimeActivity of a QuickBooks company to its timecard. Answers, per pair, whether it is that timecard's: false
    /// means that it belongs to another one and must never be adopted.
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

    /// Writes what came of sends to, or checks for, a QuickBooks company, 25 to a request. A result of an older version changes what QuickBooks holds, not
    /// the status; a worker with an older fence changes nothing.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn synced(realm: &str, id: &str) -> TimecardRecord {
        TimecardRecord {
            company: "c1".parse().unwrap(),
            item: "timecard#t-1".to_owned(),
            version: 1,
            fingerprint: String::new(),
            card: String::new(),
            status: SyncStatus::Synced,
            errors: String::new(),
            accepted_at: 0,
            realm: Some(realm.parse().unwrap()),
            frozen: Some(Frozen {
                time_zone: "America/Denver".to_owned(),
                txn_date: "2026-11-20".parse().unwrap(),
            }),
            quick_books: Some(QuickBooksCopy {
                id: id.to_owned(),
                sync_token: "0".to_owned(),
                version: 1,
                synced_at: 0,
            }),
            former: Vec::new(),
            fence: 1,
        }
    }

    #[test]
    fn an_id_of_one_quickbooks_company_is_never_used_in_another_and_is_kept() {
        let (first, second) = ("101".parse().unwrap(), "202".parse().unwrap());
        let record = synced("101", "7");
        assert_eq!(record.clone().seen_from(&first).quick_books, record.quick_books);
        let seen = record.clone().seen_from(&second);
        assert_eq!((seen.quick_books.as_ref(), seen.frozen.as_ref()), (None, None));
        assert!(!seen.is_current() && seen.is_former());
        assert_eq!(seen.former[0].realm, first);
        assert_eq!(seen.former[0].quick_books, record.quick_books);
    }

    #[test]
    fn back_in_a_former_quickbooks_company_its_id_counts_again() {
        let (first, second) = ("101".parse().unwrap(), "202".parse().unwrap());
        let before = synced("101", "7");
        let mut record = before.clone().seen_from(&second);
        let now_there = synced("202", "3");
        (record.realm, record.quick_books) = (now_there.realm, now_there.quick_books.clone());
        let back = record.seen_from(&first);
        assert_eq!(
            (back.quick_books.as_ref(), back.frozen),
            (before.quick_books.as_ref(), before.frozen)
        );
        assert_eq!(back.former.len(), 1);
        assert_eq!(back.former[0].quick_books, now_there.quick_books);
    }

    #[test]
    fn a_record_that_was_never_sent_is_the_same_from_everywhere() {
        let mut record = synced("101", "7");
        (record.realm, record.frozen, record.quick_books) = (None, None, None);
        let seen = record.seen_from(&"202".parse().unwrap());
        assert!(seen.former.is_empty() && seen.realm.is_none());
    }
}
