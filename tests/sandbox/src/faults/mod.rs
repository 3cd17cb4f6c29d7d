//! Faults on demand: the next matching calls are delayed, refused or cut.

mod plan;
mod spec;

use std::sync::{Arc, Mutex};

use axum::http::StatusCode;
use regex::Regex;
use serde::Serialize;

pub(crate) use plan::{CutMark, Plan};
pub(crate) use spec::Spec;

use crate::{ids::Realm, store::lock};

struct Armed {
    id: u64,
    spec: Arc<Spec>,
    path: Option<Regex>,
    body: Option<Regex>,
    batch_item: Option<Regex>,
    seen: u64,
}

impl Armed {
    fn used_up(&self) -> bool {
        self.seen >= self.spec.skip.saturating_add(self.spec.times)
    }
}

/// A fault with its number and how often it has matched, for `GET /faults`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Listed {
    id: u64,
    matched: u64,
    #[serde(flatten)]
    spec: Spec,
}

impl Listed {
    /// How many calls it has broken, and in which scenario.
    pub(crate) fn met(&self) -> (u64, Option<&str>) {
        (self.matched.saturating_sub(self.spec.skip), self.spec.scenario.as_deref())
    }
}

#[derive(Default)]
struct Rules {
    armed: Vec<Armed>,
    last: u64,
}

/// The faults waiting for their calls.
#[derive(Default)]
pub(crate) struct Faults(Mutex<Rules>);

/// A call, as a fault sees it.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) method: &'a str,
    pub(crate) path_and_query: &'a str,
    pub(crate) realm: Option<&'a Realm>,
    pub(crate) body: &'a [u8],
    /// The JSON of the item; `None` for a whole call.
    pub(crate) batch_item: Option<&'a str>,
}

impl Faults {
    /// Arms a fault; the error says which expression cannot be read.
    pub(crate) fn add(&self, spec: Spec) -> Result<u64, String> {
        let regex = |text: &Option<String>| {
            text.as_deref().map(Regex::new).transpose().map_err(|error| error.to_string())
        };
        let (path, body) = (regex(&spec.path)?, regex(&spec.body)?);
        let batch_item = regex(&spec.batch_item)?;
        if batch_item.is_some() && (spec.cut.is_some() || spec.raw_body.is_some()) {
            return Err("an item of a batch has no connection to cut and no body of its own".into());
        }
        if let Some(status) = spec.status {
            StatusCode::from_u16(status).map_err(|_| format!("{status} is not an HTTP status"))?;
        }
        let mut rules = lock(&self.0);
        rules.last += 1;
        let id = rules.last;
        rules.armed.push(Armed { id, spec: Arc::new(spec), path, body, batch_item, seen: 0 });
        Ok(id)
    }

    pub(crate) fn list(&self) -> Vec<Listed> {
        lock(&self.0)
            .armed
            .iter()
            .map(|armed| Listed {
                id: armed.id,
                matched: armed.seen,
                spec: armed.spec.as_ref().clone(),
            })
            .collect()
    }

    pub(crate) fn clear(&self) {
        lock(&self.0).armed.clear();
    }

    /// Disarms one; `false` if it is not armed.
    pub(crate) fn remove(&self, id: u64) -> bool {
        self.disarm(|armed| armed.id == id)
    }

    /// Disarms what a scenario armed; `false` if there was nothing.
    pub(crate) fn end_scenario(&self, scenario: &str) -> bool {
        self.disarm(|armed| armed.spec.scenario.as_deref() == Some(scenario))
    }

    fn disarm(&self, which: impl Fn(&Armed) -> bool) -> bool {
        let mut rules = lock(&self.0);
        let before = rules.armed.len();
        rules.armed.retain(|armed| !which(armed));
        rules.armed.len() < before
    }

    /// The plan for one call: the first fault that matches it and has times left. Faults that are
    /// still skipping count the call and let the next one see it.
    pub(crate) fn plan(&self, call: &Subject<'_>) -> Plan {
        self.plan_at(false, call)
    }

    /// The same for the faults that stand at the door.
    pub(crate) fn plan_at_door(&self, call: &Subject<'_>) -> Plan {
        self.plan_at(true, call)
    }

    fn plan_at(&self, door: bool, call: &Subject<'_>) -> Plan {
        let mut rules = lock(&self.0);
        let mut found = None;
        for armed in &mut rules.armed {
            let spec = &armed.spec;
            let matches = spec.door == door
                && spec.method.as_ref().is_none_or(|m| m.eq_ignore_ascii_case(call.method))
                && spec.realm.as_ref().is_none_or(|realm| call.realm == Some(realm))
                && armed.path.as_ref().is_none_or(|path| path.is_match(call.path_and_query))
                && armed
                    .body
                    .as_ref()
                    .is_none_or(|body| body.is_match(&String::from_utf8_lossy(call.body)))
                && match (&armed.batch_item, call.batch_item) {
                    (Some(wanted), Some(item)) => wanted.is_match(item),
                    (wanted, item) => wanted.is_none() && item.is_none(),
                };
            if !matches {
                continue;
            }
            armed.seen += 1;
            if armed.seen > spec.skip {
                found = Some(Plan { fault: Some(armed.id), spec: Some(Arc::clone(spec)) });
                break;
            }
        }
        rules.armed.retain(|armed| !armed.used_up());
        found.unwrap_or_default()
    }
}
