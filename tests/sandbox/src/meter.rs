//! The monthly meter of the Intuit App Partner Program: CorePlus calls of the whole workspace, all
//! companies and apps together, per calendar month.
//!
//! Every GET, queries by GET and POST, change data capture and the batch endpoint are CorePlus;
//! writes and OAuth are free; only calls that succeed count (help page "API classification", June
//! 2025). The Builder tier has 500,000 a month; above it such calls answer 429 until the month ends
//! (limits page and blog of January 2026). Calls under way when the cap is reached still pass.
//!
//! Not known of the real service: how a batch counts, see [`BatchCounts`]; in which zone a month
//! ends (here UTC).

use std::{borrow::Cow, collections::BTreeMap, sync::Mutex};

use axum::http::Method;
use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

use crate::{ids::Realm, store::lock};

/// The Builder tier's calls a month.
const BUILDER_CAP: u64 = 500_000;

/// What a batch comes to. Not known of the real service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BatchCounts {
    /// One call, however many items.
    One,
    /// A call for each item, writes too: the harder choice for a client.
    #[default]
    Items,
}

/// A call that the meter counts when it succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Metered {
    /// A GET of one entity, or of anything that is none of the others.
    Read,
    /// `/query` by GET or POST.
    Query,
    /// `/cdc`, however many entities it asks for.
    Cdc,
    Batch {
        items: usize,
    },
}

impl Metered {
    /// By method and the path after the realm; `None` is free. A batch has one item until its body
    /// is read.
    pub(crate) fn of(method: &Method, rest: &str) -> Option<Self> {
        let first = rest.trim_start_matches('/').split('/').next().unwrap_or("");
        let is = |name: &str| first.eq_ignore_ascii_case(name);
        if is("query") {
            Some(Self::Query)
        } else if is("batch") && method == Method::POST {
            Some(Self::Batch { items: 1 })
        } else if method != Method::GET {
            None
        } else if is("cdc") {
            Some(Self::Cdc)
        } else {
            Some(Self::Read)
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Query => "query",
            Self::Cdc => "cdc",
            Self::Batch { .. } => "batch",
        }
    }
}

/// A month of the calendar.
type Month = (i16, i8);

/// One month's calls.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tally {
    /// Holds more than the parts when it was set to begin near the cap.
    count: u64,
    by_realm: BTreeMap<Realm, u64>,
    by_kind: BTreeMap<Cow<'static, str>, u64>,
    /// Calls refused because the cap was reached.
    refused: u64,
}

/// All that the meter knows: what a snapshot keeps.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Sheet {
    cap: u64,
    batch_counts: BatchCounts,
    /// Every month that the clock was in, so that a clock which is moved back finds its month again.
    #[serde(with = "pairs")]
    months: BTreeMap<Month, Tally>,
}

/// JSON has texts for keys only, so a state file has the months as a list.
mod pairs {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::{BTreeMap, Month, Tally};

    pub(super) fn serialize<S: Serializer>(
        months: &BTreeMap<Month, Tally>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_seq(months)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<BTreeMap<Month, Tally>, D::Error> {
        Ok(Vec::deserialize(from)?.into_iter().collect())
    }
}

impl Default for Sheet {
    fn default() -> Self {
        Self { cap: BUILDER_CAP, batch_counts: BatchCounts::default(), months: BTreeMap::new() }
    }
}

/// See the module.
#[derive(Default)]
pub(crate) struct Meter(Mutex<Sheet>);

/// What the admin API may change.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct MeterChange {
    cap: Option<u64>,
    batch_counts: Option<BatchCounts>,
    /// The month's number so far, to begin near the cap.
    count: Option<u64>,
}

/// The meter as the admin API shows it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MeterView {
    /// `2026-11`, by the sandbox's clock in UTC.
    month: String,
    cap: u64,
    batch_counts: BatchCounts,
    #[serde(flatten)]
    tally: Tally,
}

impl Meter {
    /// Whether a metered call may still be made in the month of `now`.
    pub(crate) fn admit(&self, now: Timestamp) -> bool {
        let mut sheet = lock(&self.0);
        let cap = sheet.cap;
        let tally = sheet.months.entry(month(now)).or_default();
        let admitted = tally.count < cap;
        tally.refused += u64::from(!admitted);
        admitted
    }

    /// Counts a call that succeeded.
    pub(crate) fn count(&self, now: Timestamp, realm: &Realm, call: Metered) {
        let mut sheet = lock(&self.0);
        let calls = match (call, sheet.batch_counts) {
            (Metered::Batch { items }, BatchCounts::Items) => items.max(1) as u64,
            _ => 1,
        };
        let tally = sheet.months.entry(month(now)).or_default();
        tally.count = tally.count.saturating_add(calls);
        *tally.by_realm.entry(realm.clone()).or_default() += calls;
        *tally.by_kind.entry(call.name().into()).or_default() += calls;
    }

