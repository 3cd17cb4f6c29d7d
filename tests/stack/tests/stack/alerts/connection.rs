//! Mails about a connection: whether, when, and how often.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};
use stack_tests::stack::company::Company;
use stack_tests::stack::{Stack, eventually};

use super::{NEAR, RECONNECT, broken, change, company, ends_in, event, set};
use crate::outside::status;

const OFFICE: &str = "office@rocky.example";
const SOON: Duration = Duration::from_secs(30);

fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

/// Lets Intuit refuse the company's tokens, and many calls at once find out.
async fn refused_for_good(stack: &Stack, company: &Company) {
    let realm = json!({ "realm": company.realm });
    stack.sandbox().post("/tokens/revoke-refresh", &realm).await;
    let soon = stack.sandbox().now().await.as_millisecond() + 30_000;
    set(stack, company, "accessExpiresAt", json!({ "N": soon.to_string() })).await;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let (stack, company) = (stack.clone(), company.clone());
        calls.spawn(async move {
            let body = json!({ "companyId": company.id });
            stack.post(&company.admin, "/test-connection", &body).await
        });
    }
    calls.join_all().await;
    // Whoever asked while the first was at it got the old token: these ask again.
    eventually("reconnectRequired", SOON, async || {
        let body = json!({ "companyId": company.id });
        stack.post(&company.admin, "/test-connection", &body).await;
        (status(stack, company).await["status"] == "reconnectRequired").then_some(())
    })
    .await;
}

#[tokio::test]
async fn invalid_grant_is_one_mail_with_the_reconnect_link_however_many_calls_notice() {
    let (stack, _shared) = Stack::shared().await;
    stack.listen().await;
    let company = company(&stack, &[OFFICE, "boss@rocky.example"]).await;
    refused_for_good(&stack, &company).await;
    let mails = stack.mails_come(&company, 1).await;
    let mail = &mails[0];
    assert_eq!(mail.to, [OFFICE, "boss@rocky.example"]);
    assert_eq!(mail.source, "quickbooks@crewflow.example");
    assert_eq!(mail.subject, format!("Please reconnect QuickBooks: {}", company.id));
    let link = stack.reconnect_link(&company);
    assert!(mail.html.contains(&format!("href=\"{link}\"")), "{}", mail.html);

    // Nothing that comes later makes a second one: calls, or the same event once more.
    let told = eventually("the event", SOON, async || {
        let events = stack.events(&company.id).await;
        events.into_iter().find(|event| event["detail-type"] == RECONNECT)
    })
    .await;
    let body = json!({ "companyId": company.id });
    stack.post(&company.admin, "/test-connection", &body).await;
    assert_eq!(stack.alert(&[(RECONNECT, &told["detail"])]).await, 0);
    stack.mails_come(&company, 1).await;

    // Connected again: the old event is of no account, and a new end is told anew.
    stack.connect(&company).await;
    assert_eq!(stack.alert(&[(RECONNECT, &told["detail"])]).await, 0);
    stack.mails_come(&company, 1).await;
    refused_for_good(&stack, &company).await;
    stack.mails_come(&company, 2).await;
}

#[tokio::test]
async fn an_event_that_comes_twice_is_one_mail() {
    let (stack, _shared) = Stack::shared().await;
    let company = broken(&stack, &[OFFICE]).await;
    let detail = event(&stack, &company).await;
    stack.tell(RECONNECT, &detail).await;
    stack.tell(RECONNECT, &detail).await;
    stack.mails_come(&company, 1).await;
    // Later, in one batch, and at once.
    let twice: [(&str, &Value); 2] = [(RECONNECT, &detail); 2];
    assert_eq!(stack.alert(&twice).await, 0);
    let other = broken(&stack, &[OFFICE]).await;
    let detail = event(&stack, &other).await;
    let once = [(RECONNECT, &detail)];
    tokio::join!(stack.alert(&once), stack.alert(&once), stack.alert(&once));
    assert_eq!(stack.alert(&once).await, 0);
    stack.mails_come(&other, 1).await;
    stack.mails_come(&company, 1).await;
}

#[tokio::test]
async fn what_is_no_longer_so_is_told_to_nobody() {
    let (stack, _shared) = Stack::shared().await;
    let company = company(&stack, &[OFFICE]).await;
    ends_in(&stack, &company, days(20)).await;
    let now = event(&stack, &company).await;
    let mut other = now.clone();
    other["connectionId"] = "0190a5b2-0000-7000-8000-000000000000".into();
    let mut nobody = now.clone();
    nobody["companyId"] = "test-no-such-company".into();
    // Connected: nothing is to be done about this connection, nor about the one before it.
    let events = [(RECONNECT, &now), (RECONNECT, &other), (NEAR, &other), (NEAR, &nobody)];
    assert_eq!(stack.alert(&events).await, 0);
    // Ended by an admin meanwhile.
    set(&stack, &company, "status", json!({ "S": "disconnected" })).await;
    assert_eq!(stack.alert(&[(RECONNECT, &now), (NEAR, &now)]).await, 0);
    // Refused meanwhile: that has a mail of its own, which the warning is not.
    set(&stack, &company, "status", json!({ "S": "reconnectRequired" })).await;
    assert_eq!(stack.alert(&[(NEAR, &now)]).await, 0);
    assert_eq!(stack.mails(&company).await.len(), 0);
    assert_eq!(stack.alert(&[(RECONNECT, &now)]).await, 0);
    stack.mails_come(&company, 1).await;
}

