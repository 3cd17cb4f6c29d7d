//! What a timecard costs in calls, in a backlog of one company (design: "Pace and cost"). Counted, not
//! timed: the emulator's speed is not AWS's.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stack_tests::proxy::Target;
use stack_tests::stack::Stack;
use stack_tests::stack::cards::Card;
use stack_tests::stack::company::Company;

/// Calls of a function since `mark`: by service, and by operation within it.
async fn calls(
    stack: &Stack,
    mark: u64,
    binary: &str,
) -> (BTreeMap<String, f64>, BTreeMap<String, u32>) {
    let (mut services, mut operations) = (BTreeMap::new(), BTreeMap::new());
    let function = stack.function(binary);
    for call in stack.control().log(mark).await {
        if call.function.as_deref() != Some(function) || call.target != Target::Aws {
            continue;
        }
        *services.entry(call.service).or_insert(0.0) += 1.0;
        *operations.entry(call.action).or_insert(0) += 1;
    }
    (services, operations)
}

fn print(title: &str, cards: u32, operations: &BTreeMap<String, u32>) {
    println!("{title}, {cards} timecards");
    for (operation, count) in operations {
        println!("  {operation:<42} {count:>5}  {:.3}", f64::from(*count) / f64::from(cards));
    }
}

async fn live_sync(stack: &Stack, company: &Company, on: bool) {
    let body = json!({ "companyId": company.id, "liveSync": on });
    let path = format!("/settings?companyId={}", company.id);
    stack.put(&company.admin, &path, &body).await.ok();
}

async fn backlog_of(cards: u32) {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.crew().await;
    stack.let_others_rest(&[&company]).await;
    live_sync(&stack, &company, false).await;
    stack.idle(&[&company]).await;
    let backlog = Card::several("t", cards);
    let mark = stack.control().mark().await;
    stack.deliver(&company, &backlog).await;
    let (intake, operations) = calls(&stack, mark, "timecard-intake").await;
    print("Intake", cards, &operations);

    let before = stack.sandbox().counters(&company.realm).await;
    let mark = stack.control().mark().await;
    let began = Instant::now();
    live_sync(&stack, &company, true).await;
    let patience = Duration::from_secs(60 + u64::from(cards) / 4);
    stack.all_synced(&company, &backlog, patience).await;
    let took = began.elapsed().as_secs_f64();
    let (worker, operations) = calls(&stack, mark, "sync-worker").await;
    print("Push", cards, &operations);
    let after = stack.sandbox().counters(&company.realm).await;
    let number = |counters: &Value, name: &str| counters[name].as_u64().unwrap_or_default();
    let reads = number(&after, "readsMetered") - number(&before, "readsMetered");
    println!(
        "  {:.1} timecards a second; {reads} metered reads; at most {} calls in a second, {} in flight",
        f64::from(cards) / took,
        after["maxPerSecond"],
        after["maxInFlight"],
    );
    stack.exactly_once(&company, &backlog).await;

    let cards = f64::from(cards);
    let spent = |calls: &BTreeMap<String, f64>, service: &str| {
        calls.get(service).copied().unwrap_or_default()
    };
    let few = 5.0;
    assert!(spent(&worker, "dynamodb") <= 0.5 * cards, "{worker:?}");
    assert!(spent(&worker, "sqs") <= 0.02 * cards + few, "{worker:?}");
    assert!(spent(&worker, "secretsmanager") <= 0.01 * cards + few, "{worker:?}");
    assert!(spent(&worker, "events") <= 0.1 * cards + few, "{worker:?}");
    assert!(spent(&intake, "dynamodb") <= 0.1 * cards + few, "{intake:?}");
    assert_eq!(reads, 0, "pushing new timecards reads nothing");
    assert_eq!(number(&after, "throttled429"), 0);
    assert!(number(&after, "maxPerSecond") <= 10 && number(&after, "maxInFlight") <= 10);
    assert!(number(&after, "maxPerMinute") <= 500);
}

#[tokio::test]
async fn a_backlog_costs_few_calls_for_each_timecard() {
    backlog_of(160).await;
}

/// Longer than one slice and than one minute of Intuit's limit.
#[tokio::test]
#[ignore = "long: QuickBooks takes eight a second"]
async fn a_long_backlog_costs_few_calls_for_each_timecard() {
    backlog_of(1000).await;
}
