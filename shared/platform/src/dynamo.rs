//! Small DynamoDB helpers: attribute values, conditional results, batches within their limits.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, BatchStatementErrorCodeEnum, BatchStatementRequest, KeysAndAttributes,
    ReturnValuesOnConditionCheckFailure, WriteRequest,
};
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// A stored item.
pub type Item = HashMap<String, AttributeValue>;

/// Items or statements in one batch write or batch statement (DynamoDB's limit).
pub const BATCH: usize = 25;
/// Items in one batch read (DynamoDB's limit).
pub const READ_BATCH: usize = 100;

/// A string attribute.
pub fn s(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// A number attribute.
pub fn n(value: impl std::fmt::Display) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// A truth value.
pub fn flag(value: bool) -> AttributeValue {
    AttributeValue::Bool(value)
}

/// A time as whole milliseconds since 1970, so that it sorts and compares as a number.
pub fn ms(at: Timestamp) -> AttributeValue {
    n(at.as_millisecond())
}

/// A time as whole seconds since 1970: the only form that DynamoDB's TTL understands.
pub fn ttl(at: Timestamp) -> AttributeValue {
    n(at.as_second())
}

/// Turns a value into an item.
pub fn to_item<T: Serialize>(value: &T) -> Result<Item> {
    serde_dynamo::to_item(value).map_err(|error| Error::unreadable("a new item", error))
}

/// Turns an item into a value.
pub fn from_item<T: DeserializeOwned>(what: &str, item: Item) -> Result<T> {
    serde_dynamo::from_item(item).map_err(|error| Error::unreadable(what, error))
}

/// Whether a conditional write was made: a condition that was not met is an answer, anything else an error.
pub(crate) fn met<T, E, R>(
    result: std::result::Result<T, SdkError<E, R>>,
    call: &'static str,
) -> Result<bool>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    match result {
        Ok(_) => Ok(true),
        Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(false),
        Err(error) => Err(Error::aws(call)(error)),
    }
}

/// A condition that was not met is an answer (the item as it stands), anything else an error.
pub(crate) fn not_met<R>(
    error: SdkError<UpdateItemError, R>,
    call: &'static str,
) -> Result<Option<Item>>
where
    R: std::fmt::Debug + Send + Sync + 'static,
{
    if let Some(UpdateItemError::ConditionalCheckFailedException(failed)) = error.as_service_error()
    {
        return Ok(failed.item.clone());
    }
    Err(Error::aws(call)(error))
}

/// What one statement of a batch came to.
#[derive(Debug)]
pub enum Statement {
    /// It was carried out.
    Done,
    /// Its condition was not met, or the item exists already; the item as it stands, where known.
    NotMet(Option<Item>),
}

/// One PartiQL statement with its parameters.
#[derive(Debug, Clone)]
pub struct Sql {
    /// The statement, with a `?` for each parameter.
    pub text: String,
    /// The parameters, in order.
    pub parameters: Vec<AttributeValue>,
}

/// Carries out statements, 25 to a request. Each has a condition of its own; none depends on another.
/// Throttled statements are tried again with a growing pause; anything else that fails is an error,
/// and all statements before it may have been carried out.
pub async fn batch_statements(
    client: &Client,
    call: &'static str,
    statements: Vec<Sql>,
) -> Result<Vec<Statement>> {
    let mut outcomes: Vec<Option<Statement>> = statements.iter().map(|_| None).collect();
    let mut open: Vec<usize> = (0..statements.len()).collect();
    for round in 0..6u32 {
        if open.is_empty() {
            break;
        }
        pause(round).await;
        let mut again = Vec::new();
        for chunk in open.chunks(BATCH) {
            let requests: Vec<_> = chunk
                .iter()
                .map(|&index| {
                    let sql = &statements[index];
                    BatchStatementRequest::builder()
                        .statement(&sql.text)
                        .set_parameters(
                            (!sql.parameters.is_empty()).then(|| sql.parameters.clone()),
                        )
                        .return_values_on_condition_check_failure(
                            ReturnValuesOnConditionCheckFailure::AllOld,
                        )
                        .build()
                        .map_err(Error::aws(call))
                })
                .collect::<Result<_>>()?;
            let answer = client
                .batch_execute_statement()
                .set_statements(Some(requests))
                .send()
                .await
                .map_err(Error::aws(call))?;
            for (&index, response) in chunk.iter().zip(answer.responses.unwrap_or_default()) {
                let Some(error) = response.error else {
                    outcomes[index] = Some(Statement::Done);
                    continue;
                };
                match error.code {
                    Some(
                        BatchStatementErrorCodeEnum::ConditionalCheckFailed
                        | BatchStatementErrorCodeEnum::DuplicateItem,
                    ) => outcomes[index] = Some(Statement::NotMet(error.item)),
                    Some(
                        BatchStatementErrorCodeEnum::ThrottlingError
                        | BatchStatementErrorCodeEnum::ProvisionedThroughputExceeded
                        | BatchStatementErrorCodeEnum::RequestLimitExceeded
                        | BatchStatementErrorCodeEnum::InternalServerError
                        | BatchStatementErrorCodeEnum::TransactionConflict,
                    ) => again.push(index),
                    code => {
                        return Err(Error::Aws {
                            call,
                            reason: format!("{code:?}: {}", error.message.unwrap_or_default()),
                        });
                    }
                }
            }
        }
        open = again;
    }
    outcomes
        .into_iter()
        .map(|outcome| {
            outcome.ok_or_else(|| Error::Aws { call, reason: "still throttled".to_owned() })
        })
        .collect()
}

