//! Parameters that are empty. Without a sender or without anybody to tell, nothing is sent, and the metric of
//! an alarm says so; without a public address, links lead to the API's own.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use stack_tests::stack::company::Company;
use stack_tests::stack::{Stack, eventually};

use super::{RECONNECT, broken, change, event};
use crate::outside::{self, log_text};

/// Hands an event over while one of the function's variables is empty. It is dealt with.
async fn hand_over(stack: &Stack, variable: &str, company: &Company) {
    let before = outside::variables(stack, "alerts").await;
    let mut changed = before.clone();
    changed[variable] = "".into();
    outside::set_variables(stack, "alerts", &changed).await;
    let left = stack.alert(&[(RECONNECT, &event(stack, company).await)]).await;
    outside::set_variables(stack, "alerts", &before).await;
    assert_eq!(left, 0, "{variable}");
}

/// Nothing is sent then, and a metric says so.
async fn without(stack: &Stack, variable: &str, company: &Company, sign: &str) {
    let since = Timestamp::now();
    hand_over(stack, variable, company).await;
    assert_eq!(stack.mails(company).await.len(), 0, "{variable}");
    let metric = format!("\"{sign}\":1.0");
    eventually(&metric, Duration::from_secs(20), async || {
        log_text(stack, since).await.contains(&metric).then_some(())
    })
    .await;
}

#[tokio::test]
async fn nothing_is_sent_without_sender_or_recipient_and_the_alarms_hear_of_it() {
    let (stack, _alone) = Stack::alone().await;
    let company = broken(&stack, &[]).await;
    without(&stack, "OPERATOR_EMAIL", &company, "AlertsWithoutRecipient").await;
    change(&stack, &company, json!({ "recipients": ["office@rocky.example"] })).await;
    without(&stack, "MAIL_FROM", &company, "MailsNotSent").await;
    // With both again, what is still so can be told. Here the API's own address is the public one too.
    hand_over(&stack, "PUBLIC_URL", &company).await;
    assert_eq!(stack.mails_come(&company, 1).await[0].to, ["office@rocky.example"]);
}
