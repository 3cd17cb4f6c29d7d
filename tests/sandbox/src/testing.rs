//! What the tests drive or ask without a server.

use std::sync::LazyLock;

use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Map, Value, json};

use crate::{
    entities::{self, Circumstances, Kind, Operation, UnknownFields},
    fault::{Fault, wire_instant},
    oauth, query, seed,
    store::State,
};

static SEED: LazyLock<Option<State>> = LazyLock::new(|| seed::load().ok()?.into_iter().next());

/// Parses and runs `statement` over the seeded company A; the answer's text.
pub fn run_query(statement: &str) -> String {
    let Some(state) = SEED.as_ref() else { return "no seed".into() };
    match query::run(state, statement) {
        Ok(rows) => Value::Object(rows).to_string(),
        Err(fault) => fault.detail.into(),
    }
}

/// Writes to a copy of the seeded company A; the answer's body, which may be a fault. `operation` is
/// `create`, `update`, `delete` or `void`; a `kind` that there is not is answered by a fault too.
pub fn write_on_seed(
    kind: &str,
    operation: &str,
    body: &Map<String, Value>,
    ignores_unknown: bool,
) -> Value {
    let now = Timestamp::UNIX_EPOCH;
    let operation = match operation {
        "update" => Operation::Update,
        "delete" => Operation::Delete,
        "void" => Operation::Void,
        _ => Operation::Create,
    };
    let unknown_fields =
        if ignores_unknown { UnknownFields::Ignore } else { UnknownFields::Refuse };
    let outcome = match (Kind::parse(kind), SEED.as_ref()) {
        (Some(kind), Some(seed)) => {
            let mut state = seed.clone();
            let circumstances = Circumstances { now, unknown_fields, duplicate_numbers: false };
            entities::write(&mut state, kind, operation, body, circumstances)
                .map(|entity| (kind, entity))
        }
        _ => Err(Fault::unsupported_operation(format!("Operation {kind} is not supported."))),
    };
    match outcome {
        Ok((kind, entity)) => {
            json!({ kind.name(): entity, "time": wire_instant(now, &TimeZone::UTC) })
        }
        Err(fault) => fault.body(now, &TimeZone::UTC),
    }
}

/// Reads `body` as every form and query that the OAuth endpoints take, with this Authorization
/// header.
pub fn oauth_forms(authorization: &str, body: &[u8]) {
    oauth::read_forms(authorization, body);
}

/// Holds an answer of the REST API against the schema: how many entities it held.
///
/// # Errors
/// What is wrong with it, a sentence each.
pub fn check_answer(answer: &Value) -> Result<usize, Vec<String>> {
    entities::check_answer(answer)
}
