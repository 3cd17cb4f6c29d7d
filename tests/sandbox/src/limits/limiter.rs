//! Who may come in: one company's calls, by app.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};

use super::{
    Endpoint, Limit, Limits,
    window::{Both, Rate, real_now},
};
use crate::{ids::ClientId, store::lock};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

/// What all apps did together.
struct Book {
    minute: Rate,
    batches: Rate,
    apps: HashMap<ClientId, AppCalls>,
    /// Calls refused, by the limit that refused them.
    refused: BTreeMap<Limit, u64>,
}

/// What one app did.
struct AppCalls {
    second: Rate,
    batches: Rate,
    in_flight: usize,
    peak_in_flight: usize,
}

impl Default for Book {
    fn default() -> Self {
        Self {
            minute: Rate::per(MINUTE),
            batches: Rate::per(MINUTE),
            apps: HashMap::new(),
            refused: BTreeMap::new(),
        }
    }
}

impl Default for AppCalls {
    fn default() -> Self {
        Self {
            second: Rate::per(SECOND),
            batches: Rate::per(MINUTE),
            in_flight: 0,
            peak_in_flight: 0,
        }
    }
}

/// One company's limits.
#[derive(Default)]
pub(crate) struct Limiter {
    book: Arc<Mutex<Book>>,
}

/// A call that was let in; it is under way until this is dropped.
pub(crate) struct Admission {
    book: Arc<Mutex<Book>>,
    client: ClientId,
}

impl Limiter {
    /// Lets a call of `client` in, or not; then it is the limits' [`refusal`](super::refusal).
    pub(crate) fn admit(
        &self,
        client: &ClientId,
        endpoint: Endpoint,
        limits: &Limits,
    ) -> Option<Admission> {
        self.admit_at(client, endpoint, limits, real_now())
    }

    fn admit_at(
        &self,
        client: &ClientId,
        endpoint: Endpoint,
        limits: &Limits,
        now: Duration,
    ) -> Option<Admission> {
        let mut book = lock(&self.book);
        let Book { minute, batches, apps, refused } = &mut *book;
        if !apps.contains_key(client) {
            apps.insert(client.clone(), AppCalls::default());
        }
        let app = apps.get_mut(client)?;

        let mut reached = vec![
            (Limit::PerMinute, minute.seen(now).by(limits.windows)),
            (Limit::PerSecond, app.second.seen(now).by(limits.windows)),
            (Limit::InFlight, app.in_flight),
        ];
        if endpoint == Endpoint::Batch {
            reached.push((Limit::BatchPerMinuteApp, app.batches.seen(now).by(limits.windows)));
            reached.push((Limit::BatchPerMinuteRealm, batches.seen(now).by(limits.windows)));
        }
        let refused_by = reached
            .into_iter()
            .find(|(limit, calls)| *calls >= limits.of(*limit))
            .map(|(by, _)| by);

        if refused_by.is_none() || limits.count_refused {
            minute.add(now);
            app.second.add(now);
            if endpoint == Endpoint::Batch {
                app.batches.add(now);
                batches.add(now);
            }
        }
        if let Some(limit) = refused_by {
            *refused.entry(limit).or_default() += 1;
            return None;
        }
        app.in_flight += 1;
        app.peak_in_flight = app.peak_in_flight.max(app.in_flight);
        Some(Admission { book: Arc::clone(&self.book), client: client.clone() })
    }

    /// The largest numbers since the counters were cleared, what is under way, and how many calls
    /// each limit refused.
    pub(crate) fn snapshot(&self) -> LimiterSnapshot {
        let book = lock(&self.book);
        let apps: BTreeMap<String, Value> =
            book.apps.iter().map(|(client, app)| (client.to_string(), app.describe())).collect();
        let largest = |of: fn(&AppCalls) -> usize| book.apps.values().map(of).max().unwrap_or(0);
        let mut seconds = Both::default();
        for app in book.apps.values() {
            seconds = seconds.max(app.second.peaks);
        }
        LimiterSnapshot {
            in_flight: book.apps.values().map(|app| app.in_flight).sum(),
            max_in_flight: largest(|app| app.peak_in_flight),
            seconds,
            minutes: book.minute.peaks,
            batches: book.batches.peaks,
            refused: book.refused.clone(),
            apps: json!(apps),
        }
    }

