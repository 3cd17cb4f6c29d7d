//! The rules and traps of TimeActivity.

use serde_json::{Value, json};

use crate::harness::{A, TestSandbox, activity};

#[tokio::test]
async fn a_created_activity_comes_back_with_names_and_the_default_item() {
    let app = TestSandbox::connected().await;
    let created = app
        .activity(json!({
            "CustomerRef": { "value": "21", "name": "ignored" },
            "BillableStatus": "Billable",
            "HourlyRate": 75.00,
            "Description": "Poured \"slab\" – done 🎉",
        }))
        .await;
    assert_eq!(created["Id"], "1");
    assert_eq!(created["SyncToken"], "0");
    assert_eq!(created["EmployeeRef"], json!({ "value": "55", "name": "Aaron O'Brien" }));
    assert_eq!(
        created["CustomerRef"],
        json!({ "value": "21", "name": "Aspen Ridge HOA:Clubhouse Reroof" })
    );
    assert_eq!(created["ItemRef"], json!({ "value": "2", "name": "Hours" }));
    assert_eq!(created["HourlyRate"].to_string(), "75");
    assert_eq!(app.get("timeactivity/1").await.body["TimeActivity"], created);
}

#[tokio::test]
async fn each_broken_rule_has_its_code() {
    let app = TestSandbox::connected().await;
    let cases: Vec<(&str, Value, &str)> = vec![
        ("NameOf is required", json!({ "NameOf": null }), "2020"),
        ("NameOf Other is for answers", json!({ "NameOf": "Other" }), "2170"),
        ("NameOf is an enumeration", json!({ "NameOf": "Robot" }), "2170"),
        ("EmployeeRef goes with Employee", json!({ "EmployeeRef": null }), "2020"),
        ("VendorRef goes with Vendor", json!({ "NameOf": "Vendor" }), "2020"),
        ("nobody has the id", json!({ "EmployeeRef": { "value": "9999" } }), "2500"),
        ("inactive employee", json!({ "EmployeeRef": { "value": "82" } }), "610"),
        ("unknown customer", json!({ "CustomerRef": { "value": "9999" } }), "2500"),
        ("a customer's id, not an employee's", json!({ "CustomerRef": { "value": "55" } }), "2500"),
        ("inactive customer", json!({ "CustomerRef": { "value": "9" } }), "610"),
        ("unknown item", json!({ "ItemRef": { "value": "9999" } }), "2500"),
        ("inactive item", json!({ "ItemRef": { "value": "14" } }), "2500"),
        ("item that is no service", json!({ "ItemRef": { "value": "13" } }), "6000"),
        ("category as item", json!({ "ItemRef": { "value": "10" } }), "6000"),
        ("inactive class", json!({ "ClassRef": { "value": "5000000000000123406" } }), "2500"),
        ("department without tracking", json!({ "DepartmentRef": { "value": "1" } }), "5030"),
        ("project that is none", json!({ "ProjectRef": { "value": "21" } }), "2500"),
        (
            "billable without customer",
            json!({ "BillableStatus": "Billable", "HourlyRate": 1 }),
            "6000",
        ),
        (
            "billable without rate",
            json!({ "BillableStatus": "Billable", "CustomerRef": { "value": "21" } }),
            "6000",
        ),
        ("HasBeenBilled cannot be set", json!({ "BillableStatus": "HasBeenBilled" }), "6000"),
        ("bad billable status", json!({ "BillableStatus": "HAS_BEEN_BILLED" }), "2170"),
        ("negative rate", json!({ "HourlyRate": -1 }), "2240"),
        ("sixty minutes", json!({ "Minutes": 60 }), "2240"),
        ("negative hours", json!({ "Hours": -1 }), "2240"),
        ("8761 hours", json!({ "Hours": 8761 }), "2240"),
        ("half an hour in Hours", json!({ "Hours": 7.5 }), "2010"),
        ("no duration", json!({ "Hours": null, "Minutes": null }), "2020"),
        ("start without end", json!({ "StartTime": "08:00:00" }), "2020"),
        ("break without start", json!({ "BreakMinutes": 30 }), "6000"),
        ("a date that is none", json!({ "TxnDate": "2026-02-30" }), "2010"),
        ("a date with a time", json!({ "TxnDate": "18.11.2026" }), "2010"),
        ("long description", json!({ "Description": "é".repeat(4001) }), "2050"),
        ("a reference that is none", json!({ "EmployeeRef": "55" }), "2010"),
    ];
    for (rule, changes, code) in cases {
        let answer = app.post("timeactivity", &activity(changes)).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (400, code), "{rule}: {}", answer.text);
    }
    assert!(app.stored("TimeActivity").await.is_empty());
    app.activity(json!({ "Description": "é".repeat(4000), "Hours": 8760, "Minutes": 59 })).await;
}

