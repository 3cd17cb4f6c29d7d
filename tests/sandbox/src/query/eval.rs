//! Runs a statement over a company's tables.

use std::cmp::Ordering;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    filter::{Filter, Literal, compare, filters, property, value_of},
    filterable::is_sortable,
    parser::{Select, Statement, invalid},
    plan::plan,
};
use crate::{
    entities::{
        Kind, company_info, permitted, preferences,
        schema::{Comparison, Property},
    },
    fault::Fault,
    ids::EntityId,
    store::{Record, State, Table},
};

/// The value of `QueryResponse`.
pub(crate) fn run(state: &State, statement: &Statement) -> Result<Map<String, Value>, Fault> {
    run_by(plan, state, statement).map(|(answer, _)| answer)
}

/// How the records to look at are chosen.
pub(super) type Planner =
    for<'a> fn(&'a Table, &[Filter], &Order, Option<usize>) -> super::plan::Plan<'a>;

/// The same with another planner; also how many records it looked at.
pub(super) fn run_by(
    planner: Planner,
    state: &State,
    statement: &Statement,
) -> Result<(Map<String, Value>, usize), Fault> {
    for (name, make) in
        [("CompanyInfo", company_info as fn(&State) -> _), ("Preferences", preferences)]
    {
        if statement.entity.eq_ignore_ascii_case(name) {
            return one(state, statement, name, make(state)).map(|answer| (answer, 1));
        }
    }
    let Some(kind) = Kind::parse(&statement.entity) else {
        // The recorded text.
        let name = &statement.entity;
        return Err(invalid(&format!("Metadata not found for Entity: {name}")));
    };
    permitted(state, kind)?;
    let filters = filters(state, kind.name(), kind.is_name_list(), statement)?;
    let order = order(kind.name(), statement)?;
    let fields = fields(kind.name(), statement)?;

    let counts = statement.select == Select::Count;
    let (skip, take) = (statement.start - 1, statement.max);
    let wanted = (!counts).then(|| skip.saturating_add(take));
    let table = state.table(kind);
    let mut looked_at = 0;
    let plan = planner(table, &filters, &order, wanted);
    let rows = plan.rows.inspect(|_| looked_at += 1);
    let matching = rows.filter(|record| filters.iter().all(|filter| filter.holds(record)));
    if counts {
        let count = if filters.is_empty() { table.len() } else { matching.count() };
        let mut out = Map::new();
        out.insert("totalCount".into(), json!(count));
        return Ok((out, looked_at));
    }
    let page: Vec<&Record> = if plan.sorted {
        matching.skip(skip).take(take).collect()
    } else {
        let mut all: Vec<&Record> = matching.collect();
        sort(&mut all, &order);
        all.into_iter().skip(skip).take(take).collect()
    };
    let rows = page
        .into_iter()
        .map(|record| {
            let row = state.wire(kind, record);
            match &fields {
                Some(fields) => only(&row, fields),
                None => row,
            }
        })
        .collect();
    Ok((page_answer(kind.name(), statement.start, rows), looked_at))
}

/// A page that is empty has no array and no positions at all.
fn page_answer(name: &str, start: usize, rows: Vec<Map<String, Value>>) -> Map<String, Value> {
    let mut out = Map::new();
    if !rows.is_empty() {
        out.insert("startPosition".into(), json!(start));
        out.insert("maxResults".into(), json!(rows.len()));
        out.insert(name.into(), rows.into_iter().map(Value::Object).collect());
    }
    out
}

/// The selected fields; `None`: all of them.
fn fields(entity: &str, statement: &Statement) -> Result<Option<Vec<Property>>, Fault> {
    let (names, all) = match &statement.select {
        Select::Count => return Ok(None),
        Select::All(beside) => (beside, true),
        Select::Fields(names) => (names, false),
    };
    let fields = names.iter().map(|name| property(entity, name)).collect::<Result<Vec<_>, _>>()?;
    Ok((!all).then_some(fields))
}

/// The answer for what a company has one of.
fn one(
    state: &State,
    statement: &Statement,
    name: &str,
    entity: Map<String, Value>,
) -> Result<Map<String, Value>, Fault> {
    let filters = filters(state, name, false, statement)?;
    order(name, statement)?;
    let fields = fields(name, statement)?;
    let record = record_of(&entity);
    let matches = filters.iter().all(|filter| filter.holds(&record));
    if statement.select == Select::Count {
        let mut out = Map::new();
        out.insert("totalCount".into(), json!(usize::from(matches)));
        return Ok(out);
    }
    let row = match fields {
        Some(fields) => only(&entity, &fields),
        None => entity,
    };
    let rows = if matches && statement.start == 1 { vec![row] } else { Vec::new() };
    Ok(page_answer(name, statement.start, rows))
}

