//! What is done to a transaction as a whole: void, send by e-mail, delete.

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::{
    Kind, email, invoice, links,
    transaction::{VOIDED, is_void, open_period, set},
};
use crate::{
    fault::Fault,
    store::{ChangeKind, Record, State, wire_second},
};

type Fields = Map<String, Value>;

/// E-mails a day and company (limits page).
const MAX_EMAILS: u32 = 40;

/// Amounts and quantities become zero, the note says so, and what was linked is free again. A second
/// void changes nothing. For invoices and payments.
pub(super) fn void(
    state: &mut State,
    kind: Kind,
    record: &Record,
    now: Timestamp,
) -> Result<Record, Fault> {
    open_period(state, record.text("TxnDate"))?;
    if is_void(&record.fields) {
        return Ok(record.clone());
    }
    links::release(state, kind, record.id.as_str(), now);
    let mut fields = record.fields.clone();
    // "Voided" stands before a note that was there (API reference of void).
    let note = match record.text("PrivateNote") {
        Some(note) if !note.is_empty() => format!("{VOIDED} - {note}"),
        _ => VOIDED.to_owned(),
    };
    fields.insert("PrivateNote".into(), json!(note));
    fields.insert("LinkedTxn".into(), json!([]));
    set(&mut fields, "TotalAmt", Decimal::ZERO);
    if kind == Kind::Payment {
        set(&mut fields, "UnappliedAmt", Decimal::ZERO);
        fields.insert("Line".into(), json!([]));
    } else {
        void_lines(&mut fields);
        fields.insert("TxnTaxDetail".into(), json!({ "TotalTax": 0 }));
        set(&mut fields, "HomeTotalAmt", Decimal::ZERO);
        set(&mut fields, "Deposit", Decimal::ZERO);
        invoice::set_balance(&mut fields, Decimal::ZERO);
    }
    let voided = state.put_as(ChangeKind::Void, kind, record.id.clone(), fields, now);
    links::settle(state, kind, Some(&record.fields), Some(&voided.fields), now);
    Ok(voided)
}

fn void_lines(fields: &mut Fields) {
    let lines = fields.get_mut("Line").and_then(Value::as_array_mut).into_iter().flatten();
    for line in lines.filter_map(Value::as_object_mut) {
        line.remove("LinkedTxn");
        if line.contains_key("Amount") {
            set(line, "Amount", Decimal::ZERO);
        }
        if let Some(Value::Object(detail)) = line.get_mut("SalesItemLineDetail") {
            detail.remove("UnitPrice");
            if detail.contains_key("Qty") {
                set(detail, "Qty", Decimal::ZERO);
            }
        }
        if let Some(Value::Object(detail)) = line.get_mut("GroupLineDetail") {
            void_lines(detail);
        }
    }
}

/// Marks an invoice or estimate as sent to `to`, or to the address it holds. Nothing leaves the
/// machine. For invoices and estimates.
pub(super) fn send(
    state: &mut State,
    kind: Kind,
    record: &Record,
    to: Option<&str>,
    now: Timestamp,
) -> Result<Record, Fault> {
    let held = || record.fields.get("BillEmail")?.get("Address")?.as_str();
    let address = to.or_else(held).ok_or_else(|| Fault::missing("BillEmail"))?.to_owned();
    email::check("BillEmail", &address)?;
    let today = state.today(now);
    let sent = if state.emails.0 == today { state.emails.1 } else { 0 };
    if sent >= MAX_EMAILS {
        // Which code the real service answers is not known.
        return Err(Fault::business(
            "sendTo",
            "The daily limit of e-mails for this company was reached.",
        ));
    }
    state.emails = (today, sent + 1);
    let mut fields = record.fields.clone();
    fields.insert("BillEmail".into(), json!({ "Address": address }));
    fields.insert("EmailStatus".into(), json!("EmailSent"));
    let time = wire_second(now, &state.zone);
    fields.insert("DeliveryInfo".into(), json!({ "DeliveryType": "Email", "DeliveryTime": time }));
    Ok(state.put_as(ChangeKind::Emailed, kind, record.id.clone(), fields, now))
}

/// Takes a transaction away and frees what was linked to it.
pub(super) fn delete(
    state: &mut State,
    kind: Kind,
    record: &Record,
    now: Timestamp,
) -> Result<(), Fault> {
    open_period(state, record.text("TxnDate"))?;
    remove(state, kind, record.id.as_str(), now);
    Ok(())
}

/// The same without any check.
pub(crate) fn remove(state: &mut State, kind: Kind, id: &str, now: Timestamp) -> Option<Record> {
    let record = state.table(kind).get(id)?.clone();
    links::release(state, kind, id, now);
    state.remove(kind, id, now);
    links::settle(state, kind, Some(&record.fields), None, now);
    Some(record)
}
