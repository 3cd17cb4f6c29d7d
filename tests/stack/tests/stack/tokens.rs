//! Tokens: one refresh at a time, before it is needed, never twice, and no connection lost while
//! Intuit honours a token that was stored (C4, C5; C8 as far as work waits and goes on).

use std::time::Duration;

use serde_json::{Value, json};
use stack_tests::stack::cards::Card;
use stack_tests::stack::company::Company;
use stack_tests::stack::control::at;
use stack_tests::stack::stored::text;
use stack_tests::stack::{Stack, eventually};

/// Time for a few cards to go out.
const SOON: Duration = Duration::from_secs(45);
/// From when on Intuit hands out another refresh token, in seconds: a day.
const ROTATES: u64 = 25 * 3600;

/// What Intuit's token endpoint was asked for a company, by kind.
async fn token_calls(stack: &Stack, company: &Company) -> Value {
    stack.sandbox().counters(&company.realm).await["tokens"].clone()
}

async fn refreshes(stack: &Stack, company: &Company) -> u64 {
    token_calls(stack, company).await["refresh"].as_u64().unwrap_or_default()
}

/// Answers of QuickBooks with 401.
async fn unauthorized(stack: &Stack, company: &Company) -> u64 {
    let counters = stack.sandbox().counters(&company.realm).await;
    counters["byStatus"]["401"].as_u64().unwrap_or_default()
}

async fn status(stack: &Stack, company: &Company) -> Value {
    stack.get(&company.admin, &format!("/status?companyId={}", company.id)).await.ok()
}

/// Calls that QuickBooks turned away for coming too fast. There must be none: waiting for a token must
/// not make the calls that waited leave all at once.
async fn throttled(stack: &Stack, company: &Company) -> u64 {
    let counters = stack.sandbox().counters(&company.realm).await;
    counters["throttled429"].as_u64().unwrap_or_default()
}

/// When the access token ends, in milliseconds since 1970.
async fn expires(stack: &Stack, company: &Company) -> i64 {
    let health = status(stack, company).await["tokenHealth"].clone();
    let at = text(&health, "accessTokenExpiresAt").parse::<jiff::Timestamp>();
    at.unwrap_or_else(|error| panic!("{error}: {health}")).as_millisecond()
}

/// Sends cards and waits until they went out.
async fn push(stack: &Stack, company: &Company, prefix: &str, count: u32) -> Vec<Card> {
    let cards = Card::several(prefix, count);
    stack.deliver(company, &cards).await;
    stack.all_synced(company, &cards, SOON).await;
    cards
}

#[tokio::test]
async fn an_expired_token_is_refreshed_once_however_many_ask() {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.crew().await;
    stack.let_others_rest(&[&company]).await;
    stack.clock_reaches(expires(&stack, &company).await + 1000).await;
    let cards = Card::several("t", 20);
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (stack, company) = (stack.clone(), company.clone());
        calls.spawn(async move {
            let body = json!({ "companyId": company.id });
            stack.post(&company.admin, "/test-connection", &body).await
        });
    }
    stack.deliver(&company, &cards).await;
    let answers = calls.join_all().await;
    eventually("the cards, or a 429", SOON, async || {
        let records = stack.records(&company).await;
        let all = records.values().all(|record| record.status == "synced");
        (all || throttled(&stack, &company).await > 0).then_some(())
    })
    .await;
    assert_eq!(throttled(&stack, &company).await, 0);
    stack.idle(&[&company]).await;
    let tokens = token_calls(&stack, &company).await;
    assert_eq!((&tokens["refresh"], &tokens["refused"]), (&json!(1), &json!(0)), "{tokens}");
    assert_eq!(unauthorized(&stack, &company).await, 0, "an expired token was sent");
    let ok = answers.iter().filter(|answer| answer.json()["connected"] == true).count();
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert!(ok >= 1 && statuses.iter().all(|status| [200, 429].contains(status)), "{statuses:?}");
    stack.exactly_once(&company, &cards).await;
}

