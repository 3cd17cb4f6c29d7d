//! The queue `Alerts`: a message is acknowledged when its mail went out, or when nobody is to be told. What
//! could not be sent comes again, and ends in the queue `DeadLetters`, from where it can be moved back.

use platform::queue::{Batch, Message, deliver_again};
use platform::telemetry::{Unit, metric};
use serde_json::Value;

use crate::Alerts;
use crate::notice::Notice;
use crate::tell::Told;

/// Takes a batch of messages. Answers the ids of those to be delivered again.
pub async fn handle(alerts: &Alerts, event: Value) -> Result<Value, lambda_runtime::Error> {
    let batch: Batch = serde_json::from_value(event)?;
    let mut again: Vec<&Message> = Vec::new();
    for message in &batch.records {
        let told = match Notice::read(&message.body) {
            Ok(notice) => alerts.tell(&notice).await,
            Err(error) => Err(platform::Error::unreadable("an event", error)),
        };
        match told {
            Ok(Told::Later) => again.push(message),
            Ok(_) => {}
            Err(error) => {
                tracing::error!(%error, "a mail could not be sent; it is tried again");
                metric("MailsNotSent", 1.0, Unit::Count, alerts.clock.now().await);
                again.push(message);
            }
        }
    }
    Ok(deliver_again(again))
}
