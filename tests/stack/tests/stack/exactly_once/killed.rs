//! Processes that die at each of their calls, and AWS away for a while.

use std::time::Duration;

use serde_json::{Value, json};
use stack_tests::stack::api::Caller;
use stack_tests::stack::cards::Card;
use stack_tests::stack::company::Company;
use stack_tests::stack::control::at;
use stack_tests::stack::{Stack, eventually};

use super::{SOON, fault, touched};

/// Longer than the lease and longer than a send may still commit, in milliseconds.
const PAST_EVERY_COMMIT: i64 = 200_000;

/// Lets the lease of a dead worker end, and every send of its commit; then sweeps.
async fn successor(stack: &Stack, company: &Company) {
    let row = stack.company_row(company).await;
    let until = row["nextDue"].as_i64().max(row["leaseUntil"].as_i64());
    let now = stack.sandbox().now().await.as_millisecond();
    stack.clock_reaches(until.unwrap_or(now) + PAST_EVERY_COMMIT).await;
    stack.sweep().await;
}

/// Pushes three cards at a time, the worker killed at its `k`-th call, its successor at its `k`-th
/// call too, for `k` from 1 in steps. Ends with the first push that needs fewer calls than `k`.
async fn killed_at_each_call(stack: &Stack, target: &str, when: &str, step: usize, least: usize) {
    let company = stack.crew().await;
    stack.let_others_rest(&[&company]).await;
    let mut sent = Vec::new();
    for k in (1..).step_by(step) {
        let mut order = at("sync-worker", when);
        order["target"] = target.into();
        order["nth"] = k.into();
        if target == "quickbooks" {
            order["path"] = company.realm.clone().into();
        }
        let cards = Card::several(&format!("{when}-{k}"), 3);
        sent.extend(cards.clone());
        stack.control().crash(&order).await;
        stack.deliver(&company, &cards).await;
        let killed = touched(stack, &company).await;
        stack.control().clear_rules().await;
        if killed {
            stack.control().crash(&order).await;
            successor(stack, &company).await;
            touched(stack, &company).await;
            stack.control().clear_rules().await;
            stack.dust_settles(&[&company]).await;
        }
        stack.idle(&[&company]).await;
        let wrong = stack.not_exactly_once(&company, &sent).await;
        assert!(wrong.is_empty(), "killed {when} call {k} to {target}:\n{}", wrong.join("\n"));
        if !killed {
            assert!(k > least, "only {k} calls to {target} were made");
            return;
        }
    }
}

#[tokio::test]
async fn a_worker_killed_around_each_call_to_quickbooks_leaves_one_of_each() {
    let (stack, _alone) = Stack::alone().await;
    for when in ["before", "after"] {
        killed_at_each_call(&stack, "quickbooks", when, 1, 3).await;
    }
}

/// Killed after a call and killed before the next one leave the same behind.
#[tokio::test]
async fn a_worker_killed_after_each_call_to_aws_leaves_one_of_each() {
    let (stack, _alone) = Stack::alone().await;
    killed_at_each_call(&stack, "aws", "after", 1, 15).await;
}

#[tokio::test]
#[ignore = "long: the same points, told from the other side"]
async fn a_worker_killed_before_each_call_to_aws_leaves_one_of_each() {
    let (stack, _alone) = Stack::alone().await;
    killed_at_each_call(&stack, "aws", "before", 1, 15).await;
}

/// The worker is killed in the middle of a call that QuickBooks has begun to work on.
#[tokio::test]
async fn a_send_that_commits_after_its_sender_died_is_the_only_one() {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.crew().await;
    stack.let_others_rest(&[&company]).await;
    let cards = Card::several("t", 3);
    let mark = stack.control().mark().await;
    let slow = json!({ "delayMs": 4000 });
    stack.sandbox().fault(&fault(&company, &cards[0], &slow)).await;
    stack.deliver(&company, &cards).await;
    // Cards go out in any order: the others have arrived, and the slow one is under way.
    eventually("the two others, and the slow one's begin", SOON, async || {
        let under_way = stack.sandbox().counters(&company.realm).await["inFlight"] == 1;
        (under_way && stack.activities(&company).await.len() == 2).then_some(())
    })
    .await;
    stack.kill_caller(mark, "sync-worker", "dynamodb:TransactWriteItems").await;
    assert_eq!(stack.activities(&company).await.len(), 2, "killed too late");
    eventually("the commit", SOON, async || {
        (stack.activities(&company).await.len() == 3).then_some(())
    })
    .await;
    assert!(stack.records(&company).await.values().all(|record| record.status == "pending"));
    stack.dust_settles(&[&company]).await;
    stack.exactly_once(&company, &cards).await;
}

