//! Who gets a mail, and what they read.

use jiff::SignedDuration;
use serde_json::json;
use stack_tests::stack::Stack;

use super::{NEAR, RECONNECT, broken, change, company, ends_in, event, set};

const OPERATOR: &str = "operator@crewflow.example";

#[tokio::test]
async fn a_company_that_has_named_nobody_is_told_to_the_operator() {
    let (stack, _shared) = Stack::shared().await;
    let company = broken(&stack, &[]).await;
    let detail = event(&stack, &company).await;
    stack.tell(RECONNECT, &detail).await;
    let mail = stack.mails_come(&company, 1).await.remove(0);
    assert_eq!(mail.to, [OPERATOR]);
    let why = format!("the company {} has named nobody", company.id);
    assert!(mail.text.contains(&why) && mail.html.contains(&why), "{}", mail.text);
    assert!(mail.text.contains("\"recipients\" (PUT /settings)"), "{}", mail.text);
    // Named meanwhile: the same thing is not told twice.
    change(&stack, &company, json!({ "recipients": ["office@rocky.example"] })).await;
    assert_eq!(stack.alert(&[(RECONNECT, &detail)]).await, 0);
    stack.mails_come(&company, 1).await;
}

#[tokio::test]
async fn nobody_reads_another_companys_mail() {
    let (stack, _shared) = Stack::shared().await;
    let first = broken(&stack, &["office@first.example"]).await;
    let second = broken(&stack, &["office@second.example"]).await;
    let forged = event(&stack, &first).await;
    // What comes from the host app's side of the bus is none of ours.
    stack.publish(RECONNECT, &forged).await;
    stack.tell(RECONNECT, &event(&stack, &second).await).await;
    assert_eq!(stack.mails_come(&second, 1).await[0].to, ["office@second.example"]);
    assert_eq!(stack.mails(&first).await.len(), 0);
    // An event of one company that names the other's connection is of no account.
    let mut mixed = event(&stack, &first).await;
    mixed["connectionId"] = event(&stack, &second).await["connectionId"].clone();
    assert_eq!(stack.alert(&[(RECONNECT, &mixed)]).await, 0);
    assert_eq!(stack.mails(&first).await.len(), 0);
    assert_eq!(stack.alert(&[(RECONNECT, &event(&stack, &first).await)]).await, 0);
    assert_eq!(stack.mails_come(&first, 1).await[0].to, ["office@first.example"]);
    let strangers = stack.all_mails().await;
    let strangers = strangers.iter().filter(|mail| {
        mail.text.contains(&first.id) && mail.to != ["office@first.example"]
            || mail.text.contains(&second.id) && mail.to != ["office@second.example"]
    });
    assert_eq!(strangers.count(), 0);
}

#[tokio::test]
async fn an_address_that_ses_refuses_keeps_nothing_from_the_others() {
    let (stack, _shared) = Stack::shared().await;
    let recipients =
        ["o'brien+qb@b\u{fc}ro.example", "j\u{f6}rg@rocky.example", "boss@rocky.example"];
    let company = broken(&stack, &recipients).await;
    let detail = event(&stack, &company).await;
    assert_eq!(stack.alert(&[(RECONNECT, &detail)]).await, 0);
    let mails = stack.mails_come(&company, 2).await;
    let to: Vec<&str> = mails.iter().flat_map(|mail| &mail.to).map(String::as_str).collect();
    assert_eq!(to, ["o'brien+qb@xn--bro-hoa.example", "boss@rocky.example"]);
    assert_eq!(stack.alert(&[(RECONNECT, &detail)]).await, 0);
    stack.mails_come(&company, 2).await;
}

#[tokio::test]
async fn when_ses_refuses_every_address_the_operator_is_told() {
    let (stack, _shared) = Stack::shared().await;
    let company = broken(&stack, &["j\u{f6}rg@rocky.example", "zo\u{eb}@rocky.example"]).await;
    let detail = event(&stack, &company).await;
    assert_eq!(stack.alert(&[(RECONNECT, &detail)]).await, 0);
    let mail = stack.mails_come(&company, 1).await.remove(0);
    assert_eq!(mail.to, [OPERATOR]);
    let why = format!("no address that the company {} has named takes e-mail", company.id);
    assert!(mail.text.contains(&why) && mail.html.contains(&why), "{}", mail.text);
}

#[tokio::test]
async fn a_name_with_apostrophe_emoji_and_markup_reads_as_quickbooks_has_it() {
    let (stack, _shared) = Stack::shared().await;
    let company = company(&stack, &["office@rocky.example"]).await;
    let name = "<b>O'Brien & Söhne 🚧</b>";
    set(&stack, &company, "companyName", json!({ "S": name })).await;
    ends_in(&stack, &company, SignedDuration::from_hours(20 * 24)).await;
    let near = event(&stack, &company).await;
    assert_eq!(stack.alert(&[(NEAR, &near)]).await, 0);
    set(&stack, &company, "status", json!({ "S": "reconnectRequired" })).await;
    stack.tell(RECONNECT, &near).await;
    for mail in stack.mails_come(&company, 2).await {
        assert!(mail.subject.ends_with(&format!(": {name}")), "{}", mail.subject);
        assert!(mail.text.contains(&format!("company \"{name}\"")), "{}", mail.text);
        assert!(
            mail.html.contains("&lt;b&gt;O&#39;Brien &amp; Söhne 🚧&lt;/b&gt;"),
            "{}",
            mail.html
        );
        assert!(!mail.html.contains("<b>"), "{}", mail.html);
    }
}
