//! Requests to the function token-refresh: a page of a sweep, a renewal that somebody's use of the
//! connection called for, or a proof that Intuit still accepts a connection.
//!
//! A request only says whom to look at. Losing one loses nothing (the next sweep or use asks again), and
//! one that comes twice finds nothing left to do.

use aws_sdk_sqs::Client;
use domain::ids::CompanyId;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What is asked of token-refresh.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "ask")]
pub enum RefreshRequest {
    /// Refresh what is due of these, as one part of a sweep's run.
    Sweep {
        /// The run, for its report.
        run: String,
        /// Whom to look at.
        companies: Vec<CompanyId>,
    },
    /// The refresh token is old and its company is being used: renew it (C6).
    Renew {
        /// Whose.
        company_id: CompanyId,
    },
    /// Somebody says that the connection was ended at Intuit: find out from Intuit itself (C11).
    Prove {
        /// Whose.
        company_id: CompanyId,
    },
}

/// The queue in front of token-refresh.
#[derive(Clone, Debug)]
pub struct RefreshRequests {
    client: Client,
    url: String,
}

impl RefreshRequests {
    /// The queue by URL.
    pub fn new(client: Client, url: impl Into<String>) -> Self {
        Self { client, url: url.into() }
    }

    /// Reads `QUEUE_REFRESHES`.
    pub fn from_env(client: Client) -> Result<Self> {
        Ok(Self::new(client, crate::config::required("QUEUE_REFRESHES")?))
    }

    /// Sends one request.
    pub async fn send(&self, request: &RefreshRequest) -> Result<()> {
        let body = serde_json::to_string(request)
            .map_err(|error| Error::unreadable("a refresh request", error))?;
        self.client
            .send_message()
            .queue_url(&self.url)
            .message_body(body)
            .send()
            .await
            .map_err(Error::aws("ask for a refresh"))?;
        Ok(())
    }
}
