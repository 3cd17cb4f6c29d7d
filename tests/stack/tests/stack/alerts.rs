//! E-mails: to the right people, once, and only about what is so (H3, C7, C8).

mod connection;
mod crashes;
mod empty_parameters;
mod operator;
mod recipients;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use stack_tests::stack::Stack;
use stack_tests::stack::company::Company;
use stack_tests::stack::stored::text;

use crate::outside;

pub(crate) const RECONNECT: &str = "connection.reconnect_required";
pub(crate) const NEAR: &str = "connection.hard_expiry_near";

/// A connected company whose settings name these addresses.
async fn company(stack: &Stack, recipients: &[&str]) -> Company {
    let company = stack.company("empty").await;
    stack.connect(&company).await;
    change(stack, &company, json!({ "recipients": recipients })).await;
    company
}

/// The same, and QuickBooks no longer accepts its connection.
async fn broken(stack: &Stack, recipients: &[&str]) -> Company {
    let company = company(stack, recipients).await;
    set(stack, &company, "status", json!({ "S": "reconnectRequired" })).await;
    company
}

/// Changes settings.
async fn change(stack: &Stack, company: &Company, mut settings: Value) {
    settings["companyId"] = company.id.clone().into();
    let path = format!("/settings?companyId={}", company.id);
    stack.put(&company.admin, &path, &settings).await.ok();
}

/// Sets one attribute of the connection's row.
async fn set(stack: &Stack, company: &Company, attribute: &str, value: Value) {
    let key = outside::connection_key("company", company);
    stack.set("Connections", &key, attribute, &value).await;
}

/// What the product publishes about a company's connection as it is now.
async fn event(stack: &Stack, company: &Company) -> Value {
    let row = outside::connection(stack, company, true).await;
    let hard = row["hardExpiresAt"].as_i64().and_then(|at| Timestamp::from_millisecond(at).ok());
    json!({
        "companyId": company.id,
        "realmId": company.realm,
        "connectionId": text(&row, "connectionId"),
        "companyName": text(&row, "companyName"),
        "hardExpiresAt": hard,
        "at": stack.sandbox().now().await,
    })
}

/// Moves the hard expiry of a connection to this long from now.
async fn ends_in(stack: &Stack, company: &Company, left: SignedDuration) {
    let ends = (stack.sandbox().now().await + left).as_millisecond();
    set(stack, company, "hardExpiresAt", json!({ "N": ends.to_string() })).await;
}
