//! A token is refreshed before it ends, and not earlier than it must be.

use stack_tests::stack::Stack;

use super::push;

#[tokio::test]
async fn a_token_is_refreshed_within_five_minutes_of_its_end_and_not_before() {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.crew().await;
    stack.let_others_rest(&[&company]).await;
    let expires = async || {
        stack.connection_row(&company).await["accessExpiresAt"].as_i64().unwrap_or_default()
    };
    let end = expires().await;
    stack.clock_reaches(end - 330_000).await;
    push(&stack, &company, "early", 2).await;
    assert_eq!(stack.token_calls(&company).await.refresh, 0);
    stack.clock_reaches(end - 299_000).await;
    push(&stack, &company, "late", 2).await;
    assert_eq!(stack.token_calls(&company).await.refresh, 1);
    assert!(expires().await > end + 50 * 60_000);
    push(&stack, &company, "later", 2).await;
    assert_eq!(stack.token_calls(&company).await.refresh, 1);
    assert_eq!(stack.answered(&company, 401).await, 0);
}
