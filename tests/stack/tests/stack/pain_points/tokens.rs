//! Connections that die, or seem to: rows 1 to 4 of the complaints.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use stack_tests::proxy::log::Entry;
use stack_tests::stack::cards::Card;
use stack_tests::stack::company::Company;
use stack_tests::stack::control::at;
use stack_tests::stack::stored::text;
use stack_tests::stack::tokens::{PAST_THE_LEASE, ROTATES};
use stack_tests::stack::{Stack, eventually};

use crate::connecting::access::tested;
use crate::outside;
use crate::tokens::{SOON, push};

/// Intuit takes its time over the next token call of a company, so that others meet it under way.
async fn slow_intuit(stack: &Stack, company: &Company, ms: u32) {
    let slow = json!({ "realm": company.realm, "path": "/tokens/bearer", "delayMs": ms });
    stack.sandbox().fault(&slow).await;
}

/// The calls to a table, or another resource, of an action.
fn of<'a>(calls: &'a [Entry], action: &str, resource: &str) -> Vec<&'a Entry> {
    let names = |call: &&Entry| call.uses.iter().any(|used| used.resource.contains(resource));
    calls.iter().filter(|call| call.action == action).filter(names).collect()
}

/// Asks for what needs a token, again and again over moved hours: sweeps, new work, tests.
async fn hours_pass(stack: &Stack, company: &Company, hours: u32) {
    for hour in 0..hours {
        stack.sandbox().advance(3600).await;
        stack.sweep().await;
        stack.send("Refreshes", &json!({ "ask": "renew", "companyId": company.id })).await;
        stack.deliver(company, &Card::several(&format!("hour-{hour}"), 1)).await;
        let body = json!({ "companyId": company.id });
        stack.post(&company.admin, "/test-connection", &body).await;
    }
}

/// Row 1: "concurrent refresh and rotation: `invalid_grant`, the company is disconnected"
/// (oauth-jsclient#128, #138; node-quickbooks#192; python-quickbooks#282, #397;
/// laravel-quickbooks-client#27, #46; PHP-SDK#240, #324; quickbooks-ruby#389; nango#1005).
#[tokio::test]
async fn concurrent_refreshes_never_cost_the_connection() {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.crew().await;
    stack.let_others_rest(&[&company]).await;
    // The access token is dead, the refresh token changes, and is so old that any use renews it.
    stack.sandbox().advance(31 * 86_400).await;
    stack.sweep().await;
    stack.idle(&[&company]).await;
    let before = stack.token_calls(&company).await;
    slow_intuit(&stack, &company, 1500).await;
    let mark = stack.control().mark().await;
    let cards = Card::several("t", 20);
    let renew = json!({ "ask": "renew", "companyId": company.id });
    for _ in 0..10 {
        stack.send("Refreshes", &renew).await;
    }
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let (stack, company) = (stack.clone(), company.clone());
        calls.spawn(async move {
            let body = json!({ "companyId": company.id });
            stack.post(&company.admin, "/test-connection", &body).await
        });
    }
    stack.deliver(&company, &cards).await;
    let answers = calls.join_all().await;
    stack.all_synced(&company, &cards, SOON).await;

    let tokens = stack.token_calls(&company).await;
    assert_eq!(tokens.refresh - before.refresh, 1, "{tokens:?}");
    assert_eq!((tokens.refused, tokens.concurrent), (0, 0), "{tokens:?}");
    assert_eq!(stack.answered(&company, 401).await, 0, "an expired token was sent");
    assert_eq!(stack.throttled(&company).await, 0);
    let calls = stack.control().log(mark).await;
    let put = of(&calls, "secretsmanager:PutSecretValue", &company.id);
    assert_eq!(put.len(), 1);
    // Who came to the connection while its token was dead and the new one not there.
    let meanwhile: BTreeSet<(&str, i32)> = calls
        .iter()
        .filter(|call| call.seq < put[0].seq)
        .filter(|call| {
            let table = stack.table("Connections");
            call.uses.iter().any(|used| used.resource == format!("table/{table}"))
        })
        .filter_map(|call| Some((call.function.as_deref()?, call.pid?)))
        .collect();
    let functions: BTreeSet<&str> = meanwhile.iter().map(|(function, _)| *function).collect();
    assert!(meanwhile.len() >= 5 && functions.len() >= 3, "{meanwhile:?}");
    // One connection test at a time is let through. It waits for somebody else's refresh for a few seconds
    // only, then says to try again, which works.
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert!(statuses.iter().all(|status| [200, 429].contains(status)), "{statuses:?}");
    assert_eq!(tested(&stack, &company).await["connected"], true);
    assert_eq!(stack.token_calls(&company).await, tokens);
    assert_eq!(stack.status(&company).await["status"], "connected");
    stack.exactly_once(&company, &cards).await;
}

