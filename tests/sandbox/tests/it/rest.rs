//! What holds for every REST call.

use reqwest::Method;
use serde_json::json;

use crate::harness::{A, TestSandbox, activity};

#[tokio::test]
async fn company_info_and_preferences_are_read_and_queried() {
    let app = TestSandbox::connected().await;
    let info = app.get(&format!("companyinfo/{A}?minorversion=75")).await.ok();
    assert_eq!(info.body["CompanyInfo"]["CompanyName"], "Rocky Ridge Builders");
    let prefs = app.get("preferences").await.ok();
    assert_eq!(prefs.body["Preferences"]["AccountingInfoPrefs"]["ClassTrackingPerTxn"], true);
    assert_eq!(prefs.body["Preferences"]["TimeTrackingPrefs"]["TimeTrackingEnabled"], true);
    assert_eq!(app.rows("CompanyInfo", "select * from CompanyInfo").await.len(), 1);
    assert_eq!(app.rows("Preferences", "select * from Preferences").await.len(), 1);
}

#[tokio::test]
async fn every_answer_carries_an_intuit_tid_and_times_carry_the_companys_offset() {
    let app = TestSandbox::connected().await;
    app.admin_post("/clock/set", json!({ "now": "2026-10-31T12:00:00Z" })).await;
    let app = { app.sandbox.connect(A).await };
    let summer = app.activity(json!({})).await;
    assert_eq!(summer["MetaData"]["CreateTime"].as_str().unwrap()[19..], *"-06:00");
    app.admin_post("/clock/set", json!({ "now": "2026-11-01T12:00:00Z" })).await;
    let refreshed = app.refresh(&app.refresh).await.ok();
    let token = refreshed.body["access_token"].as_str().unwrap();
    let url = app.public(&format!("/v3/company/{A}/timeactivity"));
    let winter =
        app.send(app.http.post(url).bearer_auth(token).json(&activity(json!({})))).await.ok();
    assert_eq!(winter.body["time"].as_str().unwrap()[23..], *"-07:00");
    assert!(winter.headers["intuit_tid"].to_str().unwrap().starts_with("1-"));
    let refused = app.send(app.http.get(app.public("/v3/company/1/x"))).await;
    assert!(refused.headers.contains_key("intuit_tid"));
}

#[tokio::test]
async fn an_unknown_field_is_2010_and_a_read_only_one_is_ignored() {
    let app = TestSandbox::connected().await;
    let answer = app.post("timeactivity", &activity(json!({ "Project": "x" }))).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (400, "2010"));
    assert_eq!(answer.body["Fault"]["type"], "ValidationFault");
    assert!(answer.body["time"].is_string());
    let created = app.activity(json!({ "TimeChargeId": 7, "domain": "X", "sparse": false })).await;
    assert!(created.get("TimeChargeId").is_none());
    assert_eq!(created["domain"], "QBO");
}

#[tokio::test]
async fn a_body_that_is_no_json_object_is_2010() {
    let app = TestSandbox::connected().await;
    for body in ["{", "", "[]", "\"x\"", "{\"Hours\":}"] {
        let request = app
            .request(Method::POST, "timeactivity")
            .header("content-type", "application/json")
            .body(body);
        assert_eq!(app.send(request).await.code(), "2010", "{body}");
    }
    let latin1 = app
        .request(Method::POST, "employee")
        .header("content-type", "application/json")
        .body(b"{\"GivenName\":\"R\xe9mi\"}".to_vec());
    assert_eq!(app.send(latin1).await.code(), "2010");
}

#[tokio::test]
async fn a_wrong_content_type_is_1050() {
    let app = TestSandbox::connected().await;
    let request = app
        .request(Method::POST, "timeactivity")
        .header("content-type", "text/xml")
        .body(activity(json!({})).to_string());
    assert_eq!(app.send(request).await.code(), "1050");
    assert!(app.stored("TimeActivity").await.is_empty());
}

#[tokio::test]
async fn what_the_sandbox_does_not_do_is_500_unsupported() {
    let app = TestSandbox::connected().await;
    assert_eq!(app.get("bill/1").await.code(), "500");
    assert_eq!(app.post("timeactivity?operation=void", &activity(json!({}))).await.code(), "500");
}

#[tokio::test]
async fn what_is_not_there_is_610() {
    let app = TestSandbox::connected().await;
    let answer = app.get("timeactivity/999").await;
    assert_eq!((answer.status.as_u16(), answer.code()), (400, "610"));
}

#[tokio::test]
async fn an_inactive_name_is_read_by_id() {
    let app = TestSandbox::connected().await;
    let answer = app.get("customer/9").await.ok();
    assert_eq!(answer.body["Customer"]["DisplayName"], "Ivy Court Apartments (deleted)");
    assert_eq!(answer.body["Customer"]["Active"], false);
}
