//! Requests to the function company-erasure that it sends itself: to go on with an erasure, and to look
//! again whether anything was written since.
//!
//! The first request is the host app's event `company.deleted`, which the bus puts into the same queue.

use std::time::Duration;

use aws_sdk_sqs::Client;
use domain::ids::CompanyId;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What is left to do of an erasure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Step {
    /// Erase on.
    Erase,
    /// Erase what was written meanwhile by whoever was at it when the erasure began. Then it is over.
    LookAgain,
}

/// A request that company-erasure sends itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErasureRequest {
    /// Whose data.
    pub company_id: CompanyId,
    /// What is left to do.
    pub step: Step,
}

/// The queue in front of company-erasure.
#[derive(Clone, Debug)]
pub struct ErasureRequests {
    client: Client,
    url: String,
}

impl ErasureRequests {
    /// The queue by URL.
    pub fn new(client: Client, url: impl Into<String>) -> Self {
        Self { client, url: url.into() }
    }

    /// Reads `QUEUE_COMPANY_DELETIONS`.
    pub fn from_env(client: Client) -> Result<Self> {
        Ok(Self::new(client, crate::config::required("QUEUE_COMPANY_DELETIONS")?))
    }

    /// Sends a request, to arrive after `delay` (at most 15 minutes).
    pub async fn send(&self, request: &ErasureRequest, delay: Duration) -> Result<()> {
        let body = serde_json::to_string(request)
            .map_err(|error| Error::unreadable("a request to erase", error))?;
        self.client
            .send_message()
            .queue_url(&self.url)
            .message_body(body)
            .delay_seconds(i32::try_from(delay.as_secs()).unwrap_or(900).min(900))
            .send()
            .await
            .map_err(Error::aws("ask to go on with an erasure"))?;
        Ok(())
    }
}