/// Writes or deletes items without conditions, 25 to a request.
pub async fn batch_write(
    client: &Client,
    call: &'static str,
    table: &str,
    requests: Vec<WriteRequest>,
) -> Result<()> {
    for chunk in requests.chunks(BATCH) {
        let mut open = chunk.to_vec();
        let mut round = 0;
        while !open.is_empty() {
            if round == 6 {
                return Err(Error::Aws { call, reason: "still throttled".to_owned() });
            }
            pause(round).await;
            round += 1;
            let answer = client
                .batch_write_item()
                .request_items(table, open)
                .send()
                .await
                .map_err(Error::aws(call))?;
            open = answer
                .unprocessed_items
                .and_then(|mut items| items.remove(table))
                .unwrap_or_default();
        }
    }
    Ok(())
}

/// Reads items by key, 100 to a request, consistently. Absent items are simply not in the answer.
pub async fn batch_get(
    client: &Client,
    call: &'static str,
    table: &str,
    keys: Vec<Item>,
) -> Result<Vec<Item>> {
    let mut found = Vec::with_capacity(keys.len());
    for chunk in keys.chunks(READ_BATCH) {
        let mut open = chunk.to_vec();
        let mut round = 0;
        while !open.is_empty() {
            if round == 6 {
                return Err(Error::Aws { call, reason: "still throttled".to_owned() });
            }
            pause(round).await;
            round += 1;
            let wanted = KeysAndAttributes::builder()
                .set_keys(Some(open))
                .consistent_read(true)
                .build()
                .map_err(Error::aws(call))?;
            let answer = client
                .batch_get_item()
                .request_items(table, wanted)
                .send()
                .await
                .map_err(Error::aws(call))?;
            if let Some(mut responses) = answer.responses {
                found.extend(responses.remove(table).unwrap_or_default());
            }
            open = answer
                .unprocessed_keys
                .and_then(|mut keys| keys.remove(table))
                .map(|keys| keys.keys)
                .unwrap_or_default();
        }
    }
    Ok(found)
}

/// 0, 50, 100, 200, 400, 800 ms.
async fn pause(round: u32) {
    if round > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(25 << round.min(5))).await;
    }
}

/// A put for [`batch_write`].
pub fn put_request(item: Item) -> Result<WriteRequest> {
    let request = aws_sdk_dynamodb::types::PutRequest::builder()
        .set_item(Some(item))
        .build()
        .map_err(Error::aws("build a put"))?;
    Ok(WriteRequest::builder().put_request(request).build())
}

/// Carries out a transaction. Answers false when a condition was not met; a conflict with another
/// transaction is tried again.
pub async fn transact(
    client: &Client,
    call: &'static str,
    actions: Vec<aws_sdk_dynamodb::types::TransactWriteItem>,
) -> Result<bool> {
    use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
    for round in 0..6u32 {
        pause(round).await;
        let sent =
            client.transact_write_items().set_transact_items(Some(actions.clone())).send().await;
        let Err(error) = sent else { return Ok(true) };
        let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
            error.as_service_error()
        else {
            return Err(Error::aws(call)(error));
        };
        let codes: Vec<&str> =
            cancelled.cancellation_reasons().iter().filter_map(|reason| reason.code()).collect();
        if codes.contains(&"ConditionalCheckFailed") {
            return Ok(false);
        }
        if !codes.iter().any(|code| {
            matches!(
                *code,
                "TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded"
            )
        }) {
            return Err(Error::aws(call)(error));
        }
    }
    Err(Error::Aws { call, reason: "still in conflict with another transaction".to_owned() })
}
