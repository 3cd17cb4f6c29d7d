//! The host app's queue on the bus: what the product tells about its results.

use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::Stack;

/// One queue for all tests; each looks for the events of its own companies.
static QUEUE: OnceCell<String> = OnceCell::const_new();

/// Events received so far by any test, so that one test does not take another's.
static RECEIVED: tokio::sync::Mutex<Vec<Value>> = tokio::sync::Mutex::const_new(Vec::new());

impl Stack {
    /// Makes the host app's queue, once. Call it before whatever is to be heard of.
    pub async fn listen(&self) {
        QUEUE.get_or_init(|| self.make_queue()).await;
    }

    async fn make_queue(&self) -> String {
        let name = format!("host-{}", uuid::Uuid::now_v7());
        let (_, made) = self.aws("sqs", "CreateQueue", &json!({ "QueueName": name })).await;
        let queue = made["QueueUrl"].as_str().expect("a queue can be made").to_owned();
        let wanted = json!({ "QueueUrl": queue, "AttributeNames": ["QueueArn"] });
        let (_, attributes) = self.aws("sqs", "GetQueueAttributes", &wanted).await;
        let arn = attributes["Attributes"]["QueueArn"].clone();
        let pattern = json!({ "source": ["quickbooks-connector"] }).to_string();
        let bus = &self.is.bus_name;
        let rule = json!({ "Name": name, "EventBusName": bus, "EventPattern": pattern });
        let (status, made) = self.aws("events", "PutRule", &rule).await;
        assert_eq!(status, 200, "{made}");
        let policy = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow",
            "Principal": { "Service": "events.amazonaws.com" },
            "Action": "sqs:SendMessage",
            "Resource": arn,
        }] });
        let set = json!({ "QueueUrl": queue, "Attributes": { "Policy": policy.to_string() } });
        self.aws("sqs", "SetQueueAttributes", &set).await;
        let targets = json!({
            "Rule": name, "EventBusName": bus, "Targets": [{ "Id": "host", "Arn": arn }],
        });
        let (status, made) = self.aws("events", "PutTargets", &targets).await;
        assert_eq!(status, 200, "{made}");
        queue
    }

    /// Every event about a company that came so far, in the order of arrival: the whole envelope
    /// with `detail-type` and `detail`.
    pub async fn events(&self, company: &str) -> Vec<Value> {
        let mut events = self.all_events().await;
        events.retain(|event| event["detail"]["companyId"] == company);
        events
    }

    /// Every event that came so far.
    pub async fn all_events(&self) -> Vec<Value> {
        let queue = QUEUE.get_or_init(|| self.make_queue()).await;
        let mut received = RECEIVED.lock().await;
        loop {
            let body = json!({ "QueueUrl": queue, "MaxNumberOfMessages": 10 });
            let (_, answer) = self.aws("sqs", "ReceiveMessage", &body).await;
            let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
            if messages.is_empty() {
                break;
            }
            for message in messages {
                let body = message["Body"].as_str().unwrap_or_default();
                received.push(serde_json::from_str(body).expect("an event is JSON"));
                let gone = json!({ "QueueUrl": queue, "ReceiptHandle": message["ReceiptHandle"] });
                self.aws("sqs", "DeleteMessage", &gone).await;
            }
        }
        received.clone()
    }
}
