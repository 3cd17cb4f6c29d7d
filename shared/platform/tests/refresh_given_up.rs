//! Somebody stops waiting for a refresh whose new tokens cannot be stored yet, such as a sweep that runs
//! out of time: the tokens stay with the process, and the next call of the company stores them. What else
//! may happen around a refresh is explored by `refresh_interleavings`.

#![allow(clippy::unwrap_used, reason = "a test ends where it goes wrong")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use domain::ids::CompanyId;
use jiff::{SignedDuration, Timestamp};
use platform::connections::Connection;
use platform::refresh::{
    Expiries, GivenBack, Lease, LeaseAsked, Outcome, Refresher, Surroundings, Wanted,
};
use platform::secrets::TokenSet;
use platform::{Error, Result};
use quickbooks::{AppCredentials, Environment, OAuthError, TokenGrant};

/// One connection, its secret, and an Intuit that replaces the token at each refresh.
struct Stage {
    row: Connection,
    secret: HashMap<String, TokenSet>,
    takes_writes: bool,
    asked: u32,
}

#[derive(Clone)]
struct World(Arc<Mutex<Stage>>);

impl World {
    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.0.lock().unwrap()
    }
}

impl Surroundings for World {
    async fn now(&self) -> Timestamp {
        now()
    }

    /// Only between two tries to store; whoever waits gives up first.
    async fn pause(&self, _: Duration) {
        std::future::pending::<()>().await;
    }

    async fn connection(&self, _: &str) -> Result<Option<Connection>> {
        Ok(Some(self.stage().row.clone()))
    }

    async fn take_lease(&self, seen: &Connection, now: Timestamp) -> Result<LeaseAsked> {
        let row = &mut self.stage().row;
        if row.refresh_owner.is_some() {
            return Ok(LeaseAsked::Held);
        }
        row.refresh_owner = Some("owner".to_owned());
        Ok(LeaseAsked::Taken(Box::new(Lease::taken(seen.clone(), "owner", "promised", now))))
    }

    async fn point_at(&self, _: &Lease, version: &str, expiries: Expiries) -> Result<bool> {
        let row = &mut self.stage().row;
        if row.refresh_owner.take().is_none() {
            return Ok(false);
        }
        version.clone_into(&mut row.version_id);
        row.access_expires_at = expiries.access.as_millisecond();
        row.refreshed_at = expiries.issued.as_millisecond();
        Ok(true)
    }

    async fn give_back(&self, _: &Lease, _: &GivenBack<'_>) -> Result<bool> {
        panic!("nothing is given back: the answer is here")
    }

    async fn stored(&self, _: &str, version: &str) -> Result<Option<TokenSet>> {
        Ok(self.stage().secret.get(version).cloned())
    }

    async fn store(&self, _: &str, version: &str, _: u64, tokens: &TokenSet) -> Result<()> {
        let mut stage = self.stage();
        if !stage.takes_writes {
            return Err(Error::Aws { call: "store the tokens", reason: "refused".to_owned() });
        }
        stage.secret.insert(version.to_owned(), tokens.clone());
        Ok(())
    }

    async fn app(&self, _: &Connection) -> std::result::Result<AppCredentials, OAuthError> {
        Ok(AppCredentials { client_id: "app".to_owned(), client_secret: "secret".into() })
    }

    async fn ask_intuit(
        &self,
        _: &AppCredentials,
        _: &TokenSet,
    ) -> std::result::Result<TokenGrant, OAuthError> {
        self.stage().asked += 1;
        Ok(TokenGrant {
            access_token: "new".into(),
            refresh_token: "RT1-new".into(),
            expires_in: 3600,
            refresh_expires_in: 8_726_400,
            refresh_hard_expires_in: None,
        })
    }

    async fn discard(&self, _: &Connection, _: &TokenSet) {
        panic!("the connection lives")
    }

    async fn note(&self, _: &Connection, _: Outcome<'_>) {}
}

fn now() -> Timestamp {
    "2026-11-30T12:00:00Z".parse().unwrap()
}

fn stage() -> World {
    let row: Connection = serde_json::from_value(serde_json::json!({
        "id": "company#hollow-oak", "company": "hollow-oak", "connectionId": "c1",
        "realm": "91001", "environment": "sandbox", "companyName": "Hollow Oak",
        "status": "connected", "secret": "tokens/hollow-oak/c1", "ready": true,
        "versionId": "v1", "accessExpiresAt": 0, "refreshExpiresAt": 0, "refreshedAt": 0,
        "lastRefreshResult": "ok", "connectedBy": "u", "connectedAt": 0, "refreshFence": 7
    }))
    .unwrap();
    let old = TokenSet {
        access: "old".into(),
        refresh: "RT1-old".into(),
        expiries: Expiries { access: now(), refresh: now(), hard: None, issued: now() },
    };
    let secret = HashMap::from([("v1".to_owned(), old)]);
    World(Arc::new(Mutex::new(Stage { row, secret, takes_writes: false, asked: 0 })))
}

#[tokio::test]
async fn whoever_gives_up_waiting_leaves_the_new_tokens_with_the_process() {
    let world = stage();
    let refresher = Refresher::new(world.clone(), Environment::Sandbox);
    let company: CompanyId = "hollow-oak".parse().unwrap();
    let wanted = Wanted::lasting(SignedDuration::from_mins(5));
    let patience = Duration::from_secs(1);
    let call = refresher.provide(&company, &wanted, patience);
    let given_up = tokio::time::timeout(Duration::from_millis(1), call);
    assert!(given_up.await.is_err(), "it was still trying");
    assert!(refresher.holds_unsaved(&company));

    world.stage().takes_writes = true;
    let connection = refresher.provide(&company, &wanted, patience).await.unwrap();
    assert_eq!(connection.version_id, "promised");
    assert_eq!(world.stage().asked, 1, "Intuit is not asked again");
    assert_eq!(world.stage().row.refresh_owner, None);
    assert!(!refresher.holds_unsaved(&company));
}
