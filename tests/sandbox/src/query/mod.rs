//! The query language.

mod eval;
mod filter;
mod lexer;
mod parser;
mod plan;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

use crate::{fault::Fault, store::State};

/// Reads and runs a statement: the value of `QueryResponse`.
pub(crate) fn run(state: &State, statement: &str) -> Result<Map<String, Value>, Fault> {
    let statement = parser::parse(statement)?;
    eval::run(state, &statement)
}

/// For property tests: over the seeded company A.
pub(crate) fn run_on_seed(statement: &str) -> String {
    static SEED: std::sync::LazyLock<Option<State>> =
        std::sync::LazyLock::new(|| crate::seed::load().ok()?.into_iter().next());
    let Some(state) = SEED.as_ref() else { return "no seed".into() };
    match run(state, statement) {
        Ok(rows) => Value::Object(rows).to_string(),
        Err(fault) => fault.detail.into(),
    }
}
