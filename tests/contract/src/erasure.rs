//! A deleted company's data: no table is forgotten.

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
