//! A refresh that ends anywhere: its process dies around each of its calls, or an answer is lost.

use serde_json::{Value, json};
use stack_tests::stack::cards::Card;
use stack_tests::stack::company::Company;
use stack_tests::stack::control::at;
use stack_tests::stack::tokens::{PAST_THE_LEASE, ROTATES};
use stack_tests::stack::{Stack, eventually};

use super::{SOON, push};

/// Points at which a refresh may break off, on a token that Intuit replaces by another one.
struct Break {
    at: &'static str,
    order: Value,
    /// Intuit honours the old token for a while after it gave a new one.
    grace: bool,
    /// Times that Intuit gives tokens until all is well.
    refreshes: u64,
}

#[tokio::test]
async fn a_refresh_that_breaks_off_anywhere_loses_no_connection() {
    let (stack, _alone) = Stack::alone().await;
    let order = |when: &str, more: &Value| {
        let mut order = at("sync-worker", when);
        for (name, value) in more.as_object().into_iter().flatten() {
            order[name] = value.clone();
        }
        order
    };
    let intuit = json!({ "path": "/oauth2/v1/tokens/bearer" });
    let put = json!({ "action": "secretsmanager:PutSecretValue" });
    let row = json!({
        "action": "dynamodb:UpdateItem", "nth": 2,
        "resource": format!("table/{}", stack.table("Connections")),
    });
    let breaks = [
        Break { at: "before Intuit", order: order("before", &intuit), grace: false, refreshes: 1 },
        Break { at: "after Intuit", order: order("after", &intuit), grace: true, refreshes: 2 },
        Break { at: "before the put", order: order("before", &put), grace: true, refreshes: 2 },
        Break { at: "after the put", order: order("after", &put), grace: false, refreshes: 1 },
        Break { at: "before the row", order: order("before", &row), grace: false, refreshes: 1 },
        Break { at: "after the row", order: order("after", &row), grace: false, refreshes: 1 },
    ];
    let company = stack.crew().await;
    stack.let_others_rest(&[&company]).await;
    let mut sent = Vec::new();
    for (number, case) in breaks.into_iter().enumerate() {
        stack.replaced_tokens_work_for(if case.grace { 86_400 } else { 0 }).await;
        stack.sandbox().advance(ROTATES).await;
        // What was due meanwhile, such as the catch-up, needs no token.
        stack.sweep().await;
        stack.idle(&[&company]).await;
        let before = stack.token_calls(&company).await;
        stack.control().crash(&case.order).await;
        let cards = Card::several(&format!("t{number}"), 2);
        stack.deliver(&company, &cards).await;
        eventually(case.at, SOON, async || (stack.control().applied().await == 1).then_some(()))
            .await;
        stack.control().clear_rules().await;
        sent.extend(cards);
        stack.dust_settles(&[&company]).await;
        let wrong = stack.not_exactly_once(&company, &sent).await;
        assert!(wrong.is_empty(), "{}:\n{}", case.at, wrong.join("\n"));
        let after = stack.token_calls(&company).await;
        assert_eq!(after.refresh - before.refresh, case.refreshes, "{}", case.at);
        assert_eq!((after.refused, after.concurrent), (0, 0), "{}", case.at);
        assert_eq!(stack.status(&company).await["status"], "connected", "{}", case.at);
    }
    // The chain of refresh tokens is whole: the next day works without help.
    stack.replaced_tokens_work_for(0).await;
    stack.sandbox().advance(ROTATES).await;
    stack.sweep().await;
    stack.idle(&[&company]).await;
    sent.extend(push(&stack, &company, "end", 2).await);
    stack.exactly_once(&company, &sent).await;
}

/// Who needs tokens, and refreshes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asker {
    /// Timecards that go out.
    Worker,
    /// `POST /test-connection`.
    Test,
    /// `POST /refresh`.
    ByHand,
    /// token-refresh, told that somebody disconnected at Intuit.
    Proof,
}