/// A live company at rest whose access token has ended.
async fn a_crew_that_must_refresh(stack: &Stack) -> Company {
    stack.listen().await;
    let company = stack.crew().await;
    stack.let_others_rest(&[&company]).await;
    stack.sandbox().advance(ROTATES).await;
    stack.sweep().await;
    stack.idle(&[&company]).await;
    company
}

/// Rotates at Intuit and loses the answer; returns when the worker knows that none came.
async fn lose_an_answer(stack: &Stack, company: &Company, cards: &[Card]) {
    let mut lost = at("sync-worker", "after");
    lost["path"] = "/oauth2/v1/tokens/bearer".into();
    stack.control().cut(&lost).await;
    stack.deliver(company, cards).await;
    eventually("the lost answer", SOON, async || {
        let row = stack.connection_row(company).await;
        text(&row, "lastRefreshResult").starts_with("no answer").then_some(())
    })
    .await;
    assert_eq!(stack.control().applied().await, 1);
    stack.control().clear_rules().await;
}

/// Row 2: "the refresh succeeded at Intuit, its answer was lost, and the company is severed"
/// (QuickBooks-V3-DotNET-SDK#342). Where Intuit still takes the old token, nobody notices.
#[tokio::test]
async fn an_answer_that_was_lost_is_made_up_for_when_intuit_still_takes_the_old_token() {
    let (stack, _alone) = Stack::alone().await;
    let company = a_crew_that_must_refresh(&stack).await;
    stack.replaced_tokens_work_for(86_400).await;
    let cards = Card::several("t", 3);
    lose_an_answer(&stack, &company, &cards).await;
    let row = stack.connection_row(&company).await;
    assert!(row["refreshOwner"].is_string(), "the request may still be under way: {row}");
    // As long as it may be, nobody asks.
    let body = json!({ "companyId": company.id });
    stack.sandbox().advance(150).await;
    stack.post(&company.admin, "/test-connection", &body).await;
    assert_eq!(stack.token_calls(&company).await.refresh, 1);
    stack.sandbox().advance(PAST_THE_LEASE - 150).await;
    let tested = stack.post(&company.admin, "/test-connection", &body).await.ok();
    assert_eq!(tested["connected"], true, "{tested}");
    let tokens = stack.token_calls(&company).await;
    assert_eq!((tokens.refresh, tokens.refused, tokens.concurrent), (2, 0, 0));
    stack.dust_settles(&[&company]).await;
    stack.exactly_once(&company, &cards).await;
    assert_eq!(stack.reconnect_notices(&company).await, 0);
}

/// Row 2, where Intuit does not: an admin is needed, is told once, and nobody goes on asking.
#[tokio::test]
async fn an_answer_that_was_lost_never_loops_and_ends_in_one_reconnect_notice() {
    let (stack, _alone) = Stack::alone().await;
    let company = a_crew_that_must_refresh(&stack).await;
    let mut cards = Card::several("t", 3);
    lose_an_answer(&stack, &company, &cards).await;
    assert_eq!(stack.status(&company).await["status"], "connected", "not yet known to be dead");
    hours_pass(&stack, &company, 12).await;
    let tokens = stack.token_calls(&company).await;
    assert_eq!((tokens.refresh, tokens.refused, tokens.concurrent), (1, 1, 0));
    assert_eq!(stack.status(&company).await["status"], "reconnectRequired");
    assert_eq!(stack.reconnect_notices(&company).await, 1);
    stack.mails_come(&company, 1).await;
    cards.extend((0..12).flat_map(|hour| Card::several(&format!("hour-{hour}"), 1)));
    let records = stack.records(&company).await;
    assert!(cards.iter().all(|card| records[&card.id].status == "pending"), "{records:?}");
    stack.connect(&company).await;
    stack.all_synced(&company, &cards, SOON).await;
    stack.exactly_once(&company, &cards).await;
    assert_eq!(stack.reconnect_notices(&company).await, 1);
    assert_eq!(stack.mails(&company).await.len(), 1);
}

