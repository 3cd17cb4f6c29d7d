//! The interactive share of Intuit's limits: 1 call a second, 1 in flight, 15 a minute for each
//! company, over all functions together. The rest belongs to sync-worker, which paces itself under the
//! company's lease. 480 + 15 a minute stays under Intuit's 500.

use std::time::{Duration, Instant};

use aws_sdk_dynamodb::Client;
use domain::ids::CompanyId;
use jiff::{SignedDuration, Timestamp};

use crate::clock::Clock;
use crate::dynamo::{self, ms, n, s};
use crate::error::Result;
use crate::keys;

/// Interactive calls a minute and company.
pub const PER_MINUTE: u32 = 15;
/// Time between two interactive calls of a company. A call may take 30 s, so the next may start
/// earlier only when the one before has said that it is done.
pub const SPACING: SignedDuration = SignedDuration::from_secs(1);
/// How long one interactive call may hold the share.
const IN_FLIGHT: SignedDuration = SignedDuration::from_secs(35);

/// The share, in the table `Counters`.
#[derive(Clone, Debug)]
pub struct InteractivePace {
    client: Client,
    table: String,
    scale: f64,
}

/// Leave to make one call.
#[derive(Debug)]
pub struct Leave {
    company: CompanyId,
}

impl InteractivePace {
    /// The share in `table`, multiplied by `scale` (1 on AWS).
    pub fn new(client: Client, table: impl Into<String>, scale: f64) -> Self {
        Self { client, table: table.into(), scale }
    }

    /// Asks for leave to make one call now; `None` means that the share is used up, and that the caller
    /// should say "try again in a few seconds".
    pub async fn ask(&self, company: &CompanyId, now: Timestamp) -> Result<Option<Leave>> {
        let minute = now.as_second() / 60;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 to 150")]
        let allowed = (f64::from(PER_MINUTE) * self.scale).max(1.0) as u32;
        // Two updates at most: one within the running minute, one that begins a new minute.
        for (expression, condition) in [
            (
                "SET used = used + :one, freeAt = :free",
                "#minute = :minute AND used < :allowed AND freeAt <= :now",
            ),
            (
                "SET #minute = :minute, used = :one, freeAt = :free",
                "attribute_not_exists(#minute) OR (#minute < :minute AND freeAt <= :now)",
            ),
        ] {
            let mut update = self
                .client
                .update_item()
                .table_name(&self.table)
                .key("company", s(company.as_ref()))
                .key("item", s(keys::INTERACTIVE))
                .update_expression(expression)
                .condition_expression(condition)
                .expression_attribute_names("#minute", "minute")
                .expression_attribute_values(":one", n(1))
                .expression_attribute_values(":free", ms(now + IN_FLIGHT))
                .expression_attribute_values(":minute", n(minute))
                .expression_attribute_values(":now", ms(now));
            if condition.contains(":allowed") {
                update = update.expression_attribute_values(":allowed", n(allowed));
            }
            match update.send().await {
                Ok(_) => return Ok(Some(Leave { company: company.clone() })),
                Err(error) => {
                    dynamo::not_met(error, "take the interactive share")?;
                }
            }
        }
        Ok(None)
    }

    /// Waits for leave, up to `patience` of real time. For calls that cannot be put off.
    pub async fn wait(
        &self,
        company: &CompanyId,
        clock: &Clock,
        patience: Duration,
    ) -> Result<Option<Leave>> {
        let began = Instant::now();
        loop {
            if let Some(leave) = self.ask(company, clock.now().await).await? {
                return Ok(Some(leave));
            }
            if began.elapsed() > patience {
                return Ok(None);
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    /// Gives the place in flight back. Forgetting it costs the company 35 s, nothing else.
    pub async fn done(&self, leave: Leave, now: Timestamp) {
        let spacing = SignedDuration::from_secs_f64(SPACING.as_secs_f64() / self.scale);
        let result = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("company", s(leave.company.as_ref()))
            .key("item", s(keys::INTERACTIVE))
            .update_expression("SET freeAt = :free")
            .expression_attribute_values(":free", ms(now + spacing))
            .send()
            .await;
        if let Err(error) = result {
            tracing::warn!(company = %leave.company, error = %aws_sdk_dynamodb::error::DisplayErrorContext(&error), "could not give the interactive share back");
        }
    }
}
