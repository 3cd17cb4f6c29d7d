//! What the handlers' source says: which function serves a route, what it asks of its caller, and
//! which problems it answers with.

use std::collections::{BTreeMap, BTreeSet};

use platform::caller::{Caller, Permission};
use platform::outcome_page::Reason;
use regex::Regex;

use crate::files;
use crate::rust::{calls, function, literal};

/// A problem: HTTP status and code.
pub(crate) type Code = (u16, String);

/// The function that serves a route.
pub(crate) struct Handler {
    /// The crate, such as `sync-orchestrator`.
    pub(crate) krate: String,
    pub(crate) method: String,
    /// Below the base path, with its parameters as `{}`.
    pub(crate) path: String,
    /// The function's parameters, as written.
    pub(crate) parameters: String,
    body: String,
    file: String,
}

/// Every handler of every function.
pub(crate) fn handlers() -> Vec<Handler> {
    let verb = Regex::new(r"\b(get|post|put|patch|delete)\(([\w:]+)\)").unwrap();
    let mut found = Vec::new();
    for krate in files::functions() {
        let sources = files::rust_sources(&format!("functions/{krate}/src"));
        for (file, source) in &sources {
            for arguments in calls(source, ".route(") {
                let path = arguments[0].split("{BASE}").nth(1);
                let path = path.unwrap_or_else(|| panic!("{file}: {}", arguments[0]));
                for verb in verb.captures_iter(&arguments[1]) {
                    let name = verb[2].rsplit("::").next().unwrap().to_owned();
                    let (file, parameters, body) = sources
                        .iter()
                        .find_map(|(_, text)| {
                            function(text, &name).map(|(parameters, body)| (text, parameters, body))
                        })
                        .unwrap_or_else(|| panic!("{krate} has no function {name}"));
                    found.push(Handler {
                        krate: krate.clone(),
                        method: verb[1].to_uppercase(),
                        path: without_names(&path[..path.find('"').unwrap()]),
                        parameters: parameters.to_owned(),
                        body: body.to_owned(),
                        file: file.clone(),
                    });
                }
            }
        }
    }
    found
}

/// A path whose parameters have no names: `/sync-status/{}`. In a format string brackets are doubled.
pub(crate) fn without_names(path: &str) -> String {
    Regex::new(r"\{+\w+\}+").unwrap().replace_all(path, "{}").into_owned()
}

