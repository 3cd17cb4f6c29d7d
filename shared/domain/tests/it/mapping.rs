//! What may be saved as a mapping.

use domain::{CostCodeTarget, Mapping, TimeFormat};
use serde_json::{Value, json};

use crate::support::codes;

fn refused(mapping: &Value) -> Vec<String> {
    codes(&Mapping::from_json(mapping).unwrap_err())
}

#[test]
fn a_mapping_is_read_under_its_own_names() {
    let sent = json!({
        "employeeMapping": [{"crewflowWorkerId": "w-1", "qboEmployeeId": "55"}],
        "customerMapping": [{"crewflowProjectId": "p-1", "qboCustomerId": "21"}],
        "costCodeMapping": [{"crewflowCostCodeId": "c-1", "qboClassId": "500"}],
        "costCodeTarget": "class",
        "timeFormat": "startEnd",
        "marker": false,
    });
    let mapping = Mapping::from_json(&sent).unwrap();
    assert_eq!(mapping.employee(&"w-1".parse().unwrap()).unwrap().as_str(), "55");
    assert_eq!(mapping.customer(&"p-1".parse().unwrap()).unwrap().as_str(), "21");
    assert!(mapping.employee(&"w-2".parse().unwrap()).is_none());
    assert!(mapping.customer(&"p-2".parse().unwrap()).is_none());
    let row = mapping.cost_code(&"c-1".parse().unwrap()).unwrap();
    assert_eq!(
        (row.qbo_service_item_id.as_ref(), row.qbo_class_id.as_ref().unwrap().as_str()),
        (None, "500")
    );
    assert_eq!(
        (mapping.cost_code_target, mapping.time_format),
        (CostCodeTarget::Class, TimeFormat::StartEnd)
    );
    assert!(!mapping.marker);

    let answered = serde_json::to_value(&mapping).unwrap();
    for (field, value) in sent.as_object().unwrap() {
        assert_eq!(&answered[field], value);
    }
    assert_eq!(Mapping::from_json(&answered).unwrap(), mapping);
    assert_eq!(serde_json::from_value::<Mapping>(answered).unwrap(), mapping);
}

#[test]
fn absent_parts_take_their_defaults() {
    let mapping = Mapping::from_json(&json!({})).unwrap();
    assert_eq!(mapping, Mapping::default());
    assert_eq!((mapping.profile.as_str(), mapping.marker, mapping.version), ("default", true, 0));
    assert_eq!(
        (mapping.cost_code_target, mapping.time_format),
        (CostCodeTarget::ServiceItem, TimeFormat::Duration)
    );
}

#[test]
fn one_worker_project_or_cost_code_is_mapped_once() {
    let problems = Mapping::from_json(&json!({
        "employeeMapping": [
            {"crewflowWorkerId": "w-1", "qboEmployeeId": "55"},
            {"crewflowWorkerId": "w-2", "qboEmployeeId": "55"},
            {"crewflowWorkerId": "w-1", "qboEmployeeId": "56"},
        ],
        "customerMapping": [
            {"crewflowProjectId": "p-1", "qboCustomerId": "21"},
            {"crewflowProjectId": "p-1", "qboCustomerId": "21"},
        ],
        "costCodeMapping": [
            {"crewflowCostCodeId": "c-1", "qboServiceItemId": "3"},
            {"crewflowCostCodeId": "c-1", "qboServiceItemId": "4"},
        ],
    }))
    .unwrap_err();
    assert_eq!(
        codes(&problems),
        [
            "employeeMapping[2].crewflowWorkerId: duplicate",
            "customerMapping[1].crewflowProjectId: duplicate",
            "costCodeMapping[1].crewflowCostCodeId: duplicate",
        ]
    );
    assert!(problems[0].message.contains("row 2") && problems[0].message.contains("row 0"));
}

#[test]
fn every_wrong_row_is_named() {
    let mapping = json!({
        "employeeMapping": [
            {"crewflowWorkerId": "w-1"},
            {"qboEmployeeId": "55"},
            "w-2",
            {"crewflowWorkerId": 3, "qboEmployeeId": 55},
            {"crewflowWorkerId": "", "qboEmployeeId": "5 5"},
            null,
        ],
        "customerMapping": {"p-1": "21"},
        "costCodeMapping": [{"crewflowCostCodeId": "c-1", "qboServiceItemId": null}],
    });
    assert_eq!(
        refused(&mapping),
        [
            "employeeMapping[0].qboEmployeeId: missing",
            "employeeMapping[1].crewflowWorkerId: missing",
            "employeeMapping[2]: wrong-type",
            "employeeMapping[3].crewflowWorkerId: wrong-type",
            "employeeMapping[3].qboEmployeeId: wrong-type",
            "employeeMapping[4].crewflowWorkerId: invalid-id",
            "employeeMapping[4].qboEmployeeId: invalid-id",
            "employeeMapping[5]: wrong-type",
            "customerMapping: wrong-type",
            "costCodeMapping[0].qboServiceItemId: missing",
        ]
    );
}

#[test]
fn a_row_has_what_cost_codes_become() {
    let row = json!([{"crewflowCostCodeId": "c-1", "qboServiceItemId": "3"}]);
    assert!(Mapping::from_json(&json!({"costCodeMapping": row})).is_ok());
    assert_eq!(
        refused(&json!({"costCodeMapping": row, "costCodeTarget": "class"})),
        ["costCodeMapping[0].qboClassId: missing"]
    );
}

#[test]
fn a_misspelt_list_is_refused() {
    let problems = Mapping::from_json(&json!({"employeesMapping": []})).unwrap_err();
    assert_eq!(codes(&problems), ["employeesMapping: unknown-field"]);
    assert!(problems[0].fix.contains("employeeMapping"));
}

#[test]
fn choices_are_of_their_lists() {
    assert_eq!(
        refused(
            &json!({"costCodeTarget": "Item", "timeFormat": 1, "marker": "no", "profile": " "})
        ),
        [
            "costCodeTarget: unknown-choice",
            "profile: invalid-name",
            "timeFormat: wrong-type",
            "marker: wrong-type",
        ]
    );
}

#[test]
fn only_an_object_is_a_mapping() {
    assert_eq!(refused(&json!([])), ["mapping: wrong-type"]);
}

#[test]
fn a_mapping_of_a_newer_version_is_read() {
    let stored = r#"{"profile":"winter","fields":{},"version":4}"#;
    let mapping: Mapping = serde_json::from_str(stored).unwrap();
    assert_eq!((mapping.profile.as_str(), mapping.version, mapping.marker), ("winter", 4, true));
}
