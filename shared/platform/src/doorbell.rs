//! The doorbell: a message that says "company X has work". It carries no work itself.
//!
//! Losing a ring loses nothing (the one-minute sweep rings again), and ringing twice does no harm.

use aws_sdk_sqs::Client;
use domain::ids::CompanyId;
use domain::work::Lane;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The body of a ring.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ring {
    /// Whose work is due.
    pub company_id: CompanyId,
}

/// The two queues that sync-worker is fed from. The urgent one has concurrency of its own, so that
/// backlogs never hold every place.
#[derive(Clone, Debug)]
pub struct Doorbell {
    client: Client,
    normal: String,
    urgent: String,
}

impl Doorbell {
    /// The queues by URL.
    pub fn new(client: Client, normal: impl Into<String>, urgent: impl Into<String>) -> Self {
        Self { client, normal: normal.into(), urgent: urgent.into() }
    }

    /// Reads `QUEUE_DOORBELL` and `QUEUE_DOORBELL_URGENT`.
    pub fn from_env(client: Client) -> Result<Self> {
        Ok(Self::new(
            client,
            crate::config::required("QUEUE_DOORBELL")?,
            crate::config::required("QUEUE_DOORBELL_URGENT")?,
        ))
    }

    /// Whether a queue's name is that of the urgent one.
    pub fn is_urgent(&self, queue_name: &str) -> bool {
        self.urgent.rsplit('/').next() == Some(queue_name)
    }

    /// Rings for a company.
    pub async fn ring(&self, company: &CompanyId, lane: Lane) -> Result<()> {
        let queue = if lane == Lane::Urgent { &self.urgent } else { &self.normal };
        let body = serde_json::to_string(&Ring { company_id: company.clone() })
            .map_err(|error| Error::unreadable("a ring", error))?;
        self.client
            .send_message()
            .queue_url(queue)
            .message_body(body)
            .send()
            .await
            .map_err(Error::aws("ring the doorbell"))?;
        tracing::info!(company = %company, %lane, "rang");
        Ok(())
    }
}
