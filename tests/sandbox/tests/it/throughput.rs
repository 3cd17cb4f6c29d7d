//! How many requests a second one core serves, and that none of them is lost from the counters.
//!
//! The server is the program of its own that cargo built, bound to core 0, so that the other core is
//! left for this test:
//! `taskset -c 1 cargo test --release -p quickbooks-sandbox --test it throughput -- --ignored --nocapture`
//! `QBO_SANDBOX_BIN` names another build of the program to measure. The speed is printed, not judged: it is
//! the machine's as much as the program's.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, ChildStdout, Command, Stdio},
    time::Instant,
};

use reqwest::{Client, Method, StatusCode, redirect::Policy};
use serde_json::{Value, json};

use crate::harness::{A, activity};

/// Connections that are kept open, and rounds of four calls on each.
const CONNECTIONS: usize = 16;
const ROUNDS: usize = 2000;

/// The server, ended with the test.
struct Server {
    child: Child,
    /// Held open: the program ends when it cannot print a line.
    _printed: BufReader<ChildStdout>,
    public: String,
    admin: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Starts the program on core 0 with neither limits nor latency.
    fn start() -> Self {
        let built = env!("CARGO_BIN_EXE_quickbooks-sandbox").to_owned();
        let program = std::env::var("QBO_SANDBOX_BIN").unwrap_or(built);
        let mut child = Command::new("taskset")
            .args(["-c", "0", &program])
            .args(["--port", "0", "--admin-port", "0", "--latency", "off"])
            .args(["--limits-scale", "1000000"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut printed = BufReader::new(child.stdout.take().unwrap());
        let mut url = |start: &str| {
            let mut lines = printed.by_ref().lines().map(Result::unwrap);
            let line = lines.find(|line| line.starts_with(start)).unwrap();
            line.split_whitespace().last().unwrap().to_owned()
        };
        let public = url("QuickBooks sandbox");
        let admin = url("Admin");
        Self { child, _printed: printed, public, admin }
    }

    /// Seconds of processor time that the program has used.
    fn processor_time(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // Fields 14 and 15, in hundredths of a second; the name in field 2 ends with a bracket.
        let fields = stat.rsplit(')').next().unwrap().split_whitespace();
        fields.skip(11).take(2).map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / 100.0
    }

    async fn token(&self, http: &Client) -> String {
        let redirect = "http://localhost:9/callback";
        let fields = [
            ("client_id", "sandbox-client"),
            ("response_type", "code"),
            ("scope", "com.intuit.quickbooks.accounting"),
            ("redirect_uri", redirect),
            ("state", "x"),
            ("auto", A),
        ];
        let url = format!("{}/connect/oauth2", self.public);
        let consent = http.get(url).query(&fields).send().await.unwrap();
        let target = consent.headers()["location"].to_str().unwrap().to_owned();
        let target = reqwest::Url::parse(&target).unwrap();
        let code = target.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
        let form =
            [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", redirect)];
        let url = format!("{}/oauth2/v1/tokens/bearer", self.public);
        let call = http.post(url).basic_auth("sandbox-client", Some("sandbox-secret")).form(&form);
        let tokens: Value = call.send().await.unwrap().json().await.unwrap();
        tokens["access_token"].as_str().unwrap().to_owned()
    }

    async fn admin(&self, http: &Client, path: &str) -> Value {
        http.get(format!("{}{path}", self.admin)).send().await.unwrap().json().await.unwrap()
    }
}

/// One connection's work: create, read, query by id, sparse update, over and over.
async fn work(http: Client, base: String, token: String) {
    let call = async |method: Method, path: &str, body: Option<Value>| {
        let mut call = http.request(method, format!("{base}/{path}")).bearer_auth(&token);
        if let Some(body) = body {
            call = call.json(&body);
        }
        let answer = call.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        answer.json::<Value>().await.unwrap()
    };
    for round in 0..ROUNDS {
        let body = activity(json!({ "Description": format!("Round {round}: framing, east wall") }));
        let created = call(Method::POST, "timeactivity?minorversion=75", Some(body)).await;
        let id = created["TimeActivity"]["Id"].as_str().unwrap();
        call(Method::GET, &format!("timeactivity/{id}?minorversion=75"), None).await;
        let query = format!("query?query=select%20*%20from%20TimeActivity%20where%20Id%3D'{id}'");
        let found = call(Method::GET, &query, None).await;
        assert_eq!(found["QueryResponse"]["TimeActivity"][0]["Id"], id);
        let change = json!({ "Id": id, "SyncToken": "0", "sparse": true, "Hours": 6 });
        let changed = call(Method::POST, "timeactivity?minorversion=75", Some(change)).await;
        assert_eq!(changed["TimeActivity"]["Hours"], 6);
    }
}

#[tokio::test]
#[ignore = "takes a core for itself; see the module"]
async fn every_request_is_counted_at_full_speed() {
    let server = Server::start();
    let http = Client::builder().redirect(Policy::none()).no_proxy().build().unwrap();
    let token = server.token(&http).await;
    let stored =
        server.admin(&http, "/companies").await["companies"][0]["entities"]["TimeActivity"]
            .as_u64()
            .unwrap();
    let base = format!("{}/v3/company/{A}", server.public);

    let (started, used) = (Instant::now(), server.processor_time());
    let tasks: Vec<_> = (0..CONNECTIONS)
        .map(|_| tokio::spawn(work(http.clone(), base.clone(), token.clone())))
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let (took, used) = (started.elapsed(), server.processor_time() - used);

    let rounds = (CONNECTIONS * ROUNDS) as u64;
    let calls = f64::from(u32::try_from(rounds * 4).unwrap());
    let rate = calls / took.as_secs_f64();
    println!(
        "{calls} requests in {took:.1?}: {rate:.0} a second, {:.0} for each second of processor time",
        calls / used
    );
    let counters = server.admin(&http, &format!("/counters/{A}")).await;
    assert_eq!(counters["calls"], rounds * 4);
    assert_eq!(counters["byStatus"], json!({ "200": rounds * 4 }));
    assert_eq!(
        counters["rest"]["TimeActivity"],
        json!({ "create": rounds, "read": rounds, "query": rounds, "update": rounds })
    );
    assert_eq!(counters["readsMetered"], rounds * 2);
    assert_eq!(counters["throttled429"], 0);
    assert_eq!(counters["inFlight"], 0);
    assert_eq!(server.admin(&http, "/meter").await["count"], rounds * 2);
    let companies = server.admin(&http, "/companies").await;
    assert_eq!(companies["companies"][0]["entities"]["TimeActivity"], stored + rounds);
}
