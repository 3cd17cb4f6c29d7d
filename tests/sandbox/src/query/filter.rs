//! The conditions of a statement, and how values compare.

use std::{
    cmp::Ordering,
    collections::{BTreeSet, HashSet},
};

use jiff::{
    Timestamp,
    civil::{Date, DateTime},
    tz::TimeZone,
};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{
    filterable::is_filterable,
    parser::{Condition, Operator, Statement, invalid},
};
use crate::{
    entities::schema::{self, Comparison, Property, decimal_of, text_of},
    fault::Fault,
    store::{Record, Scan, State},
};

/// A literal, read for its property.
pub(super) enum Literal {
    Text(String),
    Id(String),
    Number(Decimal),
    Boolean(bool),
    Instant(Timestamp),
    /// `' '`, which stands for "not set".
    Null,
}

pub(super) struct Filter {
    pub(super) property: Property,
    comparison: Comparison,
    pub(super) operator: Operator,
    pub(super) literals: Vec<Literal>,
    /// The texts of a long `IN`, so that it stays one look-up.
    set: HashSet<String>,
}

/// A property of an entity by name; 4001 if it has none.
pub(super) fn property(entity: &str, name: &str) -> Result<Property, Fault> {
    schema::property(entity, name)
        .ok_or_else(|| invalid(&format!("Property {name} not found for Entity {entity}")))
}

/// All conditions, and where inactive entries hide that only active ones show unless asked otherwise.
pub(super) fn filters(
    state: &State,
    entity: &str,
    hides_inactive: bool,
    statement: &Statement,
) -> Result<Vec<Filter>, Fault> {
    let mut filters = Vec::new();
    for condition in &statement.conditions {
        filters.push(filter(state, entity, condition)?);
    }
    let asks_active = filters.iter().any(|filter| filter.property.path == ["Active"]);
    if hides_inactive && !asks_active {
        filters.push(Filter {
            property: property(entity, "Active")?,
            comparison: Comparison::Boolean,
            operator: Operator::Equal,
            literals: vec![Literal::Boolean(true)],
            set: HashSet::new(),
        });
    }
    Ok(filters)
}

fn filter(state: &State, entity: &str, condition: &Condition) -> Result<Filter, Fault> {
    let name = &condition.property;
    let property = property(entity, name)?;
    let comparison = property
        .comparison
        .filter(|_| is_filterable(entity, &property.path))
        .ok_or_else(|| invalid(&format!("property '{name}' is not queryable")))?;
    let operator = condition.operator;
    if operator == Operator::Like && comparison != Comparison::Text {
        return Err(invalid(&format!("property '{name}' can't be used with LIKE")));
    }
    let literals = condition
        .literals
        .iter()
        .map(|text| match (operator, text.as_str()) {
            // Intuit's page: "Null is represented as the string ' '".
            (Operator::Equal, " ") => Some(Literal::Null),
            (_, text) => literal(comparison, text, &state.zone),
        })
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| invalid(&format!("Invalid value for property {name}")))?;
    let set = match operator {
        Operator::In => literals
            .iter()
            .filter_map(|literal| match literal {
                Literal::Text(text) | Literal::Id(text) => Some(text.clone()),
                _ => None,
            })
            .collect(),
        _ => HashSet::new(),
    };
    Ok(Filter { property, comparison, operator, literals, set })
}

fn literal(comparison: Comparison, text: &str, zone: &TimeZone) -> Option<Literal> {
    Some(match comparison {
        // Whether the real one regards case is not known; its names are unique without it.
        Comparison::Text => Literal::Text(text.to_lowercase()),
        Comparison::Id => Literal::Id(text.to_owned()),
        Comparison::Number => Literal::Number(decimal_of(&json!(text))?),
        Comparison::Boolean => Literal::Boolean(text.to_ascii_lowercase().parse().ok()?),
        Comparison::Date => Literal::Text(text.parse::<Date>().ok()?.to_string()),
        Comparison::Instant => Literal::Instant(instant(text, zone)?),
    })
}

/// RFC 3339; without an offset, or as a bare day, it is meant in the company's zone.
fn instant(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at);
    }
    // A `+` that was not encoded arrives as a space: refused, as a date that cannot be read.
    if text.contains(' ') {
        return None;
    }
    let local = text.parse::<DateTime>().ok()?;
    local.to_zoned(zone.clone()).ok().map(|zoned| zoned.timestamp())
}

impl Filter {
    pub(super) fn holds(&self, record: &Record) -> bool {
        let value = value_of(record, &self.property, self.comparison);
        if let [Literal::Null] = self.literals.as_slice() {
            return value.is_none();
        }
        match self.operator {
            Operator::In => match &value {
                Some(Literal::Text(text) | Literal::Id(text)) => self.set.contains(text),
                value => self.literals.iter().any(|literal| {
                    value.as_ref().and_then(|value| compare(value, literal))
                        == Some(Ordering::Equal)
                }),
            },
            Operator::Like => match (&value, self.literals.first()) {
                (Some(Literal::Text(text)), Some(Literal::Text(pattern))) => like(text, pattern),
                _ => false,
            },
            operator => {
                let ordering = value
                    .as_ref()
                    .zip(self.literals.first())
                    .and_then(|(value, literal)| compare(value, literal));
                match (operator, ordering) {
                    // What is not set is neither less nor more than anything.
                    (_, None) => false,
                    (Operator::Less, Some(ordering)) => ordering.is_lt(),
                    (Operator::LessOrEqual, Some(ordering)) => ordering.is_le(),
                    (Operator::Greater, Some(ordering)) => ordering.is_gt(),
                    (Operator::GreaterOrEqual, Some(ordering)) => ordering.is_ge(),
                    (_, Some(ordering)) => ordering.is_eq(),
                }
            }
        }
    }

