//! One sandbox with a client that speaks to it.

use std::{ops::Deref, time::Duration};

use quickbooks_sandbox::{Config, Sandbox};
use reqwest::{Client, Method, RequestBuilder, StatusCode, header::HeaderMap, redirect::Policy};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

pub(crate) const A: &str = "9341453000000001";
pub(crate) const B: &str = "9341453000000002";
pub(crate) const REDIRECT: &str = "http://localhost:9/callback";

/// An answer, read.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    pub(crate) text: String,
}

impl Answer {
    /// The first error's code, of either fault shape.
    pub(crate) fn code(&self) -> &str {
        let body = &self.body;
        body["Fault"]["Error"][0]["code"]
            .as_str()
            .or_else(|| body["fault"]["error"][0]["code"].as_str())
            .unwrap_or("")
    }

    pub(crate) fn detail(&self) -> &str {
        let body = &self.body;
        body["Fault"]["Error"][0]["Detail"]
            .as_str()
            .or_else(|| body["fault"]["error"][0]["detail"].as_str())
            .unwrap_or("")
    }

    /// Panics with the body unless the answer is a success.
    pub(crate) fn ok(self) -> Self {
        assert!(self.status.is_success(), "{}: {}", self.status, self.text);
        self
    }
}

/// A sandbox for one test. Limits are lifted; the tests of limits set them.
pub(crate) struct TestSandbox {
    pub(crate) sandbox: Sandbox,
    pub(crate) http: Client,
}

/// A sandbox and an access token of company A.
pub(crate) struct Connected {
    pub(crate) sandbox: TestSandbox,
    pub(crate) token: String,
    pub(crate) refresh: String,
}

impl Deref for Connected {
    type Target = TestSandbox;
    fn deref(&self) -> &TestSandbox {
        &self.sandbox
    }
}

impl TestSandbox {
    pub(crate) async fn start() -> Self {
        Self::start_with(Config { limits_scale: 1000.0, ..Config::ephemeral() }).await
    }

    pub(crate) async fn start_with(config: Config) -> Self {
        let sandbox = Sandbox::start(config).await.unwrap();
        let http = Client::builder().redirect(Policy::none()).no_proxy().build().unwrap();
        Self { sandbox, http }
    }

    pub(crate) async fn connected() -> Connected {
        Self::start().await.connect(A).await
    }

    /// Connects `realm` and keeps its tokens.
    pub(crate) async fn connect(self, realm: &str) -> Connected {
        let tokens = self.tokens(realm).await;
        let text = |name: &str| tokens.body[name].as_str().unwrap().to_owned();
        Connected { token: text("access_token"), refresh: text("refresh_token"), sandbox: self }
    }

    pub(crate) fn public(&self, path: &str) -> String {
        format!("{}{path}", self.sandbox.public_url())
    }

    /// Sends, and holds every JSON answer of the REST API against the schema.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let path = response.url().path().to_owned();
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        let is_json = headers
            .get("content-type")
            .is_some_and(|kind| kind.to_str().unwrap().starts_with("application/json"));
        if path.starts_with("/v3/company/")
            && is_json
            && let Err(wrong) = quickbooks_sandbox::testing::check_answer(&body)
        {
            panic!("{path} answered against the schema: {wrong:#?}\n{text}");
        }
        Answer { status, headers, body, text }
    }

    /// The authorize URL with these overrides.
    pub(crate) fn authorize_url(&self, overrides: &[(&str, &str)]) -> reqwest::Url {
        let mut fields = vec![
            ("client_id", "sandbox-client"),
            ("response_type", "code"),
            ("scope", "com.intuit.quickbooks.accounting"),
            ("redirect_uri", REDIRECT),
            ("state", "state-1"),
        ];
        fields.retain(|(name, _)| !overrides.iter().any(|(other, _)| other == name));
        fields.extend(overrides);
        reqwest::Url::parse_with_params(&self.public("/connect/oauth2"), fields).unwrap()
    }

    /// A code by the scriptable way.
    pub(crate) async fn code(&self, realm: &str) -> String {
        let answer = self.send(self.http.get(self.authorize_url(&[("auto", realm)]))).await;
        assert_eq!(answer.status, 302, "{}", answer.text);
        let target = answer.headers["location"].to_str().unwrap();
        let target = reqwest::Url::parse(target).unwrap();
        target.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned()
    }

    pub(crate) async fn token_call(&self, form: &[(&str, &str)]) -> Answer {
        let request = self
            .http
            .post(self.public("/oauth2/v1/tokens/bearer"))
            .basic_auth("sandbox-client", Some("sandbox-secret"))
            .form(form);
        self.send(request).await
    }

    pub(crate) async fn exchange(&self, code: &str) -> Answer {
        self.token_call(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT),
        ])
        .await
    }

    pub(crate) async fn refresh(&self, token: &str) -> Answer {
        self.token_call(&[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }

    pub(crate) async fn tokens(&self, realm: &str) -> Answer {
        self.exchange(&self.code(realm).await).await.ok()
    }

    /// An admin call; the answer must be a success.
    pub(crate) async fn admin(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let mut request = self.http.request(method, format!("{}{path}", self.sandbox.admin_url()));
        if let Some(body) = body {
            request = request.json(&body);
        }
        self.send(request).await.ok().body
    }

    pub(crate) async fn admin_get(&self, path: &str) -> Value {
        self.admin(Method::GET, path, None).await
    }

    pub(crate) async fn admin_post(&self, path: &str, body: Value) -> Value {
        self.admin(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn advance(&self, seconds: i64) {
        self.admin_post("/clock/advance", json!({ "seconds": seconds })).await;
    }

    pub(crate) async fn stored(&self, entity: &str) -> Vec<Value> {
        let all = self.admin_get(&format!("/companies/{A}/{entity}")).await;
        all[entity].as_array().unwrap().clone()
    }
}

impl Connected {
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = self.public(&format!("/v3/company/{A}/{path}"));
        self.http.request(method, url).bearer_auth(&self.token)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    pub(crate) async fn query(&self, statement: &str) -> Answer {
        self.send(self.request(Method::GET, "query").query(&[("query", statement)])).await
    }

    /// The rows of a query that must succeed.
    pub(crate) async fn rows(&self, entity: &str, statement: &str) -> Vec<Value> {
        let answer = self.query(statement).await.ok();
        answer.body["QueryResponse"][entity].as_array().cloned().unwrap_or_default()
    }

    /// Posts on a task of its own, and waits until the call has met the one fault that is armed.
    pub(crate) async fn post_into_fault(&self, path: &str, body: &Value) -> JoinHandle<String> {
        let call = self.request(Method::POST, path).json(body).send();
        let call = tokio::spawn(async move { call.await.unwrap().text().await.unwrap() });
        while self.admin_get("/faults").await != json!({ "faults": [] }) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        call
    }

    /// Creates an activity that must be taken; the activity.
    pub(crate) async fn activity(&self, changes: Value) -> Value {
        let answer = self.post("timeactivity?minorversion=75", &activity(changes)).await.ok();
        answer.body["TimeActivity"].clone()
    }
}

/// A plain activity with fields laid over it; null takes one away.
pub(crate) fn activity(changes: Value) -> Value {
    let mut body = json!({
        "TxnDate": "2026-11-18",
        "NameOf": "Employee",
        "EmployeeRef": { "value": "55" },
        "Hours": 7,
        "Minutes": 30,
    });
    let Value::Object(changes) = changes else { panic!("changes are an object") };
    for (name, value) in changes {
        if value.is_null() {
            body.as_object_mut().unwrap().remove(&name);
        } else {
            body[name] = value;
        }
    }
    body
}
