//! Whether QuickBooks stored what was sent. It may change a record silently: a TimeActivity whose employee it does not know came back
//! under another name with `NameOf: "Other"`, and one sent with start and end came back with other times (minimul/qbo_api issue 16).

use jiff::{civil::Date, civil::Time};
use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::Value;

use crate::{Reference, TimeActivityBody, amount::amount};

const MINUTES_PER_DAY: i64 = 24 * 60;

/// The net time of a TimeActivity in whole minutes, rounded half up, as QuickBooks counts it; `None` when it says none or says it unreadably.
///
/// `Hours`, `Minutes` and `Seconds` are net. Where they are absent or zero, it is the time from `StartTime` to `EndTime` on the clock on the
/// wall (QuickBooks ignores their offsets), less the break; an end that is not after its start is of the next day.
pub fn net_minutes_of(activity: &Value) -> Option<i64> {
    let stated = duration(activity, ["Hours", "Minutes", "Seconds"]).ok()?;
    let span = match (&activity["StartTime"], &activity["EndTime"]) {
        (Value::String(start), Value::String(end)) => Some(wall_minutes(start, end)?),
        _ => None,
    };
    match (stated, span) {
        (Some(stated), None) => whole_minutes(stated),
        (Some(stated), Some(_)) if !stated.is_zero() => whole_minutes(stated),
        (_, Some(span)) => {
            let pause = duration(activity, ["BreakHours", "BreakMinutes", "BreakSeconds"]).ok()?;
            whole_minutes(span.checked_sub(pause.unwrap_or_default())?)
        }
        (None, None) => None,
    }
}

/// The fields of QuickBooks' answer that differ from what was sent. References that were not sent may be filled by QuickBooks.
/// A different net time is named `Hours`.
pub fn differences(sent: &TimeActivityBody, answer: &Value) -> Vec<String> {
    let text = |field: &str| answer[field].as_str();
    let refers = |field: &str, to: &Reference| reference(&answer[field]) == Some(to.value.as_str());
    let refers_if_sent =
        |field: &str, to: &Option<Reference>| to.as_ref().is_none_or(|to| refers(field, to));
    let checks = [
        ("TxnDate", text("TxnDate") == Some(sent.txn_date.to_string().as_str())),
        ("NameOf", text("NameOf") == Some(sent.name_of.as_str())),
        ("EmployeeRef", refers("EmployeeRef", &sent.employee_ref)),
        ("CustomerRef", refers("CustomerRef", &sent.customer_ref)),
        ("ItemRef", refers_if_sent("ItemRef", &sent.item_ref)),
        ("ClassRef", refers_if_sent("ClassRef", &sent.class_ref)),
        ("BillableStatus", text("BillableStatus") == Some(sent.billable_status.as_str())),
        ("Hours", net_minutes_of(answer).is_some() && net_minutes_of(answer) == sent.net_minutes()),
    ];
    checks.iter().filter(|(_, same)| !same).map(|(field, _)| (*field).to_owned()).collect()
}

fn reference(value: &Value) -> Option<&str> {
    value["value"].as_str()
}

/// One of the three fields of a duration is no amount.
struct Unreadable;

/// Hours, minutes and seconds as minutes, if any of them is there.
fn duration(
    activity: &Value,
    [hours, minutes, seconds]: [&str; 3],
) -> Result<Option<Decimal>, Unreadable> {
    let mut total = None;
    for (field, factor) in [(hours, 3600), (minutes, 60), (seconds, 1)] {
        let value = &activity[field];
        if !value.is_null() {
            let part = amount(value).and_then(|part| part.checked_mul(Decimal::from(factor)));
            let sum = part.and_then(|part| part.checked_add(total.unwrap_or_default()));
            total = Some(sum.ok_or(Unreadable)?);
        }
    }
    Ok(total.map(|seconds| seconds / Decimal::from(60)))
}

fn whole_minutes(minutes: Decimal) -> Option<i64> {
    minutes.round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero).try_into().ok()
}

/// The minutes between two times of day, each perhaps with a date before and an offset behind it.
fn wall_minutes(start: &str, end: &str) -> Option<Decimal> {
    let (start_day, start) = wall_clock(start)?;
    let (end_day, end) = wall_clock(end)?;
    let minutes = Decimal::from(end.duration_since(start).as_secs()) / Decimal::from(60);
    let days = match (start_day, end_day) {
        (Some(first), Some(last)) => i64::from((last - first).get_days()),
        _ => i64::from(minutes <= Decimal::ZERO),
    };
    minutes.checked_add(Decimal::from(days * MINUTES_PER_DAY))
}

fn wall_clock(text: &str) -> Option<(Option<Date>, Time)> {
    let (day, time) = match text.split_once('T') {
        Some((day, time)) => (Some(day.parse().ok()?), time),
        None => (None, text),
    };
    let end = time.find(['+', '-', 'Z', 'z']).unwrap_or(time.len());
    Some((day, time.get(..end)?.parse().ok()?))
}
