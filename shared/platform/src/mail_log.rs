//! Which mails went out, so that none goes out twice, and nobody gets too many in a day.
//!
//! # What it guarantees
//!
//! A mail is claimed before it is sent and noted after. A second event about the same thing finds it noted
//! and sends nothing, whenever and wherever it comes; one that comes while the first is at it comes again
//! later. If the process dies between claim and note, or SES' answer is lost, nobody can know whether the
//! mail went out. Then the claim runs out and the mail is sent (again): only in that case may somebody get
//! it twice, since a mail that never comes is worse.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use domain::alert::MOST_A_DAY;
use domain::ids::CompanyId;
use jiff::{SignedDuration, Timestamp};

use crate::dynamo::{Item, ms, n, not_met, s, ttl};
use crate::error::{Error, Result};
use crate::keys;

/// How long one process may take for a mail: longer than the function's time-out of 60 s, shorter than the
/// 6 minutes after which its message comes again.
const CLAIM: SignedDuration = SignedDuration::from_mins(2);
/// How long a mail is remembered: longer than any message lives (14 days in a queue, and 14 more in
/// `DeadLetters`).
const KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);
/// How long a day's mails are remembered: longer than the day.
const DAY_KEPT: SignedDuration = SignedDuration::from_hours(72);

/// What became of a claim.
#[derive(Debug, PartialEq, Eq)]
pub enum Claimed {
    /// The mail is the caller's to send.
    Yours,
    /// It went out already.
    Sent,
    /// Another process is at it, or died a moment ago.
    Busy,
}

/// One mail: whose, and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailId {
    owner: String,
    key: String,
    /// When it may go out once more; never for most.
    again_after: Option<SignedDuration>,
}

impl MailId {
    /// A mail about a connection: one for each `kind`, ever.
    pub fn of_connection(
        company: &CompanyId,
        connection_id: &str,
        kind: &impl std::fmt::Display,
    ) -> Self {
        let key = keys::mail(kind, connection_id);
        Self { owner: company.to_string(), key, again_after: None }
    }

    /// A mail to the operator: one for each `kind` in the time `rest`.
    pub fn of_operator(kind: &str, rest: SignedDuration) -> Self {
        let key = keys::mail(&kind, keys::OPERATOR);
        Self { owner: keys::OPERATOR.to_owned(), key, again_after: Some(rest) }
    }
}

/// The mails that went out, in the table `Counters`.
#[derive(Clone, Debug)]
pub struct MailLog {
    client: Client,
    table: String,
}

impl MailLog {
    /// The mails in `table`.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// Claims a mail for the caller, for two minutes.
    pub async fn claim(&self, mail: &MailId, now: Timestamp) -> Result<Claimed> {
        // 0 is before any mail: without a time to rest, what was sent stays sent.
        let again = mail.again_after.map_or_else(|| n(0), |rest| ms(now - rest));
        let result = self
            .update(&mail.owner, &mail.key)
            .update_expression("SET claimedUntil = :until, expiresAt = :expires REMOVE sentAt")
            .condition_expression(
                "(attribute_not_exists(claimedUntil) OR claimedUntil <= :now) \
                 AND (attribute_not_exists(sentAt) OR sentAt <= :again)",
            )
            .expression_attribute_values(":until", ms(now + CLAIM))
            .expression_attribute_values(":expires", ttl(now + KEPT))
            .expression_attribute_values(":now", ms(now))
            .expression_attribute_values(":again", again)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Err(error) = result else { return Ok(Claimed::Yours) };
        let row = not_met(error, "claim the mail")?.unwrap_or_default();
        Ok(if row.contains_key("sentAt") { Claimed::Sent } else { Claimed::Busy })
    }

    /// Notes that a claimed mail went out.
    pub async fn sent(&self, mail: &MailId, now: Timestamp) -> Result<()> {
        self.update(&mail.owner, &mail.key)
            .update_expression("SET sentAt = :now, expiresAt = :expires REMOVE claimedUntil")
            .expression_attribute_values(":now", ms(now))
            .expression_attribute_values(":expires", ttl(now + KEPT))
            .send()
            .await
            .map_err(Error::aws("note the mail"))?;
        Ok(())
    }

    /// Takes one of the company's places for mails of this day (UTC). A mail that is tried again keeps the
    /// place that it has. False when all [`MOST_A_DAY`] are taken.
    pub async fn take_place(
        &self,
        company: &CompanyId,
        mail: &MailId,
        now: Timestamp,
    ) -> Result<bool> {
        let result = self
            .update(company.as_ref(), &keys::mails_of_day(now))
            .update_expression("SET expiresAt = :expires ADD mails :mails")
            .condition_expression(
                "attribute_not_exists(mails) OR size(mails) < :most OR contains(mails, :mail)",
            )
            .expression_attribute_values(":expires", ttl(now + DAY_KEPT))
            .expression_attribute_values(":mails", AttributeValue::Ss(vec![mail.key.clone()]))
            .expression_attribute_values(":mail", s(&mail.key))
            .expression_attribute_values(":most", n(MOST_A_DAY))
            .send()
            .await;
        match result {
            Ok(_) => Ok(true),
            Err(error) => not_met(error, "take a place for the mail").map(|_: Option<Item>| false),
        }
    }

    fn update(
        &self,
        owner: &str,
        item: &str,
    ) -> aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .key("company", s(owner))
            .key("item", s(item))
    }
}
