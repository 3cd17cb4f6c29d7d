//! Even spacing of one company's bulk calls in one worker.
//!
//! Intuit allows an app 10 requests a second and 500 a minute in each company, 10 at a time ("Limits
//! and throttles"; the last by an older post of Intuit's, which nothing has withdrawn). Bulk traffic
//! keeps to 8 a second, 480 a minute and 8 at a time, so that single calls of a person find room.
//!
//! Permits are spaced, never bunched: each comes at least 125 ms after the one before. So 480 a
//! minute holds however the minute is cut, and no saved-up burst can follow a pause. Time is tokio's,
//! which a test can stop.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Mutex as Turnstile, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};

/// Time between two permits at scale 1: 8 a second.
const SPACING: Duration = Duration::from_millis(125);

/// Calls in flight at scale 1.
const IN_FLIGHT: f64 = 8.0;

/// What a scale may be. Anything but 1 is for a local stage only.
const SCALES: (f64, f64) = (0.1, 10.0);

/// The longest wait that is taken over from another worker: a clock that jumped must not stop a
/// company for longer than a 429 may.
const LONGEST_START: Duration = Duration::from_mins(10);

/// Spaces calls. Cheap to clone; the clones share one pace.
#[derive(Debug, Clone)]
pub struct Pacer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    spacing: Duration,
    slots: Arc<Semaphore>,
    /// Those who have a slot pass here one at a time, in the order in which they came.
    turnstile: Turnstile<()>,
    /// When the next permit may be given.
    next: Mutex<Instant>,
}

/// Leave for one call. The slot is free again when it is dropped: keep it until the answer is read.
#[derive(Debug)]
#[must_use = "dropping the permit frees its slot before the call is done"]
pub struct Permit {
    _slot: OwnedSemaphorePermit,
}

impl Pacer {
    /// A pacer whose first permit comes at once. `scale` multiplies pace and calls in flight, and is
    /// kept between 0.1 and 10; anything that is not a number counts as 1.
    pub fn new(scale: f64) -> Self {
        Self::starting_in(scale, Duration::ZERO)
    }

    /// A pacer that goes on where another worker's stopped: `next_at` is what that one's
    /// [`Pacer::next_at`] said, `now` the time by the same clock. Waits of more than 10 min are cut.
    pub fn starting_at(scale: f64, now: Timestamp, next_at: Timestamp) -> Self {
        // A time that has passed is no wait.
        let wait = Duration::try_from(next_at.duration_since(now)).unwrap_or(Duration::ZERO);
        Self::starting_in(scale, wait.min(LONGEST_START))
    }

    fn starting_in(scale: f64, wait: Duration) -> Self {
        let scale = if scale.is_finite() { scale.clamp(SCALES.0, SCALES.1) } else { 1.0 };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0.8 and 80"
        )]
        let slots = (IN_FLIGHT * scale).ceil() as usize;
        Self {
            shared: Arc::new(Shared {
                spacing: SPACING.div_f64(scale),
                slots: Arc::new(Semaphore::new(slots.max(1))),
                turnstile: Turnstile::new(()),
                next: Mutex::new(Instant::now() + wait),
            }),
        }
    }

    /// Waits for a free slot and for its time. Callers are served in the order in which they ask. A
    /// caller that stops waiting uses nothing up.
    pub async fn permit(&self) -> Permit {
        let shared = &self.shared;
        // The semaphore is never closed, so there is always a slot in the end.
        let slot = loop {
            if let Ok(slot) = Arc::clone(&shared.slots).acquire_owned().await {
                break slot;
            }
        };
        let _turn = shared.turnstile.lock().await;
        loop {
            let at = {
                let mut next = shared.next();
                let now = Instant::now();
                if now >= *next {
                    // From the time of the permit, not from the time it was due: a late one must not
                    // be followed by an early one.
                    *next = now + shared.spacing;
                    return Permit { _slot: slot };
                }
                *next
            };
            // A hold may move the time while this sleeps; then it sleeps again.
            sleep_until(at).await;
        }
    }

    /// Gives no permit for this long from now: after a 429. Shortens no wait.
    pub fn hold(&self, wait: Duration) {
        let mut next = self.shared.next();
        *next = (*next).max(Instant::now() + wait);
    }

    /// When the next permit may be given, by the caller's clock: for whoever takes the company over.
    pub fn next_at(&self, now: Timestamp) -> Timestamp {
        let wait = self.shared.next().saturating_duration_since(Instant::now());
        let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::ZERO);
        now.saturating_add(wait).unwrap_or(now)
    }

    /// How many calls may be in flight at once and are not.
    pub fn free_slots(&self) -> usize {
        self.shared.slots.available_permits()
    }
}

impl Shared {
    fn next(&self) -> MutexGuard<'_, Instant> {
        // An Instant is whole whatever happened to the thread that held it.
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
