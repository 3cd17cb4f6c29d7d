//! Dead letters: records that wait for a person, with their reason.

use aws_sdk_dynamodb::types::{DeleteRequest, WriteRequest};
use domain::ids::CompanyId;
use serde::{Deserialize, Serialize};

use super::Work;
use crate::dynamo::{self, s};
use crate::error::{Error, Result};

/// Why a record cannot go on by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DeadReason {
    /// Our own check found something that a person must fix; it is looked at again at each catch-up.
    Check,
    /// QuickBooks refused it.
    Refused,
    /// All retries are used up.
    Exhausted,
    /// It took four workers down with it.
    Poison,
    /// What QuickBooks has cannot be told apart; a person decides.
    Ambiguous,
    /// A bus event that cannot be accepted.
    Event,
}

/// A record that waits for a person, with its reason.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// Whose; [`keys::NO_COMPANY`] for a bus event that names none.
    pub company: String,
    /// `dead#` and the record's key, or `before-start#` and the record's key.
    pub item: String,
    /// Why.
    pub reason: DeadReason,
    /// `[FieldError]` as JSON: what is wrong, and what to do.
    pub errors: String,
    /// When it failed, in milliseconds since 1970.
    pub failed_at: i64,
    /// Attempts before it failed.
    pub attempts: u32,
    /// The bus event as it came, as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
}

impl Work {
    /// Writes dead letters (or cards before `syncFrom`).
    pub async fn bury(&self, letters: &[DeadLetter]) -> Result<()> {
        let requests = letters
            .iter()
            .map(|letter| dynamo::put_request(dynamo::to_item(letter)?))
            .collect::<Result<Vec<WriteRequest>>>()?;
        dynamo::batch_write(&self.client, "write dead letters", &self.table, requests).await
    }

    /// Dead letters of a company under a prefix ([`keys::DEAD`] or [`keys::BEFORE_START`]), a page.
    pub async fn buried(
        &self,
        company: &str,
        prefix: &str,
        after: Option<String>,
    ) -> Result<(Vec<DeadLetter>, Option<String>)> {
        let (items, last) = self.query(company, prefix, after, 100).await?;
        let letters = items
            .into_iter()
            .map(|item| dynamo::from_item("a dead letter", item))
            .collect::<Result<_>>()?;
        Ok((letters, last))
    }

    /// Removes dead letters by their sort keys; absent ones are fine.
    pub async fn exhume(&self, company: &CompanyId, items: &[String]) -> Result<()> {
        let requests = items
            .iter()
            .map(|item| {
                let request = DeleteRequest::builder()
                    .key("company", s(company.as_ref()))
                    .key("item", s(item))
                    .build()
                    .map_err(Error::aws("remove dead letters"))?;
                Ok(WriteRequest::builder().delete_request(request).build())
            })
            .collect::<Result<Vec<_>>>()?;
        dynamo::batch_write(&self.client, "remove dead letters", &self.table, requests).await
    }
}
