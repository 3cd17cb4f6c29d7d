//! Problem codes: what the handlers answer is documented, and nothing else is.

use std::collections::BTreeSet;

use regex::Regex;
use serde_json::{Value, json};

use crate::document::{Document, complaints};
use crate::files;
use crate::handlers::{Code, all_codes, codes_of_crate, handlers, without_names};
use crate::rust::{calls, literal};

#[test]
fn every_problem_of_the_product_is_documented_with_its_status() {
    let document = Document::read();
    let mut documented: BTreeSet<Code> =
        document.operations().iter().flat_map(|operation| document.codes(operation)).collect();
    // Answers of the functions' own behind the gateway: for no operation, so without a status there.
    for status in [404, 405] {
        let response = &document.0["components"]["responses"]["NoSuchRoute"];
        documented.extend(document.codes_of_response(status, response));
    }
    for code in all_codes() {
        assert!(documented.contains(&code), "{code:?} is documented nowhere");
    }
}

#[test]
fn each_operation_documents_the_problems_of_its_extractors_and_only_those() {
    let document = Document::read();
    let every_shared: BTreeSet<Code> =
        handlers().iter().flat_map(super::handlers::Handler::shared_codes).collect();
    for handler in handlers() {
        let operation = find(&document, &handler.method, &handler.path);
        let documented: BTreeSet<Code> =
            document.codes(&operation).intersection(&every_shared).cloned().collect();
        assert_eq!(documented, handler.shared_codes(), "{}", operation.name());
    }
}

#[test]
fn the_problems_of_each_function_are_documented_at_its_routes_and_only_there() {
    let document = Document::read();
    let handlers = handlers();
    for krate in files::functions() {
        let mine: Vec<_> = handlers.iter().filter(|handler| handler.krate == krate).collect();
        let shared: BTreeSet<Code> =
            mine.iter().flat_map(|handler| handler.shared_codes()).collect();
        let named: BTreeSet<Code> = codes_of_crate(&krate).difference(&shared).cloned().collect();
        let documented: BTreeSet<Code> = mine
            .iter()
            .flat_map(|handler| document.codes(&find(&document, &handler.method, &handler.path)))
            .collect();
        let documented: BTreeSet<Code> = documented.difference(&shared).cloned().collect();
        assert_eq!(documented, named, "{krate}");
    }
}

#[test]
fn every_problem_that_the_product_builds_is_as_the_schema_says() {
    use platform::problem::{Problem, RowError};
    let document = Document::read();
    let schema = document.schema("Problem");
    let error =
        domain::problem::FieldError::new("clockOut", "end-before-start", "It ends.", "Fix.");
    let problems = [
        Problem::company_not_found(),
        Problem::role_not_allowed("the role admin"),
        Problem::not_connected(),
        Problem::internal(),
        Problem::field("companyId", "missing", "companyId is missing.", "Send it."),
        Problem::invalid([RowError { index: Some(3), error }]),
    ];
    for problem in problems {
        let value = serde_json::to_value(&problem).unwrap();
        assert_eq!(document.complaints(&schema, &value), Vec::<String>::new(), "{value}");
        assert!(value["type"].as_str().unwrap().ends_with(problem.code()));
    }
}

#[test]
fn an_example_of_a_problem_has_the_status_and_type_of_its_code() {
    for (place, _, example) in Document::read().examples() {
        let Some(code) = example.get("code").and_then(Value::as_str) else { continue };
        let answered = place.split(' ').nth(2).unwrap();
        assert_eq!(example["status"].to_string(), answered, "{place}");
        let kind = example["type"].as_str().unwrap();
        assert!(kind.ends_with(&format!("/{code}")), "{place}: {kind}");
    }
}

#[test]
fn every_rule_that_a_field_can_break_is_listed() {
    let listed = Document::read().schema("FieldError")["properties"]["code"]["examples"].clone();
    let listed: BTreeSet<&str> =
        listed.as_array().unwrap().iter().map(|code| code.as_str().unwrap()).collect();
    let mut sources = files::rust_sources("shared/domain/src");
    sources.extend(files::rust_sources("functions"));
    let plain = Regex::new(r#"code: "([a-z0-9-]+)""#).unwrap();
    let mut used: BTreeSet<String> = BTreeSet::new();
    for (_, source) in &sources {
        for name in ["FieldError::new(", ".note(", ".count(", "Problem::field("] {
            let rules = calls(source, name).into_iter().filter_map(|arguments| {
                arguments.get(1).and_then(|rule| literal(rule)).map(str::to_owned)
            });
            used.extend(rules);
        }
        used.extend(plain.captures_iter(source).map(|code| code[1].to_owned()));
    }
    assert!(used.len() > 30, "the source is not read any more: {used:?}");
    for code in &used {
        assert!(listed.contains(code.as_str()), "the rule {code} is not listed in FieldError");
    }
    for code in listed {
        let quoted = format!("\"{code}\"");
        let found = sources.iter().any(|(_, source)| source.contains(&quoted));
        assert!(found, "no rule is named {code} any more");
    }
}

#[test]
fn a_problem_without_its_code_is_refused_by_the_schema() {
    let document = Document::read();
    let operation = document.operation("POST", "/sync-now");
    let schema =
        &operation.value["responses"]["409"]["content"]["application/problem+json"]["schema"];
    let wrong = json!({
        "type": "https://x.example/a", "title": "t", "status": 409, "detail": "d", "code": "other"
    });
    assert!(!document.complaints(schema, &wrong).is_empty());
    assert!(!complaints(&json!({ "format": "date-time" }), &json!("yesterday")).is_empty());
}

fn find(document: &Document, method: &str, path: &str) -> crate::document::Operation {
    let mut operations = document.operations().into_iter();
    operations
        .find(|operation| operation.method == method && without_names(&operation.path) == path)
        .unwrap_or_else(|| panic!("{method} {path} is not documented"))
}