/// An answered entity as a record, so that conditions can be asked of it.
fn record_of(entity: &Map<String, Value>) -> Record {
    let text = |name: &str| entity.get(name).and_then(Value::as_str).unwrap_or("");
    let time = |name: &str| {
        let time = entity.get("MetaData").and_then(|times| times.get(name)?.as_str());
        time.and_then(|time| time.parse().ok()).unwrap_or(Timestamp::UNIX_EPOCH)
    };
    Record {
        id: EntityId::from(text("Id")),
        sync_token: text("SyncToken").parse().unwrap_or(0),
        created: time("CreateTime"),
        updated: time("LastUpdatedTime"),
        created_seq: 0,
        updated_seq: 0,
        fields: entity.clone(),
    }
}

/// Properties to sort by, how they compare, and whether they descend.
pub(super) type Order = Vec<(Property, Comparison, bool)>;

fn order(entity: &str, statement: &Statement) -> Result<Order, Fault> {
    statement
        .order
        .iter()
        .map(|(name, descending)| {
            let property = property(entity, name)?;
            match property.comparison {
                Some(comparison) if is_sortable(entity, &property.path) => {
                    Ok((property, comparison, *descending))
                }
                _ => Err(invalid(&format!("property '{name}' is not sortable"))),
            }
        })
        .collect()
}

/// Brings records into the order asked for.
fn sort(records: &mut Vec<&Record>, order: &Order) {
    let key = |record: &Record| -> Vec<Option<Literal>> {
        order.iter().map(|(property, kind, _)| value_of(record, property, *kind)).collect()
    };
    let mut keyed: Vec<_> = records.drain(..).map(|record| (key(record), record)).collect();
    keyed.sort_by(|(a, first), (b, second)| {
        for ((a, b), (_, _, descending)) in a.iter().zip(b).zip(order) {
            let ordering = match (a, b) {
                (Some(a), Some(b)) => compare(a, b).unwrap_or(Ordering::Equal),
                (a, b) => a.is_some().cmp(&b.is_some()),
            };
            let ordering = if *descending { ordering.reverse() } else { ordering };
            if ordering.is_ne() {
                return ordering;
            }
        }
        among_equals(order, first, second)
    });
    records.extend(keyed.into_iter().map(|(_, record)| record));
}

/// The order of records that the statement's order leaves open: most recently changed first; within
/// one second of CreateTime or LastUpdatedTime as they came.
fn among_equals(order: &Order, a: &Record, b: &Record) -> Ordering {
    let changed = |record: &Record| (record.updated, record.updated_seq);
    let [(property, _, descending)] = order.as_slice() else {
        return changed(b).cmp(&changed(a));
    };
    let ordering = match property.path.last().map(String::as_str) {
        Some("CreateTime") => a.created_seq.cmp(&b.created_seq),
        Some("LastUpdatedTime") => a.updated_seq.cmp(&b.updated_seq),
        _ => return changed(b).cmp(&changed(a)),
    };
    if *descending { ordering.reverse() } else { ordering }
}

/// The selected fields, with the Id and the marks that every entity carries. `sparse` says that not
/// everything is there (Intuit's page on data queries).
fn only(row: &Map<String, Value>, fields: &[Property]) -> Map<String, Value> {
    let mut out = Map::new();
    for key in ["Id", "domain"] {
        if let Some(value) = row.get(key) {
            out.insert(key.into(), value.clone());
        }
    }
    out.insert("sparse".into(), json!(true));
    for field in fields {
        copy(row, &mut out, &field.path);
    }
    out
}

fn copy(from: &Map<String, Value>, to: &mut Map<String, Value>, path: &[String]) {
    let Some((first, rest)) = path.split_first() else { return };
    let Some(value) = from.get(first) else { return };
    match value {
        Value::Object(inner) if !rest.is_empty() => {
            let slot = to.entry(first.clone()).or_insert_with(|| json!({}));
            if let Value::Object(slot) = slot {
                copy(inner, slot, rest);
            }
        }
        value => {
            to.insert(first.clone(), value.clone());
        }
    }
}
