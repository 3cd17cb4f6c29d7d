//! Typed configuration, read once at start-up. A missing variable is named, and stops the start.

use jiff::SignedDuration;
use quickbooks::{Endpoints, Environment};
use url::Url;

use crate::error::{Error, Result};

/// Reads a variable that must be there.
pub fn required(name: &str) -> Result<String> {
    optional(name).ok_or_else(|| Error::Configuration {
        name: name.to_owned(),
        reason: "is not set; template.yaml sets it for every function".to_owned(),
    })
}

/// Reads a variable that may be absent; an empty one counts as absent, since CloudFormation has no
/// "unset".
pub fn optional(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

fn url(name: &str) -> Result<Option<Url>> {
    optional(name)
        .map(|value| {
            Url::parse(&value).map_err(|error| Error::Configuration {
                name: name.to_owned(),
                reason: format!("is not a URL: {error}"),
            })
        })
        .transpose()
}

/// Names of the tables, one variable each.
#[derive(Debug, Clone)]
pub struct Tables {
    /// One row per company's connection and per realm; never a token.
    pub connections: String,
    /// Connect links and OAuth states; they live minutes.
    pub oauth_states: String,
    /// One row per company: lease, next due time, whether it runs.
    pub companies: String,
    /// Work items, the journal of sends under way, dead letters.
    pub work: String,
    /// Timecards and what was imported from QuickBooks.
    pub records: String,
    /// Settings, every version of them.
    pub settings: String,
    /// Mappings, every version of them.
    pub mappings: String,
    /// Sync jobs.
    pub jobs: String,
    /// Who did what, kept 90 days.
    pub audit_log: String,
    /// Shares of Intuit's limits that several functions use.
    pub counters: String,
}

impl Tables {
    /// Reads `TABLE_*`.
    pub fn from_env() -> Result<Self> {
        Ok(Self {
            connections: required("TABLE_CONNECTIONS")?,
            oauth_states: required("TABLE_OAUTH_STATES")?,
            companies: required("TABLE_COMPANIES")?,
            work: required("TABLE_WORK")?,
            records: required("TABLE_RECORDS")?,
            settings: required("TABLE_SETTINGS")?,
            mappings: required("TABLE_MAPPINGS")?,
            jobs: required("TABLE_JOBS")?,
            audit_log: required("TABLE_AUDIT_LOG")?,
            counters: required("TABLE_COUNTERS")?,
        })
    }
}

/// Where Intuit is, and which of its two environments this stage belongs to.
#[derive(Debug, Clone)]
pub struct Intuit {
    /// `sandbox` or `production`; a connection made in one is refused in the other.
    pub environment: Environment,
    /// Intuit's addresses; only the stage `local` may move them.
    pub endpoints: Endpoints,
}

impl Intuit {
    /// Reads `INTUIT_ENVIRONMENT` and, on the stage `local`, the addresses that stand in for Intuit's.
    pub fn from_env() -> Result<Self> {
        let environment: Environment =
            required("INTUIT_ENVIRONMENT")?.parse().map_err(|_| Error::Configuration {
                name: "INTUIT_ENVIRONMENT".to_owned(),
                reason: "must be sandbox or production".to_owned(),
            })?;
        let mut endpoints = Endpoints::of(environment);
        if let Some(value) = url("INTUIT_AUTHORIZE_URL")? {
            endpoints.authorize = value;
        }
        if let Some(value) = url("INTUIT_TOKEN_URL")? {
            endpoints.token = value;
        }
        if let Some(value) = url("INTUIT_REVOKE_URL")? {
            endpoints.revoke = value;
        }
        if let Some(value) = url("QUICKBOOKS_API_URL")? {
            endpoints.api = value;
        }
        Ok(Self { environment, endpoints })
    }
}

/// Multiplies our own pace towards Intuit (0.1 to 10). Only the stage `local` may set it.
pub fn pace_scale() -> f64 {
    optional("PACE_SCALE")
        .and_then(|value| value.parse::<f64>().ok())
        .map_or(1.0, |scale| scale.clamp(0.1, 10.0))
}

/// An access token with less left than this is refreshed before use (C4): `REFRESH_MARGIN_MINUTES`, 5 by
/// default.
pub fn refresh_margin() -> Result<SignedDuration> {
    Ok(SignedDuration::from_mins(number("REFRESH_MARGIN_MINUTES")?.unwrap_or(5)))
}

/// A whole number that may be absent.
pub fn number(name: &str) -> Result<Option<i64>> {
    optional(name)
        .map(|value| {
            value.trim().parse().map_err(|_| Error::Configuration {
                name: name.to_owned(),
                reason: format!("must be a whole number, not '{value}'"),
            })
        })
        .transpose()
}
