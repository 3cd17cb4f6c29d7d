//! References from one entity to another.

use serde_json::{Map, Value};

use super::Kind;
use crate::{
    fault::Fault,
    store::{Record, State},
};

/// The id inside a reference field.
pub(crate) fn id_of<'a>(fields: &'a Map<String, Value>, field: &str) -> Option<&'a str> {
    fields.get(field)?.get("value")?.as_str()
}

/// The entity that `field` points at. Nothing there: 2500. Inactive: 610 for people, 2500 for the
/// other lists; the text is the same.
pub(crate) fn active<'a>(
    state: &'a State,
    kind: Kind,
    fields: &Map<String, Value>,
    field: &str,
) -> Result<Option<&'a Record>, Fault> {
    let Some(id) = id_of(fields, field) else { return Ok(None) };
    let record = state.table(kind).get(id).ok_or_else(|| unknown(kind, field, id))?;
    if record.is_active() {
        Ok(Some(record))
    } else if kind.is_person() {
        Err(Fault::not_found().at(field))
    } else {
        Err(Fault::inactive_reference(field))
    }
}

/// 2500 for an id that no entity of the list has.
pub(crate) fn unknown(kind: Kind, field: &str, id: &str) -> Fault {
    let list = if kind.is_person() { "Names" } else { kind.name() };
    Fault::bad_reference(field, &format!("{list} element id {id} not found"))
}
