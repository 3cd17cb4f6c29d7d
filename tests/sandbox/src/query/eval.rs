//! Runs a statement over a company's tables.

use std::{cmp::Ordering, collections::HashSet};

use serde_json::{Map, Value, json};

use super::{
    filter::{Filter, Literal, compare, filters, property, value_of},
    parser::{Operator, Select, Statement, invalid},
};
use crate::{
    entities::{
        Kind, company_info, preferences,
        schema::{Comparison, Property},
    },
    fault::Fault,
    store::{Record, Scan, State},
};

/// The value of `QueryResponse`.
pub(crate) fn run(state: &State, statement: &Statement) -> Result<Map<String, Value>, Fault> {
    for (name, make) in
        [("CompanyInfo", company_info as fn(&State) -> _), ("Preferences", preferences)]
    {
        if statement.entity.eq_ignore_ascii_case(name) {
            return Ok(answer(name, statement, vec![make(state)]));
        }
    }
    let Some(kind) = Kind::parse(&statement.entity) else {
        return Err(invalid(&format!("Invalid context declaration: {}", statement.entity)));
    };
    let filters = filters(state, kind, statement)?;
    let order = order(kind, statement)?;
    let fields = match &statement.select {
        Select::Fields(names) => {
            Some(names.iter().map(|name| property(kind, name)).collect::<Result<Vec<_>, _>>()?)
        }
        _ => None,
    };

    let (candidates, sorted) = candidates(state, kind, &filters, &order);
    let matching = candidates.filter(|record| filters.iter().all(|filter| filter.holds(record)));
    if statement.select == Select::Count {
        let mut out = Map::new();
        out.insert("totalCount".into(), json!(matching.count()));
        return Ok(out);
    }
    let (skip, take) = (statement.start - 1, statement.max);
    let page: Vec<&Record> = if sorted {
        matching.skip(skip).take(take).collect()
    } else {
        let mut all: Vec<&Record> = matching.collect();
        all.sort_by(|a, b| compare_records(&order, a, b));
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
    Ok(page_answer(kind.name(), statement.start, rows))
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

/// The answer for what a company has one of.
fn answer(name: &str, statement: &Statement, rows: Vec<Map<String, Value>>) -> Map<String, Value> {
    if statement.select == Select::Count {
        let mut out = Map::new();
        out.insert("totalCount".into(), json!(rows.len()));
        return out;
    }
    let rows = rows.into_iter().skip(statement.start - 1).take(statement.max).collect();
    page_answer(name, statement.start, rows)
}

type Order = Vec<(Property, Comparison, bool)>;

fn order(kind: Kind, statement: &Statement) -> Result<Order, Fault> {
    statement
        .order
        .iter()
        .map(|(name, descending)| {
            let property = property(kind, name)?;
            // Id left the sortable properties in January 2026.
            match property.comparison {
                Some(comparison) if comparison != Comparison::Id => {
                    Ok((property, comparison, *descending))
                }
                _ => Err(invalid(&format!("Property {name} is not sortable"))),
            }
        })
        .collect()
}

fn compare_records(order: &Order, a: &Record, b: &Record) -> Ordering {
    for (property, comparison, descending) in order {
        let (a, b) = (value_of(a, property, *comparison), value_of(b, property, *comparison));
        let ordering = match (&a, &b) {
            (Some(a), Some(b)) => compare(a, b).unwrap_or(Ordering::Equal),
            (a, b) => a.is_some().cmp(&b.is_some()),
        };
        let ordering = if *descending { ordering.reverse() } else { ordering };
        if ordering.is_ne() {
            return ordering;
        }
    }
    b.updated_seq.cmp(&a.updated_seq)
}

type Candidates<'a> = Box<dyn Iterator<Item = &'a Record> + 'a>;

/// The records worth looking at, and whether they come in the order asked for.
fn candidates<'a>(
    state: &'a State,
    kind: Kind,
    filters: &[Filter],
    order: &Order,
) -> (Candidates<'a>, bool) {
    let table = state.table(kind);
    let ids = filters.iter().find_map(|filter| match filter.operator {
        Operator::Equal | Operator::In if filter.property.path == ["Id"] => Some(&filter.literals),
        _ => None,
    });
    if let Some(ids) = ids {
        let unique: HashSet<&str> = ids
            .iter()
            .filter_map(|id| match id {
                Literal::Id(id) => Some(id.as_str()),
                _ => None,
            })
            .collect();
        let found: Vec<&Record> = unique.into_iter().filter_map(|id| table.get(id)).collect();
        return (Box::new(found.into_iter()), false);
    }
    let bounds = |index| {
        let from = filters.iter().filter_map(|filter| filter.bound(index, true)).max();
        let to = filters.iter().filter_map(|filter| filter.bound(index, false)).min();
        (from, to)
    };
    // Unsorted answers come most recently changed first.
    let (index, descending, sorted) = match order.as_slice() {
        [] => (Scan::Updated, true, true),
        [(property, _, descending)] if property.path == ["MetaData", "CreateTime"] => {
            (Scan::Created, *descending, true)
        }
        [(property, _, descending)] if property.path == ["MetaData", "LastUpdatedTime"] => {
            (Scan::Updated, *descending, true)
        }
        _ => (Scan::Updated, true, false),
    };
    let (from, to) = bounds(index);
    if from.is_none() && to.is_none() && bounds(Scan::Created) != (None, None) {
        let (from, to) = bounds(Scan::Created);
        return (table.scan(Scan::Created, from, to, false), false);
    }
    (table.scan(index, from, to, descending), sorted)
}

/// The selected fields, with the Id and the marks that every entity carries.
fn only(row: &Map<String, Value>, fields: &[Property]) -> Map<String, Value> {
    let mut out = Map::new();
    for key in ["Id", "domain", "sparse"] {
        if let Some(value) = row.get(key) {
            out.insert(key.into(), value.clone());
        }
    }
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
