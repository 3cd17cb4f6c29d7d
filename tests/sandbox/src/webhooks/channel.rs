//! One app's webhooks: its subscription, what waits for it, and the task that tells it.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use super::{
    batch::{self, Draft},
    book::{Book, Next},
    delivery::{Delivery, Origin},
    event::{self, Event},
    sender::{Outgoing, Sender},
    signature,
    subscription::{EventIds, Subscription},
};
use crate::{
    app::App,
    chance::Chance,
    clock::Clock,
    entities::{Kind, preferences},
    ids::{ClientId, Realm},
    store::{Change, lock},
};

/// The longest sleep of the background task.
const LONGEST_SLEEP: Duration = Duration::from_hours(1);

/// See the module.
pub(crate) struct Channel {
    /// A source of its own, from the sandbox's seed: the background task draws between requests, and
    /// must not change what those draw.
    chance: Chance,
    /// A CloudEvent's `source`: without a meaning that Intuit documents.
    source: String,
    book: Mutex<Book>,
    /// Marked whenever the book was written in.
    written: watch::Sender<()>,
    sender: Arc<Sender>,
}

/// A hand-made post's signature.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Signing {
    #[default]
    Right,
    /// Of the same bytes under another key.
    Wrong,
    Missing,
}

/// What becomes `intuit-signature`.
pub(crate) enum Signed {
    As(Signing),
    /// Under this token.
    With(String),
    /// This text, whatever it is.
    Text(String),
}

impl Channel {
    /// Of the app `client`, which has not subscribed yet.
    pub(super) fn new(client: &ClientId, seed: u64, sender: Arc<Sender>) -> Self {
        Self {
            chance: Chance::new(seed_of(client, seed)),
            source: format!("intuit.{}", BASE64_STANDARD.encode(Sha256::digest(client.as_str()))),
            book: Mutex::default(),
            written: watch::Sender::default(),
            sender,
        }
    }

    /// Back to the start with this subscription; nothing waits and nothing was sent.
    pub(super) fn reset(
        &self,
        client: &ClientId,
        seed: u64,
        subscription: Option<Arc<Subscription>>,
    ) {
        self.chance.reseed(seed_of(client, seed));
        self.write(|book| book.reset(subscription));
    }

    /// Notes the changes of a company that the app is connected to.
    pub(super) fn tell(&self, realm: &Realm, changes: &[Change]) {
        let mut book = lock(&self.book);
        let Some(subscription) = book.subscription.clone() else { return };
        for Change { entity, id: entity_id, change, at } in changes.iter().cloned() {
            let (operation, deleted) = event::operation(change);
            if !subscription.wants(entity, operation) {
                continue;
            }
            let uuid = self.chance.uuid();
            let id = match subscription.event_ids {
                EventIds::Uuid => uuid.to_string(),
                EventIds::Named => format!("{uuid}-{entity}-{entity_id}"),
            };
            let within_ms = i64::try_from(self.chance.bits() % 1_000_000).unwrap_or(0);
            let time = book.time_of(at, within_ms);
            let realm = realm.clone();
            book.wait_for_window(Event {
                id,
                realm,
                entity,
                entity_id,
                operation,
                deleted,
                at,
                time,
            });
        }
        drop(book);
        self.written.send_replace(());
    }

    fn write<T>(&self, with: impl FnOnce(&mut Book) -> T) -> T {
        let result = with(&mut lock(&self.book));
        self.written.send_replace(());
        result
    }

    fn trace_id(&self) -> String {
        self.chance.uuid().to_string()
    }

    pub(super) fn is_subscribed(&self) -> bool {
        lock(&self.book).subscription.is_some()
    }

    pub(super) fn forget_waiting(&self) {
        self.write(Book::drop_waiting);
    }

    pub(crate) fn subscription(&self) -> Option<Arc<Subscription>> {
        lock(&self.book).subscription.clone()
    }

