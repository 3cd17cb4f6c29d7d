//! Codes, grants and tokens, and how they live and die. Pure: the time comes from the caller.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    issued::Issued,
    pkce::Challenge,
    policy::{ACCESS_S, CODE_S, HARD_S, Policy, ROTATE_S, later},
    scope,
};
use crate::{
    chance::Chance,
    ids::{ClientId, Realm},
};

/// Why a grant is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Death {
    Revoked,
    Disconnected,
}

/// Why a code or token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Unknown,
    Expired,
    Dead(Death),
    /// A value of another app, or of another type, as an access token sent to be refreshed.
    WrongAppOrType,
    /// The redirect URI is not that of the authorize call, not registered, or has a query.
    WrongRedirect,
    /// PKCE: the verifier does not answer the challenge.
    WrongVerifier,
    /// The scopes that were granted do not cover the call.
    Scope,
    /// Intuit blocked the app.
    Blocked,
}

/// What an access token opens, and for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Granted {
    pub(crate) client: ClientId,
    pub(crate) realm: Realm,
}

/// A consent, on its way to a code.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Consent {
    pub(crate) client: ClientId,
    pub(crate) realm: Realm,
    /// As sent, since the exchange must repeat it to the letter.
    pub(crate) redirect_uri: String,
    pub(crate) scope: String,
    pub(crate) nonce: Option<String>,
    pub(crate) challenge: Option<Challenge>,
}

/// What the token endpoint hands out. Lives in seconds.
#[derive(Debug)]
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
    pub(crate) refresh_expires_s: i64,
    pub(crate) hard_expires_s: i64,
}

#[derive(Clone, Serialize, Deserialize)]
struct Code {
    consent: Consent,
    expires: Timestamp,
    /// The grant it was exchanged for.
    spent: Option<u64>,
}

/// What a consent became.
#[derive(Clone, Serialize, Deserialize)]
struct Grant {
    client: ClientId,
    realm: Realm,
    scope: String,
    refresh: String,
    refresh_since: Timestamp,
    /// The value before, and when it was replaced.
    previous: Option<(String, Timestamp)>,
    /// Set by the admin: no value refreshes any more, while the access tokens live.
    refresh_dead: bool,
    expires: Timestamp,
    hard_expires: Timestamp,
    dead: Option<Death>,
    /// Refreshes under way.
    #[serde(skip)]
    refreshing: usize,
}

#[derive(Clone, Serialize, Deserialize)]
struct Access {
    grant: u64,
    expires: Timestamp,
}

/// Everything that was ever handed out, so that an old value is known as such.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Book {
    codes: HashMap<String, Code>,
    grants: HashMap<u64, Grant>,
    access: HashMap<String, Access>,
    refresh: HashMap<String, u64>,
    last: u64,
    pub(super) policy: Policy,
}

impl Book {
    /// Forgets everything. Numbers go on, so that a refresh under way does not meet a new grant under
    /// its number.
    pub(super) fn clear(&mut self) {
        *self = Self { last: self.last, ..Self::default() };
    }

    /// Takes the place of another book. Numbers go on, and no refresh is under way in this one.
    pub(super) fn follow(&mut self, other: &Self) {
        self.last = self.last.max(other.last);
        self.grants.values_mut().for_each(|grant| grant.refreshing = 0);
    }

    /// A code for a consent.
    pub(super) fn code(&mut self, consent: Consent, now: Timestamp, chance: &Chance) -> String {
        let value = chance.text("AB1", 47);
        let code = Code { consent, expires: later(now, CODE_S), spent: None };
        self.codes.insert(value.clone(), code);
        value
    }

    /// The company that a code or token belongs to, for the counters.
    pub(super) fn realm_of(&self, value: &str) -> Option<Realm> {
        match self.codes.get(value) {
            Some(code) => Some(code.consent.realm.clone()),
            None => self.grants.get(&self.grant_of(value)?).map(|grant| grant.realm.clone()),
        }
    }

    /// The grant of a refresh or access token.
    fn grant_of(&self, token: &str) -> Option<u64> {
        let access = || self.access.get(token).map(|access| access.grant);
        self.refresh.get(token).copied().or_else(access)
    }

