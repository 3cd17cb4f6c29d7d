//! Snapshots: the whole state at one moment, kept under a name or written to the state file.
//!
//! A piece of work and the memory of its request id are one step under the company's lock, so a
//! snapshot has both or neither. A restore puts new companies in the place of the old ones: a request
//! that began before it ends on the old ones, and what it does there is gone.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    chance::Position,
    entities::UnknownFields,
    ids::ClientId,
    latency::LatencyModel,
    limits::Limits,
    meter, oauth,
    rest::BatchPolicy,
    store::{Remembered, ReplayPolicy, Replays, State, lock},
    webhooks,
};

/// The form of the state file; a file of another one is refused.
pub(crate) const VERSION: u32 = 1;

/// Everything but the journal, the counters and the armed faults: those are the tester's own.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Snapshot {
    pub(crate) version: u32,
    /// By the sandbox's clock.
    pub(crate) taken: Timestamp,
    /// How far the sandbox's clock was from real time.
    clock_offset_ms: i64,
    /// How often chance started over on top of a state file, see [`App::load`].
    #[serde(default)]
    restarts: u64,
    /// Where chance went on from. A state file does not have it.
    #[serde(skip)]
    chance: Option<Position>,
    companies: Vec<Company>,
    oauth: oauth::Kept,
    meter: meter::Sheet,
    webhooks: BTreeMap<ClientId, webhooks::Kept>,
    switches: Switches,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Company {
    state: State,
    /// Answered request ids with their answers.
    request_ids: BTreeMap<String, Remembered>,
}

/// The switches of the admin API. Those of OAuth and of the meter are in their books.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Switches {
    unknown_fields: UnknownFields,
    replay: ReplayPolicy,
    batch: BatchPolicy,
    limits: Limits,
    latency: LatencyModel,
}

impl Snapshot {
    /// Companies and entities in it.
    pub(crate) fn size(&self) -> (usize, usize) {
        let entities = self.companies.iter().map(|company| company.state.len()).sum();
        (self.companies.len(), entities)
    }
}

impl App {
    /// The state as it is now.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let _still = self.still();
        // Companies first: what was written with a token is never there without the token.
        let companies = self.companies().into_iter().map(|company| {
            let state = company.state();
            Company { state: state.clone(), request_ids: company.replays.remembered() }
        });
        let companies = companies.collect();
        Snapshot {
            version: VERSION,
            taken: self.now(),
            clock_offset_ms: self.clock.offset_ms(),
            restarts: self.restarts(),
            chance: Some(self.chance.position()),
            companies,
            oauth: self.oauth.keep(),
            meter: self.meter.copy(),
            webhooks: self.webhooks.keep(),
            switches: Switches {
                unknown_fields: self.unknown_fields.get(),
                replay: self.replay.get(),
                batch: self.batch.get(),
                limits: self.limits.get(),
                latency: self.latency.model(),
            },
        }
    }

    /// Goes back to `snapshot`; the counters begin anew.
    pub(crate) fn restore(&self, snapshot: Snapshot) {
        let _still = self.still();
        // Companies last: a request that finds a restored one finds the rest restored too.
        self.clock.set_offset_ms(snapshot.clock_offset_ms);
        if let Some(position) = &snapshot.chance {
            self.chance.resume(position);
        }
        let Switches { unknown_fields, replay, batch, limits, latency } = snapshot.switches;
        self.unknown_fields.set(unknown_fields);
        self.replay.set(replay);
        self.batch.set(batch);
        self.limits.set(limits);
        self.latency.set(latency);
        self.oauth.restore(snapshot.oauth);
        self.meter.restore(snapshot.meter);
        self.webhooks.restore(snapshot.webhooks);
        self.counters.clear();
        self.replace_companies(
            snapshot
                .companies
                .into_iter()
                .map(|company| (company.state, Replays::with(company.request_ids))),
        );
    }

    /// Goes on from a state file. Limits, latency, the app's secret and where its webhooks go are as
    /// the options of this start say. Chance starts at a point of its own for every start on top of a
    /// file, else one seed would hand out the tokens again that the file holds.
    pub(crate) fn load(&self, mut snapshot: Snapshot) {
        snapshot.switches.limits = self.limits.get();
        snapshot.switches.latency = self.latency.model();
        if self.config.webhook_url.is_some() {
            snapshot.webhooks.extend(self.webhooks.keep());
        }
        self.restart(snapshot.restarts + 1);
        self.restore(snapshot);
        self.oauth.hold(&self.config.client_id, &self.config.client_secret);
    }
}

