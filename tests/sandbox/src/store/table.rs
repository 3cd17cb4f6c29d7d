//! One kind's entities of one company, found by id, by creation, by last change, by the day of the
//! transaction, and by what they refer to.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Record,
    days::{Days, Position},
};
use crate::{entities::schema::text_of, ids::EntityId};

/// Which index to walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scan {
    Created,
    Updated,
}

/// A table as a state file has it: without its indexes.
#[derive(Serialize, Deserialize)]
pub(crate) struct Written {
    records: Vec<Record>,
    graves: Vec<(Timestamp, u64, EntityId)>,
}

impl From<Table> for Written {
    fn from(table: Table) -> Self {
        let graves = table.graves.iter().map(|((at, sequence), id)| (*at, *sequence, id.clone()));
        Self { records: table.iter().cloned().collect(), graves: graves.collect() }
    }
}

impl From<Written> for Table {
    fn from(written: Written) -> Self {
        let mut table = Self::default();
        for record in written.records {
            table.put(record);
        }
        for (at, sequence, id) in written.graves {
            table.bury(id, at, sequence);
        }
        table
    }
}

/// See the module.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub(crate) struct Table {
    records: HashMap<EntityId, Record>,
    created: BTreeMap<Position, EntityId>,
    updated: BTreeMap<Position, EntityId>,
    days: Days,
    /// What refers to an id, by reference field and id.
    referring: HashMap<String, HashMap<String, Days>>,
    /// What was deleted, by when.
    graves: BTreeMap<Position, EntityId>,
}

impl Table {
    /// The gravestones alone.
    pub(super) fn emptied(self) -> Self {
        Self { graves: self.graves, ..Self::default() }
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Record> {
        self.records.get(id)
    }

    /// Puts `record` in the place of the one with its id.
    pub(crate) fn put(&mut self, record: Record) {
        self.remove(record.id.as_str());
        self.created.insert((record.created, record.created_seq), record.id.clone());
        self.updated.insert((record.updated, record.updated_seq), record.id.clone());
        self.days.add(&record);
        for (field, id) in references(&record) {
            self.referring.entry(field.to_owned()).or_default().entry(id).or_default().add(&record);
        }
        self.records.insert(record.id.clone(), record);
    }

    /// Changes fields that no index regards, in place; what `change` answers.
    pub(super) fn amend<T>(
        &mut self,
        id: &str,
        change: impl FnOnce(&mut Map<String, Value>) -> Option<T>,
    ) -> Option<T> {
        change(&mut self.records.get_mut(id)?.fields)
    }

    pub(crate) fn remove(&mut self, id: &str) -> Option<Record> {
        let record = self.records.remove(id)?;
        self.created.remove(&(record.created, record.created_seq));
        self.updated.remove(&(record.updated, record.updated_seq));
        self.days.take(&record);
        for (field, id) in references(&record) {
            let Some(ids) = self.referring.get_mut(field) else { continue };
            let Some(days) = ids.get_mut(&id) else { continue };
            days.take(&record);
            if days.is_empty() {
                ids.remove(&id);
            }
        }
        Some(record)
    }

    /// Notes that `id` was deleted.
    pub(crate) fn bury(&mut self, id: EntityId, at: Timestamp, sequence: u64) {
        self.graves.insert((at, sequence), id);
    }

    /// What was deleted at `from` or later, oldest first, with the time.
    pub(crate) fn deleted_since(
        &self,
        from: Timestamp,
    ) -> impl Iterator<Item = (Timestamp, &EntityId)> {
        self.graves.range((from, 0)..).map(|((at, _), id)| (*at, id))
    }

    /// Walks an index between `from` and `to` (both included), in either direction.
    pub(crate) fn scan(
        &self,
        index: Scan,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
        descending: bool,
    ) -> Box<dyn Iterator<Item = &Record> + '_> {
        let ids = self.between(index, from, to);
        if descending {
            Box::new(ids.rev().filter_map(|id| self.records.get(id)))
        } else {
            Box::new(ids.filter_map(|id| self.records.get(id)))
        }
    }

    /// How many entities an index has between two times (both included), but not beyond `most`.
    pub(crate) fn count(
        &self,
        index: Scan,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
        most: usize,
    ) -> usize {
        self.between(index, from, to).take(most).count()
    }

    fn between(
        &self,
        index: Scan,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    ) -> impl DoubleEndedIterator<Item = &EntityId> {
        let index = match index {
            Scan::Created => &self.created,
            Scan::Updated => &self.updated,
        };
        let lower = from.map_or(Bound::Unbounded, |at| Bound::Included((at, 0)));
        let upper = to.map_or(Bound::Unbounded, |at| Bound::Included((at, u64::MAX)));
        // An empty interval is legal in a query, but a panic of `BTreeMap::range`.
        let legal = from.zip(to).is_none_or(|(from, to)| from <= to);
        let range = legal.then(|| index.range((lower, upper)));
        range.into_iter().flatten().map(|(_, id)| id)
    }

    /// All, by day.
    pub(crate) fn days(&self) -> &Days {
        &self.days
    }

    /// What refers in `field` to `id` (lower case), by day.
    pub(crate) fn referring(&self, field: &str, id: &str) -> Option<&Days> {
        self.referring.get(field)?.get(id)
    }

    /// All, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Record> {
        self.scan(Scan::Created, None, None, false)
    }

    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }
}

/// The reference fields of an entity with the ids in them, as a query compares them. Those inside of
/// lines are left out: a query cannot name them.
fn references(record: &Record) -> impl Iterator<Item = (&str, String)> {
    record.fields.iter().filter_map(|(field, value)| {
        if !field.ends_with("Ref") {
            return None;
        }
        // A seed may hold a bare id.
        let id = value.as_object().map_or(Some(value), |reference| reference.get("value"))?;
        Some((field.as_str(), text_of(id)?.to_lowercase()))
    })
}