    /// Exchanges a code, once. A second exchange also kills what the first one issued.
    pub(super) fn exchange(
        &mut self,
        client: &ClientId,
        code: &str,
        redirect_uri: &str,
        verifier: Option<&str>,
        now: Timestamp,
        chance: &Chance,
    ) -> Result<(Tokens, Consent), Refusal> {
        let Some(found) = self.codes.get(code) else {
            let other = self.grant_of(code).is_some();
            return Err(if other { Refusal::WrongAppOrType } else { Refusal::Unknown });
        };
        if found.consent.client != *client {
            return Err(Refusal::WrongAppOrType);
        }
        if let Some(grant) = found.spent {
            if let Some(grant) = self.grants.get_mut(&grant) {
                grant.dead.get_or_insert(Death::Revoked);
            }
            return Err(Refusal::Dead(Death::Revoked));
        }
        // A redirect URI with a query is a known cause of `invalid_grant`.
        if found.consent.redirect_uri != redirect_uri || redirect_uri.contains('?') {
            return Err(Refusal::WrongRedirect);
        }
        let challenge = found.consent.challenge.as_ref().filter(|_| self.policy.verify_pkce);
        if challenge.is_some_and(|challenge| !challenge.is_answered_by(verifier)) {
            return Err(Refusal::WrongVerifier);
        }
        if now >= found.expires {
            return Err(Refusal::Expired);
        }
        let consent = found.consent.clone();
        let id = self.begin(&consent.client, &consent.realm, &consent.scope, now, chance);
        if let Some(found) = self.codes.get_mut(code) {
            found.spent = Some(id);
        }
        self.tokens(id, now, chance).map(|tokens| (tokens, consent))
    }

    /// A grant of a company that gave consent at `now`; answers its number.
    fn begin(
        &mut self,
        client: &ClientId,
        realm: &Realm,
        scope: &str,
        now: Timestamp,
        chance: &Chance,
    ) -> u64 {
        self.last += 1;
        let id = self.last;
        let refresh = chance.text("RT1-", 50);
        self.refresh.insert(refresh.clone(), id);
        let hard_expires = later(now, HARD_S);
        let grant = Grant {
            client: client.clone(),
            realm: realm.clone(),
            scope: scope.to_owned(),
            refresh,
            refresh_since: now,
            previous: None,
            refresh_dead: false,
            expires: later(now, self.policy.refresh_expires_s).min(hard_expires),
            hard_expires,
            dead: None,
            refreshing: 0,
        };
        self.grants.insert(id, grant);
        id
    }

    /// The tokens that a company would have which gave consent at `then` and was not heard of since;
    /// without browser and code. Their times count from then.
    pub(super) fn issue(
        &mut self,
        client: &ClientId,
        realm: &Realm,
        then: Timestamp,
        chance: &Chance,
    ) -> Result<Tokens, Refusal> {
        let id = self.begin(client, realm, scope::ACCOUNTING, then, chance);
        self.tokens(id, then, chance)
    }

    /// Notes that a refresh begins. Answers its grant, and whether another one of the same grant is
    /// under way.
    pub(super) fn begin_refresh(&mut self, client: &ClientId, value: &str) -> (Option<u64>, bool) {
        let id = self.refresh.get(value).copied();
        let Some((id, grant)) = id
            .and_then(|id| Some((id, self.grants.get_mut(&id)?)))
            .filter(|(_, grant)| grant.client == *client)
        else {
            return (None, false);
        };
        let concurrent = grant.refreshing > 0;
        grant.refreshing += 1;
        if concurrent && self.policy.revoke_on_concurrent_refresh {
            grant.dead.get_or_insert(Death::Revoked);
        }
        (Some(id), concurrent)
    }

    /// Notes that a refresh has ended.
    pub(super) fn end_refresh(&mut self, grant: u64) {
        if let Some(grant) = self.grants.get_mut(&grant) {
            grant.refreshing = grant.refreshing.saturating_sub(1);
        }
    }

    /// Refreshes. The value handed out is the same within 24 h of its first day and a new one after;
    /// the old one is dead at once, or after the grace that the policy gives.
    pub(super) fn refresh(
        &mut self,
        client: &ClientId,
        value: &str,
        now: Timestamp,
        chance: &Chance,
    ) -> Result<Tokens, Refusal> {
        let Some(&id) = self.refresh.get(value) else {
            let other = self.access.contains_key(value) || self.codes.contains_key(value);
            return Err(if other { Refusal::WrongAppOrType } else { Refusal::Unknown });
        };
        let policy = self.policy;
        let grant = self.grants.get_mut(&id).ok_or(Refusal::Unknown)?;
        if grant.client != *client {
            return Err(Refusal::WrongAppOrType);
        }
        grant.alive(now)?;
        if grant.refresh_dead {
            return Err(Refusal::Dead(Death::Revoked));
        }
        if now >= grant.expires {
            return Err(Refusal::Expired);
        }
        let current = grant.refresh == value;
        let grace = SignedDuration::from_secs(policy.refresh_grace_s);
        let in_grace = grant.previous.as_ref().is_some_and(|(previous, replaced)| {
            previous == value && now.duration_since(*replaced) < grace
        });
        if !current && !in_grace {
            return Err(Refusal::Dead(Death::Revoked));
        }
        grant.expires = later(now, policy.refresh_expires_s).min(grant.hard_expires);
        if current && now.duration_since(grant.refresh_since).as_secs() >= ROTATE_S {
            let fresh = chance.text("RT1-", 50);
            grant.previous = Some((std::mem::replace(&mut grant.refresh, fresh.clone()), now));
            grant.refresh_since = now;
            self.refresh.insert(fresh, id);
        }
        self.tokens(id, now, chance)
    }

