//! The line that stays of a deleted company, and what it says of the company meanwhile.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{TransactWriteItem, Update};
use domain::ids::CompanyId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::dynamo::{self, Item, met, ms, n, not_met, s};
use crate::error::{Error, Result};
use crate::keys;

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

impl Line {
    /// Whether nothing may be stored of what was asked for then: neither while the erasure runs, since it
    /// may have passed already, nor after it.
    fn forbids(&self, asked: Timestamp) -> bool {
        let asked_before = self.at >= asked.as_millisecond();
        self.again_at.is_none() && (self.state == State::Erasing || asked_before)
    }
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

/// Whether a company may be connected, and what that takes.
#[derive(Debug)]
pub enum Opening {
    /// It was never deleted.
    Nothing,
    /// It was: this belongs into the transaction.
    With(Box<TransactWriteItem>),
    /// Not now.
    BeingErased,
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
        loop {
            let before = self.line(company).await?;
            let begun = decide(before.as_ref(), requested);
            let under_way = before.as_ref().is_some_and(|line| line.state == State::Erasing);
            if begun != Begun::Yes || under_way {
                return Ok(begun);
            }
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
            if self.replace(before.as_ref(), &line).await? {
                return Ok(begun);
            }
            // The company was connected again meanwhile, or somebody else erases it.
        }
    }

    /// Puts a line in the place of the one that was read. Answers false when there is another one by now.
    async fn replace(&self, before: Option<&Line>, line: &Line) -> Result<bool> {
        let put =
            self.client.put_item().table_name(&self.table).set_item(Some(dynamo::to_item(line)?));
        let put = match before {
            None => put.condition_expression("attribute_not_exists(company)"),
            Some(before) => {
                let put = put
                    .expression_attribute_names("#state", "state")
                    .expression_attribute_values(":erased", s("erased"));
                match before.again_at {
                    None => put
                        .condition_expression("#state = :erased AND attribute_not_exists(againAt)"),
                    Some(again) => put
                        .condition_expression("#state = :erased AND againAt = :again")
                        .expression_attribute_values(":again", n(again)),
                }
            }
        };
        met(put.send().await, "write the line of a deleted company")
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

    /// Whether the company is being deleted, or was deleted after somebody asked for something and not
    /// connected again.
    pub async fn is_deleted_since(&self, company: &CompanyId, asked: Timestamp) -> Result<bool> {
        Ok(self.line(company).await?.is_some_and(|line| line.forbids(asked)))
    }

    /// Whether the company was deleted and not connected again.
    pub async fn is_deleted(&self, company: &CompanyId) -> Result<bool> {
        Ok(self.line(company).await?.is_some_and(|line| line.again_at.is_none()))
    }

    /// What has to be written of the line in the transaction that makes a company's connection live.
    ///
    /// From then on the company is as any other, and a deletion that was asked for earlier comes too late.
    /// A confirmation that does not come off leaves the line as it is: a deletion on its way counts.
    pub async fn opening(&self, company: &CompanyId, now: Timestamp) -> Result<Opening> {
        let call = "open a deleted company again";
        Ok(match self.line(company).await?.map(|line| line.state) {
            None => Opening::Nothing,
            Some(State::Erasing) => Opening::BeingErased,
            Some(State::Erased) => {
                let update = Update::builder()
                    .table_name(&self.table)
                    .set_key(Some(key(company)))
                    .update_expression("SET againAt = :now")
                    .condition_expression("#state = :erased")
                    .expression_attribute_names("#state", "state")
                    .expression_attribute_values(":erased", s("erased"))
                    .expression_attribute_values(":now", ms(now))
                    .build()
                    .map_err(Error::aws(call))?;
                Opening::With(Box::new(TransactWriteItem::builder().update(update).build()))
            }
        })
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
    fn nothing_of_a_company_is_stored_while_it_is_being_erased_or_of_what_was_asked_for_before() {
        let mut line = line(State::Erasing, 5, None);
        line.at = at(5).as_millisecond();
        // Asked for before the erasure began, and while it ran.
        assert!(line.forbids(at(4)));
        assert!(line.forbids(at(6)));
        line.state = State::Erased;
        assert!(line.forbids(at(4)));
        assert!(!line.forbids(at(6)), "it is being connected anew");
        line.again_at = Some(at(7).as_millisecond());
        assert!(!line.forbids(at(4)));
    }

    #[test]
    fn a_late_request_never_erases_a_company_that_was_connected_again_since() {
        assert_eq!(decide(Some(&line(State::Erased, 5, Some(7))), at(5)), Begun::Old);
        assert_eq!(decide(Some(&line(State::Erased, 5, Some(7))), at(6)), Begun::Old);
    }
}
