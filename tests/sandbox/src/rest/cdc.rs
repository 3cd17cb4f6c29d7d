//! Change data capture: what changed in the last 30 days, deletions included.

use jiff::{SignedDuration, Timestamp, civil::DateTime};
use serde_json::{Map, Value, json};

use crate::{
    entities::{Kind, Singleton, permitted},
    fault::Fault,
    ids::EntityId,
    store::{Record, Scan, State, wire_second},
};

/// How far back it looks (API reference).
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Objects in one answer, over all entities (API reference).
const MAX_OBJECTS: usize = 1000;
/// Entities that it does not know (API reference).
const WITHOUT: [&str; 5] = ["JournalCode", "TaxAgency", "TimeActivity", "TaxCode", "TaxRate"];

/// What is asked for, as sent.
#[derive(Debug)]
pub(super) struct CdcRequest {
    /// Names with commas between them.
    pub(super) entities: String,
    /// A date, or a date and time with or without an offset.
    pub(super) changed_since: String,
}

/// One element of `CDCResponse`: a group for each entity asked for, in the order of asking. A group in
/// which nothing changed is an empty object.
pub(super) fn run(state: &State, request: &CdcRequest, now: Timestamp) -> Result<Value, Fault> {
    let entities = entities(&request.entities)?;
    let since = since(state, &request.changed_since, now)?;
    let mut room = MAX_OBJECTS;
    let mut groups = Vec::with_capacity(entities.len());
    for entity in entities {
        let group = match entity {
            Entity::Kind(kind) => {
                permitted(state, kind)?;
                group(state, kind, since, room)
            }
            Entity::Singleton(singleton) => settings(state, singleton, since, room),
        };
        room -= group.len();
        groups.push(written(entity.name(), group));
    }
    Ok(json!({ "QueryResponse": groups }))
}

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entity {
    Kind(Kind),
    Singleton(Singleton),
}

impl Entity {
    fn parse(name: &str) -> Option<Self> {
        let singleton = || Singleton::parse(name).map(Self::Singleton);
        Kind::parse(name).map(Self::Kind).or_else(singleton)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Kind(kind) => kind.name(),
            Self::Singleton(singleton) => singleton.name(),
        }
    }
}

/// The entities asked for, each once, whatever the case of their names.
fn entities(names: &str) -> Result<Vec<Entity>, Fault> {
    let mut entities = Vec::new();
    for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        if let Some(name) = WITHOUT.into_iter().find(|without| without.eq_ignore_ascii_case(name)) {
            return Err(Fault::unsupported_operation(format!(
                "Operation cdc is not supported for the entity {name}."
            )));
        }
        let entity = Entity::parse(name).ok_or_else(|| Fault::bad_object_name(name))?;
        if !entities.contains(&entity) {
            entities.push(entity);
        }
    }
    if entities.is_empty() { Err(Fault::missing("entities")) } else { Ok(entities) }
}

/// The instant to look back to. What has no offset is in the company's zone.
fn since(state: &State, text: &str, now: Timestamp) -> Result<Timestamp, Fault> {
    let since = instant(state, text).ok_or_else(|| Fault::bad_date("changedSince", text))?;
    let whole = |at: Timestamp| Timestamp::from_second(at.as_second()).unwrap_or(at);
    // To the second, as MetaData is: a change within the second of `changedSince` is not lost, and a
    // caller that names 30 days ago to the second is not late by the milliseconds of its way.
    let (since, now) = (whole(since), whole(now));
    if now.duration_since(since) > LOOK_BACK {
        // A recorded text (Wish-Org/QuickBooksSharp#19); the code is that of its first words.
        return Err(Fault::unsupported_operation(format!(
            "Operation cdc with changedSince date {text} which is older than fixed days is not \
             supported."
        )));
    }
    Ok(since)
}

fn instant(state: &State, text: &str) -> Option<Timestamp> {
    let text = text.trim();
    // A `+` that was not encoded arrives as a blank.
    let text = match text.split_once('T') {
        Some((date, time)) => format!("{date}T{}", time.replace(' ', "+")),
        None => text.to_owned(),
    };
    text.parse().ok().or_else(|| {
        let local: DateTime = text.parse().ok()?;
        Some(local.to_zoned(state.zone.clone()).ok()?.timestamp())
    })
}

/// An entity as it is now, or its gravestone.
enum Changed {
    Live(Map<String, Value>),
    Deleted(Value),
}

/// At most `room` objects: first what is there, then what was deleted, each by the time of the change,
/// oldest first, so that what is cut off is the newest.
fn group(state: &State, kind: Kind, since: Timestamp, room: usize) -> Vec<Changed> {
    let table = state.table(kind);
    let live = table
        .scan(Scan::Updated, Some(since), None, false)
        .map(|record: &Record| Changed::Live(state.wire(kind, record)));
    let deleted = table
        .deleted_since(since)
        // An id that was stored anew is no longer deleted.
        .filter(|(_, id)| table.get(id.as_str()).is_none())
        .map(|(at, id)| Changed::Deleted(gravestone(state, id, at)));
    live.chain(deleted).take(room).collect()
}

