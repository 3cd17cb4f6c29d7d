//! Merging entries of a list, as people do in QuickBooks' screens.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    harness::{A, Connected, TestSandbox},
    sale::{line, sale, with},
};

async fn merge(app: &Connected, entity: &str, gone: &str, into: &str) -> Result<Value, Value> {
    let url = format!("{}/companies/{A}/{entity}/{gone}/merge", app.sandbox.sandbox.admin_url());
    let answer = app.send(app.http.request(Method::POST, url).json(&json!({ "into": into }))).await;
    if answer.status.is_success() {
        Ok(answer.body[entity].clone())
    } else {
        assert_eq!(answer.status, 409, "{}", answer.text);
        Err(answer.body["error"].clone())
    }
}

#[tokio::test]
async fn a_merged_customers_work_and_debts_move_to_the_one_that_stays() {
    let app = TestSandbox::connected().await;
    let activity = app.activity(json!({ "CustomerRef": { "value": "3" } })).await;
    let stays = merge(&app, "Customer", "3", "6").await.unwrap();
    // City schools owed 3,028 and had two sub-customers.
    assert_eq!(stays["Balance"], 3028);
    assert_eq!(stays["SyncToken"], "1");
    assert_eq!(app.get("customer/3").await.code(), "610");
    let moved = app.fresh("TimeActivity", &activity).await;
    assert_eq!(moved["CustomerRef"], json!({ "value": "6", "name": "Front Range Logistics" }));
    assert_eq!(moved["SyncToken"], "0");
    let invoice = app.fresh("Invoice", &json!("201")).await;
    assert_eq!(invoice["CustomerRef"]["value"], "6");
    let payment = app.fresh("Payment", &json!("204")).await;
    assert_eq!(payment["CustomerRef"]["value"], "6");
    let below = app.fresh("Customer", &json!("24")).await;
    assert_eq!(below["FullyQualifiedName"], "Front Range Logistics:Elementary Gym Addition");
    // The id is gone, the name is free.
    let body = json!({ "CustomerRef": { "value": "3" } });
    assert_eq!(app.post("invoice", &sale(body)).await.code(), "2500");
    app.put("Customer", &json!({ "DisplayName": "Cañon City School District" })).await;
}

#[tokio::test]
async fn a_merged_item_is_replaced_in_lines_and_as_default() {
    let app = TestSandbox::connected().await;
    merge(&app, "Item", "2", "3").await.unwrap();
    let activity = app.activity(json!({})).await;
    assert_eq!(activity["ItemRef"]["value"], "3");
    merge(&app, "Item", "4", "3").await.unwrap();
    let invoice = app.fresh("Invoice", &json!("200")).await;
    assert_eq!(invoice["Line"][0]["SalesItemLineDetail"]["ItemRef"]["name"], "Carpentry");
}

#[tokio::test]
async fn people_accounts_and_classes_are_merged_too() {
    let app = TestSandbox::connected().await;
    let activity = app.activity(json!({ "ClassRef": { "value": "5000000000000123402" } })).await;
    merge(&app, "Employee", "55", "56").await.unwrap();
    merge(&app, "Vendor", "41", "42").await.unwrap();
    merge(&app, "Account", "79", "1").await.expect_err("another sub-type");
    let body = json!({ "Name": "Fees", "AccountSubType": "ServiceFeeIncome" });
    let fees = app.put("Account", &body).await;
    merge(&app, "Account", "1", fees["Id"].as_str().unwrap()).await.unwrap();
    merge(&app, "Class", "5000000000000123402", "5000000000000123403").await.unwrap();
    let moved = app.fresh("TimeActivity", &activity).await;
    assert_eq!(moved["EmployeeRef"], json!({ "value": "56", "name": "José Ñandú" }));
    assert_eq!(moved["ClassRef"]["name"], "Field:South Crew");
    let item = app.fresh("Item", &json!("3")).await;
    assert_eq!(item["IncomeAccountRef"], json!({ "value": fees["Id"], "name": "Fees" }));
}

#[tokio::test]
async fn what_does_not_fit_is_not_merged() {
    let app = TestSandbox::connected().await;
    for (entity, gone, into) in [
        ("Customer", "6", "6"),
        ("Customer", "6", "9"),
        ("Customer", "6", "9999"),
        ("Customer", "9999", "6"),
        ("Customer", "1", "21"),
        ("Customer", "21", "1"),
        ("Customer", "31", "21"),
        ("Item", "3", "13"),
        ("Item", "3", "10"),
        ("Term", "1", "2"),
        ("TaxCode", "TAX", "NON"),
        ("Invoice", "200", "201"),
    ] {
        let before = app.stored(entity).await;
        merge(&app, entity, gone, into).await.expect_err(&format!("{entity} {gone} {into}"));
        assert_eq!(app.stored(entity).await, before);
    }
}

#[tokio::test]
async fn children_of_one_name_stand_in_the_way_of_a_merge() {
    let app = TestSandbox::connected().await;
    let class =
        |name: &str, parent: Value| with(json!({ "Name": name }), json!({ "ParentRef": parent }));
    let one = app.put("Class", &class("One", Value::Null)).await;
    let two = app.put("Class", &class("Two", Value::Null)).await;
    for parent in [&one, &two] {
        app.put("Class", &class("Same", json!({ "value": parent["Id"] }))).await;
    }
    let (one, two) = (one["Id"].as_str().unwrap(), two["Id"].as_str().unwrap());
    merge(&app, "Class", one, two).await.expect_err("a name twice below one class");
    app.put("Invoice", &sale(json!({ "Line": [line(1.0, 2.0, 2.0)] }))).await;
}
