//! `company.deleted`: all of a company's data goes, and one line stays that says so (C11).

mod connected_meanwhile;

use std::time::Duration;

use serde_json::{Value, json};
use stack_tests::stack::api::Caller;
use stack_tests::stack::cards::Card;
use stack_tests::stack::control::at;
use stack_tests::stack::stored::text;
use stack_tests::stack::{Stack, eventually};

use super::access::tested;
use crate::outside::{self, Ear, live_grants, secrets, status};

const MOMENT: Duration = Duration::from_secs(40);
/// Tables whose rows are a company's by their partition key.
const BY_COMPANY: [&str; 6] = ["Work", "Records", "Settings", "Mappings", "Counters", "AuditLog"];
/// Before every time, so that it is found by its key.
const LINE: &str = "0000000000000#company-erased";

async fn line(stack: &Stack, company: &str) -> Value {
    let key = json!({ "company": { "S": company }, "item": { "S": LINE } });
    stack.item("AuditLog", &key).await
}

/// What a queue hands over, with these bodies.
fn messages(bodies: &[Value]) -> Value {
    let records: Vec<Value> = bodies
        .iter()
        .enumerate()
        .map(|(number, body)| {
            json!({
                "messageId": format!("m{number}"), "body": body.to_string(),
                "eventSourceARN": "arn:aws:sqs:us-east-1:1:stack-CompanyDeletions-x",
            })
        })
        .collect();
    json!({ "Records": records })
}

/// The event as the bus hands it over, published then.
fn deleted_at(company: &str, time: jiff::Timestamp) -> Value {
    json!({
        "id": "e1", "detail-type": "company.deleted", "source": "host-app",
        "time": time.to_string(), "detail": { "companyId": company },
    })
}

/// What the function gets four minutes later.
async fn look_again(stack: &Stack, company: &str) {
    let again = messages(&[json!({ "companyId": company, "step": "lookAgain" })]);
    let answer = stack.invoke("company-erasure", &again).await;
    assert_eq!(answer, json!({ "batchItemFailures": [] }));
}

/// Everything that any table holds of a company, but the line.
async fn left(stack: &Stack, company: &str) -> Vec<String> {
    let mut left = Vec::new();
    for table in BY_COMPANY {
        let rows = stack.stored(table, company, "").await;
        left.extend(
            rows.iter().filter(|row| row["item"] != LINE).map(|row| format!("{table} {row}")),
        );
    }
    for kind in ["company", "unconfirmed", "migrating"] {
        let key = json!({ "id": { "S": format!("{kind}#{company}") } });
        let row = stack.item("Connections", &key).await;
        if !row.is_null() {
            left.push(format!("Connections {row}"));
        }
    }
    let row = stack.item("Companies", &json!({ "company": { "S": company } })).await;
    if !row.is_null() {
        left.push(format!("Companies {row}"));
    }
    left.extend(secrets(stack, company).await);
    left
}

