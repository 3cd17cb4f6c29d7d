//! `openapi.yaml` as operations, and its schemas as validators.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::files;
use crate::handlers::Code;

/// The media type of problems.
pub(crate) const PROBLEM: &str = "application/problem+json";

/// The document.
pub(crate) struct Document(pub(crate) Value);

/// One operation.
pub(crate) struct Operation {
    pub(crate) method: String,
    /// Below the base path.
    pub(crate) path: String,
    pub(crate) roles: Vec<String>,
    pub(crate) public: bool,
    pub(crate) value: Value,
}

impl Operation {
    /// `GET /status`, for messages.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

impl Document {
    pub(crate) fn read() -> Self {
        Self(files::yaml("openapi.yaml"))
    }

    /// Every operation.
    pub(crate) fn operations(&self) -> Vec<Operation> {
        let mut operations = Vec::new();
        for (path, methods) in self.0["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                let roles = operation["x-roles"].as_array();
                let roles = roles.unwrap_or_else(|| panic!("{method} {path} has no x-roles"));
                let security = operation.get("security").unwrap_or(&self.0["security"]);
                operations.push(Operation {
                    method: method.to_uppercase(),
                    path: path.clone(),
                    roles: roles.iter().map(|role| role.as_str().unwrap().to_owned()).collect(),
                    public: security.as_array().unwrap().is_empty(),
                    value: operation.clone(),
                });
            }
        }
        operations
    }

    /// The operation of a method and path.
    pub(crate) fn operation(&self, method: &str, path: &str) -> Operation {
        let mut operations = self.operations().into_iter();
        let found =
            operations.find(|operation| operation.method == method && operation.path == path);
        found.unwrap_or_else(|| panic!("openapi.yaml has no {method} {path}"))
    }

    /// What a `$ref` points to, or the value itself.
    pub(crate) fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        let Some(reference) = value.get("$ref").and_then(Value::as_str) else { return value };
        let target = self.0.pointer(reference.trim_start_matches('#'));
        self.resolve(target.unwrap_or_else(|| panic!("{reference} points nowhere")))
    }

    /// Whether `value` is as `schema` (of this document) says; the complaints if not.
    pub(crate) fn complaints(&self, schema: &Value, value: &Value) -> Vec<String> {
        let root = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "components": { "schemas": self.0["components"]["schemas"] },
            "allOf": [schema],
        });
        complaints(&root, value)
    }

    /// A named schema.
    pub(crate) fn schema(&self, name: &str) -> Value {
        let schema = &self.0["components"]["schemas"][name];
        assert!(schema.is_object(), "openapi.yaml has no schema {name}");
        schema.clone()
    }

    /// The schema of an operation's request body, for JSON.
    pub(crate) fn request_schema(&self, operation: &Operation) -> Value {
        let body = self.resolve(&operation.value["requestBody"]);
        let schema = &body["content"]["application/json"]["schema"];
        assert!(schema.is_object(), "{} has no request schema", operation.name());
        schema.clone()
    }

    /// Statuses and codes of the problems that an operation documents.
    pub(crate) fn codes(&self, operation: &Operation) -> BTreeSet<Code> {
        let mut codes = BTreeSet::new();
        for (status, response) in operation.value["responses"].as_object().unwrap() {
            codes.extend(self.codes_of_response(status.parse().unwrap(), response));
        }
        codes
    }

    /// The same of one response.
    pub(crate) fn codes_of_response(&self, status: u16, response: &Value) -> BTreeSet<Code> {
        let content = &self.resolve(response)["content"][PROBLEM];
        let Some(schema) = content.get("schema") else { return BTreeSet::new() };
        let codes = schema["properties"]["code"]["enum"].as_array();
        let codes =
            codes.unwrap_or_else(|| panic!("a {status} does not list its codes: {response}"));
        codes.iter().map(|code| (status, code.as_str().unwrap().to_owned())).collect()
    }

    /// Every example with its schema and where it stands.
    pub(crate) fn examples(&self) -> Vec<(String, Value, Value)> {
        let mut found = Vec::new();
        for operation in self.operations() {
            let name = operation.name();
            if let Some(body) = operation.value.get("requestBody") {
                self.examples_of_content(
                    &format!("{name} request"),
                    self.resolve(body),
                    &mut found,
                );
            }
            for (status, response) in operation.value["responses"].as_object().unwrap() {
                let place = format!("{name} {status}");
                self.examples_of_content(&place, self.resolve(response), &mut found);
            }
            for parameter in operation.value["parameters"].as_array().into_iter().flatten() {
                let parameter = self.resolve(parameter);
                if let Some(example) = parameter.get("example") {
                    let place = format!("{name} {}", parameter["name"]);
                    found.push((place, parameter["schema"].clone(), example.clone()));
                }
            }
        }
        found
    }

    fn examples_of_content(
        &self,
        place: &str,
        of: &Value,
        found: &mut Vec<(String, Value, Value)>,
    ) {
        for (media, content) in of["content"].as_object().into_iter().flatten() {
            for (name, example) in content["examples"].as_object().into_iter().flatten() {
                let value = self.resolve(example)["value"].clone();
                found.push((format!("{place} {media} {name}"), content["schema"].clone(), value));
            }
        }
    }
}

/// Whether `value` is as `schema` says, formats included; the complaints if not.
pub(crate) fn complaints(schema: &Value, value: &Value) -> Vec<String> {
    let validator = jsonschema::options()
        .should_validate_formats(true)
        .build(schema)
        .unwrap_or_else(|error| panic!("the schema itself is wrong: {error}"));
    validator
        .iter_errors(value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}
