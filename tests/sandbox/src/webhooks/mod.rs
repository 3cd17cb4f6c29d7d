//! Webhooks: changes of entities, told to apps the way the real service tells them.
//!
//! - `subscription`: what an app asked for; `event`: the two shapes of a body
//! - `channel`: one app's; `book`: its windows, the queue and its order; `ladder`: when an attempt is
//!   repeated
//! - `batch`: from changes to bodies; `delivery`: a post and what became of it
//! - `signature`, `sender`: how a post goes out
//!
//! A change is noted while its company is locked, so nothing waits there. One background task for
//! each app does the rest by the sandbox's clock, and looks again whenever that is moved.

mod batch;
mod book;
mod channel;
mod delivery;
mod event;
mod ladder;
mod sender;
mod signature;
mod subscription;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::{sync::watch, task::JoinSet};

pub(crate) use channel::{Channel, Signed, Signing};
pub(crate) use delivery::Delivery;
pub(crate) use subscription::{Receiver, Subscription};

use crate::{
    app::App,
    clock::Clock,
    config::Config,
    ids::{ClientId, Realm},
    oauth::Oauth,
    store::{Change, lock},
};
use sender::Sender;

/// Takes every change of every company and hands it to the apps that are connected.
pub(crate) struct Webhooks {
    oauth: Arc<Oauth>,
    seed: u64,
    sender: Arc<Sender>,
    channels: Mutex<BTreeMap<ClientId, Arc<Channel>>>,
    /// Marked when a channel was added.
    added: watch::Sender<()>,
}

/// One app's subscription as a snapshot keeps it.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    subscription: Option<Subscription>,
    paused: bool,
}

impl Webhooks {
    /// # Errors
    /// The configured URL is not one on this machine.
    pub(crate) fn new(config: &Config, oauth: Arc<Oauth>) -> Result<Self, String> {
        let webhooks = Self {
            oauth,
            seed: config.seed,
            sender: Arc::default(),
            channels: Mutex::default(),
            added: watch::Sender::default(),
        };
        webhooks.reset(config)?;
        Ok(webhooks)
    }

    /// Back to the configured subscription; nothing waits and nothing was sent.
    pub(crate) fn reset(&self, config: &Config) -> Result<(), String> {
        let receiver = config.webhook_url.as_deref().map(Receiver::parse).transpose()?;
        let token = &config.webhook_verifier_token;
        let mut configured = receiver.map(|to| Arc::new(Subscription::new(to, token.clone())));
        self.channel(&ClientId::from(config.client_id.as_str()));
        for (client, channel) in self.channels() {
            let own = if client.as_str() == config.client_id { configured.take() } else { None };
            channel.reset(&client, self.seed, own);
        }
        Ok(())
    }

    /// An app's channel; made if there is none yet.
    pub(crate) fn channel(&self, client: &ClientId) -> Arc<Channel> {
        let mut channels = lock(&self.channels);
        if let Some(channel) = channels.get(client) {
            return Arc::clone(channel);
        }
        let channel = Arc::new(Channel::new(client, self.seed, Arc::clone(&self.sender)));
        channels.insert(client.clone(), Arc::clone(&channel));
        drop(channels);
        self.added.send_replace(());
        channel
    }

    fn channels(&self) -> BTreeMap<ClientId, Arc<Channel>> {
        lock(&self.channels).clone()
    }

    /// Takes the changes of one company. Never waits: it is called under the company's lock.
    ///
    /// An app is told of the companies that it has a live grant of.
    pub(crate) fn tell(&self, realm: &Realm, changes: &[Change]) {
        for (client, channel) in lock(&self.channels).iter() {
            if channel.is_subscribed() && self.oauth.has_grant(client, realm) {
                channel.tell(realm, changes);
            }
        }
    }

    /// Throws away what waits, as when the companies are replaced by others.
    pub(crate) fn forget_waiting(&self) {
        self.channels().values().for_each(|channel| channel.forget_waiting());
    }

    /// The subscriptions, for a snapshot.
    pub(crate) fn keep(&self) -> BTreeMap<ClientId, Kept> {
        let kept = self.channels().into_iter().map(|(client, channel)| {
            let subscription = channel.subscription().map(|own| own.as_ref().clone());
            (client, Kept { subscription, paused: channel.is_paused() })
        });
        kept.collect()
    }

    /// Brings subscriptions back. What waits is thrown away: the companies are replaced too.
    pub(crate) fn restore(&self, mut kept: BTreeMap<ClientId, Kept>) {
        for client in kept.keys() {
            self.channel(client);
        }
        self.forget_waiting();
        for (client, channel) in self.channels() {
            let Kept { subscription, paused } = kept.remove(&client).unwrap_or_default();
            channel.subscribe(subscription);
            channel.pause(paused);
        }
    }

    /// Waits until nothing is under way and nothing due; at most `patience`. Whether it came to that.
    pub(crate) async fn settle(&self, clock: &Clock, patience: Duration) -> bool {
        let settled = async {
            for channel in self.channels().values() {
                channel.settle(clock).await;
            }
        };
        tokio::time::timeout(patience, settled).await.is_ok()
    }
}

/// Tells the apps what changed, until the sandbox stops.
pub(crate) async fn run(app: Arc<App>, mut stopped: watch::Receiver<bool>) {
    let mut added = app.webhooks.added.subscribe();
    let mut served = BTreeSet::new();
    let mut tasks = JoinSet::new();
    loop {
        added.borrow_and_update();
        for (client, channel) in app.webhooks.channels() {
            if served.insert(client) {
                tasks.spawn(channel::work(Arc::clone(&app), channel));
            }
        }
        tokio::select! {
            _ = added.changed() => {}
            // An error means that the sandbox was dropped.
            _ = stopped.wait_for(|stopped| *stopped) => break,
        }
    }
    tasks.shutdown().await;
}
