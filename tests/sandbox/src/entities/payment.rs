//! Payment: money from a customer, and the invoices that it pays.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::{Circumstances, Kind, account, links, money, references, transaction};
use crate::{
    fault::Fault,
    ids::EntityId,
    store::{self, Record, State},
};

type Fields = Map<String, Value>;

/// Undeposited Funds, where a payment waits that names no account, in the seeded charts.
const UNDEPOSITED: &str = "4";

/// Checks a whole payment and fills in what QuickBooks fills in.
pub(super) fn finish(
    state: &State,
    mut fields: Fields,
    old: Option<&Record>,
    circumstances: Circumstances,
) -> Result<Fields, Fault> {
    let customer = transaction::finish(state, &mut fields, old, circumstances.now)?;
    let total = money::number(&fields, "TotalAmt")?.ok_or_else(|| Fault::missing("TotalAmt"))?;
    let total = money::cents(total);
    if total < Decimal::ZERO {
        return Err(Fault::out_of_range("TotalAmt", &total.to_string()));
    }
    deposit_account(state, &mut fields)?;
    references::active(state, Kind::Account, &fields, "ARAccountRef")?;

    let applied = lines(state, &mut fields, old, customer)?;
    if applied > total {
        return Err(Fault::business(
            "TotalAmt",
            "The amount applied to transactions can't be more than the payment.",
        ));
    }
    transaction::set(&mut fields, "TotalAmt", total);
    transaction::set(&mut fields, "UnappliedAmt", total - applied);
    fields.entry("ProcessPayment").or_insert_with(|| json!(false));
    fields.insert("LinkedTxn".into(), json!([]));
    Ok(fields)
}

fn deposit_account(state: &State, fields: &mut Fields) -> Result<(), Fault> {
    if let Some(account) = references::active(state, Kind::Account, fields, "DepositToAccountRef")?
    {
        return account::is_of(account, "DepositToAccountRef", &["Bank", "Other Current Asset"]);
    }
    if state.table(Kind::Account).get(UNDEPOSITED).is_some() {
        fields.insert("DepositToAccountRef".into(), json!({ "value": UNDEPOSITED }));
    }
    Ok(())
}

/// Checks the lines; what they apply in all.
fn lines(
    state: &State,
    fields: &mut Fields,
    old: Option<&Record>,
    customer: &Record,
) -> Result<Decimal, Fault> {
    let mut kept = Vec::new();
    let mut by_invoice: BTreeMap<EntityId, Decimal> = BTreeMap::new();
    for line in store::lines(fields) {
        let mut line = line.clone();
        line.retain(|_, value| !value.is_null());
        let amount =
            money::number(&line, "Amount")?.ok_or_else(|| Fault::missing("Line.Amount"))?;
        let amount = money::cents(amount);
        if amount < Decimal::ZERO {
            return Err(Fault::out_of_range("Line.Amount", &amount.to_string()));
        }
        let mut links = store::linked(&line);
        let (Some((kind, id)), None) = (links.next(), links.next()) else {
            return Err(Fault::missing("Line.LinkedTxn"));
        };
        // Credit memos, journal entries and deposits are not part of the sandbox.
        if kind != Kind::Invoice.name() {
            return Err(Fault::not_linkable("Line.LinkedTxn", kind, id));
        }
        *by_invoice.entry(EntityId::from(id)).or_default() += amount;
        drop(links);
        line.insert("Amount".into(), money::value(amount));
        kept.push(Value::Object(line));
    }
    for (id, amount) in &by_invoice {
        may_pay(state, id, *amount, old, customer)?;
    }
    fields.insert("Line".into(), Value::Array(kept));
    Ok(by_invoice.values().sum())
}

/// Whether the invoice is there, not void, this customer's, and open for as much.
fn may_pay(
    state: &State,
    id: &EntityId,
    amount: Decimal,
    old: Option<&Record>,
    customer: &Record,
) -> Result<(), Fault> {
    let invoice = state
        .table(Kind::Invoice)
        .get(id.as_str())
        .ok_or_else(|| Fault::not_found().at("Line.LinkedTxn.TxnId"))?;
    let not_linkable = || Fault::not_linkable("Line.LinkedTxn.TxnId", "Invoice", id.as_str());
    let owner = invoice.reference("CustomerRef").unwrap_or("");
    if transaction::is_void(&invoice.fields) || !links::is_below(state, owner, customer.id.as_str())
    {
        return Err(not_linkable());
    }
    let own = old.map_or(Decimal::ZERO, |old| links::applied(&old.fields, id.as_str()));
    // Not known of the real service: here nothing is applied beyond what is open.
    if amount > money::stored(&invoice.fields, "Balance") + own {
        return Err(Fault::business(
            "Line.Amount",
            "The amount applied can't be more than the open balance of the invoice.",
        ));
    }
    Ok(())
}
