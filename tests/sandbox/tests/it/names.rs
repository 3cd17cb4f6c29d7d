//! Employees, customers, items, classes.

use serde_json::{Value, json};

use crate::harness::{A, Connected, TestSandbox};

async fn code(app: &Connected, path: &str, body: Value) -> String {
    app.post(path, &body).await.code().to_owned()
}

#[tokio::test]
async fn a_name_is_unique_over_employees_customers_and_vendors() {
    let app = TestSandbox::connected().await;
    let mut employee = json!({ "GivenName": "Aspen", "DisplayName": "aspen ridge hoa" });
    assert_eq!(code(&app, "employee", employee.clone()).await, "6240");
    assert_eq!(
        code(&app, "customer", json!({ "DisplayName": "Summit Crane Service" })).await,
        "6240"
    );
    employee["DisplayName"] = json!("Aspen Ridge");
    let created = app.post("employee", &employee).await.ok();
    assert_eq!(created.body["Employee"]["Id"], "100");
    // An item may be called what a person is called, though not what another item is.
    let item = |name: &str| json!({ "Name": name, "IncomeAccountRef": { "value": "1" } });
    app.post("item", &item("Aspen Ridge")).await.ok();
    assert_eq!(code(&app, "item", item("carpentry")).await, "6240");
}

#[tokio::test]
async fn a_name_has_no_colon_tab_or_line_break() {
    let app = TestSandbox::connected().await;
    for name in ["a:b", "a\tb", "a\nb"] {
        assert_eq!(code(&app, "customer", json!({ "DisplayName": name })).await, "2040");
        let item = json!({ "Name": name, "IncomeAccountRef": { "value": "1" } });
        assert_eq!(code(&app, "item", item).await, "2040");
    }
    assert_eq!(code(&app, "customer", json!({ "DisplayName": "x".repeat(501) })).await, "2050");
    assert_eq!(code(&app, "customer", json!({ "Notes": "nameless" })).await, "6080");
}

#[tokio::test]
async fn a_display_name_is_made_from_the_parts() {
    let app = TestSandbox::connected().await;
    let body = json!({ "GivenName": "Rémi", "MiddleName": "T", "FamilyName": "Bélanger" });
    let created = app.post("employee", &body).await.ok();
    assert_eq!(created.body["Employee"]["DisplayName"], "Rémi T Bélanger");
    assert_eq!(created.body["Employee"]["Active"], true);
    assert_eq!(code(&app, "employee", json!({ "DisplayName": "No Parts" })).await, "2020");
    let mail = json!({ "GivenName": "M", "PrimaryEmailAddr": { "Address": "not-an-address" } });
    assert_eq!(code(&app, "employee", mail).await, "2210");
}

#[tokio::test]
async fn a_made_inactive_name_gets_a_suffix_and_loses_it_again() {
    let app = TestSandbox::connected().await;
    let change = |token: &'static str, active: bool| {
        let body = json!({ "Id": "56", "SyncToken": token, "sparse": true, "Active": active });
        let app = &app;
        async move { app.post("employee", &body).await.ok().body["Employee"].clone() }
    };
    assert_eq!(change("0", false).await["DisplayName"], "José Ñandú (deleted)");
    // The name is free for somebody else meanwhile, and then taken.
    let body = json!({ "GivenName": "José", "DisplayName": "José Ñandú" });
    let other = app.post("employee", &body).await.ok();
    let back = json!({ "Id": "56", "SyncToken": "1", "sparse": true, "Active": true });
    assert_eq!(app.post("employee", &back).await.code(), "6240");
    let id = other.body["Employee"]["Id"].clone();
    let gone = json!({ "Id": id, "SyncToken": "0", "sparse": true, "Active": false });
    let gone = app.post("employee", &gone).await.ok();
    assert_eq!(gone.body["Employee"]["DisplayName"], "José Ñandú (deleted-1)");
    assert_eq!(change("1", true).await["DisplayName"], "José Ñandú");
}

#[tokio::test]
async fn names_are_never_deleted() {
    let app = TestSandbox::connected().await;
    for (path, id) in
        [("employee", "55"), ("customer", "1"), ("item", "3"), ("class", "5000000000000123401")]
    {
        let body = json!({ "Id": id, "SyncToken": "0" });
        let answer = app.post(&format!("{path}?operation=delete"), &body).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (400, "500"), "{path}");
    }
}