impl Asker {
    fn binary(self) -> &'static str {
        match self {
            Self::Worker => "sync-worker",
            Self::Test | Self::ByHand => "connection",
            Self::Proof => "token-refresh",
        }
    }

    /// Asks, and waits until that is over, well or not.
    async fn ask(self, stack: &Stack, company: &Company, cards: &mut Vec<Card>) {
        match self {
            Self::Worker => {
                let card = Card::new(format!("t-{}", cards.len()), 1);
                stack.deliver(company, std::slice::from_ref(&card)).await;
                cards.push(card);
                stack.sweep().await;
                eventually("the worker's end", SOON, async || {
                    let killed = stack.control().applied().await > 0;
                    let now = stack.sandbox().now().await.as_millisecond();
                    let row = stack.company_row(company).await;
                    let due = row["nextDue"].as_i64().is_some_and(|due| due <= now);
                    (killed || (row.get("leaseOwner").is_none() && !due)).then_some(())
                })
                .await;
            }
            Self::Test => {
                let body = json!({ "companyId": company.id });
                stack.post(&company.admin, "/test-connection", &body).await;
            }
            Self::ByHand => {
                let body = json!({ "companyId": company.id });
                stack.post(&company.admin, "/refresh", &body).await;
            }
            Self::Proof => {
                let request = json!({ "ask": "prove", "companyId": company.id });
                stack.work_on_refresh(&request).await;
            }
        }
    }
}

/// Kills the asker at its `k`-th call to AWS for `k` from 1 on, on a token that Intuit replaces and then
/// refuses at once; ends with the first refresh that needs fewer calls than `k`.
///
/// The connection lives on if what Intuit gave was stored, or if it had given nothing. Otherwise what
/// Intuit gave is gone with the process, and the admin is told, once. Which of them it was, Secrets
/// Manager says: a process may die at one call while another of its calls is being carried out.
async fn killed_at_each_call(asker: Asker, target: &str, when: &str, least: u64) {
    let (stack, _alone) = Stack::alone().await;
    stack.listen().await;
    let company = stack.crew().await;
    let mine: &[&Company] = if asker == Asker::Worker { &[&company] } else { &[] };
    stack.let_others_rest(mine).await;
    let (mut cards, mut notices) = (Vec::new(), 0);
    for k in 1.. {
        let at_call = format!("{asker:?} killed {when} call {k} to {target}");
        stack.sandbox().advance(ROTATES).await;
        let asked_at = stack.sandbox().now().await.as_millisecond();
        let before = stack.token_calls(&company).await;
        let stored = stack.stored_tokens(&company).await;
        let mut order = at(asker.binary(), when);
        (order["target"], order["nth"]) = (target.into(), k.into());
        if target == "quickbooks" {
            order["path"] = "/tokens/bearer".into();
        }
        stack.control().crash(&order).await;
        asker.ask(&stack, &company, &mut cards).await;
        let killed = stack.control().applied().await == 1;
        stack.control().clear_rules().await;

        let mut row = stack.connection_row(&company).await;
        for _ in 0..6 {
            if row["status"] == "reconnectRequired" || row["refreshedAt"].as_i64() >= Some(asked_at)
            {
                break;
            }
            stack.sandbox().advance(PAST_THE_LEASE).await;
            asker.ask(&stack, &company, &mut cards).await;
            row = stack.connection_row(&company).await;
        }
        let after = stack.token_calls(&company).await;
        let lost = stack.stored_tokens(&company).await == stored;
        assert!(killed || !lost, "{at_call}: nobody died, and no tokens were stored: {row}");
        // These want tokens from now on, not those that somebody else had stored before.
        let most = if [Asker::ByHand, Asker::Proof].contains(&asker) { 2 } else { 1 };
        assert!((1..=most).contains(&(after.refresh - before.refresh)), "{at_call}: {row}");
        assert_eq!(after.refused - before.refused, u64::from(lost), "{at_call}: {row}");
        assert_eq!(after.concurrent, 0, "{at_call}");
        assert_eq!(row["status"] == "reconnectRequired", lost, "{at_call}: {row}");
        if lost {
            notices += 1;
            asker.ask(&stack, &company, &mut cards).await;
            eventually("the notice", SOON, async || {
                (stack.reconnect_notices(&company).await == notices).then_some(())
            })
            .await;
            stack.connect(&company).await;
            stack.idle(&[&company]).await;
            stack.let_others_rest(mine).await;
        } else {
            assert!(row.get("refreshOwner").is_none(), "{at_call}: {row}");
        }
        if asker == Asker::Worker {
            stack.dust_settles(&[&company]).await;
            let wrong = stack.not_exactly_once(&company, &cards).await;
            assert!(wrong.is_empty(), "{at_call}:\n{}", wrong.join("\n"));
        }
        assert_eq!(stack.reconnect_notices(&company).await, notices, "{at_call}");
        if !killed {
            assert!(k > least, "only {k} calls to {target} were made");
            return;
        }
    }
}

