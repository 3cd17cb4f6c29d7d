//! Runs of sweeps: whom they are for, what fails, what dies, and what the report says.

use std::time::Duration;

use serde_json::{Value, json};
use stack_tests::stack::company::Company;
use stack_tests::stack::connections::{DAY, key};
use stack_tests::stack::control::at;
use stack_tests::stack::stored::text;
use stack_tests::stack::{Stack, eventually};
use tokio::task::JoinSet;

use super::{LATER, SOON, numbers, put, refreshes, told};

/// So many of token-refresh's work at once (`MaximumConcurrency` of its queue), and one that was invoked.
const PROCESSES: usize = 13;

#[tokio::test]
async fn one_companys_failure_never_stops_a_sweep() {
    let (stack, _alone) = Stack::alone().await;
    stack.listen().await;
    let all = stack.plant(7, 65 * DAY).await;
    stack.other_connections_rest(&all.iter().collect::<Vec<_>>()).await;
    let [elsewhere, bare, refused, down, ended, well, fine] = all.as_slice() else {
        unreachable!()
    };
    let set = async |company: &Company, attribute: &str, value: &str| {
        stack.set("Connections", &key(company), attribute, &json!({ "S": value })).await;
    };
    set(elsewhere, "environment", "production").await;
    set(bare, "secret", "quickbooks-connector/tokens/nobody/none").await;
    stack.sandbox().post("/tokens/revoke-refresh", &json!({ "realm": refused.realm })).await;
    let fault = json!({ "path": "tokens/bearer", "realm": down.realm, "status": 500 });
    stack.sandbox().fault(&fault).await;
    set(ended, "status", "disconnected").await;
    let report = stack.sweep_connections("stale", LATER).await;
    assert_eq!(numbers(&report), [7, 2, 4, 1, 0], "{report}");
    for company in [well, fine] {
        assert_eq!(refreshes(&stack, company).await, 1);
    }
    let row = stack.connection_row(refused).await;
    assert_eq!(text(&row, "status"), "reconnectRequired");
    eventually("the host app to hear of it", SOON, async || {
        (told(&stack, refused, "connection.reconnect_required").await == 1).then_some(())
    })
    .await;
    // No loop: what was refused for good is not looked at again.
    stack.sandbox().clear_faults().await;
    stack.sandbox().advance(300).await;
    let report = stack.sweep_connections("stale", LATER).await;
    let [due, refreshed, failed, ..] = numbers(&report);
    assert_eq!((due, refreshed, failed), (4, 1, 2), "{report}");
    assert_eq!(told(&stack, refused, "connection.reconnect_required").await, 1);
    stack.uproot(&all).await;
}

/// The part was counted; whoever asks again for the lost answer must not take itself for another reader.
#[tokio::test]
async fn a_sweep_whose_count_is_not_answered_goes_on() {
    let (stack, _alone) = Stack::alone().await;
    let all = stack.plant(3, 65 * DAY).await;
    stack.other_connections_rest(&all.iter().collect::<Vec<_>>()).await;
    let mut lost = at("token-refresh", "after");
    lost["action"] = "dynamodb:UpdateItem".into();
    lost["resource"] = stack.table("Counters").into();
    lost["calls"] = 1.into();
    stack.control().cut(&lost).await;
    let report = stack.sweep_connections("stale", LATER).await;
    assert_eq!(stack.control().applied().await, 1);
    stack.control().clear_rules().await;
    assert_eq!(numbers(&report), [3, 3, 0, 0, 0], "{report}");
    stack.uproot(&all).await;
}

/// The ages of tokens are measured before the first page is read, and are only figures.
#[tokio::test]
async fn a_sweep_that_cannot_measure_ages_refreshes_all_the_same() {
    let (stack, _alone) = Stack::alone().await;
    let all = stack.plant(2, 65 * DAY).await;
    stack.other_connections_rest(&all.iter().collect::<Vec<_>>()).await;
    let denied = json!({
        "function": "token-refresh", "action": "dynamodb:Query", "calls": 1, "status": 400,
    });
    stack.control().refuse(&denied).await;
    let report = stack.sweep_connections("stale", LATER).await;
    assert_eq!(stack.control().applied().await, 1);
    stack.control().clear_rules().await;
    assert_eq!(numbers(&report), [2, 2, 0, 0, 0], "{report}");
    stack.uproot(&all).await;
}

