//! The typed answers. Fields that are not known are ignored: Intuit adds fields without a new minor
//! version.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::entity::Entity;

/// What is used of CompanyInfo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompanyInfo {
    /// The name that the company goes by in QuickBooks.
    pub company_name: String,
    /// The legal name, where it is set.
    pub legal_name: Option<String>,
    /// The country, as Intuit spells it (`US`, since 2025-10-31 also `USA` in addresses).
    pub country: Option<String>,
    /// The company's time zone, where QuickBooks tells: `DefaultTimeZone`, or an entry of `NameValue`
    /// of that meaning. Not checked to be an IANA name.
    pub time_zone: Option<String>,
}

impl CompanyInfo {
    /// Reads the entity; `None` if it has no company name.
    pub fn of(entity: &Value) -> Option<Self> {
        let text = |name: &str| text(entity.get(name));
        Some(Self {
            company_name: text("CompanyName")?,
            legal_name: text("LegalName"),
            country: text("Country"),
            time_zone: text("DefaultTimeZone")
                .or_else(|| name_value(entity, "DefaultTimeZone"))
                .or_else(|| name_value(entity, "TimeZone")),
        })
    }
}

/// The company's Preferences, whole, with names for what is asked of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Preferences(Value);

impl Preferences {
    /// Wraps the entity.
    pub fn of(entity: Value) -> Self {
        Self(entity)
    }

    /// The entity as QuickBooks gave it.
    pub fn value(&self) -> &Value {
        &self.0
    }

    /// Whether a transaction can carry one class: `ClassRef` is refused otherwise.
    pub fn class_tracking_per_txn(&self) -> bool {
        self.flag("/AccountingInfoPrefs/ClassTrackingPerTxn").unwrap_or(false)
    }

    /// Whether each line of a transaction can carry a class.
    pub fn class_tracking_per_txn_line(&self) -> bool {
        self.flag("/AccountingInfoPrefs/ClassTrackingPerTxnLine").unwrap_or(false)
    }

    /// Whether departments (locations) are tracked: `DepartmentRef` is refused otherwise.
    pub fn department_tracking(&self) -> bool {
        self.flag("/AccountingInfoPrefs/TrackDepartments").unwrap_or(false)
    }

    /// Whether the company can take time. Only a clear no counts as one: a company that says nothing
    /// is asked by the first write (5020, 5030).
    pub fn time_tracking_enabled(&self) -> bool {
        self.flag("/TimeTrackingPrefs/TimeTrackingEnabled")
            .or_else(|| self.named("TimeTrackingFeatureEnabled"))
            .unwrap_or(true)
    }

    /// Whether projects are switched on.
    pub fn projects_enabled(&self) -> bool {
        self.named("ProjectsEnabled").unwrap_or(false)
    }

    fn named(&self, name: &str) -> Option<bool> {
        name_value(self.0.get("OtherPrefs")?, name).and_then(|value| boolean(&value))
    }

    fn flag(&self, pointer: &str) -> Option<bool> {
        match self.0.pointer(pointer)? {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) => boolean(text),
            _ => None,
        }
    }
}

/// One page of a query.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct QueryPage {
    /// The entities, in QuickBooks' order; empty for a count.
    pub entities: Vec<Value>,
    /// The number that `SELECT COUNT(*)` asked for, and whatever else gives a `totalCount`.
    pub total_count: Option<u64>,
}

impl QueryPage {
    /// Reads a query's answer; `None` if it has no `QueryResponse`. An empty result is an empty
    /// object.
    pub fn of(mut answer: Value) -> Option<Self> {
        let Value::Object(mut response) = answer.get_mut("QueryResponse")?.take() else {
            return None;
        };
        let total_count = response.get("totalCount").and_then(Value::as_u64);
        let entities = Entity::ALL
            .into_iter()
            .find_map(|entity| response.remove(entity.name()))
            .or_else(|| response.into_iter().map(|(_, value)| value).find(Value::is_array));
        let entities = match entities {
            Some(Value::Array(entities)) => entities,
            Some(_) => return None,
            None => Vec::new(),
        };
        Some(Self { entities, total_count })
    }
}

fn text(value: Option<&Value>) -> Option<String> {
    value.and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn name_value(entity: &Value, name: &str) -> Option<String> {
    let pairs = entity.get("NameValue")?.as_array()?;
    let is_it = |pair: &&Value| {
        pair.get("Name").and_then(Value::as_str).is_some_and(|it| it.eq_ignore_ascii_case(name))
    };
    text(pairs.iter().find(is_it)?.get("Value"))
}

fn boolean(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn company_info_needs_a_name_and_nothing_else() {
        let info = CompanyInfo::of(&json!({"CompanyName": " Rocky Ridge ", "LegalName": ""}));
        let info = info.unwrap();
        assert_eq!(info.company_name, "Rocky Ridge");
        assert_eq!((info.legal_name, info.country, info.time_zone), (None, None, None));
        assert_eq!(CompanyInfo::of(&json!({"LegalName": "x"})), None);
    }

    #[test]
    fn the_time_zone_is_found_in_either_place() {
        let field = json!({"CompanyName": "x", "DefaultTimeZone": "America/Denver"});
        let pair = json!({"CompanyName": "x",
            "NameValue": [{"Name": "timezone", "Value": "America/Denver"}]});
        for entity in [field, pair] {
            let zone = CompanyInfo::of(&entity).unwrap().time_zone;
            assert_eq!(zone.as_deref(), Some("America/Denver"));
        }
    }

    #[test]
    fn preferences_are_read_from_booleans_and_from_text() {
        let none = Preferences::of(json!({}));
        assert!(!none.class_tracking_per_txn() && !none.projects_enabled());
        assert!(none.time_tracking_enabled(), "only a clear no counts");
        let set = Preferences::of(json!({
            "AccountingInfoPrefs": {"ClassTrackingPerTxn": true, "TrackDepartments": "true"},
            "OtherPrefs": {"NameValue": [
                {"Name": "TimeTrackingFeatureEnabled", "Value": "false"},
                {"Name": "ProjectsEnabled", "Value": "true"}]}
        }));
        assert!(set.class_tracking_per_txn() && set.department_tracking());
        assert!(set.projects_enabled() && !set.time_tracking_enabled());
        let direct = Preferences::of(json!({"TimeTrackingPrefs": {"TimeTrackingEnabled": false}}));
        assert!(!direct.time_tracking_enabled());
    }

    #[test]
    fn a_page_is_read_full_empty_and_counted() {
        let page = QueryPage::of(json!({"QueryResponse":
            {"Employee": [{"Id": "1"}], "startPosition": 1, "maxResults": 1}, "time": "t"}));
        assert_eq!(page.unwrap().entities, [json!({"Id": "1"})]);
        let empty = QueryPage::of(json!({"QueryResponse": {}})).unwrap();
        assert_eq!(empty, QueryPage::default());
        let count = QueryPage::of(json!({"QueryResponse": {"totalCount": 2500}})).unwrap();
        assert_eq!((count.entities.len(), count.total_count), (0, Some(2500)));
        let other = QueryPage::of(json!({"QueryResponse": {"Bill": [{"Id": "7"}]}})).unwrap();
        assert_eq!(other.entities.len(), 1);
        assert_eq!(QueryPage::of(json!({"TimeActivity": {}})), None);
        assert_eq!(QueryPage::of(json!({"QueryResponse": []})), None);
    }
}
