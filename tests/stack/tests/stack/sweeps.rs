//! Connections that never die by themselves: the sweeps, renewals and proofs of token-refresh (C6, C7,
//! C11, C12). Schedules are invoked, not awaited.

mod alarms;
mod cost;
mod ends;
mod runs;
mod years;

use std::time::Duration;

use serde_json::{Value, json};
use stack_tests::stack::Stack;
use stack_tests::stack::company::Company;
use stack_tests::stack::connections::key;

/// Time for a few companies.
const SOON: Duration = Duration::from_mins(1);

/// Time for some hundreds.
const LATER: Duration = Duration::from_mins(5);

async fn refreshes(stack: &Stack, company: &Company) -> u64 {
    let counters = stack.sandbox().counters(&company.realm).await;
    counters["tokens"]["refresh"].as_u64().unwrap_or_default()
}

async fn told(stack: &Stack, company: &Company, event: &str) -> usize {
    let events = stack.events(&company.id).await;
    events.iter().filter(|told| told["detail-type"] == event).count()
}

/// `due`, `refreshed` (or `warned`), `failed`, `skipped`, `left` of a report.
fn numbers(report: &Value) -> [u64; 5] {
    let done = if report["warned"].is_null() { "refreshed" } else { "warned" };
    ["due", done, "failed", "skipped", "left"]
        .map(|name| report[name].as_u64().unwrap_or_else(|| panic!("no {name}: {report}")))
}

async fn put(stack: &Stack, company: &Company, attribute: &str, value: i64) {
    let value = json!({ "N": value.to_string() });
    stack.set("Connections", &key(company), attribute, &value).await;
}
