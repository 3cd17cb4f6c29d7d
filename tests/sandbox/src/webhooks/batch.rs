//! From the changes of one window to the bodies of its posts.

use serde_json::{Map, Value};

use super::{
    event::{self, Event},
    subscription::{Shape, Subscription},
};
use crate::{chance::Chance, ids::Realm};

/// A post's content, before it has a number.
pub(super) struct Draft {
    /// `intuit-t-id`.
    pub(super) trace_id: String,
    pub(super) shape: Option<Shape>,
    pub(super) content_type: String,
    pub(super) realms: Vec<Realm>,
    pub(super) event_ids: Vec<String>,
    pub(super) body: String,
}

/// Which events go together, in which order, and which come twice.
pub(super) fn arrange(
    mut events: Vec<Event>,
    subscription: &Subscription,
    chance: &Chance,
) -> Vec<Vec<Event>> {
    let twice: Vec<Event> =
        events.iter().filter(|_| chance.unit() < subscription.duplicate_rate).cloned().collect();
    events.extend(twice);
    if subscription.disorder {
        chance.shuffle(&mut events);
    }
    let groups = if subscription.one_per_realm { by_realm(events) } else { vec![events] };
    groups
        .iter()
        .flat_map(|group| group.chunks(subscription.max_events.max(1)))
        .map(<[Event]>::to_vec)
        .collect()
}

/// The events of each company, companies in the order of their first event.
fn by_realm(events: Vec<Event>) -> Vec<Vec<Event>> {
    let mut groups: Vec<Vec<Event>> = Vec::new();
    for event in events {
        match groups.iter_mut().find(|group| group[0].realm == event.realm) {
            Some(group) => group.push(event),
            None => groups.push(vec![event]),
        }
    }
    groups
}

/// The post of `events`. `entity` gives an entity's fields.
pub(super) fn draft(
    events: &[Event],
    source: &str,
    trace_id: String,
    subscription: &Subscription,
    entity: impl Fn(&Event) -> Option<Map<String, Value>>,
) -> serde_json::Result<Draft> {
    let body = match subscription.shape {
        Shape::CloudEvents => event::cloud_events(events, source, subscription, entity)?,
        Shape::Classic => event::classic(events)?,
    };
    let mut realms: Vec<Realm> = Vec::new();
    for event in events {
        if !realms.contains(&event.realm) {
            realms.push(event.realm.clone());
        }
    }
    Ok(Draft {
        trace_id,
        shape: Some(subscription.shape),
        content_type: subscription
            .content_type
            .clone()
            .unwrap_or_else(|| subscription.shape.content_type().to_owned()),
        realms,
        event_ids: events.iter().map(|event| event.id.clone()).collect(),
        body,
    })
}
