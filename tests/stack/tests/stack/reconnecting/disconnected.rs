//! `GET /disconnected`: a hint that anybody can give, and nothing more.

use std::time::{Duration, Instant};

use serde_json::json;
use stack_tests::stack::Stack;
use stack_tests::stack::company::Company;

use super::public;
use crate::outside::{Page, Visitor, connection};

async fn open(stack: &Stack, query: &str) -> Page {
    let begun = Instant::now();
    let page =
        Visitor::default().open(stack, &public(stack, &format!("/disconnected{query}"))).await;
    assert!(
        begun.elapsed() >= Duration::from_millis(400),
        "all are as slow: {:?}",
        begun.elapsed()
    );
    page
}

/// Proofs that were asked for since a mark of the proxy's log.
async fn proofs(stack: &Stack, since: u64) -> usize {
    let function = stack.function("oauth-initiate");
    let queue = stack.is.queues["Refreshes"].rsplit('/').next().unwrap_or_default();
    let log = stack.control().log(since).await;
    log.iter()
        .filter(|call| call.function.as_deref() == Some(function))
        .filter(|call| {
            let sends = |resource: &str| resource.ends_with(queue);
            call.uses.iter().any(|used| used.action == "sqs:SendMessage" && sends(&used.resource))
        })
        .count()
}

async fn asked_at(stack: &Stack, company: &Company) -> Option<i64> {
    connection(stack, company, true).await["proofAskedAt"].as_i64()
}

#[tokio::test]
async fn a_hint_asks_for_a_proof_at_most_once_an_hour_and_changes_nothing() {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.company("empty").await;
    stack.connect(&company).await;
    let query = format!("?realmId={}", company.realm);
    let mark = stack.control().mark().await;
    for _ in 0..3 {
        assert_eq!(open(&stack, &query).await.status, 200);
    }
    assert_eq!(proofs(&stack, mark).await, 1);
    assert!(asked_at(&stack, &company).await.is_some());
    let row = connection(&stack, &company, true).await;
    assert_eq!(row["status"], "connected", "Intuit itself has said nothing: {row}");
    stack.sandbox().advance(3500).await;
    open(&stack, &query).await;
    assert_eq!(proofs(&stack, mark).await, 1);
    stack.sandbox().advance(101).await;
    open(&stack, &query).await;
    assert_eq!(proofs(&stack, mark).await, 2);
}

/// The note of the first one would close the door for an hour, and nobody would have asked.
#[tokio::test]
async fn a_hint_that_could_not_be_sent_on_leaves_the_door_open_for_the_next() {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.company("empty").await;
    stack.connect(&company).await;
    let query = format!("?realmId={}", company.realm);
    let refused = json!({
        "function": "oauth-initiate", "action": "sqs:SendMessage", "calls": 1, "status": 400,
    });
    stack.control().refuse(&refused).await;
    assert_eq!(open(&stack, &query).await.status, 200);
    assert_eq!(stack.control().applied().await, 1);
    stack.control().clear_rules().await;
    assert_eq!(asked_at(&stack, &company).await, None);

    let mark = stack.control().mark().await;
    open(&stack, &query).await;
    assert_eq!(proofs(&stack, mark).await, 1);
    assert!(asked_at(&stack, &company).await.is_some());
}

#[tokio::test]
async fn the_page_says_the_same_of_every_realm() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    stack.connect(&company).await;
    let known = open(&stack, &format!("?realmId={}", company.realm)).await;
    assert!(known.says("We look ourselves") && known.says("href=\"reconnect\""), "{}", known.text);
    assert!(!known.says(&company.id) && !known.says(&company.realm));
    let huge = format!("?realmId={}", "9".repeat(4000));
    for query in [
        "",
        "?realmId=",
        "?realmId=9000000000000000001",
        "?realmId=%3Cscript%3E",
        "?realmId=a%00b",
        &huge,
    ] {
        let page = open(&stack, query).await;
        assert_eq!((page.status, &page.text), (known.status, &known.text), "{query:.40}");
        let names = |page: &Page| {
            let mut names: Vec<String> = page.headers.keys().map(ToString::to_string).collect();
            names.sort();
            names
        };
        assert_eq!(names(&page), names(&known), "{query:.40}");
    }
}
