//! Secrets Manager: the only place, besides memory, where tokens and app credentials are.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;
use domain::ids::CompanyId;
use jiff::Timestamp;
use quickbooks::{AppCredentials, TokenGrant};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::error::{Error, Result};
use crate::refresh::Expiries;

/// App credentials are read again after this time, so that a change takes effect without a deploy
/// (C1: within 5 minutes).
const CREDENTIALS_CACHED: Duration = Duration::from_mins(4);

/// A company's tokens. No `Debug`: nothing that holds one can be printed.
#[derive(Clone)]
pub struct TokenSet {
    /// For API calls.
    pub access: SecretString,
    /// For the next refresh.
    pub refresh: SecretString,
    /// When they end.
    pub expiries: Expiries,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredTokens {
    access_token: SecretString,
    refresh_token: SecretString,
    access_expires_at: i64,
    refresh_expires_at: i64,
    hard_expires_at: Option<i64>,
    issued_at: i64,
}

impl TokenSet {
    /// What Intuit granted at `now`.
    pub fn from_grant(grant: &TokenGrant, now: Timestamp) -> Self {
        let after = |seconds: u64| {
            let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
            now.checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
        };
        Self {
            access: grant.access_token.clone(),
            refresh: grant.refresh_token.clone(),
            expiries: Expiries {
                access: after(grant.expires_in),
                refresh: after(grant.refresh_expires_in),
                hard: grant.refresh_hard_expires_in.map(after),
                issued: now,
            },
        }
    }

    fn to_json(&self) -> SecretString {
        serde_json::json!({
            "accessToken": self.access.expose_secret(),
            "refreshToken": self.refresh.expose_secret(),
            "accessExpiresAt": self.expiries.access.as_millisecond(),
            "refreshExpiresAt": self.expiries.refresh.as_millisecond(),
            "hardExpiresAt": self.expiries.hard.map(Timestamp::as_millisecond),
            "issuedAt": self.expiries.issued.as_millisecond(),
        })
        .to_string()
        .into()
    }

    fn from_json(text: &str) -> Result<Self> {
        // The parser's own message could quote the text: it is not passed on.
        let unreadable =
            || Error::unreadable("a stored token set", "it has not the expected shape");
        let stored: StoredTokens = serde_json::from_str(text).map_err(|_| unreadable())?;
        let at = |ms: i64| Timestamp::from_millisecond(ms).map_err(|_| unreadable());
        Ok(Self {
            expiries: Expiries {
                access: at(stored.access_expires_at)?,
                refresh: at(stored.refresh_expires_at)?,
                hard: stored.hard_expires_at.map(at).transpose()?,
                issued: at(stored.issued_at)?,
            },
            access: stored.access_token,
            refresh: stored.refresh_token,
        })
    }
}

/// The secrets of all companies and of the Intuit apps.
#[derive(Clone)]
pub struct Secrets {
    client: Client,
    prefix: String,
    app_secret: String,
    app: Arc<Mutex<Option<(Instant, AppCredentials)>>>,
    tokens: Arc<Mutex<HashMap<(String, String), TokenSet>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredApp {
    client_id: String,
    client_secret: SecretString,
}

impl Secrets {
    /// Token secrets under `prefix`; the Intuit app's credentials in `app_secret`.
    pub fn new(client: Client, prefix: impl Into<String>, app_secret: impl Into<String>) -> Self {
        Self {
            client,
            prefix: prefix.into(),
            app_secret: app_secret.into(),
            app: Arc::default(),
            tokens: Arc::default(),
        }
    }

    /// Reads `TOKEN_SECRET_PREFIX` and `INTUIT_APP_SECRET`.
    pub fn from_env(client: Client) -> Result<Self> {
        Ok(Self::new(
            client,
            crate::config::required("TOKEN_SECRET_PREFIX")?,
            crate::config::required("INTUIT_APP_SECRET")?,
        ))
    }

    /// The Intuit app's client id and secret.
    pub async fn app(&self) -> Result<AppCredentials> {
        let mut cached = self.app.lock().await;
        if let Some((read_at, app)) = cached.as_ref()
            && read_at.elapsed() < CREDENTIALS_CACHED
        {
            return Ok(app.clone());
        }
        let answer = self
            .client
            .get_secret_value()
            .secret_id(&self.app_secret)
            .send()
            .await
            .map_err(Error::aws("read the Intuit app's credentials"))?;
        let stored: StoredApp = serde_json::from_str(answer.secret_string().unwrap_or_default())
            .map_err(|_| Error::Configuration {
                name: self.app_secret.clone(),
                reason:
                    "must be JSON with clientId and clientSecret of your Intuit app; put it with \
                         `aws secretsmanager put-secret-value`"
                        .to_owned(),
            })?;
        let app =
            AppCredentials { client_id: stored.client_id, client_secret: stored.client_secret };
        *cached = Some((Instant::now(), app.clone()));
        Ok(app)
    }

