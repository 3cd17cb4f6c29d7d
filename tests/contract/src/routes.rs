//! Routes, authorizers and roles: the document, the template and the handlers say the same.

use std::collections::BTreeSet;

use crate::document::Document;
use crate::handlers::{handlers, roles, without_names};
use crate::template::{self, Route};

#[test]
fn every_route_of_the_template_is_documented_and_the_other_way_round() {
    let deployed = template::routes();
    let mut documented: Vec<Route> = Document::read()
        .operations()
        .into_iter()
        .map(|operation| Route {
            method: operation.method,
            path: operation.path,
            public: operation.public,
        })
        .collect();
    documented.sort();
    assert_eq!(documented, deployed);
}

#[test]
fn every_route_of_the_template_is_served_by_its_function_and_the_other_way_round() {
    let mut deployed = BTreeSet::new();
    for function in template::functions().into_values() {
        for route in function.routes {
            deployed.insert((function.binary.clone(), route.method, without_names(&route.path)));
        }
    }
    let served: BTreeSet<_> = handlers()
        .into_iter()
        .map(|handler| (handler.krate, handler.method, handler.path))
        .collect();
    assert_eq!(served, deployed);
}

#[test]
fn each_operation_names_the_roles_that_its_handler_allows() {
    let document = Document::read();
    let handlers = handlers();
    for operation in document.operations() {
        let name = operation.name();
        let path = without_names(&operation.path);
        let handler = handlers
            .iter()
            .find(|handler| handler.method == operation.method && handler.path == path)
            .unwrap_or_else(|| panic!("{name} has no handler"));
        let documented: BTreeSet<String> = operation.roles.iter().cloned().collect();
        assert_eq!(documented.len(), operation.roles.len(), "{name} names a role twice");
        let allowed =
            handler.permission().map_or_else(|| BTreeSet::from(["public".to_owned()]), roles);
        assert_eq!(documented, allowed, "{name}");
        assert_eq!(operation.public, handler.permission().is_none(), "{name}");
    }
}

#[test]
fn the_servers_end_in_the_base_path() {
    let document = Document::read();
    let servers = document.0["servers"].as_array().unwrap();
    assert!(!servers.is_empty());
    for server in servers {
        let url = server["url"].as_str().unwrap();
        assert!(url.ends_with(platform::http::BASE), "{url}");
    }
}

#[test]
fn every_operation_has_an_id_of_its_own_and_a_summary() {
    let mut ids = BTreeSet::new();
    for operation in Document::read().operations() {
        let name = operation.name();
        let id = operation.value["operationId"].as_str();
        assert!(ids.insert(id.unwrap_or_else(|| panic!("{name} has no operationId")).to_owned()));
        assert!(operation.value["summary"].is_string(), "{name} has no summary");
    }
}

#[test]
fn path_parameters_are_documented() {
    for operation in Document::read().operations() {
        for part in operation.path.split('/').filter_map(|part| part.strip_prefix('{')) {
            let wanted = part.trim_end_matches('}');
            let parameters = operation.value["parameters"].as_array().unwrap();
            let found = parameters
                .iter()
                .any(|parameter| parameter["in"] == "path" && parameter["name"] == wanted);
            assert!(found, "{} does not document {wanted}", operation.name());
        }
    }
}
