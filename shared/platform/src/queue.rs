//! What Lambda hands over from an SQS queue, and how a part of it is handed back.

use serde::Deserialize;
use serde_json::{Value, json};

/// A batch of messages.
#[derive(Debug, Deserialize)]
pub struct Batch {
    /// The messages.
    #[serde(rename = "Records")]
    pub records: Vec<Message>,
}

/// A message.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// SQS' id of it.
    pub message_id: String,
    /// Its text.
    pub body: String,
    #[serde(rename = "eventSourceARN")]
    event_source_arn: String,
}

impl Message {
    /// The name of the queue it came from.
    pub fn queue(&self) -> &str {
        self.event_source_arn.rsplit(':').next().unwrap_or_default()
    }
}

/// The answer that has these messages delivered again, and acknowledges all others.
pub fn deliver_again<'a>(messages: impl IntoIterator<Item = &'a Message>) -> Value {
    let failures: Vec<Value> = messages
        .into_iter()
        .map(|message| json!({ "itemIdentifier": message.message_id }))
        .collect();
    json!({ "batchItemFailures": failures })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_failed_is_delivered_again() {
        let batch: Batch = serde_json::from_value(json!({"Records": [
            {"messageId": "m1", "body": "a", "eventSourceARN": "arn:aws:sqs:us-east-1:1:Doorbell"},
            {"messageId": "m2", "body": "b", "eventSourceARN": "arn:aws:sqs:us-east-1:1:Doorbell"},
        ]}))
        .unwrap();
        assert_eq!(batch.records[0].queue(), "Doorbell");
        assert_eq!(
            deliver_again([&batch.records[1]]),
            json!({"batchItemFailures": [{"itemIdentifier": "m2"}]})
        );
        assert_eq!(deliver_again([]), json!({"batchItemFailures": []}));
    }
}
