//! The erasure, step by step.
//!
//! 1. The line says that the company is being erased: nothing new is taken for it, and nobody can connect
//!    it until this is over.
//! 2. The connection is ended, as `DELETE /disconnect` does it; the company's work is paused by that.
//! 3. A worker that holds the company's lease sees the pause within five seconds and stops. It is waited
//!    for; then the company's row goes, and with it the lease: whatever the worker does under it from then
//!    on is refused.
//! 4. Every row goes, table by table, then those of the connection. A run that has erased much, or for
//!    long, sends itself a message to go on.
//! 5. [`LOOK_AGAIN_AFTER`], when every process that was at work in step 1 has ended, steps 2 to 4 are
//!    repeated, for what such a process wrote in between.
//! 6. The line says that nothing else is left, and so does the event `company.erased`.
//!
//! Every step may be repeated: killed anywhere, the message comes again and the erasure ends the same. A
//! message that comes again when all is done, or when the company was connected anew, changes nothing.

use std::time::{Duration, Instant};

use domain::ids::CompanyId;
use jiff::Timestamp;
use platform::Result;
use platform::bus::Event;
use platform::erasure::{Begun, Budget};
use platform::erasure_requests::{ErasureRequest, Step};
use platform::telemetry::{self, Unit};

use crate::CompanyErasure;

/// Longer than the longest time-out of a function (180 s), so that whoever read the company before it was
/// closed has ended; and no longer than a message can be put off (15 min).
pub const LOOK_AGAIN_AFTER: Duration = Duration::from_mins(4);
/// Rows that one run erases. At 25 rows a request that takes well under a minute.
pub const ROWS: u64 = 5_000;
/// Time that one run may begin pages in; with what comes before, it fits into the function's 180 s.
const TIME: Duration = Duration::from_secs(90);
/// How long a refresh under way, and then a worker, is waited for.
const PATIENCE: Duration = Duration::from_secs(15);
/// Between two looks at the worker's lease.
const LOOK: Duration = Duration::from_millis(500);
/// Who ends the connection.
const BY: &str = "company.deleted";

impl CompanyErasure {
    /// The host app says that it has deleted a company.
    pub async fn begin(&self, company: &CompanyId, requested: Timestamp) -> Result<()> {
        let now = self.clock.now().await;
        match self.erasures.begin(company, requested, now).await? {
            Begun::Yes => self.run(company, Step::Erase).await,
            Begun::Already => {
                tracing::info!(company = %company, "the company was erased already");
                Ok(())
            }
            Begun::Old => {
                tracing::warn!(company = %company, "a deletion came late: the company was connected again since, and stays");
                Ok(())
            }
        }
    }

    /// Goes on with an erasure, if it is not over.
    pub async fn go_on(&self, request: &ErasureRequest) -> Result<()> {
        if self.erasures.is_under_way(&request.company_id).await? {
            self.run(&request.company_id, request.step).await?;
        }
        Ok(())
    }

    async fn run(&self, company: &CompanyId, step: Step) -> Result<()> {
        self.disconnect.company(company, BY, PATIENCE).await?;
        self.stop_the_worker(company).await?;
        let mut budget = Budget::new(ROWS, TIME);
        let erased = self.eraser.erase(company, &mut budget).await;
        self.erasures.count(company, budget.erased()).await?;
        let next = |step| ErasureRequest { company_id: company.clone(), step };
        if !erased? {
            return self.requests.send(&next(step), Duration::ZERO).await;
        }
        self.forget_the_connection(company).await?;
        match step {
            Step::Erase => self.requests.send(&next(Step::LookAgain), LOOK_AGAIN_AFTER).await,
            Step::LookAgain => self.finish(company).await,
        }
    }

    async fn stop_the_worker(&self, company: &CompanyId) -> Result<()> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE
            && self.companies.is_held(company, self.clock.now().await).await?
        {
            tokio::time::sleep(LOOK).await;
        }
        self.companies.forget(company).await
    }

    /// Its secret is destroyed by now.
    async fn forget_the_connection(&self, company: &CompanyId) -> Result<()> {
        self.disconnect.put_away_migration(company).await?;
        if let Some(ended) = self.connections.get(company).await?
            && !self.connections.remove_ended(&ended).await?
        {
            return Err(platform::Error::unreadable(
                "a deleted company's connection",
                "it is live again, or its secret is left",
            ));
        }
        Ok(())
    }

    async fn finish(&self, company: &CompanyId) -> Result<()> {
        let now = self.clock.now().await;
        // In this order: a message that comes again finds the erasure over, and tells nobody any more.
        self.bus.publish(&[Event::Company { company_id: company.clone(), at: now }]).await?;
        self.erasures.finish(company, now).await?;
        telemetry::metric("CompaniesErased", 1.0, Unit::Count, now);
        tracing::info!(company = %company, "erased the company");
        Ok(())
    }
}