impl Handler {
    /// What it asks of its caller; `None` when it looks at no caller. A handler that leaves the asking
    /// to a helper has it in the same file.
    pub(crate) fn permission(&self) -> Option<Permission> {
        if !self.parameters.contains("Caller") {
            return None;
        }
        let asked = Regex::new(r"may\(\s*Permission::(\w+)").unwrap();
        let asked_in = |text: &str| -> BTreeSet<String> {
            asked.captures_iter(text).map(|found| found[1].to_owned()).collect()
        };
        let mut names = asked_in(&self.body);
        if names.is_empty() {
            names = asked_in(&self.file);
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        Some(match names[..] {
            ["Read"] => Permission::Read,
            ["ReadStatus"] => Permission::ReadStatus,
            ["Administer"] => Permission::Administer,
            ["Deliver"] => Permission::Deliver,
            _ => panic!("{} {} asks its caller for {names:?}", self.method, self.path),
        })
    }

    /// The problems that its extractors and its caller's check answer with, wherever it stands.
    pub(crate) fn shared_codes(&self) -> BTreeSet<Code> {
        let made = constructors();
        let code = |name: &str| made[name].clone();
        let mut codes = BTreeSet::from([code("internal")]);
        if self.parameters.contains("Caller") {
            codes.extend(codes_of_file(&files::text("shared/platform/src/caller.rs")));
        }
        if self.permission().is_some_and(|permission| roles(permission).len() < ROLES.len()) {
            codes.insert(code("role_not_allowed"));
        }
        if self.parameters.contains("JsonBody") {
            let http = files::text("shared/platform/src/http.rs");
            let (_, read) = function(&http, "from_request").unwrap();
            codes.extend(codes_of_file(read));
        }
        if self.parameters.contains("JsonBody") || self.parameters.contains("CompanyOfQuery") {
            codes.extend([code("invalid"), code("company_not_found")]);
        }
        codes
    }
}

/// Roles, each with a claim that has it.
const ROLES: [(&str, &str); 4] = [
    ("viewer", "c:viewer"),
    ("admin", "c:admin"),
    ("service", "*:service"),
    ("operator", "*:operator"),
];

/// The roles that a permission allows, asked of the product itself.
pub(crate) fn roles(permission: Permission) -> BTreeSet<String> {
    let company = "c".parse().unwrap();
    ROLES
        .iter()
        .filter(|(_, claim)| Caller::new("user", claim).may(permission, &company).is_ok())
        .map(|(role, _)| (*role).to_owned())
        .collect()
}

/// The problems that a function's own source names, without those of its extractors.
pub(crate) fn codes_of_crate(krate: &str) -> BTreeSet<Code> {
    let made = constructors();
    let named = Regex::new(r"Problem::([a-z_]+)\(").unwrap();
    let mut codes = BTreeSet::new();
    for (_, source) in files::rust_sources(&format!("functions/{krate}/src")) {
        codes.extend(codes_of_file(&source));
        codes.extend(named.captures_iter(&source).filter_map(|name| made.get(&name[1]).cloned()));
    }
    codes
}

/// Every problem of the product.
pub(crate) fn all_codes() -> BTreeSet<Code> {
    let mut codes: BTreeSet<Code> = constructors().into_values().collect();
    for krate in files::functions() {
        codes.extend(codes_of_crate(&krate));
    }
    for (_, source) in files::rust_sources("shared/platform/src") {
        codes.extend(codes_of_file(&source));
    }
    codes
}

/// Problems with a constructor of their own, by its name.
fn constructors() -> BTreeMap<String, Code> {
    let source = files::text("shared/platform/src/problem.rs");
    let start = Regex::new(r"pub fn (\w+)\(").unwrap();
    let mut made = BTreeMap::new();
    for name in start.captures_iter(&source) {
        let Some((_, body)) = function(&source, &name[1]) else { continue };
        for call in calls(body, "Self::new(") {
            made.insert(
                name[1].to_owned(),
                (status(&call[0]), literal(&call[1]).unwrap().to_owned()),
            );
        }
    }
    // One field at fault is a list of one.
    made.insert("field".to_owned(), made["invalid"].clone());
    made
}

/// Problems that are built in place.
fn codes_of_file(source: &str) -> BTreeSet<Code> {
    let pair = Regex::new(r#"\(\("([a-z0-9-]+)","#).unwrap();
    let mut codes = BTreeSet::new();
    for call in calls(source, "Problem::new(") {
        if let Some(code) = literal(&call[1]) {
            codes.insert((status(&call[0]), code.to_owned()));
        } else if call[1] == "reason.code()" {
            let named = Reason::ALL
                .into_iter()
                .filter(|reason| source.contains(&format!("Reason::{reason:?}")));
            codes.extend(named.map(|reason| (reason.status().as_u16(), reason.code().to_owned())));
        } else {
            // A code that is chosen just before, in pairs of code and error.
            let chosen: Vec<Code> = pair
                .captures_iter(source)
                .map(|code| (status(&call[0]), code[1].to_owned()))
                .collect();
            assert!(!chosen.is_empty(), "the code {} comes from nowhere", call[1]);
            codes.extend(chosen);
        }
    }
    codes
}

/// The number of a `StatusCode::NAME`.
fn status(name: &str) -> u16 {
    match name.trim_start_matches("StatusCode::") {
        "BAD_REQUEST" => 400,
        "UNAUTHORIZED" => 401,
        "FORBIDDEN" => 403,
        "NOT_FOUND" => 404,
        "METHOD_NOT_ALLOWED" => 405,
        "CONFLICT" => 409,
        "GONE" => 410,
        "PAYLOAD_TOO_LARGE" => 413,
        "UNSUPPORTED_MEDIA_TYPE" => 415,
        "UNPROCESSABLE_ENTITY" => 422,
        "TOO_MANY_REQUESTS" => 429,
        "BAD_GATEWAY" => 502,
        "SERVICE_UNAVAILABLE" => 503,
        _ => panic!("no test knows the status {name}"),
    }
}
