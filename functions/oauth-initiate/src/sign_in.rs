//! How people sign in on our own page: at the host app's OIDC issuer, as one of its public clients.
//!
//! The issuer's endpoints are read from its discovery document here and not in the browser: the page
//! may then call nothing but its own origin and the issuer's token endpoint, and an issuer whose
//! discovery document other origins may not read will do.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use platform::clock::Clock;
use platform::config::{optional, required};
use platform::{Error, Result};
use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;

/// What was discovered is trusted this long.
const KNOWN_FOR: SignedDuration = SignedDuration::from_hours(1);
/// The issuer gets this long for its discovery document; a person waits.
const PATIENCE: Duration = Duration::from_secs(5);

/// The issuer, and the client that our page is there.
#[derive(Clone)]
pub struct SignIn {
    issuer: String,
    /// A public client: it has no secret.
    pub client_id: String,
    /// What the access token is to be for; see the README on issuers.
    pub audience: String,
    /// The scopes that are asked for.
    pub scope: String,
    http: reqwest::Client,
    clock: Clock,
    known: Arc<Mutex<Option<(Timestamp, Endpoints)>>>,
}

/// Where the issuer signs people in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// Where the browser goes.
    pub authorize: Url,
    /// Where the page exchanges the code.
    pub token: Url,
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
}

impl SignIn {
    /// Reads `SIGN_IN_CLIENT_ID`, `SIGN_IN_SCOPE`, `JWT_ISSUER` and `JWT_AUDIENCE`. `None`: our page
    /// signs nobody in.
    pub fn from_env(clock: Clock) -> Result<Option<Self>> {
        let Some(client_id) = optional("SIGN_IN_CLIENT_ID") else { return Ok(None) };
        Ok(Some(Self {
            issuer: required("JWT_ISSUER")?,
            client_id,
            audience: required("JWT_AUDIENCE")?,
            scope: optional("SIGN_IN_SCOPE").unwrap_or_else(|| "openid".to_owned()),
            http: quickbooks::http_client(),
            clock,
            known: Arc::default(),
        }))
    }

    /// The issuer's endpoints. When it does not answer, what it said before still counts.
    ///
    /// # Errors
    /// It does not answer, or its document is not its own.
    pub async fn endpoints(&self) -> Result<Endpoints> {
        let now = self.clock.now().await;
        let mut known = self.known.lock().await;
        if let Some((at, endpoints)) = &*known
            && now.duration_since(*at).abs() < KNOWN_FOR
        {
            return Ok(endpoints.clone());
        }
        match (self.discover().await, &*known) {
            (Ok(endpoints), _) => {
                *known = Some((now, endpoints.clone()));
                Ok(endpoints)
            }
            (Err(error), Some((_, endpoints))) => {
                tracing::warn!(%error, "the issuer does not answer; its known endpoints are used");
                Ok(endpoints.clone())
            }
            (Err(error), None) => Err(error),
        }
    }

    async fn discover(&self) -> Result<Endpoints> {
        let wrong = |error: &dyn std::fmt::Display| {
            Error::unreadable("the issuer's discovery document", error.to_string())
        };
        let base = self.issuer.trim_end_matches('/');
        let answer = self
            .http
            .get(format!("{base}/.well-known/openid-configuration"))
            .timeout(PATIENCE)
            .send()
            .await
            .and_then(reqwest::Response::error_for_status)
            .map_err(|error| wrong(&error))?;
        let document: Document = answer.json().await.map_err(|error| wrong(&error))?;
        if document.issuer.trim_end_matches('/') != base {
            return Err(wrong(&format_args!("it is of the issuer {}", document.issuer)));
        }
        let url = |text: &str| Url::parse(text).map_err(|error| wrong(&error));
        Ok(Endpoints {
            authorize: url(&document.authorization_endpoint)?,
            token: url(&document.token_endpoint)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wiremock::matchers::path;
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::*;

    fn now() -> Timestamp {
        "2026-11-20T12:00:00Z".parse().unwrap()
    }

    fn of(issuer: String) -> SignIn {
        SignIn {
            issuer,
            client_id: "page".to_owned(),
            audience: "quickbooks-connector".to_owned(),
            scope: "openid".to_owned(),
            http: quickbooks::http_client(),
            clock: Clock::Fixed(now()),
            known: Arc::default(),
        }
    }

    /// An issuer whose document says that it is `of`; it answers `times` times.
    async fn issuer(of: Option<&str>, times: u64) -> MockServer {
        let server = MockServer::start().await;
        let document = json!({
            "issuer": of.map_or_else(|| format!("{}/", server.uri()), ToOwned::to_owned),
            "authorization_endpoint": "https://login.example/authorize",
            "token_endpoint": "https://tokens.example/token",
        });
        Mock::given(path("/.well-known/openid-configuration"))
            .respond_with(ResponseTemplate::new(200).set_body_json(document))
            .up_to_n_times(times)
            .mount(&server)
            .await;
        server
    }

    async fn asked(server: &MockServer) -> usize {
        server.received_requests().await.unwrap().len()
    }

    #[tokio::test]
    async fn endpoints_are_discovered_once_an_hour_and_kept_while_the_issuer_is_away() {
        let server = issuer(None, 2).await;
        let sign_in = of(server.uri());
        let at = async |minutes: i64, sign_in: &SignIn| {
            let clock = Clock::Fixed(now() + SignedDuration::from_mins(minutes));
            SignIn { clock, ..sign_in.clone() }.endpoints().await.unwrap()
        };
        let first = at(0, &sign_in).await;
        assert_eq!(first.token.as_str(), "https://tokens.example/token");
        assert_eq!(at(59, &sign_in).await, first);
        assert_eq!(asked(&server).await, 1);
        assert_eq!(at(60, &sign_in).await, first);
        assert_eq!(asked(&server).await, 2);
        // Away by now.
        assert_eq!(at(121, &sign_in).await, first);
        assert_eq!(asked(&server).await, 3);
    }

    #[tokio::test]
    async fn another_issuers_document_and_none_are_refused() {
        for server in [issuer(Some("https://evil.example"), 9).await, MockServer::start().await] {
            // A slash at the end makes no other issuer.
            assert!(of(format!("{}/", server.uri())).endpoints().await.is_err());
        }
    }
}
