//! Edits, identical shifts, and events that come twice or out of order.

use serde_json::json;
use stack_tests::stack::cards::Card;
use stack_tests::stack::company::Company;
use stack_tests::stack::{Stack, eventually};

use super::{SOON, fault};

#[tokio::test]
async fn identical_shifts_of_one_worker_are_two_activities() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.crew().await;
    let first = Card::new("t-1", 1);
    let second = Card { id: "t-2".to_owned(), ..first.clone() };
    stack.deliver(&company, &[first.clone(), second.clone()]).await;
    stack.all_synced(&company, &[first.clone(), second.clone()], SOON).await;
    stack.exactly_once(&company, &[first, second]).await;
}

#[tokio::test]
async fn an_edit_while_the_card_is_being_sent_ends_up_in_the_same_activity() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.crew().await;
    let card = Card::new("t-1", 1);
    let slow = json!({ "delayAfterMs": 3000 });
    stack.sandbox().fault(&fault(&company, &card, &slow)).await;
    stack.deliver(&company, std::slice::from_ref(&card)).await;
    eventually("the activity", SOON, async || {
        (stack.activities(&company).await.len() == 1).then_some(())
    })
    .await;
    let edited = card.edited(333);
    stack.deliver(&company, std::slice::from_ref(&edited)).await;
    stack.all_synced(&company, std::slice::from_ref(&edited), SOON).await;
    stack.exactly_once(&company, &[edited]).await;
}

/// A newer version goes out only once it is known what became of the older one.
#[tokio::test]
async fn an_edit_waits_for_the_outcome_of_the_send_before_it() {
    let (stack, _alone) = Stack::alone().await;
    let companies = stack.crews(2).await;
    let all: Vec<&Company> = companies.iter().collect();
    stack.let_others_rest(&all).await;
    let card = Card::new("t-1", 1);
    let edited = card.edited(333);
    for (company, cut) in companies.iter().zip(["before", "after"]) {
        stack.sandbox().fault(&fault(company, &card, &json!({ "cut": cut }))).await;
        stack.deliver(company, std::slice::from_ref(&card)).await;
        eventually("an open send", SOON, async || {
            (stack.open_sends(company).await.len() == 1).then_some(())
        })
        .await;
        stack.idle(&[company]).await;
        stack.deliver(company, std::slice::from_ref(&edited)).await;
        stack.idle(&[company]).await;
        let counters = stack.sandbox().counters(&company.realm).await;
        assert_eq!(counters["rest"]["TimeActivity"], json!({ "create": 1 }), "{cut}");
    }
    stack.dust_settles(&all).await;
    for company in all {
        stack.exactly_once(company, std::slice::from_ref(&edited)).await;
    }
}

#[tokio::test]
async fn events_that_come_twice_or_out_of_order_make_one_activity_of_the_newest() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.crew().await;
    let first = Card::new("t-1", 1);
    let second = first.edited(301);
    let third = second.edited(302);
    for card in [&first, &first, &third, &second] {
        stack.publish("timecard.approved", &card.json(&company)).await;
    }
    stack.all_synced(&company, std::slice::from_ref(&third), SOON).await;
    let calls = stack.sandbox().counters(&company.realm).await["rest"]["TimeActivity"].clone();
    let other = Card::new("t-2", 2);
    for card in [&third, &second, &first, &third, &other] {
        stack.publish("timecard.approved", &card.json(&company)).await;
    }
    stack.all_synced(&company, std::slice::from_ref(&other), SOON).await;
    let after = stack.sandbox().counters(&company.realm).await["rest"]["TimeActivity"].clone();
    let one_more = calls["create"].as_u64().map(|creates| creates + 1);
    assert_eq!(after["create"].as_u64(), one_more, "{calls} {after}");
    assert_eq!(after["update"], calls["update"], "{calls} {after}");
    stack.exactly_once(&company, &[third, other]).await;
}
