//! Amounts: decimal, never float, two places, within what QuickBooks takes.

use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::{Map, Value};

use super::schema::{decimal_of, number_value};
use crate::fault::Fault;

/// Largest amount, price or quantity (API reference of the amounts: 99,999,999,999).
const MAX: i64 = 99_999_999_999;

/// To cents, half a cent away from zero (recorded: 1861.075 is 1861.08).
pub(super) fn cents(amount: Decimal) -> Decimal {
    amount.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero)
}

/// As JSON.
pub(super) fn value(amount: Decimal) -> Value {
    number_value(amount).unwrap_or(Value::Null)
}

/// A number field, if it is there; 2240 if it is too large either way.
pub(super) fn number(fields: &Map<String, Value>, field: &str) -> Result<Option<Decimal>, Fault> {
    let Some(number) = fields.get(field).and_then(decimal_of) else { return Ok(None) };
    if number.abs() > Decimal::from(MAX) {
        return Err(Fault::out_of_range(field, &number.to_string()));
    }
    Ok(Some(number))
}

/// A stored amount; nothing is zero.
pub(super) fn stored(fields: &Map<String, Value>, field: &str) -> Decimal {
    fields.get(field).and_then(decimal_of).unwrap_or_default()
}
