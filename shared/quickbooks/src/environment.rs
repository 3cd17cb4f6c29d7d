//! Intuit's two environments and their addresses.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::Url;

/// The minor version sent with every call. Intuit answers anything lower as 75 since 2025-08-01
/// (Intuit developer blog, 2025-01-21, "Changes to our Accounting API").
pub const MINOR_VERSION: u32 = 75;

/// Which of Intuit's environments an app's keys and a company belong to. A token of one is refused
/// by the other with code 3100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// Development keys and sandbox companies.
    Sandbox,
    /// Production keys and real companies.
    Production,
}

impl Environment {
    /// `sandbox` or `production`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Production => "production",
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name is neither `sandbox` nor `production`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the QuickBooks environment must be \"sandbox\" or \"production\"")]
pub struct UnknownEnvironment;

impl FromStr for Environment {
    type Err = UnknownEnvironment;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "sandbox" => Ok(Self::Sandbox),
            "production" => Ok(Self::Production),
            _ => Err(UnknownEnvironment),
        }
    }
}

/// Where Intuit is reached. Each field may be replaced, which is how a local stand-in is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// The consent page that the browser opens.
    pub authorize: Url,
    /// Code exchange and refresh.
    pub token: Url,
    /// Revocation of a token.
    pub revoke: Url,
    /// Base of the Accounting API, without `/v3`.
    pub api: Url,
}

impl Endpoints {
    /// Intuit's own addresses, as its SDKs and its OpenID discovery document list them. Only the API
    /// host differs between the environments.
    pub fn of(environment: Environment) -> Self {
        let api = match environment {
            Environment::Sandbox => "https://sandbox-quickbooks.api.intuit.com",
            Environment::Production => "https://quickbooks.api.intuit.com",
        };
        Self {
            authorize: constant("https://appcenter.intuit.com/connect/oauth2"),
            token: constant("https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer"),
            revoke: constant("https://developer.api.intuit.com/v2/oauth2/tokens/revoke"),
            api: constant(api),
        }
    }
}

#[expect(clippy::expect_used, reason = "constants of this file; a test parses each of them")]
fn constant(address: &'static str) -> Url {
    Url::parse(address).expect("a constant address parses")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_environment_has_its_own_api_host_and_the_same_oauth_hosts() {
        let sandbox = Endpoints::of(Environment::Sandbox);
        let production = Endpoints::of(Environment::Production);
        assert_eq!(sandbox.api.host_str(), Some("sandbox-quickbooks.api.intuit.com"));
        assert_eq!(production.api.host_str(), Some("quickbooks.api.intuit.com"));
        assert_eq!(sandbox.token, production.token);
        assert_eq!(sandbox.revoke, production.revoke);
        assert_eq!(sandbox.authorize, production.authorize);
    }

    #[test]
    fn names_go_both_ways_in_text_and_json() {
        for environment in [Environment::Sandbox, Environment::Production] {
            assert_eq!(environment.to_string().parse(), Ok(environment));
            let json = serde_json::to_string(&environment).unwrap();
            assert_eq!(json, format!("\"{environment}\""));
            assert_eq!(serde_json::from_str::<Environment>(&json).unwrap(), environment);
        }
        assert_eq!("Production".parse::<Environment>(), Err(UnknownEnvironment));
    }
}
