//! Carries a request out on the company's data.

use serde_json::{Map, Value, json};

use super::{
    cdc,
    target::{Target, Write},
};
use crate::{
    entities::{self, Circumstances, Kind},
    fault::{Fault, wire_instant},
    query,
    store::State,
};

/// The body of the answer.
pub(super) fn execute(
    state: &mut State,
    target: &Target,
    circumstances: Circumstances,
) -> Result<Value, Fault> {
    let (name, value): (&str, Value) = match target {
        Target::Settings(singleton) => (singleton.name(), singleton.wire(state).into()),
        Target::Query(statement) => ("QueryResponse", query::run(state, statement)?.into()),
        Target::Cdc(request) => {
            ("CDCResponse", json!([cdc::run(state, request, circumstances.now)?]))
        }
        Target::Update(singleton, body) => {
            let settings = entities::update_settings(state, *singleton, body, circumstances)?;
            (singleton.name(), settings.into())
        }
        Target::Read(kind, id) => (kind.name(), read(state, *kind, id)?.into()),
        Target::Write(Write { kind, operation, body, .. }) => {
            let entity = entities::write(state, *kind, *operation, body, circumstances)?;
            (kind.name(), entity.into())
        }
    };
    Ok(json!({ name: value, "time": wire_instant(circumstances.now, &state.zone) }))
}

/// Inactive entries are read like active ones; what was deleted is 610.
fn read(state: &State, kind: Kind, id: &str) -> Result<Map<String, Value>, Fault> {
    entities::permitted(state, kind)?;
    let record = state.table(kind).get(id).ok_or_else(Fault::not_found)?;
    Ok(state.wire(kind, record))
}