    /// Takes on a subscription; what waits is sent by the new one. `None` throws it away.
    pub(crate) fn subscribe(&self, subscription: Option<Subscription>) {
        self.write(|book| book.subscribe(subscription.map(Arc::new)));
    }

    pub(crate) fn is_paused(&self) -> bool {
        lock(&self.book).paused
    }

    /// Holds back the posts of changes, or lets them go.
    pub(crate) fn pause(&self, paused: bool) {
        self.write(|book| book.paused = paused);
    }

    /// Numbers of changes and of posts that wait.
    pub(crate) fn waiting(&self) -> (usize, usize) {
        lock(&self.book).waiting()
    }

    /// The last `most` posts that are kept and that `wanted` wants, oldest first.
    pub(crate) fn deliveries(
        &self,
        wanted: impl Fn(&Delivery) -> bool,
        most: usize,
    ) -> Vec<Delivery> {
        let book = lock(&self.book);
        let mut chosen: Vec<_> =
            book.deliveries().rev().filter(|delivery| wanted(delivery)).take(most).collect();
        chosen.reverse();
        chosen.into_iter().cloned().collect()
    }

    /// Forgets the posts that are not tried again.
    pub(crate) fn forget_finished(&self) {
        self.write(Book::forget_finished);
    }

    /// Closes the open window, so that its changes are posted now.
    pub(crate) fn flush(&self) {
        self.write(Book::flush);
    }

    /// Waits until nothing is under way and nothing due.
    pub(super) async fn settle(&self, clock: &Clock) {
        let mut written = self.written.subscribe();
        loop {
            written.borrow_and_update();
            if lock(&self.book).is_settled(clock.now()) || written.changed().await.is_err() {
                return;
            }
        }
    }

    /// Posts `body` now, once, past the queue. `None` without a subscription.
    pub(crate) async fn send(
        &self,
        clock: &Clock,
        body: String,
        content_type: Option<String>,
        signed: Signed,
    ) -> Option<Delivery> {
        let subscription = self.subscription()?;
        let draft = Draft {
            trace_id: self.trace_id(),
            shape: None,
            content_type: content_type
                .or_else(|| subscription.content_type.clone())
                .unwrap_or_else(|| subscription.shape.content_type().to_owned()),
            realms: Vec::new(),
            event_ids: Vec::new(),
            body,
        };
        Some(self.post_once(clock, &subscription, (Origin::Hand, None), draft, signed).await)
    }

    /// Posts what the post `seq` held once more, now and once. `None`: there is no such post, or no
    /// subscription.
    pub(crate) async fn redeliver(&self, clock: &Clock, seq: u64) -> Option<Delivery> {
        let subscription = self.subscription()?;
        let old = lock(&self.book).delivery(seq).cloned()?;
        let draft = Draft {
            trace_id: self.trace_id(),
            shape: old.shape,
            content_type: old.content_type,
            realms: old.realms,
            event_ids: old.event_ids,
            body: old.body,
        };
        let origin = (Origin::Redelivery, Some(seq));
        let signed = Signed::As(Signing::Right);
        Some(self.post_once(clock, &subscription, origin, draft, signed).await)
    }

    async fn post_once(
        &self,
        clock: &Clock,
        subscription: &Subscription,
        (origin, repeats): (Origin, Option<u64>),
        draft: Draft,
        signed: Signed,
    ) -> Delivery {
        let delivery = self.write(|book| book.begin(origin, repeats, draft, clock.now()));
        let outcome = self.sender.post(outgoing(&delivery, subscription, &signed)).await;
        let seq = delivery.seq;
        self.write(|book| book.end(seq, outcome)).unwrap_or(delivery)
    }

    /// What is due at `now`.
    pub(super) fn next(&self, now: Timestamp) -> Next {
        lock(&self.book).next(now)
    }

    /// Queues what [`Self::batch`] made; `generation` came with the changes.
    pub(super) fn enqueue(&self, generation: u64, posts: Vec<Draft>, now: Timestamp) {
        self.write(|book| {
            book.enqueue(generation, posts, now);
            book.rest();
        });
    }

