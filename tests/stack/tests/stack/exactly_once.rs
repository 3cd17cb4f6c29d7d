//! Whatever happens on the way, exactly one TimeActivity per timecard is in QuickBooks when the dust
//! settles, with the timecard's fields, and nothing is left to do (S12, C5's fence, issue 2).
//!
//! # Layout
//!
//! * [`answers`]: what QuickBooks answers, or does not.
//! * [`killed`]: processes that die at each of their calls, and AWS away for a while.
//! * [`misfiled`]: time that QuickBooks files under something else than was sent.
//! * [`versions`]: edits, and events that come twice or out of order.

mod answers;
mod killed;
mod misfiled;
mod versions;

use std::time::Duration;

use serde_json::{Value, json};
use stack_tests::stack::cards::Card;
use stack_tests::stack::company::Company;
use stack_tests::stack::{Stack, eventually};

/// Time for a few cards to go out.
const SOON: Duration = Duration::from_secs(45);

/// Waits until the rules in force have killed or cut, or until everything went out untouched.
async fn touched(stack: &Stack, company: &Company) -> bool {
    eventually("a killed worker, or the end", SOON, async || {
        if stack.control().applied().await > 0 {
            return Some(true);
        }
        let idle = stack.company_row(company).await.get("leaseOwner").is_none();
        let done = idle && stack.timecard_work(company).await.is_empty();
        (done && stack.open_sends(company).await.is_empty()).then_some(false)
    })
    .await
}

/// Faults for one card of a company, found by its notes.
fn fault(company: &Company, card: &Card, more: &Value) -> Value {
    let mut fault = json!({
        "method": "POST", "path": "/timeactivity", "realm": company.realm,
        "body": format!("Work for {},", card.id),
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        fault[name] = value.clone();
    }
    fault
}
