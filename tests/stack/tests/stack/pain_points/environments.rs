//! Tokens and keys that do not belong together: row 15 of the complaints.

use serde_json::{Value, json};
use stack_tests::stack::company::Company;
use stack_tests::stack::stored::text;
use stack_tests::stack::tokens::ROTATES;
use stack_tests::stack::{Stack, eventually};

use crate::connecting::access::tested;
use crate::outside::{self, Ear};
use crate::tokens::SOON;

/// Everything that Intuit was asked about a company.
async fn asked(stack: &Stack, company: &Company) -> Value {
    let counters = stack.sandbox().counters(&company.realm).await;
    json!([counters["calls"], counters["tokens"]])
}

/// Row 15: "sandbox and production were mixed up" (node-quickbooks#154; oauth-jsclient#2; qbo_api#138;
/// python-quickbooks#369; quickbooks-ruby#206, #321; tap-quickbooks#82). A connection remembers where it
/// was made, and is refused elsewhere before anything is sent, whichever of the two it is.
#[tokio::test]
async fn sandbox_and_production_are_never_mixed() {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.crew().await;
    stack.let_others_rest(&[]).await;
    assert_eq!(stack.connection_row(&company).await["environment"], "sandbox");
    let refused = async || {
        // With a token that would have to be refreshed first, and with one that would not.
        for seconds in [ROTATES, 90] {
            stack.sandbox().advance(seconds).await;
            let before = asked(&stack, &company).await;
            let answer = tested(&stack, &company).await;
            assert_eq!(answer["connected"], false, "{answer}");
            let says = text(&answer, "error");
            assert!(says.contains("production") && says.contains("sandbox"), "{answer}");
            assert_eq!(asked(&stack, &company).await, before);
        }
    };
    // Made in production, met by a stage of the sandbox: as after a restore from the other stage.
    stack.set_connection(&company, "environment", &json!({ "S": "production" })).await;
    refused().await;
    stack.set_connection(&company, "environment", &json!({ "S": "sandbox" })).await;

    // Made in the sandbox, met by a stage of production.
    let sandbox = outside::variables(&stack, "connection").await;
    let mut production = sandbox.clone();
    production["INTUIT_ENVIRONMENT"] = "production".into();
    outside::set_variables(&stack, "connection", &production).await;
    refused().await;
    outside::set_variables(&stack, "connection", &sandbox).await;
    assert_eq!(stack.connection_row(&company).await["status"], "connected");
    assert_eq!(tested(&stack, &company).await["connected"], true);
}

/// Row 15, the keys: another Intuit app's in the secret would be answered with `invalid_grant`, as if
/// every connection were dead. Nobody asks with them, nothing is declared dead, the operator is told, and
/// the right keys heal it without a deploy.
#[tokio::test]
async fn another_apps_keys_never_ask_and_declare_nothing_dead() {
    let (stack, _alone) = Stack::alone().await;
    stack.listen().await;
    let ear = Ear::new(&stack, &json!({ "detail-type": ["app.credentials_refused"] })).await;
    let company = stack.crew().await;
    stack.let_others_rest(&[]).await;
    let keys = outside::app_keys(&stack).await;
    let other = json!({ "clientId": "another-app", "clientSecret": "another-app-secret-0815" });
    stack.sandbox().post("/apps", &other).await;
    let mut wrong_secret = keys.clone();
    wrong_secret["clientSecret"] = "not-the-secret-of-this-app".into();

    for (case, wrong, asks) in [("other app", &other, false), ("wrong secret", &wrong_secret, true)]
    {
        stack.sandbox().advance(ROTATES).await;
        let before = asked(&stack, &company).await;
        let heard = ear.heard(&stack).await.len();
        outside::put_app_keys(&stack, wrong).await;
        // As if the four minutes were over for which a process trusts the keys that it read.
        outside::restart(&stack, "connection").await;
        for _ in 0..2 {
            let answer = tested(&stack, &company).await;
            assert_eq!(answer["connected"], false, "{case}: {answer}");
            assert!(text(&answer, "error").contains("Try again"), "{case}: {answer}");
            stack.sandbox().advance(61).await;
        }
        if !asks {
            assert_eq!(asked(&stack, &company).await, before, "{case}");
        }
        eventually("the operator's event", SOON, async || {
            (ear.heard(&stack).await.len() > heard).then_some(())
        })
        .await;
        let row = stack.connection_row(&company).await;
        assert_eq!(row["status"], "connected", "{case}: {row}");
        // A process that was refused reads the keys again, at once: no deploy, no restart, no wait.
        outside::put_app_keys(&stack, &keys).await;
        let answer = tested(&stack, &company).await;
        assert_eq!(answer["connected"], true, "{case}: {answer}");
    }
    assert_eq!(stack.reconnect_notices(&company).await, 0);
    let tokens = stack.token_calls(&company).await;
    assert_eq!((tokens.refresh, tokens.concurrent), (2, 0));
}
