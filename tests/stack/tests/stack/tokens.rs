//! Tokens: one refresh at a time, before it is needed, never twice, and no connection lost while
//! Intuit honours a token that was stored (C4, C5; C8 as far as work waits and goes on).
//!
//! What users of other integrations suffer from has tests of its own: [`crate::pain_points`].
//!
//! # Layout
//!
//! * [`broken_off`]: a refresh that ends anywhere.
//! * [`in_time`]: when a token is refreshed.
//! * [`refused`]: Intuit refuses a token, for now or for good.

mod broken_off;
mod in_time;
mod refused;

use std::time::Duration;

use stack_tests::stack::Stack;
use stack_tests::stack::cards::Card;
use stack_tests::stack::company::Company;

/// Time for a few cards to go out.
pub(crate) const SOON: Duration = Duration::from_secs(45);

/// Sends cards and waits until they went out.
pub(crate) async fn push(stack: &Stack, company: &Company, prefix: &str, count: u32) -> Vec<Card> {
    let cards = Card::several(prefix, count);
    stack.deliver(company, &cards).await;
    stack.all_synced(company, &cards, SOON).await;
    cards
}