#[tokio::test]
async fn a_token_is_refreshed_within_five_minutes_of_its_end_and_not_before() {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.crew().await;
    stack.let_others_rest(&[&company]).await;
    let end = expires(&stack, &company).await;
    stack.clock_reaches(end - 330_000).await;
    push(&stack, &company, "early", 2).await;
    assert_eq!(refreshes(&stack, &company).await, 0);
    stack.clock_reaches(end - 299_000).await;
    push(&stack, &company, "late", 2).await;
    assert_eq!(refreshes(&stack, &company).await, 1);
    assert!(expires(&stack, &company).await > end + 50 * 60_000);
    push(&stack, &company, "later", 2).await;
    assert_eq!(refreshes(&stack, &company).await, 1);
    assert_eq!(unauthorized(&stack, &company).await, 0);
}

/// The token dies at Intuit while its own time is not over, in the middle of a push.
#[tokio::test]
async fn a_refused_token_is_refreshed_once_and_each_call_is_made_once_more() {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.crew().await;
    stack.let_others_rest(&[&company]).await;
    // A token that is less than a minute old is never refreshed again.
    stack.sandbox().advance(90).await;
    let cards = Card::several("t", 30);
    stack.deliver(&company, &cards).await;
    eventually("the first few", SOON, async || {
        (stack.activities(&company).await.len() >= 5).then_some(())
    })
    .await;
    stack.sandbox().post("/tokens/expire", &json!({ "realm": company.realm })).await;
    stack.all_synced(&company, &cards, SOON).await;
    let tokens = token_calls(&stack, &company).await;
    assert_eq!((&tokens["refresh"], &tokens["refused"]), (&json!(1), &json!(0)), "{tokens}");
    assert_eq!(throttled(&stack, &company).await, 0);
    let refused = unauthorized(&stack, &company).await;
    assert!((1..=8).contains(&refused), "{refused} calls met the dead token");
    let counters = stack.sandbox().counters(&company.realm).await;
    assert_eq!(counters["rest"]["TimeActivity"]["create"].as_u64(), Some(30), "{counters}");
    stack.exactly_once(&company, &cards).await;
}

