//! What invoices and estimates share: addresses, lines, tax, total, e-mail.

use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::{Kind, email, lines, money, references, totals, transaction};
use crate::{
    fault::Fault,
    store::{Record, State},
};

type Fields = Map<String, Value>;

/// Checks and completes everything but balance and links; the total.
pub(super) fn finish(
    state: &State,
    fields: &mut Fields,
    old: Option<&Record>,
    customer: &Record,
) -> Result<Decimal, Fault> {
    references::active(state, Kind::Term, fields, "SalesTermRef")?;
    references::active(state, Kind::Account, fields, "DepositToAccountRef")?;
    if old.is_none() {
        for field in ["BillAddr", "ShipAddr"] {
            if let (None, Some(address)) = (fields.get(field), customer.fields.get(field)) {
                fields.insert(field.into(), address.clone());
            }
        }
    }
    mail(fields)?;
    fields.entry("PrintStatus").or_insert_with(|| json!("NeedToPrint"));
    fields.entry("ApplyTaxAfterDiscount").or_insert_with(|| json!(false));

    let checked = lines::finish(state, fields, old)?;
    let tax = tax(state, fields)?;
    let total = totals::total(checked.subtotal, checked.discount, tax)?;
    fields.insert("Line".into(), Value::Array(checked.lines));
    for field in ["TotalAmt", "HomeTotalAmt"] {
        transaction::set(fields, field, total);
    }
    Ok(total)
}

/// Automated sales tax is not computed here: the total that was sent is kept.
fn tax(state: &State, fields: &mut Fields) -> Result<Decimal, Fault> {
    let mut detail = match fields.get("TxnTaxDetail") {
        Some(Value::Object(detail)) => detail.clone(),
        _ => Map::new(),
    };
    detail.retain(|_, value| !value.is_null());
    references::active(state, Kind::TaxCode, &detail, "TxnTaxCodeRef")?;
    let tax = money::number(&detail, "TotalTax")?.map_or(Decimal::ZERO, money::cents);
    if tax < Decimal::ZERO {
        return Err(Fault::out_of_range("TotalTax", &tax.to_string()));
    }
    transaction::set(&mut detail, "TotalTax", tax);
    fields.insert("TxnTaxDetail".into(), Value::Object(detail));
    Ok(tax)
}

fn mail(fields: &mut Fields) -> Result<(), Fault> {
    fields.entry("EmailStatus").or_insert_with(|| json!("NotSet"));
    for field in ["BillEmail", "BillEmailCc", "BillEmailBcc"] {
        email::check_field(fields, field)?;
    }
    let waits = fields.get("EmailStatus") == Some(&json!("NeedToSend"));
    let address = fields.get("BillEmail").and_then(|mail| mail.get("Address"));
    if waits && address.is_none() {
        return Err(Fault::missing("BillEmail"));
    }
    Ok(())
}
