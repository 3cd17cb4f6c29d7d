//! The journal: what is being sent to QuickBooks right now, written before anything is sent.
//!
//! One item holds the exact body, the `requestid` and the time for all records of a send. A worker that
//! finds one, its own or a dead predecessor's, **settles** it before it sends anything else for those
//! records: the same bytes go again under the same `requestid`, and QuickBooks answers with the
//! original. That is never done earlier than `domain::settle::COMMIT_WINDOW` after the last send whose
//! answer was not seen, since a request may go on to commit after its sender is gone.
//!
//! Writing a journal item checks the company's fence in the same transaction. So a worker whose lease
//! was taken over cannot begin a send that its successor does not see.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{ConditionCheck, Put, TransactWriteItem};
use domain::ids::{CompanyId, RealmId};
use domain::time_activity::Frozen;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::companies::{Companies, Lease};
use crate::dynamo::{self, Item, met, n, s};
use crate::error::{Error, Result};
use crate::keys;

/// A journal item is cut at this many bytes of JSON; DynamoDB's limit for an item is 400 KB.
pub const MAX_BYTES: usize = 300_000;

/// What a send does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Operation {
    /// A new TimeActivity.
    Create,
    /// A full update of a known one.
    Update,
}

/// One record of a send.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The record's key, for example `timecard#t-17`.
    pub record: String,
    /// The work item that it was sent for.
    pub work_item: String,
    /// That work item's `seq`: if it is another by now, newer work waits there.
    pub seq: String,
    /// The record's version that the body was made of.
    pub version: u64,
    /// Create or update.
    pub operation: Operation,
    /// QuickBooks' key for a replay: unique per realm, at most 50 characters.
    pub request_id: String,
    /// The exact bytes.
    pub body: String,
    /// Zone and day, frozen by this send.
    pub frozen: Frozen,
    /// Sends whose outcome stayed open.
    pub attempts: u32,
    /// Workers that died over it.
    pub crashes: u32,
    /// When it was first sent, in milliseconds since 1970.
    pub first_sent_at: i64,
    /// Not to be sent again before, in milliseconds since 1970. `None`: nothing was noted since the
    /// journal was written, so the item's `send_by` counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resend_at: Option<i64>,
    /// QuickBooks' answer to a replay said nothing certain: look it up there.
    #[serde(default)]
    pub look_up: bool,
    /// Given up, with a dead letter. It is settled before the record is ever sent again.
    #[serde(default)]
    pub parked: bool,
}

/// A journal item.
#[derive(Debug, Clone, PartialEq)]
pub struct JournalItem {
    /// Its sort key.
    pub key: String,
    /// The QuickBooks company that it is sent to, and to no other.
    pub realm: RealmId,
    /// The fence of the worker that last wrote it.
    pub fence: u64,
    /// No send of this item started later than this.
    pub send_by: Timestamp,
    /// The records.
    pub entries: Vec<Entry>,
    /// Who has it in hand; `None` while it only waits.
    pub in_hand: Option<InHand>,
}

/// Who is sending an item right now. If they die over it, that is a crash of what they had in hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InHand {
    /// The fence of the worker.
    pub fence: u64,
    /// The only record that is being sent; `None` for all of the item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    company: CompanyId,
    item: String,
    realm: RealmId,
    fence: u64,
    send_by: i64,
    entries: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    in_hand: Option<InHand>,
}

impl JournalItem {
    /// A new item for a send under a lease.
    pub fn new(lease: &Lease, realm: RealmId, send_by: Timestamp, entries: Vec<Entry>) -> Self {
        Self {
            key: format!("{}{}", keys::JOURNAL, Uuid::now_v7()),
            realm,
            fence: lease.fence,
            send_by,
            entries,
            in_hand: Some(InHand { fence: lease.fence, record: None }),
        }
    }