#[tokio::test]
async fn the_five_minute_sweep_sees_what_is_in_use_and_leaves_the_rest_in_peace() {
    let (stack, _alone) = Stack::alone().await;
    // Five minutes are left of their access tokens.
    let all = stack.plant(4, 3300).await;
    let [used, off, idle, busy] = all.as_slice() else { unreachable!() };
    stack.other_connections_rest(&all.iter().collect::<Vec<_>>()).await;
    let now = stack.sandbox().now().await.as_millisecond();
    for (company, hours) in [(used, 23), (off, 1), (idle, 25), (busy, 25)] {
        put(&stack, company, "activeAt", now - hours * 3_600_000).await;
    }
    let work = json!({ "company": { "S": busy.id } });
    stack.set("Companies", &work, "nextDue", &json!({ "N": (now - 1000).to_string() })).await;
    let body = json!({ "companyId": off.id, "automaticRefresh": false });
    stack.put(&off.admin, &format!("/settings?companyId={}", off.id), &body).await.ok();
    let report = stack.sweep_connections("access", SOON).await;
    assert_eq!(numbers(&report), [4, 2, 0, 2, 0], "{report}");
    for (company, times) in [(used, 1), (off, 0), (idle, 0), (busy, 1)] {
        assert_eq!(refreshes(&stack, company).await, times, "{}", company.id);
    }
    let report = stack.sweep_connections("access", SOON).await;
    assert_eq!(numbers(&report), [0, 0, 0, 0, 0], "those that rest are not read again: {report}");
    // A use puts it back.
    stack.get(&idle.admin, &format!("/status?companyId={}", idle.id)).await.ok();
    eventually("the note of the use", SOON, async || {
        let row = stack.connection_row(idle).await;
        row["activeShard"].is_string().then_some(())
    })
    .await;
    let report = stack.sweep_connections("access", SOON).await;
    assert_eq!(numbers(&report), [1, 1, 0, 0, 0], "{report}");
    // Automatic refresh off stops this sweep only.
    put(&stack, off, "refreshedAt", now - 65 * 86_400_000).await;
    let report = stack.sweep_connections("stale", SOON).await;
    assert_eq!(numbers(&report), [1, 1, 0, 0, 0], "{report}");
    stack.uproot(&all).await;
}

/// A chunk that waited for more than ten minutes: a newer run, if there is one, has its companies.
#[tokio::test]
async fn an_old_chunk_counts_where_no_newer_run_has_its_companies() {
    let (stack, _alone) = Stack::alone().await;
    stack.other_connections_rest(&[]).await;
    let all = stack.plant(2, 3300).await;
    let [early, late] = all.as_slice() else { unreachable!() };
    let run = format!("access/{:.3}/00000000", stack.sandbox().now().await);
    stack.sandbox().advance(605).await;
    let now = stack.sandbox().now().await.as_millisecond();
    for company in &all {
        put(&stack, company, "activeAt", now).await;
    }
    let chunk = |company: &Company| {
        let chunk = format!("chunk-{}", company.id);
        json!({ "ask": "sweep", "run": run, "chunk": chunk, "companies": [company.id] })
    };
    stack.work_on_refresh(&chunk(early)).await;
    assert_eq!(refreshes(&stack, early).await, 1, "schedules are far apart, or off");

    stack.other_connections_rest(&[]).await;
    let newer = stack.sweep_connections("access", SOON).await;
    assert_eq!(numbers(&newer), [0, 0, 0, 0, 0], "{newer}");
    stack.work_on_refresh(&chunk(late)).await;
    assert_eq!(refreshes(&stack, late).await, 0, "a newer run would have handed it out");
    stack.uproot(&all).await;
}

