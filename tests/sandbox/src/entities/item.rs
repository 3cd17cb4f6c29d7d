//! What an item needs beyond its name.

use serde_json::{Map, Value, json};

use crate::{fault::Fault, store::Record};

/// Checks type and account. The sandbox holds no chart of accounts, so any account id is taken.
pub(super) fn check(fields: &mut Map<String, Value>, old: Option<&Record>) -> Result<(), Fault> {
    let kind = match fields.get("Type").and_then(Value::as_str) {
        Some(kind) => kind.to_owned(),
        // Left out: a service when new, otherwise what it was.
        None => old.and_then(|old| old.text("Type")).unwrap_or("Service").to_owned(),
    };
    fields.insert("Type".into(), json!(kind));
    let has = |field: &str| fields.get(field).is_some();
    if kind == "Category" {
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
