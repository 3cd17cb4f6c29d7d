//! Faults on demand.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use crate::harness::{A, TestSandbox, activity};

#[tokio::test]
async fn a_fault_meets_the_calls_it_names_as_often_as_it_says() {
    let app = TestSandbox::connected().await;
    let fault = json!({
        "method": "POST", "path": "/timeactivity", "realm": A, "body": "\"Hours\":3",
        "skip": 1, "times": 2, "status": 503, "rawBody": "stream timeout",
        "contentType": "text/plain", "retryAfter": "7",
    });
    app.admin_post("/faults", fault).await;
    app.get("preferences").await.ok();
    app.activity(json!({ "Hours": 4 })).await;
    app.activity(json!({ "Hours": 3 })).await;
    for _ in 0..2 {
        let answer = app.post("timeactivity", &activity(json!({ "Hours": 3 }))).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (503, "stream timeout"));
        assert_eq!(answer.headers["content-type"], "text/plain");
        assert_eq!(answer.headers["retry-after"], "7");
    }
    app.activity(json!({ "Hours": 3 })).await;
    assert_eq!(app.stored("TimeActivity").await.len(), 3);
    assert_eq!(app.admin_get("/faults").await, json!({ "faults": [] }));
}

#[tokio::test]
async fn a_fault_answers_in_either_shape() {
    let app = TestSandbox::connected().await;
    app.admin_post("/faults", json!({ "faultCode": "6210", "faultDetail": "closed" })).await;
    let answer = app.post("timeactivity", &activity(json!({}))).await;
    assert_eq!((answer.status.as_u16(), answer.code(), answer.detail()), (400, "6210", "closed"));
    app.admin_post("/faults", json!({ "status": 500 })).await;
    let answer = app.get("preferences").await;
    assert_eq!((answer.status.as_u16(), answer.code()), (500, "10000"));
    assert_eq!(answer.body["Fault"]["type"], "SystemFault");
    app.admin_post("/faults", json!({ "status": 429, "faultShape": "gateway" })).await;
    let answer = app.get("preferences").await;
    assert_eq!((answer.status.as_u16(), answer.code()), (429, "3001"));
    assert_eq!(answer.body["fault"]["type"], "SERVICE");
    let expired = json!({
        "status": 401, "faultShape": "gateway", "faultMessage": "m", "faultDetail": "d",
    });
    app.admin_post("/faults", expired).await;
    let answer = app.get("preferences").await;
    assert_eq!((answer.code(), answer.detail()), ("3200", "d"));
    assert_eq!(answer.body["fault"]["type"], "AUTHENTICATION");
}

#[tokio::test]
async fn a_fault_can_commit_and_then_answer_an_error() {
    let app = TestSandbox::connected().await;
    let fault = json!({ "path": "requestid=g", "status": 504, "rawBody": "", "commit": true });
    app.admin_post("/faults", fault).await;
    let body = activity(json!({}));
    assert_eq!(app.post("timeactivity?requestid=g", &body).await.status, 504);
    assert_eq!(app.stored("TimeActivity").await.len(), 1);
    app.post("timeactivity?requestid=g", &body).await.ok();
    assert_eq!(app.stored("TimeActivity").await.len(), 1);
}

#[tokio::test]
async fn delays_come_before_or_after_the_work() {
    let app = TestSandbox::connected().await;
    app.admin_post("/faults", json!({ "path": "timeactivity", "delayAfterMs": 1000 })).await;
    let started = Instant::now();
    let call = app.request(Method::POST, "timeactivity").json(&activity(json!({}))).send();
    let call = tokio::spawn(call);
    while app.stored("TimeActivity").await.is_empty() {
        assert!(started.elapsed() < Duration::from_secs(10));
    }
    assert!(!call.is_finished());
    assert_eq!(call.await.unwrap().unwrap().status(), 200);
    assert!(started.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_token_call_can_be_cut_after_it_rotated() {
    let app = TestSandbox::connected().await;
    app.advance(86_400).await;
    let fault = json!({ "path": "tokens/bearer", "realm": A, "cut": "after" });
    app.admin_post("/faults", fault).await;
    let request = app
        .http
        .post(app.public("/oauth2/v1/tokens/bearer"))
        .basic_auth("sandbox-client", Some("sandbox-secret"))
        .form(&[("grant_type", "refresh_token"), ("refresh_token", app.refresh.as_str())]);
    assert!(request.send().await.is_err());
    assert_eq!(app.refresh(&app.refresh).await.body["error"], "invalid_grant");
}

#[tokio::test]
async fn a_fault_that_cannot_be_read_is_refused() {
    let app = TestSandbox::connected().await;
    let url = format!("{}/faults", app.sandbox.sandbox.admin_url());
    for bad in [
        json!({ "path": "(" }),
        json!({ "stauts": 500 }),
        json!({ "status": 1 }),
        json!({ "cut": "sideways" }),
    ] {
        let answer = app.send(app.http.post(&url).json(&bad)).await;
        assert!(answer.status.is_client_error(), "{bad}");
        assert!(answer.body["error"].is_string());
    }
    app.admin_post("/faults", json!({ "times": 5 })).await;
    app.admin(Method::DELETE, "/faults", None).await;
    app.get("preferences").await.ok();
}

#[tokio::test]
async fn an_outage_meets_calls_that_could_not_be_carried_out_too() {
    let app = TestSandbox::connected().await;
    app.admin_post("/faults", json!({ "times": 5, "status": 503 })).await;
    for path in ["spaceship/1", "query", "cdc?entities=Item"] {
        assert_eq!(app.get(path).await.status, 503, "{path}");
    }
    let long = format!("timeactivity?requestid={}", "r".repeat(51));
    assert_eq!(app.post(&long, &activity(json!({}))).await.status, 503);
    assert_eq!(app.post("batch", &json!({})).await.status, 503);
    assert_eq!(app.post("batch", &json!({})).await.status, 400);
}

#[tokio::test]
async fn a_call_that_the_gateway_refuses_uses_no_fault_up() {
    let app = TestSandbox::connected().await;
    app.admin_post("/faults", json!({ "path": "preferences", "status": 503 })).await;
    let url = app.public(&format!("/v3/company/{A}/preferences"));
    assert_eq!(app.send(app.http.get(&url).bearer_auth("nonsense")).await.status, 401);
    assert_eq!(app.get("preferences").await.status, 503);
    app.get("preferences").await.ok();
    let journal = app.admin_get("/requests").await;
    let faults: Vec<_> =
        journal["requests"].as_array().unwrap().iter().filter(|e| e["fault"] == 1).collect();
    assert_eq!(faults.len(), 1);
}
