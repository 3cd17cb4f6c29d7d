//! Whoever uses a company's connection keeps it alive (C6): with every schedule dead, use alone renews
//! a refresh token that is old.

use std::time::Duration;

use serde_json::{Value, json};
use stack_tests::stack::api::Caller;
use stack_tests::stack::cards::Card;
use stack_tests::stack::company::Company;
use stack_tests::stack::stored::text;
use stack_tests::stack::{Stack, eventually};

use crate::outside::{connection, connection_key};

const DAY: u64 = 24 * 3600;
const SOON: Duration = Duration::from_secs(20);

/// How often a function did this to the table `Connections`, or sent to the queue `Refreshes`, since a
/// mark of the proxy's log.
async fn calls(stack: &Stack, since: u64, function: &str, action: &str) -> usize {
    let function = stack.function(function);
    let resource = match action {
        "sqs:SendMessage" => stack.is.queues["Refreshes"].rsplit('/').next().unwrap_or_default(),
        _ => stack.table("Connections"),
    };
    let log = stack.control().log(since).await;
    log.iter()
        .filter(|call| call.function.as_deref() == Some(function))
        .filter(|call| {
            call.uses.iter().any(|used| used.action == action && used.resource.ends_with(resource))
        })
        .count()
}

/// Reads, notes and renewals of a function.
async fn looks(stack: &Stack, since: u64, function: &str) -> [usize; 3] {
    [
        calls(stack, since, function, "dynamodb:GetItem").await,
        calls(stack, since, function, "dynamodb:UpdateItem").await,
        calls(stack, since, function, "sqs:SendMessage").await,
    ]
}

/// Companies that are connected, with a refresh token that is so old by now.
async fn connected(stack: &Stack, count: usize, age: u64) -> Vec<Company> {
    let mut companies = tokio::task::JoinSet::new();
    for _ in 0..count {
        let stack = stack.clone();
        companies.spawn(async move {
            let company = stack.company("empty").await;
            stack.connect(&company).await;
            company
        });
    }
    let companies = companies.join_all().await;
    // A worker that runs for what is due by then would refresh the tokens itself.
    stack.idle(&companies.iter().collect::<Vec<_>>()).await;
    stack.let_others_rest(&[]).await;
    stack.sandbox().advance(age).await;
    companies
}

fn settings(company: &Company) -> String {
    format!("/settings?companyId={}", company.id)
}

/// The seed's scenario: every schedule is dead, and somebody opens the settings.
#[tokio::test]
async fn a_token_of_35_days_is_renewed_by_use() {
    let (stack, _alone) = Stack::alone().await;
    let company = connected(&stack, 1, 35 * DAY).await.remove(0);
    let before = connection(&stack, &company, true).await;
    let mark = stack.control().mark().await;
    stack.get(&company.admin, &settings(&company)).await.ok();
    assert_eq!(looks(&stack, mark, "settings").await, [1, 1, 1]);
    let after = connection(&stack, &company, true).await;
    assert!(after["activeAt"].as_i64() > before["activeAt"].as_i64(), "{after}");
    assert_eq!(after["activeShard"], after["liveShard"]);
    // Once more: the process has looked, and asks for nothing.
    let mark = stack.control().mark().await;
    stack.get(&company.admin, &settings(&company)).await.ok();
    assert!(calls(&stack, mark, "settings", "dynamodb:GetItem").await <= 1);
    if stack.is.functions.contains_key("token-refresh") {
        let since = before["refreshedAt"].as_i64();
        eventually("the renewal", SOON, async || {
            let row = connection(&stack, &company, true).await;
            (row["refreshedAt"].as_i64() > since).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_token_of_29_days_is_not_renewed_and_a_stranger_leaves_no_trace() {
    let (stack, _alone) = Stack::alone().await;
    let companies = connected(&stack, 2, 29 * DAY).await;
    let [company, other] = &companies[..] else { unreachable!() };
    let mark = stack.control().mark().await;
    let answer = stack.get(&other.admin, &settings(company)).await;
    assert_eq!(answer.status, 404);
    assert_eq!(looks(&stack, mark, "settings").await, [0, 0, 0]);
    stack.get(&company.admin, &settings(company)).await.ok();
    assert_eq!(looks(&stack, mark, "settings").await, [1, 1, 0]);
}

/// Each function that takes calls of signed-in people or of the host app, by whoever may make them.
#[tokio::test]
async fn every_function_and_every_caller_counts_as_use() {
    let (stack, _alone) = Stack::alone().await;
    let companies = connected(&stack, 8, 31 * DAY).await;
    let id = |company: &Company| json!({ "companyId": company.id });
    for (company, function) in companies.iter().zip([
        "connection",
        "settings",
        "mapping",
        "timecard-intake",
        "timecard-intake by the bus",
        "sync-orchestrator",
        "oauth-initiate",
        "oauth-callback",
    ]) {
        let mark = stack.control().mark().await;
        let status = format!("/status?companyId={}", company.id);
        let mapping = format!("/mapping?companyId={}", company.id);
        let card = Card::new("t", 1);
        let answered = match function {
            "connection" => stack.get(&Caller::viewer(&company.id), &status).await.status,
            "settings" => stack.get(&Caller::operator(), &settings(company)).await.status,
            "mapping" => stack.get(&company.admin, &mapping).await.status,
            "timecard-intake" => {
                let card = card.json(company);
                stack.post(&Caller::service(), "/timecards", &card).await.status
            }
            "timecard-intake by the bus" => {
                stack.publish_cards(company, &[card]).await;
                202
            }
            "sync-orchestrator" => {
                let mut body = id(company);
                body["entities"] = json!(["items"]);
                body["direction"] = "in".into();
                stack.post(&Caller::service(), "/sync-now", &body).await.status
            }
            "oauth-initiate" => stack.post(&company.admin, "/connect", &id(company)).await.status,
            _ => stack.post(&company.admin, "/connect/confirm", &id(company)).await.status,
        };
        assert!([200, 202, 409].contains(&answered), "{function}: {answered}");
        let binary = function.split(' ').next().unwrap_or_default();
        eventually(function, SOON, async || {
            let [_, noted, renewed] = looks(&stack, mark, binary).await;
            (noted >= 1 && renewed == 1).then_some(())
        })
        .await;
    }
}

/// The activity's own calls are refused; nobody who waits for an answer hears of it.
#[tokio::test]
async fn a_look_that_is_refused_changes_no_answer() {
    let (stack, _alone) = Stack::alone().await;
    let company = connected(&stack, 1, 35 * DAY).await.remove(0);
    let table = stack.table("Connections");
    stack
        .control()
        .refuse(&json!({
            "function": "settings", "action": "dynamodb:GetItem", "resource": table, "status": 400,
        }))
        .await;
    let mark = stack.control().mark().await;
    let answer: Value = stack.get(&company.admin, &settings(&company)).await.ok();
    assert_eq!(text(&answer, "companyId"), company.id);
    // It is not insisted on either: one call, and none that it leads to.
    assert_eq!(looks(&stack, mark, "settings").await, [1, 0, 0]);
    stack.control().clear_rules().await;
    // A minute later the next use may try again.
    stack.sandbox().advance(61).await;
    let mark = stack.control().mark().await;
    stack.get(&company.admin, &settings(&company)).await.ok();
    assert_eq!(looks(&stack, mark, "settings").await, [1, 1, 1]);
    let key = connection_key("company", &company);
    assert!(stack.item("Connections", &key).await["activeAt"].as_i64().is_some());
}