    /// Forgets past calls, peaks and refusals; calls under way stay counted.
    pub(crate) fn clear(&self) {
        let mut book = lock(&self.book);
        let mut under_way = std::mem::take(&mut *book).apps;
        under_way.retain(|_, app| app.in_flight > 0);
        for app in under_way.values_mut() {
            let in_flight = app.in_flight;
            *app = AppCalls { in_flight, peak_in_flight: in_flight, ..AppCalls::default() };
        }
        book.apps = under_way;
    }
}

impl AppCalls {
    fn describe(&self) -> Value {
        json!({
            "inFlight": self.in_flight,
            "maxInFlight": self.peak_in_flight,
            "maxPerSecond": self.second.peaks.sliding,
            "maxPerFixedSecond": self.second.peaks.fixed,
            "maxBatchPerMinute": self.batches.peaks.sliding,
            "maxBatchPerFixedMinute": self.batches.peaks.fixed,
        })
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        if let Some(app) = lock(&self.book).apps.get_mut(&self.client) {
            app.in_flight = app.in_flight.saturating_sub(1);
        }
    }
}

/// What a company's limits have seen. The largest numbers in flight and in a second are those of any
/// one app, since that is how they are limited; `in_flight` is that of all together.
#[derive(Clone, Debug, Default)]
pub(crate) struct LimiterSnapshot {
    pub(crate) in_flight: usize,
    pub(crate) max_in_flight: usize,
    pub(crate) seconds: Both,
    pub(crate) minutes: Both,
    pub(crate) batches: Both,
    pub(crate) refused: BTreeMap<Limit, u64>,
    pub(crate) apps: Value,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Windows;

    /// A whole minute of the calendar.
    const START: Duration = Duration::from_hours(500_000);

    struct Desk {
        limiter: Limiter,
        limits: Limits,
    }

    impl Desk {
        fn new() -> Self {
            Self { limiter: Limiter::default(), limits: Limits::scaled(1.0) }
        }

        fn at(&self, client: &str, endpoint: Endpoint, millis: u64) -> Option<Admission> {
            let now = START + Duration::from_millis(millis);
            self.limiter.admit_at(&ClientId::from(client), endpoint, &self.limits, now)
        }

        fn single(&self, client: &str, millis: u64) -> Option<Admission> {
            self.at(client, Endpoint::Single, millis)
        }

        fn refused(&self, limit: Limit) -> u64 {
            self.limiter.snapshot().refused.get(&limit).copied().unwrap_or(0)
        }
    }

    #[test]
    fn ten_a_second_for_each_app_and_no_more() {
        let desk = Desk::new();
        for _ in 0..10 {
            drop(desk.single("one", 500).unwrap());
        }
        assert!(desk.single("one", 1499).is_none());
        assert!(desk.single("two", 1499).is_some());
        assert!(desk.single("one", 1500).is_some());
        assert_eq!(desk.refused(Limit::PerSecond), 1);
        assert_eq!(desk.limiter.snapshot().seconds, Both { sliding: 10, fixed: 10 });
    }

    #[test]
    fn five_hundred_a_minute_in_any_sixty_seconds_for_all_apps_together() {
        let desk = Desk::new();
        for call in 0..500 {
            let client = if call % 2 == 0 { "one" } else { "two" };
            assert!(desk.single(client, 30_000 + call * 100).is_some());
        }
        assert!(desk.single("one", 89_999).is_none());
        assert!(desk.single("three", 89_999).is_none());
        assert!(desk.single("one", 90_000).is_some());
        assert_eq!(desk.refused(Limit::PerMinute), 2);
    }

