//! Several pieces of work in one request.
//!
//! The items are independent: each commits by itself, in an order that cannot be relied on, none sees
//! what another one did, and a refused one takes nothing back. So a batch whose sender has gone goes
//! on committing item by item.

use std::{collections::HashSet, time::Duration};

use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    cdc::CdcRequest,
    target::{self, Options, Target, Write},
    turn::Turn,
};
use crate::{
    app::App,
    counters::ItemOutcome,
    entities::{Kind, Operation, Singleton},
    fault::{Fault, wire_instant},
    faults::{Plan, Subject},
    latency,
    store::{Company, ReplayPolicy},
};

/// Items in one request (API reference; 1040 above).
const MAX_ITEMS: usize = 30;
/// Objects in one answer (API reference).
const MAX_OBJECTS: usize = 1000;

/// How the unknown parts of the real service are played.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(crate) struct Policy {
    /// Whether an item may lack `bId` and `operation`. Intuit's page requires both; a test of
    /// node-quickbooks against the real service leaves both out and expects the entities created.
    bare_items: bool,
}

/// One item, read.
pub(super) struct Item {
    /// `None` only where bare items are taken.
    b_id: Option<String>,
    /// As JSON, for the faults that look at items.
    json: String,
    /// What it asks for; an item that cannot be read gets a fault of its own.
    target: Result<Target, Fault>,
}

/// Reads the body. A fault here refuses the whole request, and nothing is done: a body that is no
/// batch, an item that is no object, and a `bId` that is missing or there twice, since no answer could
/// be told from another. What is wrong within an item is that item's fault alone.
pub(super) fn read(body: &[u8], policy: Policy) -> Result<Vec<Item>, Fault> {
    let mut body = target::object(body)?;
    let items = match body.remove("BatchItemRequest") {
        Some(Value::Array(items)) if !items.is_empty() => items,
        None | Some(Value::Null | Value::Array(_)) => {
            return Err(Fault::missing("BatchItemRequest"));
        }
        Some(_) => return Err(Fault::bad_property("BatchItemRequest")),
    };
    if items.len() > MAX_ITEMS {
        return Err(Fault::batch_too_big(format!(
            "The batch size for the batch request is too big. The batch limit size is {MAX_ITEMS}."
        )));
    }
    let mut known = HashSet::new();
    items
        .into_iter()
        .map(|item| {
            let json = item.to_string();
            let Value::Object(mut item) = item else {
                return Err(Fault::bad_property("BatchItemRequest"));
            };
            let b_id = b_id(item.remove("bId"), policy)?;
            if let Some(b_id) = &b_id
                && !known.insert(b_id.clone())
            {
                return Err(Fault::conflict(
                    "bId",
                    format!("Conflicting elements found in the request: bId {b_id} is there twice"),
                ));
            }
            Ok(Item { b_id, json, target: asked(item, policy) })
        })
        .collect()
}

fn b_id(value: Option<Value>, policy: Policy) -> Result<Option<String>, Fault> {
    match value {
        Some(Value::String(text)) if !text.trim().is_empty() => Ok(Some(text)),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        None | Some(Value::Null | Value::String(_)) if policy.bare_items => Ok(None),
        None | Some(Value::Null | Value::String(_)) => Err(Fault::missing("bId")),
        Some(_) => Err(Fault::bad_property("bId")),
    }
}

