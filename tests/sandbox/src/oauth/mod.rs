//! OAuth 2.0 as Intuit offers it: discovery, consent, code, tokens, revocation.
//!
//! - `book`: the rules of codes, grants and tokens; `policy`: their times and switches
//! - `apps`: the registered apps; `scope`, `pkce`: what an authorize call may carry
//! - `pages`: consent and reconnect; `token`, `revoke`: the two endpoints of apps, `request`: what
//!   both read
//! - `issued`: every value that was ever handed out
//! - `discovery`: the documents, keys and userinfo; `id_token`, `person`: who gave consent

mod apps;
mod book;
mod discovery;
mod id_token;
mod issued;
mod pages;
mod person;
mod pkce;
mod policy;
mod request;
mod revoke;
mod scope;
mod token;

#[cfg(test)]
mod model;

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    http::{HeaderMap, HeaderValue, header},
    routing::{get, post},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use url::Url;

pub(crate) use apps::{Registration, Wish, is_local};
pub(crate) use book::{Consent, Death, Granted, Refusal, Tokens};
pub(crate) use pages::{escape, found, html};
pub(crate) use pkce::Challenge;
pub(crate) use policy::Policy;
pub(crate) use request::Form;

use apps::Apps;
use book::Book;
use issued::Issued;

use crate::{
    app::App,
    chance::Chance,
    fault::Fault,
    ids::{ClientId, Realm},
    store::lock,
};

/// Path of the token endpoint; it runs its own fault plan.
pub(crate) const TOKEN_PATH: &str = "/oauth2/v1/tokens/bearer";

/// Intuit's issuer: a name, not an address, and a constant in Intuit's own clients.
const ISSUER: &str = "https://oauth.platform.intuit.com/op/v1";

/// The routes of Intuit's OAuth hosts, all on one. Intuit's Python client asks for the discovery
/// documents with a slash behind.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/connect/oauth2", get(pages::authorize).post(pages::decide))
        .route("/app/connect/oauth2/request", get(pages::reconnect))
        .route(TOKEN_PATH, post(token::bearer))
        .route("/v2/oauth2/tokens/revoke", post(revoke::revoke))
        .route("/.well-known/openid_configuration", get(discovery::document))
        .route("/.well-known/openid_configuration/", get(discovery::document))
        .route("/.well-known/openid_sandbox_configuration", get(discovery::document))
        .route("/.well-known/openid_sandbox_configuration/", get(discovery::document))
        .route("/op/v1/jwks", get(discovery::jwks))
        .route("/v1/openid_connect/userinfo", get(discovery::userinfo))
}

/// The authorization server's state.
pub(crate) struct Oauth {
    book: Mutex<Book>,
    apps: Mutex<Apps>,
    /// What a reset, a restore or a changed app took out of the two.
    former: Mutex<Issued>,
    chance: Arc<Chance>,
}

/// Apps, codes, grants and tokens, as a snapshot keeps them.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    apps: Apps,
    book: Book,
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
        if let Some(grant) = self.grant {
            lock(&self.oauth.book).end_refresh(grant);
        }
    }
}

impl Oauth {
    /// With one app.
    pub(crate) fn new(client_id: &str, client_secret: &str, chance: Arc<Chance>) -> Self {
        let apps = Mutex::new(Apps::first(client_id, client_secret));
        Self { book: Mutex::default(), apps, former: Mutex::default(), chance }
    }

    /// No tokens, the one app that the options name, every switch back to its default.
    pub(crate) fn reset(&self, client_id: &str, client_secret: &str) {
        self.remember();
        lock(&self.book).clear();
        *lock(&self.apps) = Apps::first(client_id, client_secret);
    }

    /// A copy of everything, for a snapshot.
    pub(crate) fn keep(&self) -> Kept {
        Kept { apps: lock(&self.apps).clone(), book: lock(&self.book).clone() }
    }

