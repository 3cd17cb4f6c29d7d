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

/// Class of a transaction, a line or an activity: tracked, there, active.
pub(super) fn class(state: &State, fields: &Map<String, Value>) -> Result<(), Fault> {
    if fields.contains_key("ClassRef") && !state.profile.class_tracking {
        return Err(Fault::feature("ClassRef", "Class tracking is not turned on."));
    }
    active(state, Kind::Class, fields, "ClassRef").map(drop)
}

/// Department (location): tracked, there, active.
pub(super) fn department(state: &State, fields: &Map<String, Value>) -> Result<(), Fault> {
    if fields.contains_key("DepartmentRef") && !state.profile.track_departments {
        return Err(Fault::feature("DepartmentRef", "Location tracking is not turned on."));
    }
    active(state, Kind::Department, fields, "DepartmentRef").map(drop)
}

/// A project is a customer that QuickBooks made one.
pub(super) fn project(state: &State, fields: &Map<String, Value>) -> Result<(), Fault> {
    match active(state, Kind::Customer, fields, "ProjectRef")? {
        Some(project) if project.fields.get("IsProject") != Some(&Value::Bool(true)) => {
            Err(unknown(Kind::Customer, "ProjectRef", project.id.as_str()))
        }
        _ => Ok(()),
    }
}
