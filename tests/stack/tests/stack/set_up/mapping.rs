//! `GET` and `PUT /mapping`.

use serde_json::{Value, json};
use stack_tests::stack::Stack;
use stack_tests::stack::api::{Answer, Caller};
use stack_tests::stack::company::Company;
use stack_tests::stack::stored::text;
use tokio::task::JoinSet;

use super::{just_now, read, save};
use crate::outside::{names, problem};

async fn put(stack: &Stack, company: &Company, mapping: Value) -> Answer {
    save(stack, &company.admin, "mapping", company, &json!({ "mapping": mapping })).await
}

#[tokio::test]
async fn a_company_begins_with_an_empty_mapping_that_writes_durations() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    let expected = json!({
        "companyId": company.id,
        "profile": "default",
        "employeeMapping": [],
        "customerMapping": [],
        "costCodeMapping": [],
        "costCodeTarget": "serviceItem",
        "timeFormat": "duration",
        "marker": true,
        "version": 0,
    });
    assert_eq!(read(&stack, "mapping", &company).await, expected);
}

#[tokio::test]
async fn a_mapping_is_read_as_it_was_saved_each_version_with_who_and_when() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events/demo/mapping.json");
    let demo: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let demo = demo["mapping"].clone();
    let saved = put(&stack, &company, demo.clone()).await.ok();
    assert_eq!(saved, json!({ "success": true, "version": 1 }));
    let first = read(&stack, "mapping", &company).await;
    for (field, value) in demo.as_object().unwrap() {
        assert_eq!(&first[field], value, "{field}");
    }
    assert_eq!(first["version"], 1);
    assert_eq!(first["updatedBy"], format!("user of {}:admin", company.id));
    assert!(just_now(stack.sandbox().now().await, &first["updatedAt"]), "{first}");

    // Read, changed, saved again: by another admin, in another form of writing.
    let mut second = first.clone();
    second["profile"] = "Überstunden".into();
    second["timeFormat"] = "startEnd".into();
    second["marker"] = false.into();
    let other = Caller::Companies(format!("{0}:admin other:viewer", company.id));
    let body = json!({ "mapping": second });
    let saved = save(&stack, &other, "mapping", &company, &body).await.ok();
    assert_eq!(saved["version"], 2);
    let now = read(&stack, "mapping", &company).await;
    for field in ["profile", "timeFormat", "marker", "employeeMapping"] {
        assert_eq!(now[field], second[field], "{field}");
    }
    assert_ne!(now["updatedBy"], first["updatedBy"]);
    let versions = stack.stored("Mappings", &company.id, "version#").await;
    assert_eq!(versions.len(), 2);
    let kept: Value = serde_json::from_str(text(&versions[0], "body")).unwrap();
    assert_eq!(kept["timeFormat"], first["timeFormat"]);
    let audited = stack.stored("AuditLog", &company.id, "1").await;
    assert_eq!(audited.iter().filter(|row| text(row, "action") == "save-mapping").count(), 2);
}

#[tokio::test]
async fn a_mapping_on_top_of_an_old_version_is_a_conflict_and_changes_nothing() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    let row = json!([{ "crewflowWorkerId": "w-1", "qboEmployeeId": "55" }]);
    put(&stack, &company, json!({ "version": 0, "employeeMapping": row })).await.ok();
    for stale in [0, 2] {
        let stale = json!({ "version": stale, "employeeMapping": [] });
        problem(&put(&stack, &company, stale).await, 409, "changed-meanwhile");
    }
    let now = read(&stack, "mapping", &company).await;
    assert_eq!((&now["version"], &now["employeeMapping"]), (&json!(1), &row));

    let mut savings = JoinSet::new();
    for worker in 0..4 {
        let (stack, company) = (stack.clone(), company.clone());
        savings.spawn(async move {
            let row = json!({ "crewflowWorkerId": format!("w-{worker}"), "qboEmployeeId": "55" });
            put(&stack, &company, json!({ "version": 1, "employeeMapping": [row] })).await
        });
    }
    let answers = savings.join_all().await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    for lost in answers.iter().filter(|answer| answer.status != 200) {
        problem(lost, 409, "changed-meanwhile");
    }
    assert_eq!(read(&stack, "mapping", &company).await["version"], 2);
}

