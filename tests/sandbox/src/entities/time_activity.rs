//! TimeActivity: its rules, and the traps of the real one.
//!
//! Where Intuit publishes no code for a rule, the general one is used (6000, 2020, 2240, 5030).

use jiff::{
    Timestamp,
    civil::{Date, Time},
    fmt::temporal::Pieces,
    tz::{Offset, TimeZone},
};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::{
    Kind,
    references::{self, id_of},
    schema::decimal_of,
    transaction::open_period,
};
use crate::{
    fault::Fault,
    store::{Record, State},
};

type Fields = Map<String, Value>;

/// Longest description, in characters (API reference).
const MAX_DESCRIPTION: usize = 4000;
/// Most hours of one activity (API reference: 8760 h 59 m).
const MAX_HOURS: u32 = 8760;

/// Checks a whole activity and fills in what QuickBooks fills in.
pub(super) fn finish(
    state: &State,
    mut fields: Fields,
    old: Option<&Record>,
    now: Timestamp,
) -> Result<Fields, Fault> {
    if !state.profile.time_tracking {
        return Err(Fault::feature("TimeActivity", "Time tracking is not turned on."));
    }
    if let Some(old) = old {
        refuse_billed(old)?;
        open_period(state, old.text("TxnDate"))?;
    }
    who(state, &mut fields, old)?;
    let date = match fields.get("TxnDate").and_then(Value::as_str) {
        Some(date) => date.to_owned(),
        // A missing date is today, in the company, whatever StartTime says.
        None => state.today(now).to_string(),
    };
    open_period(state, Some(&date))?;
    duration(state, &mut fields, &date)?;
    fields.insert("TxnDate".into(), json!(date));
    references(state, &mut fields)?;
    billing(state, &mut fields)?;
    if let Some(text) = fields.get("Description").and_then(Value::as_str) {
        let length = text.chars().count();
        if length > MAX_DESCRIPTION {
            return Err(Fault::too_long("Description", MAX_DESCRIPTION, length));
        }
    }
    Ok(fields)
}

/// Whether it may be deleted.
pub(super) fn may_delete(state: &State, record: &Record) -> Result<(), Fault> {
    refuse_billed(record)?;
    open_period(state, record.text("TxnDate"))
}

/// A sparse update that sends hours replaces a clocked duration, and the other way round.
pub(super) fn drop_replaced_times(fields: &mut Fields, sent: &Fields) {
    const CLOCK: [&str; 5] = ["StartTime", "EndTime", "BreakHours", "BreakMinutes", "BreakSeconds"];
    const HOURS: [&str; 3] = ["Hours", "Minutes", "Seconds"];
    let sends = |names: &[&str]| names.iter().any(|name| sent.contains_key(*name));
    if sends(&HOURS) && !sends(&CLOCK[..2]) {
        fields.retain(|name, _| !CLOCK.contains(&name.as_str()));
    } else if sends(&CLOCK[..2]) {
        fields.retain(|name, _| !HOURS.contains(&name.as_str()));
    }
}

/// The real code for touching an invoiced activity is not known; it is refused in some way.
fn refuse_billed(record: &Record) -> Result<(), Fault> {
    if record.text("BillableStatus") == Some("HasBeenBilled") {
        return Err(Fault::business(
            "BillableStatus",
            "This time activity is linked to an invoice and can't be changed.",
        ));
    }
    Ok(())
}

/// Who worked. The trap: an id of another list's name is taken in silence and comes back as
/// `NameOf: Other` with that name.
fn who(state: &State, fields: &mut Fields, old: Option<&Record>) -> Result<(), Fault> {
    let name_of = match fields.get("NameOf").and_then(Value::as_str) {
        Some(name_of) => name_of.to_owned(),
        None => return Err(Fault::missing("NameOf")),
    };
    let (kind, field) = match name_of.as_str() {
        "Employee" => (Kind::Employee, "EmployeeRef"),
        "Vendor" => (Kind::Vendor, "VendorRef"),
        // Only an answer says `Other`; such an activity stays what it is when it is sent back.
        _ if old.is_some_and(|old| old.text("NameOf") == Some("Other")) => return Ok(()),
        other => return Err(Fault::bad_enumeration("NameOf", other)),
    };
    let id = id_of(fields, field).ok_or_else(|| Fault::missing(field))?.to_owned();
    for other in ["EmployeeRef", "VendorRef", "OtherNameRef"] {
        if other != field {
            fields.remove(other);
        }
    }
    if state.table(kind).get(&id).is_some() {
        references::active(state, kind, fields, field)?;
        return Ok(());
    }
    let elsewhere = [Kind::Employee, Kind::Vendor, Kind::Customer]
        .into_iter()
        .any(|kind| state.table(kind).get(&id).is_some());
    if !elsewhere {
        return Err(references::unknown(kind, field, &id));
    }
    fields.remove(field);
    fields.insert("NameOf".into(), json!("Other"));
    fields.insert("OtherNameRef".into(), json!({ "value": id }));
    Ok(())
}