#[tokio::test]
async fn a_hard_expiry_is_told_30_and_7_days_before_once_each() {
    let (stack, _shared) = Stack::shared().await;
    let company = company(&stack, &[OFFICE]).await;
    change(&stack, &company, json!({ "timeZone": "America/Denver" })).await;
    let told = async |left: SignedDuration| {
        ends_in(&stack, &company, left).await;
        let detail = event(&stack, &company).await;
        assert_eq!(stack.alert(&[(NEAR, &detail), (NEAR, &detail)]).await, 0);
        stack.mails(&company).await.len()
    };
    assert_eq!(told(days(31)).await, 0);
    assert_eq!(told(days(30) - SignedDuration::from_mins(1)).await, 1);
    assert_eq!(told(days(8)).await, 1);
    assert_eq!(told(days(6) + SignedDuration::from_hours(12)).await, 2);
    assert_eq!(told(days(1)).await, 2);
    assert_eq!(told(-days(1)).await, 2, "what has ended is told as such");
    let mails = stack.mails(&company).await;
    let ends = stack.sandbox().now().await + days(30);
    let ends = ends.in_tz("America/Denver").unwrap().strftime("%B %-d, %Y").to_string();
    assert_eq!(mails[0].subject, format!("Please reconnect QuickBooks by {ends}: {}", company.id));
    assert!(mails[0].text.contains("once more a week before"), "{}", mails[0].text);
    assert!(mails[1].text.contains("the last reminder"), "{}", mails[1].text);
}

#[tokio::test]
async fn a_late_warning_takes_the_place_of_the_next_one() {
    let (stack, _shared) = Stack::shared().await;
    let company = company(&stack, &[OFFICE]).await;
    ends_in(&stack, &company, days(5)).await;
    let last = event(&stack, &company).await;
    let mut first = last.clone();
    first["at"] = json!(stack.sandbox().now().await - days(25));
    assert_eq!(stack.alert(&[(NEAR, &first)]).await, 0);
    assert!(stack.mails_come(&company, 1).await[0].text.contains("the last reminder"));
    assert_eq!(stack.alert(&[(NEAR, &last)]).await, 0);
    stack.mails_come(&company, 1).await;
}

#[tokio::test]
async fn a_kind_that_a_company_switched_off_is_not_sent() {
    let (stack, _shared) = Stack::shared().await;
    let off = broken(&stack, &[OFFICE]).await;
    change(&stack, &off, json!({ "alerts": { "reconnectRequired": false } })).await;
    let detail = event(&stack, &off).await;
    assert_eq!(stack.alert(&[(RECONNECT, &detail)]).await, 0);
    assert_eq!(stack.mails(&off).await.len(), 0);
    set(&stack, &off, "status", json!({ "S": "connected" })).await;
    ends_in(&stack, &off, days(5)).await;
    assert_eq!(stack.alert(&[(NEAR, &event(&stack, &off).await)]).await, 0);
    stack.mails_come(&off, 1).await;
    // And the other way round.
    let off = broken(&stack, &[OFFICE]).await;
    change(&stack, &off, json!({ "alerts": { "hardExpiry": false } })).await;
    assert_eq!(stack.alert(&[(RECONNECT, &event(&stack, &off).await)]).await, 0);
    stack.mails_come(&off, 1).await;
    set(&stack, &off, "status", json!({ "S": "connected" })).await;
    ends_in(&stack, &off, days(5)).await;
    assert_eq!(stack.alert(&[(NEAR, &event(&stack, &off).await)]).await, 0);
    stack.mails_come(&off, 1).await;
}

#[tokio::test]
async fn a_company_gets_five_mails_a_day_and_more_on_the_next() {
    let (stack, _alone) = Stack::alone().await;
    let company = broken(&stack, &[OFFICE]).await;
    let mut detail = event(&stack, &company).await;
    for number in 1..=6 {
        let connection = format!("0190a5b2-0000-7000-8000-00000000000{number}");
        set(&stack, &company, "connectionId", json!({ "S": connection })).await;
        detail["connectionId"] = connection.into();
        assert_eq!(stack.alert(&[(RECONNECT, &detail)]).await, 0);
    }
    stack.mails_come(&company, 5).await;
    stack.sandbox().advance(24 * 3600).await;
    assert_eq!(stack.alert(&[(RECONNECT, &detail)]).await, 0);
    stack.mails_come(&company, 6).await;
}
