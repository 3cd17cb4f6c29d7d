//! Common troubles by name: a scenario arms a few faults at once, until it is ended.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Shared, bad, missing, read};
use crate::{app::App, faults::Spec, ids::Realm};

const SCENARIOS: &str = include_str!("scenarios.json");

/// How often a fault is met when it stays until it is cleared. A number that JSON readers keep exact.
const UNTIL_CLEARED: u64 = 1_000_000_000;

/// `/scenarios`, `/normal`.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/scenarios", get(list))
        .route("/scenarios/{name}", post(begin).delete(end))
        .route("/normal", post(back_to_normal))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    name: String,
    title: String,
    text: String,
    faults: Vec<Spec>,
}

fn scenarios() -> Result<Vec<Scenario>, serde_json::Error> {
    serde_json::from_str(SCENARIOS)
}

async fn list(State(app): Shared) -> Answer {
    let armed = app.faults.list();
    let mut listed = Vec::new();
    for scenario in scenarios().map_err(|error| bad(error.to_string()))? {
        let mut met = 0;
        let mut on = false;
        for fault in &armed {
            let (times, of) = fault.met();
            if of == Some(scenario.name.as_str()) {
                met += times;
                on = true;
            }
        }
        listed.push(json!({
            "name": scenario.name,
            "title": scenario.title,
            "text": scenario.text,
            "on": on,
            "met": met,
        }));
    }
    Ok(Json(json!({ "scenarios": listed })).into_response())
}

/// Where and how often; both may be left out.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Wish {
    realm: Option<Realm>,
    times: Option<u64>,
}

/// Begins a scenario, or begins it anew with another company or number.
async fn begin(State(app): Shared, Path(name): Path<String>, body: Bytes) -> Answer {
    let wish: Wish = if body.is_empty() { Wish::default() } else { read(&body)? };
    let all = scenarios().map_err(|error| bad(error.to_string()))?;
    let scenario = all
        .into_iter()
        .find(|scenario| scenario.name == name)
        .ok_or_else(|| missing(&format!("scenario {name}")))?;
    if let Some(realm) = &wish.realm {
        super::find(&app, realm.as_str())?;
    }
    let times = wish.times.unwrap_or(UNTIL_CLEARED);
    if times == 0 {
        return Err(bad("times is 1 or more"));
    }
    app.faults.end_scenario(&name);
    let mut ids = Vec::new();
    for fault in scenario.faults {
        let fault = fault.of_scenario(&name, wish.realm.clone(), times);
        ids.push(app.faults.add(fault).map_err(bad)?);
    }
    Ok((StatusCode::CREATED, Json(json!({ "faults": ids }))).into_response())
}

async fn end(State(app): Shared, Path(name): Path<String>) -> Answer {
    if app.faults.end_scenario(&name) {
        Ok(StatusCode::NO_CONTENT.into_response())
    } else {
        Err(missing(&format!("scenario {name} under way")))
    }
}

/// Ends every fault and opens the books of every company. Connections that were ended stay so: only
/// a new consent brings them back, as with the real service.
async fn back_to_normal(State(app): Shared) -> Response {
    let ended = app.faults.list().len();
    app.faults.clear();
    let mut opened: Vec<Value> = Vec::new();
    for company in app.companies() {
        if company.state().profile.book_close_date.take().is_some() {
            opened.push(json!(company.realm));
        }
    }
    Json(json!({ "faultsEnded": ended, "booksOpened": opened })).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::Faults;

    #[test]
    fn every_scenario_can_be_armed() {
        let faults = Faults::default();
        for scenario in scenarios().unwrap() {
            assert!(!scenario.faults.is_empty(), "{}", scenario.name);
            for fault in scenario.faults {
                faults.add(fault.of_scenario(&scenario.name, None, 1)).unwrap();
            }
        }
    }
}
