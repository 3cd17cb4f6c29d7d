//! What a company's entities are found by besides their id, so that no write walks a table.

use std::collections::{BTreeSet, HashMap};

use rust_decimal::Decimal;
use serde_json::{Map, Value};

use super::{Record, links::targets, record::reference};
use crate::{entities::Kind, ids::EntityId};

type Key = (Kind, EntityId);

/// Longest DocNumber that counts as a number, in digits, so that counting up cannot overflow.
const MAX_DIGITS: usize = 15;

/// See the module.
#[derive(Clone, Default)]
pub(super) struct Index {
    children: HashMap<Key, BTreeSet<EntityId>>,
    /// Who names an entity in a `LinkedTxn`.
    holders: HashMap<Key, BTreeSet<Key>>,
    numbers: HashMap<(Kind, String), BTreeSet<EntityId>>,
    /// The highest DocNumber so far that is a number.
    pub(super) last_number: HashMap<Kind, u64>,
    /// By customer: what he owes himself, and with everything below him.
    balances: HashMap<EntityId, Balance>,
}

/// What a customer owes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Balance {
    pub(crate) own: Decimal,
    pub(crate) with_jobs: Decimal,
}

fn number_key(kind: Kind, fields: &Map<String, Value>) -> Option<(Kind, String)> {
    if !kind.is_sale() {
        return None;
    }
    Some((kind, fields.get("DocNumber")?.as_str()?.to_lowercase()))
}

impl Index {
    pub(super) fn add(&mut self, kind: Kind, record: &Record) {
        let id = &record.id;
        if let Some(parent) = parent(kind, &record.fields) {
            self.children.entry((kind, parent)).or_default().insert(id.clone());
        }
        for target in targets(kind, &record.fields) {
            let key = (target.kind, EntityId::from(target.id));
            self.holders.entry(key).or_default().insert((kind, id.clone()));
        }
        if let Some(key) = number_key(kind, &record.fields) {
            if key.1.len() <= MAX_DIGITS
                && let Ok(number) = key.1.parse::<u64>()
            {
                let last = self.last_number.entry(kind).or_default();
                *last = number.max(*last);
            }
            self.numbers.entry(key).or_default().insert(id.clone());
        }
    }

    pub(super) fn forget(&mut self, kind: Kind, record: &Record) {
        let id = &record.id;
        if let Some(parent) = parent(kind, &record.fields) {
            take(&mut self.children, &(kind, parent), id);
        }
        for target in targets(kind, &record.fields) {
            let key = (target.kind, EntityId::from(target.id));
            take(&mut self.holders, &key, &(kind, id.clone()));
        }
        if let Some(key) = number_key(kind, &record.fields) {
            take(&mut self.numbers, &key, id);
        }
    }

    pub(super) fn children(&self, kind: Kind, id: &str) -> Vec<EntityId> {
        let children = self.children.get(&(kind, EntityId::from(id)));
        children.into_iter().flatten().cloned().collect()
    }

    pub(super) fn holders(&self, kind: Kind, id: &str) -> Vec<Key> {
        let holders = self.holders.get(&(kind, EntityId::from(id)));
        holders.into_iter().flatten().cloned().collect()
    }

    /// Who has `number` besides `except`.
    pub(super) fn number_owner(
        &self,
        kind: Kind,
        number: &str,
        except: Option<&str>,
    ) -> Option<&EntityId> {
        let owners = self.numbers.get(&(kind, number.to_lowercase()))?;
        owners.iter().find(|owner| Some(owner.as_str()) != except)
    }

    /// One more than the highest DocNumber so far; the first is 1001, as in a new company.
    pub(super) fn next_number(&self, kind: Kind) -> String {
        let last = self.last_number.get(&kind).copied().unwrap_or(1000);
        (last + 1).to_string()
    }

    pub(super) fn balance(&self, customer: &str) -> Balance {
        self.balances.get(customer).copied().unwrap_or_default()
    }

    pub(super) fn balance_mut(&mut self, customer: &EntityId) -> &mut Balance {
        self.balances.entry(customer.clone()).or_default()
    }
}

fn parent(kind: Kind, fields: &Map<String, Value>) -> Option<EntityId> {
    kind.child_flag()?;
    reference(fields, "ParentRef").map(EntityId::from)
}

/// Takes `item` out of the set under `key`, and the set when it is empty.
fn take<K: std::hash::Hash + Eq, T: Ord>(map: &mut HashMap<K, BTreeSet<T>>, key: &K, item: &T) {
    if let Some(set) = map.get_mut(key) {
        set.remove(item);
        if set.is_empty() {
            map.remove(key);
        }
    }
}