/// Row 3: "the rotated token was not persisted" (airbyte#7296, #44471, #45911, #49842; mcp-server#117;
/// appstrate#873; NotionSyncGCal#98). Secrets Manager is away just when Intuit has replaced the token.
#[tokio::test]
async fn a_rotated_token_that_could_not_be_stored_at_once_is_not_lost() {
    let (stack, _alone) = Stack::alone().await;
    let company = a_crew_that_must_refresh(&stack).await;
    let away = json!({ "action": "secretsmanager:PutSecretValue", "seconds": 12, "calls": 1000 });
    stack.control().refuse(&away).await;
    let cards = push(&stack, &company, "t", 3).await;
    assert!(stack.control().applied().await >= 3, "it was away");
    let tokens = stack.token_calls(&company).await;
    assert_eq!((tokens.refresh, tokens.refused), (1, 0));
    stack.control().clear_rules().await;
    // The token that was stored is the newest one: the next day works.
    stack.sandbox().advance(ROTATES).await;
    let more = push(&stack, &company, "next", 1).await;
    let tokens = stack.token_calls(&company).await;
    assert_eq!((tokens.refresh, tokens.refused), (2, 0));
    assert_eq!(stack.reconnect_notices(&company).await, 0);
    stack.exactly_once(&company, &[cards, more].concat()).await;
}

/// Row 3: the tokens are stored, and the row that says so is not: DynamoDB is away, or somebody else has
/// the row by then. That is no authentication failure (mcp-server#107), and the tokens are found.
#[tokio::test]
async fn a_rotated_token_that_nothing_points_to_is_found_and_no_conflict_is_taken_for_a_refusal() {
    let (stack, _alone) = Stack::alone().await;
    stack.listen().await;
    let company = stack.crew().await;
    stack.let_others_rest(&[]).await;
    let body = json!({ "companyId": company.id });
    let test = async || stack.post(&company.admin, "/test-connection", &body).await.ok();

    stack.sandbox().advance(ROTATES).await;
    let away = json!({
        "function": "connection", "action": "dynamodb:UpdateItem", "nth": 2, "calls": 1000,
        "resource": format!("table/{}", stack.table("Connections")), "seconds": 60,
    });
    stack.control().refuse(&away).await;
    assert_eq!(test().await["connected"], false);
    assert!(stack.control().applied().await >= 3, "DynamoDB was away");
    stack.control().clear_rules().await;
    stack.sandbox().advance(PAST_THE_LEASE).await;
    assert_eq!(test().await["connected"], true);
    let tokens = stack.token_calls(&company).await;
    assert_eq!((tokens.refresh, tokens.refused), (1, 0), "the stored tokens were adopted");

    // Another process takes the row over while this one waits for Intuit.
    stack.sandbox().advance(ROTATES).await;
    slow_intuit(&stack, &company, 3000).await;
    let other = async {
        let row = eventually("the lease", SOON, async || {
            let row = stack.connection_row(&company).await;
            row["refreshOwner"].is_string().then_some(row)
        })
        .await;
        let promised = json!({ "L": [{ "S": text(&row, "promisedVersion") }] });
        let until = stack.sandbox().now().await.as_millisecond() + 30_000;
        let fence = row["refreshFence"].as_u64().unwrap_or_default() + 1;
        for (attribute, value) in [
            ("unresolvedVersions", promised),
            ("promisedVersion", json!({ "S": uuid::Uuid::new_v4() })),
            ("refreshUntil", json!({ "N": until.to_string() })),
            ("refreshFence", json!({ "N": fence.to_string() })),
            ("refreshOwner", json!({ "S": "another process" })),
        ] {
            stack.set_connection(&company, attribute, &value).await;
        }
    };
    let (tested, ()) = tokio::join!(test(), other);
    assert_eq!(tested["connected"], false, "{tested}");
    let row = stack.connection_row(&company).await;
    assert_eq!(
        (text(&row, "status"), text(&row, "refreshOwner")),
        ("connected", "another process")
    );
    stack.sandbox().advance(31).await;
    assert_eq!(test().await["connected"], true);
    let tokens = stack.token_calls(&company).await;
    assert_eq!((tokens.refresh, tokens.refused, tokens.concurrent), (2, 0, 0));
    assert_eq!(stack.reconnect_notices(&company).await, 0);
}

