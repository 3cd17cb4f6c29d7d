//! The proxy's control interface.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Stack;
use crate::proxy::log::{Entry, Usage};

/// The control interface.
#[derive(Clone, Debug)]
pub struct Control<'a>(&'a Stack);

impl Stack {
    /// The control interface of the proxy.
    pub fn control(&self) -> Control<'_> {
        Control(self)
    }
}

impl Control<'_> {
    fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.0.is.proxy_control_url)
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> T {
        let answer = self.0.http.get(self.url(path)).send().await.expect("the proxy answers");
        answer.json().await.expect("the proxy answers what is expected of it")
    }

    async fn order(&self, path: &str, order: &Value) {
        let request = self.0.http.post(self.url(path)).json(order);
        let answer = request.send().await.expect("the proxy answers");
        assert!(answer.status().is_success(), "the proxy refused {path} {order}");
    }

    async fn delete(&self, path: &str) {
        self.0.http.delete(self.url(path)).send().await.expect("the proxy answers");
    }

    /// Kills a function's process at a call: `{"function", "target", "action", "resource", "path",
    /// "nth", "calls", "seconds", "when": "before"|"after"}`.
    pub async fn crash(&self, order: &Value) {
        self.order("crash", order).await;
    }

    /// Closes the connection at a call; the same fields as for [`Control::crash`].
    pub async fn cut(&self, order: &Value) {
        self.order("cut", order).await;
    }

    /// Holds calls back for `delayMs`, then passes them on. The AWS clients give a try up after 8 s.
    pub async fn delay(&self, order: &Value) {
        self.order("delay", order).await;
    }

    /// Refuses calls; `status` instead of `when`.
    pub async fn refuse(&self, order: &Value) {
        self.order("refuse", order).await;
    }

    /// How many calls the rules in force have touched so far, together.
    pub async fn applied(&self) -> u64 {
        let rules: Vec<Value> = self.get("rules").await;
        rules.iter().filter_map(|rule| rule["applied"].as_u64()).sum()
    }

    /// Removes every rule.
    pub async fn clear_rules(&self) {
        self.delete("rules").await;
    }

    /// The number that the next call in the log will have.
    pub async fn mark(&self) -> u64 {
        self.get::<Value>("log?since=18446744073709551615").await["next"].as_u64().unwrap_or(0)
    }

    /// The calls from number `since` on.
    pub async fn log(&self, since: u64) -> Vec<Entry> {
        let mut answer: Value = self.get(&format!("log?since={since}")).await;
        serde_json::from_value(answer["entries"].take()).expect("the log can be read")
    }

    /// Every permission used since the proxy started.
    pub async fn usage(&self) -> Vec<Usage> {
        self.get("usage").await
    }
}

/// An order for one function, to be completed.
pub fn at(function: &str, when: &str) -> Value {
    json!({ "function": function, "when": when })
}
