//! Somebody connects a company while it is deleted, or right after.

use serde_json::json;
use stack_tests::stack::company::Company;
use stack_tests::stack::{Stack, eventually};

use super::super::access::tested;
use super::{MOMENT, deleted_at, left, line, look_again, messages};
use crate::outside::{self, Visitor, callback, status};

/// Somebody is at Intuit's page while the host app deletes the company, and says yes there afterwards.
#[tokio::test]
async fn whoever_comes_back_from_intuit_after_the_erasure_leaves_nothing() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    let mut visitor = Visitor::default();
    let back = callback(&stack, &company, &mut visitor).await;
    let requested = stack.sandbox().now().await;
    stack.invoke("company-erasure", &messages(&[deleted_at(&company.id, requested)])).await;
    look_again(&stack, &company.id).await;
    assert_eq!(line(&stack, &company.id).await["state"], "erased");

    let page = visitor.open(&stack, &back).await;
    assert!(page.status >= 400, "{} {}", page.status, page.text);
    assert_eq!(outside::exchanges(&stack, &company.realm).await, 0, "the code is not used");
    assert_eq!(left(&stack, &company.id).await, Vec::<String>::new());
}

/// The link is from before, and it is opened while the erasure runs, which may have passed the place where
/// a connection would be.
#[tokio::test]
async fn whoever_comes_back_from_intuit_during_the_erasure_leaves_nothing() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    let mut visitor = Visitor::default();
    let link = outside::link(&stack, &company.admin, &company.id).await;
    let requested = stack.sandbox().now().await;
    stack.invoke("company-erasure", &messages(&[deleted_at(&company.id, requested)])).await;
    let consent = outside::to_intuit(&stack, &mut visitor, &link).await;
    let back = outside::grant(&stack, &mut visitor, &consent, &company.realm).await;
    assert_eq!(line(&stack, &company.id).await["state"], "erasing");

    let page = visitor.open(&stack, &back).await;
    assert!(page.status >= 400, "{} {}", page.status, page.text);
    assert_eq!(outside::exchanges(&stack, &company.realm).await, 0, "the code is not used");
    assert_eq!(left(&stack, &company.id).await, Vec::<String>::new());
    look_again(&stack, &company.id).await;
}

/// A company that was erased, and is being connected again: its admin has yet to confirm.
async fn erased_and_waiting(stack: &Stack) -> Company {
    let company = stack.company("empty").await;
    let requested = stack.sandbox().now().await;
    stack.invoke("company-erasure", &messages(&[deleted_at(&company.id, requested)])).await;
    look_again(stack, &company.id).await;
    let mut visitor = Visitor::default();
    let back = callback(stack, &company, &mut visitor).await;
    assert!(visitor.open(stack, &back).await.status < 400);
    company
}

/// Only a connection that is made says that the company lives on; an attempt does not.
#[tokio::test]
async fn a_confirmation_that_fails_does_not_outdate_a_deletion_on_its_way() {
    let (stack, _shared) = Stack::shared().await;
    let company = erased_and_waiting(&stack).await;
    let deletion = stack.sandbox().now().await;
    // Somebody else connects that QuickBooks company before this one is confirmed.
    let guard = json!({ "id": { "S": format!("realm#sandbox#{}", company.realm) } });
    stack.set("Connections", &guard, "company", &json!({ "S": "somebody-else" })).await;
    let confirmed = outside::confirm(&stack, &company.admin, &company.id).await;
    outside::problem(&confirmed, 409, "realm-taken");
    assert_eq!(line(&stack, &company.id).await.get("againAt"), None);

    stack.invoke("company-erasure", &messages(&[deleted_at(&company.id, deletion)])).await;
    assert_eq!(line(&stack, &company.id).await["state"], "erasing");
    look_again(&stack, &company.id).await;
    assert_eq!(left(&stack, &company.id).await, Vec::<String>::new());
}

/// A late deletion has read that the company is erased, and finds it connected again when it writes.
#[tokio::test]
async fn a_late_deletion_that_a_confirmation_overtakes_erases_nothing() {
    let (stack, _alone) = Stack::alone().await;
    let company = erased_and_waiting(&stack).await;

    let late = messages(&[deleted_at(&company.id, stack.sandbox().now().await)]);
    let slow = json!({
        "function": "company-erasure", "action": "dynamodb:PutItem", "calls": 1, "delayMs": 6000,
        "resource": format!("table/{}", stack.table("AuditLog")),
    });
    stack.control().delay(&slow).await;
    let erasing = stack.invoke("company-erasure", &late);
    let confirming = async {
        eventually("the line's write", MOMENT, async || {
            (stack.control().applied().await == 1).then_some(())
        })
        .await;
        outside::confirm(&stack, &company.admin, &company.id).await
    };
    let (erased, confirmed) = tokio::join!(erasing, confirming);
    stack.control().clear_rules().await;
    assert_eq!(confirmed.status, 200, "{confirmed:?}");
    assert_eq!(erased, json!({ "batchItemFailures": [] }));
    let line = line(&stack, &company.id).await;
    assert!(line["state"] == "erased" && line["againAt"].is_i64(), "{line}");
    assert_eq!(status(&stack, &company).await["connected"], true);
    assert_eq!(tested(&stack, &company).await["connected"], true);
}
