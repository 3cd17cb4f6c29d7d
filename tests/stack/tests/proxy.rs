//! The proxy against a small service of its own: what is passed on, recorded, killed and refused.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, Uri};
use serde_json::{Value, json};
use stack_tests::proxy::{Proxy, Target, control, forward};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

/// A service that answers what it got, behind a proxy with a control interface.
struct Setup {
    aws: String,
    quickbooks: String,
    control: String,
    served: Arc<AtomicU64>,
    http: reqwest::Client,
}

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

async fn setup() -> Setup {
    let served = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&served);
    let echo = async move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
        count.fetch_add(1, Ordering::SeqCst);
        let host = headers["host"].to_str().unwrap().to_owned();
        let mut answer = HeaderMap::new();
        answer.append("set-cookie", "a=1".parse().unwrap());
        answer.append("set-cookie", "b=2".parse().unwrap());
        answer.insert("x-seen", format!("{method} {uri} {host}").parse().unwrap());
        (answer, body)
    };
    let (upstream, upstream_address) = listener().await;
    tokio::spawn(async { axum::serve(upstream, Router::new().fallback(echo)).await });
    let proxy = Arc::new(Proxy::default());
    let mut fronts = Vec::new();
    for target in [Target::Aws, Target::QuickBooks] {
        let (front, address) = listener().await;
        let upstream = upstream_address.parse().unwrap();
        tokio::spawn(forward::serve(front, target, upstream, Arc::clone(&proxy)));
        fronts.push(address);
    }
    let (control_listener, control) = listener().await;
    tokio::spawn(async { axum::serve(control_listener, control::router(proxy)).await });
    let [aws, quickbooks] = fronts.try_into().unwrap();
    Setup { aws, quickbooks, control, served, http: reqwest::Client::new() }
}

impl Setup {
    async fn order(&self, what: &str, body: Value) -> reqwest::StatusCode {
        let url = format!("http://{}/{what}", self.control);
        self.http.post(url).json(&body).send().await.unwrap().status()
    }

    async fn get(&self, what: &str) -> Value {
        let url = format!("http://{}/{what}", self.control);
        self.http.get(url).send().await.unwrap().json().await.unwrap()
    }

    fn served(&self) -> u64 {
        self.served.load(Ordering::SeqCst)
    }

    /// A process that looks like a function and sends one call over a connection of its own.
    fn function(name: &str, address: &str, path: &str) -> Child {
        let (host, port) = address.split_once(':').unwrap();
        let script = format!(
            "exec 3<>/dev/tcp/{host}/{port}\n\
             printf 'GET {path} HTTP/1.1\\r\\nhost: x\\r\\n\\r\\n' >&3\n\
             IFS= read -r line <&3\n\
             echo \"$line\"\n\
             sleep 0.2"
        );
        Command::new("bash")
            .args(["-c", &script])
            .env("AWS_LAMBDA_FUNCTION_NAME", name)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }
}

async fn output(child: Child) -> String {
    let output = tokio::time::timeout(Duration::from_secs(10), child.wait_with_output());
    String::from_utf8(output.await.unwrap().unwrap().stdout).unwrap()
}

#[tokio::test]
async fn a_call_is_passed_on_byte_for_byte() {
    let setup = setup().await;
    let body = Bytes::from_static(b"\x00\xff{not json");
    let url = format!("http://{}/a%2Fb?q=1&q=%20", setup.aws);
    let call = setup.http.put(url).header("host", "api.localhost:1").body(body.clone());
    let answer = call.send().await.unwrap();
    assert_eq!(answer.headers()["x-seen"], "PUT /a%2Fb?q=1&q=%20 api.localhost:1");
    assert_eq!(answer.headers().get_all("set-cookie").iter().count(), 2);
    assert_eq!(answer.bytes().await.unwrap(), body);
}

