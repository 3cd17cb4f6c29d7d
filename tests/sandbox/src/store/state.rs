//! A company's entities, and how they look from outside.

use std::collections::HashMap;

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde_json::{Map, Value, json};

use super::{Change, ChangeKind, Profile, Record, Table, record::reference};
use crate::{entities::Kind, ids::EntityId};

/// A company's data. Held under one lock, so a write is one step.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) profile: Profile,
    pub(crate) zone: TimeZone,
    tables: HashMap<Kind, Table>,
    /// Who owns a name, by [`State::name_key`].
    names: HashMap<String, (Kind, EntityId)>,
    sequence: u64,
    /// What happened since the lock was taken; it is told to the webhooks when the lock is given
    /// back.
    pub(super) changes: Vec<Change>,
}

impl State {
    pub(crate) fn new(profile: Profile) -> Result<Self, String> {
        let zone = TimeZone::get(&profile.time_zone).map_err(|error| error.to_string())?;
        let tables = Kind::ALL.into_iter().map(|kind| (kind, Table::default())).collect();
        Ok(Self { profile, zone, tables, names: HashMap::new(), sequence: 0, changes: Vec::new() })
    }

    /// Changes the settings; the entities stay.
    pub(crate) fn set_profile(&mut self, profile: Profile) -> Result<(), String> {
        self.zone = TimeZone::get(&profile.time_zone).map_err(|error| error.to_string())?;
        self.profile = profile;
        Ok(())
    }

    pub(crate) fn table(&self, kind: Kind) -> &Table {
        // Every kind is put in by `new`; an empty table stands in so that this cannot fail.
        static EMPTY: std::sync::LazyLock<Table> = std::sync::LazyLock::new(Table::default);
        self.tables.get(&kind).unwrap_or(&EMPTY)
    }

    /// The day it is in the company.
    pub(crate) fn today(&self, now: Timestamp) -> Date {
        now.to_zoned(self.zone.clone()).date()
    }

    /// The next free id of `kind`'s space.
    pub(crate) fn next_id(&mut self, kind: Kind) -> EntityId {
        loop {
            let next = self.profile.next_ids.entry(kind.id_space().to_owned()).or_insert(1);
            let id = next.to_string();
            *next += 1;
            if !self.id_taken(kind, &id) {
                return EntityId::from(id);
            }
        }
    }

    fn id_taken(&self, kind: Kind, id: &str) -> bool {
        Kind::ALL
            .into_iter()
            .filter(|other| other.id_space() == kind.id_space())
            .any(|other| self.table(other).get(id).is_some())
    }

    /// Stores `fields` as a new or changed entity. Times are cut to the second.
    pub(crate) fn put(
        &mut self,
        kind: Kind,
        id: EntityId,
        fields: Map<String, Value>,
        now: Timestamp,
    ) -> Record {
        let change = match self.table(kind).get(id.as_str()) {
            Some(_) => ChangeKind::Update,
            None => ChangeKind::Create,
        };
        self.put_as(change, kind, id, fields, now)
    }

    /// The same, told to the webhooks as `change`.
    pub(crate) fn put_as(
        &mut self,
        change: ChangeKind,
        kind: Kind,
        id: EntityId,
        fields: Map<String, Value>,
        now: Timestamp,
    ) -> Record {
        let at = now;
        let now = whole_second(now);
        self.sequence += 1;
        let sequence = self.sequence;
        let record = match self.table(kind).get(id.as_str()) {
            Some(old) => Record {
                sync_token: old.sync_token + 1,
                // A clock that was moved back must not make a record older than its creation.
                updated: now.max(old.created),
                updated_seq: sequence,
                fields,
                ..old.clone()
            },
            None => Record {
                id,
                sync_token: 0,
                created: now,
                updated: now,
                created_seq: sequence,
                updated_seq: sequence,
                fields,
            },
        };
        self.put_record(kind, record.clone());
        self.changes.push(Change { kind, id: record.id.clone(), change, at });
        record
    }

    /// Forgets what happened so far, so that a seed is not told to anybody.
    pub(crate) fn forget_changes(&mut self) {
        self.changes.clear();
    }

