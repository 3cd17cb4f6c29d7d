//! A company's entities, and how they look from outside.

mod written;

use std::collections::HashMap;

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Change, ChangeKind, Profile, Record, Table,
    index::{Balance, Index},
    links::posting,
    record::reference,
};
use crate::{
    entities::{Kind, schema::number_value},
    ids::EntityId,
};

/// A company's data. Held under one lock, so a write is one step.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "written::Written", into = "written::Written")]
pub(crate) struct State {
    pub(crate) profile: Profile,
    pub(crate) zone: TimeZone,
    tables: HashMap<Kind, Table>,
    /// Who owns a name, by [`State::name_key`].
    names: HashMap<String, (Kind, EntityId)>,
    index: Index,
    /// E-mails sent on the day of the last one.
    pub(crate) emails: (Date, u32),
    sequence: u64,
    /// What happened since the lock was taken; it is told to the webhooks when the lock is given
    /// back.
    pub(super) changes: Vec<Change>,
}

impl State {
    pub(crate) fn new(profile: Profile) -> Result<Self, String> {
        let zone = TimeZone::get(&profile.time_zone).map_err(|error| error.to_string())?;
        let tables = Kind::ALL.into_iter().map(|kind| (kind, Table::default())).collect();
        Ok(Self {
            profile,
            zone,
            tables,
            names: HashMap::new(),
            index: Index::default(),
            emails: (Date::default(), 0),
            sequence: 0,
            changes: Vec::new(),
        })
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

    /// Entities of all kinds.
    pub(crate) fn len(&self) -> usize {
        self.tables.values().map(Table::len).sum()
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
        let record = self.put_record(kind, record);
        self.changes.push(Change { entity: kind.name(), id: record.id.clone(), change, at });
        record
    }

    /// Notes that `Preferences` or `CompanyInfo` was changed; each is the only one of its kind.
    pub(crate) fn settings_changed(&mut self, entity: &'static str, now: Timestamp) {
        let (id, change) = (EntityId::from("1"), ChangeKind::Update);
        self.changes.push(Change { entity, id, change, at: now });
    }

    /// Forgets what happened so far, so that a seed is not told to anybody.
    pub(crate) fn forget_changes(&mut self) {
        self.changes.clear();
    }

    #[cfg(test)]
    pub(crate) fn is_changed(&self) -> bool {
        !self.changes.is_empty()
    }

    /// Stores a whole record, keeping names, links and balances right; the record as stored.
    pub(crate) fn put_record(&mut self, kind: Kind, mut record: Record) -> Record {
        let id = record.id.clone();
        self.forget_name(kind, id.as_str());
        if let Some(key) = Self::name_key(kind, &record.fields) {
            self.names.insert(key, (kind, id.clone()));
        }
        let old = self.tables.get(&kind).and_then(|table| table.get(id.as_str()));
        if let Some(old) = old {
            self.index.forget(kind, old);
        }
        let (before, after) = (Standing::of(kind, old), Standing::of(kind, Some(&record)));
        self.index.add(kind, &record);
        if kind == Kind::Customer {
            self.move_below(&id, before.parent, after.parent);
            set_balance(&mut record.fields, self.index.balance(id.as_str()));
        }
        self.tables.entry(kind).or_default().put(record.clone());
        self.post(before.posting, after.posting);
        record
    }

    /// Moves the balances of the customers that a transaction belonged and belongs to.
    fn post(&mut self, before: Option<Posting>, after: Option<Posting>) {
        if before == after {
            return;
        }
        let taken = before.map(|(id, amount)| (id, -amount));
        for (customer, amount) in [taken, after].into_iter().flatten() {
            self.index.balance_mut(&customer).own += amount;
            self.add_with_jobs(customer, amount);
        }
    }

    /// Takes what a customer owes from the customers he was below to those he is below now.
    fn move_below(&mut self, id: &EntityId, before: Option<EntityId>, after: Option<EntityId>) {
        let amount = self.index.balance(id.as_str()).with_jobs;
        if before == after || amount.is_zero() {
            return;
        }
        for (above, amount) in [(before, -amount), (after, amount)] {
            if let Some(above) = above {
                self.add_with_jobs(above, amount);
            }
        }
    }

    /// Adds to `BalanceWithJobs` of a customer and of everybody above. It is a side effect, not a
    /// change of the customer: SyncToken and times stay.
    fn add_with_jobs(&mut self, customer: EntityId, amount: Decimal) {
        let mut next = Some(customer);
        // Lists nest five deep; the bound only guards against a circle that was stored unchecked.
        for _ in 0..16 {
            let Some(id) = next else { break };
            let balance = self.index.balance_mut(&id);
            balance.with_jobs += amount;
            let balance = *balance;
            let table = self.tables.entry(Kind::Customer).or_default();
            next = table.amend(id.as_str(), |fields| {
                set_balance(fields, balance);
                reference(fields, "ParentRef").map(EntityId::from)
            });
        }
    }

    /// What a customer owes.
    pub(crate) fn balance(&self, customer: &str) -> Balance {
        self.index.balance(customer)
    }

    /// The entries right below one of a list.
    pub(crate) fn children(&self, kind: Kind, id: &str) -> Vec<EntityId> {
        self.index.children(kind, id)
    }

    /// The transactions that name this one in a `LinkedTxn`.
    pub(crate) fn holders(&self, kind: Kind, id: &str) -> Vec<(Kind, EntityId)> {
        self.index.holders(kind, id)
    }

    /// Who has a DocNumber besides `except`.
    pub(crate) fn number_owner(
        &self,
        kind: Kind,
        number: &str,
        except: Option<&str>,
    ) -> Option<&EntityId> {
        self.index.number_owner(kind, number, except)
    }

    /// The DocNumber of the next transaction that brings none.
    pub(crate) fn next_number(&self, kind: Kind) -> String {
        self.index.next_number(kind)
    }

    /// Takes an entity out and leaves a gravestone, which change data capture reads.
    pub(crate) fn remove(&mut self, kind: Kind, id: &str, now: Timestamp) -> Option<Record> {
        let record = self.bury(kind, id, now)?;
        self.changes.push(Change {
            entity: kind.name(),
            id: record.id.clone(),
            change: ChangeKind::Delete,
            at: now,
        });
        Some(record)
    }

    /// The same, told to nobody: the change is told of another entity.
    pub(crate) fn bury(&mut self, kind: Kind, id: &str, now: Timestamp) -> Option<Record> {
        self.forget_name(kind, id);
        let table = self.tables.entry(kind).or_default();
        let record = table.remove(id)?;
        self.sequence += 1;
        table.bury(record.id.clone(), whole_second(now), self.sequence);
        self.index.forget(kind, &record);
        let before = Standing::of(kind, Some(&record));
        if kind == Kind::Customer {
            self.move_below(&record.id, before.parent, None);
        }
        self.post(before.posting, None);
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
        if !kind.is_name_list() {
            return None;
        }
        let name = fields.get(kind.name_field())?.as_str()?.to_lowercase();
        let parent = if kind.is_person() { None } else { reference(fields, "ParentRef") };
        Some(format!("{}\u{1}{}\u{1}{name}", kind.id_space(), parent.unwrap_or("")))
    }
}

/// A customer, and what a transaction adds to his balance.
type Posting = (EntityId, Decimal);

/// What of a stored record the balances depend on.
struct Standing {
    posting: Option<Posting>,
    /// For customers, who is above.
    parent: Option<EntityId>,
}

impl Standing {
    fn of(kind: Kind, record: Option<&Record>) -> Self {
        let posting = record
            .and_then(|record| posting(kind, &record.fields))
            .map(|(customer, amount)| (EntityId::from(customer), amount));
        let parent = record
            .filter(|_| kind == Kind::Customer)
            .and_then(|record| record.reference("ParentRef"))
            .map(EntityId::from);
        Self { posting, parent }
    }
}

/// Writes a customer's balances into his fields.
fn set_balance(fields: &mut Map<String, Value>, balance: Balance) {
    for (field, amount) in [("Balance", balance.own), ("BalanceWithJobs", balance.with_jobs)] {
        fields.insert(field.into(), number_value(amount).unwrap_or(Value::Null));
    }
}

/// MetaData keeps whole seconds.
pub(crate) fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}
