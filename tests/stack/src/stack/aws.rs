//! Calls to the emulated AWS, as its root user and not through the proxy, so that they are in no
//! log and under no rule.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Stack;
use super::sigv4::{self, Call, Keys};

const ROOT: Keys<'static> = Keys { id: "test", secret: "test" };

/// The prefix of `X-Amz-Target` by service.
fn target(service: &str) -> &'static str {
    match service {
        "dynamodb" => "DynamoDB_20120810",
        "events" => "AWSEvents",
        "monitoring" => "GraniteServiceVersion20100801",
        "secretsmanager" => "secretsmanager",
        _ => "AmazonSQS",
    }
}

impl Stack {
    /// A call to `dynamodb`, `events`, `monitoring`, `secretsmanager` or `sqs`: HTTP status and body.
    pub async fn aws(&self, service: &str, operation: &str, body: &Value) -> (u16, Value) {
        let older = ["dynamodb", "monitoring", "sqs"].contains(&service);
        let version = if older { "1.0" } else { "1.1" };
        let headers = [
            ("content-type", format!("application/x-amz-json-{version}")),
            ("x-amz-target", format!("{}.{operation}", target(service))),
        ];
        self.signed(service, "/", &headers, body).await
    }

    async fn signed(
        &self,
        service: &str,
        path: &str,
        headers: &[(&str, String)],
        body: &Value,
    ) -> (u16, Value) {
        let body = body.to_string().into_bytes();
        let host = self.is.aws_url.strip_prefix("http://").unwrap_or(&self.is.aws_url);
        let region = &self.is.region;
        let call = Call { method: "POST", host, path, body: &body, service, region };
        let (time, authorization) = sigv4::sign(ROOT, call, Timestamp::now());
        let mut request = self.http.post(format!("{}{path}", self.is.aws_url));
        request = request.header("x-amz-date", time).header("authorization", authorization);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let answer = request.body(body).send().await.expect("the emulated AWS answers");
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or(Value::Null))
    }

    /// Publishes one event to the host app's bus, as the host app does.
    pub async fn publish(&self, detail_type: &str, detail: &Value) {
        self.publish_as("host-app", detail_type, detail).await;
    }

    /// Publishes one event to the host app's bus, as somebody.
    pub async fn publish_as(&self, source: &str, detail_type: &str, detail: &Value) {
        let entry = json!({
            "EventBusName": self.is.bus_name,
            "Source": source,
            "DetailType": detail_type,
            "Detail": detail.to_string(),
        });
        let (status, answer) =
            self.aws("events", "PutEvents", &json!({ "Entries": [entry] })).await;
        assert!(status == 200 && answer["FailedEntryCount"] == 0, "{status} {answer}");
    }

    /// Invokes a function by the name of its binary, as a schedule does, and waits for its answer.
    ///
    /// # Panics
    ///
    /// If the function fails.
    pub async fn invoke(&self, binary: &str, event: &Value) -> Value {
        let path = format!("/2015-03-31/functions/{}/invocations", self.function(binary));
        let (status, answer) = self.signed("lambda", &path, &[], event).await;
        let failed = answer.get("errorMessage").is_some();
        assert!(status == 200 && !failed, "{binary} answered {status} {answer}");
        answer
    }

    /// Sends a message to a queue, which goes by its name in the template.
    pub async fn send(&self, queue: &str, message: &Value) {
        let url = self.is.queues.get(queue).expect("the template has no such queue");
        let body = json!({ "QueueUrl": url, "MessageBody": message.to_string() });
        let (status, answer) = self.aws("sqs", "SendMessage", &body).await;
        assert_eq!(status, 200, "{answer}");
    }

    /// Messages in a queue: waiting, and being worked on. The queue goes by its name in the
    /// template.
    pub async fn depth(&self, queue: &str) -> (u64, u64) {
        let url = self.is.queues.get(queue).expect("the template has no such queue");
        let body = json!({ "QueueUrl": url, "AttributeNames": ["All"] });
        let (status, answer) = self.aws("sqs", "GetQueueAttributes", &body).await;
        assert_eq!(status, 200, "{answer}");
        let count = |name: &str| {
            let text = answer["Attributes"][name].as_str().unwrap_or_default();
            text.parse().expect("a queue counts its messages")
        };
        (count("ApproximateNumberOfMessages"), count("ApproximateNumberOfMessagesNotVisible"))
    }
}