/// Killed right before it asks Intuit for the third company: the message comes again.
#[tokio::test]
async fn a_function_that_dies_in_the_middle_of_a_chunk_loses_and_doubles_nothing() {
    let (stack, _alone) = Stack::alone().await;
    let all = stack.plant(5, 65 * DAY).await;
    stack.other_connections_rest(&all.iter().collect::<Vec<_>>()).await;
    stack.hide_refreshes_for(20).await;
    let mut order = at("token-refresh", "before");
    order["path"] = "/oauth2/v1/tokens/bearer".into();
    order["nth"] = 3.into();
    stack.control().crash(&order).await;
    let begun = stack.invoke("token-refresh", &json!({ "sweep": "stale" })).await;
    eventually("the crash", SOON, async || (stack.control().applied().await == 1).then_some(()))
        .await;
    stack.control().clear_rules().await;
    // The lease of the one that was under way runs out.
    stack.sandbox().advance(201).await;
    let report = stack.swept(&begun, LATER).await;
    stack.hide_refreshes_for(1080).await;
    assert_eq!(numbers(&report), [5, 5, 0, 0, 0], "{report}");
    for company in &all {
        assert_eq!(refreshes(&stack, company).await, 1, "{}", company.id);
    }
    stack.uproot(&all).await;
}

/// The listing dies when it has handed out the first 250 companies and a few more. A message to read on
/// finds the rest where the run's row says, and hands nothing out twice.
#[tokio::test]
async fn a_listing_that_is_cut_short_is_read_on_from_where_it_stopped() {
    let (stack, _alone) = Stack::alone().await;
    stack.other_connections_rest(&[]).await;
    let all = stack.plant(400, 65 * DAY).await;
    // The first part was counted and handed out; the second one is read and not counted.
    let mut order = at("token-refresh", "before");
    order["action"] = "dynamodb:UpdateItem".into();
    order["resource"] = format!("table/{}", stack.table("Counters")).into();
    order["nth"] = 2.into();
    stack.control().crash(&order).await;
    stack.invoke_long("token-refresh", &json!({ "sweep": "stale" })).await;
    assert_eq!(stack.control().applied().await, 1);
    stack.control().clear_rules().await;
    let half = stack.invoke("token-refresh", &json!({ "report": "stale" })).await;
    let due = half["due"].as_u64().unwrap();
    assert!((250..400).contains(&due) && half["finishedAt"].is_null(), "{half}");
    for _ in 0..2 {
        stack.ask_token_refresh(&json!({ "ask": "readOn", "run": half["run"] })).await;
    }
    let report = stack.swept(&half, LATER).await;
    stack.uproot(&all).await;
    assert_eq!(numbers(&report), [400, 400, 0, 0, 0], "{report}");
    for company in &all {
        assert_eq!(refreshes(&stack, company).await, 1, "{}", company.id);
    }
}

/// Intuit takes half a minute for each: after five there is no time for a sixth.
#[tokio::test]
#[ignore = "long: a function's whole time is used up"]
async fn a_chunk_that_runs_out_of_time_hands_its_rest_on() {
    let (stack, _alone) = Stack::alone().await;
    stack.other_connections_rest(&[]).await;
    let all = stack.plant(8, 65 * DAY).await;
    for company in &all {
        let slow = json!({ "path": "tokens/bearer", "realm": company.realm, "delayMs": 28_000 });
        stack.sandbox().fault(&slow).await;
    }
    let mark = stack.control().mark().await;
    let report = stack.sweep_connections("stale", Duration::from_mins(8)).await;
    let calls = stack.control().log(mark).await;
    stack.uproot(&all).await;
    assert_eq!(numbers(&report), [8, 8, 0, 0, 0], "{report}");
    let function = stack.function("token-refresh");
    let handed_on = calls.iter().filter(|call| {
        call.function.as_deref() == Some(function) && call.action.starts_with("sqs:SendMessage")
    });
    assert!(handed_on.count() >= 2, "the chunk, and its rest");
}