/// What one item asks for: a write, a query or change data capture, and only one of them.
fn asked(mut item: Map<String, Value>, policy: Policy) -> Result<Target, Fault> {
    let operation = text(item.remove("operation"), "operation")?;
    let options = text(item.remove("optionsData"), "optionsData")?;
    let mut parts = item.into_iter().filter(|(_, value)| !value.is_null());
    let (name, value) = parts.next().ok_or_else(|| Fault::missing("IntuitObject"))?;
    if let Some((other, _)) = parts.next() {
        return Err(Fault::conflict(
            &other,
            format!("Conflicting elements found in the request: {name} and {other}"),
        ));
    }
    match (name.as_str(), value) {
        ("Query", Value::String(statement)) => Ok(Target::Query(statement)),
        ("CDCQuery", Value::Object(mut query)) => {
            let mut part =
                |name: &str| text(query.remove(name), name)?.ok_or_else(|| Fault::missing(name));
            let entities = part("Entities")?;
            Ok(Target::Cdc(CdcRequest { entities, changed_since: part("ChangedSince")? }))
        }
        ("ReportQuery", _) => {
            Err(Fault::unsupported_operation("Operation ReportQuery is not supported."))
        }
        (_, value) => {
            let Value::Object(body) = value else { return Err(Fault::bad_property(&name)) };
            if operation.is_none() && !policy.bare_items {
                return Err(Fault::missing("operation"));
            }
            if let Some(singleton) = Singleton::parse(&name) {
                return target::settings(singleton, operation.as_deref(), body);
            }
            let kind = Kind::parse(&name).ok_or_else(|| Fault::bad_object_name(&name))?;
            let options = Options::read(options.as_deref());
            let operation = match operation.as_deref() {
                Some("create") => Operation::Create,
                Some("delete") => Operation::Delete,
                Some("void") => Operation::Void,
                Some("update") if options.void => Operation::Void,
                Some("update") => Operation::Update,
                Some("send") => Operation::Send,
                Some(other) => return Err(target::unsupported(other)),
                None => target::usual_operation(&body),
            };
            let duplicate_numbers = options.duplicate_numbers;
            Ok(Target::Write(Write { kind, operation, body, duplicate_numbers }))
        }
    }
}

/// A text, or nothing where it is missing or empty.
fn text(value: Option<Value>, field: &str) -> Result<Option<String>, Fault> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text).filter(|text| !text.trim().is_empty())),
        Some(_) => Err(Fault::bad_property(field)),
    }
}

/// An item with what lies ahead of it.
struct Ahead {
    /// Its place in the request, and so in the answer.
    place: usize,
    b_id: Option<String>,
    target: Result<Target, Fault>,
    turn: Turn,
    plan: Plan,
    /// The time it takes.
    share: Duration,
}

/// What a batch came to.
pub(super) struct Outcome {
    pub(super) body: Value,
    /// Whether any item was a repeat.
    pub(super) replayed: bool,
}

/// A batch that has arrived: its request ids are held, its faults are planned, nothing is done yet.
pub(super) struct Batch {
    ahead: Vec<Ahead>,
    policy: ReplayPolicy,
}

impl Batch {
    /// At the arrival of a request.
    pub(super) fn arrive(
        app: &App,
        company: &Company,
        items: Vec<Item>,
        request_id: Option<&str>,
        call: &Subject<'_>,
    ) -> Self {
        let policy = app.replay.get();
        let mut ahead: Vec<Ahead> = items
            .into_iter()
            .enumerate()
            .map(|(place, Item { b_id, json, target })| {
                // In the order of the request, so that a fault's `skip` counts what its reader sees.
                let plan = app.faults.plan(&Subject { batch_item: Some(&json), ..*call });
                let turn = match (&target, request_id) {
                    (Ok(target), Some(id)) if target.is_write() => Turn::arrive(
                        app,
                        company,
                        format!("{id}{}", b_id.as_deref().unwrap_or("")),
                        policy,
                    ),
                    _ => Turn::Free,
                };
                Ahead { place, b_id, target, turn, plan, share: app.latency.batch_item() }
            })
            .collect();
        app.chance.shuffle(&mut ahead);
        // Whoever waits for a twin comes last, when the batch holds no other id: two batches with the
        // same ids can then not wait for each other.
        ahead.sort_by_key(|item| item.turn.is_behind());
        Self { ahead, policy }
    }

