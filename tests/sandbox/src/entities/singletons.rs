//! CompanyInfo and Preferences, made from the company's profile.

use jiff::{Timestamp, civil::Time};
use serde_json::{Map, Value, json};

use crate::store::State;

/// `CompanyInfo`: there is one, and its Id is always 1.
pub(crate) fn company_info(state: &State) -> Map<String, Value> {
    let profile = &state.profile;
    let address = profile.address.clone().unwrap_or_else(|| json!({ "Country": profile.country }));
    let email = profile.email.as_ref().map(|email| json!({ "Address": email }));
    let mut out = envelope(state);
    out.extend(object(json!({
        "CompanyName": profile.company_name,
        "LegalName": profile.legal_name.as_ref().unwrap_or(&profile.company_name),
        "CompanyAddr": address,
        "CustomerCommunicationAddr": address,
        "LegalAddr": address,
        "CompanyStartDate": profile.company_start_date,
        "FiscalYearStartMonth": "January",
        "Country": profile.country,
        "Email": email,
        "WebAddr": {},
        "SupportedLanguages": "en",
        "DefaultTimeZone": profile.time_zone,
        "NameValue": [
            { "Name": "OfferingSku", "Value": "QuickBooks Online Plus" },
            { "Name": "SubscriptionStatus", "Value": "PAID" },
        ],
    })));
    out.retain(|_, value| !value.is_null());
    out
}

/// `Preferences`: the parts that time tracking reads.
pub(crate) fn preferences(state: &State) -> Map<String, Value> {
    let profile = &state.profile;
    let mut time = object(json!({
        "UseServices": true,
        "BillCustomers": true,
        "ShowBillRateToAll": false,
        "WorkWeekStartDate": "Monday",
        "TimeTrackingEnabled": profile.time_tracking,
        "MarkTimeEntriesBillable": profile.mark_time_billable,
    }));
    if let Some(item) = &profile.default_time_item {
        time.insert("DefaultTimeItem".into(), json!({ "value": item }));
    }
    let mut accounting = object(json!({
        "TrackDepartments": profile.track_departments,
        "DepartmentTerminology": "Location",
        "ClassTrackingPerTxn": profile.class_tracking,
        "ClassTrackingPerTxnLine": profile.class_tracking,
        "FirstMonthOfFiscalYear": "January",
        "TaxYearMonth": "January",
        "CustomerTerminology": "Customers",
    }));
    if let Some(date) = profile.book_close_date {
        accounting.insert("BookCloseDate".into(), json!(date));
    }
    let mut out = envelope(state);
    out.extend(object(json!({
        "AccountingInfoPrefs": accounting,
        "ProductAndServicesPrefs": { "ForSales": true, "ForPurchase": true },
        "TimeTrackingPrefs": time,
        "CurrencyPrefs": {
            "MultiCurrencyEnabled": false,
            "HomeCurrency": { "value": "USD" },
        },
        "OtherPrefs": { "NameValue": [
            { "Name": "ProjectsEnabled", "Value": profile.projects_enabled.to_string() },
            { "Name": "TimeTrackingFeatureEnabled", "Value": profile.time_tracking.to_string() },
        ] },
    })));
    out
}

fn envelope(state: &State) -> Map<String, Value> {
    let created = state
        .profile
        .company_start_date
        .and_then(|date| date.to_datetime(Time::midnight()).to_zoned(state.zone.clone()).ok())
        .map_or(Timestamp::UNIX_EPOCH, |zoned| zoned.timestamp());
    let time = crate::fault::wire_instant(created, &state.zone);
    object(json!({
        "Id": "1",
        "SyncToken": "0",
        "domain": "QBO",
        "sparse": false,
        "MetaData": { "CreateTime": time, "LastUpdatedTime": time },
    }))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
