//! The lists of names: employees, vendors, customers, items, classes, departments.

use serde_json::{Map, Value, json};

use super::{Kind, email, references, term};
use crate::{
    fault::Fault,
    store::{Record, State},
};

/// What QuickBooks appends to the name of an entry that is made inactive.
const DELETED_SUFFIX: &str = " (deleted)";

/// Lists nest at most five deep (error 6180 of the published list).
pub(super) const MAX_LEVELS: usize = 5;

/// Checks an entry of a list and fills in name, parent, level and full name.
pub(super) fn finish(
    state: &State,
    kind: Kind,
    mut fields: Map<String, Value>,
    old: Option<&Record>,
) -> Result<Map<String, Value>, Fault> {
    let name_field = kind.name_field();
    if kind.is_person() {
        person(kind, &mut fields)?;
    }
    let was_active = old.is_none_or(Record::is_active);
    let active = match fields.get("Active") {
        Some(Value::Bool(flag)) => *flag,
        // Left out of a full update, the flag stays as it was.
        _ => was_active,
    };
    fields.insert("Active".into(), json!(active));

    let name = match fields.get(name_field).and_then(Value::as_str) {
        Some(name) => name.trim().to_owned(),
        None => return Err(Fault::missing(name_field)),
    };
    check_name(kind, &name)?;
    fields.insert(name_field.into(), json!(name));

    let id = old.map(|old| old.id.as_str());
    let parent = parent(state, kind, &fields, id)?;
    if let Some(flag) = kind.child_flag() {
        fields.insert(flag.into(), json!(parent.is_some()));
    }

    match (was_active, active) {
        (true, false) if old.is_some() => {
            may_end(state, kind, id)?;
            let inactive = free_inactive_name(state, kind, &fields, id, &name);
            fields.insert(name_field.into(), json!(inactive));
        }
        (false, true) => {
            let plain = name.strip_suffix(DELETED_SUFFIX).unwrap_or(&name).to_owned();
            fields.insert(name_field.into(), json!(plain));
        }
        _ => {}
    }
    if let Some((_, owner)) = state.name_owner(kind, &fields, id) {
        return Err(Fault::duplicate_name(name_field, owner.as_str()));
    }
    set_full_name(kind, &mut fields, parent);
    Ok(fields)
}

/// A customer who owes something, or has money with the company, stays active. The text is a
/// recorded one; its code is not known.
fn may_end(state: &State, kind: Kind, id: Option<&str>) -> Result<(), Fault> {
    let balance = id.map(|id| state.balance(id)).unwrap_or_default();
    if kind != Kind::Customer || (balance.own.is_zero() && balance.with_jobs.is_zero()) {
        return Ok(());
    }
    Err(Fault::validation(
        "6000",
        "Delete List Has Balance Error",
        "The entity you are trying to delete has an open balance. : This customer cannot be \
         deleted because it has a non-zero balance",
    )
    .at("Active"))
}

/// Rewrites the full names below an entry whose name or parent changed. It is a side effect, not a
/// change of those entries: SyncToken and times stay.
pub(crate) fn rename_descendants(state: &mut State, kind: Kind, id: &str) {
    if kind.child_flag().is_none() {
        return;
    }
    let children: Vec<Record> = state
        .children(kind, id)
        .iter()
        .filter_map(|child| state.table(kind).get(child.as_str()).cloned())
        .collect();
    for mut child in children {
        let before = child.fields.get("FullyQualifiedName").cloned();
        set_full_name(kind, &mut child.fields, state.table(kind).get(id));
        if child.fields.get("FullyQualifiedName") != before.as_ref() {
            let id = child.id.clone();
            state.put_record(kind, child);
            rename_descendants(state, kind, id.as_str());
        }
    }
}

/// `Parent:Child`, and for the kinds that have one, the level.
fn set_full_name(kind: Kind, fields: &mut Map<String, Value>, parent: Option<&Record>) {
    if kind.child_flag().is_none() {
        return;
    }
    let name = fields.get(kind.name_field()).and_then(Value::as_str).unwrap_or("");
    let full = match parent.and_then(|parent| parent.text("FullyQualifiedName")) {
        Some(above) => format!("{above}:{name}"),
        None => name.to_owned(),
    };
    fields.insert("FullyQualifiedName".into(), json!(full));
    if matches!(kind, Kind::Customer | Kind::Item) {
        match parent {
            Some(parent) => {
                let above = parent.fields.get("Level").and_then(Value::as_u64).unwrap_or(0);
                fields.insert("Level".into(), json!(above + 1));
            }
            None => {
                fields.remove("Level");
            }
        }
    }
}

