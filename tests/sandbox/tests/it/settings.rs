//! CompanyInfo and Preferences, written.

use serde_json::{Value, json};

use crate::harness::{A, Connected, TestSandbox};

const DAY: &str = "2026-11-18";

async fn company(app: &Connected) -> Value {
    app.get(&format!("companyinfo/{A}")).await.ok().body["CompanyInfo"].clone()
}

async fn preferences(app: &Connected) -> Value {
    app.get("preferences").await.ok().body["Preferences"].clone()
}

#[tokio::test]
async fn a_sparse_update_of_the_company_changes_what_it_sends() {
    let app = TestSandbox::connected().await;
    let before = company(&app).await;
    let body = json!({
        "Id": "1",
        "SyncToken": "0",
        "sparse": true,
        "LegalName": "Rocky Ridge, LLC",
        "PrimaryPhone": { "FreeFormNumber": "(303) 555-0199" },
        "Country": "CA",
    });
    app.post("companyinfo?operation=update", &body).await.ok();
    let after = company(&app).await;
    assert_eq!(after["LegalName"], "Rocky Ridge, LLC");
    assert_eq!(after["PrimaryPhone"]["FreeFormNumber"], "(303) 555-0199");
    assert_eq!(after["SyncToken"], "1");
    assert_ne!(after["MetaData"]["LastUpdatedTime"], before["MetaData"]["LastUpdatedTime"]);
    for kept in ["CompanyName", "CompanyAddr", "LegalAddr", "Email", "Country", "NameValue"] {
        assert_eq!(after[kept], before[kept], "{kept}");
    }
    assert_eq!(app.post("companyinfo", &body).await.code(), "5010");
}

#[tokio::test]
async fn a_full_update_of_the_company_clears_what_it_leaves_out() {
    let app = TestSandbox::connected().await;
    let full = json!({ "Id": "1", "SyncToken": "0", "CompanyName": "Rocky Ridge" });
    let answer = app.post("companyinfo", &full).await.ok();
    assert_eq!(answer.body["CompanyInfo"]["CompanyName"], "Rocky Ridge");
    assert_eq!(answer.body["CompanyInfo"]["Email"], Value::Null);
    assert_eq!(answer.body["CompanyInfo"]["LegalAddr"], Value::Null);
    let nameless = json!({ "Id": "1", "SyncToken": "1" });
    assert_eq!(app.post("companyinfo", &nameless).await.code(), "2020");
}

#[tokio::test]
async fn preferences_change_what_the_rules_go_by() {
    let app = TestSandbox::connected().await;
    let mut activity = json!({
        "NameOf": "Employee",
        "EmployeeRef": { "value": "55" },
        "TxnDate": DAY,
        "Hours": 1,
        "ClassRef": { "value": "5000000000000123401" },
    });
    app.post("timeactivity", &activity).await.ok();
    let accounting = json!({ "ClassTrackingPerTxn": false, "TaxYearMonth": "July" });
    let body = |token: &str, accounting: &Value| {
        json!({
            "Id": "1", "SyncToken": token, "sparse": true, "AccountingInfoPrefs": accounting,
        })
    };
    app.post("preferences?operation=update", &body("0", &accounting)).await.ok();
    assert_eq!(app.post("timeactivity", &activity).await.code(), "5030");

    activity.as_object_mut().unwrap().remove("ClassRef");
    app.post("timeactivity", &activity).await.ok();
    app.post("preferences", &body("1", &json!({ "BookCloseDate": DAY }))).await.ok();
    assert_eq!(app.post("timeactivity", &activity).await.code(), "6210");
    let after = preferences(&app).await;
    assert_eq!(after["AccountingInfoPrefs"]["BookCloseDate"], DAY);
    assert_eq!(after["AccountingInfoPrefs"]["TaxYearMonth"], "January", "read-only");
    assert_eq!(after["SyncToken"], "2");
}

#[tokio::test]
async fn preferences_keep_the_fields_of_a_part_that_are_not_sent() {
    let app = TestSandbox::connected().await;
    let before = preferences(&app).await;
    let body = json!({
        "Id": "1",
        "SyncToken": "0",
        "EmailMessagesPrefs": { "EstimateMessage": { "Subject": "Ours", "Message": "See it" } },
        "TimeTrackingPrefs": { "WorkWeekStartDate": "Sunday" },
    });
    app.post("preferences", &body).await.ok();
    let after = preferences(&app).await;
    assert_eq!(after["EmailMessagesPrefs"]["EstimateMessage"]["Subject"], "Ours");
    assert_eq!(after["TimeTrackingPrefs"]["WorkWeekStartDate"], "Sunday");
    let part = "EmailMessagesPrefs";
    assert_eq!(after[part]["InvoiceMessage"], before[part]["InvoiceMessage"]);
    assert_eq!(
        after["TimeTrackingPrefs"]["UseServices"],
        before["TimeTrackingPrefs"]["UseServices"]
    );
    assert_eq!(after["AccountingInfoPrefs"], before["AccountingInfoPrefs"]);
}

#[tokio::test]
async fn settings_are_neither_created_nor_deleted_and_hold_no_unknown_field() {
    let app = TestSandbox::connected().await;
    let body = json!({ "Id": "1", "SyncToken": "0", "sparse": true });
    for (path, code) in [
        ("companyinfo?operation=delete", "500"),
        ("preferences?operation=void", "500"),
        ("preferences?operation=create", "500"),
    ] {
        assert_eq!(app.post(path, &body).await.code(), code, "{path}");
    }
    let unknown = json!({ "Id": "1", "SyncToken": "0", "Nickname": "RRB" });
    assert_eq!(app.post("companyinfo", &unknown).await.code(), "2010");
    let other = json!({ "Id": "2", "SyncToken": "0", "CompanyName": "Other" });
    assert_eq!(app.post("companyinfo", &other).await.code(), "610");
    let no_token = json!({ "Id": "1", "sparse": true });
    assert_eq!(app.post("preferences", &no_token).await.code(), "2020");
}

#[tokio::test]
async fn an_update_of_the_company_is_replayed_by_its_request_id() {
    let app = TestSandbox::connected().await;
    let body = json!({ "Id": "1", "SyncToken": "0", "sparse": true, "LegalName": "Once, Inc." });
    let first = app.post("companyinfo?requestid=once", &body).await.ok();
    let second = app.post("companyinfo?requestid=once", &body).await.ok();
    assert_eq!(second.text, first.text);
    assert_eq!(company(&app).await["SyncToken"], "1");
}

#[tokio::test]
async fn an_update_of_preferences_is_told() {
    let (app, receiver) = TestSandbox::subscribed(json!({})).await;
    let body = json!({
        "Id": "1", "SyncToken": "0", "TimeTrackingPrefs": { "WorkWeekStartDate": "Sunday" },
    });
    app.post("preferences", &body).await.ok();
    assert_eq!(app.post("preferences", &body).await.code(), "5010", "told of once");
    app.flush().await;
    let post = receiver.single();
    assert_eq!(post.events().len(), 1);
    assert_eq!(post.events()[0]["type"], "qbo.preferences.updated.v1");
}
