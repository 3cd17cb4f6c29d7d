//! 429s and counters.

use futures_like::join_all;
use quickbooks_sandbox::Config;
use serde_json::json;

use crate::harness::{A, REDIRECT, TestSandbox, activity};

/// Joins futures of one type, which is all that is needed of a futures library here.
mod futures_like {
    pub(super) async fn join_all<F>(futures: Vec<F>) -> Vec<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let tasks: Vec<_> = futures.into_iter().map(tokio::spawn).collect();
        let mut out = Vec::new();
        for task in tasks {
            out.push(task.await.unwrap());
        }
        out
    }
}

#[tokio::test]
async fn the_eleventh_call_of_a_second_is_a_429_of_the_gateway() {
    let app = TestSandbox::start_with(Config::ephemeral()).await.connect(A).await;
    let calls = (0..11).map(|_| app.request(reqwest::Method::GET, "preferences").send()).collect();
    let answers = join_all(calls).await;
    let refused: Vec<_> =
        answers.into_iter().map(Result::unwrap).filter(|r| r.status() == 429).collect();
    assert_eq!(refused.len(), 1);
    let mut refused = refused;
    let refused = refused.remove(0);
    assert!(refused.headers().get("retry-after").is_none());
    assert!(refused.headers().contains_key("intuit_tid"));
    let body: serde_json::Value = refused.json().await.unwrap();
    assert_eq!(body["fault"]["type"], "SERVICE");
    assert_eq!(body["fault"]["error"][0]["code"], "3001");
    let message = body["fault"]["error"][0]["message"].as_str().unwrap();
    assert_eq!(message, "message=ThrottleExceeded; errorCode=003001; statusCode=429");
    let counters = app.admin_get(&format!("/counters/{A}")).await;
    assert_eq!((&counters["calls"], &counters["throttled429"]), (&json!(11), &json!(1)));
    assert_eq!(counters["maxPerSecond"], 10);
}

#[tokio::test]
async fn ten_calls_in_flight_and_no_more() {
    let app = TestSandbox::start_with(Config { limits_scale: 1.2, ..Config::ephemeral() })
        .await
        .connect(A)
        .await;
    let slow = json!({ "path": "preferences", "delayMs": 3000, "times": 12 });
    app.admin_post("/faults", slow).await;
    // 12 a second are allowed at this scale, and 12 in flight.
    let calls = (0..12).map(|_| app.request(reqwest::Method::GET, "preferences").send()).collect();
    let calls = tokio::spawn(join_all(calls));
    // Past the second, so that only the calls under way are in the way.
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    assert_eq!(app.get("preferences").await.status, 429);
    assert!(calls.await.unwrap().into_iter().all(|answer| answer.unwrap().status() == 200));
    let counters = app.admin_get(&format!("/counters/{A}")).await;
    assert_eq!(counters["maxInFlight"], 12);
}

#[tokio::test]
async fn the_limits_of_two_companies_are_apart_and_the_scale_changes_while_running() {
    let app = TestSandbox::start_with(Config::ephemeral()).await.connect(A).await;
    let other = app.tokens(crate::harness::B).await;
    let token = other.body["access_token"].as_str().unwrap().to_owned();
    for _ in 0..10 {
        app.get("preferences").await.ok();
    }
    assert_eq!(app.get("preferences").await.status, 429);
    let url = app.public(&format!("/v3/company/{}/preferences", crate::harness::B));
    app.send(app.http.get(&url).bearer_auth(&token)).await.ok();
    app.admin_post("/limits", json!({ "scale": 10 })).await;
    app.get("preferences").await.ok();
}

#[tokio::test]
async fn counters_lose_nothing_under_load() {
    let app = TestSandbox::connected().await;
    let bodies = (0..400).map(|n| activity(json!({ "Description": format!("{n}") })));
    let calls = bodies
        .map(|body| app.request(reqwest::Method::POST, "timeactivity").json(&body).send())
        .collect();
    for answer in join_all(calls).await {
        assert_eq!(answer.unwrap().status(), 200);
    }
    app.query("select * from TimeActivity").await.ok();
    app.query("select * from").await;
    app.get("timeactivity/1").await.ok();
    app.get("timeactivity/9999").await;
    let counters = app.admin_get(&format!("/counters/{A}")).await;
    assert_eq!(counters["calls"], 404);
    assert_eq!(counters["rest"]["TimeActivity"], json!({ "create": 400, "query": 1, "read": 2 }));
    // Only reads that succeed are metered.
    assert_eq!(counters["readsMetered"], 2);
    assert_eq!(counters["byStatus"], json!({ "200": 402, "400": 2 }));
    assert_eq!(counters["tokens"]["exchange"], 1);
}

