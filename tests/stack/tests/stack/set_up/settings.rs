//! `GET` and `PUT /settings`.

use std::time::Duration;

use serde_json::{Value, json};
use stack_tests::stack::Stack;
use stack_tests::stack::api::Caller;
use stack_tests::stack::cards::Card;
use stack_tests::stack::company::Company;
use stack_tests::stack::stored::text;
use tokio::task::JoinSet;

use super::{just_now, read, save};
use crate::outside::{names, problem};

const SOON: Duration = Duration::from_secs(45);

async fn put(stack: &Stack, company: &Company, body: Value) -> stack_tests::stack::api::Answer {
    save(stack, &company.admin, "settings", company, &body).await
}

#[tokio::test]
async fn a_company_begins_with_live_sync_off_and_everything_else_as_documented() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    let expected = json!({
        "companyId": company.id,
        "liveSync": false,
        "catchUpMinutes": 15,
        "recipients": [],
        "alerts": { "reconnectRequired": true, "hardExpiry": true },
        "automaticRefresh": true,
        "version": 0,
        "updatedBy": null,
        "updatedAt": null,
    });
    assert_eq!(read(&stack, "settings", &company).await, expected);
}

#[tokio::test]
async fn each_saving_is_a_version_with_who_and_when_and_what_is_not_named_stays() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    let second_admin = Caller::Companies(format!("{0}:admin other:viewer", company.id));
    let first = put(
        &stack,
        &company,
        json!({
            "timeZone": "America/Denver", "syncFrom": "2026-10-26", "catchUpMinutes": 30,
            "recipients": ["office@rockyridge.example", "Office@RockyRidge.example"],
            "automaticRefresh": false,
        }),
    )
    .await
    .ok();
    assert_eq!(first["version"], 1);
    assert_eq!(first["updatedBy"], format!("user of {}:admin", company.id));
    assert!(just_now(stack.sandbox().now().await, &first["updatedAt"]), "{first}");
    assert_eq!(first["recipients"], json!(["office@rockyridge.example"]), "one address, once");

    let change = json!({ "syncFrom": null, "catchUpMinutes": 5 });
    let second = save(&stack, &second_admin, "settings", &company, &change).await.ok();
    assert_eq!(second, read(&stack, "settings", &company).await);
    assert_eq!(second["version"], 2);
    assert_eq!(second["updatedBy"], format!("user of {0}:admin other:viewer", company.id));
    assert_eq!(second.get("syncFrom"), None);
    assert_eq!(second["catchUpMinutes"], 5);
    for kept in ["timeZone", "recipients", "automaticRefresh", "liveSync"] {
        assert_eq!(second[kept], first[kept], "{kept}");
    }

    // Both versions are kept, and both savings are in the audit trail.
    let versions = stack.stored("Settings", &company.id, "version#").await;
    let versions: Vec<(u64, &str)> = versions
        .iter()
        .map(|row| (row["version"].as_u64().unwrap(), text(row, "updatedBy")))
        .collect();
    assert_eq!(versions.len(), 2);
    assert_eq!((versions[0].0, versions[1].0), (1, 2));
    assert_ne!(versions[0].1, versions[1].1);
    let audited = stack.stored("AuditLog", &company.id, "1").await;
    let savings: Vec<_> =
        audited.iter().filter(|row| text(row, "action") == "save-settings").collect();
    assert_eq!(savings.len(), 2, "{audited:?}");
    assert_eq!(text(savings[1], "actor"), text(&second, "updatedBy"));
}

#[tokio::test]
async fn what_was_read_can_be_saved_as_it_is() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    let all = json!({
        "timeZone": "Europe/Berlin", "syncFrom": "2026-11-01", "liveSync": true,
        "recipients": ["a@b.example"],
    });
    put(&stack, &company, all).await.ok();
    let before = read(&stack, "settings", &company).await;
    let after = put(&stack, &company, before.clone()).await.ok();
    assert_eq!(after["version"], 2);
    for field in ["timeZone", "syncFrom", "liveSync", "recipients", "catchUpMinutes"] {
        assert_eq!(after[field], before[field], "{field}");
    }
}

