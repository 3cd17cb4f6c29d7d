//! The monthly meter and what happens at its cap.

use quickbooks_sandbox::Config;
use reqwest::Method;
use serde_json::json;

use crate::harness::{A, B, TestSandbox, activity};

#[tokio::test]
async fn reads_and_queries_that_succeed_are_metered_and_nothing_else() {
    let app = TestSandbox::connected().await;
    app.activity(json!({})).await;
    app.get("timeactivity/1").await.ok();
    app.get("preferences").await.ok();
    app.query("select * from Employee").await.ok();
    let by_post = app.request(Method::POST, "query").header("content-type", "application/text");
    app.send(by_post.body("select * from Employee")).await.ok();
    app.query("select").await;
    app.get("timeactivity/9999").await;
    let meter = app.admin_get("/meter").await;
    assert_eq!(meter["count"], 4);
    assert_eq!(meter["cap"], 500_000);
    assert_eq!(meter["batchCounts"], "items");
    assert_eq!(meter["byKind"], json!({ "query": 2, "read": 2 }));
    assert_eq!(meter["byRealm"], json!({ A: 4 }));
    let counters = app.admin_get(&format!("/counters/{A}")).await;
    assert_eq!(counters["readsMetered"], 4);
}

#[tokio::test]
async fn a_read_whose_answer_is_broken_is_not_metered() {
    let app = TestSandbox::connected().await;
    app.admin_post("/faults", json!({ "status": 503, "commit": true })).await;
    assert_eq!(app.get("preferences").await.status, 503);
    assert_eq!(app.admin_get("/meter").await["count"], 0);
}

#[tokio::test]
async fn above_the_cap_reads_of_every_company_are_429_and_writes_go_on() {
    let app = TestSandbox::connected().await;
    app.admin_post("/meter", json!({ "cap": 2 })).await;
    app.get("preferences").await.ok();
    app.get("preferences").await.ok();
    let refused = app.get("preferences").await;
    assert_eq!((refused.status.as_u16(), refused.code()), (429, "3001"));
    assert_eq!(app.query("select * from Employee").await.status, 429);
    let other = app.tokens(B).await;
    let url = app.public(&format!("/v3/company/{B}/preferences"));
    let token = other.body["access_token"].as_str().unwrap();
    assert_eq!(app.send(app.http.get(&url).bearer_auth(token)).await.status, 429);
    app.activity(json!({})).await;

    let meter = app.admin_get("/meter").await;
    assert_eq!((&meter["count"], &meter["refused"]), (&json!(2), &json!(3)));
    let counters = app.admin_get(&format!("/counters/{A}")).await;
    assert_eq!(counters["throttledBy"]["meter"], 2);
    assert_eq!(counters["throttled429"], 2);
}

#[tokio::test]
async fn the_end_of_the_month_by_the_moved_clock_frees_the_meter() {
    let app = TestSandbox::connected().await;
    app.admin_post("/clock/set", json!({ "now": "2027-01-31T23:50:00Z" })).await;
    let app = app.sandbox.connect(A).await;
    app.admin_post("/meter", json!({ "cap": 1, "count": 1 })).await;
    assert_eq!(app.get("preferences").await.status, 429);
    app.advance(660).await;
    app.get("preferences").await.ok();
    assert_eq!(app.admin_get("/meter").await["month"], "2027-02");
}

#[tokio::test]
async fn bad_changes_of_the_meter_are_refused_and_a_reset_brings_it_back() {
    let app = TestSandbox::connected().await;
    let url = format!("{}/meter", app.sandbox.sandbox.admin_url());
    for bad in [r#"{"cap":-1}"#, r#"{"batchCounts":"many"}"#, r#"{"kap":1}"#, ""] {
        let answer = app.send(app.http.post(&url).body(bad)).await;
        assert_eq!(answer.status, 400, "{bad}");
        assert!(answer.body["error"].is_string(), "{bad}");
    }
    app.admin_post("/meter", json!({ "cap": 1, "batchCounts": "one", "count": 7 })).await;
    app.admin_post("/reset", json!({})).await;
    let meter = app.admin_get("/meter").await;
    assert_eq!((&meter["cap"], &meter["count"]), (&json!(500_000), &json!(0)));
    assert_eq!(meter["batchCounts"], "items");
}

#[tokio::test]
async fn a_throttled_read_is_not_metered() {
    let app = TestSandbox::start_with(Config::ephemeral()).await.connect(A).await;
    app.admin_post("/limits", json!({ "perSecond": 1 })).await;
    app.get("preferences").await.ok();
    assert_eq!(app.get("preferences").await.status, 429);
    assert_eq!(app.post("timeactivity", &activity(json!({}))).await.status, 429);
    let meter = app.admin_get("/meter").await;
    assert_eq!((&meter["count"], &meter["refused"]), (&json!(1), &json!(0)));
}

#[tokio::test]
async fn a_batch_is_metered_by_its_items_or_as_one_and_cdc_as_one() {
    let app = TestSandbox::connected().await;
    let item =
        |id: &str| json!({ "bId": id, "operation": "create", "TimeActivity": activity(json!({})) });
    let batch = json!({ "BatchItemRequest": [item("1"), item("2"), item("3")] });
    app.post("batch", &batch).await.ok();
    assert_eq!(app.admin_get("/meter").await["byKind"], json!({ "batch": 3 }));
    app.admin_post("/meter", json!({ "batchCounts": "one" })).await;
    app.post("batch", &batch).await.ok();
    let now = app.admin_get("/clock").await["now"].as_str().unwrap().to_owned();
    app.get(&format!("cdc?entities=Employee,Customer&changedSince={now}")).await.ok();
    let meter = app.admin_get("/meter").await;
    assert_eq!(meter["byKind"], json!({ "batch": 4, "cdc": 1 }));
    // A batch that is refused as a whole is free.
    assert_eq!(app.post("batch", &json!({})).await.status, 400);
    assert_eq!(app.admin_get("/meter").await["count"], 5);

    app.admin_post("/meter", json!({ "cap": 5 })).await;
    assert_eq!(app.post("batch", &batch).await.status, 429);
}