    /// Reads the app's credentials anew when they are next needed: Intuit has refused them.
    pub async fn forget_app(&self) {
        *self.app.lock().await = None;
    }

    /// The name of a connection's secret. A deleted name cannot be used again at once, hence the
    /// connection's id in it.
    pub fn name(&self, company: &CompanyId, connection_id: &str) -> String {
        format!("{}/{company}/{connection_id}", self.prefix)
    }

    /// Creates a connection's secret, empty.
    pub async fn create(&self, name: &str, company: &CompanyId) -> Result<()> {
        self.client
            .create_secret()
            .name(name)
            .description(format!("QuickBooks tokens of company {company}"))
            .send()
            .await
            .map_err(Error::aws("create the connection's secret"))?;
        Ok(())
    }

    /// Creates a connection's secret, empty, unless it is there already: for a step that may be repeated.
    pub async fn create_if_absent(&self, name: &str, company: &CompanyId) -> Result<()> {
        use aws_sdk_secretsmanager::operation::create_secret::CreateSecretError;
        let created = self
            .client
            .create_secret()
            .name(name)
            .description(format!("QuickBooks tokens of company {company}"))
            .send()
            .await;
        match created {
            Ok(_) => Ok(()),
            Err(error)
                if matches!(
                    error.as_service_error(),
                    Some(CreateSecretError::ResourceExistsException(_))
                ) =>
            {
                Ok(())
            }
            Err(error) => Err(Error::aws("create the connection's secret")(error)),
        }
    }

    /// Stores tokens as the version `version`. Putting the same version again is harmless. The label
    /// keeps the version from vanishing: versions without one may be deleted.
    pub async fn put(
        &self,
        name: &str,
        version: &str,
        fence: u64,
        tokens: &TokenSet,
    ) -> Result<()> {
        self.client
            .put_secret_value()
            .secret_id(name)
            .client_request_token(version)
            .secret_string(tokens.to_json().expose_secret())
            .version_stages(format!("f{}", fence % 16))
            .send()
            .await
            .map_err(Error::aws("store the tokens"))?;
        self.tokens.lock().await.insert((name.to_owned(), version.to_owned()), tokens.clone());
        Ok(())
    }

    /// Reads the tokens stored as `version`; `None` when there is no such version. Warm functions keep
    /// what they read: a version never changes.
    pub async fn get(&self, name: &str, version: &str) -> Result<Option<TokenSet>> {
        let key = (name.to_owned(), version.to_owned());
        if let Some(tokens) = self.tokens.lock().await.get(&key) {
            return Ok(Some(tokens.clone()));
        }
        let result =
            self.client.get_secret_value().secret_id(name).version_id(version).send().await;
        let answer = match result {
            Ok(answer) => answer,
            Err(error)
                if matches!(
                    error.as_service_error(),
                    Some(GetSecretValueError::ResourceNotFoundException(_))
                ) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(Error::aws("read the tokens")(error)),
        };
        let tokens = TokenSet::from_json(answer.secret_string().unwrap_or_default())?;
        let mut cache = self.tokens.lock().await;
        // One process serves few companies at a time; a bound keeps a long-lived one small.
        if cache.len() >= 200 {
            cache.clear();
        }
        cache.insert(key, tokens.clone());
        Ok(Some(tokens))
    }

    /// Deletes a connection's secret for good. One that is gone already is fine.
    pub async fn destroy(&self, name: &str) -> Result<()> {
        use aws_sdk_secretsmanager::operation::delete_secret::DeleteSecretError;
        self.tokens.lock().await.retain(|(secret, _), _| secret != name);
        match self
            .client
            .delete_secret()
            .secret_id(name)
            .force_delete_without_recovery(true)
            .send()
            .await
        {
            Ok(_) => Ok(()),
            Err(error)
                if matches!(
                    error.as_service_error(),
                    Some(DeleteSecretError::ResourceNotFoundException(_))
                ) =>
            {
                Ok(())
            }
            Err(error) => Err(Error::aws("delete the connection's secret")(error)),
        }
    }
}