#[tokio::test]
async fn a_saving_on_top_of_an_old_version_is_a_conflict_and_changes_nothing() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    put(&stack, &company, json!({ "version": 0, "catchUpMinutes": 10 })).await.ok();
    for stale in [0, 2, 99] {
        let change = json!({ "version": stale, "catchUpMinutes": 60 });
        problem(&put(&stack, &company, change).await, 409, "changed-meanwhile");
    }
    let now = read(&stack, "settings", &company).await;
    assert_eq!((&now["version"], &now["catchUpMinutes"]), (&json!(1), &json!(10)));
    put(&stack, &company, json!({ "version": 1, "catchUpMinutes": 60 })).await.ok();
}

#[tokio::test]
async fn of_several_savings_at_once_on_one_version_one_wins() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    let mut savings = JoinSet::new();
    for minutes in 0..4 {
        let (stack, company) = (stack.clone(), company.clone());
        savings.spawn(async move {
            put(&stack, &company, json!({ "version": 0, "catchUpMinutes": 20 + minutes })).await
        });
    }
    let answers = savings.join_all().await;
    let won: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(won.len(), 1);
    for lost in answers.iter().filter(|answer| answer.status != 200) {
        problem(lost, 409, "changed-meanwhile");
    }
    let now = read(&stack, "settings", &company).await;
    assert_eq!(now["version"], 1);
    assert_eq!(now["catchUpMinutes"], won[0].json()["catchUpMinutes"]);
}

#[tokio::test]
async fn live_sync_needs_a_time_zone_and_a_first_day() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    let document =
        problem(&put(&stack, &company, json!({ "liveSync": true })).await, 422, "invalid-request");
    names(&document, "timeZone", "missing");
    names(&document, "syncFrom", "missing");
    let zone = json!({ "liveSync": true, "timeZone": "America/Denver" });
    names(
        &problem(&put(&stack, &company, zone).await, 422, "invalid-request"),
        "syncFrom",
        "missing",
    );
    let both = json!({ "liveSync": true, "timeZone": "America/Denver", "syncFrom": "2026-10-26" });
    assert_eq!(put(&stack, &company, both).await.ok()["liveSync"], true);
    // Nor can they be taken away while it is on.
    for field in ["timeZone", "syncFrom"] {
        let mut change = json!({});
        change[field] = Value::Null;
        let document = problem(&put(&stack, &company, change).await, 422, "invalid-request");
        names(&document, field, "missing");
    }
    assert_eq!(read(&stack, "settings", &company).await["version"], 1);
}

