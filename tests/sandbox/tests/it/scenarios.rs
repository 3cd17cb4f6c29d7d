//! Common troubles by name, and the way back.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{A, B, TestSandbox, activity};

async fn scenario(sandbox: &TestSandbox, name: &str) -> Value {
    let all = sandbox.admin_get("/scenarios").await;
    let all = all["scenarios"].as_array().unwrap();
    all.iter().find(|scenario| scenario["name"] == name).unwrap().clone()
}

#[tokio::test]
async fn quickbooks_is_down_for_everybody_until_it_is_back() {
    let app = TestSandbox::connected().await;
    assert_eq!(scenario(&app, "down").await["on"], false);
    app.admin(Method::POST, "/scenarios/down", None).await;
    let bad_token = app.http.get(app.public(&format!("/v3/company/{A}/preferences")));
    let answers = [
        app.get("preferences").await,
        app.send(bad_token.bearer_auth("nobody's")).await,
        app.refresh(&app.refresh).await,
        app.send(app.http.get(app.authorize_url(&[]))).await,
        app.send(app.http.get(app.public("/.well-known/openid_sandbox_configuration"))).await,
        app.send(app.http.post(app.public("/v2/oauth2/tokens/revoke"))).await,
    ];
    for answer in &answers {
        assert_eq!(answer.status, 503);
        assert_eq!(answer.headers["content-type"], "text/html; charset=utf-8");
        assert!(answer.text.contains("<h1>Service Unavailable</h1>"), "{}", answer.text);
    }
    let down = scenario(&app, "down").await;
    assert_eq!((&down["on"], &down["met"]), (&json!(true), &json!(answers.len())));
    // The host application's own issuer is not Intuit's.
    let issuer = app.public("/issuer/.well-known/openid-configuration");
    assert_eq!(app.send(app.http.get(issuer)).await.status, 200);
    let journal = app.admin_get(&format!("/requests?realm={A}&status=503")).await;
    let entry = &journal["requests"][0];
    assert_eq!((&entry["fault"], &entry["path"].is_string()), (&json!(1), &true));

    app.admin(Method::DELETE, "/scenarios/down", None).await;
    app.get("preferences").await.ok();
    app.refresh(&app.refresh).await.ok();
}

#[tokio::test]
async fn a_call_that_is_down_uses_neither_token_nor_limit_nor_request_id() {
    let app = TestSandbox::connected().await;
    app.admin_post("/limits", json!({ "scale": 0.1 })).await;
    app.admin(Method::POST, "/scenarios/down", None).await;
    for _ in 0..3 {
        let answer = app.post("timeactivity?requestid=r", &activity(json!({}))).await;
        assert_eq!(answer.status, 503);
    }
    app.admin(Method::POST, "/normal", None).await;
    app.post("timeactivity?requestid=r", &activity(json!({}))).await.ok();
    assert_eq!(app.stored("TimeActivity").await.len(), 1);
}

#[tokio::test]
async fn a_scenario_may_be_for_one_company_and_a_few_calls() {
    let app = TestSandbox::connected().await;
    app.admin_post("/scenarios/throttled", json!({ "realm": B })).await;
    app.get("preferences").await.ok();
    app.admin_post("/scenarios/throttled", json!({ "realm": A, "times": 2 })).await;
    assert_eq!(app.admin_get("/faults").await["faults"].as_array().unwrap().len(), 1);
    for _ in 0..2 {
        let answer = app.get("preferences").await;
        assert_eq!((answer.status.as_u16(), answer.code()), (429, "3001"));
    }
    app.get("preferences").await.ok();
    assert_eq!(scenario(&app, "throttled").await["on"], false);
}

#[tokio::test]
async fn each_scenario_does_what_it_says() {
    let app = TestSandbox::connected().await;
    let begin = |name: &str| {
        let path = format!("/scenarios/{name}");
        let app = &app;
        async move {
            app.admin(Method::POST, "/normal", None).await;
            app.admin(Method::POST, &path, None).await;
        }
    };
    begin("server-error").await;
    let answer = app.get("preferences").await;
    assert_eq!((answer.status.as_u16(), answer.code()), (500, "10000"));

    begin("refuse-logins").await;
    assert_eq!(app.get("preferences").await.status, 401);
    let answer = app.refresh(&app.refresh).await;
    assert_eq!((answer.status.as_u16(), &answer.body["error"]), (401, &json!("invalid_client")));

    begin("cut-after-commit").await;
    let path = "timeactivity?requestid=cut";
    assert!(app.request(Method::POST, path).json(&activity(json!({}))).send().await.is_err());
    assert_eq!(app.stored("TimeActivity").await.len(), 1);
    app.get("preferences").await.ok();

    begin("slow").await;
    let started = Instant::now();
    let short = Duration::from_millis(100);
    let late = app.request(Method::GET, "preferences").timeout(short).send().await;
    assert!(late.unwrap_err().is_timeout() && started.elapsed() >= short);
    assert_eq!(app.admin_get("/faults").await["faults"][0]["delayMs"], 5000);
}

#[tokio::test]
async fn back_to_normal_ends_faults_and_opens_books() {
    let app = TestSandbox::connected().await;
    app.admin_post("/faults", json!({ "status": 418, "times": 9 })).await;
    app.admin(Method::POST, "/scenarios/refuse-logins", None).await;
    app.admin_post(&format!("/companies/{A}"), json!({ "bookCloseDate": "2026-11-18" })).await;
    let done = app.admin(Method::POST, "/normal", None).await;
    assert_eq!(done, json!({ "faultsEnded": 3, "booksOpened": [A] }));
    assert_eq!(app.admin_get("/faults").await, json!({ "faults": [] }));
    assert!(app.admin_get(&format!("/companies/{A}")).await["profile"]["bookCloseDate"].is_null());
    app.activity(json!({})).await;
    let again = app.admin(Method::POST, "/normal", None).await;
    assert_eq!(again, json!({ "faultsEnded": 0, "booksOpened": [] }));
}

#[tokio::test]
async fn one_fault_of_several_is_disarmed() {
    let app = TestSandbox::connected().await;
    let id = app.admin_post("/faults", json!({ "status": 418 })).await["id"].clone();
    app.admin_post("/faults", json!({ "status": 500 })).await;
    app.admin(Method::DELETE, &format!("/faults/{id}"), None).await;
    assert_eq!(app.get("preferences").await.status, 500);
    let url = format!("{}/faults/{id}", app.sandbox.sandbox.admin_url());
    assert_eq!(app.send(app.http.delete(url)).await.status, 404);
}

#[tokio::test]
async fn a_scenario_that_cannot_be_is_refused() {
    let sandbox = TestSandbox::start().await;
    let admin = sandbox.sandbox.admin_url().to_owned();
    for (path, body, status) in [
        ("/scenarios/nonsense", "", 404),
        ("/scenarios/down", r#"{"realm":"1"}"#, 404),
        ("/scenarios/down", r#"{"times":0}"#, 400),
        ("/scenarios/down", r#"{"times":-1}"#, 400),
        ("/scenarios/down", r#"{"time":1}"#, 400),
        ("/scenarios/down", "{", 400),
    ] {
        let answer = sandbox.send(sandbox.http.post(format!("{admin}{path}")).body(body)).await;
        assert_eq!(answer.status, status, "{path} {body}");
        assert!(answer.body["error"].is_string());
    }
    let url = format!("{admin}/scenarios/down");
    assert_eq!(sandbox.send(sandbox.http.delete(url)).await.status, 404, "it is not on");
    assert_eq!(sandbox.admin_get("/faults").await, json!({ "faults": [] }));
}
