//! Versioned documents: a company's settings and its mapping. Each saving makes a new version; every
//! version is kept with who saved it and when.

use std::marker::PhantomData;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use domain::ids::CompanyId;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::dynamo::{self, Item, n, s};
use crate::error::{Error, Result};
use crate::keys;

/// The largest document, in bytes of JSON; a DynamoDB item holds 400 KB.
pub const MAX_BYTES: usize = 350_000;

/// A document with its version.
#[derive(Debug, Clone, PartialEq)]
pub struct Versioned<T> {
    /// 0 until it is first saved.
    pub version: u64,
    /// Who saved it.
    pub updated_by: Option<String>,
    /// When, in milliseconds since 1970.
    pub updated_at: Option<i64>,
    /// The document.
    pub document: T,
}

/// What became of saving.
#[derive(Debug, PartialEq, Eq)]
pub enum Saved {
    /// It is in force as this version.
    Version(u64),
    /// Somebody saved in between; read again.
    Conflict,
    /// It is larger than [`MAX_BYTES`].
    TooLarge(usize),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    company: CompanyId,
    item: String,
    version: u64,
    updated_by: String,
    updated_at: i64,
    body: String,
}

/// The documents of one table.
#[derive(Clone, Debug)]
pub struct Documents<T> {
    client: Client,
    table: String,
    kind: PhantomData<T>,
}

impl<T: Serialize + DeserializeOwned + Default> Documents<T> {
    /// The documents in `table`.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into(), kind: PhantomData }
    }

    /// The document in force, or the default as version 0.
    pub async fn current(&self, company: &CompanyId) -> Result<Versioned<T>> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("company", s(company.as_ref()))
            .key("item", s(keys::CURRENT))
            .consistent_read(true)
            .send()
            .await
            .map_err(Error::aws("read a document"))?;
        let Some(item) = answer.item else {
            return Ok(Versioned {
                version: 0,
                updated_by: None,
                updated_at: None,
                document: T::default(),
            });
        };
        let stored: Stored = dynamo::from_item("a document", item)?;
        Ok(Versioned {
            version: stored.version,
            updated_by: Some(stored.updated_by),
            updated_at: Some(stored.updated_at),
            document: serde_json::from_str(&stored.body)
                .map_err(|error| Error::unreadable("a document", error))?,
        })
    }

    /// Saves a new version on top of `base`, and keeps it for history.
    pub async fn save(
        &self,
        company: &CompanyId,
        base: u64,
        document: &T,
        by: &str,
        now: Timestamp,
    ) -> Result<Saved> {
        let bytes = to_json(document)?.len();
        if bytes > MAX_BYTES {
            return Ok(Saved::TooLarge(bytes));
        }
        let actions = self.saving(company, base, document, by, now)?;
        let saved = dynamo::transact(&self.client, "save a document", actions).await?;
        Ok(if saved { Saved::Version(base + 1) } else { Saved::Conflict })
    }

    /// [`save`](Self::save) as a part of another module's transaction, for a document that is not too
    /// large.
    pub(crate) fn saving(
        &self,
        company: &CompanyId,
        base: u64,
        document: &T,
        by: &str,
        now: Timestamp,
    ) -> Result<Vec<TransactWriteItem>> {
        let version = base + 1;
        let mut stored = Stored {
            company: company.clone(),
            item: keys::CURRENT.to_owned(),
            version,
            updated_by: by.to_owned(),
            updated_at: now.as_millisecond(),
            body: to_json(document)?,
        };
        let current = self
            .put(dynamo::to_item(&stored)?)
            .condition_expression(if base == 0 {
                "attribute_not_exists(company)"
            } else {
                "version = :base"
            })
            .set_expression_attribute_values(
                (base > 0).then(|| Item::from([(":base".to_owned(), n(base))])),
            )
            .build()
            .map_err(Error::aws("save a document"))?;
        stored.item = keys::version(version);
        let kept =
            self.put(dynamo::to_item(&stored)?).build().map_err(Error::aws("save a document"))?;
        Ok(vec![
            TransactWriteItem::builder().put(current).build(),
            TransactWriteItem::builder().put(kept).build(),
        ])
    }

    fn put(&self, item: Item) -> aws_sdk_dynamodb::types::builders::PutBuilder {
        Put::builder().table_name(&self.table).set_item(Some(item))
    }
}

fn to_json<T: Serialize>(document: &T) -> Result<String> {
    serde_json::to_string(document).map_err(|error| Error::unreadable("a new document", error))
}
