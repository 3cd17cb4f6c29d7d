//! Intuit's OAuth 2.0: authorize link, code exchange, refresh, revoke.
//!
//! A refresh token may change with every refresh, and two refreshes at once may cost the connection:
//! serialising them, and storing what comes back before anything else, is the caller's part. Nothing
//! is retried here.

use std::fmt;
use std::time::Duration;

use reqwest::header::{ACCEPT, HeaderName};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::Value;
use url::Url;

use crate::classify::Answer;
use crate::environment::Endpoints;
use crate::error::CallError;
use crate::redact::Redactor;
use crate::transport::{CALL_TIMEOUT, check_address, send};

/// Read and write access to the company's books; Intuit has no narrower accounting scope.
const SCOPE: &str = "com.intuit.quickbooks.accounting";

/// Asks for the time left under the five-year cap of every refresh token (Intuit developer blog,
/// 2025-11-12, "Important changes to refresh token policy").
const HARD_EXPIRY_HEADER: HeaderName =
    HeaderName::from_static("x-include-refresh-token-hard-expires-in");

/// Life of an access token, in seconds, if an answer leaves it out (Intuit documents one hour).
const ACCESS_LIFE: u64 = 3_600;

/// Life of a refresh token, in seconds, if an answer leaves it out (Intuit documents 100 days).
const REFRESH_LIFE: u64 = 100 * 24 * 3_600;

/// The app's keys at Intuit.
#[derive(Clone)]
pub struct AppCredentials {
    /// The public half.
    pub client_id: String,
    /// The secret half.
    pub client_secret: SecretString,
}

impl fmt::Debug for AppCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppCredentials").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

/// What the token endpoint gave. Store it before using it.
#[derive(Clone)]
pub struct TokenGrant {
    /// For API calls.
    pub access_token: SecretString,
    /// For the next refresh; the one used before is dead from now on.
    pub refresh_token: SecretString,
    /// Life of the access token, in seconds.
    pub expires_in: u64,
    /// Life of the refresh token, in seconds, renewed by each refresh.
    pub refresh_expires_in: u64,
    /// Time left until the company must be connected again whatever is refreshed, in seconds.
    pub refresh_hard_expires_in: Option<u64>,
}

impl fmt::Debug for TokenGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenGrant")
            .field("expires_in", &self.expires_in)
            .field("refresh_expires_in", &self.refresh_expires_in)
            .field("refresh_hard_expires_in", &self.refresh_hard_expires_in)
            .finish_non_exhaustive()
    }
}

/// Why a token call did not succeed. None of it holds a token, a code or the client secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OAuthError {
    /// The code or refresh token is not valid (any more). Never to be repeated with the same value.
    #[error("Intuit refused the code or the refresh token (invalid_grant)")]
    InvalidGrant {
        /// Intuit's text, redacted; often there is none.
        description: Option<String>,
    },
    /// The app's keys are wrong: every company is affected.
    #[error("Intuit refused the app's client id or secret (invalid_client)")]
    InvalidClient,
    /// Another definite refusal.
    #[error("Intuit refused the token request (HTTP {status}, {error})")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// OAuth's error name, or `unknown`.
        error: String,
    },
    /// An answer that says nothing certain: 5xx, 408, 429, or a failure that cannot be read.
    #[error("Intuit's token endpoint is not available (HTTP {status})")]
    Unavailable {
        /// The HTTP status.
        status: u16,
    },
    /// No answer, or a success that cannot be read: a rotation may have happened at Intuit.
    #[error("no answer from Intuit's token endpoint: {reason}")]
    Unanswered {
        /// What happened on the line.
        reason: String,
    },
    /// The request never left: certainly nothing happened at Intuit.
    #[error("the request was not sent to Intuit's token endpoint: {reason}")]
    NotSent {
        /// Why.
        reason: String,
    },
}

impl OAuthError {
    /// Whether Intuit may have done what was asked all the same. After a refresh, the token that was
    /// sent may then be dead.
    pub fn may_have_happened(&self) -> bool {
        match self {
            Self::Unavailable { .. } | Self::Unanswered { .. } => true,
            Self::InvalidGrant { .. }
            | Self::InvalidClient
            | Self::Refused { .. }
            | Self::NotSent { .. } => false,
        }
    }

    /// Whether the request may still be at work at Intuit: nobody answered it, or only a gateway did
    /// that had passed it on.
    pub fn may_be_under_way(&self) -> bool {
        matches!(self, Self::Unanswered { .. } | Self::Unavailable { status: 408 | 502 | 504 })
    }
}

/// Intuit's OAuth endpoints. Cheap to clone.
#[derive(Debug, Clone)]
pub struct OAuth {
    http: reqwest::Client,
    endpoints: Endpoints,
    timeout: Duration,
}

impl OAuth {
    /// Over [`crate::http_client`] and the endpoints of an environment.
    pub fn new(http: reqwest::Client, endpoints: Endpoints) -> Self {
        Self { http, endpoints, timeout: CALL_TIMEOUT }
    }

    /// Gives each call up after this, instead of 30 s. Mind that giving up on a refresh loses its
    /// answer, not its effect.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Where the browser goes to give consent. `redirect_uri` is one that is registered with the app,
    /// without a query.
    pub fn authorize_url(&self, client_id: &str, redirect_uri: &str, state: &str) -> Url {
        let mut url = self.endpoints.authorize.clone();
        url.query_pairs_mut()
            .append_pair("client_id", client_id)
            .append_pair("response_type", "code")
            .append_pair("scope", SCOPE)
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("state", state);
        url
    }