    /// Stores a whole record, keeping the name index right.
    pub(crate) fn put_record(&mut self, kind: Kind, record: Record) {
        let id = record.id.clone();
        self.forget_name(kind, id.as_str());
        if let Some(key) = Self::name_key(kind, &record.fields) {
            self.names.insert(key, (kind, id));
        }
        self.tables.entry(kind).or_default().put(record);
    }

    /// Takes an entity out and leaves a gravestone, which change data capture reads.
    pub(crate) fn remove(&mut self, kind: Kind, id: &str, now: Timestamp) -> Option<Record> {
        self.forget_name(kind, id);
        let table = self.tables.entry(kind).or_default();
        let record = table.remove(id)?;
        self.sequence += 1;
        table.bury(record.id.clone(), whole_second(now), self.sequence);
        self.changes.push(Change {
            kind,
            id: record.id.clone(),
            change: ChangeKind::Delete,
            at: now,
        });
        Some(record)
    }

    fn forget_name(&mut self, kind: Kind, id: &str) {
        let key = self.table(kind).get(id).and_then(|old| Self::name_key(kind, &old.fields));
        if let Some(key) = key
            && self.names.get(&key).is_some_and(|(owner, own)| *owner == kind && own.as_str() == id)
        {
            self.names.remove(&key);
        }
    }

    /// Who owns the name in `fields`, if it is not the entity `id` itself.
    pub(crate) fn name_owner(
        &self,
        kind: Kind,
        fields: &Map<String, Value>,
        id: Option<&str>,
    ) -> Option<&(Kind, EntityId)> {
        let owner = self.names.get(&Self::name_key(kind, fields)?)?;
        let itself = owner.0 == kind && id == Some(owner.1.as_str());
        (!itself).then_some(owner)
    }

    /// Names are unique without regard to case: people over all three lists, the others among the
    /// children of one parent.
    fn name_key(kind: Kind, fields: &Map<String, Value>) -> Option<String> {
        let name = fields.get(kind.name_field())?.as_str()?.to_lowercase();
        let parent = if kind.is_person() { None } else { reference(fields, "ParentRef") };
        Some(format!("{}\u{1}{}\u{1}{name}", kind.id_space(), parent.unwrap_or("")))
    }

    /// An entity as answers show it: references with today's names, MetaData in the company's
    /// offset.
    pub(crate) fn wire(&self, kind: Kind, record: &Record) -> Map<String, Value> {
        let mut out = record.fields.clone();
        for (field, value) in &mut out {
            let Some(target) = reference_target(field) else { continue };
            let Some(id) = value.get("value").and_then(Value::as_str) else { continue };
            let name = target
                .iter()
                .chain((field == "ParentRef").then_some(&kind))
                .find_map(|target| self.table(*target).get(id).map(|record| (*target, record)))
                .and_then(|(target, record)| {
                    record.text("FullyQualifiedName").or_else(|| record.text(target.name_field()))
                });
            if let Some(name) = name {
                *value = json!({ "value": id, "name": name });
            }
        }
        out.insert("Id".into(), json!(record.id));
        out.insert("SyncToken".into(), json!(record.sync_token.to_string()));
        out.insert("domain".into(), json!("QBO"));
        out.insert("sparse".into(), json!(false));
        out.insert(
            "MetaData".into(),
            json!({
                "CreateTime": wire_second(record.created, &self.zone),
                "LastUpdatedTime": wire_second(record.updated, &self.zone),
            }),
        );
        out
    }
}

/// The lists that a reference field can point into.
fn reference_target(field: &str) -> Option<&'static [Kind]> {
    Some(match field {
        "EmployeeRef" => &[Kind::Employee],
        "VendorRef" => &[Kind::Vendor],
        "OtherNameRef" => &[Kind::Customer, Kind::Vendor, Kind::Employee],
        "CustomerRef" | "ProjectRef" => &[Kind::Customer],
        "ItemRef" => &[Kind::Item],
        "ClassRef" => &[Kind::Class],
        "DepartmentRef" => &[Kind::Department],
        "ParentRef" => &[],
        _ => return None,
    })
}

/// MetaData keeps whole seconds.
pub(crate) fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// An instant of MetaData, with the company's offset.
pub(crate) fn wire_second(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}
