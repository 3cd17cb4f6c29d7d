//! From per-user tokens to one connection per company (C13), on the stack.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper that cannot do its work fails the test, and says why"
)]

mod clean_up;
mod export;
mod killed;
mod meanwhile;

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};
use stack_tests::stack::company::Company;
use stack_tests::stack::{Stack, eventually};
use url::Url;

/// Where the sandbox sends a browser; nobody listens there.
const BACK: &str = "http://localhost:9/old";

/// Lines of an export.
#[derive(Default)]
struct Export {
    text: String,
    lines: usize,
}

impl Export {
    /// Adds a line as it is, and answers its number.
    fn raw(&mut self, line: &str) -> usize {
        writeln!(self.text, "{line}").unwrap();
        self.lines += 1;
        self.lines
    }

    /// Adds a frozen line, with `more` laid over it.
    fn add(&mut self, company: &str, user: &str, realm: &str, token: &str, more: &Value) -> usize {
        let mut line = json!({
            "companyId": company, "userId": user, "realmId": realm, "environment": "sandbox",
            "refreshToken": token, "connectedAt": "2025-02-03T04:05:06Z",
            "refreshedAt": "2026-01-01T00:00:00Z", "frozenAt": "2026-01-02T00:00:00Z",
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            line[name] = value.clone();
        }
        self.raw(&line.to_string())
    }

    /// Uploads it, and answers its key.
    async fn upload(&self, stack: &Stack, name: &str) -> String {
        let moment = jiff::Timestamp::now().as_millisecond();
        let key = format!("exports/{name}-{moment}.jsonl");
        stack.put_file("Migration", &key, &self.text).await;
        key
    }
}

/// A refresh token of the old side: a user has connected through an app of the old side's own.
async fn old_token(stack: &Stack, realm: &str) -> String {
    let sandbox = &stack.is.sandbox_url;
    let mut consent = Url::parse(&format!("{sandbox}/connect/oauth2")).unwrap();
    consent
        .query_pairs_mut()
        .append_pair("client_id", "sandbox-client")
        .append_pair("response_type", "code")
        .append_pair("scope", "com.intuit.quickbooks.accounting")
        .append_pair("redirect_uri", BACK)
        .append_pair("state", "old")
        .append_pair("auto", realm);
    let answer = stack.http.get(consent).send().await.unwrap();
    let back = answer.headers()["location"].to_str().unwrap().to_owned();
    let back = Url::parse(&back).unwrap();
    let code = back.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    let form =
        [("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", BACK)];
    let request = stack.http.post(format!("{sandbox}/oauth2/v1/tokens/bearer"));
    let request = request.basic_auth("sandbox-client", Some("sandbox-secret")).form(&form);
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    answer["refresh_token"].as_str().unwrap().to_owned()
}

/// Runs an export to its end.
async fn run(stack: &Stack, key: &str) -> Value {
    let mut event = json!({ "export": key });
    loop {
        let answer = stack.invoke_long("token-migration", &event).await;
        assert!(answer["companies"].is_object(), "{answer}");
        if answer["next"].is_null() {
            return answer;
        }
        event["after"] = answer["next"].clone();
    }
}

/// The report of an export as it lies in the bucket.
async fn report(stack: &Stack, key: &str) -> Value {
    let name = key.trim_start_matches("exports/");
    let text = stack.file("Migration", &format!("reports/{name}.json")).await;
    serde_json::from_str(&text.expect("a report")).unwrap()
}

/// A company's line in a report.
fn result<'a>(report: &'a Value, company: &str) -> &'a Value {
    let results = report["results"].as_array().unwrap();
    results.iter().find(|row| row["companyId"] == company).expect("every company is reported")
}

/// The row of a company in `Connections`: `company` or `migrating`.
async fn row(stack: &Stack, kind: &str, company: &str) -> Value {
    stack.item("Connections", &json!({ "id": { "S": format!("{kind}#{company}") } })).await
}

/// What the function asked of AWS and of QuickBooks since a mark.
async fn actions(stack: &Stack, mark: u64) -> Vec<String> {
    let function = stack.function("token-migration");
    let log = stack.control().log(mark).await;
    let of_it = log.into_iter().filter(|call| call.function.as_deref() == Some(function));
    of_it.map(|call| call.action).collect()
}

/// Whether the company's connection is live and its chain of tokens whole: it works today and, after
/// Intuit has replaced the refresh token, tomorrow.
async fn works(stack: &Stack, company: &Company) -> bool {
    let body = json!({ "companyId": company.id });
    let answer = eventually("a place in the interactive share", SHARE, async || {
        let answer = stack.post(&company.admin, "/test-connection", &body).await;
        (answer.status != 429).then_some(answer)
    })
    .await;
    answer.json()["connected"] == true
}

/// Interactive calls of a company come one a second.
const SHARE: Duration = Duration::from_secs(10);

/// How every row of a company's audit trail begins: a time of these decades, in milliseconds.
const AT: &str = "1";

/// How long Intuit keeps the value of a refresh token, in seconds, and an hour more.
const ROTATES: u64 = 25 * 3600;

/// Whether Intuit honours a refresh token for a while after it gave a new one, in seconds.
async fn grace(stack: &Stack, seconds: u32) {
    let policy = json!({
        "refreshGraceS": seconds, "revokeOnConcurrentRefresh": true, "revokeWholeRealm": false,
    });
    stack.sandbox().post("/oauth", &policy).await;
}
