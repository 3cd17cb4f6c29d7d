//! Amounts as they stand in JSON: a number, or a decimal in quotes.
//!
//! Nothing is reckoned in floats. `serde_json` may hold a number with a point as one, but prints it with the fewest digits that
//! mean it: up to 15 digits those are the sender's own, and they are what is read here.

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::Error as _};
use serde_json::{Value, value::RawValue};

/// The largest power of ten, either way, that is read from a number such as `1e3`.
/// Far beyond any amount of hours or money, and short of what a [`Decimal`] holds.
const MAX_EXPONENT: i32 = 15;

/// The amount that `value` stands for, without trailing zeros; `None` when it is none, or longer than a [`Decimal`] holds.
pub(crate) fn amount(value: &Value) -> Option<Decimal> {
    match value {
        Value::Number(number) => decimal(&number.to_string()),
        // In quotes only the plain form: what else stands there is a mistake more often than an amount.
        Value::String(text) if !text.contains(['e', 'E', '+', '_']) => decimal(text),
        _ => None,
    }
}

/// The whole number that `value` stands for. Only JSON numbers count; `30.0` is 30.
pub(crate) fn whole(value: &Value) -> Option<i128> {
    let number = value.as_number()?;
    let amount = decimal(&number.to_string())?;
    amount.is_integer().then(|| amount.mantissa())
}

/// Writes an optional amount as a JSON number, digit by digit. Only for JSON.
#[expect(clippy::ref_option, reason = "serde calls it with a reference to the field")]
pub(crate) fn write_number<S: Serializer>(
    amount: &Option<Decimal>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let number = amount.map(|amount| RawValue::from_string(amount.normalize().to_string()));
    number.transpose().map_err(S::Error::custom)?.serialize(serializer)
}

/// Reads an optional amount, as a number or in quotes.
pub(crate) fn read_number<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Decimal>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        value => amount(&value).map(Some).ok_or_else(|| D::Error::custom("not an amount")),
    }
}

fn decimal(text: &str) -> Option<Decimal> {
    let (digits, exponent) = match text.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let starts_and_ends_with_a_digit = digits.ends_with(|c: char| c.is_ascii_digit())
        && digits.trim_start_matches('-').starts_with(|c: char| c.is_ascii_digit());
    if !starts_and_ends_with_a_digit || exponent.abs() > MAX_EXPONENT {
        return None;
    }
    let amount = Decimal::from_str_exact(digits).ok()?;
    let step = Decimal::from(10);
    let shifted = (0..exponent.abs()).try_fold(amount, |amount, _| {
        if exponent > 0 { amount.checked_mul(step) } else { amount.checked_div(step) }
    })?;
    Some(shifted.normalize())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(text: &str) -> Option<String> {
        amount(&serde_json::from_str(text).unwrap()).map(|amount| amount.to_string())
    }

    #[test]
    fn amounts_are_read_to_the_last_digit() {
        assert_eq!(read("0.1").as_deref(), Some("0.1"));
        assert_eq!(read("7.583333333333333").as_deref(), Some("7.583333333333333"));
        assert_eq!(read("\"75.50\"").as_deref(), Some("75.5"));
        assert_eq!(read("8.0").as_deref(), Some("8"));
        assert_eq!(read("1.5e2").as_deref(), Some("150"));
        assert_eq!(read("125E-1").as_deref(), Some("12.5"));
        assert_eq!(read("-0").as_deref(), Some("0"));
    }

    #[test]
    fn what_is_no_amount_is_none() {
        let long = format!("\"{}\"", "9".repeat(40));
        for text in [
            "\"\"",
            "\"8,5\"",
            "\"8h\"",
            "\" 8\"",
            "\"+8\"",
            "\"1e3\"",
            "\"--8\"",
            "\"8.\"",
            "\".5\"",
            "\"1_000\"",
            "true",
            "null",
            "[]",
            "{}",
            "1e40",
            "1e300",
            "\"NaN\"",
            "\"٨\"",
            &long,
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn whole_numbers_have_no_fraction() {
        assert_eq!(whole(&json!(30)), Some(30));
        assert_eq!(whole(&json!(-1)), Some(-1));
        assert_eq!(whole(&json!(30.0)), Some(30));
        assert_eq!(whole(&json!(u64::MAX)), Some(i128::from(u64::MAX)));
        assert_eq!(whole(&json!(30.5)), None);
        assert_eq!(whole(&json!("30")), None);
    }
}
