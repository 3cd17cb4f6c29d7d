//! The clean-up, every five minutes: what others owe and did not do, because they died or their time was
//! over. A connection that nobody confirmed is given back; the secret of one that was ended or replaced is
//! destroyed; the end that Intuit put to one is announced.
//!
//! It reads an index that holds these rows only, in pages until none is left. One row's failure stops no
//! other; it stays in the index, and the next run tries again.

use std::time::{Duration, Instant};

use domain::ids::CompanyId;
use futures::future::ready;
use futures::stream::{self, StreamExt};
use jiff::Timestamp;
use platform::connections::ConnectionStatus;
use platform::keys::ConnectionRow;
use platform::telemetry::{self, Unit};
use serde_json::{Value, json};

use crate::Manage;

/// Rows at the same time: most of a row's time is waiting for Intuit.
const AT_ONCE: usize = 5;
/// No row is begun after this; what is left is the next run's. With the last rows it fits into the
/// function's 29 s.
const BUDGET: Duration = Duration::from_secs(15);

impl Manage {
    /// Cleans up what is due. Answers how many rows were looked at, done and failed.
    pub async fn clean_up(&self) -> Result<Value, lambda_runtime::Error> {
        let now = self.clock.now().await;
        let began = Instant::now();
        let (mut due, mut failed) = (0usize, 0usize);
        let mut after = None;
        loop {
            let (rows, next) = self.connections.due_for_clean_up(now, after).await?;
            let cleaned: Vec<bool> = stream::iter(rows)
                .take_while(|_| ready(began.elapsed() < BUDGET))
                .map(|row| self.clean_up_row(row, now))
                .buffer_unordered(AT_ONCE)
                .collect()
                .await;
            due += cleaned.len();
            failed += cleaned.iter().filter(|cleaned| !**cleaned).count();
            after = next;
            if after.is_none() || began.elapsed() >= BUDGET {
                break;
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "a count of rows")]
        telemetry::metric("CleanUpFailures", failed as f64, Unit::Count, now);
        Ok(json!({ "due": due, "done": due - failed, "failed": failed }))
    }

    /// Answers whether the row is clean.
    async fn clean_up_row(&self, row: ConnectionRow, now: Timestamp) -> bool {
        let (company, cleaned) = match row {
            ConnectionRow::Unconfirmed(company) => {
                let cleaned = self.clean_up_unconfirmed(&company, now).await;
                (company, cleaned)
            }
            ConnectionRow::OfCompany(company) => {
                let cleaned = self.clean_up_connection(&company).await;
                (company, cleaned)
            }
        };
        match cleaned {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(company = %company, %error, "could not clean up a connection; it is tried again");
                false
            }
        }
    }

    async fn clean_up_unconfirmed(
        &self,
        company: &CompanyId,
        now: Timestamp,
    ) -> platform::Result<()> {
        if let Some(waiting) = self.connections.unconfirmed(company).await? {
            self.disconnect.drop_unconfirmed(&waiting, now).await?;
        }
        Ok(())
    }

    async fn clean_up_connection(&self, company: &CompanyId) -> platform::Result<()> {
        let Some(connection) = self.connections.get(company).await? else { return Ok(()) };
        match connection.status {
            ConnectionStatus::Disconnected => {
                self.disconnect.finish(&connection).await?;
                Ok(())
            }
            ConnectionStatus::ReconnectRequired => {
                self.disconnect.destroy_replaced(&connection).await?;
                self.quickbooks.announce_end(&connection).await
            }
            ConnectionStatus::Connected | ConnectionStatus::Unconfirmed => {
                self.disconnect.drop_replaced(&connection).await
            }
        }
    }
}
