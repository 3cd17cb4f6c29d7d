//! The rules of estimates.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    harness::TestSandbox,
    sale::{line, sale, with},
};

fn from_estimate(estimate: &Value) -> Value {
    sale(json!({ "LinkedTxn": [{ "TxnId": estimate["Id"], "TxnType": "Estimate" }] }))
}

#[tokio::test]
async fn an_estimate_is_pending_and_owes_nothing() {
    let app = TestSandbox::connected().await;
    let estimate = app.put("Estimate", &sale(json!({ "ExpirationDate": "2026-12-31" }))).await;
    assert_eq!(estimate["TxnStatus"], "Pending");
    assert_eq!(estimate["TotalAmt"], 150);
    assert_eq!(estimate["DocNumber"], "1003");
    assert!(estimate.get("Balance").is_none());
    assert_eq!(app.fresh("Customer", &json!("6")).await["Balance"], 0);
    let accepted = app
        .change("Estimate", &estimate, json!({ "TxnStatus": "Accepted", "AcceptedBy": "Zoë" }))
        .await;
    assert_eq!(accepted["TxnStatus"], "Accepted");
    let bad = json!({
        "Id": accepted["Id"], "SyncToken": accepted["SyncToken"], "sparse": true, "TxnStatus": "Maybe",
    });
    assert_eq!(app.post("estimate", &bad).await.code(), "2170");
    app.act("Estimate", "delete", &accepted).await.ok();
}

#[tokio::test]
async fn an_estimate_that_became_an_invoice_is_closed_until_the_invoice_is_gone() {
    let app = TestSandbox::connected().await;
    let estimate = app.put("Estimate", &sale(json!({}))).await;
    let invoice = app.put("Invoice", &from_estimate(&estimate)).await;
    assert_eq!(invoice["LinkedTxn"], json!([{ "TxnId": estimate["Id"], "TxnType": "Estimate" }]));
    let closed = app.fresh("Estimate", &estimate).await;
    assert_eq!(closed["TxnStatus"], "Closed");
    assert_eq!(closed["LinkedTxn"], json!([{ "TxnId": invoice["Id"], "TxnType": "Invoice" }]));
    assert_eq!(closed["SyncToken"], "1");
    // It becomes one invoice alone, and stays closed.
    assert_eq!(app.post("invoice", &from_estimate(&estimate)).await.code(), "620");
    let kept = app.change("Estimate", &closed, json!({ "TxnStatus": "Pending" })).await;
    assert_eq!(kept["TxnStatus"], "Closed");
    app.act("Invoice", "delete", &invoice).await.ok();
    let open = app.fresh("Estimate", &estimate).await;
    assert_eq!((&open["TxnStatus"], &open["LinkedTxn"]), (&json!("Pending"), &json!([])));
}

#[tokio::test]
async fn a_deleted_estimate_leaves_its_invoice() {
    let app = TestSandbox::connected().await;
    let estimate = app.put("Estimate", &sale(json!({}))).await;
    let invoice = app.put("Invoice", &from_estimate(&estimate)).await;
    let closed = app.fresh("Estimate", &estimate).await;
    app.act("Estimate", "delete", &closed).await.ok();
    let invoice = app.fresh("Invoice", &invoice).await;
    assert_eq!((&invoice["LinkedTxn"], &invoice["TotalAmt"]), (&json!([]), &json!(150)));
}

#[tokio::test]
async fn an_estimate_is_sent_but_not_voided() {
    let app = TestSandbox::connected().await;
    let body = sale(json!({ "BillEmail": { "Address": "a@b.example" } }));
    let estimate = app.put("Estimate", &body).await;
    assert_eq!(app.act("Estimate", "void", &estimate).await.code(), "500");
    let path = format!("estimate/{}/send", estimate["Id"].as_str().unwrap());
    let sent = app.send(app.request(Method::POST, &path)).await.ok();
    assert_eq!(sent.body["Estimate"]["EmailStatus"], "EmailSent");
}

#[tokio::test]
async fn a_full_update_takes_back_what_was_read() {
    let app = TestSandbox::connected().await;
    let read = app.fresh("Estimate", &json!("205")).await;
    assert_eq!(read["TxnStatus"], "Closed");
    let again = app.put("Estimate", &read).await;
    let plain = |of: Value| with(of, json!({ "SyncToken": null, "MetaData": null }));
    assert_eq!(plain(again), plain(read.clone()));
    let wrong = with(read, json!({ "SyncToken": "1", "Line": [line(2.0, 2.0, 5.0)] }));
    assert_eq!(app.post("estimate", &wrong).await.code(), "5010");
}
