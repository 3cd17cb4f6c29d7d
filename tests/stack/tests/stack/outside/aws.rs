//! Tables, secrets, logs, variables and the bus, with the emulator's root keys.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper that cannot do its work fails the test, and says why"
)]

use std::time::Duration;

use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};
use stack_tests::stack::company::Company;
use stack_tests::stack::sigv4::{self, Call, Keys};
use stack_tests::stack::stored::text;
use stack_tests::stack::{Stack, eventually};

/// The row of a company's connection: `live`, or the one that waits for confirmation.
pub(crate) async fn connection(stack: &Stack, company: &Company, live: bool) -> Value {
    let kind = if live { "company" } else { "unconfirmed" };
    stack.item("Connections", &connection_key(kind, company)).await
}

/// The key of such a row.
pub(crate) fn connection_key(kind: &str, company: &Company) -> Value {
    json!({ "id": { "S": format!("{kind}#{}", company.id) } })
}

/// Both tokens that a row of `Connections` points to.
pub(crate) async fn tokens(stack: &Stack, row: &Value) -> [String; 2] {
    let value = secret(stack, text(row, "secret"), Some(text(row, "versionId"))).await;
    ["accessToken", "refreshToken"].map(|name| text(&value, name).to_owned())
}

/// Waits until the first import of an empty QuickBooks file has come in.
pub(crate) async fn first_import(stack: &Stack, company: &Company) {
    eventually("the first import", Duration::from_secs(20), async || {
        (!stack.stored("Records", &company.id, "item#1").await.is_empty()).then_some(())
    })
    .await;
}

/// A whole table as text.
pub(crate) async fn table_text(stack: &Stack, table: &str) -> String {
    let (mut text, mut start) = (String::new(), Value::Null);
    loop {
        let mut body = json!({ "TableName": table, "ConsistentRead": true });
        if !start.is_null() {
            body["ExclusiveStartKey"] = start;
        }
        let (status, mut answer) = stack.aws("dynamodb", "Scan", &body).await;
        assert_eq!(status, 200, "{answer}");
        text.push_str(&answer["Items"].to_string());
        start = answer["LastEvaluatedKey"].take();
        if start.is_null() {
            return text;
        }
    }
}

/// Names of the secrets that hold a company's tokens.
pub(crate) async fn secrets(stack: &Stack, company: &str) -> Vec<String> {
    let mut names = secret_names(stack).await;
    names.retain(|name| name.split('/').any(|part| part == company));
    names
}

/// Names of all secrets.
pub(crate) async fn secret_names(stack: &Stack) -> Vec<String> {
    let (mut names, mut next) = (Vec::new(), Value::Null);
    loop {
        let mut body = json!({ "MaxResults": 100 });
        if !next.is_null() {
            body["NextToken"] = next;
        }
        let (status, mut answer) = stack.aws("secretsmanager", "ListSecrets", &body).await;
        assert_eq!(status, 200, "{answer}");
        let listed = answer["SecretList"].as_array().cloned().unwrap_or_default();
        names.extend(listed.iter().filter_map(|secret| secret["Name"].as_str().map(str::to_owned)));
        next = answer["NextToken"].take();
        if next.is_null() {
            return names;
        }
    }
}

/// A secret's value: one version, or the current one.
pub(crate) async fn secret(stack: &Stack, id: &str, version: Option<&str>) -> Value {
    let mut body = json!({ "SecretId": id });
    if let Some(version) = version {
        body["VersionId"] = version.into();
    }
    let (status, answer) = stack.aws("secretsmanager", "GetSecretValue", &body).await;
    assert_eq!(status, 200, "{answer}");
    serde_json::from_str(answer["SecretString"].as_str().unwrap()).expect("the secret is JSON")
}

/// A call to the emulated AWS as its root user, to any of its services.
pub(crate) struct Raw<'a> {
    pub(crate) service: &'a str,
    pub(crate) method: Method,
    pub(crate) path: &'a str,
    /// Content type and body.
    pub(crate) body: Option<(&'a str, Vec<u8>)>,
}

/// The answer to such a call, which must be a success.
pub(crate) async fn raw(stack: &Stack, call: Raw<'_>) -> Vec<u8> {
    send(stack, call, "").await
}

