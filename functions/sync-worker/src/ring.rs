//! What happens when the doorbell rings.

use domain::work::Lane;
use platform::doorbell::Ring;
use platform::queue::{Batch, Message, deliver_again};
use serde_json::Value;

use crate::Worker;
use crate::drain::{self, Slice};

/// Drains a slice of the company that the ring names. A ring that cannot be read goes to the queue
/// `DeadLetters` by redrive, with its alarm.
pub async fn handle(worker: &Worker, event: Value) -> Result<Value, lambda_runtime::Error> {
    worker.quickbooks.refresher().save_first().await;
    let batch: Batch = serde_json::from_value(event)?;
    let mut again = Vec::new();
    for message in &batch.records {
        if let Err(error) = answer(worker, message).await {
            tracing::error!(%error, sqs_message = %message.message_id, "a slice failed; the ring comes again");
            again.push(message);
        }
    }
    Ok(deliver_again(again))
}

async fn answer(worker: &Worker, message: &Message) -> platform::Result<()> {
    let ring: Ring = serde_json::from_str(&message.body)
        .map_err(|error| platform::Error::unreadable("a ring", error))?;
    let lane = if worker.doorbell.is_urgent(message.queue()) { Lane::Urgent } else { Lane::Normal };
    let company = ring.company_id;
    let slice = drain::slice(worker, &company, lane).await?;
    tracing::info!(company = %company, %lane, ?slice, "slice ended");
    if slice == Slice::MoreToDo {
        worker.doorbell.ring(&company, Lane::Normal).await?;
    }
    Ok(())
}
