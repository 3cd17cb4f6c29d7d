//! What waits, and what makes it go on: live sync, the ladder, mappings, `syncFrom`, names.

use std::time::Duration;

use serde_json::{Value, json};
use stack_tests::stack::cards::{Card, mapping, settings};
use stack_tests::stack::company::Company;
use stack_tests::stack::stored::text;
use stack_tests::stack::{Stack, eventually};

use super::{SOON, always, becomes, creates, ring, set};

/// Time for what is rung for at once: a slow read, and a few cards. The sweep comes once a minute.
const WITHOUT_A_SWEEP: Duration = Duration::from_secs(20);

#[tokio::test]
async fn while_live_sync_is_off_timecards_wait_and_reading_goes_on() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.crew().await;
    set(&stack, &company, &json!({ "liveSync": false })).await;
    let cards = Card::several("t", 3);
    stack.deliver(&company, &cards).await;
    let body = json!({ "companyId": company.id, "timecardIds": ["t-0"] });
    let refused = stack.post(&company.admin, "/sync-now", &body).await;
    assert_eq!((refused.status, refused.code().as_deref()), (409, Some("live-sync-off")));
    ring(&stack, &company).await;
    let import = json!({ "entities": ["employees"], "direction": "in" });
    assert_eq!(stack.job(&company, &import, SOON).await["status"], "completed");
    assert_eq!(creates(&stack, &company).await, 0);
    assert!(stack.records(&company).await.values().all(|record| record.status == "pending"));
    set(&stack, &company, &json!({ "liveSync": true })).await;
    stack.all_synced(&company, &cards, SOON).await;
    stack.exactly_once(&company, &cards).await;
}

/// The worker that reads took its orders before the switch. The sweep, which runs each minute, would find
/// the timecards in the end.
#[tokio::test]
async fn a_switch_of_live_sync_during_a_slice_does_not_wait_for_the_sweep() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.crew().await;
    set(&stack, &company, &json!({ "liveSync": false })).await;
    let cards = Card::several("t", 3);
    stack.deliver(&company, &cards).await;
    let slow = json!({ "path": "/query", "realm": company.realm, "times": 1, "delayMs": 6000 });
    stack.sandbox().fault(&slow).await;
    let import = json!({
        "companyId": company.id, "entities": ["employees"], "direction": "in",
    });
    stack.post(&company.admin, "/sync-now", &import).await.ok();
    eventually("a slice that reads", SOON, async || {
        let row = stack.company_row(&company).await;
        (row["leaseUntil"].as_i64().unwrap_or_default() > 0).then_some(())
    })
    .await;
    set(&stack, &company, &json!({ "liveSync": true })).await;
    assert_eq!(creates(&stack, &company).await, 0, "the slice still reads");
    stack.all_synced(&company, &cards, WITHOUT_A_SWEEP).await;
    stack.exactly_once(&company, &cards).await;
}

/// One that QuickBooks does not answer about, and one that it turns away for now.
#[tokio::test]
async fn retries_climb_the_ladder_and_a_person_revives_what_fell_off() {
    let (stack, _alone) = Stack::alone().await;
    let companies = stack.crews(2).await;
    let all: Vec<&Company> = companies.iter().collect();
    let (unknown, unusable) = (all[0], all[1]);
    stack.let_others_rest(&all).await;
    let card = Card::new("t-1", 1);
    // The first of them is stored all the same, unheard of.
    let stored = json!({
        "realm": unknown.realm, "path": "/timeactivity", "status": 500, "commit": true,
    });
    stack.sandbox().fault(&stored).await;
    always(&stack, unknown, &json!({ "status": 500 })).await;
    always(&stack, unusable, &json!({ "status": 400, "faultCode": "6190" })).await;
    for company in &all {
        stack.deliver(company, std::slice::from_ref(&card)).await;
    }
    // Seconds. A send of which nothing is known may commit for 150 s.
    for (retry, (after_unknown, after_refusal)) in
        [(150, 60), (300, 300), (900, 900), (3600, 3600), (14_400, 14_400)].into_iter().enumerate()
    {
        let attempt = u64::try_from(retry).unwrap() + 1;
        for (company, step) in [(unknown, after_unknown), (unusable, after_refusal)] {
            eventually("an attempt", SOON, async || {
                (creates(&stack, company).await == attempt).then_some(())
            })
            .await;
            stack.idle(&[company]).await;
            let due = stack.company_row(company).await["nextDue"].as_i64().expect("a retry");
            let wait = (due - stack.sandbox().now().await.as_millisecond()) / 1000;
            let allowed = step - 15..=step + step / 10;
            assert!(allowed.contains(&wait), "retry {attempt}: in {wait} s, not {step} s");
        }
        for company in &all {
            let due = stack.company_row(company).await["nextDue"].as_i64().expect("a retry");
            stack.clock_reaches(due).await;
        }
        stack.sweep().await;
    }
    for company in &all {
        becomes(&stack, company, &card, "dead").await;
        assert_eq!(stack.dead_letters(company).await[&card.id], "exhausted");
        assert_eq!(creates(&stack, company).await, 6);
    }
    stack.idle(&all).await;
    // A day later nobody knows whether QuickBooks remembers the request: it is asked what it has.
    stack.sandbox().advance(25 * 3600).await;
    stack.sandbox().clear_faults().await;
    for company in &all {
        let job = stack.job(company, &json!({ "timecardIds": [card.id] }), SOON).await;
        assert_eq!(job["results"]["synced"], 1, "{job}");
        stack.idle(&[company]).await;
        stack.exactly_once(company, std::slice::from_ref(&card)).await;
    }
    assert_eq!(creates(&stack, unknown).await, 6, "it was there, and is not sent again");
}