/// Snapshots by name. They outlive a reset.
#[derive(Default)]
pub(crate) struct Snapshots(Mutex<BTreeMap<String, Arc<Snapshot>>>);

impl Snapshots {
    /// Keeps one, in the place of the one with its name.
    pub(crate) fn keep(&self, name: &str, snapshot: Snapshot) -> Arc<Snapshot> {
        let snapshot = Arc::new(snapshot);
        lock(&self.0).insert(name.to_owned(), Arc::clone(&snapshot));
        snapshot
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<Snapshot>> {
        lock(&self.0).get(name).cloned()
    }

    /// All, by name.
    pub(crate) fn list(&self) -> BTreeMap<String, Arc<Snapshot>> {
        lock(&self.0).clone()
    }

    /// `false`: there is none of that name.
    pub(crate) fn remove(&self, name: &str) -> bool {
        lock(&self.0).remove(name).is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use axum::http::StatusCode;
    use serde_json::Map;

    use super::*;
    use crate::{config::Config, entities::Kind, store::Original};

    const REALM: &str = "9341453000000001";

    fn app() -> App {
        App::new(Config::ephemeral(), "http://localhost".into()).unwrap()
    }

    /// A piece of work as the API does it: the record and its request id under one lock.
    fn work(app: &App, id: &str) {
        let company = app.company(REALM).unwrap();
        let mut state = company.state();
        let entity = state.next_id(Kind::TimeActivity);
        state.put(Kind::TimeActivity, entity, Map::new(), app.now());
        let first = Original { status: StatusCode::OK, body: "{}".into() };
        company.replays.note(id, &first, ReplayPolicy::default(), app.now());
    }

    fn is_whole(snapshot: &Snapshot) -> bool {
        snapshot.companies.iter().all(|company| {
            company.state.table(Kind::TimeActivity).len() == company.request_ids.len()
        })
    }

    #[test]
    fn a_snapshot_has_the_work_and_its_request_id_or_neither() {
        let app = app();
        thread::scope(|scope| {
            let workers: Vec<_> = (0..4)
                .map(|own| {
                    let app = &app;
                    scope.spawn(move || (0..1000).for_each(|n| work(app, &format!("{own}-{n}"))))
                })
                .collect();
            while !workers.iter().all(thread::ScopedJoinHandle::is_finished) {
                assert!(is_whole(&app.snapshot()));
            }
        });
        assert_eq!(app.snapshot().companies[0].request_ids.len(), 4000);
    }

    #[test]
    fn a_restore_is_whole_while_work_goes_on() {
        let app = app();
        work(&app, "before");
        let before = app.snapshot();
        thread::scope(|scope| {
            let worker = scope.spawn(|| (0..500).for_each(|n| work(&app, &format!("r{n}"))));
            while !worker.is_finished() {
                app.restore(before.clone());
                assert!(is_whole(&app.snapshot()));
            }
        });
        app.restore(before);
        assert_eq!(app.snapshot().companies[0].request_ids.len(), 1);
    }

    #[test]
    fn a_written_snapshot_is_read_again_as_it_was() {
        let app = app();
        for n in 0..3 {
            work(&app, &format!("r{n}"));
        }
        let removed =
            app.company(REALM).unwrap().state().remove(Kind::TimeActivity, "2", app.now());
        assert!(removed.is_some());
        let written = serde_json::to_value(app.snapshot()).unwrap();
        let read: Snapshot = serde_json::from_value(written.clone()).unwrap();
        let restored = self::app();
        restored.restore(read);
        let mut again = serde_json::to_value(restored.snapshot()).unwrap();
        again["taken"] = written["taken"].clone();
        assert_eq!(again, written);
    }
}
