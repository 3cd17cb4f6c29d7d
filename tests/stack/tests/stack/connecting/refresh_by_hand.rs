//! New tokens because an admin asks for them (C9).

use serde_json::{Value, json};
use stack_tests::stack::Stack;
use stack_tests::stack::api::{Answer, Caller};
use stack_tests::stack::company::Company;
use stack_tests::stack::stored::text;

use super::access::tested;
use super::disconnect::audited;
use crate::outside::{self, status};

async fn refresh(stack: &Stack, company: &Company) -> Answer {
    stack.post(&company.admin, "/refresh", &json!({ "companyId": company.id })).await
}

async fn refreshes(stack: &Stack, company: &Company) -> Value {
    stack.sandbox().counters(&company.realm).await["tokens"]["refresh"].clone()
}

#[tokio::test]
async fn an_admin_gets_new_tokens_once_a_minute_and_sees_their_health() {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.company("empty").await;
    stack.connect(&company).await;
    outside::first_import(&stack, &company).await;
    let [before, _] =
        outside::tokens(&stack, &outside::connection(&stack, &company, true).await).await;
    stack.sandbox().advance(5).await;
    let answer = refresh(&stack, &company).await.ok();
    assert_eq!(answer["success"], true);
    let health = answer["tokenHealth"].clone();
    assert_eq!(health, status(&stack, &company).await["tokenHealth"]);
    assert_eq!(
        (&health["lastRefreshResult"], &health["automaticRefresh"]),
        (&json!("ok"), &json!(true))
    );
    assert_eq!(health.get("nextRefreshTryAt"), None, "{health}");
    let [after, _] =
        outside::tokens(&stack, &outside::connection(&stack, &company, true).await).await;
    assert_ne!(before, after);
    assert_eq!(refreshes(&stack, &company).await, 1);

    let again = refresh(&stack, &company).await;
    outside::problem(&again, 429, "refreshed-too-often");
    let wait: u64 = again.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((40..=60).contains(&wait), "{wait}");
    assert_eq!(refreshes(&stack, &company).await, 1);
    stack.sandbox().advance(61).await;
    refresh(&stack, &company).await.ok();
    assert_eq!(refreshes(&stack, &company).await, 2);

    let rows = audited(&stack, &company, "refresh-by-hand").await;
    assert_eq!(rows.len(), 2);
    assert_eq!(text(&rows[0], "actor"), format!("user of {}:admin", company.id));
    assert!(rows[0].get("expiresAt").is_some(), "kept 90 days: {}", rows[0]);
}

#[tokio::test]
async fn asked_many_times_at_once_intuit_hears_it_once() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    stack.connect(&company).await;
    outside::first_import(&stack, &company).await;
    // "Since now" needs a token that is older than now.
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    let (a, b, c, d) = tokio::join!(
        refresh(&stack, &company),
        refresh(&stack, &company),
        refresh(&stack, &company),
        refresh(&stack, &company)
    );
    let mut got = [a.status, b.status, c.status, d.status];
    got.sort_unstable();
    assert_eq!(got, [200, 429, 429, 429]);
    assert_eq!(refreshes(&stack, &company).await, 1);
}

#[tokio::test]
async fn only_an_admin_of_a_live_connection_may_ask() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    outside::problem(&refresh(&stack, &company).await, 409, "not-connected");
    stack.connect(&company).await;
    let body = json!({ "companyId": company.id });
    for caller in [Caller::viewer(&company.id), Caller::service(), Caller::operator()] {
        let answer = stack.post(&caller, "/refresh", &body).await;
        outside::problem(&answer, 403, "role-not-allowed");
    }
    assert_eq!(refreshes(&stack, &company).await, 0);
}

#[tokio::test]
async fn intuit_being_down_is_said_and_nothing_is_lost() {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.company("empty").await;
    stack.connect(&company).await;
    outside::first_import(&stack, &company).await;
    stack.sandbox().advance(5).await;
    let down = json!({ "path": "/tokens/bearer", "realm": company.realm, "status": 503 });
    stack.sandbox().fault(&down).await;
    let answer = refresh(&stack, &company).await;
    outside::problem(&answer, 503, "intuit-unavailable");
    assert!(answer.headers.contains_key("retry-after"));
    // A failure counts too: nobody hammers Intuit while it is down.
    outside::problem(&refresh(&stack, &company).await, 429, "refreshed-too-often");
    let now = status(&stack, &company).await;
    assert_eq!(now["connected"], true);
    let health = &now["tokenHealth"];
    assert_ne!(health["lastRefreshResult"], "ok", "{health}");
    assert!(health["nextRefreshTryAt"].is_string(), "{health}");
    assert_eq!(tested(&stack, &company).await["connected"], true, "the old token still works");
    stack.sandbox().advance(61).await;
    let health = refresh(&stack, &company).await.ok()["tokenHealth"].clone();
    assert_eq!(
        (&health["lastRefreshResult"], health.get("nextRefreshTryAt")),
        (&json!("ok"), None)
    );
}

#[tokio::test]
async fn a_connection_that_intuit_has_ended_says_to_connect_again() {
    let (stack, _shared) = Stack::shared().await;
    stack.listen().await;
    let company = stack.company("empty").await;
    stack.connect(&company).await;
    outside::first_import(&stack, &company).await;
    stack.sandbox().post("/tokens/revoke-refresh", &json!({ "realm": company.realm })).await;
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    for _ in 0..2 {
        let answer = refresh(&stack, &company).await;
        let problem = outside::problem(&answer, 409, "reconnect-required");
        assert!(text(&problem, "detail").contains("connects again"), "{problem}");
    }
    assert_eq!(status(&stack, &company).await["status"], "reconnectRequired");
    let row = stack.company_row(&company).await;
    assert_eq!(text(&row, "state"), "paused", "its work waits");
    let told = async || {
        let events = stack.events(&company.id).await;
        events
            .iter()
            .filter(|event| event["detail-type"] == "connection.reconnect_required")
            .count()
    };
    stack_tests::stack::eventually("the event", std::time::Duration::from_secs(20), async || {
        (told().await > 0).then_some(())
    })
    .await;
    assert_eq!(told().await, 1);
    // Ending it works all the same, and so does connecting again.
    super::disconnect::disconnect(&stack, &company).await.ok();
    stack.connect(&company).await;
    assert_eq!(tested(&stack, &company).await["connected"], true);
}
