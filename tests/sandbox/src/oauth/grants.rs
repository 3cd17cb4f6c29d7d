//! Codes, grants and tokens, and how they live and die by the sandbox's clock.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    chance::Chance,
    ids::{ClientId, Realm},
    store::lock,
};

/// An access token's life: `expires_in` of the token answer.
pub(crate) const ACCESS_S: i64 = 3600;
/// A refresh token dies after this long without a refresh (100 days).
const REFRESH_S: i64 = 8_640_000;
/// A grant dies this long after consent, whatever is refreshed (5 years, policy of 2025-11).
const HARD_S: i64 = 157_680_000;
/// The refresh token's value changes with the first refresh after this long.
const ROTATE_S: i64 = 86_400;
/// An authorization code must be exchanged within this time. Intuit publishes none.
const CODE_S: i64 = 600;

/// How the unknown parts of the real service are played.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(crate) struct Policy {
    /// Seconds for which a rotated-out refresh token still works.
    pub(crate) refresh_grace_s: i64,
    /// Whether two refreshes of one grant at once kill it.
    pub(crate) revoke_on_concurrent_refresh: bool,
    /// Whether revoking one token ends every grant of its company.
    pub(crate) revoke_whole_realm: bool,
}

/// Why a grant is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Death {
    Revoked,
    Disconnected,
}

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Unknown,
    Expired,
    Dead(Death),
}

/// What an access token opens, and for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Granted {
    pub(crate) client: ClientId,
    pub(crate) realm: Realm,
}

/// What the token endpoint hands out. Lives in seconds.
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
    pub(crate) refresh_expires_s: i64,
    pub(crate) hard_expires_s: i64,
}

struct Code {
    client: ClientId,
    realm: Realm,
    redirect_uri: String,
    expires: Timestamp,
    /// The grant it was exchanged for.
    spent: Option<u64>,
}

struct Grant {
    client: ClientId,
    realm: Realm,
    refresh: String,
    refresh_since: Timestamp,
    /// The value before, and when it was replaced.
    previous: Option<(String, Timestamp)>,
    refresh_dead: bool,
    expires: Timestamp,
    hard_expires: Timestamp,
    dead: Option<Death>,
    refreshing: usize,
}

struct Access {
    grant: u64,
    expires: Timestamp,
}

#[derive(Default)]
struct Book {
    codes: HashMap<String, Code>,
    grants: HashMap<u64, Grant>,
    access: HashMap<String, Access>,
    /// Every refresh token ever handed out, so that an old one is known as such.
    refresh: HashMap<String, u64>,
    last: u64,
    policy: Policy,
}

/// See the module.
pub(crate) struct Oauth {
    book: Mutex<Book>,
    chance: Arc<Chance>,
}

/// A refresh under way.
pub(crate) struct Refreshing<'a> {
    oauth: &'a Oauth,
    grant: Option<u64>,
    /// Whether another one of the same grant was under way when it began.
    pub(crate) concurrent: bool,
}

impl Drop for Refreshing<'_> {
    fn drop(&mut self) {
        let mut book = lock(&self.oauth.book);
        if let Some(grant) = self.grant.and_then(|id| book.grants.get_mut(&id)) {
            grant.refreshing -= 1;
        }
    }
}

impl Oauth {
    pub(crate) fn new(chance: Arc<Chance>) -> Self {
        Self { book: Mutex::default(), chance }
    }

    pub(crate) fn reset(&self) {
        let mut book = lock(&self.book);
        // Numbers go on, so that a refresh under way does not meet a new grant under its number.
        let last = book.last;
        *book = Book { last, ..Book::default() };
    }

    pub(crate) fn policy(&self) -> Policy {
        lock(&self.book).policy
    }

    pub(crate) fn set_policy(&self, policy: Policy) {
        lock(&self.book).policy = policy;
    }

    /// A code for `realm`, to be exchanged with the same `redirect_uri`.
    pub(crate) fn code(
        &self,
        client: ClientId,
        realm: Realm,
        redirect_uri: String,
        now: Timestamp,
    ) -> String {
        let value = self.chance.text("AB1", 47);
        let code = Code { client, realm, redirect_uri, expires: later(now, CODE_S), spent: None };
        lock(&self.book).codes.insert(value.clone(), code);
        value
    }

