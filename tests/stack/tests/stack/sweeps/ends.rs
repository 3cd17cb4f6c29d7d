//! Ends: warnings of a hard expiry (C7), and a disconnect on Intuit's side (C11).

use serde_json::json;
use stack_tests::stack::connections::DAY;
use stack_tests::stack::stored::text;
use stack_tests::stack::{Stack, eventually};

use super::{SOON, put, refreshes, told};

#[tokio::test]
async fn admins_are_warned_of_a_hard_expiry_once_at_30_and_once_at_7_days() {
    let (stack, _alone) = Stack::alone().await;
    stack.listen().await;
    let company = stack.plant(1, 0).await.remove(0);
    stack.other_connections_rest(&[&company]).await;
    let day = 86_400_000;
    let hard = stack.sandbox().now().await.as_millisecond() + 40 * day;
    put(&stack, &company, "hardExpiresAt", hard).await;
    put(&stack, &company, "warnAt", hard - 30 * day).await;
    let mut warned = Vec::new();
    for days in [0, 11, 0, 12, 12, 0, 6] {
        stack.sandbox().advance(days * DAY).await;
        let report = stack.sweep_connections("hard-expiry", SOON).await;
        warned.push(report["warned"].as_u64().unwrap_or_default());
    }
    assert_eq!(warned, [0, 1, 0, 0, 1, 0, 0]);
    let near = "connection.hard_expiry_near";
    eventually("both warnings", SOON, async || {
        (told(&stack, &company, near).await == 2).then_some(())
    })
    .await;
    let events = stack.events(&company.id).await;
    let event = events.iter().find(|event| event["detail-type"] == near).expect("it was told");
    let says: jiff::Timestamp = text(&event["detail"], "hardExpiresAt").parse().expect("a time");
    assert_eq!(says.as_millisecond(), hard);
    stack.uproot(&[company]).await;
}

#[tokio::test]
async fn a_proof_finds_what_was_ended_at_intuit_and_leaves_a_healthy_connection_alone() {
    let (stack, _alone) = Stack::alone().await;
    stack.listen().await;
    let (ended, healthy) = (stack.company("empty").await, stack.company("empty").await);
    let both = [ended.clone(), healthy.clone()];
    stack.plant_for(&both, 120).await;
    stack.sandbox().post(&format!("/companies/{}/disconnect", ended.realm), &json!({})).await;
    let now = stack.sandbox().now().await.as_millisecond();
    for company in &both {
        put(&stack, company, "proofAskedAt", now).await;
        // Asked for twice, as messages may come twice.
        for _ in 0..2 {
            let prove = json!({ "ask": "prove", "companyId": company.id });
            stack.ask_token_refresh(&prove).await;
        }
    }
    eventually("the proofs", SOON, async || {
        let row = stack.connection_row(&ended).await;
        let asked = refreshes(&stack, &healthy).await == 1;
        (asked && text(&row, "status") == "reconnectRequired").then_some(())
    })
    .await;
    eventually("the host app to hear of it", SOON, async || {
        (told(&stack, &ended, "connection.reconnect_required").await == 1).then_some(())
    })
    .await;
    eventually("an empty queue", SOON, async || {
        (stack.depth("Refreshes").await.0 == 0).then_some(())
    })
    .await;
    assert_eq!(text(&stack.connection_row(&healthy).await, "status"), "connected");
    assert_eq!(
        refreshes(&stack, &healthy).await,
        1,
        "a proof that was given is not asked for again"
    );
    let counters = stack.sandbox().counters(&healthy.realm).await;
    assert_eq!(counters["readsMetered"].as_u64().unwrap_or_default(), 0, "{counters}");
    assert_eq!(told(&stack, &healthy, "connection.reconnect_required").await, 0);
    stack.uproot(&both).await;
}
