//! QuickBooks' admin side.

use reqwest::Method;
use serde_json::{Value, json};

use super::Stack;

/// The sandbox's admin interface.
#[derive(Clone, Debug)]
pub struct Sandbox<'a>(&'a Stack);

impl Stack {
    /// The sandbox's admin interface.
    pub fn sandbox(&self) -> Sandbox<'_> {
        Sandbox(self)
    }
}

impl Sandbox<'_> {
    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Value {
        let mut request =
            self.0.http.request(method, format!("{}{path}", self.0.is.sandbox_admin_url));
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.expect("the sandbox answers");
        let status = answer.status();
        let text = answer.text().await.expect("the sandbox answers text");
        assert!(status.is_success(), "the sandbox answered {status} to {path}: {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// Moves the clock that product and sandbox share. Only in a test that is alone.
    pub async fn advance(&self, seconds: u64) {
        self.call(Method::POST, "/clock/advance", Some(&json!({ "seconds": seconds }))).await;
    }

    /// What the shared clock says.
    pub async fn now(&self) -> jiff::Timestamp {
        let answer = self.call(Method::GET, "/clock", None).await;
        let now = answer["now"].as_str().expect("the clock says a time");
        now.parse().expect("the clock says a timestamp")
    }

    /// Injects a fault into coming calls; see the sandbox's documentation for its fields.
    pub async fn fault(&self, fault: &Value) {
        self.call(Method::POST, "/faults", Some(fault)).await;
    }

    /// Forgets every fault.
    pub async fn clear_faults(&self) {
        self.call(Method::DELETE, "/faults", None).await;
    }

    /// Everything of one kind that a company holds, inactive and deleted ones too.
    pub async fn entities(&self, realm: &str, entity: &str) -> Vec<Value> {
        let answer = self.call(Method::GET, &format!("/companies/{realm}/{entity}"), None).await;
        answer[entity].as_array().cloned().unwrap_or_default()
    }

    /// Stores an entity as it is, bypassing validation and limits; returns what is stored.
    pub async fn store(&self, realm: &str, entity: &str, value: &Value) -> Value {
        self.call(Method::POST, &format!("/companies/{realm}/{entity}"), Some(value)).await
    }

    /// The calls that a company made, without tokens.
    pub async fn requests(&self, realm: &str) -> Vec<Value> {
        let answer = self.call(Method::GET, &format!("/requests?realm={realm}"), None).await;
        answer["requests"].as_array().cloned().unwrap_or_default()
    }

    /// A company's counters.
    pub async fn counters(&self, realm: &str) -> Value {
        self.call(Method::GET, &format!("/counters/{realm}"), None).await
    }

    /// Any other admin call.
    pub async fn post(&self, path: &str, body: &Value) -> Value {
        self.call(Method::POST, path, Some(body)).await
    }
}
