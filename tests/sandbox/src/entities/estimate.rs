//! Estimate: a sale that is not one yet.

use serde_json::{Map, Value, json};

use super::{Circumstances, Kind, links, sale, transaction};
use crate::{
    fault::Fault,
    store::{Record, State},
};

type Fields = Map<String, Value>;

/// What an estimate can be (API reference).
const STATUSES: [&str; 4] = ["Pending", "Accepted", "Closed", "Rejected"];

/// Checks a whole estimate and fills in what QuickBooks fills in.
pub(super) fn finish(
    state: &State,
    mut fields: Fields,
    old: Option<&Record>,
    circumstances: Circumstances,
) -> Result<Fields, Fault> {
    let customer = transaction::finish(state, &mut fields, old, circumstances.now)?;
    transaction::number(state, Kind::Estimate, &mut fields, old, circumstances)?;
    sale::finish(state, &mut fields, old, customer)?;
    let invoices = old.map_or_else(Vec::new, |old| links::invoices_of(state, old.id.as_str()));
    let status = match fields.get("TxnStatus").and_then(Value::as_str) {
        // An estimate that became an invoice stays closed.
        _ if !invoices.is_empty() => "Closed".to_owned(),
        None => "Pending".to_owned(),
        Some(status) if STATUSES.contains(&status) => status.to_owned(),
        Some(other) => return Err(Fault::bad_enumeration("TxnStatus", other)),
    };
    fields.insert("TxnStatus".into(), json!(status));
    fields.insert("LinkedTxn".into(), Value::Array(invoices));
    Ok(fields)
}
