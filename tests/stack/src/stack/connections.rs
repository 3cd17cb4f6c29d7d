//! Many connections at once, of any age, without a browser; and sweeps over them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::api::Caller;
use super::company::Company;
use super::{Stack, eventually};

/// A day, in seconds.
pub const DAY: u64 = 86_400;
/// The Intuit app of the stack, as `scripts/local/deploy.py` puts it into the secret.
const CLIENT_ID: &str = "sandbox-client";
/// Rows in one batch write (DynamoDB's limit).
const BATCH: usize = 25;
/// Parts of the indexes over connections, as the product has them.
const SHARDS: u8 = 4;

/// A company that is nothing but a row: for what only counts rows.
fn company(number: usize, prefix: &str) -> Company {
    let moment = jiff::Timestamp::now().as_millisecond();
    let id = format!("{prefix}-{moment}-{number}");
    Company { admin: Caller::admin(&id), realm: format!("8{moment}{number:06}"), id }
}

fn shard(company: &str) -> String {
    format!("live-{}", Sha256::digest(company.as_bytes())[0] % SHARDS)
}

/// The key of a company's live connection.
pub fn key(company: &Company) -> Value {
    json!({ "id": { "S": format!("company#{}", company.id) } })
}

/// A row of the table Connections, last refreshed at `at` (milliseconds since 1970) and not used since.
fn row(company: &Company, secret: &str, version: &str, at: i64) -> Value {
    let s = |text: &str| json!({ "S": text });
    let n = |number: i64| json!({ "N": number.to_string() });
    json!({
        "id": s(&format!("company#{}", company.id)),
        "company": s(&company.id),
        "connectionId": s(version),
        "realm": s(&company.realm),
        "environment": s("sandbox"),
        "companyName": s(&company.id),
        "status": s("connected"),
        "secret": s(secret),
        "ready": { "BOOL": true },
        "versionId": s(version),
        "accessExpiresAt": n(at + 3_600_000),
        "refreshExpiresAt": n(at + 8_640_000_000),
        "refreshedAt": n(at),
        "lastRefreshResult": s("ok"),
        "connectedBy": s("planted"),
        "connectedAt": n(at),
        "activeAt": n(at),
        "liveShard": s(&shard(&company.id)),
        "activeShard": s(&shard(&company.id)),
        "refreshFence": n(0),
    })
}

impl Stack {
    /// Live connections that nobody has used or refreshed for `age` seconds, with tokens that QuickBooks
    /// honours for as long as it would.
    pub async fn plant(&self, count: usize, age: u64) -> Vec<Company> {
        let companies: Vec<Company> = (0..count).map(|number| company(number, "planted")).collect();
        for company in &companies {
            let file = json!({ "realm": company.realm, "companyName": company.id });
            self.sandbox().post("/companies", &file).await;
        }
        self.plant_for(&companies, age).await;
        companies
    }

    /// The same for companies that are there already.
    pub async fn plant_for(&self, companies: &[Company], age: u64) {
        let realms: Vec<&str> = companies.iter().map(|company| company.realm.as_str()).collect();
        // Of the stack's own app: another test may have made a second one.
        let wish = json!({ "realms": realms, "ageS": age, "clientId": CLIENT_ID });
        let issued = self.sandbox().post("/tokens/issue", &wish).await;
        let issued = issued["tokens"].as_array().expect("the sandbox issues tokens").clone();
        let mut making = tokio::task::JoinSet::new();
        for (company, tokens) in companies.iter().cloned().zip(issued) {
            if making.len() >= 8 {
                making.join_next().await;
            }
            let stack = self.clone();
            making.spawn(async move { stack.plant_one(&company, &tokens).await });
        }
        making.join_all().await;
    }

    async fn plant_one(&self, company: &Company, tokens: &Value) {
        let issued: jiff::Timestamp =
            tokens["issuedAt"].as_str().expect("a time").parse().expect("a time");
        let at = issued.as_millisecond();
        let version = Uuid::new_v4().to_string();
        let secret = format!("{}/tokens/{}/{version}", self.is.stack_name, company.id);
        let stored = json!({
            "accessToken": tokens["accessToken"],
            "refreshToken": tokens["refreshToken"],
            "accessExpiresAt": at + 3_600_000,
            "refreshExpiresAt": at + 8_640_000_000_i64,
            "hardExpiresAt": null,
            "issuedAt": at,
        });
        let create = json!({ "Name": secret });
        let put = json!({
            "SecretId": secret, "ClientRequestToken": version, "SecretString": stored.to_string(),
            "VersionStages": ["f0"],
        });
        for (operation, body) in [("CreateSecret", create), ("PutSecretValue", put)] {
            let (status, answer) = self.aws("secretsmanager", operation, &body).await;
            assert_eq!(status, 200, "{answer}");
        }
        self.write(&[json!({ "PutRequest": { "Item": row(company, &secret, &version, at) } })])
            .await;
    }

