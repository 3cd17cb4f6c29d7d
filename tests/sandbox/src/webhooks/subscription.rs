//! What an app asked to be told, where, and how the unknown parts of the real service are played.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::{Host, Url};

use crate::entities::Kind;

/// What is told of an entity (webhooks page, table of operations).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Operation {
    Create,
    Update,
    Delete,
    Merge,
    Void,
    Emailed,
}

use Operation::{Create, Delete, Emailed, Merge, Update, Void};

/// The webhooks page's table, for the entities that the sandbox may have.
const TABLE: [(&str, &[Operation]); 12] = [
    ("TimeActivity", &[Create, Update, Delete]),
    ("Employee", &[Create, Update, Delete, Merge]),
    ("Vendor", &[Create, Update, Delete, Merge]),
    ("Customer", &[Create, Update, Delete, Merge]),
    ("Item", &[Create, Update, Delete, Merge]),
    ("Class", &[Create, Update, Delete, Merge]),
    ("Account", &[Create, Update, Delete, Merge]),
    ("Invoice", &[Create, Update, Delete, Void, Emailed]),
    ("Payment", &[Create, Update, Delete, Void, Emailed]),
    ("Estimate", &[Create, Update, Delete, Emailed]),
    ("Department", &[Create, Update, Merge]),
    ("Preferences", &[Update]),
];

/// The two forms of a notification's body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Shape {
    /// A list of CloudEvents, the only shape since 2026-07-31.
    #[default]
    CloudEvents,
    /// `eventNotifications`, the shape before.
    Classic,
}

impl Shape {
    /// The Content-Type of a post. Not known for CloudEvents: Intuit's migration text says that it
    /// may be this one.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::CloudEvents => "application/cloudevents+json",
            Self::Classic => "application/json",
        }
    }
}

/// A CloudEvent's `data`. Intuit's pages show all three.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Data {
    /// `{}`.
    #[default]
    Empty,
    /// No `data` and no `datacontenttype`.
    Absent,
    /// The entity as it is when the post is made; `{}` of what is gone.
    Full,
}

/// How a void is called in a CloudEvent's type; sources differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum VoidName {
    #[default]
    Voided,
    Void,
}

/// The form of a CloudEvent's `id`. Intuit's blog shows a UUID, its page on data objects (2026) a UUID
/// with the entity's name and id behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EventIds {
    /// `<uuid>-Customer-123`: the form that a client which takes UUIDs only cannot read.
    #[default]
    Named,
    Uuid,
}

/// Where posts go: plain http to this machine, so that nothing leaves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Receiver(Url);

impl Receiver {
    /// # Errors
    /// A sentence that says what is wrong with `text`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| format!("{text} is not a URL: {error}"))?;
        if url.scheme() != "http" {
            return Err(format!("{text} is not an http URL"));
        }
        let local = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
            Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
            Some(Host::Domain(name)) => is_local_name(name),
            None => false,
        };
        if !local {
            return Err(format!(
                "{text} is not on this machine: use a loopback address, localhost \
                                or *.localhost"
            ));
        }
        Ok(Self(url))
    }

    pub(super) fn url(&self) -> &Url {
        &self.0
    }
}

/// `localhost` and the names below it (RFC 6761).
pub(super) fn is_local_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

impl TryFrom<String> for Receiver {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<Receiver> for String {
    fn from(receiver: Receiver) -> Self {
        receiver.0.into()
    }
}

/// One app's subscription, for all companies that it is connected to.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Subscription {
    pub(crate) url: Receiver,
    /// Key of the signature; another thing than the client secret.
    pub(crate) verifier_token: String,
    pub(crate) shape: Shape,
    /// In place of the shape's own.
    pub(crate) content_type: Option<String>,
    /// Operations by entity. An entity that is not named is not told.
    pub(crate) entities: BTreeMap<String, BTreeSet<Operation>>,
    /// Changes within this many milliseconds of the sandbox's clock are posted together. The real
    /// service took 1, 3 or 5 minutes (an older page).
    pub(crate) aggregate_ms: u32,
    /// Events in one post: at most 100 (Intuit's webinar of 2025-02).
    pub(crate) max_events: usize,
    /// Part of the events that come twice, with the same id: 0 to 1.
    pub(crate) duplicate_rate: f64,
    /// Whether the events of one window come in any order.
    pub(crate) disorder: bool,
    /// Whether a post holds events of one company only.
    pub(crate) one_per_realm: bool,
    /// How long the receiver has for its 200, in milliseconds of real time. The real service: 3 s.
    pub(crate) timeout_ms: u32,
    pub(crate) data: Data,
    pub(crate) void_name: VoidName,
    pub(crate) event_ids: EventIds,
}

impl Subscription {
    /// The real service's ways, as far as they are known.
    pub(crate) fn new(url: Receiver, verifier_token: String) -> Self {
        let entities = TABLE
            .into_iter()
            .map(|(name, operations)| (name.to_owned(), operations.iter().copied().collect()))
            .collect();
        Self {
            url,
            verifier_token,
            shape: Shape::default(),
            content_type: None,
            entities,
            aggregate_ms: 1000,
            max_events: 100,
            duplicate_rate: 0.0,
            disorder: false,
            one_per_realm: false,
            timeout_ms: 3000,
            data: Data::default(),
            void_name: VoidName::default(),
            event_ids: EventIds::default(),
        }
    }

