//! An app's webhook endpoint that notes what it is sent and answers as told.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_lc_rs::hmac;
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header::LOCATION},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use quickbooks_sandbox::Config;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::harness::{A, Connected, TestSandbox};

/// The verifier token of every test that does not say otherwise.
pub(crate) const TOKEN: &str = "verifier 'ü";

/// One post, as it came.
#[derive(Clone)]
pub(crate) struct Post {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Post {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The CloudEvents in it.
    pub(crate) fn events(&self) -> Vec<Value> {
        self.json().as_array().unwrap().clone()
    }

    /// The CloudEvents' ids.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.events().iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect()
    }

    /// Whether the signature is that of the raw bytes under `token`, as Intuit's SDKs check it.
    pub(crate) fn is_signed_with(&self, token: &str) -> bool {
        let Ok(tag) = BASE64_STANDARD.decode(self.header("intuit-signature")) else { return false };
        let key = hmac::Key::new(hmac::HMAC_SHA256, token.as_bytes());
        hmac::verify(&key, &self.body, &tag).is_ok()
    }
}

#[derive(Default)]
struct Notes {
    posts: Mutex<Vec<Post>>,
    /// What the next posts are answered, with a wait before; then 200 at once.
    script: Mutex<VecDeque<(u16, u64)>>,
}

/// See the module.
pub(crate) struct Receiver {
    pub(crate) port: u16,
    notes: Arc<Notes>,
    server: JoinHandle<()>,
}

async fn hook(State(notes): State<Arc<Notes>>, headers: HeaderMap, body: Bytes) -> Response {
    notes.posts.lock().unwrap().push(Post { headers, body: body.to_vec() });
    let (status, wait_ms) = notes.script.lock().unwrap().pop_front().unwrap_or((200, 0));
    tokio::time::sleep(Duration::from_millis(wait_ms)).await;
    (StatusCode::from_u16(status).unwrap(), [(LOCATION, "/elsewhere")]).into_response()
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        Self::start_on(0).await
    }

    pub(crate) async fn start_on(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let notes = Arc::<Notes>::default();
        let router = Router::new().fallback(hook).with_state(Arc::clone(&notes));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { port, notes, server }
    }

    /// Goes away; the port is free again.
    pub(crate) async fn stop(self) -> u16 {
        self.server.abort();
        let _ = self.server.await;
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    /// The next posts are answered these statuses.
    pub(crate) fn answer(&self, statuses: &[u16]) {
        self.notes.script.lock().unwrap().extend(statuses.iter().map(|status| (*status, 0)));
    }

    /// The next post is answered 200 after so long.
    pub(crate) fn answer_after(&self, wait_ms: u64) {
        self.notes.script.lock().unwrap().push_back((200, wait_ms));
    }

    pub(crate) fn posts(&self) -> Vec<Post> {
        self.notes.posts.lock().unwrap().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.notes.posts.lock().unwrap().len()
    }

    /// The only post.
    pub(crate) fn single(&self) -> Post {
        let posts = self.posts();
        assert_eq!(posts.len(), 1);
        posts[0].clone()
    }
}

impl TestSandbox {
    /// Company A connected and a receiver subscribed; windows of an hour, so that no test depends on
    /// how long it takes. `options` are laid over that.
    pub(crate) async fn subscribed(options: Value) -> (Connected, Receiver) {
        let config = Config { limits_scale: 1000.0, seed: 7, ..Config::ephemeral() };
        let app = Self::start_with(config).await.connect(A).await;
        let receiver = Receiver::start().await;
        let mut fields = json!({
            "url": receiver.url(), "verifierToken": TOKEN, "aggregateMs": 3_600_000,
        });
        for (name, value) in options.as_object().unwrap() {
            fields[name] = value.clone();
        }
        app.admin_post("/webhooks", fields).await;
        (app, receiver)
    }

    /// Waits until the webhooks have done all that is due.
    pub(crate) async fn settle(&self) {
        let answer = self.admin(Method::POST, "/webhooks/settle", None).await;
        assert_eq!(answer["settled"], true);
    }

    /// Closes the open window and waits until its posts were tried.
    pub(crate) async fn flush(&self) {
        let answer = self.admin(Method::POST, "/webhooks/flush", None).await;
        assert_eq!(answer["settled"], true);
    }

    pub(crate) async fn deliveries(&self) -> Vec<Value> {
        let answer = self.admin_get("/webhooks/deliveries").await;
        answer["deliveries"].as_array().unwrap().clone()
    }

    /// Changes an entity of a company without any check.
    pub(crate) async fn touch(&self, realm: &str, entity: &str, id: &str) {
        let path = format!("/companies/{realm}/{entity}");
        self.admin_post(&path, json!({ "Id": id, "Notes": "touched" })).await;
    }
}
