//! Intuit refuses a refresh token for good.

use serde_json::json;
use stack_tests::stack::cards::Card;
use stack_tests::stack::stored::text;
use stack_tests::stack::{Stack, eventually};

use super::{SOON, push};

/// Not only the worker: whoever needs a token provides it, and finds out when Intuit gives none.
#[tokio::test]
async fn a_connection_test_refreshes_too_and_tells_when_intuit_refuses() {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.crew().await;
    stack.let_others_rest(&[&company]).await;
    let body = json!({ "companyId": company.id });
    let test = async || stack.post(&company.admin, "/test-connection", &body).await.ok();
    stack.let_the_token_expire(&company).await;
    assert_eq!(test().await["connected"], true);
    assert_eq!(stack.token_calls(&company).await.refresh, 1);
    let realm = json!({ "realm": company.realm });
    stack.sandbox().post("/tokens/revoke-refresh", &realm).await;
    stack.let_the_token_expire(&company).await;
    for _ in 0..2 {
        let answer = test().await;
        assert_eq!(answer["connected"], false, "{answer}");
        assert!(text(&answer, "error").contains("connect again"), "{answer}");
        stack.sandbox().advance(60).await;
    }
    assert_eq!(stack.status(&company).await["status"], "reconnectRequired");
    assert_eq!(stack.company_row(&company).await["state"], "paused");
    assert_eq!(stack.token_calls(&company).await.refused, 1, "asked once");
}

#[tokio::test]
async fn when_intuit_refuses_for_good_work_waits_and_a_reconnect_resumes_it() {
    let (stack, _alone) = Stack::alone().await;
    stack.listen().await;
    let company = stack.crew().await;
    stack.let_others_rest(&[&company]).await;
    let before = push(&stack, &company, "before", 2).await;
    let realm = json!({ "realm": company.realm });
    stack.sandbox().post("/tokens/revoke-refresh", &realm).await;
    stack.let_the_token_expire(&company).await;
    let cards = Card::several("t", 5);
    stack.deliver(&company, &cards).await;
    let health = eventually("reconnectRequired", SOON, async || {
        let status = stack.status(&company).await;
        (status["status"] == "reconnectRequired").then_some(status)
    })
    .await;
    assert_eq!(health["connected"], false, "{health}");
    eventually("the pause", SOON, async || {
        let row = stack.company_row(&company).await;
        (row["state"] == "paused" && row.get("leaseOwner").is_none()).then_some(())
    })
    .await;
    // No loop: neither sweeps nor new work ask Intuit again.
    for _ in 0..3 {
        stack.sandbox().advance(600).await;
        stack.sweep().await;
    }
    let more = Card::several("more", 2);
    stack.deliver(&company, &more).await;
    assert_eq!(stack.token_calls(&company).await.refused, 1);
    let records = stack.records(&company).await;
    for card in cards.iter().chain(&more) {
        assert_eq!(records[&card.id].status, "pending", "{}", card.id);
    }
    assert_eq!(stack.reconnect_notices(&company).await, 1, "the host app hears of it once");
    stack.mails_come(&company, 1).await;
    let row = stack.connection_row(&company).await;
    assert!(row.get("cleanUpAt").is_none(), "nothing is left to announce: {row}");
    stack.connect(&company).await;
    let all: Vec<Card> = before.into_iter().chain(cards).chain(more).collect();
    stack.all_synced(&company, &all, SOON).await;
    assert_eq!(stack.status(&company).await["status"], "connected");
    stack.exactly_once(&company, &all).await;
}

/// Whoever found the end out is slow to tell of it, and by then an admin has connected again.
#[tokio::test]
async fn a_late_announcement_pauses_nobody_who_is_connected_again() {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.crew().await;
    stack.idle(&[&company]).await;
    stack.sandbox().post("/tokens/revoke-refresh", &json!({ "realm": company.realm })).await;
    let slow = json!({ "function": "connection", "action": "events:PutEvents", "delayMs": 6000 });
    stack.control().delay(&slow).await;
    let body = json!({ "companyId": company.id });
    let finding_out = stack.post(&company.admin, "/refresh", &body);
    let connecting = async {
        eventually("the end to be noticed", SOON, async || {
            let row = stack.connection_row(&company).await;
            (row["status"] == "reconnectRequired").then_some(())
        })
        .await;
        stack.connect(&company).await;
        stack.control().applied().await
    };
    let (answer, held) = tokio::join!(finding_out, connecting);
    stack.control().clear_rules().await;
    assert_eq!((answer.status, held), (409, 1), "{answer:?}");
    assert_eq!(stack.company_row(&company).await["state"], "live");
    push(&stack, &company, "after", 2).await;
}

/// A call that QuickBooks refused has marked the connection and told of it, while a refresh was still
/// waiting for Intuit to say the same.
#[tokio::test]
async fn an_end_that_was_found_out_in_two_ways_is_told_once() {
    let (stack, _alone) = Stack::alone().await;
    stack.listen().await;
    let company = stack.company("empty").await;
    stack.connect(&company).await;
    stack.idle(&[&company]).await;
    stack.sandbox().post("/tokens/revoke-refresh", &json!({ "realm": company.realm })).await;
    let slow = json!({
        "function": "connection", "path": "/oauth2/v1/tokens/bearer", "delayMs": 4000,
    });
    stack.control().delay(&slow).await;
    let body = json!({ "companyId": company.id });
    let refreshing = stack.post(&company.admin, "/refresh", &body);
    let other = async {
        eventually("the lease", SOON, async || {
            let row = stack.connection_row(&company).await;
            row["refreshOwner"].is_string().then_some(())
        })
        .await;
        stack.set_connection(&company, "status", &json!({ "S": "reconnectRequired" })).await;
    };
    let (answer, ()) = tokio::join!(refreshing, other);
    assert_eq!(stack.control().applied().await, 1);
    stack.control().clear_rules().await;
    assert_eq!(answer.status, 409, "{answer:?}");
    assert_eq!(stack.token_calls(&company).await.refused, 1, "Intuit has said it, too");
    let row = stack.connection_row(&company).await;
    assert_eq!(text(&row, "status"), "reconnectRequired");
    assert!(row.get("cleanUpAt").is_none(), "nothing is to be announced again: {row}");
    stack.sandbox().advance(600).await;
    stack.invoke("connection", &json!({ "schedule": "clean-up" })).await;
    assert_eq!(stack.reconnect_notices(&company).await, 0, "the other one has told of it");
}
