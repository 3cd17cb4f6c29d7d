//! A deleted company's data: no table is forgotten, and what cannot be erased at once ends within 30 days
//! (C11).

use serde_json::Value;

use crate::files;

/// Tables that the erasure leaves, and why.
const LEFT: [(&str, &str); 1] = [("OAuthStates", "its rows end by themselves within a day")];

#[test]
fn company_erasure_may_delete_from_every_table_but_those_with_a_reason() {
    let template = files::yaml("template.yaml");
    let resources = template["Resources"].as_object().unwrap();
    let policies = &resources["CompanyErasure"]["Properties"]["Policies"][0]["Statement"];
    let deletes = |table: &str| {
        policies.as_array().unwrap().iter().any(|statement| {
            let actions = statement["Action"].to_string();
            let deletes = actions.contains("DeleteItem") || actions.contains("BatchWriteItem");
            let of = match &statement["Resource"] {
                Value::Array(all) => all.clone(),
                one => vec![one.clone()],
            };
            deletes && of.iter().any(|of| of.to_string().contains(&format!("{table}.Arn")))
        })
    };
    for (name, resource) in resources {
        if resource["Type"] != "AWS::DynamoDB::Table" {
            continue;
        }
        let left = LEFT.iter().any(|(table, _)| table == name);
        assert!(deletes(name) != left, "{name}: is it a deleted company's data?");
    }
}

/// Days that C11 gives for all of it.
const DAYS: u64 = 30;

#[test]
fn what_cannot_be_erased_at_once_ends_within_30_days() {
    let template = files::yaml("template.yaml");
    for (name, resource) in template["Resources"].as_object().unwrap() {
        let properties = &resource["Properties"];
        match resource["Type"].as_str().unwrap() {
            "AWS::DynamoDB::Table" => {
                let recovery = &properties["PointInTimeRecoverySpecification"];
                if recovery["PointInTimeRecoveryEnabled"] == true {
                    // Left out, it would be 35.
                    let days = recovery["RecoveryPeriodInDays"].as_u64();
                    assert!(days.is_some_and(|days| days <= 28), "{name}: {recovery}");
                }
            }
            "AWS::S3::Bucket" => {
                let rules = properties["LifecycleConfiguration"]["Rules"].as_array();
                let ends = rules.into_iter().flatten().any(|rule| {
                    // For all objects: without a prefix or another filter.
                    let narrowed = ["Prefix", "TagFilters", "ObjectSizeGreaterThan"];
                    rule["Status"] == "Enabled"
                        && narrowed.iter().all(|by| rule[by].is_null())
                        && rule["ExpirationInDays"].as_u64().is_some_and(|days| days <= DAYS)
                });
                assert!(ends, "{name}: its objects stay");
                // What is deleted would stay as an older version.
                assert!(properties["VersioningConfiguration"].is_null(), "{name}");
            }
            "AWS::SQS::Queue" => {
                let seconds = properties["MessageRetentionPeriod"].as_u64().unwrap_or(345_600);
                assert!(seconds <= DAYS * 86_400, "{name}");
            }
            "AWS::Logs::LogGroup" => assert_eq!(properties["RetentionInDays"], "LogDays", "{name}"),
            _ => {}
        }
    }
    let days = template["Parameters"]["LogDays"]["Default"].as_u64();
    assert!(days.is_some_and(|days| days <= DAYS), "log lines name the company");
}
