//! Keeps the company lease while calls are under way: renews it every five seconds, and hears of
//! work that was added and of switches meanwhile.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use platform::clock::Clock;
use platform::companies::{Companies, CompanyState, Lease};
use tokio::task::JoinHandle;

/// Time between renewals. Also the longest that an urgent timecard waits for the holder of the lease.
const BEAT: Duration = Duration::from_secs(5);
/// A call to Intuit starts only with this much lease left: its time-out (30 s) and 15 s.
const NEEDED: SignedDuration = SignedDuration::from_secs(45);

/// The lease, kept alive until it is dropped.
pub struct Keeper {
    shared: Arc<Shared>,
    beats: JoinHandle<()>,
}

struct Shared {
    companies: Companies,
    clock: Clock,
    kept: Mutex<Kept>,
}

struct Kept {
    lease: Lease,
    lost: bool,
    no_access: bool,
}

impl Keeper {
    /// Begins to keep a lease.
    pub fn start(lease: Lease, companies: Companies, clock: Clock) -> Self {
        let shared = Arc::new(Shared {
            companies,
            clock,
            kept: Mutex::new(Kept { lease, lost: false, no_access: false }),
        });
        let kept = Arc::clone(&shared);
        let beats = tokio::spawn(async move {
            loop {
                tokio::time::sleep(BEAT).await;
                kept.renew(false).await;
            }
        });
        Self { shared, beats }
    }

    /// The lease as of the last renewal.
    pub fn lease(&self) -> Lease {
        self.shared.kept().lease.clone()
    }

    /// Whether somebody else has the lease, the company does not run any more as it did at the start, or
    /// there is no access to QuickBooks.
    pub fn must_stop(&self, began_as: CompanyState) -> bool {
        let kept = self.shared.kept();
        kept.lost || kept.no_access || kept.lease.state != began_as
    }

    /// Says that there is no access to QuickBooks until a person does something.
    pub fn note_no_access(&self) {
        self.shared.kept().no_access = true;
    }

    /// Whether that was said.
    pub fn no_access(&self) -> bool {
        self.shared.kept().no_access
    }

    /// Whether work was added since the last pass began.
    pub fn again(&self) -> bool {
        self.shared.kept().lease.again
    }

    /// Begins a pass over the work: from now on `again` speaks of what is added after this.
    pub async fn begin_pass(&self) {
        self.shared.renew(true).await;
    }

    /// Whether a call may start: there is enough lease left for it to end, or to time out, before
    /// anybody else can take over. Renews first if there is not.
    pub async fn may_call(&self, now: Timestamp) -> bool {
        if !self.shared.enough(now) {
            self.shared.renew(false).await;
        }
        self.shared.enough(now)
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.beats.abort();
    }
}

impl Shared {
    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enough(&self, now: Timestamp) -> bool {
        let kept = self.kept();
        !kept.lost && kept.lease.until.duration_since(now) >= NEEDED
    }

    /// A renewal that fails for want of AWS leaves the lease as it was: it runs out by itself.
    async fn renew(&self, clear_again: bool) {
        let lease = {
            let kept = self.kept();
            if kept.lost {
                return;
            }
            kept.lease.clone()
        };
        let now = self.clock.now().await;
        match self.companies.renew(&lease, clear_again, now).await {
            Ok(Some(renewed)) => self.kept().lease = renewed,
            Ok(None) => {
                tracing::warn!(company = %lease.company, "the lease was taken over");
                self.kept().lost = true;
            }
            Err(error) => {
                tracing::warn!(company = %lease.company, %error, "could not renew the lease");
            }
        }
    }
}
