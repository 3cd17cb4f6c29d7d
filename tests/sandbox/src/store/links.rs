//! Which entities a transaction points at, and what it adds to its customer's balance.

use rust_decimal::Decimal;
use serde_json::{Map, Value};

use super::record::reference;
use crate::entities::{Kind, schema::decimal_of};

/// A transaction that another one names in a `LinkedTxn`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Link<'a> {
    pub(crate) kind: Kind,
    pub(crate) id: &'a str,
}

/// The entries of a `LinkedTxn` array that can be read.
pub(crate) fn linked(holder: &Map<String, Value>) -> impl Iterator<Item = (&str, &str)> {
    let entries = holder.get("LinkedTxn").and_then(Value::as_array).into_iter().flatten();
    entries
        .filter_map(|entry| Some((entry.get("TxnType")?.as_str()?, entry.get("TxnId")?.as_str()?)))
}

/// The lines of a transaction.
pub(crate) fn lines(fields: &Map<String, Value>) -> impl Iterator<Item = &Map<String, Value>> {
    let lines = fields.get("Line").and_then(Value::as_array).into_iter().flatten();
    lines.filter_map(Value::as_object)
}

/// What `fields` of a `kind` point at by their own doing: a payment at invoices, an invoice at the
/// estimates and activities it was made from. What points back (an invoice's payments, an
/// estimate's invoices) is left out: it is derived from this.
pub(crate) fn targets(kind: Kind, fields: &Map<String, Value>) -> Vec<Link<'_>> {
    let wanted: &[Kind] = match kind {
        Kind::Payment => &[Kind::Invoice],
        Kind::Invoice => &[Kind::Estimate, Kind::TimeActivity],
        _ => return Vec::new(),
    };
    let own = linked(fields).filter(|_| kind == Kind::Invoice);
    let mut found: Vec<Link<'_>> = own
        .chain(lines(fields).flat_map(linked))
        .filter_map(|(name, id)| {
            let kind = wanted.iter().copied().find(|kind| kind.name() == name)?;
            Some(Link { kind, id })
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// The customer whose balance a transaction moves, and by how much: an invoice by what is open, a
/// payment by what is not applied yet.
pub(super) fn posting(kind: Kind, fields: &Map<String, Value>) -> Option<(&str, Decimal)> {
    let amount = |field: &str| fields.get(field).and_then(decimal_of);
    let amount = match kind {
        Kind::Invoice => amount("Balance")?,
        Kind::Payment => -amount("UnappliedAmt")?,
        _ => return None,
    };
    (!amount.is_zero()).then_some((reference(fields, "CustomerRef")?, amount))
}
