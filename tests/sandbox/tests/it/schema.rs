//! What a body may hold. That every answer keeps to the schema is held by the harness, in every test.

use serde_json::{Value, json};

use crate::harness::{Connected, TestSandbox, activity};

async fn refusal(app: &Connected, path: &str, body: &Value) -> (u16, String, String) {
    let answer = app.post(path, body).await;
    let element = answer.body["Fault"]["Error"][0]["element"].as_str().unwrap_or("").to_owned();
    (answer.status.as_u16(), answer.code().to_owned(), element)
}

#[tokio::test]
async fn an_unknown_field_is_refused_or_ignored_as_set() {
    let app = TestSandbox::connected().await;
    assert_eq!(app.admin_get("/schema").await, json!({ "unknownFields": "refuse" }));
    let class = |name: &str| json!({ "Name": name, "Colour": "red" });
    let refused = refusal(&app, "class", &class("Red")).await;
    assert_eq!(refused, (400, "2010".into(), "Colour".into()));
    app.admin_post("/schema", json!({ "unknownFields": "ignore" })).await;
    let taken = app.post("class", &class("Red")).await.ok();
    assert!(taken.body["Class"].get("Colour").is_none());
    // Nested ones likewise.
    let nested =
        json!({ "DisplayName": "N", "BillAddr": { "Line1": "1 Main St", "Planet": "Mars" } });
    let taken = app.post("customer", &nested).await.ok();
    assert_eq!(taken.body["Customer"]["BillAddr"], json!({ "Line1": "1 Main St" }));
    app.admin_post("/reset", json!({})).await;
    assert_eq!(app.admin_get("/schema").await, json!({ "unknownFields": "refuse" }));
    let url = format!("{}/schema", app.sandbox.sandbox.admin_url());
    for bad in [json!({ "unknownFields": "perhaps" }), json!({}), json!([])] {
        assert_eq!(app.send(app.http.post(&url).json(&bad)).await.status, 400, "{bad}");
    }
}

#[tokio::test]
async fn read_only_fields_are_ignored() {
    let app = TestSandbox::connected().await;
    let body = json!({
        "DisplayName": "Ignored Ltd", "FullyQualifiedName": "X:Y", "Level": 4, "Balance": 99,
        "IsProject": true, "status": "Deleted", "domain": "QBD",
        "MetaData": { "CreateTime": "1999-01-01T00:00:00Z" },
    });
    let customer = app.post("customer", &body).await.ok().body["Customer"].clone();
    assert_eq!(customer["FullyQualifiedName"], "Ignored Ltd");
    assert_eq!(customer["domain"], "QBO");
    assert!(customer.get("status").is_none() && customer["IsProject"] != true);
    assert!(!customer["MetaData"]["CreateTime"].as_str().unwrap().starts_with("1999"));
}

#[tokio::test]
async fn a_value_of_the_wrong_type_is_2010() {
    let app = TestSandbox::connected().await;
    for (field, value) in [
        ("Hours", json!("seven")),
        ("Hours", json!(7.5)),
        ("Hours", json!("1_000")),
        ("Hours", json!(99_999_999_999_i64)),
        ("Hours", json!(true)),
        ("Hours", json!([7])),
        ("HourlyRate", json!("99999999999999999999999999999999999999")),
        ("HourlyRate", json!(1e300)),
        ("HourlyRate", json!({ "value": 5 })),
        ("Taxable", json!("yes")),
        ("Taxable", json!(1)),
        ("TxnDate", json!("2026-02-30")),
        ("TxnDate", json!("11/18/2026")),
        ("TxnDate", json!(20_261_118)),
        ("EmployeeRef", json!("55")),
        ("EmployeeRef", json!([{ "value": "55" }])),
        ("EmployeeRef", json!({ "value": { "value": "55" } })),
        ("EmployeeRef", json!({ "id": "55" })),
        ("CustomField", json!({ "Name": "x" })),
        ("CustomField", json!([{ "Nome": "x" }])),
        ("Description", json!({ "text": "x" })),
        ("NameOf", json!(5)),
        ("StartTime", json!("late")),
    ] {
        let got = refusal(&app, "timeactivity", &activity(json!({ field: value }))).await;
        assert_eq!((got.0, got.1.as_str()), (400, "2010"), "{field} {value}");
    }
    for (body, code) in [("[]", "2010"), ("null", "2010"), ("{", "2010"), ("\"x\"", "2010")] {
        let request = app.request(reqwest::Method::POST, "timeactivity");
        let request = request.header("content-type", "application/json").body(body);
        assert_eq!(app.send(request).await.code(), code, "{body}");
    }
    let request = app.request(reqwest::Method::POST, "class");
    let request = request.header("content-type", "application/json");
    let latin1 = app.send(request.body(b"{\"Name\":\"Ba\xf1o\"}".to_vec())).await;
    assert_eq!((latin1.status.as_u16(), latin1.code()), (400, "500"));
    // Deep enough to exhaust a naive reader's stack.
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let request = app.request(reqwest::Method::POST, "timeactivity");
    let request = request.header("content-type", "application/json").body(deep);
    assert_eq!(app.send(request).await.code(), "2010");
}

#[tokio::test]
async fn a_bad_enumeration_is_2170_with_intuits_text() {
    let app = TestSandbox::connected().await;
    let answer =
        app.post("timeactivity", &activity(json!({ "BillableStatus": "HAS_BEEN_BILLED" }))).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (400, "2170"));
    assert_eq!(answer.detail(), "Invalid Enumeration : HAS_BEEN_BILLED");
}

#[tokio::test]
async fn a_text_that_is_too_long_is_2050() {
    let app = TestSandbox::connected().await;
    let customer = |field: &str, value: Value| json!({ "DisplayName": "Long", field: value });
    for (field, value) in [
        ("Notes", json!("x".repeat(2001))),
        ("BillAddr", json!({ "Line1": "x".repeat(501) })),
        ("BillAddr", json!({ "PostalCode": "9".repeat(31) })),
        ("PrimaryPhone", json!({ "FreeFormNumber": "9".repeat(31) })),
        ("WebAddr", json!({ "URI": format!("http://a.example/{}", "x".repeat(1000)) })),
    ] {
        let got = refusal(&app, "customer", &customer(field, value)).await;
        assert_eq!((got.0, got.1.as_str()), (400, "2050"), "{field}");
    }
    // Characters are counted, not bytes.
    app.post("customer", &customer("Notes", json!("é🛠".repeat(1000)))).await.ok();
}

#[tokio::test]
async fn what_is_empty_is_not_set_and_clears_in_an_update() {
    let app = TestSandbox::connected().await;
    let body = json!({
        "DisplayName": "Emptied", "Notes": "n", "BillAddr": { "Line1": "1 Main St" },
        "PrimaryPhone": { "FreeFormNumber": "1" }, "ParentRef": { "value": "1" },
        "OpenBalanceDate": "",
    });
    let made = app.post("customer", &body).await.ok().body["Customer"].clone();
    let update = json!({
        "Id": made["Id"], "SyncToken": made["SyncToken"], "sparse": true, "Notes": "",
        "BillAddr": {}, "PrimaryPhone": {}, "ParentRef": { "value": "", "name": "" },
    });
    let now = app.post("customer", &update).await.ok().body["Customer"].clone();
    for field in ["Notes", "BillAddr", "PrimaryPhone", "ParentRef"] {
        assert!(now.get(field).is_none(), "{field}: {now}");
    }
}