    pub(crate) fn change(&self, now: Timestamp, change: &MeterChange) {
        let mut sheet = lock(&self.0);
        sheet.cap = change.cap.unwrap_or(sheet.cap);
        sheet.batch_counts = change.batch_counts.unwrap_or(sheet.batch_counts);
        if let Some(count) = change.count {
            sheet.months.entry(month(now)).or_default().count = count;
        }
    }

    /// The month of `now`.
    pub(crate) fn view(&self, now: Timestamp) -> MeterView {
        let sheet = lock(&self.0);
        let (year, number) = month(now);
        MeterView {
            month: format!("{year:04}-{number:02}"),
            cap: sheet.cap,
            batch_counts: sheet.batch_counts,
            tally: sheet.months.get(&(year, number)).cloned().unwrap_or_default(),
        }
    }

    /// A copy of everything, for a snapshot.
    pub(crate) fn copy(&self) -> Sheet {
        lock(&self.0).clone()
    }

    /// Puts a copy in the place of what there is.
    pub(crate) fn restore(&self, sheet: Sheet) {
        *lock(&self.0) = sheet;
    }

    /// Nothing counted, the default cap.
    pub(crate) fn reset(&self) {
        *lock(&self.0) = Sheet::default();
    }
}

fn month(now: Timestamp) -> Month {
    let date = now.to_zoned(TimeZone::UTC).date();
    (date.year(), date.month())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn change(meter: &Meter, now: Timestamp, json: &str) {
        meter.change(now, &serde_json::from_str(json).unwrap());
    }

    fn counted(meter: &Meter, now: Timestamp) -> u64 {
        meter.view(now).tally.count
    }

    #[test]
    fn reads_queries_cdc_and_batches_are_metered_and_writes_are_free() {
        let of = |method: Method, rest: &str| Metered::of(&method, rest);
        assert_eq!(of(Method::GET, "timeactivity/1"), Some(Metered::Read));
        assert_eq!(of(Method::GET, "invoice/1/pdf"), Some(Metered::Read));
        assert_eq!(of(Method::GET, "query"), Some(Metered::Query));
        assert_eq!(of(Method::POST, "query"), Some(Metered::Query));
        assert_eq!(of(Method::GET, "cdc"), Some(Metered::Cdc));
        assert_eq!(of(Method::POST, "batch"), Some(Metered::Batch { items: 1 }));
        assert_eq!(of(Method::POST, "timeactivity"), None);
        assert_eq!(of(Method::POST, "invoice/1/send"), None);
    }

    #[test]
    fn the_cap_holds_until_the_month_ends_in_utc() {
        let (meter, realm) = (Meter::default(), Realm::from("1"));
        let last = at("2026-11-30T23:59:59Z");
        change(&meter, last, r#"{"cap":2}"#);
        for _ in 0..2 {
            assert!(meter.admit(last));
            meter.count(last, &realm, Metered::Read);
        }
        assert!(!meter.admit(last));
        assert_eq!(meter.view(last).tally.refused, 1);
        let first = at("2026-12-01T00:00:00Z");
        assert!(meter.admit(first));
        assert_eq!(counted(&meter, first), 0);
        assert!(!meter.admit(last), "a clock moved back is in its old month");
    }

    #[test]
    fn the_cap_is_five_hundred_thousand() {
        let (meter, now) = (Meter::default(), at("2026-11-18T12:00:00Z"));
        change(&meter, now, r#"{"count":499999}"#);
        assert!(meter.admit(now));
        meter.count(now, &Realm::from("1"), Metered::Query);
        assert!(!meter.admit(now));
    }

    #[test]
    fn a_batch_counts_its_items_or_one_by_the_switch() {
        let (meter, realm) = (Meter::default(), Realm::from("1"));
        let now = at("2026-11-18T12:00:00Z");
        meter.count(now, &realm, Metered::Batch { items: 30 });
        assert_eq!(counted(&meter, now), 30);
        meter.count(now, &realm, Metered::Batch { items: 0 });
        assert_eq!(counted(&meter, now), 31);
        change(&meter, now, r#"{"batchCounts":"one"}"#);
        meter.count(now, &realm, Metered::Batch { items: 30 });
        assert_eq!(counted(&meter, now), 32);
    }

    #[test]
    fn all_companies_count_together_and_are_told_apart() {
        let (meter, now) = (Meter::default(), at("2026-11-18T12:00:00Z"));
        meter.count(now, &Realm::from("1"), Metered::Read);
        meter.count(now, &Realm::from("2"), Metered::Query);
        meter.count(now, &Realm::from("2"), Metered::Cdc);
        let view = serde_json::to_value(meter.view(now)).unwrap();
        assert_eq!(view["count"], 3);
        assert_eq!(view["month"], "2026-11");
        assert_eq!(view["byRealm"], serde_json::json!({ "1": 1, "2": 2 }));
        assert_eq!(view["byKind"], serde_json::json!({ "cdc": 1, "query": 1, "read": 1 }));
    }
}
