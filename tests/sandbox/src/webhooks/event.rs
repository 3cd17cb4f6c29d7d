//! One change as an app is told of it, and the two shapes of a body.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::subscription::{Data, Operation, Subscription, VoidName};
use crate::{
    ids::{EntityId, Realm},
    store::ChangeKind,
};

/// One change, with the id that it keeps on every retry.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) id: String,
    pub(super) realm: Realm,
    /// QuickBooks' name of what was changed.
    pub(super) entity: &'static str,
    pub(super) entity_id: EntityId,
    pub(super) operation: Operation,
    /// What was merged into the entity.
    pub(super) deleted: Option<EntityId>,
    /// When it happened by the sandbox's clock, to the millisecond.
    pub(super) at: Timestamp,
    /// The same as the app is told it, to the nanosecond: later for a later change.
    pub(super) time: Timestamp,
}

/// What a change is called, and what it did away with.
pub(super) fn operation(change: ChangeKind) -> (Operation, Option<EntityId>) {
    match change {
        ChangeKind::Create => (Operation::Create, None),
        ChangeKind::Update => (Operation::Update, None),
        ChangeKind::Delete => (Operation::Delete, None),
        ChangeKind::Void => (Operation::Void, None),
        ChangeKind::Emailed => (Operation::Emailed, None),
        ChangeKind::Merge { deleted } => (Operation::Merge, Some(deleted)),
    }
}

/// The event's name in a CloudEvent's type.
fn cloud_name(operation: Operation, void: VoidName) -> &'static str {
    match (operation, void) {
        (Operation::Create, _) => "created",
        (Operation::Update, _) => "updated",
        (Operation::Delete, _) => "deleted",
        (Operation::Merge, _) => "merged",
        (Operation::Void, VoidName::Voided) => "voided",
        (Operation::Void, VoidName::Void) => "void",
        (Operation::Emailed, _) => "emailed",
    }
}

/// Intuit's CloudEvent, in the order of its sample.
#[derive(Serialize)]
struct CloudEvent<'a> {
    specversion: &'static str,
    id: &'a str,
    source: &'a str,
    #[serde(rename = "type")]
    type_: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    datacontenttype: Option<&'static str>,
    time: Timestamp,
    intuitentityid: &'a EntityId,
    intuitaccountid: &'a Realm,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Map<String, Value>>,
}

/// A body of CloudEvents. `entity` gives an entity's fields, for subscriptions that want them.
pub(super) fn cloud_events(
    events: &[Event],
    source: &str,
    subscription: &Subscription,
    entity: impl Fn(&Event) -> Option<Map<String, Value>>,
) -> serde_json::Result<String> {
    let told: Vec<CloudEvent> = events
        .iter()
        .map(|event| {
            let mut data = match subscription.data {
                Data::Absent => None,
                Data::Empty => Some(Map::new()),
                Data::Full => Some(entity(event).unwrap_or_default()),
            };
            if let Some(deleted) = &event.deleted {
                // Present whatever the rest holds (webhooks page, data objects).
                data.get_or_insert_default().insert("deletedid".into(), json!(deleted));
            }
            let name = cloud_name(event.operation, subscription.void_name);
            CloudEvent {
                specversion: "1.0",
                id: &event.id,
                source,
                type_: format!("qbo.{}.{name}.v1", event.entity.to_lowercase()),
                datacontenttype: data.is_some().then_some("application/json"),
                time: event.time,
                intuitentityid: &event.entity_id,
                intuitaccountid: &event.realm,
                data,
            }
        })
        .collect();
    serde_json::to_string(&told)
}

/// An entity's change in the classic shape.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Classic<'a> {
    name: &'static str,
    id: &'a EntityId,
    operation: Operation,
    last_updated: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_id: Option<&'a EntityId>,
}

/// A body of the classic shape, companies in the order of their first event.
pub(super) fn classic(events: &[Event]) -> serde_json::Result<String> {
    let mut realms: Vec<(&Realm, Vec<Classic>)> = Vec::new();
    for event in events {
        let told = Classic {
            name: event.entity,
            id: &event.entity_id,
            operation: event.operation,
            last_updated: event.time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
            deleted_id: event.deleted.as_ref(),
        };
        match realms.iter_mut().find(|(realm, _)| *realm == &event.realm) {
            Some((_, entities)) => entities.push(told),
            None => realms.push((&event.realm, vec![told])),
        }
    }
    let notifications: Vec<Value> = realms
        .into_iter()
        .map(|(realm, entities)| {
            json!({ "realmId": realm, "dataChangeEvent": { "entities": entities } })
        })
        .collect();
    serde_json::to_string(&json!({ "eventNotifications": notifications }))
}
