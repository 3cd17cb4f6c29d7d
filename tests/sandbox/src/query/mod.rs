//! The query language.

mod eval;
mod filter;
mod filterable;
mod lexer;
mod parser;
mod plan;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

use crate::{fault::Fault, store::State};

/// Reads and runs a statement: the value of `QueryResponse`.
pub(crate) fn run(state: &State, statement: &str) -> Result<Map<String, Value>, Fault> {
    let statement = parser::parse_with(statement, state.profile.query_latin1_only)?;
    eval::run(state, &statement)
}
