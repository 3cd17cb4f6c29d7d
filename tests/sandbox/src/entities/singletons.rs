//! CompanyInfo and Preferences, made from the company's profile and what was written of them.

use jiff::{Timestamp, civil::Time};
use serde_json::{Map, Value, json};

use crate::store::{State, Written};

/// What a company has exactly one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Singleton {
    CompanyInfo,
    Preferences,
}

impl Singleton {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::CompanyInfo => "CompanyInfo",
            Self::Preferences => "Preferences",
        }
    }

    /// By name, in any case, as in paths.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::CompanyInfo, Self::Preferences]
            .into_iter()
            .find(|singleton| singleton.name().eq_ignore_ascii_case(name))
    }

    /// As answers show it.
    pub(crate) fn wire(self, state: &State) -> Map<String, Value> {
        match self {
            Self::CompanyInfo => company_info(state),
            Self::Preferences => preferences(state),
        }
    }
}

/// `CompanyInfo`: there is one, and its Id is always 1.
pub(crate) fn company_info(state: &State) -> Map<String, Value> {
    let profile = &state.profile;
    let address = profile.address.clone().unwrap_or_else(|| json!({ "Country": profile.country }));
    let email = profile.email.as_ref().map(|email| json!({ "Address": email }));
    let mut out = envelope(state, &profile.company_info);
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
            { "Name": "SubscriptionStatus", "Value": profile.status.subscription() },
        ],
    })));
    lay_over(&mut out, &profile.company_info.fields);
    out.retain(|_, value| !value.is_null());
    out
}

/// `Preferences`: the parts that apps read; which parts there are is recorded by public clients.
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
    let mail = |what: &str| {
        json!({
            "Subject": format!("{what} from {}", profile.company_name),
            "Message": format!("Your {} is attached.", what.to_lowercase()),
        })
    };
    let mut out = envelope(state, &profile.preferences);
    out.extend(object(json!({
        "AccountingInfoPrefs": accounting,
        "ProductAndServicesPrefs": { "ForSales": true, "ForPurchase": true },
        "SalesFormsPrefs": {
            "CustomTxnNumbers": profile.custom_txn_numbers,
            "UsingProgressInvoicing": false,
            "AllowDeposit": true,
            "AllowDiscount": true,
            "AllowEstimates": true,
            "AllowServiceDate": true,
            "DefaultTerms": { "value": "3" },
            "AllowShipping": false,
            "AutoApplyCredit": false,
        },
        "EmailMessagesPrefs": {
            "InvoiceMessage": mail("Invoice"),
            "EstimateMessage": mail("Estimate"),
            "SalesReceiptMessage": mail("Sales receipt"),
            "StatementMessage": mail("Statement"),
        },
        "VendorAndPurchasesPrefs": {
            "EnableBills": true,
            "TrackingByCustomer": true,
            "BillableExpenseTracking": true,
        },
        "TaxPrefs": { "UsingSalesTax": true, "PartnerTaxEnabled": true },
        "ReportPrefs": { "ReportBasis": "Accrual", "CalcAgingReportFromTxnDate": false },
        "TimeTrackingPrefs": time,
        "CurrencyPrefs": {
            "MultiCurrencyEnabled": false,
            "HomeCurrency": { "value": "USD" },
        },
        "OtherPrefs": { "NameValue": [
            {
                "Name": "SalesFormsPrefs.DefaultCustomerMessage",
                "Value": "Thank you for your business.",
            },
            { "Name": "ProjectsEnabled", "Value": profile.projects_enabled.to_string() },
            { "Name": "TimeTrackingFeatureEnabled", "Value": profile.time_tracking.to_string() },
        ] },
    })));
    lay_over(&mut out, &profile.preferences.fields);
    out
}

/// Puts what was written over what there is, part by part.
pub(super) fn lay_over(out: &mut Map<String, Value>, written: &Map<String, Value>) {
    for (name, value) in written {
        match (out.get_mut(name), value) {
            (Some(Value::Object(part)), Value::Object(written)) if name.ends_with("Prefs") => {
                part.extend(written.clone());
            }
            _ => {
                out.insert(name.clone(), value.clone());
            }
        }
    }
}

fn envelope(state: &State, written: &Written) -> Map<String, Value> {
    let created = state
        .profile
        .company_start_date
        .and_then(|date| date.to_datetime(Time::midnight()).to_zoned(state.zone.clone()).ok())
        .map_or(Timestamp::UNIX_EPOCH, |zoned| zoned.timestamp());
    let time = |at| crate::fault::wire_instant(at, &state.zone);
    object(json!({
        "Id": "1",
        "SyncToken": written.sync_token.to_string(),
        "domain": "QBO",
        "sparse": false,
        "MetaData": {
            "CreateTime": time(created),
            "LastUpdatedTime": time(written.updated.unwrap_or(created)),
        },
    }))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