    /// Exchanges the code of a callback. Once only: a second exchange of one code may revoke the
    /// tokens of the first.
    pub async fn exchange(
        &self,
        app: &AppCredentials,
        code: &SecretString,
        redirect_uri: &str,
    ) -> Result<TokenGrant, OAuthError> {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code.expose_secret()),
            ("redirect_uri", redirect_uri),
        ];
        self.grant(app, &form, code, None, "exchange").await
    }

    /// Refreshes. One at a time per connection; store the answer before using it.
    pub async fn refresh(
        &self,
        app: &AppCredentials,
        refresh_token: &SecretString,
    ) -> Result<TokenGrant, OAuthError> {
        let form =
            [("grant_type", "refresh_token"), ("refresh_token", refresh_token.expose_secret())];
        self.grant(app, &form, refresh_token, Some(refresh_token), "refresh").await
    }

    /// Revokes an access or refresh token, and with it the connection.
    pub async fn revoke(
        &self,
        app: &AppCredentials,
        token: &SecretString,
    ) -> Result<(), OAuthError> {
        #[derive(Serialize)]
        struct Body<'a> {
            token: &'a str,
        }
        check_address(&self.endpoints.revoke)?;
        let request = self
            .http
            .post(self.endpoints.revoke.clone())
            .header(ACCEPT, "application/json")
            .basic_auth(&app.client_id, Some(app.client_secret.expose_secret()))
            .json(&Body { token: token.expose_secret() });
        let answer = send(request, self.timeout, "token", "revoke").await?;
        let redactor = Redactor::knowing([token, &app.client_secret]);
        match answer.status {
            200..300 => Ok(()),
            _ => Err(refusal(&answer, &redactor)),
        }
    }

    async fn grant(
        &self,
        app: &AppCredentials,
        form: &[(&str, &str)],
        sent: &SecretString,
        current: Option<&SecretString>,
        operation: &'static str,
    ) -> Result<TokenGrant, OAuthError> {
        check_address(&self.endpoints.token)?;
        let request = self
            .http
            .post(self.endpoints.token.clone())
            .header(ACCEPT, "application/json")
            .header(HARD_EXPIRY_HEADER, "true")
            .basic_auth(&app.client_id, Some(app.client_secret.expose_secret()))
            .form(form);
        let answer = send(request, self.timeout, "token", operation).await?;
        let redactor = Redactor::knowing([sent, &app.client_secret]);
        if !(200..300).contains(&answer.status) || error_name(&answer, &redactor).is_some() {
            return Err(refusal(&answer, &redactor));
        }
        grant_of(&answer.body, current).ok_or_else(|| OAuthError::Unanswered {
            reason: "the answer held no tokens".to_owned(),
        })
    }
}

/// Only the tokens themselves are indispensable: a set must not be lost for want of a lifetime.
/// A refresh that names no new refresh token leaves the `current` one valid.
fn grant_of(body: &[u8], current: Option<&SecretString>) -> Option<TokenGrant> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let token = |name: &str| {
        let token = answer.get(name)?.as_str().filter(|token| !token.is_empty())?;
        Some(SecretString::from(token))
    };
    let seconds = |name: &str| match answer.get(name)? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    Some(TokenGrant {
        access_token: token("access_token")?,
        refresh_token: token("refresh_token").or_else(|| current.cloned())?,
        expires_in: seconds("expires_in").unwrap_or(ACCESS_LIFE),
        refresh_expires_in: seconds("x_refresh_token_expires_in").unwrap_or(REFRESH_LIFE),
        refresh_hard_expires_in: seconds("x_refresh_token_hard_expires_in"),
    })
}

/// OAuth's error name, if the answer has one.
fn error_name(answer: &Answer, redactor: &Redactor<'_>) -> Option<(String, Option<String>)> {
    let body: Value = serde_json::from_slice(&answer.body).ok()?;
    let text = |name: &str| {
        let text = redactor.clean(body.get(name)?.as_str()?);
        (!text.trim().is_empty()).then_some(text)
    };
    Some((text("error")?, text("error_description")))
}

fn refusal(answer: &Answer, redactor: &Redactor<'_>) -> OAuthError {
    let status = answer.status;
    if status >= 500 || matches!(status, 408 | 429) {
        return OAuthError::Unavailable { status };
    }
    match error_name(answer, redactor) {
        Some((error, description)) if error == "invalid_grant" => {
            OAuthError::InvalidGrant { description }
        }
        Some((error, _)) if error == "invalid_client" => OAuthError::InvalidClient,
        Some((error, _)) => OAuthError::Refused { status, error },
        // A bare 400 refuses; anything else unread may come from anywhere on the way.
        None if status == 400 => OAuthError::Refused { status, error: "unknown".to_owned() },
        None => OAuthError::Unavailable { status },
    }
}

impl From<CallError> for OAuthError {
    /// Of a line's failures: no answer, or not sent.
    fn from(error: CallError) -> Self {
        match error {
            CallError::NotSent { reason } => Self::NotSent { reason },
            CallError::Unanswered { reason } => Self::Unanswered { reason },
            CallError::Unavailable { status, .. } => Self::Unavailable { status },
            other => Self::Unanswered { reason: other.to_string() },
        }
    }
}