async fn send(stack: &Stack, call: Raw<'_>, target: &str) -> Vec<u8> {
    let Raw { service, method, path, body } = call;
    let (content_type, body) = body.unwrap_or_default();
    let host = stack.is.aws_url.strip_prefix("http://").unwrap_or(&stack.is.aws_url);
    let region = &stack.is.region;
    let signed = Call { method: method.as_str(), host, path, body: &body, service, region };
    let (time, authorization) =
        sigv4::sign(Keys { id: "test", secret: "test" }, signed, Timestamp::now());
    let mut request = stack
        .http
        .request(method, format!("{}{path}", stack.is.aws_url))
        .header("x-amz-date", time)
        .header("authorization", authorization);
    if !content_type.is_empty() {
        request = request.header("content-type", content_type);
    }
    if !target.is_empty() {
        request = request.header("x-amz-target", target);
    }
    let answer = request.body(body).send().await.unwrap();
    let status = answer.status();
    let body = answer.bytes().await.unwrap().to_vec();
    assert!(status.is_success(), "{service} {path} {target}: {}", String::from_utf8_lossy(&body));
    body
}

async fn signed(
    stack: &Stack,
    service: &str,
    (method, path): (Method, &str),
    target: &str,
    body: Option<&Value>,
) -> Value {
    let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
    let body = Some(("application/x-amz-json-1.1", body));
    let answer = send(stack, Raw { service, method, path, body }, target).await;
    serde_json::from_slice(&answer).unwrap_or_default()
}

async fn logs(stack: &Stack, operation: &str, body: &Value) -> Value {
    let target = format!("Logs_20140328.{operation}");
    signed(stack, "logs", (Method::POST, "/"), &target, Some(body)).await
}

/// A function's environment variables.
pub(crate) async fn variables(stack: &Stack, binary: &str) -> Value {
    let path = format!("/2015-03-31/functions/{}/configuration", stack.function(binary));
    let answer = signed(stack, "lambda", (Method::GET, &path), "", None).await;
    answer["Environment"]["Variables"].clone()
}

/// Replaces a function's environment variables, as a deploy with other parameters does. Only in a test
/// that is alone.
pub(crate) async fn set_variables(stack: &Stack, binary: &str, variables: &Value) {
    let path = format!("/2015-03-31/functions/{}/configuration", stack.function(binary));
    let body = json!({ "Environment": { "Variables": variables } });
    signed(stack, "lambda", (Method::PUT, &path), "", Some(&body)).await;
}

/// Ends a function's warm processes, as a deploy does: the next ones know nothing by heart. Only in a
/// test that is alone.
pub(crate) async fn restart(stack: &Stack, binary: &str) {
    let mut changed = variables(stack, binary).await;
    changed["RESTARTED"] = uuid::Uuid::new_v4().to_string().into();
    set_variables(stack, binary, &changed).await;
}

/// The address of a clock that is some hours from the stack's own, for as long as the test runs.
pub(crate) async fn clock_off_by(stack: &Stack, hours: i32) -> String {
    let stack = stack.clone();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/clock", listener.local_addr().unwrap());
    let now = async move || {
        let now = stack.sandbox().now().await + jiff::SignedDuration::from_hours(hours.into());
        axum::Json(json!({ "now": now }))
    };
    let clock = axum::Router::new().route("/clock", axum::routing::get(now));
    tokio::spawn(async { axum::serve(listener, clock).await });
    url
}

/// The Intuit app's keys, as the operator has put them.
pub(crate) async fn app_keys(stack: &Stack) -> Value {
    secret(stack, &app_secret(stack).await, None).await
}

/// Puts the Intuit app's keys, as the operator does. Only in a test that is alone.
pub(crate) async fn put_app_keys(stack: &Stack, keys: &Value) {
    let id = app_secret(stack).await;
    let body = json!({ "SecretId": id, "SecretString": keys.to_string() });
    let (status, answer) = stack.aws("secretsmanager", "PutSecretValue", &body).await;
    assert_eq!(status, 200, "{answer}");
}

/// The name of the secret with the Intuit app's keys: the one that is no company's.
async fn app_secret(stack: &Stack) -> String {
    let names = secret_names(stack).await;
    names.into_iter().find(|name| name.contains("IntuitApp")).expect("the app's secret")
}

/// The most events that FilterLogEvents answers at once.
const PAGE: usize = 10_000;