    /// The day that a condition on `TxnDate` bounds, from below or above.
    pub(super) fn day_bound(&self, below: bool) -> Option<&str> {
        match self.literals.first() {
            Some(Literal::Text(day)) if self.property.path == ["TxnDate"] && self.bounds(below) => {
                Some(day)
            }
            _ => None,
        }
    }

    /// The reference field that this condition asks for, with the ids it leaves.
    pub(super) fn references(&self) -> Option<(&str, Vec<&str>)> {
        let (field, inner) = self.property.path.split_first()?;
        let by_id = field.ends_with("Ref") && (inner.is_empty() || inner == ["value"]);
        let of_some = matches!(self.operator, Operator::Equal | Operator::In)
            && !matches!(self.literals.as_slice(), [Literal::Null]);
        if !by_id || !of_some {
            return None;
        }
        let ids: BTreeSet<&str> = self
            .literals
            .iter()
            .filter_map(|literal| match literal {
                Literal::Text(id) => Some(id.as_str()),
                _ => None,
            })
            .collect();
        Some((field, ids.into_iter().collect()))
    }

    /// Whether the condition is a bound from below or above.
    fn bounds(&self, below: bool) -> bool {
        match self.operator {
            Operator::Greater | Operator::GreaterOrEqual => below,
            Operator::Less | Operator::LessOrEqual => !below,
            Operator::Equal => true,
            _ => false,
        }
    }

    /// The instant that a MetaData condition bounds `index` by, from below or above.
    pub(super) fn bound(&self, index: Scan, below: bool) -> Option<Timestamp> {
        let name = match index {
            Scan::Created => "CreateTime",
            Scan::Updated => "LastUpdatedTime",
        };
        if self.property.path.last().is_none_or(|last| last != name) {
            return None;
        }
        match self.literals.first() {
            Some(Literal::Instant(at)) if self.bounds(below) => Some(*at),
            _ => None,
        }
    }
}

/// A record's value, ready to compare.
pub(super) fn value_of(
    record: &Record,
    property: &Property,
    comparison: Comparison,
) -> Option<Literal> {
    let path: Vec<&str> = property.path.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["Id"] => return Some(Literal::Id(record.id.as_str().to_owned())),
        ["SyncToken"] => return Some(Literal::Text(record.sync_token.to_string())),
        ["MetaData", "CreateTime"] => return Some(Literal::Instant(record.created)),
        ["MetaData", "LastUpdatedTime"] => return Some(Literal::Instant(record.updated)),
        ["Active"] => return Some(Literal::Boolean(record.is_active())),
        _ => {}
    }
    let mut value = record.fields.get(*path.first()?)?;
    for part in &path[1..] {
        value = value.get(part)?;
    }
    // A reference, an e-mail address and a telephone number stand for their one value.
    if let Value::Object(inner) = value {
        value = ["value", "Address", "FreeFormNumber"].iter().find_map(|key| inner.get(*key))?;
    }
    Some(match comparison {
        Comparison::Number => Literal::Number(decimal_of(value)?),
        Comparison::Boolean => Literal::Boolean(value.as_bool()?),
        Comparison::Instant => return None,
        Comparison::Id => Literal::Id(text_of(value)?),
        Comparison::Date => Literal::Text(text_of(value)?),
        Comparison::Text => Literal::Text(text_of(value)?.to_lowercase()),
    })
}

/// How two values of one property compare; `None` if they are of different types.
pub(super) fn compare(a: &Literal, b: &Literal) -> Option<Ordering> {
    Some(match (a, b) {
        (Literal::Text(a), Literal::Text(b)) => a.cmp(b),
        // Ids are numbers without leading zeros: the longer one is the larger.
        (Literal::Id(a), Literal::Id(b)) => a.len().cmp(&b.len()).then_with(|| a.cmp(b)),
        (Literal::Number(a), Literal::Number(b)) => a.cmp(b),
        (Literal::Boolean(a), Literal::Boolean(b)) => a.cmp(b),
        (Literal::Instant(a), Literal::Instant(b)) => a.cmp(b),
        _ => return None,
    })
}

/// `%` stands for any run of characters; nothing else is special.
fn like(text: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('%');
    let Some(rest) = text.strip_prefix(parts.next().unwrap_or("")) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    let mut rest = rest;
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::like;

    #[test]
    fn like_knows_the_percent_sign_alone() {
        assert!(like("o'brien", "%brien"));
        assert!(like("o'brien", "o%n"));
        assert!(like("o'brien", "%'b%"));
        assert!(like("abc", "abc"));
        assert!(like("ñandú", "ñ%"));
        assert!(!like("abc", "ab"));
        assert!(!like("abc", "a_c"));
        assert!(!like("ab", "ab%b"));
        assert!(like("", "%"));
    }
}