#[tokio::test]
async fn single_limits_are_set_by_themselves_and_the_counters_say_which_one_refused() {
    let app = TestSandbox::connected().await;
    let limits = app.admin_post("/limits", json!({ "perSecond": 2 })).await;
    assert_eq!(limits["effective"]["perSecond"], 2);
    assert_eq!(limits["effective"]["perMinute"], 500_000);
    for status in [200, 200, 429] {
        assert_eq!(app.get("preferences").await.status, status);
    }
    let limits = app.admin_post("/limits", json!({ "perSecond": null, "perMinute": 2 })).await;
    assert_eq!(limits["effective"]["perSecond"], 10_000);
    assert_eq!(app.get("preferences").await.status, 429);
    let counters = app.admin_get(&format!("/counters/{A}")).await;
    assert_eq!(
        counters["throttledBy"],
        json!({
            "perSecond": 1, "perMinute": 1, "inFlight": 0,
            "batchPerMinuteApp": 0, "batchPerMinuteRealm": 0, "meter": 0,
        })
    );
    assert_eq!(counters["throttled429"], 2);
    assert_eq!(counters["apps"]["sandbox-client"]["maxPerSecond"], 2);
    assert_eq!((&counters["maxPerMinute"], &counters["inFlight"]), (&json!(2), &json!(0)));
}

#[tokio::test]
async fn batches_have_a_limit_of_their_own() {
    let app = TestSandbox::connected().await;
    app.admin_post("/limits", json!({ "batchPerMinuteApp": 1 })).await;
    let batch = json!({ "BatchItemRequest": [{ "bId": "1", "Query": "select * from Item" }] });
    assert_ne!(app.post("batch", &batch).await.status, 429);
    assert_eq!(app.post("batch", &batch).await.status, 429);
    app.get("preferences").await.ok();
    let counters = app.admin_get(&format!("/counters/{A}")).await;
    assert_eq!(counters["throttledBy"]["batchPerMinuteApp"], 1);
    assert_eq!(counters["maxBatchPerMinute"], 1);
}

#[tokio::test]
async fn a_retry_after_and_the_old_xml_body_come_only_by_their_switches() {
    let app = TestSandbox::connected().await;
    let switches = json!({ "perMinute": 1, "retryAfter": 60, "body": "xml" });
    app.admin_post("/limits", switches).await;
    app.get("preferences").await.ok();
    let refused = app.get("preferences").await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.headers["retry-after"], "60");
    assert_eq!(refused.headers["content-type"], "application/xml;charset=UTF-8");
    assert!(refused.text.contains(
        "<Fault type=\"SERVICE\"><Error code=\"3001\"><Message>message=ThrottleExceeded; \
         errorCode=003001; statusCode=429</Message>"
    ));
    app.admin_post("/limits", json!({ "retryAfter": null, "body": "json" })).await;
    let refused = app.get("preferences").await;
    assert!(refused.headers.get("retry-after").is_none());
    assert_eq!(refused.code(), "3001");
}

#[tokio::test]
async fn bad_limits_are_refused_and_a_reset_brings_them_back() {
    let app = TestSandbox::connected().await;
    let url = format!("{}/limits", app.sandbox.sandbox.admin_url());
    for bad in [
        r#"{"scale":0}"#,
        r#"{"scale":-1}"#,
        r#"{"scale":null}"#,
        r#"{"perSecond":0}"#,
        r#"{"perSecond":1.5}"#,
        r#"{"windows":"none"}"#,
        r#"{"retryAfter":-1}"#,
        r#"{"speed":1}"#,
        "",
    ] {
        let answer = app.send(app.http.post(&url).body(bad)).await;
        assert_eq!(answer.status, 400, "{bad}");
        assert!(answer.body["error"].is_string(), "{bad}");
    }
    let configured = app.admin_get("/limits").await;
    assert_eq!((&configured["scale"], &configured["windows"]), (&json!(1000.0), &json!("both")));
    app.admin_post("/limits", json!({ "scale": 1, "windows": "fixed", "countRefused": true }))
        .await;
    app.admin_post("/reset", json!({})).await;
    assert_eq!(app.admin_get("/limits").await, configured);
}

#[tokio::test]
async fn a_second_belongs_to_each_app_and_a_minute_to_all_of_the_company() {
    let app = TestSandbox::connected().await;
    let other = json!({ "clientId": "other", "clientSecret": "other-secret" });
    app.admin_post("/apps", other).await;
    let url = app.authorize_url(&[("client_id", "other"), ("auto", A)]);
    let consent = app.send(app.http.get(url)).await;
    let target = reqwest::Url::parse(consent.headers["location"].to_str().unwrap()).unwrap();
    let code = target.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    let exchange = app
        .http
        .post(app.public("/oauth2/v1/tokens/bearer"))
        .basic_auth("other", Some("other-secret"))
        .form(&[("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", REDIRECT)]);
    let tokens = app.send(exchange).await.ok();
    let token = tokens.body["access_token"].as_str().unwrap();
    let url = app.public(&format!("/v3/company/{A}/preferences"));
    let as_other = async || app.send(app.http.get(&url).bearer_auth(token)).await.status.as_u16();

    app.admin_post("/limits", json!({ "perSecond": 2 })).await;
    app.get("preferences").await.ok();
    app.get("preferences").await.ok();
    assert_eq!(app.get("preferences").await.status, 429);
    assert_eq!(as_other().await, 200);
    app.admin_post("/limits", json!({ "perSecond": null, "perMinute": 4 })).await;
    assert_eq!(as_other().await, 200);
    assert_eq!(as_other().await, 429);
    assert_eq!(app.get("preferences").await.status, 429);
    let counters = app.admin_get(&format!("/counters/{A}")).await;
    assert_eq!((&counters["maxPerSecond"], &counters["maxPerMinute"]), (&json!(2), &json!(4)));
    assert_eq!(counters["throttledBy"]["perMinute"], 2);
}