    /// Puts a copy in the place of what there is.
    pub(crate) fn restore(&self, kept: Kept) {
        self.remember();
        let Kept { apps, book: mut kept } = kept;
        *lock(&self.apps) = apps;
        let mut book = lock(&self.book);
        kept.follow(&book);
        *book = kept;
    }

    /// Sees to it that the app which the options name is there.
    pub(crate) fn hold(&self, client_id: &str, client_secret: &str) {
        lock(&self.apps).hold(client_id, client_secret);
    }

    /// Every code, token and client secret that there ever was, those before a reset or a restore too.
    pub(crate) fn issued(&self) -> Issued {
        let mut all = lock(&self.former).clone();
        all.extend(lock(&self.book).issued());
        all.client_secrets.extend(self.registrations().into_iter().map(|app| app.client_secret));
        all
    }

    /// Remembers what there is now for [`Oauth::issued`].
    fn remember(&self) {
        let all = self.issued();
        *lock(&self.former) = all;
    }

    pub(crate) fn policy(&self) -> Policy {
        lock(&self.book).policy
    }

    pub(crate) fn set_policy(&self, policy: Policy) {
        lock(&self.book).policy = policy;
    }

    pub(crate) fn registrations(&self) -> Vec<Registration> {
        lock(&self.apps).all()
    }

    pub(crate) fn registration(&self, client_id: &str) -> Option<Registration> {
        lock(&self.apps).get(client_id).cloned()
    }

    /// Whether consent for this app may lead to `redirect_uri`.
    fn leads_to(&self, client_id: &ClientId, redirect_uri: &str) -> bool {
        lock(&self.apps).get(client_id.as_str()).is_some_and(|app| app.leads_to(redirect_uri))
    }

    /// Adds an app or changes one.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub(crate) fn register(&self, wish: Wish) -> Result<Registration, String> {
        let former = self.registrations().into_iter().map(|app| app.client_secret);
        lock(&self.former).client_secrets.extend(former);
        lock(&self.apps).register(wish)
    }

    /// A code for a consent, to be exchanged within ten minutes.
    pub(crate) fn code(&self, consent: Consent, now: Timestamp) -> String {
        lock(&self.book).code(consent, now, &self.chance)
    }

    /// The company that a code or token belongs to, for the counters.
    pub(crate) fn realm_of(&self, value: &str) -> Option<Realm> {
        lock(&self.book).realm_of(value)
    }

    /// Exchanges a code, once. A second exchange also kills what the first one issued.
    pub(crate) fn exchange(
        &self,
        app: &Registration,
        code: &str,
        redirect_uri: &str,
        verifier: Option<&str>,
        now: Timestamp,
    ) -> Result<(Tokens, Consent), Refusal> {
        if !app.leads_to(redirect_uri) {
            return Err(Refusal::WrongRedirect);
        }
        let client = &app.client_id;
        lock(&self.book).exchange(client, code, redirect_uri, verifier, now, &self.chance)
    }

    /// Tokens without browser and code; see [`Book::issue`].
    pub(crate) fn issue(
        &self,
        client: &ClientId,
        realm: &Realm,
        then: Timestamp,
    ) -> Result<Tokens, Refusal> {
        lock(&self.book).issue(client, realm, then, &self.chance)
    }

    /// Notes that a refresh begins, which is how two at once are seen.
    pub(crate) fn begin_refresh(&self, client: &ClientId, value: &str) -> Refreshing<'_> {
        let (grant, concurrent) = lock(&self.book).begin_refresh(client, value);
        Refreshing { oauth: self, grant, concurrent }
    }

    /// Refreshes; see [`Book::refresh`].
    pub(crate) fn refresh(
        &self,
        client: &ClientId,
        value: &str,
        now: Timestamp,
    ) -> Result<Tokens, Refusal> {
        lock(&self.book).refresh(client, value, now, &self.chance)
    }

    /// Revokes the grant of an access or refresh token.
    pub(crate) fn revoke(&self, client: &ClientId, token: &str) -> Result<(), Refusal> {
        lock(&self.book).revoke(client, token)
    }

    /// What an access token opens of the accounting API.
    pub(crate) fn check(&self, token: &str, now: Timestamp) -> Result<Granted, Refusal> {
        let (granted, scopes) = self.opened(token, now)?;
        if scope::holds(&scopes, scope::ACCOUNTING) { Ok(granted) } else { Err(Refusal::Scope) }
    }

    /// The same whatever its scopes, with these.
    fn opened(&self, token: &str, now: Timestamp) -> Result<(Granted, String), Refusal> {
        let (granted, scopes) = {
            let book = lock(&self.book);
            let (granted, scopes) = book.check(token, now)?;
            (granted, scopes.to_owned())
        };
        let blocked = lock(&self.apps).get(granted.client.as_str()).is_some_and(|app| app.blocked);
        if blocked { Err(Refusal::Blocked) } else { Ok((granted, scopes)) }
    }

    /// Disconnects a company from QuickBooks' side; answers how many grants that ended, and where the
    /// browser of whoever does it is sent: to the disconnect URLs of the apps that were connected, with
    /// the realm.
    pub(crate) fn disconnect(&self, realm: &Realm) -> (usize, Vec<String>) {
        let leads_to = self
            .registrations()
            .into_iter()
            .filter(|app| self.has_grant(&app.client_id, realm))
            .filter_map(|app| Url::parse(&app.disconnect_url?).ok())
            .map(|mut url| {
                url.query_pairs_mut().append_pair("realmId", realm.as_str());
                url.into()
            })
            .collect();
        (lock(&self.book).disconnect(realm), leads_to)
    }

    /// Lets the access tokens of a company expire now; answers how many.
    pub(crate) fn expire_access(&self, realm: &Realm, now: Timestamp) -> usize {
        lock(&self.book).expire_access(realm, now)
    }

    /// Kills the refresh tokens of a company and leaves its access tokens; answers how many.
    pub(crate) fn revoke_refresh(&self, realm: &Realm) -> usize {
        lock(&self.book).revoke_refresh(realm)
    }

    /// Whether an app has a grant of a company that lives.
    pub(crate) fn has_grant(&self, client: &ClientId, realm: &Realm) -> bool {
        lock(&self.book).has_grant(client, realm)
    }

    /// Grants of a company that live.
    pub(crate) fn live_grants(&self, realm: &Realm) -> usize {
        lock(&self.book).live_grants(realm)
    }
}