/// Row 3: nothing is asked of Intuit while the token to ask with cannot be read.
#[tokio::test]
async fn intuit_is_not_asked_while_secrets_manager_cannot_be_read() {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.crew().await;
    stack.let_others_rest(&[]).await;
    // Its processes know no tokens by heart.
    outside::restart(&stack, "connection").await;
    stack.sandbox().advance(ROTATES).await;
    let away = json!({
        "function": "connection", "action": "secretsmanager:GetSecretValue", "calls": 1000,
        "resource": company.id,
    });
    stack.control().refuse(&away).await;
    let body = json!({ "companyId": company.id });
    for _ in 0..3 {
        let tested = stack.post(&company.admin, "/test-connection", &body).await.ok();
        assert_eq!(tested["connected"], false, "{tested}");
        assert!(text(&tested, "error").contains("Try again"), "{tested}");
        stack.sandbox().advance(16).await;
    }
    assert!(stack.control().applied().await >= 3, "it was away");
    stack.control().clear_rules().await;
    assert_eq!(stack.token_calls(&company).await.asked(), 0);
    assert_eq!(stack.status(&company).await["status"], "connected");
    let tested = stack.post(&company.admin, "/test-connection", &body).await.ok();
    assert_eq!(tested["connected"], true, "{tested}");
    assert_eq!(stack.token_calls(&company).await.asked(), 1);
}

/// Row 4: "the client's clock says valid, and QuickBooks says no" (oauth-jsclient#22, #75, #119). The
/// token dies at Intuit while its own time is not over, in the middle of a push.
#[tokio::test]
async fn our_clock_says_valid_and_quickbooks_says_no() {
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
    let tokens = stack.token_calls(&company).await;
    assert_eq!((tokens.refresh, tokens.refused), (1, 0));
    assert_eq!(stack.throttled(&company).await, 0);
    let refused = stack.answered(&company, 401).await;
    assert!((1..=8).contains(&refused), "{refused} calls met the dead token");
    let counters = stack.sandbox().counters(&company.realm).await;
    assert_eq!(counters["rest"]["TimeActivity"]["create"].as_u64(), Some(30), "{counters}");
    stack.exactly_once(&company, &cards).await;
}

/// Row 4: our clock is off by an hour, the life of an access token, in either direction.
#[tokio::test]
async fn a_clock_that_is_off_by_an_hour_costs_one_refresh_and_no_connection() {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.crew().await;
    stack.let_others_rest(&[]).await;
    let body = json!({ "companyId": company.id });
    for hours in [-1, 1] {
        // Ninety minutes old, so dead at Intuit; half an hour old by a clock that is slow.
        stack.let_the_token_expire(&company).await;
        stack.sandbox().advance(1800).await;
        let before = stack.token_calls(&company).await;
        let refused = stack.answered(&company, 401).await;
        let right = outside::variables(&stack, "connection").await;
        let mut wrong = right.clone();
        wrong["CLOCK_URL"] = outside::clock_off_by(&stack, hours).await.into();
        outside::set_variables(&stack, "connection", &wrong).await;
        let mut tested = Vec::new();
        for _ in 0..3 {
            tested.push(stack.post(&company.admin, "/test-connection", &body).await);
            tokio::time::sleep(Duration::from_millis(1100)).await;
        }
        outside::set_variables(&stack, "connection", &right).await;
        for answer in tested {
            assert_eq!(answer.json()["connected"], Value::Bool(true), "{hours} h: {}", answer.text);
        }
        let after = stack.token_calls(&company).await;
        assert_eq!((after.refresh - before.refresh, after.refused), (1, 0), "{hours} h");
        let refused = stack.answered(&company, 401).await - refused;
        assert_eq!(refused, u64::from(hours < 0), "{hours} h: calls with a dead token");
    }
    // The clock is right again, and the last hour by the wrong one is over.
    stack.sandbox().advance(3700).await;
    let tested = stack.post(&company.admin, "/test-connection", &body).await.ok();
    assert_eq!(tested["connected"], true, "{tested}");
}
