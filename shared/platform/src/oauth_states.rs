//! Connect links and OAuth states: single use, short-lived, stored only as hashes.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::ids::CompanyId;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::dynamo::{self, ms, s};
use crate::error::{Error, Result};
use crate::keys;

/// A connect link lives one minute.
pub const TICKET_LIVES: SignedDuration = SignedDuration::from_mins(1);
/// An OAuth state lives ten minutes (C1).
pub const STATE_LIVES: SignedDuration = SignedDuration::from_mins(10);

/// Who asked to connect what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    /// The row's key: a hash.
    pub id: String,
    /// The company to connect.
    pub company: CompanyId,
    /// The user who asked.
    pub user: String,
    /// Hash of the browser's cookie; states only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cookie: Option<String>,
    /// Milliseconds since 1970.
    pub expires: i64,
    /// For DynamoDB's TTL, in seconds, a day later: so that "expired" can be told from "used".
    pub expires_at: i64,
}

/// What burning a ticket or state came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Burned {
    /// It was valid, and is gone now.
    Valid(Asked),
    /// It was never given out, or was used already.
    Unknown,
    /// Its time is over.
    Expired(Asked),
    /// It belongs to another browser; it stays for that one.
    OtherBrowser,
}

/// A random text of 256 bits, fit for URLs and cookies.
pub fn random() -> String {
    BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

/// The links and states.
#[derive(Clone, Debug)]
pub struct OAuthStates {
    client: Client,
    table: String,
}

impl OAuthStates {
    /// The rows in `table`.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// Stores a connect link's ticket.
    pub async fn put_ticket(
        &self,
        ticket: &str,
        company: &CompanyId,
        user: &str,
        now: Timestamp,
    ) -> Result<()> {
        self.put(keys::ticket(ticket), company, user, None, now, TICKET_LIVES).await
    }

    /// Stores an OAuth state, bound to company, user and browser.
    pub async fn put_state(
        &self,
        state: &str,
        asked: &Asked,
        cookie: &str,
        now: Timestamp,
    ) -> Result<()> {
        let cookie = Some(keys::sha256(cookie));
        self.put(keys::state(state), &asked.company, &asked.user, cookie, now, STATE_LIVES).await
    }

    async fn put(
        &self,
        id: String,
        company: &CompanyId,
        user: &str,
        cookie: Option<String>,
        now: Timestamp,
        lives: SignedDuration,
    ) -> Result<()> {
        let row = Asked {
            id,
            company: company.clone(),
            user: user.to_owned(),
            cookie,
            expires: (now + lives).as_millisecond(),
            expires_at: (now + SignedDuration::from_hours(24)).as_second(),
        };
        self.client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(dynamo::to_item(&row)?))
            .condition_expression("attribute_not_exists(id)")
            .send()
            .await
            .map_err(Error::aws("store the connect link"))?;
        Ok(())
    }

    /// Burns a connect link's ticket of a company.
    pub async fn burn_ticket(
        &self,
        ticket: &str,
        company: &CompanyId,
        now: Timestamp,
    ) -> Result<Burned> {
        let burned =
            self.burn(keys::ticket(ticket), "company = :bound", s(company.as_ref()), now).await?;
        // A ticket of another company is as unknown as none.
        Ok(if burned == Burned::OtherBrowser { Burned::Unknown } else { burned })
    }

    /// Burns an OAuth state, in one conditional delete, only for the browser it was made for.
    pub async fn burn_state(&self, state: &str, cookie: &str, now: Timestamp) -> Result<Burned> {
        self.burn(keys::state(state), "cookie = :bound", s(keys::sha256(cookie)), now).await
    }

    async fn burn(
        &self,
        id: String,
        bound_to: &str,
        bound: aws_sdk_dynamodb::types::AttributeValue,
        now: Timestamp,
    ) -> Result<Burned> {
        let result = self
            .client
            .delete_item()
            .table_name(&self.table)
            .key("id", s(id))
            .condition_expression(format!("expires > :now AND {bound_to}"))
            .expression_attribute_values(":now", ms(now))
            .expression_attribute_values(":bound", bound)
            .return_values(ReturnValue::AllOld)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let error = match result {
            Ok(answer) => {
                let item = answer.attributes.unwrap_or_default();
                return Ok(Burned::Valid(dynamo::from_item("a connect link", item)?));
            }
            Err(error) => error,
        };
        let Some(DeleteItemError::ConditionalCheckFailedException(failed)) =
            error.as_service_error()
        else {
            return Err(Error::aws("burn the connect link")(error));
        };
        let Some(item) = failed.item.clone() else { return Ok(Burned::Unknown) };
        let asked: Asked = dynamo::from_item("a connect link", item)?;
        Ok(if asked.expires <= now.as_millisecond() {
            Burned::Expired(asked)
        } else {
            Burned::OtherBrowser
        })
    }
}

/// The cookie that binds a browser to its OAuth state.
pub const COOKIE: &str = "qbo_connect";
