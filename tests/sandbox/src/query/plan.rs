//! Which entities a statement has to look at, and in which order they come.
//!
//! A plan only saves work: every condition is still asked of every entity it brings.

use std::collections::HashSet;

use jiff::Timestamp;

use super::{
    eval::Order,
    filter::{Filter, Literal},
    parser::Operator,
};
use crate::store::{Days, Record, Scan, Span, Table};

type Rows<'a> = Box<dyn Iterator<Item = &'a Record> + 'a>;

/// See the module.
pub(super) struct Plan<'a> {
    pub(super) rows: Rows<'a>,
    /// Whether they come in the order asked for, so that a page can be cut off them.
    pub(super) sorted: bool,
}

/// Times between two bounds, both included.
type Times = (Option<Timestamp>, Option<Timestamp>);

/// The fewest entities that hold all that match.
enum Narrow<'a> {
    Days(Vec<&'a Days>),
    Times(Scan, Times),
}

/// An index that is in the order asked for, and whether it is walked backwards.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Natural {
    Times(Scan, bool),
    Days(bool),
}

/// The plan for `wanted` entities of a page, counted from the first one; `None` for all of them.
pub(super) fn plan<'a>(
    table: &'a Table,
    filters: &[Filter],
    order: &Order,
    wanted: Option<usize>,
) -> Plan<'a> {
    if let Some(ids) = ids(filters) {
        let found: Vec<&Record> = ids.into_iter().filter_map(|id| table.get(id)).collect();
        return Plan { rows: Box::new(found.into_iter()), sorted: false };
    }
    let span = Span {
        from: filters.iter().filter_map(|filter| filter.day_bound(true)).max().map(str::to_owned),
        to: filters.iter().filter_map(|filter| filter.day_bound(false)).min().map(str::to_owned),
    };
    let natural = natural(order);
    let Some((narrow, count)) = narrow(table, filters, &span) else {
        return match natural {
            Some(natural) => walk(table, filters, natural, &span),
            None => everything(table),
        };
    };
    match (&narrow, natural) {
        (Narrow::Days(lists), Some(Natural::Days(descending))) if lists.len() == 1 => {
            return of_days(table, lists, &span, descending, true);
        }
        // Within a day the one changed last comes first, as in an answer that is not sorted.
        (Narrow::Days(lists), _) if order.is_empty() && span.is_one_day() && lists.len() == 1 => {
            return of_days(table, lists, &span, false, true);
        }
        (Narrow::Times(index, _), Some(natural @ Natural::Times(own, _))) if *index == own => {
            return walk(table, filters, natural, &span);
        }
        // Walking in order and stopping when the page is full looks at fewer where many match.
        (_, Some(natural)) if wanted.is_some_and(|wanted| is_less(wanted, table.len(), count)) => {
            return walk(table, filters, natural, &span);
        }
        _ => {}
    }
    match narrow {
        Narrow::Days(lists) => of_days(table, &lists, &span, false, false),
        Narrow::Times(index, (from, to)) => {
            Plan { rows: table.scan(index, from, to, false), sorted: false }
        }
    }
}

/// All entities, in no order that counts.
pub(super) fn everything(table: &Table) -> Plan<'_> {
    Plan { rows: table.scan(Scan::Updated, None, None, true), sorted: false }
}

/// Whether finding `wanted` in a walk over `all`, `count` of which may match, looks at fewer than
/// `count`.
fn is_less(wanted: usize, all: usize, count: usize) -> bool {
    wanted.saturating_mul(all) < count.saturating_mul(count)
}

/// The ids that a condition on `Id` leaves.
fn ids(filters: &[Filter]) -> Option<HashSet<&str>> {
    let filter = filters.iter().find(|filter| {
        matches!(filter.operator, Operator::Equal | Operator::In) && filter.property.path == ["Id"]
    })?;
    let ids = filter.literals.iter().filter_map(|literal| match literal {
        Literal::Id(id) => Some(id.as_str()),
        _ => None,
    });
    Some(ids.collect())
}

/// The index that fits the order. Unsorted answers come most recently changed first.
fn natural(order: &Order) -> Option<Natural> {
    let [(property, _, descending)] = order.as_slice() else {
        return order.is_empty().then_some(Natural::Times(Scan::Updated, true));
    };
    let path: Vec<&str> = property.path.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["MetaData", "CreateTime"] => Some(Natural::Times(Scan::Created, *descending)),
        ["MetaData", "LastUpdatedTime"] => Some(Natural::Times(Scan::Updated, *descending)),
        ["TxnDate"] => Some(Natural::Days(*descending)),
        _ => None,
    }
}

fn times(filters: &[Filter], index: Scan) -> Times {
    let from = filters.iter().filter_map(|filter| filter.bound(index, true)).max();
    let to = filters.iter().filter_map(|filter| filter.bound(index, false)).min();
    (from, to)
}

/// The narrowest way in, with the number of entities behind it; `None` if no condition helps.
fn narrow<'a>(table: &'a Table, filters: &[Filter], span: &Span) -> Option<(Narrow<'a>, usize)> {
    let mut best: Option<(Narrow<'a>, usize)> = None;
    let mut offer = |narrow: Narrow<'a>, count: usize| {
        if best.as_ref().is_none_or(|(_, least)| count < *least) {
            best = Some((narrow, count));
        }
        best.as_ref().map_or(usize::MAX, |(_, least)| *least)
    };
    let mut least = usize::MAX;
    for (field, ids) in filters.iter().filter_map(Filter::references) {
        let lists: Vec<&Days> =
            ids.into_iter().filter_map(|id| table.referring(field, id)).collect();
        let count = lists.iter().map(|days| days.count(span)).sum();
        least = offer(Narrow::Days(lists), count);
    }
    if !span.is_open() {
        least = offer(Narrow::Days(vec![table.days()]), table.days().count(span));
    }
    for index in [Scan::Updated, Scan::Created] {
        let (from, to) = times(filters, index);
        if from.is_some() || to.is_some() {
            least = offer(Narrow::Times(index, (from, to)), table.count(index, from, to, least));
        }
    }
    best
}

fn walk<'a>(table: &'a Table, filters: &[Filter], natural: Natural, span: &Span) -> Plan<'a> {
    match natural {
        Natural::Times(index, descending) => {
            let (from, to) = times(filters, index);
            Plan { rows: table.scan(index, from, to, descending), sorted: true }
        }
        Natural::Days(descending) => of_days(table, &[table.days()], span, descending, true),
    }
}

fn of_days<'a>(
    table: &'a Table,
    lists: &[&'a Days],
    span: &Span,
    descending: bool,
    sorted: bool,
) -> Plan<'a> {
    let ids: Vec<_> = lists.iter().map(|days| days.walk(span, descending)).collect();
    let rows = ids.into_iter().flatten().filter_map(|id| table.get(id.as_str()));
    Plan { rows: Box::new(rows), sorted }
}