    /// Carries the items out, each after its share of the time.
    pub(super) async fn run(self, app: &App, company: &Company) -> Outcome {
        let mut answers = Vec::with_capacity(self.ahead.len());
        let mut replayed = false;
        for Ahead { place, b_id, target, turn, plan, share } in self.ahead {
            let (entity, operation) = target.as_ref().map_or(("unknown", "unknown"), Target::names);
            let turn = turn.come(app, company, self.policy).await;
            latency::pass(share).await;
            let in_its_place = plan.before_item().await;
            let (answer, outcome) = match (target, in_its_place) {
                (_, Some(fault)) if !fault.commit => refused(&fault.fault),
                (Err(fault), _) => refused(&fault),
                (Ok(target), in_its_place) => {
                    let done = turn.commit(app, company, &target, self.policy);
                    let outcome = match done.status {
                        _ if done.replayed => ItemOutcome::Replayed,
                        status if status.is_success() => ItemOutcome::Done,
                        _ => ItemOutcome::Refused,
                    };
                    match in_its_place {
                        Some(fault) => (refused(&fault.fault).0, outcome),
                        None => (done.body.value(), outcome),
                    }
                }
            };
            replayed |= outcome == ItemOutcome::Replayed;
            company.counters.item(entity, operation, outcome);
            plan.after_item().await;
            answers.push((place, b_id, answer));
        }
        answers.sort_by_key(|(place, ..)| *place);
        let answers = answers.into_iter().map(|(_, b_id, answer)| (b_id, answer)).collect();
        let (now, zone) = (app.now(), company.state().zone.clone());
        Outcome { body: written(answers, now, &zone), replayed }
    }
}

fn refused(fault: &Fault) -> (Value, ItemOutcome) {
    (json!({ "Fault": fault.in_item() }), ItemOutcome::Refused)
}

/// The answers in the order of the request. Rows that would be too many for one answer are replaced by
/// a fault. Whether the real service does so or cuts the rows off is not known; a fault tells.
fn written(answers: Vec<(Option<String>, Value)>, now: Timestamp, zone: &TimeZone) -> Value {
    let mut room = MAX_OBJECTS;
    for (_, answer) in &answers {
        if rows(answer).is_none() {
            room -= 1;
        }
    }
    let items: Vec<Value> = answers
        .into_iter()
        .map(|(b_id, answer)| {
            let answer = match rows(&answer) {
                Some(rows) if rows > room => {
                    let fault = Fault::batch_too_big(format!(
                        "The batch's answer is too big. The limit is {MAX_OBJECTS} objects."
                    ));
                    json!({ "Fault": fault.in_item() })
                }
                rows => {
                    room -= rows.unwrap_or(0);
                    answer
                }
            };
            in_batch(b_id, answer)
        })
        .collect();
    json!({ "BatchItemResponse": items, "time": wire_instant(now, zone) })
}

/// How many objects a query or change data capture answers; `None` for an entity.
fn rows(answer: &Value) -> Option<usize> {
    let arrays = |group: &Value| -> usize {
        let Value::Object(group) = group else { return 0 };
        group.values().filter_map(Value::as_array).map(Vec::len).sum()
    };
    if answer.get("Fault").is_some() {
        return Some(0);
    }
    if let Some(response) = answer.get("QueryResponse") {
        return Some(arrays(response));
    }
    let changes = answer.get("CDCResponse")?.as_array()?;
    let groups = changes.iter().filter_map(|response| response["QueryResponse"].as_array());
    Some(groups.flatten().map(arrays).sum())
}

/// An answer as it stands in a batch: with its `bId`, without a time of its own, and change data
/// capture without the list around its one response (the form that Intuit's Java SDK reads).
fn in_batch(b_id: Option<String>, answer: Value) -> Value {
    let Value::Object(mut answer) = answer else { return answer };
    answer.remove("time");
    if let Some(Value::Array(mut responses)) = answer.remove("CDCResponse") {
        answer.insert("CDCResponse".into(), responses.pop().unwrap_or_else(|| json!({})));
    }
    if let Some(b_id) = b_id {
        answer.insert("bId".into(), Value::String(b_id));
    }
    Value::Object(answer)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Any JSON, with the names that mean something among its keys.
    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "(create|update|void|select \\* from Item|.{0,9})".prop_map(Value::from),
        ];
        let key = "(bId|operation|optionsData|Query|CDCQuery|Item|TimeActivity|Entities|.{0,5})";
        leaf.prop_recursive(4, 48, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec((key, inner), 0..6)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_is_sent_is_read_or_refused(items in json(), bare_items: bool) {
            let body = json!({ "BatchItemRequest": items }).to_string();
            match read(body.as_bytes(), Policy { bare_items }) {
                Ok(read) => prop_assert_eq!(read.len(), items.as_array().map_or(0, Vec::len)),
                Err(fault) => prop_assert_eq!(fault.status.as_u16(), 400),
            }
        }
    }
}