/// For property tests: reads `body` as every form and query that the endpoints take.
pub(crate) fn read_forms(authorization: &str, body: &[u8]) {
    let oauth = Oauth::new("sandbox-client", "sandbox-secret", Arc::new(Chance::new(1)));
    let form = request::Form::read(body);
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(authorization) {
        headers.insert(header::AUTHORIZATION, value);
    }
    let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
    headers.insert(header::CONTENT_TYPE, kind);
    let caller = request::authenticate(&oauth, &headers, &form);
    if let (Some(app), Some(token)) = (caller, revoke::token_of(body, &form)) {
        let _ = oauth.revoke(&app.client_id, &token);
    }
    // What is read does not matter here, only that it is.
    let _ = (token::Wanted::read(&headers, &form), pages::read(&oauth, &form));
}

impl Refusal {
    /// What the API answers to an access token that is refused. Real details carry the token, which
    /// is why a client must not log them as they are.
    pub(crate) fn fault(self, token: &str) -> Fault {
        match self {
            Self::Expired => Fault::unauthenticated(format!("Token expired: {token}")),
            Self::Dead(Death::Revoked) => Fault::unauthenticated(format!("Token revoked: {token}")),
            Self::Dead(Death::Disconnected) => {
                Fault::forbidden("The application was disconnected from this company")
            }
            Self::Scope => Fault::forbidden("The scopes of the token do not cover this call"),
            Self::Blocked => Fault::forbidden("The application is blocked"),
            Self::Unknown | Self::WrongAppOrType | Self::WrongRedirect | Self::WrongVerifier => {
                Fault::unauthenticated(format!("Token invalid: {token}"))
            }
        }
    }
}
