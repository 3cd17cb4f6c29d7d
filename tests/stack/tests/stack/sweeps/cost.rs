//! What a sweep reads, and how it spreads what is due over functions (C6).

use std::collections::BTreeMap;
use std::time::Duration;

use stack_tests::proxy::log::Entry;
use stack_tests::stack::Stack;
use stack_tests::stack::connections::DAY;

use super::{LATER, numbers};

/// What a sweep reads, from the proxy's log: queries, rows looked at, read units.
async fn queries(stack: &Stack, mark: u64) -> (usize, u64, f64) {
    let calls = stack.control().log(mark).await;
    let function = stack.function("token-refresh");
    let of_it = |call: &&Entry| {
        call.function.as_deref() == Some(function) && call.action == "dynamodb:Query"
    };
    let queries: Vec<&Entry> = calls.iter().filter(of_it).collect();
    let scanned = queries.iter().filter_map(|call| call.scanned).sum();
    let units = queries.iter().filter_map(|call| call.units).sum();
    (queries.len(), scanned, units)
}

async fn a_sweep_over(connections: usize) {
    const DUE: u32 = 50;
    let (stack, _alone) = Stack::alone().await;
    stack.other_connections_rest(&[]).await;
    let began = std::time::Instant::now();
    let rows = stack.plant_rows(connections - DUE as usize).await;
    let due = stack.plant(DUE as usize, 65 * DAY).await;
    println!("{connections} connections written in {:?}", began.elapsed());
    let mark = stack.control().mark().await;
    let report = stack.sweep_connections("stale", LATER).await;
    let (queries, scanned, units) = queries(&stack, mark).await;
    println!(
        "{connections} connections, {DUE} due: {queries} queries, {scanned} rows, {units} units: {report}"
    );
    stack.uproot(&rows).await;
    stack.uproot(&due).await;
    assert_eq!(numbers(&report), [50, 50, 0, 0, 0], "{report}");
    // A page for each of the four parts, and a count for each part and class of age.
    assert!(queries <= 4 + 12, "{queries} queries");
    // Each due row is read once and counted once.
    assert!(scanned <= 2 * u64::from(DUE), "{scanned} rows were looked at for {DUE} due ones");
    assert!(units <= 4.0 * 0.5 + f64::from(DUE) / 40.0, "{units} read units");
    assert_eq!(report["readUnits"].as_f64(), Some(units), "{report}");
}

#[tokio::test]
async fn a_sweep_over_10_000_connections_of_which_50_are_due_reads_in_proportion_to_50() {
    a_sweep_over(10_000).await;
}

#[tokio::test]
#[ignore = "long: a hundred thousand rows are written and removed"]
async fn a_sweep_over_100_000_connections_of_which_50_are_due_reads_in_proportion_to_50() {
    a_sweep_over(100_000).await;
}

/// The log of a spread: puts of secrets by process, and all of them by time, in milliseconds.
fn puts(calls: &[Entry], function: &str) -> (BTreeMap<i32, Vec<i64>>, Vec<i64>) {
    let (mut by_process, mut all) = (BTreeMap::<i32, Vec<i64>>::new(), Vec::new());
    for call in calls {
        if call.function.as_deref() == Some(function)
            && call.action == "secretsmanager:PutSecretValue"
        {
            let at = call.at.as_millisecond();
            by_process.entry(call.pid.unwrap_or_default()).or_default().push(at);
            all.push(at);
        }
    }
    all.sort_unstable();
    for times in by_process.values_mut() {
        times.sort_unstable();
    }
    (by_process, all)
}

/// A tenth of the connections is idle and due: they are spread over functions, at 25 secret writes a
/// second at most over all, and the others cost nothing (C6).
async fn a_spread_of(due: usize, patience: Duration) {
    let (stack, _alone) = Stack::alone().await;
    stack.other_connections_rest(&[]).await;
    let rows = stack.plant_rows(9 * due).await;
    let planted = stack.plant(due, 65 * DAY).await;
    let mark = stack.control().mark().await;
    let report = stack.sweep_connections("stale", patience).await;
    let calls = stack.control().log(mark).await;
    let (by_process, all) = puts(&calls, stack.function("token-refresh"));
    stack.uproot(&rows).await;
    stack.uproot(&planted).await;
    let due = due as u64;
    assert_eq!(numbers(&report), [due, due, 0, 0, 0], "{report}");
    assert_eq!(all.len() as u64, due, "one secret write for each that is due");
    assert!(by_process.len() > 1, "one function did it all");
    for (process, times) in &by_process {
        let close = times.windows(2).map(|pair| pair[1] - pair[0]).min().unwrap_or(i64::MAX);
        assert!(close >= 500, "process {process}: two refreshes {close} ms apart");
    }
    let in_a_second =
        all.iter().map(|from| all.iter().filter(|at| (*from..from + 1000).contains(*at)).count());
    let most = in_a_second.max().unwrap_or_default();
    let seconds = all.last().zip(all.first()).map_or(0, |(last, first)| last - first) / 1000;
    println!(
        "{due} due: {} functions, {most} secret writes in a second at most, {seconds} s",
        by_process.len()
    );
    assert!(most <= 25, "{most} secret writes in a second");
}

#[tokio::test]
async fn what_is_due_is_spread_over_functions_at_25_secret_writes_a_second_at_most() {
    a_spread_of(300, LATER).await;
}

#[tokio::test]
#[ignore = "long: ten thousand refreshes"]
async fn ten_thousand_due_are_spread_over_functions() {
    a_spread_of(10_000, Duration::from_mins(40)).await;
}
