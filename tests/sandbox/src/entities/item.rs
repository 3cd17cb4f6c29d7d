//! What an item needs beyond its name.

use serde_json::{Map, Value, json};

use super::{Kind, account, references};
use crate::{
    fault::Fault,
    store::{Record, State},
};

/// The accounts of an item, with the types that each may be of.
const ACCOUNTS: [(&str, &[&str]); 4] = [
    ("IncomeAccountRef", &["Income", "Other Income"]),
    ("ExpenseAccountRef", &["Expense", "Cost of Goods Sold", "Other Expense"]),
    ("COGSAccountRef", &["Cost of Goods Sold"]),
    ("AssetAccountRef", &["Other Current Asset"]),
];

/// Checks type, parent and accounts.
pub(super) fn check(
    state: &State,
    fields: &mut Map<String, Value>,
    old: Option<&Record>,
) -> Result<(), Fault> {
    let kind = match fields.get("Type").and_then(Value::as_str) {
        Some(kind) => kind.to_owned(),
        // Left out: a service when new, otherwise what it was.
        None => old.and_then(|old| old.text("Type")).unwrap_or("Service").to_owned(),
    };
    fields.insert("Type".into(), json!(kind));
    if let Some(parent) = references::active(state, Kind::Item, fields, "ParentRef")?
        && parent.text("Type") != Some("Category")
    {
        // Since minor version 4 only categories have items below them (API reference).
        return Err(Fault::business("ParentRef", "The parent of an item must be a category."));
    }
    for (field, types) in ACCOUNTS {
        if let Some(account) = references::active(state, Kind::Account, fields, field)? {
            account::is_of(account, field, types)?;
        }
    }
    let has = |field: &str| fields.get(field).is_some();
    if kind == "Category" || kind == "Group" {
        return Ok(());
    }
    if !has("IncomeAccountRef") && !has("ExpenseAccountRef") {
        return Err(Fault::missing("IncomeAccountRef"));
    }
    if kind == "Inventory" {
        for field in ["AssetAccountRef", "QtyOnHand", "InvStartDate"] {
            if !has(field) {
                return Err(Fault::missing(field));
            }
        }
    }
    fields.entry("Taxable").or_insert_with(|| json!(false));
    fields.entry("UnitPrice").or_insert_with(|| json!(0));
    Ok(())
}