/// Not only the worker: whoever needs a token provides it, and finds out when Intuit gives none.
#[tokio::test]
async fn a_connection_test_refreshes_too_and_tells_when_intuit_refuses() {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.crew().await;
    stack.let_others_rest(&[&company]).await;
    let body = json!({ "companyId": company.id });
    let test = async || stack.post(&company.admin, "/test-connection", &body).await.ok();
    stack.clock_reaches(expires(&stack, &company).await + 1000).await;
    assert_eq!(test().await["connected"], true);
    assert_eq!(refreshes(&stack, &company).await, 1);
    let realm = json!({ "realm": company.realm });
    stack.sandbox().post("/tokens/revoke-refresh", &realm).await;
    stack.clock_reaches(expires(&stack, &company).await + 1000).await;
    for _ in 0..2 {
        let answer = test().await;
        assert_eq!(answer["connected"], false, "{answer}");
        assert!(text(&answer, "error").contains("connect again"), "{answer}");
        stack.sandbox().advance(60).await;
    }
    assert_eq!(status(&stack, &company).await["status"], "reconnectRequired");
    assert_eq!(stack.company_row(&company).await["state"], "paused");
    assert_eq!(token_calls(&stack, &company).await["refused"], 1, "asked once");
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
    stack.clock_reaches(expires(&stack, &company).await + 1000).await;
    let cards = Card::several("t", 5);
    stack.deliver(&company, &cards).await;
    let health = eventually("reconnectRequired", SOON, async || {
        let status = status(&stack, &company).await;
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
    assert_eq!(token_calls(&stack, &company).await["refused"], 1);
    let records = stack.records(&company).await;
    for card in cards.iter().chain(&more) {
        assert_eq!(records[&card.id].status, "pending", "{}", card.id);
    }
    let told = stack.events(&company.id).await;
    let told = told.iter().filter(|event| event["detail-type"] == "connection.reconnect_required");
    assert_eq!(told.count(), 1, "the host app hears of it once");
    stack.connect(&company).await;
    let all: Vec<Card> = before.into_iter().chain(cards).chain(more).collect();
    stack.all_synced(&company, &all, SOON).await;
    assert_eq!(status(&stack, &company).await["status"], "connected");
    stack.exactly_once(&company, &all).await;
}

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
    let grace = async |seconds: u32| {
        let policy = json!({
            "refreshGraceS": seconds, "revokeOnConcurrentRefresh": false, "revokeWholeRealm": false,
        });
        stack.sandbox().post("/oauth", &policy).await;
    };
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
        grace(if case.grace { 86_400 } else { 0 }).await;
        stack.sandbox().advance(ROTATES).await;
        // What was due meanwhile, such as the catch-up, needs no token.
        stack.sweep().await;
        stack.idle(&[&company]).await;
        let before = refreshes(&stack, &company).await;
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
        let after = refreshes(&stack, &company).await;
        assert_eq!(after - before, case.refreshes, "{}", case.at);
        assert_eq!(status(&stack, &company).await["status"], "connected", "{}", case.at);
    }
    grace(0).await;
    // The chain of refresh tokens is whole: the next day works without help.
    stack.sandbox().advance(ROTATES).await;
    stack.sweep().await;
    stack.idle(&[&company]).await;
    sent.extend(push(&stack, &company, "end", 2).await);
    stack.exactly_once(&company, &sent).await;
}

/// The answer of Intuit is lost on the way, once; and Secrets Manager is away for a moment.
#[tokio::test]
async fn a_lost_answer_or_a_failed_store_is_tried_again() {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.crew().await;
    stack.let_others_rest(&[&company]).await;
    stack.clock_reaches(expires(&stack, &company).await + 1000).await;
    let mut lost = at("sync-worker", "after");
    lost["path"] = "/oauth2/v1/tokens/bearer".into();
    stack.control().cut(&lost).await;
    let mut cards = push(&stack, &company, "lost", 2).await;
    assert_eq!(refreshes(&stack, &company).await, 2);

    stack.control().clear_rules().await;
    stack.clock_reaches(expires(&stack, &company).await + 1000).await;
    let away = json!({
        "function": "sync-worker", "action": "secretsmanager:PutSecretValue", "calls": 4,
    });
    stack.control().refuse(&away).await;
    cards.extend(push(&stack, &company, "away", 2).await);
    assert_eq!(refreshes(&stack, &company).await, 3);
    assert_eq!(stack.control().applied().await, 4);
    stack.control().clear_rules().await;
    stack.exactly_once(&company, &cards).await;
}

/// Made in Intuit's production environment, met by a stage of the sandbox environment.
#[tokio::test]
async fn a_connection_of_the_other_environment_is_refused() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.crew().await;
    let key = json!({ "id": { "S": format!("company#{}", company.id) } });
    let made_in = async |environment: &str| {
        stack.set("Connections", &key, "environment", &json!({ "S": environment })).await;
    };
    made_in("production").await;
    let calls = async || stack.sandbox().counters(&company.realm).await["calls"].clone();
    // What warm processes know of the connection, they trust for 30 s; new ones ask.
    let before = calls().await;
    let body = json!({ "companyId": company.id });
    let tested = stack.post(&company.admin, "/test-connection", &body).await.ok();
    assert_eq!(tested["connected"], false, "{tested}");
    let says = text(&tested, "error");
    assert!(says.contains("production") && says.contains("sandbox"), "{tested}");
    assert_eq!(calls().await, before);
    made_in("sandbox").await;
    push(&stack, &company, "t", 2).await;
}