    /// This one with `changes` laid over it.
    ///
    /// # Errors
    /// A sentence that names the field which is unknown or has a bad value.
    pub(crate) fn changed(&self, changes: Map<String, Value>) -> Result<Self, String> {
        let Ok(Value::Object(mut fields)) = serde_json::to_value(self) else {
            return Err("the subscription cannot be changed".into());
        };
        fields.extend(changes);
        let mut changed: Self =
            serde_json::from_value(Value::Object(fields)).map_err(|error| error.to_string())?;
        changed.entities = std::mem::take(&mut changed.entities)
            .into_iter()
            .map(|(name, operations)| Ok((known_entity(&name)?, operations)))
            .collect::<Result<_, String>>()?;
        changed.check()?;
        Ok(changed)
    }

    fn check(&self) -> Result<(), String> {
        if self.verifier_token.is_empty() {
            return Err("verifierToken is empty".into());
        }
        if !(1..=100).contains(&self.max_events) {
            return Err("maxEvents must be from 1 to 100".into());
        }
        if !(0.0..=1.0).contains(&self.duplicate_rate) {
            return Err("duplicateRate must be from 0 to 1".into());
        }
        if !(1..=60_000).contains(&self.timeout_ms) {
            return Err("timeoutMs must be from 1 to 60000".into());
        }
        match &self.content_type {
            Some(text) if reqwest::header::HeaderValue::from_str(text).is_err() => {
                Err("contentType is not a header's value".into())
            }
            _ => Ok(()),
        }
    }

    /// Whether `operation` on an entity of this name is told.
    pub(super) fn wants(&self, entity: &str, operation: Operation) -> bool {
        self.entities.get(entity).is_some_and(|operations| operations.contains(&operation))
    }
}

/// QuickBooks' spelling of an entity's name.
fn known_entity(name: &str) -> Result<String, String> {
    let listed = TABLE.iter().map(|(listed, _)| *listed);
    Kind::ALL
        .into_iter()
        .map(Kind::name)
        .chain(listed)
        .find(|known| known.eq_ignore_ascii_case(name))
        .map(ToOwned::to_owned)
        .ok_or(format!("entities: there is no {name}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn changed(changes: Value) -> Result<Subscription, String> {
        let Value::Object(changes) = changes else { panic!("changes are an object") };
        let receiver = Receiver::parse("http://localhost:1/hook").unwrap();
        Subscription::new(receiver, "token".into()).changed(changes)
    }

    #[test]
    fn only_this_machine_is_posted_to() {
        for url in [
            "http://127.0.0.1:9/hook",
            "http://127.8.8.8/",
            "http://[::1]:9/",
            "http://localhost/x?y=z",
            "http://abc123.execute-api.localhost:4566/local/webhooks/quickbooks",
            "http://LOCALHOST:1/",
        ] {
            assert!(Receiver::parse(url).is_ok(), "{url}");
        }
        for url in [
            "https://localhost/",
            "http://example.com/",
            "http://localhost.example.com/",
            "http://notlocalhost/",
            "http://10.0.0.1/",
            "http://0.0.0.0/",
            "http://[::ffff:127.0.0.1]/",
            "http://127.0.0.1@example.com/",
            "ftp://localhost/",
            "localhost:80",
            "",
        ] {
            assert!(Receiver::parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn the_default_is_the_table_of_the_page() {
        let subscription = changed(json!({})).unwrap();
        assert!(subscription.wants("TimeActivity", Delete));
        assert!(!subscription.wants("TimeActivity", Void));
        assert!(subscription.wants("Department", Merge));
        assert!(!subscription.wants("Department", Delete));
        assert!(!subscription.wants("Estimate", Void));
        assert!(!subscription.wants("Term", Update));
    }

    #[test]
    fn entities_are_read_in_any_case_and_replace_the_table() {
        let subscription = changed(json!({ "entities": { "employee": ["Update"] } })).unwrap();
        assert!(subscription.wants("Employee", Update));
        assert!(!subscription.wants("Employee", Create));
        assert!(!subscription.wants("Customer", Update));
    }

    #[test]
    fn a_bad_field_is_named() {
        for (changes, named) in [
            (json!({ "url": "http://example.com" }), "example.com"),
            (json!({ "verifierToken": "" }), "verifierToken"),
            (json!({ "maxEvents": 0 }), "maxEvents"),
            (json!({ "maxEvents": 101 }), "maxEvents"),
            (json!({ "duplicateRate": 1.5 }), "duplicateRate"),
            (json!({ "duplicateRate": -0.1 }), "duplicateRate"),
            (json!({ "timeoutMs": 0 }), "timeoutMs"),
            (json!({ "aggregateMs": -1 }), "u32"),
            (json!({ "contentType": "a\nb" }), "contentType"),
            (json!({ "shape": "xml" }), "xml"),
            (json!({ "entities": { "Employer": ["Update"] } }), "Employer"),
            (json!({ "entities": { "Employee": ["Updated"] } }), "Updated"),
            (json!({ "disordr": true }), "disordr"),
            (json!({ "url": null }), "null"),
        ] {
            let problem = changed(changes.clone()).unwrap_err();
            assert!(problem.contains(named), "{changes}: {problem}");
        }
    }
}
