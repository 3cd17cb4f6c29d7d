//! `GET /disconnected?realmId=`: where Intuit sends the browser of somebody who disconnected the app in
//! QuickBooks (the app's "Disconnect URL").
//!
//! Anybody can open this address and name any realm, so it is a hint and nothing more: it makes
//! token-refresh ask Intuit, at most once an hour for a company, and only Intuit's own answer changes
//! anything. The page is the same for every realm, known or not, and is as slow for all of them, so
//! that it tells nobody who our customers are.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use domain::ids::RealmId;
use platform::clock::Clock;
use platform::connections::Connections;
use platform::http::query_value;
use platform::outcome_page::{Link, plain};
use platform::refresh_requests::{RefreshRequest, RefreshRequests};
use quickbooks::Environment;

/// Nobody gets the page faster. Asking for a proof takes a fraction of it in a warm process.
const AS_SLOW: Duration = Duration::from_millis(400);
/// How long noting the hint, and sending it on, are waited for each: nobody gets the page much later, as
/// far as it is up to us.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the page works with.
#[derive(Clone)]
pub struct Disconnected {
    /// Whose realm it is.
    pub connections: Connections,
    /// Where a proof is asked for.
    pub requests: RefreshRequests,
    /// Whose realms these are at Intuit.
    pub environment: Environment,
    /// The clock.
    pub clock: Clock,
}

/// The page.
pub async fn disconnected_page(
    State(disconnected): State<Disconnected>,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    let realm = query_value(&parts, "realmId").and_then(|realm| realm.parse::<RealmId>().ok());
    let hint = async {
        let Some(realm) = realm else { return };
        if let Err(error) = disconnected.prove(&realm).await {
            tracing::error!(%error, "could not ask for a proof of a connection; the next hint asks again");
        }
    };
    tokio::join!(hint, tokio::time::sleep(AS_SLOW));
    plain(
        StatusCode::OK,
        "Disconnected in QuickBooks",
        "QuickBooks told us that the connection was ended there. We look ourselves, and if it is so, \
         approved timecards wait with us from now on. Nothing is lost. To let them go on to \
         QuickBooks, connect again.",
        Some(&Link { to: "reconnect".to_owned(), words: "Connect again" }),
    )
}

impl Disconnected {
    async fn prove(&self, realm: &RealmId) -> platform::Result<()> {
        let owner = self.connections.company_of(self.environment, realm);
        let Some(company) = in_time("find a realm's company", owner).await? else {
            return Ok(());
        };
        let now = self.clock.now().await;
        let noted = in_time("note a hint", self.connections.ask_for_proof(&company, realm, now));
        let asked = match noted.await {
            Ok(false) => return Ok(()),
            Ok(true) => {
                let request = RefreshRequest::Prove { company_id: company.clone() };
                in_time("send a hint on", self.requests.send(&request)).await
            }
            Err(error) => Err(error),
        };
        // The note alone would close the door for an hour, and nobody would have asked.
        if asked.is_err() {
            in_time("take a hint back", self.connections.proof_not_asked(&company, now)).await?;
        }
        asked
    }
}

async fn in_time<T>(
    call: &'static str,
    asking: impl Future<Output = platform::Result<T>>,
) -> platform::Result<T> {
    let slow = |_| platform::Error::Aws { call, reason: "it took too long".to_owned() };
    tokio::time::timeout(PATIENCE, asking).await.map_err(slow)?
}
