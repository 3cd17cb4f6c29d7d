//! Entities by the day of their transaction, and within a day by their last change.

use std::{
    collections::BTreeMap,
    ops::Bound::{self, Excluded, Included, Unbounded},
};

use jiff::Timestamp;

use super::Record;
use crate::ids::EntityId;

/// A time and the order within it.
pub(super) type Position = (Timestamp, u64);

/// What a `BTreeMap` takes for a range of days.
type Bounds = (Bound<Option<String>>, Bound<Option<String>>);

/// Days between two bounds, both included. Without any bound what has no day is in it too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
}

impl Span {
    pub(crate) fn is_open(&self) -> bool {
        self.from.is_none() && self.to.is_none()
    }

    pub(crate) fn is_one_day(&self) -> bool {
        self.from.is_some() && self.from == self.to
    }

    /// `None`: no day can be in it, which is legal in a query but a panic of `BTreeMap::range`.
    fn bounds(&self) -> Option<Bounds> {
        if self.from.as_ref().zip(self.to.as_ref()).is_some_and(|(from, to)| from > to) {
            return None;
        }
        let lower = match (&self.from, &self.to) {
            (Some(from), _) => Included(Some(from.clone())),
            (None, Some(_)) => Excluded(None),
            (None, None) => Unbounded,
        };
        Some((lower, self.to.clone().map_or(Unbounded, |to| Included(Some(to)))))
    }
}

/// See the module. A day is the text of `TxnDate`; `None` stands for an entity that has none.
#[derive(Clone, Default)]
pub(crate) struct Days(BTreeMap<Option<String>, BTreeMap<Position, EntityId>>);

impl Days {
    pub(super) fn add(&mut self, record: &Record) {
        let day = self.0.entry(day_of(record)).or_default();
        day.insert((record.updated, record.updated_seq), record.id.clone());
    }

    pub(super) fn take(&mut self, record: &Record) {
        let key = day_of(record);
        if let Some(day) = self.0.get_mut(&key) {
            day.remove(&(record.updated, record.updated_seq));
            if day.is_empty() {
                self.0.remove(&key);
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn between<'a>(
        &'a self,
        span: &Span,
    ) -> impl DoubleEndedIterator<Item = &'a BTreeMap<Position, EntityId>> + use<'a> {
        let days = span.bounds().map(|bounds| self.0.range(bounds).map(|(_, day)| day));
        days.into_iter().flatten()
    }

    /// How many entities are in `span`.
    pub(crate) fn count(&self, span: &Span) -> usize {
        self.between(span).map(BTreeMap::len).sum()
    }

    /// The entities in `span`, by day; within a day the one that was changed last comes first.
    pub(crate) fn walk<'a>(
        &'a self,
        span: &Span,
        descending: bool,
    ) -> Box<dyn Iterator<Item = &'a EntityId> + 'a> {
        let days = self.between(span);
        if descending {
            Box::new(days.rev().flat_map(|day| day.values().rev()))
        } else {
            Box::new(days.flat_map(|day| day.values().rev()))
        }
    }
}

/// Just as a query compares it, so that what was stored unchecked is found as well.
fn day_of(record: &Record) -> Option<String> {
    record.fields.get("TxnDate").and_then(crate::entities::schema::text_of)
}
