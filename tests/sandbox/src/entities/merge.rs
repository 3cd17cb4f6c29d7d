//! Merging two entries of a list, as people do in QuickBooks' screens: one stays, the other is gone,
//! and whatever referred to it refers to the one that stays.
//!
//! The real service tells the merge alone; whether what was redirected counts as changed is not
//! known. Here its SyncTokens and times stay, so a client that misses the merge finds out late.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Kind, names::MAX_LEVELS, rename_descendants};
use crate::{
    ids::EntityId,
    store::{ChangeKind, Record, State, reference_target},
};

type Fields = Map<String, Value>;

/// Merges `gone` into `into`. An error says what forbids it; then nothing was changed.
pub(crate) fn merge(
    state: &mut State,
    kind: Kind,
    gone: &str,
    into: &str,
    now: Timestamp,
) -> Result<Record, String> {
    let stays = check(state, kind, gone, into)?;
    for other in Kind::ALL {
        let redirected: Vec<Record> = state
            .table(other)
            .iter()
            .filter_map(|record| {
                let mut record = record.clone();
                redirect(other, &mut record.fields, kind, gone, into).then_some(record)
            })
            .collect();
        for record in redirected {
            state.put_record(other, record);
        }
    }
    if let Some(item) = &mut state.profile.default_time_item
        && kind == Kind::Item
        && item.as_str() == gone
    {
        *item = EntityId::from(into);
    }
    state.bury(kind, gone, now);
    let change = ChangeKind::Merge { deleted: EntityId::from(gone) };
    let merged = state.put_as(change, kind, stays.id, stays.fields, now);
    rename_descendants(state, kind, into);
    Ok(merged)
}

/// The entry that stays, if the two may be merged.
fn check(state: &State, kind: Kind, gone: &str, into: &str) -> Result<Record, String> {
    if !kind.is_name_list() || matches!(kind, Kind::Term | Kind::TaxCode) {
        return Err(format!("entities of {} are not merged", kind.name()));
    }
    let find =
        |id: &str| state.table(kind).get(id).ok_or_else(|| format!("no {} {id}", kind.name()));
    let (goes, stays) = (find(gone)?, find(into)?);
    if gone == into {
        return Err("an entry is not merged into itself".into());
    }
    if !stays.is_active() {
        return Err(format!("{} {into} is inactive", kind.name()));
    }
    if is_above(state, kind, gone, into) || is_above(state, kind, into, gone) {
        return Err("an entry is not merged with one above or below it".into());
    }
    // A flag that is not there is false.
    let value = |record: &Record, field: &str| {
        record.fields.get(field).filter(|value| **value != json!(false)).cloned()
    };
    let differs = ["Type", "AccountType", "AccountSubType", "IsProject"]
        .into_iter()
        .find(|field| value(goes, field) != value(stays, field));
    if let Some(field) = differs {
        return Err(format!("the two differ in {field}"));
    }
    if depth(state, kind, into) + height(state, kind, gone) > MAX_LEVELS {
        return Err(format!("lists nest at most {MAX_LEVELS} levels"));
    }
    for child in state.children(kind, gone) {
        let Some(child) = state.table(kind).get(child.as_str()) else { continue };
        let mut moved = child.fields.clone();
        moved.insert("ParentRef".into(), json!({ "value": into }));
        if let Some((_, owner)) = state.name_owner(kind, &moved, Some(child.id.as_str())) {
            return Err(format!("{} {owner} has the name of {}", kind.name(), child.id));
        }
    }
    Ok(stays.clone())
}

fn is_above(state: &State, kind: Kind, above: &str, below: &str) -> bool {
    ancestors(state, kind, below).any(|record| record.id.as_str() == above)
}

/// An entry and everything above it. The bound guards against a circle that was stored unchecked.
fn ancestors<'a>(state: &'a State, kind: Kind, id: &str) -> impl Iterator<Item = &'a Record> {
    let table = state.table(kind);
    let up = move |record: &&'a Record| table.get(record.reference("ParentRef")?);
    std::iter::successors(table.get(id), up).take(16)
}

fn depth(state: &State, kind: Kind, id: &str) -> usize {
    ancestors(state, kind, id).count()
}

/// How many levels lie below an entry.
fn height(state: &State, kind: Kind, id: &str) -> usize {
    let mut level = vec![EntityId::from(id)];
    for height in 0..16 {
        level = level.iter().flat_map(|id| state.children(kind, id.as_str())).collect();
        if level.is_empty() {
            return height;
        }
    }
    16
}

/// Points the references to `gone` in `fields` of an `owner` at `into`; whether there were any.
fn redirect(owner: Kind, fields: &mut Fields, kind: Kind, gone: &str, into: &str) -> bool {
    let mut changed = false;
    for (field, value) in fields {
        match value {
            Value::Array(items) => {
                for item in items.iter_mut().filter_map(Value::as_object_mut) {
                    changed |= redirect(owner, item, kind, gone, into);
                }
            }
            Value::Object(inner) => {
                let own = field == "ParentRef" && owner == kind;
                let points = own || reference_target(field).is_some_and(|to| to.contains(&kind));
                if points && inner.get("value").and_then(Value::as_str) == Some(gone) {
                    *value = json!({ "value": into });
                    changed = true;
                } else {
                    changed |= redirect(owner, inner, kind, gone, into);
                }
            }
            _ => {}
        }
    }
    changed
}
