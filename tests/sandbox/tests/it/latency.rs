//! How long calls take, and when they commit.

use std::time::{Duration, Instant};

use quickbooks_sandbox::{Config, LatencyModel};
use reqwest::Method;
use serde_json::json;

use crate::harness::{A, Connected, TestSandbox, activity};

/// A sandbox whose calls take exactly `single_ms`.
async fn slow(single_ms: u32) -> Connected {
    let latency = LatencyModel { single_ms, jitter: 0.0, ..LatencyModel::default() };
    let config = Config { latency, limits_scale: 1000.0, ..Config::ephemeral() };
    TestSandbox::start_with(config).await.connect(A).await
}

async fn timed(call: impl Future) -> Duration {
    let started = Instant::now();
    call.await;
    started.elapsed()
}

#[tokio::test]
async fn calls_take_their_time_and_gateway_refusals_and_oauth_none() {
    let app = slow(200).await;
    assert!(timed(app.get("preferences")).await >= Duration::from_millis(200));
    assert!(timed(app.post("timeactivity", &json!({}))).await >= Duration::from_millis(200));
    // Limits and tokens are looked at before the accounting service is reached.
    app.admin_post("/latency", json!({ "singleMs": 60_000 })).await;
    app.admin_post("/limits", json!({ "perMinute": 1 })).await;
    assert!(timed(app.get("preferences")).await < Duration::from_secs(30));
    assert!(timed(app.refresh(&app.refresh)).await < Duration::from_secs(30));
    let counters = app.admin_get(&format!("/counters/{A}")).await;
    assert_eq!(counters["throttledBy"]["perMinute"], 1);
}

#[tokio::test]
async fn a_call_commits_before_its_end_and_not_at_its_beginning() {
    let app = slow(800).await;
    let before = app.stored("TimeActivity").await.len();
    let call = app.request(Method::POST, "timeactivity").json(&activity(json!({})));
    let call = tokio::spawn(call.send());
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(app.stored("TimeActivity").await.len(), before);
    while app.stored("TimeActivity").await.len() == before {
        assert!(!call.is_finished(), "committed at the end only");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(!call.is_finished());
    assert_eq!(call.await.unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn a_client_that_hangs_up_does_not_stop_the_work() {
    let app = slow(600).await;
    let before = app.stored("TimeActivity").await.len();
    let call = app.request(Method::POST, "timeactivity?requestid=gone").json(&activity(json!({})));
    let gone = call.timeout(Duration::from_millis(60)).send().await;
    assert!(gone.unwrap_err().is_timeout());
    assert_eq!(app.stored("TimeActivity").await.len(), before);
    // The twin waits for the first one and is given its answer.
    let twin = app.post("timeactivity?requestid=gone", &activity(json!({}))).await.ok();
    let stored = app.stored("TimeActivity").await;
    assert_eq!(stored.len(), before + 1);
    assert!(stored.iter().any(|row| row["Id"] == twin.body["TimeActivity"]["Id"]));
    assert_eq!(app.admin_get(&format!("/counters/{A}")).await["calls"], 2);
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_504_and_not_committed() {
    let app = slow(60_000).await;
    app.admin_post("/latency", json!({ "timeoutMs": 80 })).await;
    let before = app.stored("TimeActivity").await.len();
    let answer = app.post("timeactivity?requestid=late", &activity(json!({}))).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (504, "stream timeout"));
    assert_eq!(app.stored("TimeActivity").await.len(), before);
    let counters = app.admin_get(&format!("/counters/{A}")).await;
    assert_eq!(counters["byStatus"], json!({ "504": 1 }));
    assert_eq!(counters["inFlight"], 0);
    // The request id counts as never sent.
    app.admin_post("/latency", json!({ "singleMs": 0 })).await;
    app.post("timeactivity?requestid=late", &activity(json!({}))).await.ok();
}

#[tokio::test]
async fn a_call_that_is_cut_off_after_its_commit_is_done_all_the_same() {
    let app = slow(0).await;
    app.admin_post("/latency", json!({ "timeoutMs": 400 })).await;
    app.admin_post("/faults", json!({ "delayAfterMs": 60_000 })).await;
    let before = app.stored("TimeActivity").await.len();
    let answer = app.post("timeactivity?requestid=cut", &activity(json!({}))).await;
    assert_eq!(answer.status, 504);
    assert_eq!(app.stored("TimeActivity").await.len(), before + 1);
    app.admin_post("/latency", json!({ "timeoutMs": 120_000 })).await;
    app.post("timeactivity?requestid=cut", &activity(json!({}))).await.ok();
    assert_eq!(app.stored("TimeActivity").await.len(), before + 1);
}

#[tokio::test]
async fn latency_is_on_by_default_off_for_tests_and_settable() {
    assert_eq!(Config::default().latency, LatencyModel::default());
    let app = TestSandbox::connected().await;
    let configured =
        json!({ "singleMs": 0, "batchItemMs": 0, "jitter": 0.25, "timeoutMs": 120_000 });
    assert_eq!(app.admin_get("/latency").await, configured);
    let changed = app.admin_post("/latency", json!({ "singleMs": 120, "jitter": 0 })).await;
    assert_eq!((&changed["singleMs"], &changed["batchItemMs"]), (&json!(120), &json!(0)));
    assert!(timed(app.get("preferences")).await >= Duration::from_millis(120));
    app.admin_post("/reset", json!({})).await;
    assert_eq!(app.admin_get("/latency").await, configured);
}

#[tokio::test]
async fn a_bad_latency_is_refused() {
    let app = TestSandbox::start().await;
    let url = format!("{}/latency", app.sandbox.admin_url());
    for bad in [
        r#"{"jitter":1.5}"#,
        r#"{"jitter":-0.1}"#,
        r#"{"singleMs":-1}"#,
        r#"{"singleMs":null}"#,
        r#"{"timeoutMs":0}"#,
        r#"{"speed":1}"#,
        "[]",
        "",
    ] {
        let answer = app.send(app.http.post(&url).body(bad)).await;
        assert_eq!(answer.status, 400, "{bad}");
        assert!(answer.body["error"].is_string(), "{bad}");
    }
}

#[tokio::test]
async fn a_batch_takes_the_time_of_all_its_items() {
    let app = slow(10_000).await;
    app.admin_post("/latency", json!({ "batchItemMs": 60 })).await;
    let query = |id: u8| json!({ "bId": id.to_string(), "Query": "select * from Item" });
    let batch = json!({ "BatchItemRequest": (0..5).map(query).collect::<Vec<_>>() });
    let took = timed(app.post("batch", &batch)).await;
    assert!((300..5000).contains(&took.as_millis()), "{took:?}");
}
