//! What QuickBooks answers, or does not.

use serde_json::{Value, json};
use stack_tests::stack::cards::Card;
use stack_tests::stack::company::Company;
use stack_tests::stack::control::at;
use stack_tests::stack::{Stack, eventually};

use super::{SOON, fault};

const HTML: &str = "<html><head><title>503 Service Temporarily Unavailable</title></head></html>";

#[tokio::test]
async fn whatever_quickbooks_answers_there_is_one_of_each() {
    let (stack, _alone) = Stack::alone().await;
    let html = |status: u16, commit: bool| json!({ "status": status, "rawBody": HTML, "contentType": "text/html", "commit": commit });
    let troubles = [
        ("cut before the commit", json!({ "cut": "before" })),
        ("cut after the commit", json!({ "cut": "after" })),
        ("500", json!({ "status": 500 })),
        ("500 after the commit", json!({ "status": 500, "commit": true })),
        ("503 with HTML", html(503, false)),
        ("503 with HTML after the commit", html(503, true)),
        ("200 that cannot be read, after the commit", html(200, true)),
        ("429 with Retry-After", json!({ "status": 429, "retryAfter": "7" })),
        ("429 of the gateway", json!({ "status": 429, "faultShape": "gateway" })),
        ("401 for a token that is fresh", json!({ "status": 401, "faultCode": "3200" })),
        ("the company cannot be used", json!({ "status": 400, "faultCode": "6190" })),
    ];
    let companies = stack.crews(troubles.len()).await;
    let all: Vec<&Company> = companies.iter().collect();
    stack.let_others_rest(&all).await;
    let cards = Card::several("t", 3);
    for (company, (_, trouble)) in companies.iter().zip(&troubles) {
        stack.sandbox().fault(&fault(company, &cards[2], trouble)).await;
        // After a 429 all of the company's calls wait, and cards go out in any order.
        if trouble["status"] == 429 {
            stack.deliver(company, &cards[..2]).await;
            stack.all_synced(company, &cards[..2], SOON).await;
            stack.deliver(company, &cards[2..]).await;
        } else {
            stack.deliver(company, &cards).await;
        }
    }
    // Those without trouble of their own do not wait for the one that has it.
    for (company, (name, _)) in companies.iter().zip(&troubles) {
        stack.all_synced(company, &cards[..2], SOON).await;
        let creates =
            stack.sandbox().counters(&company.realm).await["rest"]["TimeActivity"]["create"]
                .as_u64()
                .unwrap_or_default();
        assert!((3..=4).contains(&creates), "{name}: {creates} creates before any wait was over");
    }
    stack.dust_settles(&all).await;
    for (company, (name, _)) in companies.iter().zip(&troubles) {
        let wrong = stack.not_exactly_once(company, &cards).await;
        assert!(wrong.is_empty(), "{name}, {}:\n{}", company.id, wrong.join("\n"));
    }
}

/// A cut on the way, with the sandbox as it is: the request never arrives, or its answer does not.
#[tokio::test]
async fn a_connection_cut_on_the_way_leaves_one_of_each() {
    let (stack, _alone) = Stack::alone().await;
    let companies = stack.crews(2).await;
    let all: Vec<&Company> = companies.iter().collect();
    stack.let_others_rest(&all).await;
    let cards = Card::several("t", 3);
    for (company, when) in companies.iter().zip(["before", "after"]) {
        let mut order = at("sync-worker", when);
        order["path"] = format!("{}/timeactivity", company.realm).into();
        order["calls"] = 3.into();
        stack.control().cut(&order).await;
        stack.deliver(company, &cards).await;
    }
    eventually("six cut calls", SOON, async || {
        (stack.control().applied().await == 6).then_some(())
    })
    .await;
    stack.idle(&all).await;
    let (never, unheard) = (&companies[0], &companies[1]);
    assert_eq!(stack.activities(never).await.len(), 0);
    assert_eq!(stack.activities(unheard).await.len(), 3);
    stack.dust_settles(&all).await;
    for company in all {
        stack.exactly_once(company, &cards).await;
    }
}

