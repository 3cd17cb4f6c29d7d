//! Term: when an invoice is due.

use jiff::{Span, civil::Date};
use rust_decimal::{Decimal, prelude::ToPrimitive};
use serde_json::{Map, Value, json};

use super::money;
use crate::fault::Fault;

type Fields = Map<String, Value>;

/// Longest name, in characters (API reference).
pub(super) const MAX_NAME: usize = 31;

/// Checks a whole term: due after so many days, or on a day of the month.
pub(super) fn check(fields: &mut Fields) -> Result<(), Fault> {
    for (field, low, high) in [
        ("DueDays", 0, 999),
        ("DiscountDays", 0, 999),
        ("DiscountPercent", 0, 100),
        ("DayOfMonthDue", 1, 31),
        ("DiscountDayOfMonth", 1, 31),
        ("DueNextMonthDays", 1, 999),
    ] {
        if let Some(number) = money::number(fields, field)?
            && (number < Decimal::from(low) || number > Decimal::from(high))
        {
            return Err(Fault::out_of_range(field, &number.to_string()));
        }
    }
    let kind = match (fields.contains_key("DueDays"), fields.contains_key("DayOfMonthDue")) {
        (_, true) => "DATE_DRIVEN",
        (true, false) => "STANDARD",
        (false, false) => return Err(Fault::missing("DueDays")),
    };
    fields.insert("Type".into(), json!(kind));
    Ok(())
}

/// The day that an invoice of `date` is due.
pub(super) fn due(term: &Fields, date: Date) -> Date {
    let number = |field: &str| {
        term.get(field).and_then(super::schema::decimal_of).and_then(|number| number.to_i64())
    };
    let Some(day) = number("DayOfMonthDue") else {
        return after(date, number("DueDays").unwrap_or(0));
    };
    // The last day of a shorter month; the month after when the day is too near or over.
    let on = |month: Date| {
        let last = i64::from(month.days_in_month());
        i8::try_from(day.clamp(1, last)).ok().and_then(|day| month.with().day(day).build().ok())
    };
    let notice = number("DueNextMonthDays").unwrap_or(0);
    let first = on(date).unwrap_or(date);
    if first >= after(date, notice) {
        return first;
    }
    date.checked_add(Span::new().months(1)).ok().and_then(on).unwrap_or(first)
}

/// `days` after `date`; the last day of the calendar beyond that.
pub(super) fn after(date: Date, days: i64) -> Date {
    Span::new()
        .try_days(days)
        .ok()
        .and_then(|span| date.checked_add(span).ok())
        .unwrap_or(Date::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due_on(term: Value, date: &str) -> String {
        let Value::Object(term) = term else { panic!("a term is an object") };
        due(&term, date.parse().unwrap()).to_string()
    }

    #[test]
    fn a_standard_term_counts_days() {
        assert_eq!(due_on(json!({ "DueDays": 30 }), "2026-01-15"), "2026-02-14");
        assert_eq!(due_on(json!({ "DueDays": 0 }), "2026-01-15"), "2026-01-15");
    }

    #[test]
    fn a_term_by_date_takes_the_next_such_day() {
        let term = json!({ "DayOfMonthDue": 31, "DueNextMonthDays": 5 });
        assert_eq!(due_on(term.clone(), "2026-02-10"), "2026-02-28");
        assert_eq!(due_on(term.clone(), "2026-02-27"), "2026-03-31");
        assert_eq!(due_on(term, "2026-01-31"), "2026-02-28");
        assert_eq!(due_on(json!({ "DayOfMonthDue": 1 }), "2026-12-15"), "2027-01-01");
    }

    #[test]
    fn a_term_needs_a_day() {
        let mut fields = Map::new();
        assert_eq!(&*check(&mut fields).unwrap_err().code, "2020");
        fields.insert("DueDays".into(), json!(1000));
        assert_eq!(&*check(&mut fields).unwrap_err().code, "2240");
    }
}
