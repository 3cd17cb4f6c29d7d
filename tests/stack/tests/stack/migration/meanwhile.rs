//! What happens besides: somebody connects or disconnects by hand, the host app deletes the company, the
//! old side goes on refreshing, Intuit is down.

use std::time::Duration;

use serde_json::{Value, json};
use stack_tests::stack::control::at;
use stack_tests::stack::{Stack, eventually};

use super::{Export, ROTATES, grace, old_token, report, result, row, run, works};
use crate::outside::{self, Visitor, callback, confirm};

/// Time for an event to arrive.
const SOON: Duration = Duration::from_secs(30);

/// The old side refreshes with a token that it should have left alone.
async fn old_side_refreshes(stack: &Stack, token: &str) -> u16 {
    let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
    let request = stack.http.post(format!("{}/oauth2/v1/tokens/bearer", stack.is.sandbox_url));
    let request = request.basic_auth("sandbox-client", Some("sandbox-secret")).form(&form);
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn who_connects_by_hand_in_the_middle_of_a_migration_wins() {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.company("empty").await;
    let token = old_token(&stack, &company.realm).await;
    let mut export = Export::default();
    export.add(&company.id, "anna", &company.realm, &token, &json!({}));
    let key = export.upload(&stack, "by-hand").await;
    // Proven and about to be live.
    let mut order = at("token-migration", "before");
    order["action"] = "dynamodb:TransactWriteItems".into();
    stack.control().crash(&order).await;
    stack.invoke_long("token-migration", &json!({ "export": key })).await;
    stack.control().clear_rules().await;
    assert_eq!(row(&stack, "migrating", &company.id).await["status"], "unconfirmed");

    stack.connect(&company).await;
    let by_hand = row(&stack, "company", &company.id).await;
    let answer = run(&stack, &key).await;
    assert_eq!(answer["companies"], json!({ "alreadyConnected": 1 }));
    assert_eq!(row(&stack, "migrating", &company.id).await, Value::Null);
    let now = row(&stack, "company", &company.id).await;
    assert_eq!(now["connectionId"], by_hand["connectionId"]);
    assert_eq!(outside::secrets(&stack, &company.id).await, [now["secret"].as_str().unwrap()]);
    assert!(works(&stack, &company).await);
    // Nothing was revoked: that might have ended the connection made by hand.
    let tokens = stack.sandbox().counters(&company.realm).await["tokens"].clone();
    assert_ne!(tokens["revoke"].as_u64().unwrap_or_default(), 1, "{tokens}");
}

#[tokio::test]
async fn who_disconnects_in_the_middle_of_a_migration_leaves_no_token_behind() {
    let (stack, _alone) = Stack::alone().await;
    for (when, revoked) in [("before", 0), ("after", 1)] {
        let company = stack.company("empty").await;
        let token = old_token(&stack, &company.realm).await;
        let mut export = Export::default();
        export.add(&company.id, "anna", &company.realm, &token, &json!({}));
        let key = export.upload(&stack, "disconnected").await;
        // Right before the exported tokens are used for the first time, or right after they were proven.
        let mut order = at("token-migration", "before");
        match when {
            "before" => order["path"] = "/oauth2/v1/tokens/bearer".into(),
            _ => order["action"] = "dynamodb:TransactWriteItems".into(),
        }
        stack.control().crash(&order).await;
        stack.invoke_long("token-migration", &json!({ "export": key })).await;
        stack.control().clear_rules().await;
        assert_eq!(outside::secrets(&stack, &company.id).await.len(), 1);

        let path = format!("/disconnect?companyId={}", company.id);
        outside::problem(&stack.delete(&company.admin, &path).await, 409, "not-connected");
        assert_eq!(row(&stack, "migrating", &company.id).await, Value::Null, "{when}");
        assert!(outside::secrets(&stack, &company.id).await.is_empty(), "{when}");
        let tokens = stack.sandbox().counters(&company.realm).await["tokens"].clone();
        // Tokens that were not used yet are still the old side's.
        assert_eq!(tokens["revoke"].as_u64().unwrap_or_default(), revoked, "{when}: {tokens}");
    }
}

#[tokio::test]
async fn a_company_that_the_host_app_has_deleted_is_not_brought_back() {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.company("empty").await;
    let token = old_token(&stack, &company.realm).await;
    let mut export = Export::default();
    export.add(&company.id, "anna", &company.realm, &token, &json!({}));
    let key = export.upload(&stack, "deleted").await;
    stack.publish("company.deleted", &json!({ "companyId": company.id })).await;
    eventually("the erasure to begin", SOON, async || {
        let line = json!({
            "company": { "S": company.id }, "item": { "S": "0000000000000#company-erased" },
        });
        (!stack.item("AuditLog", &line).await.is_null()).then_some(())
    })
    .await;
    run(&stack, &key).await;
    let report = report(&stack, &key).await;
    let found = result(&report, &company.id);
    assert_eq!(found["reason"], "deleted", "{found}");
    assert_eq!(row(&stack, "company", &company.id).await, Value::Null);
    assert!(outside::secrets(&stack, &company.id).await.is_empty());
    let tokens = stack.sandbox().counters(&company.realm).await["tokens"].clone();
    assert_eq!(tokens["refresh"].as_u64().unwrap_or_default(), 0, "{tokens}");
}

/// The erasure finds the row of a begun migration and no secret to destroy, since that is being made.
#[tokio::test]
async fn a_company_that_is_deleted_while_its_secret_is_made_leaves_none() {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.company("empty").await;
    let token = old_token(&stack, &company.realm).await;
    let mut export = Export::default();
    export.add(&company.id, "anna", &company.realm, &token, &json!({}));
    let key = export.upload(&stack, "deleted-meanwhile").await;
    let slow = json!({
        "function": "token-migration", "action": "secretsmanager:CreateSecret", "delayMs": 7000,
    });
    stack.control().delay(&slow).await;
    let deleting = async {
        eventually("the begun migration", SOON, async || {
            (!row(&stack, "migrating", &company.id).await.is_null()).then_some(())
        })
        .await;
        stack.publish("company.deleted", &json!({ "companyId": company.id })).await;
        eventually("its row to go", SOON, async || {
            row(&stack, "migrating", &company.id).await.is_null().then_some(())
        })
        .await;
    };
    let (answer, ()) = tokio::join!(run(&stack, &key), deleting);
    assert_eq!(stack.control().applied().await, 1);
    stack.control().clear_rules().await;
    assert_eq!(answer["companies"], json!({ "refused": 1 }));
    assert!(outside::secrets(&stack, &company.id).await.is_empty());
    assert_eq!(row(&stack, "company", &company.id).await, Value::Null);
    let tokens = stack.sandbox().counters(&company.realm).await["tokens"].clone();
    assert_eq!(tokens["refresh"].as_u64().unwrap_or_default(), 0, "{tokens}");
}

/// An admin confirms a connection, and between the look at the company's row and the writing of it the
/// migration has made one live.
#[tokio::test]
async fn who_confirms_while_the_migration_goes_live_replaces_it_and_leaves_no_secret() {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.company("empty").await;
    let token = old_token(&stack, &company.realm).await;
    let mut export = Export::default();
    export.add(&company.id, "anna", &company.realm, &token, &json!({}));
    let key = export.upload(&stack, "confirmed-meanwhile").await;
    let mut visitor = Visitor::default();
    let back = callback(&stack, &company, &mut visitor).await;
    visitor.open(&stack, &back).await;
    let waiting = outside::connection(&stack, &company, false).await;
    let slow = json!({
        "function": "oauth-callback", "action": "dynamodb:TransactWriteItems", "delayMs": 7000,
        "calls": 1,
    });
    stack.control().delay(&slow).await;
    let (confirmed, migrated) =
        tokio::join!(confirm(&stack, &company.admin, &company.id), run(&stack, &key));
    assert_eq!(stack.control().applied().await, 1);
    stack.control().clear_rules().await;
    assert_eq!(migrated["companies"], json!({ "migrated": 1 }), "it was the first");
    assert_eq!(confirmed.status, 200, "{confirmed:?}");
    let live = row(&stack, "company", &company.id).await;
    assert_eq!(live["connectionId"], waiting["connectionId"]);
    stack.invoke("connection", &json!({ "schedule": "clean-up" })).await;
    assert_eq!(outside::secrets(&stack, &company.id).await, [live["secret"].as_str().unwrap()]);
    assert!(works(&stack, &company).await);
}

#[tokio::test]
async fn a_company_that_its_old_side_refreshed_after_the_export_stays_there() {
    let (stack, _alone) = Stack::alone().await;
    grace(&stack, 0).await;
    let company = stack.company("empty").await;
    let token = old_token(&stack, &company.realm).await;
    let mut export = Export::default();
    export.add(&company.id, "anna", &company.realm, &token, &json!({}));
    let key = export.upload(&stack, "thawed").await;
    stack.let_others_rest(&[]).await;
    stack.sandbox().advance(ROTATES).await;
    assert_eq!(old_side_refreshes(&stack, &token).await, 200);
    for _ in 0..2 {
        run(&stack, &key).await;
        let report = report(&stack, &key).await;
        let found = result(&report, &company.id);
        assert_eq!((&found["outcome"], &found["oldSide"]), (&json!("dead"), &json!("keep")));
    }
    let tokens = stack.sandbox().counters(&company.realm).await["tokens"].clone();
    assert_eq!(tokens["refused"], 1, "a refused token is used once, however many runs there are");
    assert_eq!(row(&stack, "company", &company.id).await, Value::Null);
    assert!(outside::secrets(&stack, &company.id).await.is_empty());
}

#[tokio::test]
async fn while_intuit_is_down_companies_wait_and_none_is_dead() {
    let (stack, _alone) = Stack::alone().await;
    let mut export = Export::default();
    let mut companies = Vec::new();
    for _ in 0..5 {
        let company = stack.company("empty").await;
        let token = old_token(&stack, &company.realm).await;
        export.add(&company.id, "anna", &company.realm, &token, &json!({}));
        companies.push(company);
    }
    let key = export.upload(&stack, "down").await;
    let down = json!({
        "function": "token-migration", "path": "/oauth2/v1/tokens/bearer", "status": 503, "calls": 4,
    });
    stack.control().refuse(&down).await;
    let answer = run(&stack, &key).await;
    assert!(answer["stopped"].is_string(), "{answer}");
    assert_eq!(stack.control().applied().await, 3, "a run stops after three");
    stack.control().clear_rules().await;
    assert_eq!(answer["companies"], json!({ "waiting": 5 }));
    let down = report(&stack, &key).await;
    let reasons: Vec<&Value> =
        companies.iter().map(|company| &result(&down, &company.id)["reason"]).collect();
    let tried = reasons.iter().filter(|reason| **reason == "notProven").count();
    assert_eq!(tried, 3, "{reasons:?}");
    // Nobody asks again for a while after an error.
    stack.sandbox().advance(LEASE_OVER).await;
    let answer = run(&stack, &key).await;
    assert_eq!(answer["companies"], json!({ "migrated": 5 }));
}

/// Longer than the refresh lease, and than the cool-down after an error.
const LEASE_OVER: u64 = 201;
