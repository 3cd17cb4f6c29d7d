//! Secrecy (C3): after all tests, no token, code, client secret or verifier token is anywhere but in
//! Secrets Manager. It is last by name (see `main.rs`), and looks through what all the others left, so
//! run it after them.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper that cannot do its work fails the test, and says why"
)]

#[path = "secrecy/places.rs"]
mod places;

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use stack_tests::stack::api::Caller;
use stack_tests::stack::cards::Card;
use stack_tests::stack::needles::{Needles, hex};
use stack_tests::stack::{Stack, secrecy};

use crate::outside::{self, Raw};
use places::Place;

/// What a browser may see, and nobody else may keep.
const BROWSERS: [&str; 3] = ["ticket", "state", "cookie"];

/// Every secret that there was in the run: what Intuit ever gave, whatever became of it, what is in
/// Secrets Manager in any version, and what the tests were given in answers.
async fn secrets(stack: &Stack) -> BTreeSet<(&'static str, String)> {
    let mut all = secrecy::secrets();
    all.extend(places::secrets(stack).await);
    let issued = outside::sandbox_get(stack, "/tokens").await;
    for (kind, what) in [
        ("codes", "code"),
        ("accessTokens", "access token"),
        ("refreshTokens", "refresh token"),
        ("clientSecrets", "client secret"),
    ] {
        let values = issued[kind].as_array().expect("the sandbox lists what it issued");
        all.extend(values.iter().map(|value| (what, value.as_str().unwrap().to_owned())));
    }
    all
}

