//! Webhooks: changes of entities, told to the app the way the real service tells them.
//!
//! - `subscription`: what the app asked for; `event`: the two shapes of a body
//! - `book`: windows, the queue and its order; `ladder`: when an attempt is repeated
//! - `batch`: from changes to bodies; `delivery`: a post and what became of it
//! - `signature`, `sender`: how a post goes out
//!
//! A change is noted while its company is locked, so nothing waits there. One background task does
//! the rest by the sandbox's clock, and looks again whenever that is moved.

mod batch;
mod book;
mod delivery;
mod event;
mod ladder;
mod sender;
mod signature;
mod subscription;
#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use tokio::sync::watch;

pub(crate) use delivery::{Delivery, Origin};
pub(crate) use subscription::{Receiver, Subscription};

use crate::{
    app::App,
    chance::Chance,
    clock::Clock,
    config::Config,
    ids::Realm,
    oauth::Oauth,
    store::{Change, lock},
};
use batch::Draft;
use book::{Book, Next};
use event::Event;
use sender::{Outgoing, Sender};
use subscription::EventIds;

/// The longest sleep of the background task, and of whoever waits for it.
const LONGEST_SLEEP: Duration = Duration::from_hours(1);

/// Takes every change of every company and tells the app.
pub(crate) struct Webhooks {
    oauth: Arc<Oauth>,
    /// A source of its own, from the same seed: the background task draws between requests, and must
    /// not change what those draw.
    chance: Chance,
    /// A CloudEvent's `source`: one per app, without a meaning that Intuit documents.
    source: String,
    book: Mutex<Book>,
    /// Marked whenever the book was written in.
    written: watch::Sender<()>,
    sender: Sender,
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

impl Webhooks {
    /// # Errors
    /// The configured URL is not one on this machine.
    pub(crate) fn new(config: &Config, oauth: Arc<Oauth>) -> Result<Self, String> {
        let digest = Sha256::digest(&config.client_id);
        let webhooks = Self {
            oauth,
            chance: Chance::new(config.seed),
            source: format!("intuit.{}", BASE64_STANDARD.encode(digest)),
            book: Mutex::default(),
            written: watch::Sender::default(),
            sender: Sender::default(),
        };
        webhooks.reset(config)?;
        Ok(webhooks)
    }

    /// Back to the configured subscription; nothing waits and nothing was sent.
    pub(crate) fn reset(&self, config: &Config) -> Result<(), String> {
        let receiver = config.webhook_url.as_deref().map(Receiver::parse).transpose()?;
        let token = &config.webhook_verifier_token;
        let subscription = receiver.map(|to| Arc::new(Subscription::new(to, token.clone())));
        self.chance.reseed(!config.seed);
        self.write(|book| book.reset(subscription));
        Ok(())
    }

    /// Takes the changes of one company. Never waits: it is called under the company's lock.
    ///
    /// Only companies that are connected are told of: the app has a grant that lives.
    pub(crate) fn tell(&self, realm: &Realm, changes: Vec<Change>) {
        let mut book = lock(&self.book);
        let Some(subscription) = book.subscription.clone() else { return };
        if self.oauth.live_grants(realm) == 0 {
            return;
        }
        for Change { kind, id: entity, change, at } in changes {
            let (operation, deleted) = event::operation(change);
            if !subscription.wants(kind.name(), operation) {
                continue;
            }
            let uuid = self.chance.uuid();
            let id = match subscription.event_ids {
                EventIds::Uuid => uuid.to_string(),
                EventIds::Named => format!("{uuid}-{}-{entity}", kind.name()),
            };
            let within_ms = i64::try_from(self.chance.bits() % 1_000_000).unwrap_or(0);
            let time = book.time_of(at, within_ms);
            let realm = realm.clone();
            book.wait_for_window(Event { id, realm, kind, entity, operation, deleted, at, time });
        }
        drop(book);
        self.written.send_replace(());
    }

    fn write<T>(&self, with: impl FnOnce(&mut Book) -> T) -> T {
        let result = with(&mut lock(&self.book));
        self.written.send_replace(());
        result
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

    /// Posts that are kept and that `wanted` wants, oldest first.
    pub(crate) fn deliveries(&self, wanted: impl Fn(&Delivery) -> bool) -> Vec<Delivery> {
        lock(&self.book).deliveries().filter(|delivery| wanted(delivery)).cloned().collect()
    }

    /// Forgets the posts that are not tried again.
    pub(crate) fn forget_finished(&self) {
        self.write(Book::forget_finished);
    }

    /// Closes the open window, so that its changes are posted now.
    pub(crate) fn flush(&self) {
        self.write(Book::flush);
    }

    /// Waits until nothing is under way and nothing due; at most `patience`. Whether it came to that.
    pub(crate) async fn settle(&self, clock: &Clock, patience: Duration) -> bool {
        let mut written = self.written.subscribe();
        let settled = async {
            loop {
                written.borrow_and_update();
                if lock(&self.book).is_settled(clock.now()) {
                    return;
                }
                if written.changed().await.is_err() {
                    return;
                }
            }
        };
        tokio::time::timeout(patience, settled).await.is_ok()
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
        let trace_id = self.chance.uuid().to_string();
        let delivery = self.write(|book| book.begin(origin, repeats, draft, trace_id, clock.now()));
        let outcome = self.sender.post(outgoing(&delivery, subscription, &signed)).await;
        let seq = delivery.seq;
        self.write(|book| book.end(seq, outcome)).unwrap_or(delivery)
    }

    /// Makes the posts of one window's changes.
    fn batch(&self, app: &App, events: Vec<Event>, subscription: &Subscription) -> Vec<Draft> {
        let entity = |event: &Event| -> Option<Map<String, Value>> {
            let company = app.company(event.realm.as_str())?;
            let state = company.state();
            let record = state.table(event.kind).get(event.entity.as_str())?;
            Some(state.wire(event.kind, record))
        };
        batch::arrange(events, subscription, &self.chance)
            .iter()
            .filter_map(|events| {
                batch::draft(events, &self.source, subscription, entity)
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

/// Tells the app what changed, until the sandbox stops.
pub(crate) async fn run(app: Arc<App>, mut stopped: watch::Receiver<bool>) {
    tokio::select! {
        () = work(&app) => {}
        // An error means that the sandbox was dropped.
        _ = stopped.wait_for(|stopped| *stopped) => {}
    }
}

async fn work(app: &App) {
    let webhooks = &app.webhooks;
    let mut written = webhooks.written.subscribe();
    let mut moves = app.clock.moves();
    loop {
        // Seen before the look, so that what comes during it wakes this again.
        written.borrow_and_update();
        moves.borrow_and_update();
        let next = lock(&webhooks.book).next(app.now());
        match next {
            Next::Batch(events, subscription, generation) => {
                let posts = webhooks.batch(app, events, &subscription);
                let posts = posts
                    .into_iter()
                    .map(|draft| (draft, webhooks.chance.uuid().to_string()))
                    .collect();
                webhooks.write(|book| {
                    book.enqueue(generation, posts, app.now());
                    book.rest();
                });
            }
            Next::Post(delivery, subscription) => {
                let signed = Signed::As(Signing::Right);
                let outcome =
                    webhooks.sender.post(outgoing(&delivery, &subscription, &signed)).await;
                webhooks.write(|book| {
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