/// New tokens that cannot be stored are kept and tried again for longer than the function lives; the
/// others of the chunk must not wait for that.
#[tokio::test]
#[ignore = "long: a function's whole time is used up"]
async fn one_company_whose_secret_takes_no_writes_takes_no_other_of_its_chunk_along() {
    let (stack, _alone) = Stack::alone().await;
    stack.other_connections_rest(&[]).await;
    let all = stack.plant(4, 65 * DAY).await;
    let full = &all[0];
    let no_writes = json!({
        "function": "token-refresh", "action": "secretsmanager:PutSecretValue", "calls": 1000,
        "resource": full.id, "status": 400,
    });
    stack.control().refuse(&no_writes).await;
    let report = stack.sweep_connections("stale", Duration::from_mins(6)).await;
    assert!(stack.control().applied().await >= 3, "it takes none");
    assert_eq!(numbers(&report), [4, 3, 1, 0, 0], "{report}");
    for company in &all {
        assert_eq!(refreshes(&stack, company).await, 1, "{}", company.id);
    }
    // While it takes none, nobody asks Intuit with the old token, which may be dead there; and it is told.
    stack.sandbox().advance(300).await;
    let report = stack.sweep_connections("stale", Duration::from_mins(6)).await;
    assert_eq!(numbers(&report), [1, 0, 1, 0, 0], "{report}");
    let row = stack.connection_row(full).await;
    assert_eq!(text(&row, "status"), "connected");
    assert_eq!(text(&row, "lastRefreshResult"), "Secrets Manager does not store the new tokens");
    let mut failures = stack.stored("AuditLog", &full.id, "1").await;
    failures.retain(|row| text(row, "action") == "token-refresh-failed");
    assert_eq!(failures.len(), 1, "{failures:?}");

    // The tokens were with one of the function's processes, whatever it is called for next. Calls one after
    // the other may all go to another one.
    stack.control().clear_rules().await;
    eventually("the new tokens to be stored", SOON, async || {
        let mut calls = JoinSet::new();
        for _ in 0..PROCESSES {
            let stack = stack.clone();
            let report = json!({ "report": "stale" });
            calls.spawn(async move { stack.invoke("token-refresh", &report).await });
        }
        calls.join_all().await;
        let row = stack.connection_row(full).await;
        (text(&row, "lastRefreshResult") == "ok" && row.get("refreshOwner").is_none()).then_some(())
    })
    .await;
    assert_eq!(refreshes(&stack, full).await, 1, "Intuit was asked once in all");
    stack.uproot(&all).await;
}

#[tokio::test]
async fn two_sweeps_at_once_refresh_each_company_once() {
    let (stack, _alone) = Stack::alone().await;
    let all = stack.plant(4, 65 * DAY).await;
    stack.other_connections_rest(&all.iter().collect::<Vec<_>>()).await;
    let (first, second) = tokio::join!(
        stack.sweep_connections("stale", SOON),
        stack.sweep_connections("stale", SOON)
    );
    for report in [first, second] {
        let [due, refreshed, failed, skipped, left] = numbers(&report);
        assert_eq!((failed, left, due), (0, 0, refreshed + skipped), "{report}");
    }
    for company in &all {
        let tokens = stack.sandbox().counters(&company.realm).await["tokens"].clone();
        assert_eq!(tokens["refresh"], 1, "{tokens}");
        assert_eq!(tokens["concurrentRefresh"].as_u64().unwrap_or_default(), 0, "{tokens}");
    }
    stack.uproot(&all).await;
}

/// Every read or write of a run's row names a run; the report of what is not known is nothing.
#[tokio::test]
async fn a_report_of_a_run_that_is_not_known_is_nothing() {
    let (stack, _shared) = Stack::shared().await;
    let unknown = json!({ "report": "stale/2026-11-22T02:00:00.123Z/00000000" });
    assert_eq!(stack.invoke("token-refresh", &unknown).await, Value::Null);
    for kind in ["access", "stale", "hard-expiry"] {
        let report = stack.invoke("token-refresh", &json!({ "report": kind })).await;
        assert!(report.is_null() || text(&report, "run").starts_with(kind), "{report}");
    }
}