    fn tokens(&mut self, id: u64, now: Timestamp, chance: &Chance) -> Result<Tokens, Refusal> {
        let grant = self.grants.get(&id).ok_or(Refusal::Unknown)?;
        let access = chance.text("eyJ", 180);
        self.access.insert(access.clone(), Access { grant: id, expires: later(now, ACCESS_S) });
        Ok(Tokens {
            access,
            refresh: grant.refresh.clone(),
            refresh_expires_s: grant.expires.duration_since(now).as_secs(),
            hard_expires_s: grant.hard_expires.duration_since(now).as_secs(),
        })
    }

    /// Revokes the grant of an access or refresh token.
    pub(super) fn revoke(&mut self, client: &ClientId, token: &str) -> Result<(), Refusal> {
        let id = self.grant_of(token).ok_or(Refusal::Unknown)?;
        let whole_realm = self.policy.revoke_whole_realm;
        let grant = self.grants.get_mut(&id).ok_or(Refusal::Unknown)?;
        if grant.client != *client {
            return Err(Refusal::WrongAppOrType);
        }
        if let Some(death) = grant.dead {
            return Err(Refusal::Dead(death));
        }
        grant.dead = Some(Death::Revoked);
        let realm = grant.realm.clone();
        if whole_realm {
            self.kill(Death::Revoked, |grant| grant.realm == realm && grant.client == *client);
        }
        Ok(())
    }

    /// The company, the app and the scopes that an access token opens.
    pub(super) fn check(&self, token: &str, now: Timestamp) -> Result<(Granted, &str), Refusal> {
        let access = self.access.get(token).ok_or(Refusal::Unknown)?;
        let grant = self.grants.get(&access.grant).ok_or(Refusal::Unknown)?;
        grant.alive(now)?;
        if now >= access.expires {
            return Err(Refusal::Expired);
        }
        let granted = Granted { client: grant.client.clone(), realm: grant.realm.clone() };
        Ok((granted, &grant.scope))
    }

    /// Disconnects a company from QuickBooks' side; answers how many grants that ended.
    pub(super) fn disconnect(&mut self, realm: &Realm) -> usize {
        self.kill(Death::Disconnected, |grant| grant.realm == *realm)
    }

    fn kill(&mut self, death: Death, which: impl Fn(&Grant) -> bool) -> usize {
        let mut killed = 0;
        for grant in self.grants.values_mut() {
            if grant.dead.is_none() && which(grant) {
                grant.dead = Some(death);
                killed += 1;
            }
        }
        killed
    }

    /// Lets the access tokens of a company expire now; answers how many.
    pub(super) fn expire_access(&mut self, realm: &Realm, now: Timestamp) -> usize {
        let grants = &self.grants;
        let mut expired = 0;
        for access in self.access.values_mut() {
            let of_realm = grants.get(&access.grant).is_some_and(|grant| grant.realm == *realm);
            if of_realm && access.expires > now {
                access.expires = now;
                expired += 1;
            }
        }
        expired
    }

    /// Kills the refresh tokens of a company and leaves its access tokens; answers how many.
    pub(super) fn revoke_refresh(&mut self, realm: &Realm) -> usize {
        let mut killed = 0;
        for grant in self.grants.values_mut() {
            if grant.realm == *realm && grant.dead.is_none() && !grant.refresh_dead {
                grant.refresh_dead = true;
                killed += 1;
            }
        }
        killed
    }

    /// Whether an app has a grant of a company that lives.
    pub(super) fn has_grant(&self, client: &ClientId, realm: &Realm) -> bool {
        let mut grants = self.grants.values();
        grants.any(|grant| grant.dead.is_none() && grant.realm == *realm && grant.client == *client)
    }

    /// Every value handed out.
    pub(super) fn issued(&self) -> Issued {
        Issued {
            codes: self.codes.keys().cloned().collect(),
            access_tokens: self.access.keys().cloned().collect(),
            refresh_tokens: self.refresh.keys().cloned().collect(),
            ..Issued::default()
        }
    }

    /// Grants of a company that live.
    pub(super) fn live_grants(&self, realm: &Realm) -> usize {
        self.grants.values().filter(|grant| grant.realm == *realm && grant.dead.is_none()).count()
    }
}

impl Grant {
    /// Neither dead nor past its hard end.
    fn alive(&self, now: Timestamp) -> Result<(), Refusal> {
        match self.dead {
            Some(death) => Err(Refusal::Dead(death)),
            None if now >= self.hard_expires => Err(Refusal::Expired),
            None => Ok(()),
        }
    }
}

impl Consent {
    /// Whether the exchange must answer an id token.
    pub(super) fn is_openid(&self) -> bool {
        scope::holds(&self.scope, scope::OPENID)
    }
}
