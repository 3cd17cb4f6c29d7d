//! Requests to the function token-refresh: a chunk of a sweep, a renewal that somebody's use of the
//! connection called for, or a proof that Intuit still accepts a connection.
//!
//! A request only says whom to look at. Losing one loses nothing (the next sweep or use asks again), and
//! one that comes twice finds nothing left to do.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use domain::ids::CompanyId;
use domain::sweep::Run;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What is asked of token-refresh.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "ask")]
pub enum RefreshRequest {
    /// Do what is due for these, as one chunk of a sweep's run.
    Sweep {
        /// The run: what to look for, and where to count it.
        run: Run,
        /// The chunk's own id: it is counted once, however often it comes.
        chunk: String,
        /// Whom to look at.
        companies: Vec<CompanyId>,
    },
    /// Go on reading what is due of a run whose reading was cut short.
    ReadOn {
        /// The run.
        run: Run,
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

/// Messages in one call (SQS' limit).
const BATCH: usize = 10;

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

    /// Sends requests, ten to a call. Answers those that the queue did not take, each tried three times.
    pub async fn send_all(&self, requests: &[RefreshRequest]) -> Result<Vec<RefreshRequest>> {
        let mut refused = Vec::new();
        for requests in requests.chunks(BATCH) {
            let mut open: Vec<&RefreshRequest> = requests.iter().collect();
            for round in 0..3u32 {
                if open.is_empty() {
                    break;
                }
                if round > 0 {
                    tokio::time::sleep(Duration::from_millis(100 << round)).await;
                }
                open = self.send_some(&open).await?;
            }
            refused.extend(open.into_iter().cloned());
        }
        Ok(refused)
    }

    /// One call; answers what was not taken.
    async fn send_some<'a>(
        &self,
        requests: &[&'a RefreshRequest],
    ) -> Result<Vec<&'a RefreshRequest>> {
        let call = "ask for refreshes";
        let entries = requests
            .iter()
            .enumerate()
            .map(|(index, request)| {
                SendMessageBatchRequestEntry::builder()
                    .id(index.to_string())
                    .message_body(body(request)?)
                    .build()
                    .map_err(Error::aws(call))
            })
            .collect::<Result<Vec<_>>>()?;
        let sent =
            self.client.send_message_batch().queue_url(&self.url).set_entries(Some(entries)).send();
        let answer = match sent.await {
            Ok(answer) => answer,
            Err(error) => {
                tracing::warn!(error = %Error::aws(call)(error), "the queue took no refresh requests");
                return Ok(requests.to_vec());
            }
        };
        let refused = answer.failed.into_iter().filter_map(|entry| entry.id.parse::<usize>().ok());
        Ok(refused.filter_map(|index| requests.get(index).copied()).collect())
    }

    /// Sends one request.
    pub async fn send(&self, request: &RefreshRequest) -> Result<()> {
        let body = body(request)?;
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

fn body(request: &RefreshRequest) -> Result<String> {
    serde_json::to_string(request).map_err(|error| Error::unreadable("a refresh request", error))
}
