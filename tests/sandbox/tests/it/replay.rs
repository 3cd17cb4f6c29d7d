//! `requestid`.

use std::time::Duration;

use serde_json::json;

use crate::harness::{A, TestSandbox, activity};

#[tokio::test]
async fn the_same_request_id_is_answered_with_the_original() {
    let app = TestSandbox::connected().await;
    let first = app.post("timeactivity?requestid=r-1", &activity(json!({}))).await.ok();
    app.advance(60).await;
    // Another body under the same id is not looked at.
    let other = activity(json!({ "Hours": 1 }));
    let again = app.post("timeactivity?requestid=r-1&minorversion=75", &other).await.ok();
    assert_eq!(again.text, first.text);
    assert_ne!(again.headers["intuit_tid"], first.headers["intuit_tid"]);
    assert_eq!(app.stored("TimeActivity").await.len(), 1);
    app.post("timeactivity?requestid=r-2", &other).await.ok();
    assert_eq!(app.stored("TimeActivity").await.len(), 2);
    let counters = app.admin_get(&format!("/counters/{A}")).await;
    assert_eq!(counters["replayed"], 1);
}

#[tokio::test]
async fn without_a_request_id_a_repeat_is_a_duplicate() {
    let app = TestSandbox::connected().await;
    app.activity(json!({})).await;
    app.activity(json!({})).await;
    assert_eq!(app.stored("TimeActivity").await.len(), 2);
}

#[tokio::test]
async fn a_refusal_is_replayed_too() {
    let app = TestSandbox::connected().await;
    let bad = activity(json!({ "EmployeeRef": { "value": "9999" } }));
    assert_eq!(app.post("timeactivity?requestid=r", &bad).await.code(), "2500");
    assert_eq!(app.post("timeactivity?requestid=r", &activity(json!({}))).await.code(), "2500");
}

#[tokio::test]
async fn request_ids_of_two_companies_do_not_meet() {
    let app = TestSandbox::connected().await;
    app.post("timeactivity?requestid=same", &activity(json!({}))).await.ok();
    let tokens = app.tokens(crate::harness::B).await;
    let url = app.public(&format!("/v3/company/{}/timeactivity?requestid=same", crate::harness::B));
    let body = activity(json!({ "EmployeeRef": { "value": "21" } }));
    let token = tokens.body["access_token"].as_str().unwrap();
    let answer = app.send(app.http.post(url).bearer_auth(token).json(&body)).await.ok();
    assert_eq!(answer.body["TimeActivity"]["EmployeeRef"]["name"], "Grace Oyelaran");
}

#[tokio::test]
async fn a_request_id_has_fifty_characters_at_most() {
    let app = TestSandbox::connected().await;
    let path = |length: usize| format!("timeactivity?requestid={}", "r".repeat(length));
    app.post(&path(50), &activity(json!({}))).await.ok();
    let answer = app.post(&path(51), &activity(json!({}))).await;
    assert_eq!(answer.code(), "6000");
    assert!(answer.detail().contains("51 characters"));
    assert_eq!(app.stored("TimeActivity").await.len(), 1);
}

#[tokio::test]
async fn a_twin_in_flight_waits_for_the_first() {
    let app = TestSandbox::connected().await;
    app.admin_post("/faults", json!({ "path": "requestid=twin", "delayMs": 300 })).await;
    let body = activity(json!({}));
    let (first, second) = tokio::join!(app.post("timeactivity?requestid=twin", &body), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let started = std::time::Instant::now();
        let answer = app.post("timeactivity?requestid=twin", &body).await;
        assert!(started.elapsed() >= Duration::from_millis(150), "{:?}", started.elapsed());
        answer
    });
    assert_eq!(first.ok().text, second.ok().text);
    assert_eq!(app.stored("TimeActivity").await.len(), 1);
}

#[tokio::test]
async fn a_commit_that_was_cut_off_is_replayed_and_gives_one_entity() {
    let app = TestSandbox::connected().await;
    app.admin_post("/faults", json!({ "method": "POST", "path": "timeactivity", "cut": "after" }))
        .await;
    let send = || {
        app.request(reqwest::Method::POST, "timeactivity?requestid=cut").json(&activity(json!({})))
    };
    assert!(send().send().await.is_err());
    assert_eq!(app.stored("TimeActivity").await.len(), 1);
    let again = app.send(send()).await.ok();
    assert_eq!(again.body["TimeActivity"]["Id"], "1");
    assert_eq!(app.stored("TimeActivity").await.len(), 1);
    let journal = app.admin_get(&format!("/requests?realm={A}")).await;
    let cut: Vec<_> = journal["requests"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|e| e["requestid"] == "cut")
        .collect();
    assert_eq!((&cut[0]["cut"], &cut[0]["status"]), (&json!("after"), &json!(200)));
    assert_eq!((&cut[1]["replayed"], &cut[1]["bodySha256"]), (&json!(true), &cut[0]["bodySha256"]));
}

#[tokio::test]
async fn a_request_that_was_cut_before_its_work_counts_as_never_sent() {
    let app = TestSandbox::connected().await;
    app.admin_post("/faults", json!({ "path": "timeactivity", "cut": "before" })).await;
    let request =
        app.request(reqwest::Method::POST, "timeactivity?requestid=b").json(&activity(json!({})));
    assert!(request.send().await.is_err());
    assert!(app.stored("TimeActivity").await.is_empty());
    app.post("timeactivity?requestid=b", &activity(json!({}))).await.ok();
}

#[tokio::test]
async fn a_request_goes_on_to_commit_after_its_client_has_gone() {
    let app = TestSandbox::connected().await;
    app.admin_post("/faults", json!({ "path": "requestid=late", "delayMs": 1500 })).await;
    let request = app
        .request(reqwest::Method::POST, "timeactivity?requestid=late")
        .timeout(Duration::from_millis(500))
        .json(&activity(json!({})));
    assert!(request.send().await.unwrap_err().is_timeout());
    assert!(app.stored("TimeActivity").await.is_empty());
    let started = std::time::Instant::now();
    while app.stored("TimeActivity").await.is_empty() {
        assert!(started.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let again = app.post("timeactivity?requestid=late", &activity(json!({}))).await.ok();
    assert_eq!(again.body["TimeActivity"]["Id"], "1");
    assert_eq!(app.stored("TimeActivity").await.len(), 1);
}

#[tokio::test]
async fn an_empty_request_id_is_none() {
    let app = TestSandbox::connected().await;
    app.post("timeactivity?requestid=", &activity(json!({}))).await.ok();
    app.post("timeactivity?requestid=", &activity(json!({}))).await.ok();
    assert_eq!(app.stored("TimeActivity").await.len(), 2);
}
