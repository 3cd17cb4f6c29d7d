//! The query language.

mod eval;
mod filter;
mod lexer;
mod parser;

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

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::{entities::Kind, ids::EntityId};

    /// Company A with 100,000 activities, one a second from the epoch on.
    fn large() -> State {
        let mut state = crate::seed::load().unwrap().remove(0);
        let fields = json!({ "TxnDate": "2026-11-18", "EmployeeRef": { "value": "55" } });
        let fields = fields.as_object().unwrap();
        for second in 0..100_000 {
            let at = Timestamp::from_second(second).unwrap();
            let id = EntityId::from(second.to_string());
            state.put(Kind::TimeActivity, id, fields.clone(), at);
        }
        state
    }

    #[test]
    fn a_hundred_thousand_entities_stay_quick_by_id_and_by_time() {
        let state = large();
        let started = Instant::now();
        for second in (0_i64..100_000).step_by(1000) {
            let at = Timestamp::from_second(second).unwrap();
            for statement in [
                format!("select Id from TimeActivity where Id in ('{second}')"),
                format!(
                    "select Id from TimeActivity where MetaData.CreateTime >= '{at}' orderby \
                     MetaData.CreateTime maxresults 1"
                ),
                format!(
                    "select Id from TimeActivity where MetaData.LastUpdatedTime <= '{at}' \
                     maxresults 1"
                ),
            ] {
                let rows = run(&state, &statement).unwrap();
                assert_eq!(rows["TimeActivity"][0]["Id"], second.to_string(), "{statement}");
            }
        }
        // 300 scans of the whole table would take minutes in a build without optimisation.
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    }
}
