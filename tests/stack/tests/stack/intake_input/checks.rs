//! What is checked before QuickBooks is called: a card that cannot be right there fails with the field
//! and the fix, and is never sent (S1).

use std::time::Duration;

use serde_json::{Value, json};
use stack_tests::stack::api::Caller;
use stack_tests::stack::cards::{Card, settings};
use stack_tests::stack::stored::text;
use stack_tests::stack::{Stack, eventually};

use super::{card, changed};
use crate::outside::names;

const SOON: Duration = Duration::from_secs(45);

#[tokio::test]
async fn what_quickbooks_would_refuse_or_file_wrongly_fails_before_it_is_called() {
    let (stack, _shared) = Stack::shared().await;
    stack.listen().await;
    let company = stack.crew().await;
    // What is wrong, and the field, the code and the words by which an office manager learns of it.
    let wrong: Vec<(Value, &str, &str, &str)> = vec![
        (json!({ "workerId": "w-99" }), "workerId", "not-mapped", "Open Mapping"),
        (json!({ "workerId": "w-28" }), "workerId", "inactive", "active in QuickBooks"),
        (json!({ "projectId": "p-99" }), "projectId", "not-mapped", "Open Mapping"),
        (json!({ "projectId": "p-9" }), "projectId", "inactive", "active in QuickBooks"),
        (json!({ "costCodeId": "c-1" }), "costCodeId", "not-mapped", "Open Mapping"),
        (json!({ "billable": true }), "rate", "missing-rate", "rate"),
        (json!({ "notes": "x".repeat(4000) }), "notes", "too-long", "Shorten"),
    ];
    let bad = |number: usize, change: &Value| {
        changed(&card(&company.id, &format!("bad-{number}")), change)
    };
    let rows: Vec<Value> =
        wrong.iter().enumerate().map(|(number, (change, ..))| bad(number, change)).collect();
    stack.post(&Caller::service(), "/timecards", &json!({ "timecards": rows })).await.ok();
    let good = [Card::new("good", 1)];
    stack.deliver(&company, &good).await;

    for (number, (change, field, code, words)) in wrong.iter().enumerate() {
        let id = format!("bad-{number}");
        let failed = eventually(&format!("timecard.failed of {change}"), SOON, async || {
            let events = stack.events(&company.id).await;
            events.into_iter().find(|event| {
                event["detail-type"] == "timecard.failed" && event["detail"]["timecardId"] == *id
            })
        })
        .await;
        let error = names(&failed["detail"], field, code);
        assert!(text(&error, "fix").contains(words), "{error}");
        // The sender is told the same when it asks by sending again.
        let again = stack.post(&Caller::service(), "/timecards", &bad(number, change)).await.ok();
        let row = &again["results"][0];
        assert_eq!((&row["duplicate"], &row["status"]), (&json!(true), &json!("failed")));
    }
    stack.all_synced(&company, &good, SOON).await;
    let sent = stack.post(&Caller::service(), "/timecards", &good[0].json(&company)).await.ok();
    assert_eq!(sent["results"][0]["status"], "synced");
    let calls = stack.sandbox().counters(&company.realm).await;
    assert_eq!(calls["rest"]["TimeActivity"], json!({ "create": 1 }), "only the good one");
}

#[tokio::test]
async fn the_zone_of_the_card_counts_before_the_company_s() {
    let (stack, _shared) = Stack::shared().await;
    let mut settings = settings();
    settings["timeZone"] = "America/New_York".into();
    let mapping = stack_tests::stack::cards::mapping();
    let company = stack.live_company("demo", &mapping, &settings).await;
    // 23:30 in Honolulu, which is the next day already in New York.
    let times = json!({
        "clockIn": "2026-11-10T23:30:00-10:00", "clockOut": "2026-11-11T05:30:00-10:00",
        "breakMinutes": 0,
    });
    let own = changed(
        &changed(&card(&company.id, "own"), &times),
        &json!({ "timeZone": "Pacific/Honolulu" }),
    );
    let company_s = changed(&card(&company.id, "company"), &times);
    let rows = json!({ "timecards": [own, company_s] });
    stack.post(&Caller::service(), "/timecards", &rows).await.ok();
    let records = eventually("both to be synced", SOON, async || {
        let records = stack.records(&company).await;
        records.values().all(|record| record.status == "synced").then_some(records)
    })
    .await;
    let activities = stack.activities(&company).await;
    for (id, day) in [("own", "2026-11-10"), ("company", "2026-11-11")] {
        let (quickbooks_id, _) = records[id].quick_books.clone().unwrap();
        let activity = activities.iter().find(|activity| text(activity, "Id") == quickbooks_id);
        let activity = activity.unwrap();
        assert_eq!(text(activity, "TxnDate"), day, "{activity}");
        assert_eq!((&activity["Hours"], &activity["Minutes"]), (&json!(6), &json!(0)));
    }
}
