//! What each kind of entity accepts, and what becomes of it.

mod account;
mod actions;
mod answers;
mod body;
mod email;
mod estimate;
mod invoice;
mod item;
mod kind;
mod lengths;
mod lines;
mod links;
mod merge;
mod money;
mod names;
mod payment;
mod pdf;
mod people;
mod references;
mod sale;
pub(crate) mod schema;
mod settings;
mod singletons;
mod term;
mod time_activity;
mod totals;
mod transaction;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

pub(crate) use actions::remove;
pub(crate) use answers::check_answer;
pub(crate) use kind::Kind;
pub(crate) use links::settle;
pub(crate) use merge::merge;
pub(crate) use names::rename_descendants;
pub(crate) use pdf::pdf;
pub(crate) use settings::update as update_settings;
pub(crate) use singletons::{Singleton, company_info, preferences};

use crate::{
    fault::Fault,
    store::{Record, State},
};

/// A write as asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Create,
    Update,
    Delete,
    /// The body holds Id and SyncToken.
    Void,
    /// By e-mail. The body holds Id and perhaps `BillEmail.Address`; no SyncToken is needed.
    Send,
}

impl Operation {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Void => "void",
            Self::Send => "send",
        }
    }
}

/// Fields of every entity that a caller cannot set through the body's own fields.
const ENVELOPE: [&str; 7] =
    ["Id", "SyncToken", "MetaData", "domain", "status", "sparse", "AttachableRef"];

/// What becomes of a field that the schema does not have. Not known of the real service for every
/// field and version: most are refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum UnknownFields {
    /// 400 with code 2010.
    #[default]
    Refuse,
    Ignore,
}

/// What a write is done under.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances {
    /// The sandbox's present.
    pub(crate) now: Timestamp,
    pub(crate) unknown_fields: UnknownFields,
    /// `include=allowduplicatedocnum`: a DocNumber may be used twice.
    pub(crate) duplicate_numbers: bool,
}

/// Refuses a kind of entity that the role of the person who connected leaves out.
pub(crate) fn permitted(state: &State, kind: Kind) -> Result<(), Fault> {
    if state.profile.not_permitted.contains(&kind) {
        return Err(Fault::not_permitted(kind.name()));
    }
    Ok(())
}

/// Carries out one write and answers the entity as it is now.
pub(crate) fn write(
    state: &mut State,
    kind: Kind,
    operation: Operation,
    body: &Map<String, Value>,
    circumstances: Circumstances,
) -> Result<Map<String, Value>, Fault> {
    state.profile.status.takes_writes()?;
    permitted(state, kind)?;
    let now = circumstances.now;
    let done = match operation {
        // Tax codes are made by QuickBooks' own tax centre.
        Operation::Create | Operation::Update => kind != Kind::TaxCode,
        Operation::Delete => !kind.is_name_list(),
        Operation::Void => matches!(kind, Kind::Invoice | Kind::Payment),
        Operation::Send => matches!(kind, Kind::Invoice | Kind::Estimate),
    };
    if !done {
        return Err(unsupported(kind, operation));
    }
    let body = schema::read_body(kind.name(), body, circumstances.unknown_fields)?;
    match operation {
        Operation::Create => {
            let fields = writable(kind, body);
            let fields = finish(state, kind, fields, None, circumstances)?;
            let id = state.next_id(kind);
            let record = state.put(kind, id, fields, now);
            links::settle(state, kind, None, Some(&record.fields), now);
            Ok(state.wire(kind, &record))
        }
        Operation::Update => update(state, kind, body, circumstances),
        Operation::Delete => {
            let record = current(state, kind, &body)?;
            if kind == Kind::TimeActivity {
                time_activity::may_delete(state, &record)?;
            }
            actions::delete(state, kind, &record, now)?;
            Ok(deleted(&record))
        }
        Operation::Void => {
            let record = current(state, kind, &body)?;
            let voided = actions::void(state, kind, &record, now)?;
            Ok(state.wire(kind, &voided))
        }
        Operation::Send => {
            let id =
                body.get("Id").and_then(schema::text_of).ok_or_else(|| Fault::missing("Id"))?;
            let record = state.table(kind).get(&id).ok_or_else(Fault::not_found)?.clone();
            let to = body.get("BillEmail").and_then(|mail| mail.get("Address")?.as_str());
            let sent = actions::send(state, kind, &record, to, now)?;
            Ok(state.wire(kind, &sent))
        }
    }
}