#[tokio::test]
async fn sub_customers_carry_their_parents_names() {
    let app = TestSandbox::connected().await;
    let body = json!({ "DisplayName": "Barn", "ParentRef": { "value": "21" }, "IsProject": true });
    let created = app.post("customer", &body).await.ok();
    let barn = &created.body["Customer"];
    assert_eq!(barn["FullyQualifiedName"], "Aspen Ridge HOA:Clubhouse Reroof:Barn");
    assert_eq!((&barn["Job"], &barn["Level"]), (&json!(true), &json!(2)));
    // Only QuickBooks itself makes projects.
    assert!(barn.get("IsProject").is_none());
    let rename = json!({ "Id": "1", "SyncToken": "0", "sparse": true, "DisplayName": "Aspen" });
    app.post("customer", &rename).await.ok();
    let path = format!("customer/{}", barn["Id"].as_str().unwrap());
    let renamed = app.get(&path).await.ok();
    assert_eq!(renamed.body["Customer"]["FullyQualifiedName"], "Aspen:Clubhouse Reroof:Barn");
    assert_eq!(renamed.body["Customer"]["SyncToken"], "0");
}

#[tokio::test]
async fn a_parent_must_be_there_active_and_above() {
    let app = TestSandbox::connected().await;
    let child = |parent: &str| json!({ "DisplayName": "Child", "ParentRef": { "value": parent } });
    assert_eq!(code(&app, "customer", child("9999")).await, "2500");
    assert_eq!(code(&app, "customer", child("9")).await, "610");
    let circle = json!({
        "Id": "1", "SyncToken": "0", "sparse": true, "ParentRef": { "value": "21" },
    });
    assert_eq!(code(&app, "customer", circle).await, "900");
    let mut parent = "30".to_owned();
    for level in 3.. {
        let body = json!({ "DisplayName": format!("L{level}"), "ParentRef": { "value": parent } });
        let answer = app.post("customer", &body).await;
        if level == 5 {
            assert_eq!(answer.code(), "6180");
            break;
        }
        answer.ok().body["Customer"]["Id"].as_str().unwrap().clone_into(&mut parent);
    }
}

#[tokio::test]
async fn a_class_is_created_below_another_and_made_inactive() {
    let app = TestSandbox::connected().await;
    let body = json!({ "Name": "West Crew", "ParentRef": { "value": "5000000000000123401" } });
    let created = app.post("class", &body).await.ok();
    let class = &created.body["Class"];
    assert_eq!(
        (&class["FullyQualifiedName"], &class["SubClass"]),
        (&json!("Field:West Crew"), &json!(true))
    );
    let body = json!({ "Id": class["Id"], "SyncToken": "0", "sparse": true, "Active": false });
    let changed = app.post("class", &body).await.ok();
    assert_eq!(changed.body["Class"]["Name"], "West Crew (deleted)");
}

#[tokio::test]
async fn an_item_needs_an_account_and_a_known_type() {
    let app = TestSandbox::connected().await;
    assert_eq!(code(&app, "item", json!({ "Name": "Glazing" })).await, "2020");
    let bad = json!({ "Name": "Glazing", "Type": "Serivce", "IncomeAccountRef": { "value": "1" } });
    assert_eq!(code(&app, "item", bad).await, "2170");
    let good =
        json!({ "Name": "Glazing", "Type": "Service", "IncomeAccountRef": { "value": "1" } });
    let created = app.post("item", &good).await.ok();
    assert_eq!(created.body["Item"]["Id"], "50");
}

#[tokio::test]
async fn awkward_names_come_back_as_they_are() {
    let app = TestSandbox::connected().await;
    let names: Vec<String> = app
        .stored("Employee")
        .await
        .iter()
        .map(|employee| employee["DisplayName"].as_str().unwrap().to_owned())
        .collect();
    for name in [
        "Aaron O'Brien",
        "José Ñandú",
        "Zoë Carter 🛠️",
        "Robert “Bobby” Tate",
        "Chris A\\C Holloway",
    ] {
        assert!(names.iter().any(|other| other == name), "{name}");
        let statement = format!(
            "select * from Employee where DisplayName = '{}'",
            name.replace('\\', "\\\\").replace('\'', "\\'")
        );
        assert_eq!(app.rows("Employee", &statement).await.len(), 1, "{name}");
    }
    let active = app.stored("Employee").await.iter().filter(|e| e["Active"] == true).count();
    assert!(active >= 25);
    assert!(!A.is_empty());
}
