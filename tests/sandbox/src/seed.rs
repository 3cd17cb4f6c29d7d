//! The companies that a sandbox starts with, from `seed/*.json`.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::{
    entities::{Kind, settle},
    ids::{EntityId, Realm},
    store::{Profile, Record, State},
};

const COMPANY_A: &str = include_str!("../seed/company-a.json");
const COMPANY_B: &str = include_str!("../seed/company-b.json");
/// The accounts, terms and tax codes that every company starts with.
const LISTS: &str = include_str!("../seed/lists.json");

/// The seeded companies, A first.
pub(crate) fn load() -> Result<Vec<State>, String> {
    [("company-a.json", COMPANY_A), ("company-b.json", COMPANY_B)]
        .into_iter()
        .map(|(name, text)| read(text).map_err(|problem| format!("seed/{name}: {problem}")))
        .collect()
}

/// A new company with company A's entities under another realm and name.
pub(crate) fn demo(realm: Realm, name: String) -> Result<State, String> {
    let mut state = read(COMPANY_A)?;
    state.profile.realm = realm;
    state.profile.legal_name = Some(name.clone());
    state.profile.company_name = name;
    Ok(state)
}

/// A new company with nothing in it but the lists and the two items that every company has.
pub(crate) fn empty(profile: Profile) -> Result<State, String> {
    let mut state = State::new(profile)?;
    put_all(&mut state, &object(LISTS)?)?;
    for (id, name) in [("1", "Services"), ("2", "Hours")] {
        let fields = json!({
            "Name": name,
            "FullyQualifiedName": name,
            "Active": true,
            "Type": "Service",
            "Taxable": false,
            "UnitPrice": 0,
            "IncomeAccountRef": { "value": "1", "name": "Services" },
        });
        if let Value::Object(fields) = fields {
            state.put(Kind::Item, EntityId::from(id), fields, Timestamp::now());
        }
    }
    state.profile.default_time_item = Some(EntityId::from("2"));
    Ok(state)
}

fn read(text: &str) -> Result<State, String> {
    let file = object(text)?;
    let profile = file.get("company").cloned().ok_or("no company")?;
    let profile: Profile = serde_json::from_value(profile).map_err(|error| error.to_string())?;
    let mut state = State::new(profile)?;
    put_all(&mut state, &object(LISTS)?)?;
    put_all(&mut state, &file)?;
    Ok(state)
}

fn object(text: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// Stores the entities of a file: by kind, a list of them.
fn put_all(state: &mut State, file: &Map<String, Value>) -> Result<(), String> {
    for kind in Kind::ALL {
        let entities = file.get(kind.name()).and_then(Value::as_array);
        for entity in entities.into_iter().flatten() {
            let entity = entity.as_object().ok_or("an entity is not an object")?;
            put_raw(state, kind, entity.clone(), Timestamp::now())
                .map_err(|problem| format!("{}: {problem}", kind.name()))?;
        }
    }
    Ok(())
}

/// Stores an entity without any check of its content. Fields are laid over those stored; null takes
/// one away; Id, SyncToken and MetaData may be given and are made otherwise.
pub(crate) fn put_raw(
    state: &mut State,
    kind: Kind,
    mut entity: Map<String, Value>,
    now: Timestamp,
) -> Result<Record, String> {
    let id = match entity.remove("Id") {
        Some(Value::String(id)) if !id.is_empty() => EntityId::from(id),
        None | Some(Value::Null) => state.next_id(kind),
        Some(other) => return Err(format!("Id {other} is not a text")),
    };
    let token = match entity.remove("SyncToken") {
        None => None,
        Some(token) => Some(
            token
                .as_str()
                .and_then(|token| token.parse::<u64>().ok())
                .ok_or_else(|| format!("SyncToken {token} is not a number in a text"))?,
        ),
    };
    let meta = entity.remove("MetaData").unwrap_or(Value::Null);
    let time = |name: &str| -> Result<Option<Timestamp>, String> {
        let Some(text) = meta.get(name).and_then(Value::as_str) else { return Ok(None) };
        let at: Timestamp =
            text.parse().map_err(|_| format!("MetaData.{name} {text} is no time"))?;
        Ok(Timestamp::from_second(at.as_second()).ok())
    };
    let (created, updated) = (time("CreateTime")?, time("LastUpdatedTime")?);
    for derived in ["domain", "sparse"] {
        entity.remove(derived);
    }
    let mut fields =
        state.table(kind).get(id.as_str()).map_or_else(Map::new, |old| old.fields.clone());
    fields.extend(entity);
    fields.retain(|_, value| !value.is_null());

    let before = state.table(kind).get(id.as_str()).map(|old| old.fields.clone());
    let mut record = state.put(kind, id, fields, now);
    if token.is_some() || created.is_some() || updated.is_some() {
        record.sync_token = token.unwrap_or(record.sync_token);
        record.created = created.unwrap_or(record.created);
        record.updated = updated.unwrap_or(record.updated).max(record.created);
        state.put_record(kind, record.clone());
    }
    settle(state, kind, before.as_ref(), Some(&record.fields), now);
    Ok(record)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entities::{UnknownFields, schema};

    #[test]
    fn every_seeded_entity_fits_the_schema() {
        for state in load().unwrap() {
            for kind in Kind::ALL {
                for record in state.table(kind).iter() {
                    schema::read_body(kind.name(), &record.fields, UnknownFields::Refuse)
                        .unwrap_or_else(|fault| panic!("{} {}: {fault:?}", kind.name(), record.id));
                }
            }
        }
    }

    #[test]
    fn what_is_linked_in_a_seed_needs_no_settling() {
        for state in load().unwrap() {
            for kind in [Kind::Estimate, Kind::Invoice, Kind::Payment] {
                for record in state.table(kind).iter() {
                    assert!(record.updated < Timestamp::now(), "{} {}", kind.name(), record.id);
                    let mut trial = state.clone();
                    trial.forget_changes();
                    settle(&mut trial, kind, None, Some(&record.fields), Timestamp::now());
                    assert!(!trial.is_changed(), "{} {}", kind.name(), record.id);
                }
            }
        }
    }

    #[test]
    fn the_same_id_means_different_things_in_the_two_companies() {
        let states = load().unwrap();
        assert!(states[0].table(Kind::Employee).get("55").is_some());
        assert!(states[1].table(Kind::Employee).get("55").is_none());
        assert!(states[1].table(Kind::Customer).get("55").is_some());
    }
}