    /// The company that a code or refresh token belongs to, for the counters.
    pub(crate) fn realm_of(&self, value: &str) -> Option<Realm> {
        let book = lock(&self.book);
        if let Some(code) = book.codes.get(value) {
            return Some(code.realm.clone());
        }
        let grant = book
            .refresh
            .get(value)
            .or_else(|| book.access.get(value).map(|access| &access.grant))?;
        book.grants.get(grant).map(|grant| grant.realm.clone())
    }

    /// Exchanges a code, once. A second exchange also kills what the first one issued.
    pub(crate) fn exchange(
        &self,
        code: &str,
        redirect_uri: &str,
        now: Timestamp,
    ) -> Result<Tokens, Refusal> {
        let mut book = lock(&self.book);
        let Some(found) = book.codes.get(code) else { return Err(Refusal::Unknown) };
        if let Some(grant) = found.spent {
            if let Some(grant) = book.grants.get_mut(&grant) {
                grant.dead.get_or_insert(Death::Revoked);
            }
            return Err(Refusal::Dead(Death::Revoked));
        }
        if found.redirect_uri != redirect_uri {
            return Err(Refusal::Unknown);
        }
        if now >= found.expires {
            return Err(Refusal::Expired);
        }
        let (client, realm) = (found.client.clone(), found.realm.clone());
        book.last += 1;
        let id = book.last;
        if let Some(found) = book.codes.get_mut(code) {
            found.spent = Some(id);
        }
        let refresh = self.chance.text("RT1-", 50);
        book.refresh.insert(refresh.clone(), id);
        let grant = Grant {
            client,
            realm,
            refresh,
            refresh_since: now,
            previous: None,
            refresh_dead: false,
            expires: later(now, REFRESH_S),
            hard_expires: later(now, HARD_S),
            dead: None,
            refreshing: 0,
        };
        book.grants.insert(id, grant);
        book.tokens(id, self.chance.text("eyJ", 180), now).ok_or(Refusal::Unknown)
    }

