//! A connection in use: testing it, connecting again, and the environment it was made in.

use std::time::Duration;

use serde_json::{Value, json};
use stack_tests::stack::company::Company;
use stack_tests::stack::{Stack, eventually};

use crate::outside::{self, Visitor, callback, confirm, exchanges, live_grants, secrets, status};

const MOMENT: Duration = Duration::from_secs(20);

/// The answer of a connection test; waits until the company's share of calls allows one.
pub(crate) async fn tested(stack: &Stack, company: &Company) -> Value {
    let body = json!({ "companyId": company.id });
    eventually("leave to test the connection", MOMENT, async || {
        let answer = stack.post(&company.admin, "/test-connection", &body).await;
        (answer.status != 429).then(|| answer.ok())
    })
    .await
}

#[tokio::test]
async fn the_connection_test_asks_quickbooks_itself() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    stack.connect(&company).await;
    assert_eq!(
        tested(&stack, &company).await,
        json!({ "connected": true, "companyName": company.id })
    );
    // Renamed at QuickBooks a moment ago: the test sees it.
    let path = format!("/companies/{}", company.realm);
    stack.sandbox().post(&path, &json!({ "companyName": "Ridge & Söhne" })).await;
    assert_eq!(tested(&stack, &company).await["companyName"], "Ridge & Söhne");
}

#[tokio::test]
async fn a_connection_test_that_fails_says_why_in_words() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    stack.connect(&company).await;
    for (fault, words) in [
        (json!({ "status": 503 }), "Try again"),
        (json!({ "cut": "before" }), "did not answer"),
        (json!({ "status": 403, "faultCode": "5020" }), "5020"),
    ] {
        let mut fault = fault;
        fault["path"] = "/companyinfo".into();
        fault["realm"] = company.realm.clone().into();
        stack.sandbox().fault(&fault).await;
        let answer = tested(&stack, &company).await;
        assert_eq!(answer["connected"], false, "{fault}");
        assert_eq!(answer["companyName"], company.id.as_str());
        let error = answer["error"].as_str().unwrap();
        assert!(error.contains(words), "{words:?} is not in {error:?}");
    }
    assert_eq!(tested(&stack, &company).await["connected"], true);
    assert_eq!(status(&stack, &company).await["connected"], true, "a failed test ends nothing");
}

#[tokio::test]
async fn testing_a_connection_too_often_is_refused_with_a_time_to_wait() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    stack.connect(&company).await;
    let slow = json!({ "realm": company.realm, "path": "/companyinfo", "delayMs": 3000 });
    stack.sandbox().fault(&slow).await;
    // Two at once, each as often as it takes: while the one is under way, the other is refused.
    let body = json!({ "companyId": company.id });
    let until_done = async || {
        let mut refused = Vec::new();
        loop {
            let answer = stack.post(&company.admin, "/test-connection", &body).await;
            if answer.status == 200 {
                assert_eq!(answer.ok()["connected"], true);
                return refused;
            }
            refused.push(answer);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let (mut refused, others) = tokio::join!(until_done(), until_done());
    refused.extend(others);
    assert!(!refused.is_empty());
    for answer in refused {
        outside::problem(&answer, 429, "too-many-tests");
        let wait: u32 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=60).contains(&wait));
    }
}

#[tokio::test]
async fn connecting_again_to_the_same_realm_works_throughout_and_leaves_one_secret() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    stack.connect(&company).await;
    stack.idle(&[&company]).await;
    let first = secrets(&stack, &company.id).await;
    assert_eq!(tested(&stack, &company).await["connected"], true);
    let mut visitor = Visitor::default();
    let callback = callback(&stack, &company, &mut visitor).await;
    assert_eq!(visitor.open(&stack, &callback).await.status, 200);
    // Not confirmed yet: the connection that is live goes on.
    let between = status(&stack, &company).await;
    assert_eq!(between["connected"], true);
    assert_eq!(between["waitingForConfirmation"]["realmId"], company.realm.as_str());
    assert_eq!(tested(&stack, &company).await["connected"], true);
    confirm(&stack, &company.admin, &company.id).await.ok();
    let second = secrets(&stack, &company.id).await;
    assert_eq!((first.len(), second.len()), (1, 1));
    assert_ne!(first, second, "a secret of its own for each connect");
    assert_eq!(exchanges(&stack, &company.realm).await, 2);
    assert!(live_grants(&stack, &company.realm).await >= 1);
    assert_eq!(tested(&stack, &company).await["connected"], true);
    let import = json!({ "entities": ["items"], "direction": "in" });
    assert_eq!(stack.job(&company, &import, MOMENT).await["status"], "completed");
}

#[tokio::test]
async fn connecting_twice_before_confirming_keeps_the_second_and_destroys_the_first() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    let mut kept = Vec::new();
    for _ in 0..2 {
        let mut visitor = Visitor::default();
        let callback = callback(&stack, &company, &mut visitor).await;
        assert_eq!(visitor.open(&stack, &callback).await.status, 200);
        kept.push(secrets(&stack, &company.id).await);
    }
    assert_eq!((kept[0].len(), kept[1].len()), (1, 1));
    assert_ne!(kept[0], kept[1]);
    confirm(&stack, &company.admin, &company.id).await.ok();
    assert_eq!(tested(&stack, &company).await["connected"], true);
}

#[tokio::test]
async fn a_connection_of_intuits_other_environment_is_refused() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    stack.connect(&company).await;
    // As a table looks that was restored from the production stage's.
    let key = outside::connection_key("company", &company);
    stack.idle(&[&company]).await;
    stack.set("Connections", &key, "environment", &json!({ "S": "production" })).await;
    let calls = stack.sandbox().counters(&company.realm).await["calls"].clone();
    let answer = tested(&stack, &company).await;
    assert_eq!(answer["connected"], false);
    let error = answer["error"].as_str().unwrap();
    assert!(error.contains("production") && error.contains("sandbox"), "{error}");
    assert_eq!(status(&stack, &company).await["environment"], "production");
    assert_eq!(stack.sandbox().counters(&company.realm).await["calls"], calls);
}