#[tokio::test]
#[ignore = "long: the sender gives up after 30 s"]
async fn a_send_that_commits_after_its_sender_gave_up_is_the_only_one() {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.crew().await;
    stack.let_others_rest(&[&company]).await;
    let cards = Card::several("t", 3);
    let slow = json!({ "delayMs": 33_000 });
    stack.sandbox().fault(&fault(&company, &cards[1], &slow)).await;
    stack.deliver(&company, &cards).await;
    let others = [cards[0].clone(), cards[2].clone()];
    stack.all_synced(&company, &others, Duration::from_mins(1)).await;
    eventually("the commit", SOON, async || {
        (stack.activities(&company).await.len() == 3).then_some(())
    })
    .await;
    stack.dust_settles(&[&company]).await;
    stack.exactly_once(&company, &cards).await;
}

/// Its caller gets no answer and sends the same again; that is all it takes. An intake that died between
/// making the company due and ringing leaves a ring owed: the cards that come again find the company due
/// already and ring no more, and the sweep, which runs each minute, rings.
#[tokio::test]
async fn an_intake_killed_after_each_call_leaves_nothing_behind_once_the_cards_come_again() {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.crew().await;
    stack.let_others_rest(&[&company]).await;
    let mut sent = Vec::new();
    for k in 1.. {
        let cards = Card::several(&format!("k{k}"), 3);
        let rows: Vec<Value> = cards.iter().map(|card| card.json(&company)).collect();
        let mut order = at("timecard-intake", "after");
        order["nth"] = k.into();
        stack.control().crash(&order).await;
        let body = json!({ "timecards": rows });
        let answer = stack.post(&Caller::service(), "/timecards", &body).await;
        let killed = stack.control().applied().await == 1;
        stack.control().clear_rules().await;
        assert_eq!(killed, answer.status >= 500, "{k}: {} {}", answer.status, answer.text);
        stack.deliver(&company, &cards).await;
        stack.sweep().await;
        stack.all_synced(&company, &cards, SOON).await;
        sent.extend(cards);
        let wrong = stack.not_exactly_once(&company, &sent).await;
        assert!(wrong.is_empty(), "killed after call {k}:\n{}", wrong.join("\n"));
        if !killed {
            assert!(k > 4, "only {k} calls were made");
            return;
        }
    }
}

#[tokio::test]
async fn aws_that_is_away_for_a_while_costs_time_and_nothing_else() {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.crew().await;
    stack.let_others_rest(&[&company]).await;
    let mut sent = Vec::new();
    for table in ["Companies", "Work", "Records", "AuditLog", "bus"] {
        let away = json!({
            "function": "sync-worker", "target": "aws", "calls": 9, "status": 500,
            "resource": stack.is.tables.get(table).map_or(table, String::as_str),
        });
        stack.control().refuse(&away).await;
        let cards = Card::several(table, 3);
        stack.deliver(&company, &cards).await;
        eventually(&format!("{table} to be away"), SOON, async || {
            (stack.control().applied().await >= 3).then_some(())
        })
        .await;
        stack.control().clear_rules().await;
        sent.extend(cards);
        // Whoever held the lease is at its end by then, well or not.
        stack.idle_or_given_up(&company).await;
        stack.dust_settles(&[&company]).await;
        let wrong = stack.not_exactly_once(&company, &sent).await;
        assert!(wrong.is_empty(), "{table} was away:\n{}", wrong.join("\n"));
    }
}
