//! Invoice: due day, deposit, what is still open.

use jiff::civil::Date;
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::{Circumstances, Kind, links, money, references, sale, term, transaction};
use crate::{
    fault::Fault,
    store::{Record, State},
};

type Fields = Map<String, Value>;

/// Days to pay where neither invoice nor customer has a term: the API reference's example of a
/// bare invoice is due 30 days later.
const DEFAULT_DAYS: i64 = 30;

/// Checks a whole invoice and fills in what QuickBooks fills in.
pub(super) fn finish(
    state: &State,
    mut fields: Fields,
    old: Option<&Record>,
    circumstances: Circumstances,
) -> Result<Fields, Fault> {
    let customer = transaction::finish(state, &mut fields, old, circumstances.now)?;
    transaction::number(state, Kind::Invoice, &mut fields, old, circumstances)?;
    let total = sale::finish(state, &mut fields, old, customer)?;
    due(state, &mut fields, customer);
    for field in [
        "AllowIPNPayment",
        "AllowOnlinePayment",
        "AllowOnlineCreditCardPayment",
        "AllowOnlineACHPayment",
    ] {
        fields.entry(field).or_insert_with(|| json!(false));
    }
    links::check_invoice(state, &mut fields, old)?;

    let deposit = money::number(&fields, "Deposit")?.map_or(Decimal::ZERO, money::cents);
    if deposit < Decimal::ZERO || deposit > total {
        return Err(Fault::out_of_range("Deposit", &deposit.to_string()));
    }
    transaction::set(&mut fields, "Deposit", deposit);
    let paid = old.map_or(Decimal::ZERO, |old| links::paid(state, old.id.as_str()));
    if deposit + paid > total {
        return Err(Fault::business(
            "TotalAmt",
            "The amount of the invoice can't be less than what was paid on it.",
        ));
    }
    set_balance(&mut fields, total - deposit - paid);
    Ok(fields)
}

/// What is still to be paid.
pub(super) fn set_balance(fields: &mut Fields, balance: Decimal) {
    for field in ["Balance", "HomeBalance"] {
        transaction::set(fields, field, balance);
    }
}

/// A due day that was not sent follows from the invoice's term, or the customer's.
fn due(state: &State, fields: &mut Fields, customer: &Record) {
    if fields.contains_key("DueDate") {
        return;
    }
    let date = fields.get("TxnDate").and_then(Value::as_str).and_then(|text| text.parse().ok());
    let Some(date): Option<Date> = date else { return };
    let term = references::id_of(fields, "SalesTermRef")
        .or_else(|| customer.reference("SalesTermRef"))
        .and_then(|id| state.table(Kind::Term).get(id));
    let due = match term {
        Some(term) => term::due(&term.fields, date),
        None => term::after(date, DEFAULT_DAYS),
    };
    fields.insert("DueDate".into(), json!(due.to_string()));
}