/// CompanyInfo or Preferences, if it was written.
fn settings(state: &State, singleton: Singleton, since: Timestamp, room: usize) -> Vec<Changed> {
    let settings = match singleton {
        Singleton::CompanyInfo => &state.profile.company_info,
        Singleton::Preferences => &state.profile.preferences,
    };
    let changed = settings.updated.filter(|at| *at >= since);
    let changed = changed.map(|_| Changed::Live(singleton.wire(state)));
    changed.into_iter().take(room).collect()
}

fn gravestone(state: &State, id: &EntityId, at: Timestamp) -> Value {
    json!({
        "Id": id,
        "status": "Deleted",
        "domain": "QBO",
        "MetaData": { "LastUpdatedTime": wire_second(at, &state.zone) },
    })
}

fn written(name: &str, group: Vec<Changed>) -> Value {
    if group.is_empty() {
        return json!({});
    }
    let count = group.len();
    let any_deleted = group.iter().any(|changed| matches!(changed, Changed::Deleted(_)));
    let objects: Vec<Value> = group
        .into_iter()
        .map(|changed| match changed {
            Changed::Live(fields) => Value::Object(fields),
            Changed::Deleted(stone) => stone,
        })
        .collect();
    let mut group = json!({ name: objects, "startPosition": 1, "maxResults": count });
    // The recorded answer has it only in the group with a deleted one.
    if any_deleted && let Value::Object(group) = &mut group {
        group.insert("totalCount".into(), json!(count));
    }
    group
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        crate::seed::load().unwrap().remove(0)
    }

    fn ask(changed_since: &str, now: &str) -> Result<Value, Fault> {
        let request =
            CdcRequest { entities: "Customer".into(), changed_since: changed_since.into() };
        run(&state(), &request, now.parse().unwrap())
    }

    #[test]
    fn thirty_days_are_the_limit_to_the_second() {
        let now = "2026-11-30T12:00:00.900Z";
        ask("2026-10-31T12:00:00Z", now).unwrap();
        ask("2026-10-31T12:00:00.1Z", now).unwrap();
        let fault = ask("2026-10-31T11:59:59Z", now).unwrap_err();
        assert_eq!((fault.status.as_u16(), fault.code.as_ref()), (400, "500"));
        assert_eq!(
            fault.detail.as_ref(),
            "Operation cdc with changedSince date 2026-10-31T11:59:59Z which is older than fixed \
             days is not supported."
        );
        for ancient in ["0001-01-01", "-009999-01-03", "-009999-01-02T01:59:59Z"] {
            ask(ancient, now).unwrap_err();
        }
    }

    #[test]
    fn a_time_comes_in_every_form_that_clients_send() {
        let state = state();
        let read = |text: &str| instant(&state, text).map(|at| at.to_string());
        // Company A is in Denver: UTC-7 in November.
        for (text, expected) in [
            ("2026-11-20", "2026-11-20T07:00:00Z"),
            ("2026-11-20T10:00:00", "2026-11-20T17:00:00Z"),
            ("2026-11-20 10:00:00", "2026-11-20T17:00:00Z"),
            ("2026-11-20T10:00:00Z", "2026-11-20T10:00:00Z"),
            ("2026-11-20T10:00-08:00", "2026-11-20T18:00:00Z"),
            ("2026-11-20T10:00:00.25+01:00", "2026-11-20T09:00:00.25Z"),
            ("2026-11-20T10:00:00 01:00", "2026-11-20T09:00:00Z"),
        ] {
            assert_eq!(read(text).as_deref(), Some(expected), "{text}");
        }
        for text in ["", "yesterday", "2026-13-01", "2026-11-20T25:00:00Z", "1790000000", "😀"] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(ask("yesterday", "2026-11-20T10:00:00Z").unwrap_err().code.as_ref(), "2070");
    }

    #[test]
    fn entities_are_known_in_any_case_and_asked_once() {
        let names = |text: &str| {
            entities(text).map(|all| all.into_iter().map(Entity::name).collect::<Vec<_>>())
        };
        assert_eq!(names("customer, ITEM,,Customer").unwrap(), ["Customer", "Item"]);
        assert_eq!(names("preferences,COMPANYINFO").unwrap(), ["Preferences", "CompanyInfo"]);
        assert_eq!(names(" , ").unwrap_err().code.as_ref(), "2020");
        assert_eq!(names("Customer,Ghost").unwrap_err().code.as_ref(), "2000");
        for without in ["TimeActivity", "taxcode", "TaxRate", "TaxAgency", "JournalCode"] {
            assert_eq!(names(without).unwrap_err().code.as_ref(), "500", "{without}");
        }
    }
}
