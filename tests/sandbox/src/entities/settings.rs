//! CompanyInfo and Preferences, written.
//!
//! Neither is created or deleted. What the sandbox's own rules go by (names, tracking, the closing
//! date) changes the company's profile; the rest is only kept and answered.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{
    Circumstances, Singleton,
    references::id_of,
    schema::{self, text_of},
    singletons::lay_over,
};
use crate::{
    fault::Fault,
    ids::EntityId,
    store::{State, Written},
};

type Fields = Map<String, Value>;

/// Fields of CompanyInfo that can be written beside those of the profile (API reference); the
/// others are ignored in silence.
const COMPANY_INFO: [&str; 9] = [
    "LegalAddr",
    "CustomerCommunicationAddr",
    "CustomerCommunicationEmailAddr",
    "CompanyEmailAddr",
    "PrimaryPhone",
    "Mobile",
    "Fax",
    "WebAddr",
    "FiscalYearStartMonth",
];

/// Parts of Preferences, or single fields of a part, that cannot be written (API reference).
const READ_ONLY_PREFERENCES: [(&str, &[&str]); 5] = [
    ("AccountingInfoPrefs", &["FirstMonthOfFiscalYear", "TaxYearMonth", "UseAccountNumbers"]),
    ("ReportPrefs", &["CalcAgingReportFromTxnDate"]),
    ("TimeTrackingPrefs", &["TimeTrackingEnabled"]),
    ("CurrencyPrefs", &["MultiCurrencyEnabled", "HomeCurrency"]),
    ("OtherPrefs", &["NameValue"]),
];

/// Carries out one update and answers what there is now.
pub(crate) fn update(
    state: &mut State,
    singleton: Singleton,
    body: &Fields,
    circumstances: Circumstances,
) -> Result<Fields, Fault> {
    state.profile.status.takes_writes()?;
    let body = schema::read_body(singleton.name(), body, circumstances.unknown_fields)?;
    let old = singleton.wire(state);
    current(&old, &body)?;
    match singleton {
        Singleton::CompanyInfo => company_info(state, &old, &body, circumstances.now)?,
        Singleton::Preferences => preferences(state, body, circumstances.now),
    }
    state.settings_changed(singleton.name(), circumstances.now);
    Ok(singleton.wire(state))
}

/// Refuses an update of something else, or of an older state.
fn current(old: &Fields, body: &Fields) -> Result<(), Fault> {
    let same = |field: &str| match body.get(field).and_then(text_of) {
        Some(sent) => Ok(old.get(field).and_then(Value::as_str) == Some(&sent)),
        None => Err(Fault::missing(field)),
    };
    if !same("Id")? {
        return Err(Fault::not_found());
    }
    if same("SyncToken")? { Ok(()) } else { Err(Fault::stale()) }
}

/// A full update nulls the writable fields it leaves out; a sparse one changes only what it sends.
fn company_info(
    state: &mut State,
    old: &Fields,
    body: &Fields,
    now: Timestamp,
) -> Result<(), Fault> {
    let sparse = body.get("sparse") == Some(&Value::Bool(true));
    let value = |field: &str| match body.get(field) {
        Some(sent) => Some(sent).filter(|sent| !sent.is_null()).cloned(),
        None if sparse => old.get(field).cloned(),
        None => None,
    };
    let text = |field: &str| value(field).as_ref().and_then(text_of);
    let name = text("CompanyName").ok_or_else(|| Fault::missing("CompanyName"))?;
    let kept = COMPANY_INFO
        .map(|field| (field.to_owned(), value(field).unwrap_or(Value::Null)))
        .into_iter()
        .collect();
    let email = value("Email").and_then(|email| email.get("Address").and_then(text_of));

    let profile = &mut state.profile;
    profile.company_name = name;
    profile.legal_name = text("LegalName");
    profile.email = email;
    profile.address = value("CompanyAddr");
    profile.company_info.fields = kept;
    written(&mut profile.company_info, now);
    Ok(())
}

/// What is sent of a part changes that part; what is left out stays, in a full update too.
fn preferences(state: &mut State, body: Fields, now: Timestamp) {
    let profile = &mut state.profile;
    let mut sent: Fields = body
        .into_iter()
        .filter(|(name, part)| name.ends_with("Prefs") && part.is_object())
        .collect();
    for (part, fields) in READ_ONLY_PREFERENCES {
        for field in fields {
            take(&mut sent, part, field);
        }
    }
    let mut flag = |part: &str, field: &str, slot: &mut bool| {
        if let Some(Value::Bool(value)) = take(&mut sent, part, field) {
            *slot = value;
        }
    };
    flag("AccountingInfoPrefs", "TrackDepartments", &mut profile.track_departments);
    flag("AccountingInfoPrefs", "ClassTrackingPerTxnLine", &mut profile.class_tracking);
    flag("AccountingInfoPrefs", "ClassTrackingPerTxn", &mut profile.class_tracking);
    flag("SalesFormsPrefs", "CustomTxnNumbers", &mut profile.custom_txn_numbers);
    flag("TimeTrackingPrefs", "MarkTimeEntriesBillable", &mut profile.mark_time_billable);
    if let Some(Value::String(date)) = take(&mut sent, "AccountingInfoPrefs", "BookCloseDate") {
        profile.book_close_date = date.parse().ok();
    }
    if let Some(Value::Object(time)) = sent.get_mut("TimeTrackingPrefs") {
        if let Some(item) = id_of(time, "DefaultTimeItem") {
            profile.default_time_item = Some(EntityId::from(item));
        }
        time.remove("DefaultTimeItem");
    }
    lay_over(&mut profile.preferences.fields, &sent);
    written(&mut profile.preferences, now);
}

/// Takes a field out of a part.
fn take(parts: &mut Fields, part: &str, field: &str) -> Option<Value> {
    parts.get_mut(part)?.as_object_mut()?.remove(field)
}

fn written(written: &mut Written, now: Timestamp) {
    written.sync_token += 1;
    written.updated = Some(now);
}
