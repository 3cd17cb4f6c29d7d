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
    Expiries, GivenBack, HELD_FOR, Lease, LeaseAsked, Outcome, Refresher, Surroundings, TokenError,
    Wanted,
};
use platform::secrets::TokenSet;
use platform::{Error, Result};
use quickbooks::{AppCredentials, Environment, OAuthError, TokenGrant};

/// One connection, its secret, and an Intuit that replaces the token at each refresh.
struct Stage {
    row: Connection,
    secret: HashMap<String, TokenSet>,
    puts: Puts,
    asked: u32,
}

/// What becomes of a put into the secret.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Puts {
    Taken,
    Refused,
    /// It is never answered.
    Hanging,
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

    async fn give_back(&self, _: &Lease, outcome: &GivenBack<'_>) -> Result<bool> {
        let GivenBack::Kept { until, .. } = outcome else {
            panic!("nothing is given back: the answer is here")
        };
        self.stage().row.refresh_until = Some(until.as_millisecond());
        Ok(true)
    }

    async fn stored(&self, _: &str, version: &str) -> Result<Option<TokenSet>> {
        Ok(self.stage().secret.get(version).cloned())
    }

    async fn store(&self, _: &str, version: &str, _: u64, tokens: &TokenSet) -> Result<()> {
        let puts = self.stage().puts;
        match puts {
            Puts::Taken => {
                self.stage().secret.insert(version.to_owned(), tokens.clone());
                Ok(())
            }
            Puts::Refused => {
                Err(Error::Aws { call: "store the tokens", reason: "refused".to_owned() })
            }
            Puts::Hanging => std::future::pending().await,
        }
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
    World(Arc::new(Mutex::new(Stage { row, secret, puts: Puts::Refused, asked: 0 })))
}

const PATIENCE: Duration = Duration::ZERO;

fn wanted() -> Wanted<'static> {
    Wanted::lasting(SignedDuration::from_mins(5))
}

/// A process whose caller waits no longer while the new tokens cannot be stored.
async fn given_up() -> (World, Refresher<World>, CompanyId) {
    let world = stage();
    let refresher = Refresher::new(world.clone(), Environment::Sandbox);
    let company: CompanyId = "hollow-oak".parse().unwrap();
    let wanted = wanted();
    let call = refresher.provide(&company, &wanted, PATIENCE);
    let given_up = tokio::time::timeout(Duration::from_millis(1), call);
    assert!(given_up.await.is_err(), "it was still trying");
    assert!(refresher.holds_unsaved(&company));
    (world, refresher, company)
}

#[tokio::test]
async fn whoever_gives_up_waiting_leaves_the_new_tokens_with_the_process() {
    let (world, refresher, company) = given_up().await;
    world.stage().puts = Puts::Taken;
    let connection = refresher.provide(&company, &wanted(), PATIENCE).await.unwrap();
    assert_eq!(connection.version_id, "promised");
    assert_eq!(world.stage().asked, 1, "Intuit is not asked again");
    assert_eq!(world.stage().row.refresh_owner, None);
    assert!(!refresher.holds_unsaved(&company));
}

#[tokio::test]
async fn a_process_stores_what_it_holds_whatever_it_is_called_for() {
    let (world, refresher, company) = given_up().await;
    world.stage().puts = Puts::Taken;
    refresher.save_all_unsaved().await;
    assert_eq!(world.stage().row.version_id, "promised");
    assert!(!refresher.holds_unsaved(&company));
}

/// The old value may be dead at Intuit by now: asking with it would end the connection.
#[tokio::test]
async fn while_new_tokens_cannot_be_stored_nobody_asks_with_the_old_ones() {
    let (world, refresher, company) = given_up().await;
    let held = Some((now() + HELD_FOR).as_millisecond());
    assert_eq!(world.stage().row.refresh_until, held, "the others");
    world.stage().row.refresh_until = None;
    // Even when nobody holds a lease, this process knows better.
    world.stage().row.refresh_owner = None;
    let answer = refresher.provide(&company, &wanted(), PATIENCE).await;
    assert!(matches!(answer, Err(TokenError::Later(_))), "{answer:?}");
    assert_eq!(world.stage().asked, 1);
    assert_eq!(world.stage().row.refresh_until, held, "and it keeps the others away again");
    assert!(refresher.holds_unsaved(&company));
}

/// However long the first put takes, no lease of those that wait behind it runs out meanwhile.
#[tokio::test]
async fn leases_are_extended_before_the_first_put_is_tried() {
    let (world, refresher, _) = given_up().await;
    world.stage().row.refresh_until = None;
    world.stage().puts = Puts::Hanging;
    let saving = tokio::time::timeout(Duration::from_millis(1), refresher.save_all_unsaved());
    assert!(saving.await.is_err(), "the put hangs");
    let held = Some((now() + HELD_FOR).as_millisecond());
    assert_eq!(world.stage().row.refresh_until, held);
}