#[tokio::test]
async fn what_failed_for_want_of_a_mapping_goes_out_when_the_mapping_is_there() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.crew().await;
    let map = async |mapping: Value| {
        let path = format!("/mapping?companyId={}", company.id);
        let body = json!({ "companyId": company.id, "mapping": mapping });
        stack.put(&company.admin, &path, &body).await.ok();
    };
    let mut without = mapping();
    without["employeeMapping"]
        .as_array_mut()
        .unwrap()
        .retain(|row| row["crewflowWorkerId"] != "w-4");
    map(without).await;
    stack.idle(&[&company]).await;
    let cards = [Card::new("t-1", 1), Card::new("t-3", 3)];
    stack.deliver(&company, &cards).await;
    let errors = becomes(&stack, &company, &cards[1], "failed").await;
    assert_eq!(
        (&errors[0]["field"], &errors[0]["code"]),
        (&json!("workerId"), &json!("not-mapped"))
    );
    assert!(text(&errors[0], "fix").contains("Open Mapping"), "{errors}");
    map(mapping()).await;
    stack.all_synced(&company, &cards, SOON).await;
    stack.exactly_once(&company, &cards).await;
}

/// The slice read the mapping when it began. What asks for another look is found in the same slice.
#[tokio::test]
async fn a_mapping_that_is_saved_during_a_slice_is_the_one_that_the_next_look_goes_by() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.crew().await;
    let path = format!("/mapping?companyId={}", company.id);
    let mut without = json!({ "companyId": company.id, "mapping": mapping() });
    without["mapping"]["employeeMapping"] = json!([]);
    stack.put(&company.admin, &path, &without).await.ok();
    let card = Card::new("t-1", 1);
    stack.deliver(&company, std::slice::from_ref(&card)).await;
    becomes(&stack, &company, &card, "failed").await;
    stack.idle(&[&company]).await;
    let slow = json!({ "path": "/query", "realm": company.realm, "times": 1, "delayMs": 6000 });
    stack.sandbox().fault(&slow).await;
    let import = json!({
        "companyId": company.id, "entities": ["classes"], "direction": "in",
    });
    stack.post(&company.admin, "/sync-now", &import).await.ok();
    eventually("a slice that reads", SOON, async || {
        let row = stack.company_row(&company).await;
        (row["leaseUntil"].as_i64().unwrap_or_default() > 0).then_some(())
    })
    .await;
    let whole = json!({ "companyId": company.id, "mapping": mapping() });
    stack.put(&company.admin, &path, &whole).await.ok();
    stack.all_synced(&company, std::slice::from_ref(&card), WITHOUT_A_SWEEP).await;
    stack.exactly_once(&company, &[card]).await;
}

#[tokio::test]
async fn work_days_before_sync_from_are_never_sent_until_sync_from_says_otherwise() {
    let (stack, _shared) = Stack::shared().await;
    let mut later = settings();
    later["syncFrom"] = "2026-11-10".into();
    let company = stack.live_company("demo", &mapping(), &later).await;
    let before = Card { day: 9, ..Card::new("t-1", 1) };
    let after = Card { day: 10, ..Card::new("t-2", 2) };
    stack.deliver(&company, &[before.clone(), after.clone()]).await;
    stack.all_synced(&company, std::slice::from_ref(&after), SOON).await;
    becomes(&stack, &company, &before, "beforeStart").await;
    // Asking for it does not send it either.
    let job = stack.job(&company, &json!({ "timecardIds": [before.id] }), SOON).await;
    assert_eq!((&job["results"]["synced"], &job["total"]), (&json!(0), &json!(1)), "{job}");
    assert_eq!(creates(&stack, &company).await, 1);
    set(&stack, &company, &json!({ "syncFrom": "2026-11-09" })).await;
    stack.all_synced(&company, &[before.clone(), after.clone()], SOON).await;
    stack.exactly_once(&company, &[before, after]).await;
}

#[tokio::test]
async fn what_points_at_somebody_inactive_goes_out_once_they_are_active_again() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.crew().await;
    let by_worker = Card { worker: 28, ..Card::new("t-1", 1) };
    let by_project = Card { project: 9, ..Card::new("t-2", 2) };
    let cards = [by_worker, by_project];
    stack.deliver(&company, &cards).await;
    for (card, field) in cards.iter().zip(["workerId", "projectId"]) {
        let errors = becomes(&stack, &company, card, "failed").await;
        assert_eq!((&errors[0]["field"], &errors[0]["code"]), (&json!(field), &json!("inactive")));
    }
    assert_eq!(creates(&stack, &company).await, 0, "checked before any call");
    for (entity, id) in [("Employee", "82"), ("Customer", "9")] {
        let active = json!({ "Id": id, "Active": true });
        stack.sandbox().store(&company.realm, entity, &active).await;
    }
    let import = json!({ "entities": ["employees", "customers"], "direction": "in" });
    assert_eq!(stack.job(&company, &import, SOON).await["status"], "completed");
    stack.all_synced(&company, &cards, SOON).await;
    stack.exactly_once(&company, &cards).await;
}
