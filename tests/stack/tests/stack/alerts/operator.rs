//! What concerns every company goes to the operator, once a day.

use serde_json::{Value, json};
use stack_tests::stack::Stack;
use stack_tests::stack::mail::Mail;

const REFUSED: &str = "app.credentials_refused";
const DAY: u64 = 24 * 3600;

async fn told(stack: &Stack) -> Vec<Mail> {
    let mut mails = stack.all_mails().await;
    mails.retain(|mail| mail.subject.contains("Intuit refuses the app's keys"));
    mails
}

async fn now(stack: &Stack) -> Value {
    json!({ "at": stack.sandbox().now().await })
}

#[tokio::test]
async fn refused_keys_of_the_app_are_told_to_the_operator_once_a_day() {
    let (stack, _alone) = Stack::alone().await;
    // Whatever was told before, today is another day.
    stack.sandbox().advance(DAY + 60).await;
    let before = told(&stack).await.len();
    let detail = now(&stack).await;
    assert_eq!(stack.alert(&[(REFUSED, &detail), (REFUSED, &now(&stack).await)]).await, 0);
    assert_eq!(told(&stack).await.len(), before + 1);
    stack.sandbox().advance(DAY - 3600).await;
    assert_eq!(stack.alert(&[(REFUSED, &now(&stack).await)]).await, 0);
    assert_eq!(told(&stack).await.len(), before + 1, "once a day");
    stack.sandbox().advance(3600 + 60).await;
    assert_eq!(stack.alert(&[(REFUSED, &detail)]).await, 0);
    assert_eq!(told(&stack).await.len(), before + 1, "what is a day old is told to nobody");
    assert_eq!(stack.alert(&[(REFUSED, &now(&stack).await)]).await, 0);
    let mails = told(&stack).await;
    assert_eq!(mails.len(), before + 2);
    let mail = &mails[before + 1];
    assert_eq!(mail.to, ["operator@crewflow.example"]);
    assert!(
        mail.subject.contains("(sandbox)") && mail.text.contains("IntuitAppSecret"),
        "{mail:?}"
    );
}
