//! What holds for every REST call.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{A, Connected, TestSandbox, activity};

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
async fn a_body_that_is_no_json_object_is_2010_and_one_that_is_not_utf8_500() {
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
    assert_eq!(app.send(latin1).await.code(), "500");
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

/// A new invoice of customer 1 over `amount`.
async fn invoice(app: &Connected, amount: u32) -> Value {
    let body = json!({
        "CustomerRef": { "value": "1" },
        "Line": [{
            "Amount": amount,
            "DetailType": "SalesItemLineDetail",
            "SalesItemLineDetail": { "ItemRef": { "value": "3" } },
        }],
    });
    app.post("invoice", &body).await.ok().body["Invoice"].clone()
}

fn handle(entity: &Value) -> Value {
    json!({ "Id": entity["Id"], "SyncToken": entity["SyncToken"] })
}

#[tokio::test]
async fn a_transaction_is_voided_in_each_way_that_clients_ask_for_it() {
    let app = TestSandbox::connected().await;
    for path in [
        "invoice?operation=void",
        "invoice?operation=update&include=void",
        "invoice?include=void&minorversion=75",
    ] {
        let invoice = invoice(&app, 50).await;
        let mut body = handle(&invoice);
        body["sparse"] = json!(true);
        let voided = app.post(path, &body).await.ok().body["Invoice"].clone();
        assert_eq!((&voided["TotalAmt"], &voided["Balance"]), (&json!(0), &json!(0)), "{path}");
        assert!(voided["PrivateNote"].as_str().unwrap().contains("Voided"));
    }
    let invoice = invoice(&app, 50).await;
    // A create or a delete is not turned into a void.
    let answer = app.post("invoice?operation=delete&include=void", &handle(&invoice)).await.ok();
    assert_eq!(answer.body["Invoice"]["status"], "Deleted");
    assert_eq!(app.post("invoice?operation=merge", &handle(&invoice)).await.code(), "500");
    assert_eq!(app.post("invoice?operation=send", &handle(&invoice)).await.code(), "500");
    let customer = app.get("customer/1").await.ok().body["Customer"].clone();
    assert_eq!(app.post("customer?operation=void", &handle(&customer)).await.code(), "500");
}

#[tokio::test]
async fn an_invoice_is_sent_without_a_body() {
    let app = TestSandbox::connected().await;
    let invoice = invoice(&app, 50).await;
    let id = invoice["Id"].as_str().unwrap();
    for (content, to, expected) in [
        // python-quickbooks, and node-quickbooks with a raw @.
        (Some("application/octet-stream"), "?sendTo=ada%40example.com", "ada@example.com"),
        (None, "?sendTo=bob@example.com&minorversion=75", "bob@example.com"),
        (None, "", "bob@example.com"),
    ] {
        let mut request = app.request(Method::POST, &format!("invoice/{id}/send{to}"));
        if let Some(content) = content {
            request = request.header("content-type", content);
        }
        let sent = app.send(request).await.ok().body["Invoice"].clone();
        assert_eq!(sent["EmailStatus"], "EmailSent");
        assert_eq!(sent["BillEmail"]["Address"], expected);
        assert_eq!(sent["DeliveryInfo"]["DeliveryType"], "Email");
    }
    for (path, code) in [
        ("invoice/99999/send?sendTo=a@example.com".to_owned(), "610"),
        (format!("invoice/{id}/send?sendTo=nonsense"), "2210"),
        ("customer/1/send?sendTo=a@example.com".to_owned(), "500"),
        ("spaceship/1/send".to_owned(), "500"),
        (format!("invoice/{id}/mail"), "500"),
    ] {
        assert_eq!(app.send(app.request(Method::POST, &path)).await.code(), code, "{path}");
    }
    assert_eq!(app.get(&format!("invoice/{id}/send")).await.code(), "500");
}

#[tokio::test]
async fn the_same_send_twice_under_one_request_id_is_one() {
    let app = TestSandbox::connected().await;
    let id = invoice(&app, 50).await["Id"].as_str().unwrap().to_owned();
    let path = format!("invoice/{id}/send?sendTo=a@example.com&requestid=s");
    let first = app.send(app.request(Method::POST, &path)).await.ok();
    let again = app.send(app.request(Method::POST, &path)).await.ok();
    assert_eq!(first.text, again.text);
}

#[tokio::test]
async fn an_invoice_comes_as_a_document() {
    let app = TestSandbox::connected().await;
    let id = invoice(&app, 50).await["Id"].as_str().unwrap().to_owned();
    let request =
        app.request(Method::GET, &format!("invoice/{id}/pdf")).header("accept", "application/pdf");
    let answer = app.send(request).await.ok();
    assert_eq!(answer.headers["content-type"], "application/pdf");
    assert!(answer.text.starts_with("%PDF"));
    let missing = app.get("invoice/99999/pdf").await;
    assert_eq!((missing.status.as_u16(), missing.code()), (400, "610"));
    for path in ["customer/1/pdf", "payment/1/pdf", "invoice/1/pdf/2", "invoice/1/html"] {
        assert_eq!(app.get(path).await.code(), "500", "{path}");
    }
    app.admin_post("/faults", json!({ "path": "/pdf", "status": 503 })).await;
    assert_eq!(app.get(&format!("invoice/{id}/pdf")).await.status, 503);
    let counters = app.admin_get(&format!("/counters/{A}")).await;
    assert_eq!(counters["rest"]["Invoice"]["pdf"], 3);
}

#[tokio::test]
async fn a_number_may_be_used_twice_where_the_call_allows_it() {
    let app = TestSandbox::connected().await;
    let body = json!({
        "CustomerRef": { "value": "1" },
        "DocNumber": "A-1",
        "Line": [{
            "Amount": 5,
            "DetailType": "SalesItemLineDetail",
            "SalesItemLineDetail": { "ItemRef": { "value": "3" } },
        }],
    });
    app.post("invoice", &body).await.ok();
    assert_eq!(app.post("invoice", &body).await.code(), "6140");
    assert_eq!(app.post("invoice?include=invoiceLink", &body).await.code(), "6140");
    app.post("invoice?include=allowduplicatedocnum", &body).await.ok();
    app.post("invoice?include=invoiceLink,AllowDuplicateDocNum", &body).await.ok();
}

#[tokio::test]
async fn a_write_takes_json_with_a_charset_or_without_a_name() {
    let app = TestSandbox::connected().await;
    for content in [Some("application/json; charset=utf-8"), Some("Application/JSON"), None] {
        let mut request =
            app.request(Method::POST, "timeactivity").body(activity(json!({})).to_string());
        if let Some(content) = content {
            request = request.header("content-type", content);
        }
        let request = request.header("accept", "application/xml");
        let answer = app.send(request).await.ok();
        assert!(answer.headers["content-type"].to_str().unwrap().starts_with("application/json"));
        assert!(answer.body["TimeActivity"]["Id"].is_string(), "{content:?}");
    }
}

#[tokio::test]
async fn an_old_minor_version_behaves_like_75() {
    let app = TestSandbox::connected().await;
    let newest = app.get("employee/55?minorversion=75").await.ok();
    for version in ["?minorversion=1", "?minorversion=74", "?minorversion=", "?minorversion=x", ""]
    {
        let old = app.get(&format!("employee/55{version}")).await.ok();
        assert_eq!(old.body["Employee"], newest.body["Employee"], "{version}");
    }
}