#[tokio::test]
async fn a_wrong_employee_ref_becomes_other_in_silence() {
    let app = TestSandbox::connected().await;
    for id in ["21", "41"] {
        let created = app.activity(json!({ "EmployeeRef": { "value": id } })).await;
        assert_eq!(created["NameOf"], "Other");
        assert_eq!(created["OtherNameRef"]["value"], id);
        assert!(created.get("EmployeeRef").is_none());
    }
}

#[tokio::test]
async fn a_vendor_works_too() {
    let app = TestSandbox::connected().await;
    let vendor = json!({ "NameOf": "Vendor", "EmployeeRef": null, "VendorRef": { "value": "42" } });
    let created = app.activity(vendor).await;
    assert_eq!(created["VendorRef"]["name"], "Peak Staffing, LLC");
}

#[tokio::test]
async fn dates_in_start_and_end_are_ignored_and_the_offset_becomes_the_companys() {
    let app = TestSandbox::connected().await;
    app.admin_post("/clock/set", json!({ "now": "2026-11-20T18:00:00Z" })).await;
    let app = app.sandbox.connect(A).await;
    let created = app
        .activity(json!({
            "TxnDate": null, "Hours": null, "Minutes": null,
            "StartTime": "2015-07-05T08:00:00-08:00",
            "EndTime": "2015-07-05T16:30:00-08:00",
            "BreakMinutes": 30,
        }))
        .await;
    assert_eq!(created["TxnDate"], "2026-11-20");
    assert_eq!(created["StartTime"], "09:00:00-07:00");
    assert_eq!(created["EndTime"], "17:30:00-07:00");
    let own = app
        .activity(json!({
            "Hours": null, "Minutes": null, "HoursInEmployeeTimeZone": true,
            "StartTime": "08:00:00-08:00", "EndTime": "16:00:00-08:00",
        }))
        .await;
    assert_eq!(own["StartTime"], "08:00:00-08:00");
    let bare = app
        .activity(json!({
            "Hours": null, "Minutes": null, "StartTime": "08:00", "EndTime": "16:00",
        }))
        .await;
    assert_eq!(bare["EndTime"], "16:00:00-07:00");
}

#[tokio::test]
async fn a_missing_date_is_the_companys_day() {
    let app = TestSandbox::connected().await;
    // 05:30 UTC on the 19th is the evening of the 18th in Denver.
    app.admin_post("/clock/set", json!({ "now": "2026-11-19T05:30:00Z" })).await;
    let app = app.sandbox.connect(A).await;
    assert_eq!(app.activity(json!({ "TxnDate": null })).await["TxnDate"], "2026-11-18");
}

#[tokio::test]
async fn a_class_needs_class_tracking() {
    let app = TestSandbox::connected().await;
    let class = json!({ "ClassRef": { "value": "5000000000000123402" } });
    assert_eq!(app.activity(class.clone()).await["ClassRef"]["name"], "Field:North Crew");
    app.admin_post(&format!("/companies/{A}"), json!({ "classTracking": false })).await;
    assert_eq!(app.post("timeactivity", &activity(class)).await.code(), "5030");
}

#[tokio::test]
async fn without_time_tracking_nothing_is_taken() {
    let app = TestSandbox::connected().await;
    app.admin_post(&format!("/companies/{A}"), json!({ "timeTracking": false })).await;
    assert_eq!(app.post("timeactivity", &activity(json!({}))).await.code(), "5030");
}

