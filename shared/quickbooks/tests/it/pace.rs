//! The pace under a stopped clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use quickbooks::Pacer;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

/// The moments at which calls of this length began, with as many callers as ask for a permit.
async fn starts(pacer: &Pacer, calls: usize, callers: usize, length: Duration) -> Vec<Duration> {
    let begin = Instant::now();
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let left = Arc::new(AtomicUsize::new(calls));
    for _ in 0..callers {
        let (pacer, sender, left) = (pacer.clone(), sender.clone(), Arc::clone(&left));
        tokio::spawn(async move {
            while left
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1))
                .is_ok()
            {
                let _permit = pacer.permit().await;
                sender.send(begin.elapsed()).unwrap();
                sleep(length).await;
            }
        });
    }
    drop(sender);
    let mut starts = Vec::new();
    while let Some(start) = receiver.recv().await {
        starts.push(start);
    }
    starts.sort_unstable();
    assert_eq!(starts.len(), calls);
    starts
}

/// The most starts within any half-open window of this length.
fn most_within(starts: &[Duration], window: Duration) -> usize {
    (0..starts.len())
        .map(|first| starts[first..].partition_point(|at| *at < starts[first] + window))
        .max()
        .unwrap_or(0)
}

/// The times between one start and the next.
fn gaps(starts: &[Duration]) -> impl Iterator<Item = Duration> {
    starts.windows(2).map(|pair| pair[1].saturating_sub(pair[0]))
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

#[tokio::test(start_paused = true)]
async fn no_minute_has_more_than_480_and_no_second_more_than_9() {
    let pacer = Pacer::new(1.0);
    let starts = starts(&pacer, 1_500, 20, Duration::from_millis(300)).await;
    assert!(most_within(&starts, MINUTE) <= 480);
    assert!(most_within(&starts, SECOND + Duration::from_nanos(1)) <= 9);
    assert!(most_within(&starts, SECOND) <= 8);
    assert!(gaps(&starts).all(|gap| gap >= Duration::from_millis(125)));
    // And it is not slower than it must be: 1,500 calls in little over 187.5 s.
    assert!(*starts.last().unwrap() < Duration::from_secs(190), "{:?}", starts.last());
}

#[tokio::test(start_paused = true)]
async fn a_pause_saves_nothing_up() {
    let pacer = Pacer::new(1.0);
    drop(pacer.permit().await);
    sleep(MINUTE).await;
    let starts = starts(&pacer, 40, 40, Duration::from_millis(10)).await;
    assert!(most_within(&starts, SECOND) <= 8);
}

#[tokio::test(start_paused = true)]
async fn never_more_than_eight_are_in_flight() {
    let pacer = Pacer::new(1.0);
    let in_flight = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let mut tasks = Vec::new();
    for _ in 0..60 {
        let (pacer, in_flight, most) = (pacer.clone(), Arc::clone(&in_flight), Arc::clone(&most));
        tasks.push(tokio::spawn(async move {
            let _permit = pacer.permit().await;
            let now = in_flight.fetch_add(1, Ordering::SeqCst) + 1;
            most.fetch_max(now, Ordering::SeqCst);
            sleep(Duration::from_secs(20)).await;
            in_flight.fetch_sub(1, Ordering::SeqCst);
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(most.load(Ordering::SeqCst), 8);
    assert_eq!(pacer.free_slots(), 8);
}

#[tokio::test(start_paused = true)]
async fn the_scale_moves_pace_and_calls_in_flight_within_its_bounds() {
    for (scale, spacing_micros, slots) in [
        (10.0, 12_500, 80),
        (1_000.0, 12_500, 80),
        (0.1, 1_250_000, 1),
        (0.0, 1_250_000, 1),
        (-1.0, 1_250_000, 1),
        (0.3, 416_666, 3),
        (f64::NAN, 125_000, 8),
    ] {
        let pacer = Pacer::new(scale);
        assert_eq!(pacer.free_slots(), slots, "{scale}");
        let starts = starts(&pacer, 5, 5, Duration::ZERO).await;
        for gap in gaps(&starts) {
            let spacing = Duration::from_micros(spacing_micros);
            assert!(gap >= spacing && gap < spacing + Duration::from_millis(3), "{scale} {gap:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_hold_stops_everybody_even_who_waits_already() {
    let pacer = Pacer::new(1.0);
    drop(pacer.permit().await);
    let begin = Instant::now();
    let waiting = tokio::spawn({
        let pacer = pacer.clone();
        async move {
            drop(pacer.permit().await);
            begin.elapsed()
        }
    });
    sleep(Duration::from_millis(50)).await;
    pacer.hold(Duration::from_mins(1));
    // A shorter one shortens nothing.
    pacer.hold(Duration::from_secs(1));
    assert!(waiting.await.unwrap() >= Duration::from_mins(1));
}

#[tokio::test(start_paused = true)]
async fn the_spacing_survives_a_hand_over() {
    let now: Timestamp = "2026-11-20T16:00:00Z".parse().unwrap();
    let first = Pacer::new(1.0);
    drop(first.permit().await);
    let next_at = first.next_at(now);
    assert_eq!(next_at.duration_since(now), SignedDuration::from_millis(125));

    let begin = Instant::now();
    let second = Pacer::starting_at(1.0, now, next_at);
    drop(second.permit().await);
    assert!(begin.elapsed() >= Duration::from_millis(125));

    // A time that has passed is no wait; one that is far off is cut to 10 minutes.
    let begin = Instant::now();
    let late = now.saturating_add(SignedDuration::from_secs(30)).unwrap();
    drop(Pacer::starting_at(1.0, late, next_at).permit().await);
    assert_eq!(begin.elapsed(), Duration::ZERO);
    let far = now.saturating_add(SignedDuration::from_hours(24)).unwrap();
    drop(Pacer::starting_at(1.0, now, far).permit().await);
    assert_eq!(begin.elapsed(), Duration::from_mins(10));
}

#[tokio::test(start_paused = true)]
async fn who_stops_waiting_uses_nothing_up() {
    let pacer = Pacer::new(1.0);
    drop(pacer.permit().await);
    for _ in 0..20 {
        assert!(timeout(Duration::from_millis(1), pacer.permit()).await.is_err());
    }
    assert_eq!(pacer.free_slots(), 8);
    let begin = Instant::now();
    drop(pacer.permit().await);
    assert!(begin.elapsed() <= Duration::from_millis(125));
}
