//! Setting a company up: its settings and its mapping, every version of them.

mod mapping;
mod settings;

use jiff::Timestamp;
use serde_json::Value;
use stack_tests::stack::Stack;
use stack_tests::stack::api::{Answer, Caller};
use stack_tests::stack::company::Company;

/// Reads settings or a mapping as the company's admin.
async fn read(stack: &Stack, what: &str, company: &Company) -> Value {
    stack.get(&company.admin, &format!("/{what}?companyId={}", company.id)).await.ok()
}

/// Saves settings or a mapping; the company is put into the body.
async fn save(
    stack: &Stack,
    caller: &Caller,
    what: &str,
    company: &Company,
    body: &Value,
) -> Answer {
    let mut body = body.clone();
    body["companyId"] = company.id.clone().into();
    stack.put(caller, &format!("/{what}?companyId={}", company.id), &body).await
}

/// Whether a time was just now.
fn just_now(now: Timestamp, at: &Value) -> bool {
    let at: Option<Timestamp> = at.as_str().and_then(|at| at.parse().ok());
    at.is_some_and(|at| (0..60).contains(&now.duration_since(at).as_secs()))
}
