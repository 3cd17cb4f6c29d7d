//! How a company's entities look from outside.

use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Map, Value, json};

use super::{Record, State};
use crate::entities::Kind;

impl State {
    /// An entity as answers show it: references with today's names, MetaData in the company's
    /// offset.
    pub(crate) fn wire(&self, kind: Kind, record: &Record) -> Map<String, Value> {
        let mut out = record.fields.clone();
        self.name_references(kind, &mut out);
        out.insert("Id".into(), json!(record.id));
        out.insert("SyncToken".into(), json!(record.sync_token.to_string()));
        out.insert("domain".into(), json!("QBO"));
        out.insert("sparse".into(), json!(false));
        out.insert(
            "MetaData".into(),
            json!({
                "CreateTime": wire_second(record.created, &self.zone),
                "LastUpdatedTime": wire_second(record.updated, &self.zone),
            }),
        );
        out
    }

    /// Gives every reference today's name, in lines too.
    fn name_references(&self, kind: Kind, fields: &mut Map<String, Value>) {
        for (field, value) in fields {
            match value {
                Value::Array(items) => {
                    for item in items.iter_mut().filter_map(Value::as_object_mut) {
                        self.name_references(kind, item);
                    }
                }
                Value::Object(inner) => match self.today_name(kind, field, inner) {
                    Some(name) => {
                        inner.insert("name".into(), json!(name));
                    }
                    None => self.name_references(kind, inner),
                },
                _ => {}
            }
        }
    }

    fn today_name(&self, kind: Kind, field: &str, reference: &Map<String, Value>) -> Option<&str> {
        let id = reference.get("value")?.as_str()?;
        if field == "CurrencyRef" {
            return (id == "USD").then_some("United States Dollar");
        }
        let own = (field == "ParentRef").then_some(&kind);
        reference_target(field)?.iter().chain(own).find_map(|target| {
            let record = self.table(*target).get(id)?;
            record.text("FullyQualifiedName").or_else(|| record.text(target.name_field()))
        })
    }
}

/// The lists that a reference field can point into. `TaxCodeRef` is left out: QuickBooks shows no
/// name beside the TAX and NON of a United States company.
pub(crate) fn reference_target(field: &str) -> Option<&'static [Kind]> {
    Some(match field {
        "EmployeeRef" => &[Kind::Employee],
        "VendorRef" | "PrefVendorRef" => &[Kind::Vendor],
        "OtherNameRef" => &[Kind::Customer, Kind::Vendor, Kind::Employee],
        "CustomerRef" | "ProjectRef" | "RootCustomerRef" => &[Kind::Customer],
        "ItemRef" | "GroupItemRef" => &[Kind::Item],
        "SalesTermRef" | "TermRef" => &[Kind::Term],
        "IncomeAccountRef"
        | "ExpenseAccountRef"
        | "AssetAccountRef"
        | "COGSAccountRef"
        | "DepositToAccountRef"
        | "ARAccountRef"
        | "ItemAccountRef"
        | "DiscountAccountRef"
        | "MarkUpIncomeAccountRef" => &[Kind::Account],
        "ClassRef" => &[Kind::Class],
        "DepartmentRef" => &[Kind::Department],
        "ParentRef" => &[],
        _ => return None,
    })
}

/// An instant of MetaData, with the company's offset.
pub(crate) fn wire_second(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}