fn unsupported(kind: Kind, operation: Operation) -> Fault {
    Fault::unsupported_operation(format!(
        "Operation {} is not supported for the entity {}.",
        operation.name(),
        kind.name()
    ))
}

fn deleted(record: &Record) -> Map<String, Value> {
    let mut out = Map::new();
    out.insert("status".into(), json!("Deleted"));
    out.insert("domain".into(), json!("QBO"));
    out.insert("Id".into(), json!(record.id));
    out
}

/// A full update nulls the writable fields it leaves out; a sparse one changes only what it sends.
fn update(
    state: &mut State,
    kind: Kind,
    body: Map<String, Value>,
    circumstances: Circumstances,
) -> Result<Map<String, Value>, Fault> {
    let now = circumstances.now;
    let old = current(state, kind, &body)?;
    let sparse = body.get("sparse") == Some(&Value::Bool(true));
    let mut fields = if sparse {
        old.fields.clone()
    } else {
        let mut kept = old.fields.clone();
        kept.retain(|name, _| kind.read_only().contains(&name.as_str()));
        kept
    };
    let sent = writable(kind, body);
    if sparse && kind == Kind::TimeActivity {
        time_activity::drop_replaced_times(&mut fields, &sent);
    }
    fields.extend(sent);
    fields.retain(|_, value| !value.is_null());
    let fields = finish(state, kind, fields, Some(&old), circumstances)?;
    let record = state.put(kind, old.id.clone(), fields, now);
    links::settle(state, kind, Some(&old.fields), Some(&record.fields), now);
    if kind.is_name_list() {
        rename_descendants(state, kind, record.id.as_str());
    }
    Ok(state.wire(kind, &record))
}

/// The entity that an update or delete is about, if its SyncToken is today's.
fn current(state: &State, kind: Kind, body: &Map<String, Value>) -> Result<Record, Fault> {
    let text = |field: &str| body.get(field).and_then(schema::text_of);
    let id = text("Id").ok_or_else(|| Fault::missing("Id"))?;
    let token = text("SyncToken").ok_or_else(|| Fault::missing("SyncToken"))?;
    let record = state.table(kind).get(&id).ok_or_else(Fault::not_found)?;
    if token != record.sync_token.to_string() {
        return Err(Fault::stale());
    }
    Ok(record.clone())
}

/// What the caller may set: the rest is ignored in silence, as QuickBooks does.
fn writable(kind: Kind, mut body: Map<String, Value>) -> Map<String, Value> {
    body.retain(|name, _| {
        !ENVELOPE.contains(&name.as_str()) && !kind.read_only().contains(&name.as_str())
    });
    body
}

/// Checks the whole entity and fills in what QuickBooks fills in.
fn finish(
    state: &State,
    kind: Kind,
    mut fields: Map<String, Value>,
    old: Option<&Record>,
    circumstances: Circumstances,
) -> Result<Map<String, Value>, Fault> {
    fields.retain(|_, value| !value.is_null());
    match kind {
        Kind::TimeActivity => return time_activity::finish(state, fields, old, circumstances.now),
        Kind::Invoice => return invoice::finish(state, fields, old, circumstances),
        Kind::Estimate => return estimate::finish(state, fields, old, circumstances),
        Kind::Payment => return payment::finish(state, fields, old, circumstances),
        Kind::Item => item::check(state, &mut fields, old)?,
        Kind::Account => account::finish(state, &mut fields, old)?,
        Kind::Term => term::check(&mut fields)?,
        Kind::Customer | Kind::Vendor | Kind::Employee => {
            people::check(state, kind, &mut fields, old)?;
        }
        _ => {}
    }
    names::finish(state, kind, fields, old)
}
