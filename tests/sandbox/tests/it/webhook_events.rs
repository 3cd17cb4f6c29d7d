//! Which events the writes of a client lead to.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    harness::{A, Connected, TestSandbox, activity},
    receiver::Receiver,
};

/// The types and ids told since the last look, in order.
async fn told(app: &Connected, receiver: &Receiver) -> Vec<(String, String)> {
    let before = receiver.count();
    app.flush().await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let posts = receiver.posts();
    let events = posts[before..].iter().flat_map(crate::receiver::Post::events);
    events.map(|event| (text(&event["type"]), text(&event["intuitentityid"]))).collect()
}

fn event(name: &str, id: &Value) -> (String, String) {
    (format!("qbo.{name}.v1"), id.as_str().unwrap().to_owned())
}

async fn invoice(app: &Connected) -> Value {
    let body = json!({
        "CustomerRef": { "value": "1" },
        "BillEmail": { "Address": "a@example.com" },
        "Line": [{
            "Amount": 50,
            "DetailType": "SalesItemLineDetail",
            "SalesItemLineDetail": { "ItemRef": { "value": "3" } },
        }],
    });
    app.post("invoice", &body).await.ok().body["Invoice"].clone()
}

#[tokio::test]
async fn an_invoice_that_is_sent_and_voided_is_told_as_such() {
    let (app, receiver) = TestSandbox::subscribed(json!({})).await;
    let invoice = invoice(&app).await;
    let id = &invoice["Id"];
    assert_eq!(told(&app, &receiver).await, [event("invoice.created", id)]);
    let path = format!("invoice/{}/send", id.as_str().unwrap());
    let sent = app.send(app.request(Method::POST, &path)).await.ok();
    assert_eq!(told(&app, &receiver).await, [event("invoice.emailed", id)]);
    let handle = json!({ "Id": id, "SyncToken": sent.body["Invoice"]["SyncToken"] });
    app.post("invoice?operation=void", &handle).await.ok();
    assert_eq!(told(&app, &receiver).await, [event("invoice.voided", id)]);
}

#[tokio::test]
async fn a_payment_tells_of_the_invoice_that_it_pays() {
    let (app, receiver) = TestSandbox::subscribed(json!({})).await;
    let invoice = invoice(&app).await;
    told(&app, &receiver).await;
    let body = json!({
        "CustomerRef": { "value": "1" },
        "TotalAmt": 50,
        "Line": [{
            "Amount": 50,
            "LinkedTxn": [{ "TxnId": invoice["Id"], "TxnType": "Invoice" }],
        }],
    });
    let payment = app.post("payment", &body).await.ok().body["Payment"].clone();
    let told = told(&app, &receiver).await;
    assert!(told.contains(&event("payment.created", &payment["Id"])), "{told:?}");
    assert!(told.contains(&event("invoice.updated", &invoice["Id"])), "{told:?}");
}

#[tokio::test]
async fn an_activity_is_told_when_created_updated_and_deleted() {
    let (app, receiver) = TestSandbox::subscribed(json!({})).await;
    let made = app.activity(json!({})).await;
    let mut changed = made.clone();
    changed["Minutes"] = json!(45);
    app.post("timeactivity", &changed).await.ok();
    let gone = json!({ "Id": made["Id"], "SyncToken": "1" });
    app.post("timeactivity?operation=delete", &gone).await.ok();
    let expected = ["created", "updated", "deleted"]
        .map(|name| event(&format!("timeactivity.{name}"), &made["Id"]));
    assert_eq!(told(&app, &receiver).await, expected);
}

#[tokio::test]
async fn a_name_made_inactive_is_an_update() {
    let (app, receiver) = TestSandbox::subscribed(json!({})).await;
    let body = json!({ "Id": "55", "SyncToken": "0", "sparse": true, "Active": false });
    app.post("employee", &body).await.ok();
    assert_eq!(told(&app, &receiver).await, [event("employee.updated", &json!("55"))]);
}

#[tokio::test]
async fn a_replayed_write_is_told_once() {
    let (app, receiver) = TestSandbox::subscribed(json!({})).await;
    for _ in 0..2 {
        app.post("timeactivity?requestid=once", &activity(json!({}))).await.ok();
    }
    assert_eq!(told(&app, &receiver).await.len(), 1);
}

#[tokio::test]
async fn every_item_of_a_batch_that_is_done_is_told() {
    let (app, receiver) = TestSandbox::subscribed(json!({})).await;
    let item =
        |id: &str, body: Value| json!({ "bId": id, "operation": "create", "TimeActivity": body });
    let bad = activity(json!({ "EmployeeRef": null, "NameOf": "Employee" }));
    let batch = json!({ "BatchItemRequest": [
        item("1", activity(json!({}))),
        item("2", bad),
        item("3", activity(json!({}))),
    ] });
    let answer = app.post("batch", &batch).await.ok();
    assert!(answer.body["BatchItemResponse"][1]["Fault"].is_object(), "{}", answer.text);
    assert_eq!(told(&app, &receiver).await.len(), 2);
}

#[tokio::test]
async fn updated_preferences_are_told() {
    let (app, receiver) = TestSandbox::subscribed(json!({})).await;
    let before = app.get("preferences").await.ok().body["Preferences"].clone();
    app.post("preferences?operation=update", &before).await.ok();
    assert_eq!(told(&app, &receiver).await, [event("preferences.updated", &json!("1"))]);
}

#[tokio::test]
async fn a_merge_is_one_event_that_names_the_id_that_is_gone() {
    for shape in ["cloudevents", "classic"] {
        let (app, receiver) = TestSandbox::subscribed(json!({ "shape": shape })).await;
        app.admin_post(&format!("/companies/{A}/Employee/56/merge"), json!({ "into": "55" })).await;
        app.flush().await;
        let body = receiver.single().json();
        if shape == "classic" {
            let told = &body["eventNotifications"][0]["dataChangeEvent"]["entities"];
            assert_eq!(told.as_array().unwrap().len(), 1, "{told}");
            assert_eq!((&told[0]["operation"], &told[0]["id"]), (&json!("Merge"), &json!("55")));
            assert_eq!(told[0]["deletedId"], "56");
        } else {
            assert_eq!(body.as_array().unwrap().len(), 1, "{body}");
            assert_eq!(body[0]["type"], "qbo.employee.merged.v1");
            assert_eq!(
                (&body[0]["intuitentityid"], &body[0]["data"]["deletedid"]),
                (&json!("55"), &json!("56"))
            );
        }
    }
}