/// The parent of an entry, which must exist, be active and not lie below the entry itself.
fn parent<'a>(
    state: &'a State,
    kind: Kind,
    fields: &Map<String, Value>,
    id: Option<&str>,
) -> Result<Option<&'a Record>, Fault> {
    if kind.child_flag().is_none() {
        return Ok(None);
    }
    let Some(parent) = references::active(state, kind, fields, "ParentRef")? else {
        return Ok(None);
    };
    let mut above = Some(parent);
    for level in 1.. {
        let Some(record) = above else { break };
        if Some(record.id.as_str()) == id {
            return Err(Fault::validation(
                "900",
                "Parent cannot be child",
                "The same object can't be the parent or child of itself.",
            )
            .at("ParentRef"));
        }
        if level >= MAX_LEVELS {
            return Err(Fault::validation(
                "6180",
                "Sub Level Limit",
                "You can nest up to 5 levels.",
            )
            .at("ParentRef"));
        }
        above = record.reference("ParentRef").and_then(|id| state.table(kind).get(id));
    }
    Ok(Some(parent))
}

/// The names of people: a DisplayName of its own, or made from the parts.
fn person(kind: Kind, fields: &mut Map<String, Value>) -> Result<(), Fault> {
    let part = |field: &str| {
        fields.get(field).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty())
    };
    for (field, max) in [
        ("Title", 16),
        ("GivenName", 100),
        ("MiddleName", 100),
        ("FamilyName", 100),
        ("Suffix", 16),
        ("CompanyName", 100),
        ("PrintOnCheckName", 110),
    ] {
        if let Some(text) = part(field) {
            let length = text.chars().count();
            if length > max {
                return Err(Fault::too_long(field, max, length));
            }
            if text.contains([':', '\t', '\n']) && field != "CompanyName" {
                return Err(Fault::bad_characters(field));
            }
        }
    }
    let parts: Vec<&str> = ["Title", "GivenName", "MiddleName", "FamilyName", "Suffix"]
        .into_iter()
        .filter_map(part)
        .collect();
    let display = match part("DisplayName") {
        Some(name) => name.to_owned(),
        None if parts.is_empty() => {
            return Err(Fault::validation(
                "6080",
                "No Name Provided",
                "Fill out values for at least one of the following: Title, GivenName, MiddleName, \
                 FamilyName, DisplayName, Suffix.",
            )
            .at("DisplayName"));
        }
        None => parts.join(" "),
    };
    if kind == Kind::Employee && part("GivenName").is_none() && part("FamilyName").is_none() {
        return Err(Fault::missing("GivenName"));
    }
    email::check_field(fields, "PrimaryEmailAddr")?;
    if part("PrintOnCheckName").is_none() {
        let name = part("CompanyName").map_or_else(|| display.clone(), ToOwned::to_owned);
        fields.insert("PrintOnCheckName".into(), json!(name));
    }
    fields.insert("DisplayName".into(), json!(display));
    Ok(())
}

/// No colon (it separates parent and child), tab or line break; 500 characters for people, 100 for
/// the other lists.
fn check_name(kind: Kind, name: &str) -> Result<(), Fault> {
    let field = kind.name_field();
    if name.is_empty() {
        return Err(Fault::missing(field));
    }
    if name.contains([':', '\t', '\n', '\r']) {
        return Err(Fault::bad_characters(field));
    }
    let max = match kind {
        Kind::Term => term::MAX_NAME,
        _ if kind.is_person() => 500,
        _ => 100,
    };
    let length = name.chars().count();
    if length > max { Err(Fault::too_long(field, max, length)) } else { Ok(()) }
}

/// The name with the suffix, numbered when an entry of that name was made inactive before.
fn free_inactive_name(
    state: &State,
    kind: Kind,
    fields: &Map<String, Value>,
    id: Option<&str>,
    name: &str,
) -> String {
    let mut trial = fields.clone();
    let mut candidate = format!("{name}{DELETED_SUFFIX}");
    for number in 1_u32.. {
        trial.insert(kind.name_field().into(), json!(candidate));
        if state.name_owner(kind, &trial, id).is_none() {
            break;
        }
        candidate = format!("{name} (deleted-{number})");
    }
    candidate
}
