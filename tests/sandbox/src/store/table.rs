//! One kind's entities of one company, found by id, by creation and by last change.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
};

use jiff::Timestamp;

use super::Record;
use crate::ids::EntityId;

/// Which index to walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scan {
    Created,
    Updated,
}

/// A time and the order within it.
type Position = (Timestamp, u64);

/// See the module.
#[derive(Clone, Default)]
pub(crate) struct Table {
    records: HashMap<EntityId, Record>,
    created: BTreeMap<Position, EntityId>,
    updated: BTreeMap<Position, EntityId>,
    /// What was deleted, by when.
    graves: BTreeMap<Position, EntityId>,
}

impl Table {
    pub(crate) fn get(&self, id: &str) -> Option<&Record> {
        self.records.get(id)
    }

    /// Puts `record` in the place of the one with its id.
    pub(crate) fn put(&mut self, record: Record) {
        self.remove(record.id.as_str());
        self.created.insert((record.created, record.created_seq), record.id.clone());
        self.updated.insert((record.updated, record.updated_seq), record.id.clone());
        self.records.insert(record.id.clone(), record);
    }

    pub(crate) fn remove(&mut self, id: &str) -> Option<Record> {
        let record = self.records.remove(id)?;
        self.created.remove(&(record.created, record.created_seq));
        self.updated.remove(&(record.updated, record.updated_seq));
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
        let index = match index {
            Scan::Created => &self.created,
            Scan::Updated => &self.updated,
        };
        // An empty interval is legal in a query, but a panic of `BTreeMap::range`.
        if from.zip(to).is_some_and(|(from, to)| from > to) {
            return Box::new(std::iter::empty());
        }
        let lower = from.map_or(Bound::Unbounded, |at| Bound::Included((at, 0)));
        let upper = to.map_or(Bound::Unbounded, |at| Bound::Included((at, u64::MAX)));
        let ids = index.range((lower, upper)).map(|(_, id)| id);
        if descending {
            Box::new(ids.rev().filter_map(|id| self.records.get(id)))
        } else {
            Box::new(ids.filter_map(|id| self.records.get(id)))
        }
    }

    /// All, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Record> {
        self.scan(Scan::Created, None, None, false)
    }

    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }
}
