//! The queue `Intake`: until a card is stored, its event is the only copy. So a message is acknowledged
//! only when its card is stored, or when it is a dead letter and the host app has been told.

use domain::ids::CompanyId;
use domain::problem::FieldError;
use domain::timecard::Timecard;
use domain::work::{Lane, SyncStatus};
use jiff::Timestamp;
use platform::audit::{Action, Entry};
use platform::bus::Event;
use platform::keys;
use platform::queue::{Batch, Message, deliver_again};
use platform::work::{DeadLetter, DeadReason};
use serde_json::Value;

use crate::Intake;
use crate::accept::Outcome;

/// A bus event larger than this is not kept whole in its dead letter (bytes); EventBridge takes 256 KB.
const KEPT_WHOLE: usize = 300_000;

/// A message that cannot become a timecard, and why.
struct Bad {
    message: usize,
    errors: Vec<FieldError>,
}

/// Takes a batch of messages. Answers the ids of those to be delivered again.
pub async fn handle(intake: &Intake, event: Value) -> Result<Value, lambda_runtime::Error> {
    let batch: Batch = serde_json::from_value(event)?;
    let now = intake.clock.now().await;
    let mut good = Vec::new();
    let mut bad = Vec::new();
    for (message, record) in batch.records.iter().enumerate() {
        match read(&record.body) {
            Ok(card) => good.push((message, card)),
            Err(errors) => bad.push(Bad { message, errors }),
        }
    }
    let cards: Vec<Timecard> = good.iter().map(|(_, card)| card.clone()).collect();
    let mut again: Vec<&Message> = Vec::new();
    match intake.accept(&cards, Lane::Normal, "bus", now).await {
        Ok(outcomes) => bad.extend(good.iter().zip(outcomes).filter_map(
            |((message, _), outcome)| match outcome {
                Outcome::Refused(error) | Outcome::OfDeletedCompany(error) => {
                    Some(Bad { message: *message, errors: vec![error] })
                }
                Outcome::Stored | Outcome::Duplicate(_) | Outcome::Older(_) => None,
            },
        )),
        Err(error) => {
            tracing::error!(%error, messages = good.len(), "timecards could not be stored; they come again");
            again.extend(good.iter().map(|(message, _)| &batch.records[*message]));
        }
    }
    if let Err(error) = bury(intake, &batch, &bad, now).await {
        tracing::error!(%error, messages = bad.len(), "bad events could not be kept; they come again");
        again.extend(bad.iter().map(|bad| &batch.records[bad.message]));
    }
    // After the cards are safe. Over HTTP the layer does the same.
    intake.activity.used(cards.iter().map(|card| card.company_id.clone())).await;
    Ok(deliver_again(again))
}

/// The timecard in an EventBridge event.
fn read(body: &str) -> Result<Timecard, Vec<FieldError>> {
    let wrong = |message: &str| {
        vec![FieldError {
            field: "event".to_owned(),
            code: "unreadable".to_owned(),
            message: message.to_owned(),
            fix: "Publish timecard.approved with the timecard as its detail; see events/schemas."
                .to_owned(),
        }]
    };
    let event: Value =
        serde_json::from_str(body).map_err(|_| wrong("The message is not a JSON event."))?;
    let detail = event.get("detail").ok_or_else(|| wrong("The event has no detail."))?;
    Timecard::from_json(detail)
}

/// Keeps bad events as dead letters, says so in the audit trail, and tells the host app. Of a company that
/// was deleted nothing is kept; the host app is told all the same.
async fn bury(intake: &Intake, batch: &Batch, bad: &[Bad], now: Timestamp) -> platform::Result<()> {
    if bad.is_empty() {
        return Ok(());
    }
    let named: Vec<CompanyId> =
        bad.iter().filter_map(|bad| company_of(&detail_of(&batch.records[bad.message]))).collect();
    let deleted = intake.erasures.deleted(&named).await?;
    let mut letters = Vec::with_capacity(bad.len());
    let mut events = Vec::with_capacity(bad.len());
    let mut entries = Vec::new();
    for Bad { message, errors } in bad {
        let record = &batch.records[*message];
        let detail = detail_of(record);
        let company = company_of(&detail);
        events.push(Event::Timecard {
            company_id: company.as_ref().map(ToString::to_string),
            timecard_id: detail.get("timecardId").and_then(Value::as_str).map(short),
            version: detail.get("version").and_then(Value::as_u64),
            status: SyncStatus::Failed,
            quick_books_id: None,
            sync_token: None,
            synced_at: None,
            errors: errors.clone(),
            at: now,
        });
        if company.as_ref().is_some_and(|company| deleted.contains(company)) {
            tracing::warn!("an event of a deleted company was dropped");
            continue;
        }
        letters.push(DeadLetter {
            company: company.as_ref().map_or(keys::NO_COMPANY.to_owned(), ToString::to_string),
            item: format!("{}event#{}", keys::DEAD, record.message_id),
            reason: DeadReason::Event,
            errors: serde_json::to_string(errors)
                .map_err(|error| platform::Error::unreadable("a bad event's errors", error))?,
            failed_at: now.as_millisecond(),
            attempts: 1,
            event: Some(record.body.chars().take(KEPT_WHOLE / 4).collect()),
        });
        if let Some(company) = &company {
            let words: Vec<&str> = errors.iter().map(|error| error.message.as_str()).collect();
            entries.push(Entry::failure(company, Action::RefuseTimecard, "bus", words.join(" ")));
        }
    }
    intake.work.bury(&letters).await?;
    intake.audit.write(&entries, now).await?;
    intake.bus.publish(&events).await
}

fn detail_of(record: &Message) -> Value {
    serde_json::from_str::<Value>(&record.body)
        .ok()
        .and_then(|event| event.get("detail").cloned())
        .unwrap_or(Value::Null)
}

fn company_of(detail: &Value) -> Option<CompanyId> {
    detail.get("companyId").and_then(Value::as_str).and_then(|id| id.parse().ok())
}

/// An id as it came, cut to a length that any consumer can take.
fn short(id: &str) -> String {
    id.chars().take(100).collect()
}