async fn erased_for_now(stack: &Stack, company: &str) {
    eventually("nothing to be left", MOMENT, async || {
        let begun = !line(stack, company).await.is_null();
        (begun && left(stack, company).await.is_empty()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_deleted_company_leaves_nothing_but_one_line_and_no_other_company_loses_a_row() {
    let (stack, _shared) = Stack::shared().await;
    stack.listen().await;
    let company = stack.crew().await;
    let cards = Card::several("t", 3);
    stack.deliver(&company, &cards).await;
    stack.all_synced(&company, &cards, MOMENT).await;
    // One that fails, so that there is a dead letter and a job with an error.
    let odd = format!("odd-{}", company.id);
    let unmapped = json!({
        "companyId": company.id, "timecardId": odd, "version": 1, "workerId": "nobody",
        "projectId": "p-none", "clockIn": "2026-11-19T07:00:00-07:00",
        "clockOut": "2026-11-19T15:00:00-07:00", "breakMinutes": 0, "billable": false,
    });
    stack.post(&Caller::service(), "/timecards", &unmapped).await.ok();
    let wanted = json!({ "timecardIds": [odd] });
    stack.job(&company, &wanted, MOMENT).await;
    tested(&stack, &company).await;
    let jobs = outside::table_text(&stack, stack.table("Jobs")).await;
    assert!(jobs.contains(&format!("\"{}\"", company.id)), "there is a job to erase");
    assert!(jobs.contains(&odd), "it has a row about a timecard");
    // Somebody whose id begins with this one's.
    let mut neighbour = stack.company("empty").await;
    neighbour.id = format!("{}-2", company.id);
    neighbour.admin = Caller::admin(&neighbour.id);
    stack.connect(&neighbour).await;
    outside::first_import(&stack, &neighbour).await;
    stack.idle(&[&neighbour]).await;
    let before = left(&stack, &neighbour.id).await;

    stack.publish("company.deleted", &json!({ "companyId": company.id })).await;
    erased_for_now(&stack, &company.id).await;
    assert_eq!(live_grants(&stack, &company.realm).await, 0);
    assert_eq!(line(&stack, &company.id).await["state"], "erasing");
    // Until whoever was at work has ended, nobody can connect it again.
    let body = json!({ "companyId": company.id });
    let early = stack.post(&company.admin, "/connect", &body).await;
    outside::problem(&early, 409, "company-being-erased");

    look_again(&stack, &company.id).await;
    assert_eq!(left(&stack, &company.id).await, Vec::<String>::new());
    let line = line(&stack, &company.id).await;
    assert_eq!((text(&line, "state"), text(&line, "action")), ("erased", "company-erased"));
    assert!(line["rows"].as_u64() > Some(20), "{line}");
    let fields: Vec<&String> = line.as_object().unwrap().keys().collect();
    assert_eq!(
        fields,
        ["action", "actor", "at", "company", "item", "requestedAt", "rows", "state", "success"]
    );
    eventually("company.erased", MOMENT, async || {
        let events = stack.events(&company.id).await;
        events.into_iter().find(|event| event["detail-type"] == "company.erased")
    })
    .await;
    let jobs = outside::table_text(&stack, stack.table("Jobs")).await;
    assert!(!jobs.contains(&format!("\"{}\"", company.id)), "{jobs}");
    assert!(!jobs.contains(&odd), "{jobs}");
    assert_eq!(left(&stack, &neighbour.id).await, before);
    assert_eq!(tested(&stack, &neighbour).await["connected"], true);
}

#[tokio::test]
async fn nothing_is_taken_for_a_deleted_company_until_it_is_connected_again() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    stack.listen().await;
    // One that we never heard of.
    stack.publish("company.deleted", &json!({ "companyId": company.id })).await;
    erased_for_now(&stack, &company.id).await;
    look_again(&stack, &company.id).await;
    let deleted = stack.sandbox().now().await;

    let card = Card::new("late", 1);
    let over_http = stack.post(&Caller::service(), "/timecards", &card.json(&company)).await;
    outside::problem(&over_http, 410, "company-deleted");
    let list = json!({ "timecards": [card.json(&company)] });
    let in_a_list = stack.post(&Caller::service(), "/timecards", &list).await;
    let problem = outside::problem(&in_a_list, 422, "invalid-request");
    outside::names(&problem, "companyId", "company-deleted");
    let broken =
        json!({ "companyId": company.id, "timecardId": "broken", "notes": "about a person" });
    stack.publish("timecard.approved", &card.json(&company)).await;
    stack.publish("timecard.approved", &broken).await;
    for id in ["late", "broken"] {
        eventually(id, MOMENT, async || {
            let events = stack.events(&company.id).await;
            events.into_iter().find(|event| {
                event["detail-type"] == "timecard.failed" && event["detail"]["timecardId"] == id
            })
        })
        .await;
    }
    let settings = json!({ "companyId": company.id, "catchUpMinutes": 30 });
    let saved = stack.put(&company.admin, "/settings", &settings).await;
    outside::problem(&saved, 410, "company-deleted");
    let mapping =
        json!({ "companyId": company.id, "mapping": stack_tests::stack::cards::mapping() });
    let saved = stack.put(&company.admin, "/mapping", &mapping).await;
    outside::problem(&saved, 410, "company-deleted");
    assert_eq!(left(&stack, &company.id).await, Vec::<String>::new());

    // The host app made the company anew.
    stack.connect(&company).await;
    stack.post(&Caller::service(), "/timecards", &card.json(&company)).await.ok();
    // The old event comes again, and a later look too: neither erases the new company.
    let old = deleted_at(&company.id, deleted);
    let again = json!({ "companyId": company.id, "step": "lookAgain" });
    stack.invoke("company-erasure", &messages(&[old, again])).await;
    assert_eq!(status(&stack, &company).await["connected"], true);
    assert!(stack.records(&company).await.contains_key("late"));
    // Deleted a second time, it goes a second time.
    let now = stack.sandbox().now().await + jiff::SignedDuration::from_secs(2);
    stack.invoke("company-erasure", &messages(&[deleted_at(&company.id, now)])).await;
    look_again(&stack, &company.id).await;
    assert_eq!(left(&stack, &company.id).await, Vec::<String>::new());
}

#[tokio::test]
async fn an_erasure_that_dies_at_any_call_and_comes_again_ends_the_same() {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.company("empty").await;
    stack.connect(&company).await;
    outside::first_import(&stack, &company).await;
    stack.idle(&[&company]).await;
    stack.post(&Caller::service(), "/timecards", &Card::new("t", 1).json(&company)).await.ok();
    let requested = stack.sandbox().now().await;
    let event = messages(&[deleted_at(&company.id, requested)]);
    let mut died = 0;
    for nth in 1..80 {
        let mut order = at("company-erasure", if nth % 2 == 0 { "after" } else { "before" });
        order["nth"] = nth.into();
        order["calls"] = 1.into();
        stack.control().crash(&order).await;
        stack.try_invoke("company-erasure", &event).await;
        let applied = stack.control().applied().await;
        stack.control().clear_rules().await;
        died += applied;
        if applied == 0 {
            break;
        }
    }
    assert!(died >= 15, "only {died} calls were met");
    assert_eq!(left(&stack, &company.id).await, Vec::<String>::new());
    assert_eq!(live_grants(&stack, &company.realm).await, 0);
    look_again(&stack, &company.id).await;
    let first = line(&stack, &company.id).await;
    assert_eq!(first["state"], "erased");
    // Delivered twice more, in one batch.
    let event = deleted_at(&company.id, requested);
    stack.invoke("company-erasure", &messages(&[event.clone(), event])).await;
    assert_eq!(line(&stack, &company.id).await, first);
}

/// Telling is the last thing that can fail, and a message that comes again must find it undone.
#[tokio::test]
async fn the_host_app_hears_of_an_erasure_although_telling_failed_at_first() {
    let (stack, _alone) = Stack::alone().await;
    stack.listen().await;
    let company = stack.company("empty").await;
    let requested = stack.sandbox().now().await;
    stack.invoke("company-erasure", &messages(&[deleted_at(&company.id, requested)])).await;
    let away = json!({
        "function": "company-erasure", "action": "events:PutEvents", "calls": 20, "status": 503,
    });
    stack.control().refuse(&away).await;
    let again = messages(&[json!({ "companyId": company.id, "step": "lookAgain" })]);
    stack.try_invoke("company-erasure", &again).await;
    assert!(stack.control().applied().await > 0);
    stack.control().clear_rules().await;
    look_again(&stack, &company.id).await;
    eventually("the host app to hear of it", MOMENT, async || {
        let events = stack.events(&company.id).await;
        events.iter().any(|event| event["detail-type"] == "company.erased").then_some(())
    })
    .await;
    assert_eq!(line(&stack, &company.id).await["state"], "erased");
}

#[tokio::test]
async fn much_data_goes_in_several_runs() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    let table = stack.table("Records").to_owned();
    let mut calls = tokio::task::JoinSet::new();
    for chunk in 0..280 {
        let rows: Vec<Value> = (0..25)
            .map(|row| {
                let item = format!("timecard#t-{chunk}-{row}");
                json!({ "PutRequest": { "Item": {
                    "company": { "S": company.id }, "item": { "S": item }, "card": { "S": "x".repeat(500) },
                } } })
            })
            .collect();
        if calls.len() == 8 {
            calls.join_next().await;
        }
        let (stack, table) = (stack.clone(), table.clone());
        calls.spawn(async move {
            let body = json!({ "RequestItems": { (table): rows } });
            let (status, answer) = stack.aws("dynamodb", "BatchWriteItem", &body).await;
            assert_eq!(status, 200, "{answer}");
        });
    }
    calls.join_all().await;
    let since = stack.control().mark().await;
    stack.publish("company.deleted", &json!({ "companyId": company.id })).await;
    erased_for_now(&stack, &company.id).await;
    look_again(&stack, &company.id).await;
    assert_eq!(line(&stack, &company.id).await["rows"], 7000);
    let function = stack.function("company-erasure");
    let calls = stack.control().log(since).await;
    let mine = calls.iter().filter(|call| call.function.as_deref() == Some(function));
    assert!(mine.clone().all(|call| !call.action.ends_with("Scan")), "by key only");
    let sent = mine.filter(|call| call.action == "sqs:SendMessage").count();
    assert!(sent >= 2, "it goes on by a message, and looks again by another");
}

/// A push is under way while its company is erased: what the worker writes afterwards goes too.
#[tokio::test]
async fn a_worker_that_is_at_it_leaves_nothing_behind() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.crew().await;
    let slow = json!({
        "method": "POST", "path": "/timeactivity", "realm": company.realm, "times": 40,
        "delayAfterMs": 22_000,
    });
    stack.sandbox().fault(&slow).await;
    let cards = Card::several("t", 4);
    stack.deliver(&company, &cards).await;
    eventually("a send under way", MOMENT, async || {
        (!stack.open_sends(&company).await.is_empty()).then_some(())
    })
    .await;
    stack.publish("company.deleted", &json!({ "companyId": company.id })).await;
    erased_for_now(&stack, &company.id).await;
    // The worker's calls come back now, and it finds that nothing is its own any more.
    tokio::time::sleep(Duration::from_secs(12)).await;
    assert!(stack.records(&company).await.is_empty(), "no record comes back");
    assert!(stack.company_row(&company).await.is_null());
    look_again(&stack, &company.id).await;
    assert_eq!(left(&stack, &company.id).await, Vec::<String>::new());
}

#[tokio::test]
async fn an_event_that_names_no_company_erases_none_and_is_kept() {
    let (stack, _shared) = Stack::shared().await;
    let ear = Ear::new(&stack, &json!({ "detail-type": ["company.erased"] })).await;
    let mark = format!("mark-{}", stack.control().mark().await);
    stack.publish("company.deleted", &json!({ "companyId": "*", "why": mark })).await;
    let letter = eventually("a dead letter", MOMENT, async || {
        let rows = stack.stored("Work", "~none", "dead#event#").await;
        rows.into_iter().find(|row| text(row, "event").contains(&mark))
    })
    .await;
    assert_eq!(text(&letter, "reason"), "event");
    assert!(text(&letter, "errors").contains("names no company"), "{letter}");
    assert!(ear.heard(&stack).await.iter().all(|event| event["detail"]["companyId"] != "*"));
}
