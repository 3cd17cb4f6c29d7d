//! What every transaction with a customer obeys: day, number, customer, lists it points at.

use jiff::{Timestamp, civil::Date};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::{Circumstances, Kind, money, references};
use crate::{
    fault::Fault,
    store::{Record, State},
};

type Fields = Map<String, Value>;

/// 6210 unless the books are open for `date`.
pub(super) fn open_period(state: &State, date: Option<&str>) -> Result<(), Fault> {
    let date = date.and_then(|date| date.parse::<Date>().ok());
    match (date, state.profile.book_close_date) {
        (Some(date), Some(closed)) if date <= closed => Err(Fault::period_closed().at("TxnDate")),
        _ => Ok(()),
    }
}

/// Checks what all transactions share and fills in day and currency; the customer.
pub(super) fn finish<'a>(
    state: &'a State,
    fields: &mut Fields,
    old: Option<&Record>,
    now: Timestamp,
) -> Result<&'a Record, Fault> {
    if let Some(old) = old {
        open_period(state, old.text("TxnDate"))?;
        if is_void(&old.fields) {
            // Not known of the real service; its screens don't let a void transaction revive.
            return Err(Fault::business("Id", "A voided transaction can't be changed."));
        }
    }
    let date = match fields.get("TxnDate").and_then(Value::as_str) {
        Some(date) => date.to_owned(),
        None => state.today(now).to_string(),
    };
    open_period(state, Some(&date))?;
    fields.insert("TxnDate".into(), json!(date));
    currency(fields)?;

    let customer = references::active(state, Kind::Customer, fields, "CustomerRef")?
        .ok_or_else(|| Fault::missing("CustomerRef"))?;
    references::class(state, fields)?;
    references::department(state, fields)?;
    references::project(state, fields)?;
    Ok(customer)
}

/// The companies here keep their books in one currency.
pub(super) fn currency(fields: &mut Fields) -> Result<(), Fault> {
    match references::id_of(fields, "CurrencyRef") {
        None => {
            fields.insert("CurrencyRef".into(), json!({ "value": "USD" }));
            Ok(())
        }
        Some("USD") => Ok(()),
        Some(_) => Err(Fault::business(
            "CurrencyRef",
            "Multi Currency should be enabled to perform this operation.",
        )),
    }
}

/// Checks a DocNumber that was sent; a new transaction without one gets the next.
pub(super) fn number(
    state: &State,
    kind: Kind,
    fields: &mut Fields,
    old: Option<&Record>,
    circumstances: Circumstances,
) -> Result<(), Fault> {
    let sent = fields.get("DocNumber").and_then(Value::as_str).filter(|text| !text.is_empty());
    let Some(number) = sent else {
        fields.remove("DocNumber");
        if old.is_none() {
            fields.insert("DocNumber".into(), json!(state.next_number(kind)));
        }
        return Ok(());
    };
    // With numbers that QuickBooks assigns, one that is sent may be a double (API reference of
    // Invoice.DocNumber: "can lead to unwanted duplicates").
    if !state.profile.custom_txn_numbers || circumstances.duplicate_numbers {
        return Ok(());
    }
    match state.number_owner(kind, number, old.map(|old| old.id.as_str())) {
        Some(owner) => Err(Fault::duplicate_number(number, kind.name(), owner.as_str())),
        None => Ok(()),
    }
}

/// Writes an amount that QuickBooks computes.
pub(super) fn set(fields: &mut Fields, field: &str, amount: Decimal) {
    fields.insert(field.into(), money::value(amount));
}

/// Whether a transaction was voided: QuickBooks says so in the note and by the amount alone.
pub(super) fn is_void(fields: &Fields) -> bool {
    let note = fields.get("PrivateNote").and_then(Value::as_str).unwrap_or("");
    note.starts_with(VOIDED) && money::stored(fields, "TotalAmt").is_zero()
}

/// What voiding writes before a PrivateNote (Intuit's blog of 2016-04-06).
pub(super) const VOIDED: &str = "Voided";