/// Hours and minutes, or start and end with a break.
fn duration(state: &State, fields: &mut Fields, date: &str) -> Result<(), Fault> {
    for (field, max) in [
        ("Hours", MAX_HOURS),
        ("Minutes", 59),
        ("Seconds", 59),
        ("BreakHours", 23),
        ("BreakMinutes", 59),
        ("BreakSeconds", 59),
    ] {
        if let Some(value) = fields.get(field) {
            let number = decimal_of(value).unwrap_or(Decimal::MAX);
            if number < Decimal::ZERO || number > Decimal::from(max) {
                return Err(Fault::out_of_range(field, &number.to_string()));
            }
        }
    }
    let has = |field: &str| fields.contains_key(field);
    match (has("StartTime"), has("EndTime")) {
        (true, true) => {
            for field in ["StartTime", "EndTime"] {
                let sent = fields.get(field).and_then(Value::as_str).unwrap_or("").to_owned();
                let kept = clock_time(state, fields, &sent, date)
                    .ok_or_else(|| Fault::bad_property(field))?;
                fields.insert(field.into(), json!(kept));
            }
            // Both sent: the clock wins. Not known of the real service.
            for field in ["Hours", "Minutes", "Seconds"] {
                fields.remove(field);
            }
        }
        (true, false) => return Err(Fault::missing("EndTime")),
        (false, true) => return Err(Fault::missing("StartTime")),
        (false, false) => {
            if has("BreakHours") || has("BreakMinutes") || has("BreakSeconds") {
                return Err(Fault::business(
                    "BreakHours",
                    "A break needs a start time and an end time.",
                ));
            }
            if !has("Hours") && !has("Minutes") {
                return Err(Fault::missing("Hours"));
            }
            fields.entry("Hours").or_insert_with(|| json!(0));
            fields.entry("Minutes").or_insert_with(|| json!(0));
        }
    }
    Ok(())
}

/// The trap of StartTime and EndTime: a date in them is ignored and the time of day is turned into
/// the company's offset (recorded: 08:00-08:00 came back as 09:00-07:00).
fn clock_time(state: &State, fields: &Fields, sent: &str, date: &str) -> Option<String> {
    let day: Date = date.parse().ok()?;
    let (time, offset) = read_time(sent)?;
    let local = day.to_datetime(time);
    // `HoursInEmployeeTimeZone` says that the times carry the right offset already.
    let own = fields.get("HoursInEmployeeTimeZone") == Some(&Value::Bool(true));
    let shown = match offset {
        Some(offset) => {
            let at = local.to_zoned(TimeZone::fixed(offset)).ok()?;
            if own { at } else { at.with_time_zone(state.zone.clone()) }
        }
        None => local.to_zoned(state.zone.clone()).ok()?,
    };
    Some(shown.strftime("%H:%M:%S%:z").to_string())
}

/// `08:00:00-08:00`, `08:00`, or the same after a date.
fn read_time(text: &str) -> Option<(Time, Option<Offset>)> {
    let text = text.trim();
    let dated = if text.contains('T') { text.to_owned() } else { format!("2000-01-01T{text}") };
    let pieces = Pieces::parse(dated.as_str()).ok()?;
    Some((pieces.time()?, pieces.to_numeric_offset()))
}

/// Customer, project, item, class and department: there, active, and allowed by the preferences.
fn references(state: &State, fields: &mut Fields) -> Result<(), Fault> {
    references::active(state, Kind::Customer, fields, "CustomerRef")?;
    references::project(state, fields)?;
    if !fields.contains_key("ItemRef")
        && let Some(item) = &state.profile.default_time_item
        && state.table(Kind::Item).get(item.as_str()).is_some_and(Record::is_active)
    {
        fields.insert("ItemRef".into(), json!({ "value": item }));
    }
    if let Some(item) = references::active(state, Kind::Item, fields, "ItemRef")?
        && item.text("Type") != Some("Service")
    {
        return Err(Fault::business("ItemRef", "The item of a time activity must be a service."));
    }
    references::class(state, fields)?;
    references::department(state, fields)
}

/// Billable time needs a customer and a rate; `HasBeenBilled` follows from an invoice alone.
fn billing(state: &State, fields: &mut Fields) -> Result<(), Fault> {
    for field in ["HourlyRate", "CostRate"] {
        if let Some(rate) = fields.get(field).and_then(decimal_of)
            && rate < Decimal::ZERO
        {
            return Err(Fault::out_of_range(field, &rate.to_string()));
        }
    }
    let complete = fields.contains_key("CustomerRef") && fields.contains_key("HourlyRate");
    let status = match fields.get("BillableStatus").and_then(Value::as_str) {
        Some(status) => status.to_owned(),
        None if state.profile.mark_time_billable && complete => "Billable".to_owned(),
        None => "NotBillable".to_owned(),
    };
    match status.as_str() {
        "HasBeenBilled" => {
            return Err(Fault::business(
                "BillableStatus",
                "HasBeenBilled can't be set; it follows from an invoice.",
            ));
        }
        "Billable" if !fields.contains_key("CustomerRef") => {
            return Err(Fault::business("CustomerRef", "Billable time needs a customer."));
        }
        "Billable" if !fields.contains_key("HourlyRate") => {
            return Err(Fault::business("HourlyRate", "Billable time needs an hourly rate."));
        }
        _ => {}
    }
    fields.insert("BillableStatus".into(), json!(status));
    Ok(())
}