    /// Rows of live connections without any secret, all refreshed just now: for what only counts rows.
    pub async fn plant_rows(&self, count: usize) -> Vec<Company> {
        let companies: Vec<Company> = (0..count).map(|number| company(number, "row")).collect();
        let now = self.sandbox().now().await.as_millisecond();
        let puts: Vec<Value> = companies
            .iter()
            .map(|company| json!({ "PutRequest": { "Item": row(company, "none", "none", now) } }))
            .collect();
        self.write(&puts).await;
        companies
    }

    /// Removes what was planted, so that it costs nobody else anything.
    pub async fn uproot(&self, companies: &[Company]) {
        let gone: Vec<Value> = companies
            .iter()
            .map(|company| json!({ "DeleteRequest": { "Key": key(company) } }))
            .collect();
        self.write(&gone).await;
    }

    async fn write(&self, requests: &[Value]) {
        let mut writing = tokio::task::JoinSet::new();
        for requests in requests.chunks(BATCH) {
            if writing.len() >= 4 {
                writing.join_next().await;
            }
            let (stack, table) = (self.clone(), self.table("Connections").to_owned());
            let body = json!({ "RequestItems": BTreeMap::from([(table, requests)]) });
            writing.spawn(async move {
                let (status, answer) = stack.aws("dynamodb", "BatchWriteItem", &body).await;
                assert_eq!(status, 200, "{answer}");
            });
        }
        writing.join_all().await;
    }

    /// The row of a company's connection.
    pub async fn connection_row(&self, company: &Company) -> Value {
        self.item("Connections", &key(company)).await
    }

    /// Takes every connection but these out of the indexes that sweeps read, so that a moved clock makes
    /// nothing of others due. Only in a test that is alone.
    pub async fn other_connections_rest(&self, mine: &[&Company]) {
        let mine: Vec<String> =
            mine.iter().map(|company| format!("company#{}", company.id)).collect();
        let mut body = json!({
            "TableName": self.table("Connections"),
            "FilterExpression": "attribute_exists(liveShard) OR attribute_exists(activeShard)",
            "ProjectionExpression": "id",
        });
        loop {
            let (status, answer) = self.aws("dynamodb", "Scan", &body).await;
            assert_eq!(status, 200, "{answer}");
            for item in answer["Items"].as_array().into_iter().flatten() {
                if mine.iter().any(|id| item["id"]["S"] == id.as_str()) {
                    continue;
                }
                let update = json!({
                    "TableName": self.table("Connections"),
                    "Key": { "id": item["id"] },
                    "UpdateExpression": "REMOVE liveShard, activeShard",
                });
                let (status, answer) = self.aws("dynamodb", "UpdateItem", &update).await;
                assert_eq!(status, 200, "{answer}");
            }
            let Some(next) = answer.get("LastEvaluatedKey").filter(|key| key.is_object()) else {
                return;
            };
            body["ExclusiveStartKey"] = next.clone();
        }
    }

    /// Runs a sweep (`access`, `stale` or `hard-expiry`) and waits until all of it is done; answers its
    /// report.
    pub async fn sweep_connections(&self, kind: &str, patience: Duration) -> Value {
        let begun = self.invoke_long("token-refresh", &json!({ "sweep": kind })).await;
        self.swept(&begun, patience).await
    }

    /// Waits until a run that has begun is over; answers its report.
    pub async fn swept(&self, begun: &Value, patience: Duration) -> Value {
        if !begun["finishedAt"].is_null() {
            return begun.clone();
        }
        let run = json!({ "report": begun["run"] });
        eventually("the end of a sweep", patience, async || {
            let report = self.invoke("token-refresh", &run).await;
            (!report["finishedAt"].is_null()).then_some(report)
        })
        .await
    }

    /// Sends token-refresh a message.
    pub async fn ask_token_refresh(&self, request: &Value) {
        let url = self.is.queues.get("Refreshes").expect("the queue is there");
        let body = json!({ "QueueUrl": url, "MessageBody": request.to_string() });
        let (status, answer) = self.aws("sqs", "SendMessage", &body).await;
        assert_eq!(status, 200, "{answer}");
    }

    /// Has token-refresh work on a message now, past its queue, which would bring the message of a killed
    /// process again, much later. Answers when it is done, or when its process is dead.
    pub async fn work_on_refresh(&self, request: &Value) {
        let message = json!({
            "messageId": "1", "body": request.to_string(),
            "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:Refreshes",
        });
        self.try_invoke("token-refresh", &json!({ "Records": [message] })).await;
    }

    /// How long a message of token-refresh's queue is hidden while it is worked on, in seconds.
    pub async fn hide_refreshes_for(&self, seconds: u32) {
        let url = self.is.queues.get("Refreshes").expect("the queue is there");
        let attributes = json!({ "VisibilityTimeout": seconds.to_string() });
        let body = json!({ "QueueUrl": url, "Attributes": attributes });
        let (status, answer) = self.aws("sqs", "SetQueueAttributes", &body).await;
        assert_eq!(status, 200, "{answer}");
    }
}