#[tokio::test]
async fn each_wrong_setting_is_named_with_its_fix_and_nothing_is_saved() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    let many: Vec<String> = (0..21).map(|number| format!("a{number}@b.example")).collect();
    let injected = "a@b.example\r\nBcc: all@b.example";
    for (change, field, code) in [
        (json!({ "liveSync": "yes" }), "liveSync", "wrong-type"),
        (json!({ "liveSync": null }), "liveSync", "wrong-type"),
        (json!({ "automaticRefresh": 1 }), "automaticRefresh", "wrong-type"),
        (json!({ "catchUpMinutes": 4 }), "catchUpMinutes", "out-of-range"),
        (json!({ "catchUpMinutes": 1441 }), "catchUpMinutes", "out-of-range"),
        (json!({ "catchUpMinutes": -15 }), "catchUpMinutes", "out-of-range"),
        (json!({ "catchUpMinutes": 7.5 }), "catchUpMinutes", "not-a-whole-number"),
        (json!({ "catchUpMinutes": null }), "catchUpMinutes", "wrong-type"),
        (json!({ "timeZone": "Mars/Olympus" }), "timeZone", "unknown-zone"),
        (json!({ "timeZone": "america/denver" }), "timeZone", "unknown-zone"),
        (json!({ "syncFrom": "2026-02-30" }), "syncFrom", "not-a-date"),
        (json!({ "syncFrom": "20261026" }), "syncFrom", "not-a-date"),
        (json!({ "syncFrom": "2026-10-26T00:00:00Z" }), "syncFrom", "not-a-date"),
        (json!({ "recipients": "a@b.example" }), "recipients", "wrong-type"),
        (json!({ "recipients": ["a@b.example", "nobody"] }), "recipients[1]", "not-an-address"),
        (json!({ "recipients": [injected] }), "recipients[0]", "not-an-address"),
        (json!({ "recipients": ["A <a@b.example>"] }), "recipients[0]", "not-an-address"),
        (json!({ "alerts": { "breakerOpen": true } }), "alerts.breakerOpen", "unknown-field"),
        (json!({ "alerts": { "hardExpiry": "no" } }), "alerts.hardExpiry", "wrong-type"),
        (json!({ "recipients": many }), "recipients", "too-many"),
        (json!({ "livesync": true }), "livesync", "unknown-field"),
    ] {
        let mut change = change;
        // Beside a good one: all or nothing.
        if field != "automaticRefresh" {
            change["automaticRefresh"] = false.into();
        }
        let document = problem(&put(&stack, &company, change).await, 422, "invalid-request");
        names(&document, field, code);
    }
    let now = read(&stack, "settings", &company).await;
    assert_eq!((&now["version"], &now["automaticRefresh"]), (&json!(0), &json!(true)));
}

#[tokio::test]
async fn the_time_zone_comes_from_quickbooks_unless_the_company_has_chosen_one() {
    let (stack, _shared) = Stack::shared().await;
    let (open, chosen) = (stack.company("empty").await, stack.company("empty").await);
    for company in [&open, &chosen] {
        let path = format!("/companies/{}", company.realm);
        stack.sandbox().post(&path, &json!({ "timeZone": "Australia/Adelaide" })).await;
    }
    put(&stack, &chosen, json!({ "timeZone": "America/Denver" })).await.ok();
    stack.connect(&open).await;
    stack.connect(&chosen).await;
    let settings = read(&stack, "settings", &open).await;
    assert_eq!(settings["timeZone"], "Australia/Adelaide");
    assert_eq!((&settings["version"], &settings["updatedBy"]), (&json!(1), &json!("QuickBooks")));
    assert_eq!(settings["liveSync"], false);
    let settings = read(&stack, "settings", &chosen).await;
    assert_eq!(
        (&settings["timeZone"], &settings["version"]),
        (&json!("America/Denver"), &json!(1))
    );
}

#[tokio::test]
async fn live_sync_off_keeps_work_pending_and_on_sends_it() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.crew().await;
    put(&stack, &company, json!({ "liveSync": false })).await.ok();
    stack.idle(&[&company]).await;
    let cards = Card::several("off", 3);
    stack.deliver(&company, &cards).await;
    // Reading goes on while writing waits, and an asked-for push is refused with the reason.
    let import = json!({ "entities": ["employees"], "direction": "in" });
    assert_eq!(stack.job(&company, &import, SOON).await["status"], "completed");
    let push = json!({ "companyId": company.id, "timecardIds": [cards[0].id] });
    problem(&stack.post(&company.admin, "/sync-now", &push).await, 409, "live-sync-off");
    stack.idle(&[&company]).await;
    let records = stack.records(&company).await;
    assert_eq!(records.len(), 3);
    assert!(records.values().all(|record| record.status == "pending"), "{records:?}");
    assert_eq!(stack.timecard_work(&company).await.len(), 3);
    assert!(stack.activities(&company).await.is_empty());

    put(&stack, &company, json!({ "liveSync": true })).await.ok();
    stack.all_synced(&company, &cards, SOON).await;
    stack.exactly_once(&company, &cards).await;
}
