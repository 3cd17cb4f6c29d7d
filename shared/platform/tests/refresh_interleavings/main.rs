//! The refresh protocol explored: the very code of `platform::refresh`, over a simulated world in which
//! processes die at any step, answers are lost or late, writes fail, reads are stale and clocks differ.
//!
//! A schedule follows from its seed. When one violates an invariant, the test prints the seed and every
//! step; `REFRESH_SEED=<seed>` runs that one alone, with its steps.
//!
//! [`weather`]: what may go wrong. [`world`], [`rows`], [`intuit`]: the world and its rules.
//! [`surroundings`]: how the protocol meets it. [`errands`]: who is about. [`scheduler`]: who goes next.
//! [`invariants`]: what must hold. [`variants`]: broken protocols, each of which must be caught.
//! [`coverage`]: what the schedules have met. [`same_rules`]: that the rows here follow the same rules as
//! the DynamoDB expressions of the product.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where it goes wrong")]

mod coverage;
mod errands;
mod intuit;
mod invariants;
mod rng;
mod rows;
mod same_rules;
mod scheduler;
mod surroundings;
mod variants;
mod weather;
mod world;

use std::time::Instant;

use coverage::Coverage;

/// Explores these seeds, on all cores; the first violation, with its trace, ends the test.
fn explore(seeds: std::ops::Range<u64>) -> Coverage {
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let began = Instant::now();
    let coverage = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|first| {
                let seeds = seeds.clone();
                let mine = move || {
                    let mut coverage = Coverage::new();
                    for seed in seeds
                        .skip(usize::try_from(first).unwrap())
                        .step_by(usize::try_from(threads).unwrap())
                    {
                        let ended = scheduler::run(seed, None, false);
                        if ended.violation.is_some() {
                            tell(seed);
                        }
                        coverage.add(ended.met, ended.steps, ended.asks);
                    }
                    coverage
                };
                scope.spawn(mine)
            })
            .collect();
        let mut sum = Coverage::new();
        for worker in workers {
            sum.merge(&worker.join().expect("a schedule violated an invariant; see above"));
        }
        sum
    });
    println!("{}in {:.1} s on {threads} threads", coverage.table(), began.elapsed().as_secs_f64());
    coverage
}

/// Prints a seed's schedule, and fails if it violates anything.
fn tell(seed: u64) {
    let ended = scheduler::run(seed, None, true);
    println!("seed {seed}\n{}", ended.trace.join("\n"));
    if let Some((what, story)) = ended.violation {
        panic!("seed {seed} violates {what:?}: {story}");
    }
}

#[test]
fn a_hundred_thousand_schedules_keep_every_promise() {
    if let Some(seed) = std::env::var("REFRESH_SEED").ok().and_then(|seed| seed.parse().ok()) {
        return tell(seed);
    }
    let coverage = explore(0..100_000);
    assert_eq!(coverage.gaps(), Vec::<&str>::new(), "the exploration never met these");
}

#[test]
#[ignore = "minutes; run it after a change to the protocol"]
fn five_million_schedules_keep_every_promise() {
    let coverage = explore(1_000_000..6_000_000);
    assert_eq!(coverage.gaps(), Vec::<&str>::new(), "the exploration never met these");
}
