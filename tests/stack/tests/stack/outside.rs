//! What these tests do from outside besides the harness: calls with any token, a browser that keeps
//! its cookies as browsers do, and a look at tables, secrets and logs with the emulator's root keys.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE, COOKIE, HeaderMap, LOCATION, SET_COOKIE};
use serde_json::{Value, json};
use stack_tests::stack::api::{Answer, Caller};
use stack_tests::stack::company::Company;
use stack_tests::stack::sigv4::{self, Call, Keys};
use stack_tests::stack::stored::text;
use stack_tests::stack::{Stack, eventually};
use url::Url;

/// A token of the local issuer; `wish` is what the issuer is asked for.
pub(crate) async fn token(stack: &Stack, wish: &Value) -> String {
    let url = format!("{}/token", stack.is.issuer_url);
    let answer = stack.http.post(url).json(wish).send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    answer["access_token"].as_str().expect("the issuer gives a token").to_owned()
}

/// A call with a bearer as it is, or none.
pub(crate) async fn call(
    stack: &Stack,
    bearer: Option<&str>,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Answer {
    let mut request = stack.http.request(method, format!("{}{path}", stack.is.api_url));
    if let Some(bearer) = bearer {
        request = request.bearer_auth(bearer);
    }
    if let Some(body) = body {
        request = request.json(body);
    }
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    Answer { status, headers, text: answer.text().await.unwrap() }
}

/// The content type of an answer, without its parameters.
pub(crate) fn content_type(headers: &HeaderMap) -> &str {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default()
}

/// Checks that an answer is a problem document of this status and code, with words for a person, and
/// returns it.
#[track_caller]
pub(crate) fn problem(answer: &Answer, status: u16, code: &str) -> Value {
    let document = answer.json();
    assert_eq!(answer.status, status, "{}", answer.text);
    assert_eq!(document["code"], code, "{}", answer.text);
    assert_eq!(content_type(&answer.headers), "application/problem+json");
    assert_eq!(document["status"], status);
    for words in ["type", "title", "detail"] {
        let text = document[words].as_str().unwrap_or_default();
        assert!(!text.is_empty(), "a problem has {words}: {}", answer.text);
    }
    document
}

/// Checks that a problem names this field by this code with a fix, and returns that error.
#[track_caller]
pub(crate) fn names(document: &Value, field: &str, code: &str) -> Value {
    let errors = document["errors"].as_array().cloned().unwrap_or_default();
    let found = errors.iter().find(|error| error["field"] == field && error["code"] == code);
    let found = found.unwrap_or_else(|| panic!("no {code} of {field} in {document}"));
    for words in ["message", "fix"] {
        assert!(found[words].as_str().is_some_and(|text| !text.is_empty()), "{words}: {found}");
    }
    found.clone()
}

/// A page as a browser got it.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) location: Option<Url>,
    pub(crate) text: String,
}

impl Page {
    /// The page in words: a failed assertion shows it.
    pub(crate) fn says(&self, words: &str) -> bool {
        self.text.contains(words)
    }

    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// A cookie with what the browser must know of it.
#[derive(Clone, Debug)]
pub(crate) struct Cookie {
    pub(crate) host: String,
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) path: String,
    /// Everything after the value, as the server wrote it.
    pub(crate) attributes: String,
}

/// A browser with a cookie jar of its own. Loopback counts as secure, as it does in browsers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Visitor(pub(crate) Vec<Cookie>);

impl Visitor {
    /// Opens a page; redirects are not followed.
    pub(crate) async fn open(&mut self, stack: &Stack, url: &Url) -> Page {
        self.open_as(stack, url, "text/html,*/*;q=0.8").await
    }

    /// Opens a page with an Accept header.
    pub(crate) async fn open_as(&mut self, stack: &Stack, url: &Url, accept: &str) -> Page {
        let host = url.host_str().unwrap_or_default();
        let mine = self
            .0
            .iter()
            .filter(|cookie| cookie.host == host && url.path().starts_with(&cookie.path));
        let cookies: Vec<String> =
            mine.map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        let mut request = stack.http.get(url.clone()).header(ACCEPT, accept);
        if !cookies.is_empty() {
            request = request.header(COOKIE, cookies.join("; "));
        }
        let answer = request.send().await.unwrap();
        for header in answer.headers().get_all(SET_COOKIE) {
            self.keep(host, header.to_str().unwrap());
        }
        let location = answer.headers().get(LOCATION).map(|value| value.to_str().unwrap());
        Page {
            status: answer.status().as_u16(),
            location: location.map(|location| url.join(location).unwrap()),
            headers: answer.headers().clone(),
            text: answer.text().await.unwrap_or_default(),
        }
    }

    fn keep(&mut self, host: &str, header: &str) {
        let (pair, attributes) = header.split_once(';').unwrap_or((header, ""));
        let (name, value) = pair.split_once('=').expect("a cookie has a name and a value");
        let attribute = |wanted: &str| {
            attributes.split(';').find_map(|attribute| {
                let (name, value) = attribute.trim().split_once('=')?;
                name.eq_ignore_ascii_case(wanted).then(|| value.to_owned())
            })
        };
        let path = attribute("path").unwrap_or_else(|| "/".to_owned());
        self.0.retain(|known| (&*known.host, &*known.name) != (host, name) || known.path != path);
        if attribute("max-age").is_none_or(|age| age != "0") {
            self.0.push(Cookie {
                host: host.to_owned(),
                name: name.to_owned(),
                value: value.to_owned(),
                path,
                attributes: attributes.to_owned(),
            });
        }
    }
}