    #[test]
    fn fixed_windows_alone_let_two_bursts_pass_around_a_boundary() {
        let mut desk = Desk::new();
        desk.limits.windows = Windows::Fixed;
        for _ in 0..10 {
            assert!(desk.single("one", 990).is_some());
        }
        assert!(desk.single("one", 999).is_none());
        for _ in 0..10 {
            assert!(desk.single("one", 1000).is_some());
        }
        assert!(desk.single("one", 1990).is_none());
        assert_eq!(desk.limiter.snapshot().seconds, Both { sliding: 20, fixed: 10 });

        for windows in [Windows::Both, Windows::Sliding] {
            let mut desk = Desk::new();
            desk.limits.windows = windows;
            assert_eq!((0..10).filter(|_| desk.single("one", 990).is_some()).count(), 10);
            assert!(desk.single("one", 1000).is_none(), "{windows:?}");
        }
    }

    #[test]
    fn ten_in_flight_of_one_app_until_one_ends() {
        let desk = Desk::new();
        let mut open: Vec<_> = (0..10).filter_map(|i| desk.single("one", i * 200)).collect();
        assert_eq!(open.len(), 10);
        assert!(desk.single("one", 2000).is_none());
        let _other = desk.single("two", 2000).unwrap();
        open.pop();
        assert!(desk.single("one", 2200).is_some());
        assert_eq!(desk.refused(Limit::InFlight), 1);
        assert_eq!(desk.limiter.snapshot().max_in_flight, 10);
        assert_eq!(desk.limiter.snapshot().in_flight, 10);
    }

    #[test]
    fn forty_batches_a_minute_for_an_app_and_a_hundred_and_twenty_for_the_company() {
        let desk = Desk::new();
        for app in ["one", "two", "three"] {
            for batch in 0..40 {
                assert!(desk.at(app, Endpoint::Batch, batch * 200).is_some(), "{app} {batch}");
            }
        }
        assert!(desk.at("one", Endpoint::Batch, 20_000).is_none());
        assert!(desk.at("four", Endpoint::Batch, 20_000).is_none());
        assert!(desk.single("one", 20_000).is_some());
        assert_eq!(desk.refused(Limit::BatchPerMinuteApp), 1);
        assert_eq!(desk.refused(Limit::BatchPerMinuteRealm), 1);
        assert_eq!(desk.limiter.snapshot().batches.sliding, 120);
        assert!(desk.at("one", Endpoint::Batch, 68_000).is_some());
    }

    #[test]
    fn a_batch_is_a_call_as_well() {
        let desk = Desk::new();
        for _ in 0..10 {
            assert!(desk.at("one", Endpoint::Batch, 0).is_some());
        }
        assert!(desk.single("one", 0).is_none());
    }

    #[test]
    fn refused_calls_keep_a_client_out_only_by_the_switch() {
        for (count_refused, let_in) in [(false, true), (true, false)] {
            let mut desk = Desk::new();
            desk.limits.count_refused = count_refused;
            for _ in 0..10 {
                drop(desk.single("one", 0));
            }
            for tenth in 1..10 {
                assert!(desk.single("one", tenth * 100).is_none());
            }
            assert!(desk.single("one", 950).is_none());
            // The ten of the beginning have left; the ten refused ones have not.
            assert_eq!(desk.single("one", 1000).is_some(), let_in);
        }
    }

    #[test]
    fn clearing_forgets_calls_but_not_what_is_under_way() {
        let desk = Desk::new();
        let open: Vec<_> = (0..10).filter_map(|_| desk.single("one", 0)).collect();
        assert!(desk.single("one", 0).is_none());
        desk.limiter.clear();
        assert_eq!(desk.refused(Limit::PerSecond), 0);
        assert!(desk.single("one", 0).is_none());
        assert_eq!(desk.refused(Limit::InFlight), 1);
        drop(open);
        assert!(desk.single("one", 0).is_some());
        assert_eq!(desk.limiter.snapshot().seconds.sliding, 1);
    }
}
