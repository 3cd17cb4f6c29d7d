//! What may go wrong in one schedule, and how often. Each seed has a weather of its own: calm ones, ones
//! with one kind of fault only, and bad ones with all of them.

use crate::rng::Rng;

/// Chances are in thousandths for each call they concern.
#[derive(Clone, Debug, Default)]
pub(crate) struct Weather {
    /// A process dies, at any step.
    pub crash: u32,
    /// A step takes up to 20 s (the longest that the AWS client waits).
    pub slow: u32,
    /// A step takes up to 180 s: only where processes are not killed.
    pub held_up: u32,
    /// DynamoDB does not answer a read.
    pub row_read_fails: u32,
    /// DynamoDB does not answer a write, and has not done it.
    pub row_write_fails: u32,
    /// The same for the extension of a lease.
    pub extension_fails: u32,
    /// A write is done and its answer lost; or it is done a few seconds later.
    pub row_answer_lost: u32,
    /// The AWS client repeats a write whose first answer was lost.
    pub row_written_twice: u32,
    /// Secrets Manager does not answer a read.
    pub secret_read_fails: u32,
    /// It does not answer a write, and has not done it.
    pub put_fails: u32,
    /// A write of a secret is done and its answer lost; or it is done a few seconds later.
    pub put_answer_lost: u32,
    /// From when until when it takes no write at all.
    pub put_outage: Option<(i64, i64)>,
    /// A new version is not visible to other processes for up to 10 s.
    pub stale: u32,
    /// Intuit, or the way there, fails.
    pub intuit: u32,
    /// Clocks are apart by up to 5 s in each direction.
    pub clocks_apart: bool,
    /// Processes are not killed by Lambda, and wait long for Intuit: for what the fence is for.
    pub outliving: bool,
    /// Intuit changes the value with each refresh instead of once a day.
    pub rotates_always: bool,
    /// Intuit honours the old value for a day more.
    pub grace: bool,
}

impl Weather {
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        if rng.chance(50) {
            return Self::last_seconds(rng);
        }
        let outliving = rng.chance(200);
        let rotates_always = rng.chance(350);
        let grace = rng.chance(150);
        let mut all = Self { outliving, rotates_always, grace, ..Self::default() };
        if rng.chance(50) {
            return all;
        }
        // How many of the kinds of trouble this schedule knows.
        let kinds = rng.pick(&[150, 400, 800]);
        let mut trouble = |most: i64| {
            if rng.chance(kinds) { u32::try_from(rng.between(1, most)).unwrap_or(1) } else { 0 }
        };
        all.crash = trouble(60);
        all.slow = trouble(100);
        all.row_read_fails = trouble(60);
        all.row_write_fails = trouble(150);
        all.row_answer_lost = trouble(200);
        all.row_written_twice = trouble(200);
        all.secret_read_fails = trouble(150);
        all.put_fails = trouble(600);
        all.put_answer_lost = trouble(400);
        all.stale = trouble(1_000);
        all.intuit = trouble(900);
        all.held_up = if outliving { trouble(120) } else { 0 };
        all.clocks_apart = trouble(2) > 0;
        if rng.chance(kinds / 4) {
            // Some end when the first leases run out.
            let (shortest, longest) =
                rng.pick(&[(1_000, 400_000), (165_000, 180_000), (185_000, 205_000)]);
            all.put_outage = Some((0, rng.between(shortest, longest)));
        }
        all
    }

    /// What happens about the end of a lease: Secrets Manager is out for almost as long, and processes
    /// that outlive their leases, or do not, store late, while others take the lease over.
    pub(crate) fn last_seconds(rng: &mut Rng) -> Self {
        let outliving = rng.chance(700);
        let until =
            if outliving { rng.between(182_000, 200_000) } else { rng.between(165_000, 178_000) };
        Self {
            crash: rng.pick(&[0, 20]),
            slow: rng.pick(&[0, 100, 200]),
            row_write_fails: rng.pick(&[0, 200, 400]),
            put_answer_lost: rng.pick(&[0, 300, 800]),
            put_outage: Some((0, until)),
            extension_fails: rng.pick(&[0, 1_000, 1_000]),
            stale: rng.pick(&[0, 500, 1_000]),
            intuit: rng.pick(&[0, 0, 200]),
            clocks_apart: rng.chance(500),
            outliving,
            rotates_always: true,
            ..Self::default()
        }
    }

    /// The same world when nothing goes wrong any more.
    pub(crate) fn calmed(&self) -> Self {
        Self { rotates_always: self.rotates_always, grace: self.grace, ..Self::default() }
    }
}