/// The connect link that a caller gets for a company.
pub(crate) async fn link(stack: &Stack, caller: &Caller, company: &str) -> Url {
    let answer = stack.post(caller, "/connect", &json!({ "companyId": company })).await.ok();
    Url::parse(answer["url"].as_str().expect("a connect link")).expect("the link is a URL")
}

/// Opens a connect link; answers Intuit's consent page, not opened yet.
pub(crate) async fn to_intuit(stack: &Stack, visitor: &mut Visitor, link: &Url) -> Url {
    let page = visitor.open(stack, link).await;
    assert_eq!(page.status, 302, "{}", page.text);
    page.location.expect("a redirect to Intuit")
}

/// Grants access to a realm on Intuit's page; answers the callback, not opened yet.
pub(crate) async fn grant(stack: &Stack, visitor: &mut Visitor, consent: &Url, realm: &str) -> Url {
    let mut consent = consent.clone();
    consent.query_pairs_mut().append_pair("auto", realm);
    let page = visitor.open(stack, &consent).await;
    assert_eq!(page.status, 302, "{}", page.text);
    page.location.expect("a redirect to the callback")
}

/// From the link of the company's admin to the callback with a code, not opened yet.
pub(crate) async fn callback(stack: &Stack, company: &Company, visitor: &mut Visitor) -> Url {
    let link = link(stack, &company.admin, &company.id).await;
    let consent = to_intuit(stack, visitor, &link).await;
    grant(stack, visitor, &consent, &company.realm).await
}

/// Confirms a connection.
pub(crate) async fn confirm(stack: &Stack, caller: &Caller, company: &str) -> Answer {
    stack.post(caller, "/connect/confirm", &json!({ "companyId": company })).await
}

/// The connection's status as an admin sees it.
pub(crate) async fn status(stack: &Stack, company: &Company) -> Value {
    stack.get(&company.admin, &format!("/status?companyId={}", company.id)).await.ok()
}

/// A value of a URL's query.
pub(crate) fn query(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// The URL with another value in its query, or without it.
pub(crate) fn with_query(url: &Url, name: &str, value: Option<&str>) -> Url {
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let mut changed = url.clone();
    changed.query_pairs_mut().clear().extend_pairs(pairs.iter().filter(|(key, _)| key != name));
    if let Some(value) = value {
        changed.query_pairs_mut().append_pair(name, value);
    }
    changed
}

/// A `GET` on the sandbox's admin side.
pub(crate) async fn sandbox_get(stack: &Stack, path: &str) -> Value {
    let url = format!("{}{path}", stack.is.sandbox_admin_url);
    stack.http.get(url).send().await.unwrap().json().await.unwrap()
}

/// How often somebody tried to exchange a code of this realm.
pub(crate) async fn exchanges(stack: &Stack, realm: &str) -> u64 {
    let tokens = stack.sandbox().counters(realm).await["tokens"].clone();
    tokens["exchange"].as_u64().unwrap() + tokens["refused"].as_u64().unwrap()
}

/// How many grants Intuit still honours for a realm.
pub(crate) async fn live_grants(stack: &Stack, realm: &str) -> u64 {
    sandbox_get(stack, &format!("/companies/{realm}")).await["liveGrants"].as_u64().unwrap()
}

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
            break;
        }
    }
    names.retain(|name| name.split('/').any(|part| part == company));
    names
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

/// A call to the emulated AWS as its root user; the harness's own calls are all `POST /` to four
/// services.
async fn signed(
    stack: &Stack,
    service: &str,
    (method, path): (Method, &str),
    target: &str,
    body: Option<&Value>,
) -> Value {
    let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
    let host = stack.is.aws_url.strip_prefix("http://").unwrap_or(&stack.is.aws_url);
    let region = &stack.is.region;
    let call = Call { method: method.as_str(), host, path, body: &body, service, region };
    let (time, authorization) =
        sigv4::sign(Keys { id: "test", secret: "test" }, call, Timestamp::now());
    let mut request = stack
        .http
        .request(method, format!("{}{path}", stack.is.aws_url))
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amz-date", time)
        .header("authorization", authorization);
    if !target.is_empty() {
        request = request.header("x-amz-target", target);
    }
    let answer = request.body(body).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200, "{service} {path} {target}");
    answer.json().await.unwrap()
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

/// Everything that any function has logged since a moment.
pub(crate) async fn log_text(stack: &Stack, since: Timestamp) -> String {
    let groups = logs(stack, "DescribeLogGroups", &json!({})).await;
    let mut text = String::new();
    for group in groups["logGroups"].as_array().expect("log groups") {
        let mut next = Value::Null;
        loop {
            let mut body = json!({
                "logGroupName": group["logGroupName"],
                "startTime": since.as_millisecond(),
            });
            if !next.is_null() {
                body["nextToken"] = next;
            }
            let mut page = logs(stack, "FilterLogEvents", &body).await;
            for event in page["events"].as_array().into_iter().flatten() {
                text.push_str(event["message"].as_str().unwrap_or_default());
                text.push('\n');
            }
            next = page["nextToken"].take();
            if next.is_null() {
                break;
            }
        }
    }
    text
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
