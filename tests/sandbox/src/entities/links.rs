//! `LinkedTxn` on both sides, and what follows from it: balances, closed estimates, billed time.
//!
//! A payment names invoices in its lines, an invoice names the estimates and activities it was made
//! from. The other side is derived from this whenever a transaction is written, voided or deleted.
//! It counts as a change of the other side: SyncToken, times and webhooks (not known of the real
//! service in every case; a client that holds an old SyncToken gets 5010).

use std::collections::BTreeSet;

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::{Kind, invoice, money, transaction};
use crate::{
    fault::Fault,
    ids::EntityId,
    store::{self, Record, State, targets},
};

type Fields = Map<String, Value>;

/// What a payment applies to an invoice.
pub(super) fn applied(payment: &Fields, invoice: &str) -> Decimal {
    store::lines(payment)
        .filter(|line| store::linked(line).any(|(_, id)| id == invoice))
        .map(|line| money::stored(line, "Amount"))
        .sum()
}

/// What was paid on an invoice.
pub(super) fn paid(state: &State, invoice: &str) -> Decimal {
    payments_of(state, invoice).map(|payment| applied(&payment.fields, invoice)).sum()
}

fn payments_of<'a>(state: &'a State, invoice: &str) -> impl Iterator<Item = &'a Record> {
    let mut ids = state.holders(Kind::Invoice, invoice);
    ids.retain(|(kind, _)| *kind == Kind::Payment);
    ids.sort_by_key(|(_, id)| id.as_str().parse::<u64>().unwrap_or(u64::MAX));
    ids.into_iter().filter_map(|(kind, id)| state.table(kind).get(id.as_str()))
}

/// The invoices made from an estimate, as its `LinkedTxn`.
pub(super) fn invoices_of(state: &State, estimate: &str) -> Vec<Value> {
    let holders = state.holders(Kind::Estimate, estimate);
    holders.iter().map(|(kind, id)| link(*kind, id)).collect()
}

fn link(kind: Kind, id: &EntityId) -> Value {
    json!({ "TxnId": id, "TxnType": kind.name() })
}

/// Whether `customer` is `above` or lies below it.
pub(super) fn is_below(state: &State, customer: &str, above: &str) -> bool {
    let mut next = Some(customer);
    // The bound guards against a circle that was stored unchecked.
    for _ in 0..16 {
        match next {
            Some(id) if id == above => return true,
            Some(id) => {
                let record = state.table(Kind::Customer).get(id);
                next = record.and_then(|record| record.reference("ParentRef"));
            }
            None => break,
        }
    }
    false
}

/// Checks what an invoice was made from, and writes its whole `LinkedTxn`: the sent estimates and
/// activities, then the payments. Sent payments are ignored.
pub(super) fn check_invoice(
    state: &State,
    fields: &mut Fields,
    old: Option<&Record>,
) -> Result<(), Fault> {
    let owner = store::reference(fields, "CustomerRef").unwrap_or("").to_owned();
    let before = old.map_or_else(Vec::new, |old| targets(Kind::Invoice, &old.fields));
    let all = store::linked(fields).chain(store::lines(fields).flat_map(store::linked));
    for (kind, id) in all {
        if !["Payment", "Estimate", "TimeActivity"].contains(&kind) {
            return Err(Fault::not_linkable("LinkedTxn.TxnId", kind, id));
        }
    }
    for target in targets(Kind::Invoice, fields) {
        let record = state
            .table(target.kind)
            .get(target.id)
            .ok_or_else(|| Fault::not_found().at("LinkedTxn.TxnId"))?;
        let fits = if target.kind == Kind::TimeActivity {
            let billable = record.text("BillableStatus") == Some("Billable");
            let customers = ["CustomerRef", "ProjectRef"].map(|field| record.reference(field));
            (billable || before.contains(&target))
                && customers.into_iter().flatten().any(|one| is_below(state, one, &owner))
        } else {
            let others = state.holders(target.kind, target.id);
            let own = old.map(|old| &old.id);
            // Progress invoicing is off: an estimate becomes one invoice.
            record.reference("CustomerRef") == Some(owner.as_str())
                && others.iter().all(|(_, holder)| Some(holder) == own)
        };
        if !fits {
            return Err(Fault::not_linkable("LinkedTxn.TxnId", target.kind.name(), target.id));
        }
    }
    let mut all: Vec<Value> = Vec::new();
    for (kind, id) in store::linked(fields).filter(|(kind, _)| *kind != "Payment") {
        let link = json!({ "TxnId": id, "TxnType": kind });
        if !all.contains(&link) {
            all.push(link);
        }
    }
    if let Some(old) = old {
        for payment in payments_of(state, old.id.as_str()) {
            if !is_below(state, &owner, payment.reference("CustomerRef").unwrap_or("")) {
                return Err(Fault::not_linkable("CustomerRef", "Payment", payment.id.as_str()));
            }
            all.push(link(Kind::Payment, &payment.id));
        }
    }
    fields.insert("LinkedTxn".into(), Value::Array(all));
    Ok(())
}

