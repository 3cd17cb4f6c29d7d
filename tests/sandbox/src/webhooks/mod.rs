//! Webhooks: changes of entities, told to the app.

use std::sync::Mutex;

use crate::{
    ids::Realm,
    store::{Change, lock},
};

/// Takes every change of every company.
#[derive(Default)]
pub(crate) struct Webhooks {
    waiting: Mutex<Vec<(Realm, Change)>>,
}

impl Webhooks {
    /// Takes the changes of one company. Never waits: it is called under the company's lock.
    pub(crate) fn tell(&self, realm: &Realm, changes: Vec<Change>) {
        lock(&self.waiting).extend(changes.into_iter().map(|change| (realm.clone(), change)));
    }
}
