//! `template.yaml` as its functions, routes and schedules.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::files;

/// A route: method, path below the base path, and whether anybody may call it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Route {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) public: bool,
}

/// A function of the template.
#[derive(Debug, Default)]
pub(crate) struct Function {
    /// Directory and binary, such as `sync-worker`.
    pub(crate) binary: String,
    pub(crate) routes: Vec<Route>,
    /// What each schedule sends.
    pub(crate) schedules: Vec<Value>,
    /// Logical ids of the queues that feed it.
    pub(crate) queues: Vec<String>,
}

/// Functions by logical id.
pub(crate) fn functions() -> BTreeMap<String, Function> {
    let template = files::yaml("template.yaml");
    assert_eq!(
        template.pointer("/Resources/Api/Properties/Auth/DefaultAuthorizer"),
        Some(&Value::from("HostApp")),
        "without a default authorizer every route is public"
    );
    let mut functions = BTreeMap::new();
    for (id, resource) in template["Resources"].as_object().unwrap() {
        if resource["Type"] != "AWS::Serverless::Function" {
            continue;
        }
        let mut function = Function {
            binary: text(&resource["Metadata"]["BuildProperties"]["Binary"]),
            ..Function::default()
        };
        // A function without events is invoked by hand.
        let events = resource["Properties"]["Events"].as_object();
        for event in events.into_iter().flat_map(|events| events.values()) {
            let properties = &event["Properties"];
            match event["Type"].as_str().unwrap() {
                "HttpApi" => function.routes.push(route(properties)),
                "ScheduleV2" => {
                    function
                        .schedules
                        .push(serde_json::from_str(&text(&properties["Input"])).unwrap());
                }
                "SQS" => {
                    let queue = text(&properties["Queue"]);
                    function.queues.push(queue.trim_end_matches(".Arn").to_owned());
                }
                other => panic!("{id}: no test knows events of the type {other}"),
            }
        }
        functions.insert(id.clone(), function);
    }
    functions
}

/// All routes, sorted.
pub(crate) fn routes() -> Vec<Route> {
    let mut routes: Vec<Route> =
        functions().into_values().flat_map(|function| function.routes).collect();
    routes.sort();
    routes
}

fn route(properties: &Value) -> Route {
    let path = text(&properties["Path"]);
    let public = match properties.pointer("/Auth/Authorizer").and_then(Value::as_str) {
        None | Some("HostApp") => false,
        Some("NONE") => true,
        Some(other) => panic!("{path}: no test knows the authorizer {other}"),
    };
    let below = path.strip_prefix(platform::http::BASE);
    Route {
        method: text(&properties["Method"]),
        path: below.unwrap_or_else(|| panic!("{path} is outside of the base path")).to_owned(),
        public,
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}")).to_owned()
}