/// Everything that any function has logged since a moment.
pub(crate) async fn log_text(stack: &Stack, since: Timestamp) -> String {
    let groups = logs(stack, "DescribeLogGroups", &json!({})).await;
    let mut text = String::new();
    for group in groups["logGroups"].as_array().expect("log groups") {
        let mut from = since.as_millisecond();
        loop {
            let body = json!({ "logGroupName": group["logGroupName"], "startTime": from });
            let page = logs(stack, "FilterLogEvents", &body).await;
            let events = page["events"].as_array().cloned().unwrap_or_default();
            for event in &events {
                text.push_str(event["message"].as_str().unwrap_or_default());
                text.push('\n');
            }
            // The emulator answers the first 10,000 and no token for the rest: go on at the last one's
            // time, whose lines then stand there twice.
            let last = events.last().and_then(|event| event["timestamp"].as_i64());
            match last {
                Some(last) if last > from && events.len() >= PAGE => from = last,
                _ => break,
            }
        }
    }
    text
}

/// Writes a line into the functions' log, in a stream of its own; answers what that is.
pub(crate) async fn write_log(stack: &Stack, line: &str) -> Value {
    let groups = logs(stack, "DescribeLogGroups", &json!({})).await;
    let stream = json!({
        "logGroupName": groups["logGroups"][0]["logGroupName"],
        "logStreamName": format!("test/{}", uuid::Uuid::new_v4()),
    });
    logs(stack, "CreateLogStream", &stream).await;
    let mut put = stream.clone();
    let now = Timestamp::now().as_millisecond();
    put["logEvents"] = json!([{ "timestamp": now, "message": line }]);
    logs(stack, "PutLogEvents", &put).await;
    stream
}

/// Deletes what [`write_log`] has made.
pub(crate) async fn delete_log(stack: &Stack, stream: &Value) {
    logs(stack, "DeleteLogStream", stream).await;
}

/// A queue of the test's own on the host app's bus, for events that name no company.
pub(crate) struct Ear {
    queue: String,
    heard: tokio::sync::Mutex<Vec<Value>>,
}

impl Ear {
    /// Hears the product's events that match a pattern. Make it before whatever is to be heard of.
    pub(crate) async fn new(stack: &Stack, pattern: &Value) -> Self {
        let name = format!("ear-{}", uuid::Uuid::now_v7());
        let (_, made) = stack.aws("sqs", "CreateQueue", &json!({ "QueueName": name })).await;
        let queue = made["QueueUrl"].as_str().expect("a queue can be made").to_owned();
        let wanted = json!({ "QueueUrl": queue, "AttributeNames": ["QueueArn"] });
        let (_, attributes) = stack.aws("sqs", "GetQueueAttributes", &wanted).await;
        let arn = attributes["Attributes"]["QueueArn"].clone();
        let mut pattern = pattern.clone();
        pattern["source"] = json!(["quickbooks-connector"]);
        let bus = &stack.is.bus_name;
        let rule =
            json!({ "Name": name, "EventBusName": bus, "EventPattern": pattern.to_string() });
        let targets = json!({
            "Rule": name, "EventBusName": bus, "Targets": [{ "Id": "ear", "Arn": arn }],
        });
        for (operation, body) in [("PutRule", rule), ("PutTargets", targets)] {
            let (status, answer) = stack.aws("events", operation, &body).await;
            assert_eq!(status, 200, "{answer}");
        }
        Self { queue, heard: tokio::sync::Mutex::default() }
    }

    /// Everything heard so far, in the order of arrival: whole envelopes.
    pub(crate) async fn heard(&self, stack: &Stack) -> Vec<Value> {
        let mut heard = self.heard.lock().await;
        loop {
            let body = json!({ "QueueUrl": self.queue, "MaxNumberOfMessages": 10 });
            let (_, answer) = stack.aws("sqs", "ReceiveMessage", &body).await;
            let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
            if messages.is_empty() {
                return heard.clone();
            }
            for message in messages {
                let body = message["Body"].as_str().unwrap_or_default();
                heard.push(serde_json::from_str(body).expect("an event is JSON"));
                let handle = &message["ReceiptHandle"];
                let gone = json!({ "QueueUrl": self.queue, "ReceiptHandle": handle });
                stack.aws("sqs", "DeleteMessage", &gone).await;
            }
        }
    }
}