/// 600, and 6000 where 600 would be right, say that QuickBooks may have it. Then it is asked.
#[tokio::test]
async fn a_replay_that_says_nothing_certain_is_looked_up() {
    let (stack, _alone) = Stack::alone().await;
    let cases = [("600", "before"), ("600", "after"), ("6000", "before"), ("6000", "after")];
    let companies = stack.crews(cases.len()).await;
    let all: Vec<&Company> = companies.iter().collect();
    stack.let_others_rest(&all).await;
    let mut cards = Card::several("t", 2);
    // An identical shift of the same worker: only the marker tells the two apart.
    cards[1] = Card { id: cards[1].id.clone(), ..cards[0].clone() };
    for (company, (code, cut)) in companies.iter().zip(cases) {
        let both = |more: Value| {
            let mut fault = fault(company, &cards[0], &more);
            fault["times"] = 2.into();
            fault
        };
        stack.sandbox().fault(&both(json!({ "cut": cut }))).await;
        stack.sandbox().fault(&both(json!({ "status": 400, "faultCode": code }))).await;
        stack.deliver(company, &cards).await;
    }
    for company in &all {
        eventually("two open sends", SOON, async || {
            let row = stack.company_row(company).await;
            let open = stack.open_sends(company).await;
            (open.len() == 2 && row.get("leaseOwner").is_none()).then_some(())
        })
        .await;
    }
    stack.dust_settles(&all).await;
    for (company, case) in companies.iter().zip(cases) {
        let wrong = stack.not_exactly_once(company, &cards).await;
        assert!(wrong.is_empty(), "{case:?}, {}:\n{}", company.id, wrong.join("\n"));
        let queries =
            &stack.sandbox().counters(&company.realm).await["rest"]["TimeActivity"]["query"];
        assert_eq!(queries, &json!(1), "{case:?}: one look-up for both");
    }
}

#[tokio::test]
async fn two_that_could_be_it_are_left_to_a_person() {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.crew().await;
    stack.let_others_rest(&[&company]).await;
    let card = Card::new("t-1", 1);
    stack.sandbox().fault(&fault(&company, &card, &json!({ "cut": "after" }))).await;
    let unclear = json!({ "status": 400, "faultCode": "600" });
    stack.sandbox().fault(&fault(&company, &card, &unclear)).await;
    stack.deliver(&company, std::slice::from_ref(&card)).await;
    eventually("an open send", SOON, async || {
        (stack.open_sends(&company).await.len() == 1).then_some(())
    })
    .await;
    stack.idle(&[&company]).await;
    // Somebody copied it by hand in QuickBooks, marker and all.
    let mut copy = stack.activities(&company).await.remove(0);
    for own in ["Id", "SyncToken", "MetaData"] {
        copy.as_object_mut().unwrap().remove(own);
    }
    stack.sandbox().store(&company.realm, "TimeActivity", &copy).await;
    stack.dust_settles(&[&company]).await;
    assert_eq!(stack.dead_letters(&company).await[&card.id], "ambiguous");
    assert_eq!(stack.records(&company).await[&card.id].status, "dead");
    assert_eq!(stack.activities(&company).await.len(), 2, "nothing was sent again");
}

/// Seconds after which the only open send may go again.
async fn resend_in(stack: &Stack, company: &Company) -> i64 {
    let at = eventually("an open send", SOON, async || {
        stack.open_sends(company).await.first()?["resendAt"].as_i64()
    })
    .await;
    (at - stack.sandbox().now().await.as_millisecond()) / 1000
}

#[tokio::test]
async fn a_429_waits_as_told_else_a_minute() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.crew().await;
    let told = Card::new("told", 1);
    let limit = json!({ "status": 429, "retryAfter": "20" });
    stack.sandbox().fault(&fault(&company, &told, &limit)).await;
    stack.deliver(&company, std::slice::from_ref(&told)).await;
    let wait = resend_in(&stack, &company).await;
    assert!((10..=20).contains(&wait), "told to wait 20 s, waits {wait} s");

    let company = stack.crew().await;
    let limit = json!({ "status": 429, "faultShape": "gateway" });
    stack.sandbox().fault(&fault(&company, &told, &limit)).await;
    stack.deliver(&company, std::slice::from_ref(&told)).await;
    let wait = resend_in(&stack, &company).await;
    assert!((50..=60).contains(&wait), "not told, waits {wait} s");
}
