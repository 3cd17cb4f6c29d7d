//! Connecting, killed at any of its calls: the user tries again and is connected, and the secrets that
//! exist are those that rows name.

use std::time::Duration;

use serde_json::json;
use stack_tests::stack::company::Company;
use stack_tests::stack::control::at;
use stack_tests::stack::{Stack, eventually};

use super::access::tested;
use super::disconnect::disconnect;
use crate::outside::{self, Visitor, callback, confirm, secrets, status};

/// Goes the whole way once, and looks at no answer.
async fn try_to_connect(stack: &Stack, company: &Company) {
    let mut visitor = Visitor::default();
    let callback = callback(stack, company, &mut visitor).await;
    visitor.open(stack, &callback).await;
    confirm(stack, &company.admin, &company.id).await;
}

/// The company's secrets are those that its rows name, once all is cleaned up.
async fn nothing_is_orphaned(stack: &Stack, company: &Company, when: &str) {
    stack.invoke("connection", &json!({ "schedule": "clean-up" })).await;
    let row = outside::connection(stack, company, true).await;
    let named: Vec<String> = row["secret"].as_str().map(str::to_owned).into_iter().collect();
    assert_eq!(secrets(stack, &company.id).await, named, "{when}");
    let waiting = outside::connection(stack, company, false).await;
    assert!(waiting.is_null(), "{when}: {waiting}");
}

#[tokio::test]
async fn connecting_can_be_repeated_wherever_it_died() {
    let (stack, _alone) = Stack::alone().await;
    // Sampled: every fifth call, some before and some after.
    let died = die_and_repeat(&stack, &mut (1..80).step_by(5)).await;
    assert!(died >= 4, "only {died} calls were met");
}

#[tokio::test]
#[ignore = "long: dies at each of some forty calls"]
async fn connecting_can_be_repeated_whichever_call_it_died_at() {
    let (stack, _alone) = Stack::alone().await;
    let died = die_and_repeat(&stack, &mut (1..80)).await;
    assert!(died >= 20, "only {died} calls were met");
}

/// Connects companies, each killed at another of these calls. Answers how many calls there were.
async fn die_and_repeat(stack: &Stack, calls: &mut dyn Iterator<Item = u64>) -> u64 {
    let mut died = 0;
    for nth in calls {
        let company = stack.company("empty").await;
        // Every other company was connected before: then there is a secret to replace.
        if nth % 2 == 0 {
            stack.connect(&company).await;
        }
        let mut order = at("oauth-callback", if nth % 4 < 2 { "after" } else { "before" });
        order["nth"] = nth.into();
        order["calls"] = 1.into();
        stack.control().crash(&order).await;
        try_to_connect(stack, &company).await;
        let applied = stack.control().applied().await;
        stack.control().clear_rules().await;
        died += applied;
        let when = format!("call {nth}");
        let confirmed = confirm(stack, &company.admin, &company.id).await.status == 200;
        let waits = !outside::connection(stack, &company, false).await.is_null();
        if !confirmed || waits {
            // The callback had not got so far, and said so: begin again.
            try_to_connect(stack, &company).await;
        }
        assert_eq!(status(stack, &company).await["connected"], true, "{when}");
        // A call that died in the middle holds the company's interactive share for 35 s.
        stack.sandbox().advance(36).await;
        assert_eq!(tested(stack, &company).await["connected"], true, "{when}");
        nothing_is_orphaned(stack, &company, &when).await;
        if applied == 0 {
            break;
        }
    }
    died
}

#[tokio::test]
async fn an_attempt_that_died_and_that_nobody_repeats_is_cleaned_up() {
    let (stack, _alone) = Stack::alone().await;
    for action in ["secretsmanager:CreateSecret", "secretsmanager:PutSecretValue"] {
        let company = stack.company("empty").await;
        let mut order = at("oauth-callback", "after");
        order["action"] = action.into();
        stack.control().crash(&order).await;
        let mut visitor = Visitor::default();
        let callback = callback(&stack, &company, &mut visitor).await;
        visitor.open(&stack, &callback).await;
        stack.control().clear_rules().await;
        assert_eq!(secrets(&stack, &company.id).await.len(), 1, "{action}");
        stack.sandbox().advance(601).await;
        let swept = stack.invoke("connection", &json!({ "schedule": "clean-up" })).await;
        assert_eq!(swept["failed"], 0, "{swept}");
        nothing_is_orphaned(&stack, &company, action).await;
    }
}

/// Disconnecting finds the row of the waiting connection and no secret to destroy, since the callback is
/// still making it.
#[tokio::test]
async fn a_connection_that_is_given_up_while_its_secret_is_made_leaves_none() {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.company("empty").await;
    let mut visitor = Visitor::default();
    let back = callback(&stack, &company, &mut visitor).await;
    let slow = json!({
        "function": "oauth-callback", "action": "secretsmanager:CreateSecret", "delayMs": 5000,
    });
    stack.control().delay(&slow).await;
    let opening = visitor.open(&stack, &back);
    let giving_up = async {
        eventually("the row that waits", Duration::from_secs(20), async || {
            let waiting = outside::connection(&stack, &company, false).await;
            (!waiting.is_null()).then_some(())
        })
        .await;
        disconnect(&stack, &company).await
    };
    let (page, ended) = tokio::join!(opening, giving_up);
    stack.control().clear_rules().await;
    assert_eq!(ended.status, 200, "{ended:?}");
    assert!(page.status >= 400, "it is not connected: {} {}", page.status, page.text);
    assert_ne!(confirm(&stack, &company.admin, &company.id).await.status, 200);
    nothing_is_orphaned(&stack, &company, "given up").await;
}

/// The note that a connection may be confirmed was written and its answer was lost; before the AWS client
/// writes it again, the user has confirmed, so the second write finds the row gone.
#[tokio::test]
async fn a_connection_that_is_confirmed_before_the_callback_knows_keeps_its_secret() {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.company("empty").await;
    let mut visitor = Visitor::default();
    let back = callback(&stack, &company, &mut visitor).await;
    let note = json!({
        "function": "oauth-callback", "action": "dynamodb:UpdateItem", "calls": 1,
        "resource": format!("table/{}", stack.table("Connections")),
    });
    let (mut lost, mut late) = (note.clone(), note);
    lost["when"] = "after".into();
    (late["nth"], late["delayMs"]) = (2.into(), 4000.into());
    stack.control().cut(&lost).await;
    stack.control().delay(&late).await;
    let opening = visitor.open(&stack, &back);
    let confirming = async {
        eventually("the note, and the second one", Duration::from_secs(20), async || {
            (stack.control().applied().await == 2).then_some(())
        })
        .await;
        confirm(&stack, &company.admin, &company.id).await
    };
    let (page, confirmed) = tokio::join!(opening, confirming);
    stack.control().clear_rules().await;
    assert_eq!(confirmed.status, 200, "{confirmed:?}");
    assert!(page.status < 400, "{} {}", page.status, page.text);
    assert_eq!(tested(&stack, &company).await["connected"], true);
    nothing_is_orphaned(&stack, &company, "confirmed early").await;
}
