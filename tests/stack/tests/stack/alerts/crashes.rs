//! The function dies, or SES does not answer: the mail comes all the same, and twice in one case only.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use stack_tests::stack::control::at;
use stack_tests::stack::{Stack, eventually};

use super::{RECONNECT, broken, event};
use crate::outside::log_text;

/// A claim runs out after two minutes.
const CLAIM: u64 = 121;

/// Hands one event to the function, which may die of it.
async fn hand_over(stack: &Stack, detail: &Value) {
    let body = json!({ "detail-type": RECONNECT, "detail": detail }).to_string();
    let arn = "arn:aws:sqs:us-east-1:000000000000:Alerts";
    let records = json!([{ "messageId": "1", "body": body, "eventSourceARN": arn }]);
    stack.try_invoke("alerts", &json!({ "Records": records })).await;
}

#[tokio::test]
async fn a_mail_survives_a_crash_and_comes_twice_only_if_nobody_can_know_that_it_went_out() {
    let (stack, _alone) = Stack::alone().await;
    let counters = format!("table/{}", stack.table("Counters"));
    let row = |nth: u32, when: &str| {
        let mut order = at("alerts", when);
        order["action"] = "dynamodb:UpdateItem".into();
        order["resource"] = counters.clone().into();
        order["nth"] = nth.into();
        order
    };
    let ses = |when: &str| {
        let mut order = at("alerts", when);
        order["action"] = "ses:SendEmail".into();
        order
    };
    // The first write is the claim, the second the place among the day's mails, the third the note.
    let cases = [
        ("before the claim", row(1, "before"), 0, 1),
        ("after the claim", row(1, "after"), 0, 1),
        ("after the place", row(2, "after"), 0, 1),
        ("before SES", ses("before"), 0, 1),
        ("after SES", ses("after"), 1, 2),
        ("before the note", row(3, "before"), 1, 2),
        ("after the note", row(3, "after"), 1, 1),
    ];
    for (case, order, at_first, in_the_end) in cases {
        let company = broken(&stack, &["office@rocky.example"]).await;
        let detail = event(&stack, &company).await;
        stack.control().crash(&order).await;
        hand_over(&stack, &detail).await;
        assert_eq!(stack.control().applied().await, 1, "{case}");
        stack.control().clear_rules().await;
        assert_eq!(stack.mails(&company).await.len(), at_first, "{case}");
        stack.sandbox().advance(CLAIM).await;
        assert_eq!(stack.alert(&[(RECONNECT, &detail)]).await, 0, "{case}");
        assert_eq!(stack.alert(&[(RECONNECT, &detail)]).await, 0, "{case}");
        assert_eq!(stack.mails(&company).await.len(), in_the_end, "{case}");
    }
}

#[tokio::test]
async fn while_ses_is_away_a_mail_waits_is_measured_and_comes_once() {
    let (stack, _alone) = Stack::alone().await;
    let since = Timestamp::now();
    let company = broken(&stack, &["office@rocky.example", "boss@rocky.example"]).await;
    let detail = event(&stack, &company).await;
    let away =
        json!({ "function": "alerts", "action": "ses:SendEmail", "calls": 50, "status": 503 });
    stack.control().refuse(&away).await;
    assert_eq!(stack.alert(&[(RECONNECT, &detail)]).await, 1, "it comes again");
    stack.control().clear_rules().await;
    assert_eq!(stack.mails(&company).await.len(), 0);
    eventually("the metric of the alarm", Duration::from_secs(20), async || {
        let log = log_text(&stack, since).await;
        log.contains("\"MailsNotSent\":1.0").then_some(())
    })
    .await;
    // Too early, as when another process were at it; then it goes out.
    assert_eq!(stack.alert(&[(RECONNECT, &detail)]).await, 1);
    stack.sandbox().advance(CLAIM).await;
    assert_eq!(stack.alert(&[(RECONNECT, &detail)]).await, 0);
    stack.mails_come(&company, 1).await;
}

#[tokio::test]
async fn an_event_that_cannot_be_read_is_not_swallowed() {
    let (stack, _shared) = Stack::shared().await;
    let company = broken(&stack, &["office@rocky.example"]).await;
    let good = event(&stack, &company).await;
    let mut bad = good.clone();
    bad["connectionId"] = 7.into();
    // It ends among the dead letters; the one beside it goes out.
    assert_eq!(stack.alert(&[(RECONNECT, &bad), (RECONNECT, &good)]).await, 1);
    stack.mails_come(&company, 1).await;
}