#[tokio::test]
async fn each_wrong_row_is_named_by_its_place_and_nothing_is_saved() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    let employee =
        |worker: &str, id: &str| json!({ "crewflowWorkerId": worker, "qboEmployeeId": id });
    let customer =
        |project: &str, id: &str| json!({ "crewflowProjectId": project, "qboCustomerId": id });
    let code = |code: &str| json!({ "crewflowCostCodeId": code, "qboServiceItemId": "3" });
    for (mapping, field, problem_code) in [
        (
            json!({ "employeeMapping": [employee("w-1", "55"), employee("w-2", "55"), employee("w-1", "56")] }),
            "employeeMapping[2].crewflowWorkerId",
            "duplicate",
        ),
        (
            json!({ "customerMapping": [customer("p", "1"), customer("p", "1")] }),
            "customerMapping[1].crewflowProjectId",
            "duplicate",
        ),
        (
            json!({ "costCodeMapping": [code("a"), code("a")] }),
            "costCodeMapping[1].crewflowCostCodeId",
            "duplicate",
        ),
        (
            json!({ "employeeMapping": [employee("w-1", "55"), { "crewflowWorkerId": "w-2" }] }),
            "employeeMapping[1].qboEmployeeId",
            "missing",
        ),
        (
            json!({ "employeeMapping": [{ "qboEmployeeId": "55" }] }),
            "employeeMapping[0].crewflowWorkerId",
            "missing",
        ),
        (
            json!({ "employeeMapping": [employee("w-1", "5' OR '1'='1")] }),
            "employeeMapping[0].qboEmployeeId",
            "invalid-id",
        ),
        (json!({ "employeeMapping": ["w-1"] }), "employeeMapping[0]", "wrong-type"),
        (json!({ "employeeMapping": { "w-1": "55" } }), "employeeMapping", "wrong-type"),
        (
            json!({ "costCodeTarget": "class", "costCodeMapping": [code("a")] }),
            "costCodeMapping[0].qboClassId",
            "missing",
        ),
        (json!({ "costCodeTarget": "account" }), "costCodeTarget", "unknown-choice"),
        (json!({ "timeFormat": "startend" }), "timeFormat", "unknown-choice"),
        (json!({ "marker": "yes" }), "marker", "wrong-type"),
        (json!({ "profile": " " }), "profile", "invalid-name"),
        (json!({ "employeMapping": [] }), "employeMapping", "unknown-field"),
        (json!([]), "mapping", "wrong-type"),
    ] {
        let answer = put(&stack, &company, mapping).await;
        names(&problem(&answer, 422, "invalid-request"), field, problem_code);
    }
    let none = save(&stack, &company.admin, "mapping", &company, &json!({})).await;
    names(&problem(&none, 422, "invalid-request"), "mapping", "missing");
    assert_eq!(read(&stack, "mapping", &company).await["version"], 0);
}

#[tokio::test]
async fn a_mapping_of_thousands_is_saved_and_one_that_cannot_be_stored_is_refused() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    let rows = |count: usize| {
        let rows: Vec<Value> = (0..count)
            .map(|n| json!({ "crewflowWorkerId": format!("worker-{n}"), "qboEmployeeId": n.to_string() }))
            .collect();
        json!({ "employeeMapping": rows })
    };
    put(&stack, &company, rows(5_000)).await.ok();
    let now = read(&stack, "mapping", &company).await;
    assert_eq!(now["employeeMapping"].as_array().map(Vec::len), Some(5_000));
    let document = problem(&put(&stack, &company, rows(10_000)).await, 413, "mapping-too-large");
    assert!(text(&document, "detail").contains("Remove"), "{document}");
    assert_eq!(read(&stack, "mapping", &company).await["version"], 1);
}