    /// Notes that a refresh begins, which is how two at once are seen.
    pub(crate) fn begin_refresh(&self, value: &str) -> Refreshing<'_> {
        let mut book = lock(&self.book);
        let revoke = book.policy.revoke_on_concurrent_refresh;
        let id = book.refresh.get(value).copied();
        let mut concurrent = false;
        if let Some(grant) = id.and_then(|id| book.grants.get_mut(&id)) {
            concurrent = grant.refreshing > 0;
            grant.refreshing += 1;
            if concurrent && revoke {
                grant.dead.get_or_insert(Death::Revoked);
            }
        }
        Refreshing { oauth: self, grant: id, concurrent }
    }

    /// Refreshes. The value handed out is the same within 24 h of its first day and a new one after;
    /// the old one is dead at once, or after the grace that the policy gives.
    pub(crate) fn refresh(&self, value: &str, now: Timestamp) -> Result<Tokens, Refusal> {
        let mut book = lock(&self.book);
        let grace = SignedDuration::from_secs(book.policy.refresh_grace_s);
        let id = *book.refresh.get(value).ok_or(Refusal::Unknown)?;
        let grant = book.grants.get_mut(&id).ok_or(Refusal::Unknown)?;
        if let Some(death) = grant.dead {
            return Err(Refusal::Dead(death));
        }
        if grant.refresh_dead {
            return Err(Refusal::Dead(Death::Revoked));
        }
        if now >= grant.expires || now >= grant.hard_expires {
            return Err(Refusal::Expired);
        }
        let current = grant.refresh == value;
        let in_grace = grant.previous.as_ref().is_some_and(|(previous, replaced)| {
            previous == value && now.duration_since(*replaced) < grace
        });
        if !current && !in_grace {
            return Err(Refusal::Dead(Death::Revoked));
        }
        grant.expires = later(now, REFRESH_S).min(grant.hard_expires);
        if current && now.duration_since(grant.refresh_since).as_secs() >= ROTATE_S {
            let fresh = self.chance.text("RT1-", 50);
            grant.previous = Some((std::mem::replace(&mut grant.refresh, fresh.clone()), now));
            grant.refresh_since = now;
            book.refresh.insert(fresh, id);
        }
        book.tokens(id, self.chance.text("eyJ", 180), now).ok_or(Refusal::Unknown)
    }

    /// Revokes the grant of an access or refresh token. `false`: no such token, or already dead.
    pub(crate) fn revoke(&self, token: &str) -> bool {
        let mut book = lock(&self.book);
        let grant =
            book.refresh.get(token).or_else(|| book.access.get(token).map(|access| &access.grant));
        let Some(id) = grant.copied() else { return false };
        let whole_realm = book.policy.revoke_whole_realm;
        let Some(grant) = book.grants.get_mut(&id) else { return false };
        if grant.dead.is_some() {
            return false;
        }
        grant.dead = Some(Death::Revoked);
        let realm = grant.realm.clone();
        if whole_realm {
            book.kill(&realm, Death::Revoked);
        }
        true
    }

    /// What an access token opens.
    pub(crate) fn check(&self, token: &str, now: Timestamp) -> Result<Granted, Refusal> {
        let book = lock(&self.book);
        let access = book.access.get(token).ok_or(Refusal::Unknown)?;
        let grant = book.grants.get(&access.grant).ok_or(Refusal::Unknown)?;
        if let Some(death) = grant.dead {
            return Err(Refusal::Dead(death));
        }
        if now >= access.expires || now >= grant.hard_expires {
            return Err(Refusal::Expired);
        }
        Ok(Granted { client: grant.client.clone(), realm: grant.realm.clone() })
    }

    /// Disconnects a company from QuickBooks' side; answers how many grants that ended.
    pub(crate) fn disconnect(&self, realm: &Realm) -> usize {
        lock(&self.book).kill(realm, Death::Disconnected)
    }

    /// Lets the access tokens of a company expire now; answers how many.
    pub(crate) fn expire_access(&self, realm: &Realm, now: Timestamp) -> usize {
        let mut book = lock(&self.book);
        let Book { grants, access, .. } = &mut *book;
        let mut expired = 0;
        for access in access.values_mut() {
            let of_realm = grants.get(&access.grant).is_some_and(|grant| grant.realm == *realm);
            if of_realm && access.expires > now {
                access.expires = now;
                expired += 1;
            }
        }
        expired
    }

    /// Kills the refresh tokens of a company and leaves its access tokens; answers how many.
    pub(crate) fn revoke_refresh(&self, realm: &Realm) -> usize {
        let mut killed = 0;
        for grant in lock(&self.book).grants.values_mut() {
            if grant.realm == *realm && grant.dead.is_none() && !grant.refresh_dead {
                grant.refresh_dead = true;
                killed += 1;
            }
        }
        killed
    }

    /// Grants of a company that live.
    pub(crate) fn live_grants(&self, realm: &Realm) -> usize {
        lock(&self.book)
            .grants
            .values()
            .filter(|grant| grant.realm == *realm && grant.dead.is_none())
            .count()
    }
}

impl Book {
    fn tokens(&mut self, id: u64, access: String, now: Timestamp) -> Option<Tokens> {
        let entry = Access { grant: id, expires: later(now, ACCESS_S) };
        self.access.insert(access.clone(), entry);
        let grant = self.grants.get(&id)?;
        Some(Tokens {
            access,
            refresh: grant.refresh.clone(),
            refresh_expires_s: grant.expires.duration_since(now).as_secs(),
            hard_expires_s: grant.hard_expires.duration_since(now).as_secs(),
        })
    }

    fn kill(&mut self, realm: &Realm, death: Death) -> usize {
        let mut killed = 0;
        for grant in self.grants.values_mut() {
            if grant.realm == *realm && grant.dead.is_none() {
                grant.dead = Some(death);
                killed += 1;
            }
        }
        killed
    }
}

fn later(now: Timestamp, seconds: i64) -> Timestamp {
    now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}