#[tokio::test]
async fn a_connection_test_killed_after_any_call_loses_no_stored_token() {
    killed_at_each_call(Asker::Test, "aws", "after", 7).await;
}

#[tokio::test]
async fn a_connection_test_killed_around_its_call_to_intuit_is_followed_by_one_more_try() {
    for when in ["before", "after"] {
        killed_at_each_call(Asker::Test, "quickbooks", when, 1).await;
    }
}

#[tokio::test]
#[ignore = "long: the same points, told from the other side, and of everybody who refreshes"]
async fn whoever_refreshes_may_be_killed_around_any_call_and_loses_no_stored_token() {
    killed_at_each_call(Asker::Test, "aws", "before", 7).await;
    for when in ["before", "after"] {
        killed_at_each_call(Asker::ByHand, "aws", when, 7).await;
        killed_at_each_call(Asker::Proof, "aws", when, 7).await;
    }
    for when in ["before", "after"] {
        killed_at_each_call(Asker::Worker, "aws", when, 15).await;
        killed_at_each_call(Asker::Worker, "quickbooks", when, 1).await;
    }
}

/// The answer of Intuit is lost on the way, once; and Secrets Manager is away for a moment.
#[tokio::test]
async fn a_lost_answer_or_a_failed_store_is_tried_again() {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.crew().await;
    stack.let_others_rest(&[&company]).await;
    stack.let_the_token_expire(&company).await;
    let mut lost = at("sync-worker", "after");
    lost["path"] = "/oauth2/v1/tokens/bearer".into();
    stack.control().cut(&lost).await;
    let mut cards = Card::several("lost", 2);
    stack.deliver(&company, &cards).await;
    eventually("the lost answer", SOON, async || {
        (stack.control().applied().await == 1).then_some(())
    })
    .await;
    stack.dust_settles(&[&company]).await;
    assert_eq!(stack.token_calls(&company).await.refresh, 2);

    stack.control().clear_rules().await;
    stack.let_the_token_expire(&company).await;
    let away = json!({
        "function": "sync-worker", "action": "secretsmanager:PutSecretValue", "calls": 4,
    });
    stack.control().refuse(&away).await;
    cards.extend(push(&stack, &company, "away", 2).await);
    assert_eq!(stack.token_calls(&company).await.refresh, 3);
    assert_eq!(stack.control().applied().await, 4);
    stack.control().clear_rules().await;
    stack.exactly_once(&company, &cards).await;
}

/// Lambda would end the process, and the tokens with it, when the request takes longer than the function may.
#[tokio::test]
#[ignore = "long: a function's whole time is used up"]
async fn tokens_that_cannot_be_stored_outlive_the_request_that_brought_them() {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.crew().await;
    stack.let_others_rest(&[]).await;
    stack.sandbox().advance(ROTATES).await;
    let before = stack.token_calls(&company).await;
    let away = json!({
        "function": "connection", "action": "secretsmanager:PutSecretValue", "calls": 1000,
    });
    stack.control().refuse(&away).await;
    let body = json!({ "companyId": company.id });
    let answer = stack.post(&company.admin, "/test-connection", &body).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.json()["code"], "temporarily-unavailable");
    let row = stack.connection_row(&company).await;
    assert_eq!(row["lastRefreshResult"], "Secrets Manager does not store the new tokens");
    stack.control().clear_rules().await;

    // The request's place in the company's share is free again after 35 s.
    stack.sandbox().advance(36).await;
    eventually("the connection to work", SOON, async || {
        let answer = stack.post(&company.admin, "/test-connection", &body).await;
        (answer.status == 200 && answer.json()["connected"] == true).then_some(())
    })
    .await;
    let after = stack.token_calls(&company).await;
    let asked = (after.refresh - before.refresh, after.refused - before.refused, after.concurrent);
    assert_eq!(asked, (1, 0, 0), "Intuit was asked once");
}
