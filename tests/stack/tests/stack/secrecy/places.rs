//! Every place that holds something when all tests are over, as text.

use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};
use stack_tests::stack::needles::SHORTEST;
use stack_tests::stack::{Stack, secrecy};

use crate::outside::{self, Raw};

/// Secrets that are read at the same time.
const AT_A_TIME: usize = 16;

/// A place.
pub(super) struct Place {
    pub(super) name: String,
    pub(super) text: Vec<u8>,
    /// Tickets, states and cookies are there for the browser that they were made for.
    pub(super) is_the_browsers: bool,
}

fn place(name: impl Into<String>, text: impl Into<Vec<u8>>) -> Place {
    Place { name: name.into(), text: text.into(), is_the_browsers: false }
}

/// All places.
pub(super) async fn all(stack: &Stack) -> Vec<Place> {
    let mut places = vec![
        Place { is_the_browsers: true, ..place("answers of the API", secrecy::answers()) },
        place("requests of the functions", std::fs::read(&stack.is.requests).unwrap()),
        place("logs", outside::log_text(stack, Timestamp::UNIX_EPOCH).await),
        place("mails", peek(stack, "ses").await),
        place("queues", peek(stack, "sqs").await),
        place("events", Value::from(stack.all_events().await).to_string()),
        place("CloudFormation", cloudformation(stack).await),
    ];
    for (name, table) in &stack.is.tables {
        places.push(place(format!("table {name}"), outside::table_text(stack, table).await));
    }
    for binary in stack.is.functions.keys() {
        let variables = outside::variables(stack, binary).await.to_string();
        places.push(place(format!("variables of {binary}"), variables));
    }
    for bucket in buckets(stack).await {
        places.push(place(format!("bucket {bucket}"), objects(stack, &bucket).await));
    }
    places
}

/// Messages that the emulator holds, without taking them.
async fn peek(stack: &Stack, service: &str) -> Vec<u8> {
    let url = format!("{}/_ministack/{service}/messages", stack.is.aws_url);
    stack.http.get(url).send().await.unwrap().bytes().await.unwrap().to_vec()
}

/// The stack's parameters, outputs and template.
async fn cloudformation(stack: &Stack) -> Vec<u8> {
    let mut text = Vec::new();
    for action in ["DescribeStacks", "GetTemplate"] {
        let body = format!("Action={action}&Version=2010-05-15&StackName={}", stack.is.stack_name);
        let form = Some(("application/x-www-form-urlencoded", body.into_bytes()));
        let raw = Raw { service: "cloudformation", method: Method::POST, path: "/", body: form };
        text.extend(outside::raw(stack, raw).await);
    }
    text
}

async fn s3(stack: &Stack, path: &str) -> Vec<u8> {
    let raw = Raw { service: "s3", method: Method::GET, path, body: None };
    outside::raw(stack, raw).await
}

/// What stands between these tags in an answer of S3.
fn between(text: &[u8], tag: &str) -> Vec<String> {
    let text = String::from_utf8_lossy(text);
    let (begin, end) = (format!("<{tag}>"), format!("</{tag}>"));
    let parts = text.split(&begin).skip(1);
    parts.filter_map(|part| part.split_once(&end)).map(|(name, _)| name.to_owned()).collect()
}

/// The product's own buckets, and that in which `sam deploy` leaves the template.
pub(super) async fn buckets(stack: &Stack) -> Vec<String> {
    between(&s3(stack, "/").await, "Name")
}

/// Names and contents of all objects of a bucket. Left out are the functions' own code, by its size, and
/// exports of an old table of tokens: somebody puts them there to be read, and the clean-up destroys them.
async fn objects(stack: &Stack, bucket: &str) -> Vec<u8> {
    let listed = s3(stack, &format!("/{bucket}")).await;
    assert!(!between(&listed, "IsTruncated").contains(&"true".to_owned()), "{bucket} is large");
    let mut text = listed.clone();
    let (keys, sizes) = (between(&listed, "Key"), between(&listed, "Size"));
    assert_eq!(keys.len(), sizes.len());
    for (key, size) in keys.iter().zip(sizes) {
        let small = size.parse::<u64>().is_ok_and(|size| size < 1 << 20);
        if small && !key.starts_with("exports/") {
            text.extend(s3(stack, &format!("/{bucket}/{key}")).await);
        }
    }
    text
}

/// Every value of every version of every secret. The long tests leave more than ten thousand, and the
/// emulator answers no more than a few calls at a time.
pub(super) async fn secrets(stack: &Stack) -> Vec<(&'static str, String)> {
    let names = outside::secret_names(stack).await;
    let mut tasks = tokio::task::JoinSet::new();
    let mut found = Vec::new();
    for name in names {
        if tasks.len() == AT_A_TIME
            && let Some(read) = tasks.join_next().await
        {
            found.extend(read.expect("a secret's versions are read"));
        }
        let stack = stack.clone();
        tasks.spawn(async move { values(&stack, &name).await });
    }
    found.extend(tasks.join_all().await.concat());
    found
}

async fn values(stack: &Stack, name: &str) -> Vec<(&'static str, String)> {
    let body = json!({ "SecretId": name, "IncludeDeprecated": true });
    let (_, listed) = stack.aws("secretsmanager", "ListSecretVersionIds", &body).await;
    let mut values = Vec::new();
    for version in listed["Versions"].as_array().into_iter().flatten() {
        let body = json!({ "SecretId": name, "VersionId": version["VersionId"] });
        let (_, answer) = stack.aws("secretsmanager", "GetSecretValue", &body).await;
        let value: Value =
            serde_json::from_str(answer["SecretString"].as_str().unwrap_or_default())
                .unwrap_or_default();
        for (field, what) in [
            ("accessToken", "access token"),
            ("refreshToken", "refresh token"),
            ("clientSecret", "client secret"),
            ("webhookVerifierToken", "verifier token"),
        ] {
            // A shorter one was made up by a test.
            let value = value[field].as_str().filter(|value| value.len() >= SHORTEST);
            values.extend(value.map(|value| (what, value.to_owned())));
        }
    }
    values
}
