//! A run is killed at each call that it makes for a company, and goes on where it stopped.

use serde_json::{Value, json};
use stack_tests::stack::Stack;
use stack_tests::stack::control::at;

use super::{AT, Export, ROTATES, grace, old_token, report, result, row, run, works};
use crate::outside;

/// Longer than the refresh lease.
const LEASE_OVER: u64 = 201;

/// Where the process is killed, and whether Intuit must honour the old token once more then.
struct Kill {
    when: &'static str,
    call: Value,
    answer_lost: bool,
}

fn kills(stack: &Stack) -> Vec<Kill> {
    let kill = |when, call| Kill { when, call, answer_lost: false };
    let connections = format!("table/{}", stack.table("Connections"));
    let row =
        |action: &str, nth: u64| json!({ "action": action, "resource": connections, "nth": nth });
    let action = |action: &str| json!({ "action": action });
    let put = |nth: u64| json!({ "action": "secretsmanager:PutSecretValue", "nth": nth });
    let intuit = json!({ "path": "/oauth2/v1/tokens/bearer" });
    vec![
        kill("before", row("dynamodb:PutItem", 1)),
        kill("after", row("dynamodb:PutItem", 1)),
        kill("after", action("secretsmanager:CreateSecret")),
        kill("after", put(1)),
        kill("after", row("dynamodb:UpdateItem", 1)),
        kill("before", intuit.clone()),
        Kill { when: "after", call: intuit, answer_lost: true },
        // The first put is of the exported tokens.
        Kill { when: "before", call: put(2), answer_lost: true },
        kill("after", put(2)),
        kill("after", row("dynamodb:UpdateItem", 3)),
        kill("after", json!({ "path": "/companyinfo/" })),
        kill("before", action("dynamodb:TransactWriteItems")),
        kill("after", action("dynamodb:TransactWriteItems")),
        kill("after", action("dynamodb:BatchExecuteStatement")),
        kill("before", action("events:PutEvents")),
        kill("before", action("dynamodb:DeleteItem")),
        kill("after", action("dynamodb:DeleteItem")),
        kill("before", action("s3:PutObject")),
    ]
}

#[tokio::test]
async fn a_run_that_is_killed_anywhere_goes_on_and_loses_no_connection() {
    let (stack, _alone) = Stack::alone().await;
    grace(&stack, 0).await;
    let mut cases = Vec::new();
    for kill in kills(&stack) {
        let company = stack.company("empty").await;
        let token = old_token(&stack, &company.realm).await;
        let mut export = Export::default();
        export.add(&company.id, "anna", &company.realm, &token, &json!({}));
        export.add(
            &company.id,
            "ben",
            &company.realm,
            "RT1-long-dead",
            &json!({ "refreshedAt": null }),
        );
        let key = export.upload(&stack, &format!("killed-{}", cases.len())).await;
        cases.push((kill, company, key));
    }
    // From now on a refresh replaces the refresh token.
    stack.let_others_rest(&[]).await;
    stack.sandbox().advance(ROTATES).await;
    for (kill, company, key) in &cases {
        let place = format!("{} {}", kill.when, kill.call);
        grace(&stack, if kill.answer_lost { 86_400 } else { 0 }).await;
        let mut order = at("token-migration", kill.when);
        for (name, value) in kill.call.as_object().into_iter().flatten() {
            order[name] = value.clone();
        }
        order["calls"] = 1.into();
        stack.control().crash(&order).await;
        stack.invoke_long("token-migration", &json!({ "export": key })).await;
        assert_eq!(stack.control().applied().await, 1, "{place}");
        stack.control().clear_rules().await;

        let mut answer = run(&stack, key).await;
        if answer["companies"]["waiting"] == 1 {
            stack.sandbox().advance(LEASE_OVER).await;
            answer = run(&stack, key).await;
        }
        assert_eq!(answer["companies"], json!({ "migrated": 1 }), "{place}");
        let report = report(&stack, key).await;
        let found = result(&report, &company.id);
        assert_eq!((&found["userId"], &found["line"]), (&json!("anna"), &json!(1)), "{place}");
        assert_eq!(row(&stack, "migrating", &company.id).await, Value::Null, "{place}");
        let live = row(&stack, "company", &company.id).await;
        let secrets = outside::secrets(&stack, &company.id).await;
        assert_eq!(secrets, [live["secret"].as_str().unwrap()], "{place}");
        let history = stack.stored("AuditLog", &company.id, AT).await;
        let connected = history.iter().filter(|row| row["action"] == "connected").count();
        assert_eq!(connected, 1, "{place}: who connected is told once");
        let tokens = stack.sandbox().counters(&company.realm).await["tokens"].clone();
        let asked = if kill.answer_lost { 2 } else { 1 };
        assert_eq!((&tokens["refresh"], &tokens["refused"]), (&json!(asked), &json!(0)), "{place}");
    }
    // The chains are whole: the next day works without help.
    grace(&stack, 0).await;
    stack.sandbox().advance(ROTATES).await;
    for (kill, company, _) in &cases {
        assert!(works(&stack, company).await, "{} {}", kill.when, kill.call);
    }
}

/// A run died between storing an exported token and saying so, and the next export has that token no more:
/// nobody may ask Intuit with it from the moment on at which its secret is to go.
#[tokio::test]
async fn a_token_that_left_the_export_is_refused_before_its_secret_goes() {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.company("empty").await;
    let token = old_token(&stack, &company.realm).await;
    let crash = async |when: &str, action: &str| {
        let mut order = at("token-migration", when);
        (order["action"], order["calls"]) = (action.into(), 1.into());
        stack.control().crash(&order).await;
    };
    let invoke = async |key: &str| {
        stack.invoke_long("token-migration", &json!({ "export": key })).await;
        assert_eq!(stack.control().applied().await, 1);
        stack.control().clear_rules().await;
    };
    let mut first = Export::default();
    first.add(&company.id, "anna", &company.realm, &token, &json!({}));
    let first = first.upload(&stack, "first").await;
    crash("after", "secretsmanager:PutSecretValue").await;
    invoke(&first).await;
    assert_eq!(outside::secrets(&stack, &company.id).await.len(), 1);

    let mut second = Export::default();
    second.add(&company.id, "ben", &company.realm, "RT1-long-dead", &json!({}));
    let second = second.upload(&stack, "second").await;
    crash("before", "secretsmanager:DeleteSecret").await;
    invoke(&second).await;
    let begun = row(&stack, "migrating", &company.id).await;
    assert_eq!(begun["status"], "reconnectRequired", "{begun}");

    run(&stack, &second).await;
    let report = report(&stack, &second).await;
    assert_eq!(result(&report, &company.id)["outcome"], "dead", "{report}");
    assert!(outside::secrets(&stack, &company.id).await.is_empty());
    let tokens = stack.sandbox().counters(&company.realm).await["tokens"].clone();
    assert_eq!(tokens["refresh"].as_u64().unwrap_or_default(), 0, "{tokens}");
}