    fn store(&self, company: &CompanyId) -> Result<Item> {
        let entries = serde_json::to_string(&self.entries)
            .map_err(|error| Error::unreadable("a journal entry", error))?;
        dynamo::to_item(&Stored {
            company: company.clone(),
            item: self.key.clone(),
            realm: self.realm.clone(),
            fence: self.fence,
            send_by: self.send_by.as_millisecond(),
            entries,
            in_hand: self.in_hand.clone(),
        })
    }

    fn read(item: Item) -> Result<Self> {
        let stored: Stored = dynamo::from_item("a journal item", item)?;
        Ok(Self {
            entries: serde_json::from_str(&stored.entries)
                .map_err(|error| Error::unreadable("a journal item", error))?,
            send_by: Timestamp::from_millisecond(stored.send_by)
                .map_err(|error| Error::unreadable("a journal item", error))?,
            key: stored.item,
            realm: stored.realm,
            fence: stored.fence,
            in_hand: stored.in_hand,
        })
    }
}

/// The sends under way.
#[derive(Clone, Debug)]
pub struct Journal {
    client: Client,
    table: String,
    companies: String,
}

impl Journal {
    /// The journal in `table`, checked against the fence of `companies`.
    pub fn new(client: Client, table: impl Into<String>, companies: &Companies) -> Self {
        Self { client, table: table.into(), companies: companies.table().to_owned() }
    }

    /// Writes an item. Answers false when the lease is not ours any more: then nothing may be sent.
    pub async fn write(&self, lease: &Lease, item: &JournalItem) -> Result<bool> {
        let check = ConditionCheck::builder()
            .table_name(&self.companies)
            .key("company", s(lease.company.as_ref()))
            .condition_expression("leaseOwner = :owner AND fence = :fence")
            .expression_attribute_values(":owner", s(&lease.owner))
            .expression_attribute_values(":fence", n(lease.fence))
            .build()
            .map_err(Error::aws("write the journal"))?;
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item.store(&lease.company)?))
            .build()
            .map_err(Error::aws("write the journal"))?;
        dynamo::transact(
            &self.client,
            "write the journal",
            vec![
                TransactWriteItem::builder().condition_check(check).build(),
                TransactWriteItem::builder().put(put).build(),
            ],
        )
        .await
    }

    /// Puts what is still open in the place of an item, or removes the item when nothing is. A worker
    /// whose successor has touched the item since, or has closed it, changes nothing.
    pub async fn keep_open(&self, lease: &Lease, item: &JournalItem) -> Result<()> {
        const OURS: &str = "fence <= :fence";
        let ours = if item.entries.is_empty() {
            let result = self
                .client
                .delete_item()
                .table_name(&self.table)
                .key("company", s(lease.company.as_ref()))
                .key("item", s(&item.key))
                .condition_expression(OURS)
                .expression_attribute_values(":fence", n(lease.fence))
                .send()
                .await;
            met(result, "close the journal")?
        } else {
            let item = JournalItem { fence: lease.fence, ..item.clone() };
            let result = self
                .client
                .put_item()
                .table_name(&self.table)
                .set_item(Some(item.store(&lease.company)?))
                .condition_expression(OURS)
                .expression_attribute_values(":fence", n(lease.fence))
                .send()
                .await;
            met(result, "rewrite the journal")?
        };
        if !ours {
            tracing::warn!(company = %lease.company, "a successor has settled these sends already");
        }
        Ok(())
    }

    /// All of a company's sends whose outcome is not settled, oldest first.
    pub async fn open(&self, company: &CompanyId) -> Result<Vec<JournalItem>> {
        let mut found = Vec::new();
        let mut start = None;
        loop {
            let answer = self
                .client
                .query()
                .table_name(&self.table)
                .key_condition_expression("company = :company AND begins_with(#item, :prefix)")
                .expression_attribute_names("#item", "item")
                .expression_attribute_values(":company", s(company.as_ref()))
                .expression_attribute_values(":prefix", s(keys::JOURNAL))
                .consistent_read(true)
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(Error::aws("read the journal"))?;
            for item in answer.items.unwrap_or_default() {
                found.push(JournalItem::read(item)?);
            }
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok(found);
            }
        }
    }
}