#[tokio::test]
async fn the_log_names_function_action_and_resource_and_no_query() {
    let setup = setup().await;
    let child = Setup::function("qb-SyncWorker-1", &setup.quickbooks, "/v3/company/1/employee?x=1");
    assert!(output(child).await.starts_with("HTTP/1.1 200"));
    let call = setup.http.post(format!("http://{}/", setup.aws));
    let call = call.header("x-amz-target", "DynamoDB_20120810.PutItem");
    call.body(r#"{"TableName":"Work"}"#).send().await.unwrap();
    let log = setup.get("log").await;
    let (first, second) = (&log["entries"][0], &log["entries"][1]);
    assert_eq!(first["function"], "qb-SyncWorker-1");
    assert_eq!(first["action"], "GET employee");
    assert_eq!(first["path"], "/v3/company/1/employee");
    assert_eq!(second["function"], Value::Null);
    let put = json!([{ "action": "dynamodb:PutItem", "resource": "table/Work" }]);
    assert_eq!(second["uses"], put);
    assert_eq!(setup.get("log?since=1").await["entries"].as_array().unwrap().len(), 1);
    assert_eq!(setup.get("usage").await, json!([]), "only functions use permissions");
}

#[tokio::test]
async fn a_process_is_killed_before_the_service_sees_the_call() {
    let setup = setup().await;
    let order = json!({ "function": "sync-worker", "target": "quickbooks", "when": "before" });
    assert!(setup.order("crash", order).await.is_success());
    let other = Setup::function("qb-Mapping-1", &setup.quickbooks, "/one");
    assert!(output(other).await.starts_with("HTTP/1.1 200"));
    let worker = Setup::function("qb-SyncWorker-1", &setup.quickbooks, "/two");
    assert_eq!(output(worker).await, "");
    assert_eq!(setup.served(), 1);
    let again = Setup::function("qb-SyncWorker-1", &setup.quickbooks, "/three");
    assert!(output(again).await.starts_with("HTTP/1.1 200"), "a rule fires once");
    let log = setup.get("log").await;
    assert_eq!(log["entries"][1]["outcome"], "crashedBefore");
    assert_eq!(log["entries"][1]["status"], Value::Null);
}

#[tokio::test]
async fn a_process_is_killed_after_the_service_answered() {
    let setup = setup().await;
    let order = json!({ "function": "sync-worker", "nth": 2, "when": "after", "path": "two" });
    assert!(setup.order("crash", order).await.is_success());
    for (path, killed) in [("/two", false), ("/one", false), ("/two", true)] {
        let worker = Setup::function("qb-SyncWorker-1", &setup.quickbooks, path);
        assert_eq!(output(worker).await.is_empty(), killed, "{path}");
    }
    assert_eq!(setup.served(), 3, "the killed call did happen");
    let log = setup.get("log").await;
    assert_eq!(log["entries"][2]["outcome"], "crashedAfter");
    assert_eq!(log["entries"][2]["status"], 200);
}

#[tokio::test]
async fn calls_are_refused_or_cut_until_the_rules_are_cleared() {
    let setup = setup().await;
    let call = async || setup.http.get(format!("http://{}/x", setup.quickbooks)).send().await;
    let refuse = json!({ "target": "quickbooks", "calls": 1, "status": 502 });
    assert!(setup.order("refuse", refuse).await.is_success());
    assert_eq!(call().await.unwrap().status(), 502);
    assert_eq!(setup.served(), 0);
    let cut = json!({ "target": "quickbooks", "when": "after", "seconds": 60 });
    assert!(setup.order("cut", cut).await.is_success());
    assert!(call().await.is_err());
    assert!(setup.served() >= 1);
    let rules = format!("http://{}/rules", setup.control);
    assert_eq!(setup.get("rules").await.as_array().unwrap().len(), 2);
    setup.http.delete(rules).send().await.unwrap();
    assert_eq!(call().await.unwrap().status(), 200);
}

#[tokio::test]
async fn an_order_that_says_too_little_is_refused() {
    let setup = setup().await;
    assert_eq!(setup.order("crash", json!({ "function": "x" })).await, 400);
    assert_eq!(setup.order("cut", json!({ "when": "before", "path": "(" })).await, 400);
}

#[tokio::test]
async fn a_service_that_closes_the_connection_is_passed_on_as_such() {
    let (broken, address) = listener().await;
    tokio::spawn(async move {
        loop {
            drop(broken.accept().await);
        }
    });
    let (front, front_address) = listener().await;
    let proxy = Arc::new(Proxy::default());
    let upstream = address.parse().unwrap();
    tokio::spawn(forward::serve(front, Target::QuickBooks, upstream, Arc::clone(&proxy)));
    let call = reqwest::Client::new().get(format!("http://{front_address}/x")).send();
    assert!(call.await.is_err());
    let (entries, _) = proxy.log.since(0);
    assert_eq!(serde_json::to_value(entries[0].outcome).unwrap(), "unanswered");
}