/// Which of the values are where they must not be.
fn leaks(places: &[Place], secrets: &BTreeSet<(&'static str, String)>) -> Vec<String> {
    let of = |is_the_browsers: bool| {
        let values =
            secrets.iter().filter(|(what, _)| !is_the_browsers || !BROWSERS.contains(what));
        Needles::new(values.map(|(what, value)| (*what, value.as_str())))
    };
    let (everything, all_but_the_browsers) = (of(false), of(true));
    let mut leaks = Vec::new();
    for place in places {
        let needles = if place.is_the_browsers { &all_but_the_browsers } else { &everything };
        for (what, at) in needles.found(&place.text) {
            leaks.push(format!("a {what} is in {}, {}", place.name, context(&place.text, at)));
        }
    }
    leaks
}

/// Where in a text something stands, without the thing itself.
fn context(text: &[u8], at: usize) -> String {
    let before = &text[..at];
    let mark = secrecy::MARK.as_bytes();
    let record = before.windows(mark.len()).rposition(|window| window == mark).unwrap_or(0);
    let words = |part: &[u8]| String::from_utf8_lossy(part).replace('\n', " ");
    let head = words(&before[record..before.len().min(record + 120)]);
    let near = words(&before[before.len().saturating_sub(160)..]);
    format!("{head:?} … {near:?}")
}

/// A value that is planted wherever something can be written, so that looking finds it there.
struct Canary {
    value: String,
    /// Names of the places where it must be found.
    places: Vec<String>,
    tables: Vec<(String, Value)>,
    stream: Value,
    bucket: Option<String>,
}

impl Canary {
    async fn plant(stack: &Stack) -> Self {
        let value = format!("canary-{}", uuid::Uuid::new_v4());
        let mut canary = Self {
            value: value.clone(),
            places: Vec::new(),
            tables: Vec::new(),
            stream: Value::Null,
            bucket: None,
        };
        canary.through_the_product(stack).await;
        canary.in_tables(stack).await;
        let text = json!({ "planted": value }).to_string();

        let body = json!({ "QueueUrl": stack.is.queues["DeadLetters"], "MessageBody": text });
        let (status, answer) = stack.aws("sqs", "SendMessage", &body).await;
        assert_eq!(status, 200, "{answer}");
        canary.places.push("queues".into());

        let event = json!({
            "EventBusName": stack.is.bus_name, "Source": "quickbooks-connector",
            "DetailType": "canary", "Detail": text,
        });
        let (status, answer) =
            stack.aws("events", "PutEvents", &json!({ "Entries": [event] })).await;
        assert_eq!(status, 200, "{answer}");
        canary.places.push("events".into());

        canary.stream = outside::write_log(stack, &text).await;
        canary.places.push("logs".into());

        let sender = format!("{value}@example.com");
        let mail = json!({
            "FromEmailAddress": sender,
            "Destination": { "ToAddresses": [sender] },
            "Content": { "Simple": {
                "Subject": { "Data": "canary" },
                "Body": { "Text": { "Data": text }, "Html": { "Data": text } },
            } },
        });
        for (path, body) in [
            ("/v2/email/identities", json!({ "EmailIdentity": sender })),
            ("/v2/email/outbound-emails", mail),
        ] {
            let (method, body) = (Method::POST, body.to_string().into_bytes());
            let body = Some(("application/json", body));
            outside::raw(stack, Raw { service: "ses", method, path, body }).await;
        }
        canary.places.push("mails".into());

        if let Some(bucket) = places::buckets(stack).await.into_iter().next() {
            let path = format!("/{bucket}/canary");
            let body = Some(("text/plain", text.into_bytes()));
            let put = Method::PUT;
            outside::raw(stack, Raw { service: "s3", method: put, path: &path, body }).await;
            canary.places.push(format!("bucket {bucket}"));
            canary.bucket = Some(bucket);
        }
        canary
    }

    /// In the notes of a timecard, and in the answer to somebody who sends it where it does not belong.
    async fn through_the_product(&mut self, stack: &Stack) {
        let company = stack.company("empty").await;
        let card = Card { notes: self.value.clone(), ..Card::new("canary", 1) };
        stack.deliver(&company, &[card]).await;
        self.places.extend(["table Records", "requests of the functions"].map(str::to_owned));
        let path = format!("/sync-status/{}", self.value);
        stack.get(&Caller::operator(), &path).await;
        self.places.push("answers of the API".into());
    }

    /// As text into one table, in hexadecimal digits and base64 into the next ones.
    async fn in_tables(&mut self, stack: &Stack) {
        use base64::Engine as _;
        use base64::engine::general_purpose::STANDARD;
        for (number, (name, table)) in stack.is.tables.iter().enumerate() {
            let body = json!({ "TableName": table });
            let (_, described) = stack.aws("dynamodb", "DescribeTable", &body).await;
            let mut key = json!({});
            for attribute in described["Table"]["KeySchema"].as_array().into_iter().flatten() {
                key[attribute["AttributeName"].as_str().unwrap()] = json!({ "S": "~canary" });
            }
            let mut item = key.clone();
            item["planted"] = match number % 3 {
                0 => json!({ "S": format!("Bearer {}", self.value) }),
                1 => json!({ "S": hex(self.value.as_bytes()) }),
                _ => json!({ "B": STANDARD.encode(format!("{{\"a\":\"{}\"}}", self.value)) }),
            };
            let body = json!({ "TableName": table, "Item": item });
            let (status, answer) = stack.aws("dynamodb", "PutItem", &body).await;
            assert_eq!(status, 200, "{name}: {answer}");
            self.places.push(format!("table {name}"));
            self.tables.push((table.clone(), key));
        }
    }

    /// Fails unless looking finds it in each place where it is.
    fn is_found(&self, places: &[Place]) {
        let needles = Needles::new([("canary", self.value.as_str())]);
        for wanted in &self.places {
            let mut of_name = places.iter().filter(|place| place.name == *wanted);
            let found = of_name.any(|place| !needles.found(&place.text).is_empty());
            assert!(found, "the canary is not found in {wanted}");
        }
    }

    async fn remove(&self, stack: &Stack) {
        for (table, key) in &self.tables {
            let body = json!({ "TableName": table, "Key": key });
            stack.aws("dynamodb", "DeleteItem", &body).await;
        }
        let queue = &stack.is.queues["DeadLetters"];
        let body = json!({ "QueueUrl": queue, "MaxNumberOfMessages": 10, "VisibilityTimeout": 1 });
        let (_, answer) = stack.aws("sqs", "ReceiveMessage", &body).await;
        for message in answer["Messages"].as_array().into_iter().flatten() {
            if message["Body"].as_str().is_some_and(|body| body.contains(&self.value)) {
                let handle = &message["ReceiptHandle"];
                let body = json!({ "QueueUrl": queue, "ReceiptHandle": handle });
                stack.aws("sqs", "DeleteMessage", &body).await;
            }
        }
        outside::delete_log(stack, &self.stream).await;
        if let Some(bucket) = &self.bucket {
            let path = format!("/{bucket}/canary");
            let delete = Method::DELETE;
            outside::raw(stack, Raw { service: "s3", method: delete, path: &path, body: None })
                .await;
        }
    }
}

#[tokio::test]
async fn no_secret_of_the_whole_run_is_anywhere_but_in_secrets_manager() {
    let (stack, _alone) = Stack::alone().await;
    stack.listen().await;
    let secrets = secrets(&stack).await;
    for what in ["code", "access token", "refresh token", "client secret", "verifier token"] {
        assert!(secrets.iter().any(|(kind, _)| *kind == what), "no {what} is known to look for");
    }
    let canary = Canary::plant(&stack).await;
    let places = places::all(&stack).await;
    canary.remove(&stack).await;
    canary.is_found(&places);
    // Nothing can be planted there, but these are known to be in them.
    for (name, known) in [("CloudFormation", "ClockUrl"), ("variables of connection", "TABLE_JOBS")]
    {
        let place = places.iter().find(|place| place.name == name).expect("it was looked at");
        assert!(String::from_utf8_lossy(&place.text).contains(known), "{known} is not in {name}");
    }
    let bytes: usize = places.iter().map(|place| place.text.len()).sum();
    println!("{} secrets, {} places, {} MB", secrets.len(), places.len(), bytes >> 20);
    let leaks = leaks(&places, &secrets);
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
}
