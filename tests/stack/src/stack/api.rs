//! Calls to the product's HTTP API.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::{Stack, secrecy};

/// Tokens by caller, and when each was made.
static TOKENS: LazyLock<Mutex<HashMap<String, (String, Instant)>>> = LazyLock::new(Mutex::default);

/// How long a token is used. The issuer's live an hour of real time, and the long tests take longer.
const RENEWED_AFTER: Duration = Duration::from_mins(45);

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Caller {
    /// One of the issuer's own people, such as `admin-a` or `service`.
    User(&'static str),
    /// Anybody with this claim: a list such as `company-1:admin company-2:viewer`.
    Companies(String),
    /// Somebody without a token.
    Nobody,
}

impl Caller {
    /// An admin of one company.
    pub fn admin(company: &str) -> Self {
        Self::Companies(format!("{company}:admin"))
    }

    /// A viewer of one company.
    pub fn viewer(company: &str) -> Self {
        Self::Companies(format!("{company}:viewer"))
    }

    /// The host app's back end.
    pub const fn service() -> Self {
        Self::User("service")
    }

    /// An operator.
    pub const fn operator() -> Self {
        Self::User("operator")
    }
}

/// What the API answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// The body as text.
    pub text: String,
}

impl Answer {
    /// The body read as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// The machine-readable code of a problem document.
    pub fn code(&self) -> Option<String> {
        self.json().get("code").and_then(Value::as_str).map(str::to_owned)
    }

    /// The body, if the call succeeded.
    ///
    /// # Panics
    ///
    /// If it did not, with the answer.
    pub fn ok(&self) -> Value {
        assert!((200..300).contains(&self.status), "answered {}: {}", self.status, self.text);
        self.json()
    }
}

impl Stack {
    /// A bearer token; made once per caller, and anew before it ends.
    pub async fn token(&self, caller: &Caller) -> Option<String> {
        let (key, wanted) = match caller {
            Caller::Nobody => return None,
            Caller::User(user) => ((*user).to_owned(), json!({ "user": user })),
            Caller::Companies(claim) => {
                (claim.clone(), json!({ "sub": format!("user of {claim}"), "companies": claim }))
            }
        };
        let known = TOKENS.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some((token, made)) = known
            && made.elapsed() < RENEWED_AFTER
        {
            return Some(token);
        }
        let url = format!("{}/token", self.is.issuer_url);
        let made = Instant::now();
        let answer = self.http.post(url).json(&wanted).send().await.expect("the issuer answers");
        let answer: Value = answer.json().await.expect("the issuer answers JSON");
        let token = answer["access_token"].as_str().expect("the issuer gives a token").to_owned();
        secrecy::seen("bearer", token.rsplit('.').next().unwrap_or(&token));
        TOKENS.lock().unwrap_or_else(PoisonError::into_inner).insert(key, (token.clone(), made));
        Some(token)
    }

    /// A call with a body as it is, or none.
    pub async fn call(
        &self,
        caller: &Caller,
        method: Method,
        path: &str,
        body: Option<(&str, Vec<u8>)>,
    ) -> Answer {
        let mut request = self.http.request(method, format!("{}{path}", self.is.api_url));
        if let Some(token) = self.token(caller).await {
            request = request.bearer_auth(token);
        }
        if let Some((content_type, body)) = body {
            request = request.header("content-type", content_type).body(body);
        }
        let answer = request.send().await.expect("the API answers");
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await.expect("the API answers text");
        secrecy::answered(path, &headers, &text);
        Answer { status, headers, text }
    }

    /// `GET` below the base path.
    pub async fn get(&self, caller: &Caller, path: &str) -> Answer {
        self.call(caller, Method::GET, path, None).await
    }

    /// `POST` of JSON below the base path.
    pub async fn post(&self, caller: &Caller, path: &str, body: &Value) -> Answer {
        let body = ("application/json", body.to_string().into_bytes());
        self.call(caller, Method::POST, path, Some(body)).await
    }

    /// `DELETE` below the base path.
    pub async fn delete(&self, caller: &Caller, path: &str) -> Answer {
        self.call(caller, Method::DELETE, path, None).await
    }

    /// `PUT` of JSON below the base path.
    pub async fn put(&self, caller: &Caller, path: &str, body: &Value) -> Answer {
        let body = ("application/json", body.to_string().into_bytes());
        self.call(caller, Method::PUT, path, Some(body)).await
    }
}