#[tokio::test]
async fn a_closed_period_refuses_create_update_and_delete() {
    let app = TestSandbox::connected().await;
    let created = app.activity(json!({})).await;
    app.admin_post(&format!("/companies/{A}"), json!({ "bookCloseDate": "2026-11-18" })).await;
    assert_eq!(app.post("timeactivity", &activity(json!({}))).await.code(), "6210");
    let moved = json!({
        "Id": created["Id"], "SyncToken": "0", "sparse": true, "TxnDate": "2026-11-19",
    });
    assert_eq!(app.post("timeactivity", &moved).await.code(), "6210");
    let delete = json!({ "Id": created["Id"], "SyncToken": "0" });
    assert_eq!(app.post("timeactivity?operation=delete", &delete).await.code(), "6210");
    app.activity(json!({ "TxnDate": "2026-11-19" })).await;
}

#[tokio::test]
async fn an_invoiced_activity_cannot_be_changed() {
    let app = TestSandbox::connected().await;
    let created = app.activity(json!({})).await;
    let billed = json!({ "Id": created["Id"], "BillableStatus": "HasBeenBilled" });
    app.admin_post(&format!("/companies/{A}/TimeActivity"), billed).await;
    let change = json!({ "Id": created["Id"], "SyncToken": "1", "sparse": true, "Hours": 1 });
    assert_eq!(app.post("timeactivity", &change).await.code(), "6000");
    assert_eq!(app.post("timeactivity?operation=delete", &change).await.code(), "6000");
}

#[tokio::test]
async fn a_full_update_nulls_what_it_leaves_out_and_a_sparse_one_does_not() {
    let app = TestSandbox::connected().await;
    let extras = json!({ "CustomerRef": { "value": "21" }, "Description": "text" });
    let created = app.activity(extras).await;
    let sparse = json!({ "Id": created["Id"], "SyncToken": "0", "sparse": true, "Hours": 5 });
    let answer = app.post("timeactivity", &sparse).await.ok();
    let changed = &answer.body["TimeActivity"];
    assert_eq!((&changed["Hours"], &changed["Minutes"]), (&json!(5), &json!(30)));
    assert_eq!((&changed["Description"], &changed["SyncToken"]), (&json!("text"), &json!("1")));
    assert_eq!(changed["MetaData"]["CreateTime"], created["MetaData"]["CreateTime"]);

    let full = activity(json!({ "Id": created["Id"], "SyncToken": "1", "Hours": 6 }));
    let answer = app.post("timeactivity", &full).await.ok();
    let changed = &answer.body["TimeActivity"];
    assert!(changed.get("CustomerRef").is_none() && changed.get("Description").is_none());
    assert_eq!(changed["SyncToken"], "2");

    let sparse = json!({ "Id": created["Id"], "SyncToken": "2", "sparse": true,
        "StartTime": "08:00:00-07:00", "EndTime": "10:00:00-07:00" });
    let answer = app.post("timeactivity", &sparse).await.ok();
    assert!(answer.body["TimeActivity"].get("Hours").is_none());
}

#[tokio::test]
async fn an_old_sync_token_is_5010_and_a_missing_one_2020() {
    let app = TestSandbox::connected().await;
    let created = app.activity(json!({})).await;
    let update = |token: Value| {
        let body = json!({ "Id": created["Id"], "SyncToken": token, "sparse": true, "Hours": 1 });
        let app = &app;
        async move { app.post("timeactivity", &body).await }
    };
    update(json!("0")).await.ok();
    for stale in [json!("0"), json!("7"), json!("x")] {
        let answer = update(stale).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (400, "5010"));
    }
    assert_eq!(update(Value::Null).await.code(), "2020");
    let old = json!({ "Id": created["Id"], "SyncToken": "0" });
    assert_eq!(app.post("timeactivity?operation=delete", &old).await.code(), "5010");
}

#[tokio::test]
async fn a_deleted_activity_is_gone() {
    let app = TestSandbox::connected().await;
    let created = app.activity(json!({})).await;
    let delete = json!({ "Id": created["Id"], "SyncToken": "0" });
    let answer = app.post("timeactivity?operation=delete", &delete).await.ok();
    assert_eq!(
        answer.body["TimeActivity"],
        json!({ "status": "Deleted", "domain": "QBO", "Id": created["Id"] })
    );
    assert_eq!(app.get("timeactivity/1").await.code(), "610");
    assert_eq!(app.post("timeactivity?operation=delete", &delete).await.code(), "610");
    // Its id is not given again.
    assert_eq!(app.activity(json!({})).await["Id"], "2");
}