    /// Makes the posts of one window's changes.
    pub(super) fn batch(
        &self,
        app: &App,
        events: Vec<Event>,
        subscription: &Subscription,
    ) -> Vec<Draft> {
        let entity = |event: &Event| -> Option<Map<String, Value>> {
            let company = app.company(event.realm.as_str())?;
            let state = company.state();
            match Kind::parse(event.entity) {
                Some(kind) => {
                    let record = state.table(kind).get(event.entity_id.as_str())?;
                    Some(state.wire(kind, record))
                }
                None if event.entity == "Preferences" => Some(preferences(&state)),
                None => None,
            }
        };
        batch::arrange(events, subscription, &self.chance)
            .iter()
            .filter_map(|events| {
                batch::draft(events, &self.source, self.trace_id(), subscription, entity)
                    .inspect_err(|error| tracing::error!(%error, "a webhook cannot be written"))
                    .ok()
            })
            .collect()
    }
}

/// A post with its headers, which are those of Intuit's sample.
fn outgoing(delivery: &Delivery, subscription: &Subscription, signed: &Signed) -> Outgoing {
    let sign = |token: &str| signature::sign(token, delivery.body.as_bytes());
    let right = &subscription.verifier_token;
    let signature = match signed {
        Signed::As(Signing::Right) => Some(sign(right)),
        Signed::As(Signing::Wrong) => Some(sign(&format!("not {right}"))),
        Signed::As(Signing::Missing) => None,
        Signed::With(token) => Some(sign(token)),
        Signed::Text(text) => Some(text.clone()),
    };
    let mut headers = vec![
        ("content-type", delivery.content_type.clone()),
        ("accept", "application/json".to_owned()),
        ("user-agent", "intuit_notification_server/0.1".to_owned()),
        ("intuit-created-time", delivery.at.to_string()),
        ("intuit-t-id", delivery.trace_id.clone()),
        ("intuit-notification-schema-version", "0.1".to_owned()),
    ];
    headers.extend(signature.map(|signature| ("intuit-signature", signature)));
    Outgoing {
        url: subscription.url.url().clone(),
        timeout: Duration::from_millis(subscription.timeout_ms.into()),
        headers,
        body: delivery.body.clone(),
    }
}

/// Where an app's own chance begins.
fn seed_of(client: &ClientId, seed: u64) -> u64 {
    let digest = Sha256::digest(client.as_str());
    digest.iter().take(8).fold(seed, |seed, byte| seed.rotate_left(8) ^ u64::from(*byte))
}

/// Tells the app what changed, for ever.
pub(super) async fn work(app: Arc<App>, channel: Arc<Channel>) {
    let mut written = channel.written.subscribe();
    let mut moves = app.clock.moves();
    loop {
        // Seen before the look, so that what comes during it wakes this again.
        written.borrow_and_update();
        moves.borrow_and_update();
        match channel.next(app.now()) {
            Next::Batch(events, subscription, generation) => {
                let posts = channel.batch(&app, events, &subscription);
                channel.enqueue(generation, posts, app.now());
            }
            Next::Post(delivery, subscription) => {
                let signed = Signed::As(Signing::Right);
                let outcome =
                    channel.sender.post(outgoing(&delivery, &subscription, &signed)).await;
                channel.write(|book| {
                    book.end(delivery.seq, outcome);
                    book.rest();
                });
            }
            Next::Wait(wait) => {
                let wait = wait.and_then(|wait| Duration::try_from(wait).ok());
                let wait = wait.map_or(LONGEST_SLEEP, |wait| wait.min(LONGEST_SLEEP));
                tokio::select! {
                    _ = written.changed() => {}
                    _ = moves.changed() => {}
                    // A millisecond more: the clock's present is cut to the millisecond.
                    () = tokio::time::sleep(wait + Duration::from_millis(1)) => {}
                }
            }
        }
    }
}