/// Brings the other side of every link that a transaction had or has up to date.
pub(crate) fn settle(
    state: &mut State,
    kind: Kind,
    before: Option<&Fields>,
    after: Option<&Fields>,
    now: Timestamp,
) {
    let touched: BTreeSet<(Kind, EntityId)> = [before, after]
        .into_iter()
        .flatten()
        .flat_map(|fields| targets(kind, fields))
        .map(|target| (target.kind, EntityId::from(target.id)))
        .collect();
    for (kind, id) in touched {
        refresh(state, kind, &id, now);
    }
}

/// Derives the fields of a linked entity again, and stores it if they changed.
fn refresh(state: &mut State, kind: Kind, id: &EntityId, now: Timestamp) {
    let Some(record) = state.table(kind).get(id.as_str()) else { return };
    let mut fields = record.fields.clone();
    match kind {
        Kind::Invoice => refresh_invoice(state, record, &mut fields),
        Kind::Estimate => {
            let invoices = invoices_of(state, id.as_str());
            let was_linked = store::linked(&fields).next().is_some();
            let status = match (invoices.is_empty(), was_linked) {
                (false, _) => Some("Closed"),
                (true, true) if fields.contains_key("AcceptedDate") => Some("Accepted"),
                (true, true) => Some("Pending"),
                (true, false) => None,
            };
            if let Some(status) = status {
                fields.insert("TxnStatus".into(), json!(status));
            }
            fields.insert("LinkedTxn".into(), Value::Array(invoices));
        }
        Kind::TimeActivity => {
            let invoiced = !state.holders(kind, id.as_str()).is_empty();
            let status = if invoiced { "HasBeenBilled" } else { "Billable" };
            fields.insert("BillableStatus".into(), json!(status));
        }
        _ => {}
    }
    if fields != record.fields {
        state.put(kind, id.clone(), fields, now);
    }
}

fn refresh_invoice(state: &State, invoice: &Record, fields: &mut Fields) {
    let (total, deposit) = (money::stored(fields, "TotalAmt"), money::stored(fields, "Deposit"));
    let id = invoice.id.as_str();
    invoice::set_balance(fields, total - deposit - paid(state, id));
    let sources = store::linked(&invoice.fields).filter(|(kind, _)| *kind != "Payment");
    let all = sources
        .map(|(kind, id)| json!({ "TxnId": id, "TxnType": kind }))
        .chain(payments_of(state, id).map(|payment| link(Kind::Payment, &payment.id)));
    fields.insert("LinkedTxn".into(), all.collect());
}

/// Takes an entity that is deleted or voided out of the transactions that name it: a payment keeps
/// its money, unapplied; an invoice forgets the estimate.
pub(crate) fn release(state: &mut State, kind: Kind, id: &str, now: Timestamp) {
    for (holder_kind, holder) in state.holders(kind, id) {
        let Some(record) = state.table(holder_kind).get(holder.as_str()) else { continue };
        let mut fields = record.fields.clone();
        unlink(&mut fields, kind.name(), id);
        if holder_kind == Kind::Payment {
            let lines = fields.get_mut("Line").and_then(Value::as_array_mut);
            if let Some(lines) = lines {
                lines.retain(|line| line.get("LinkedTxn").is_some());
            }
            let applied: Decimal =
                store::lines(&fields).map(|line| money::stored(line, "Amount")).sum();
            let unapplied = money::stored(&fields, "TotalAmt") - applied;
            transaction::set(&mut fields, "UnappliedAmt", unapplied);
        }
        state.put(holder_kind, holder, fields, now);
    }
}

/// Takes the links to one entity out of `fields` and its lines.
fn unlink(fields: &mut Fields, kind: &str, id: &str) {
    if let Some(Value::Array(links)) = fields.get_mut("LinkedTxn") {
        links.retain(|link| {
            link.get("TxnType") != Some(&json!(kind)) || link.get("TxnId") != Some(&json!(id))
        });
    }
    let lines = fields.get_mut("Line").and_then(Value::as_array_mut).into_iter().flatten();
    for line in lines.filter_map(Value::as_object_mut) {
        unlink(line, kind, id);
        if line.get("LinkedTxn").and_then(Value::as_array).is_some_and(Vec::is_empty) {
            line.remove("LinkedTxn");
        }
    }
}
