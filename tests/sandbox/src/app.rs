//! Everything that the requests share.

use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use jiff::{Timestamp, tz::TimeZone};

use crate::{
    chance::Chance,
    clock::Clock,
    config::Config,
    counters::Counters,
    entities::UnknownFields,
    faults::Faults,
    ids::Realm,
    issuer::Issuer,
    journal::Journal,
    latency::Latency,
    limits::Limits,
    meter::Meter,
    oauth::Oauth,
    rest::BatchPolicy,
    seed,
    setting::Setting,
    snapshot::Snapshots,
    state_file::StateFile,
    store::{Company, ReplayPolicy, Replays, State, lock},
    webhooks::Webhooks,
};

/// The sandbox's whole state.
pub(crate) struct App {
    pub(crate) config: Config,
    /// Base of links and of the local issuer, without a trailing slash.
    pub(crate) public_url: String,
    pub(crate) clock: Clock,
    pub(crate) chance: Arc<Chance>,
    pub(crate) unknown_fields: Setting<UnknownFields>,
    pub(crate) replay: Setting<ReplayPolicy>,
    pub(crate) batch: Setting<BatchPolicy>,
    pub(crate) webhooks: Arc<Webhooks>,
    pub(crate) limits: Setting<Limits>,
    pub(crate) meter: Meter,
    pub(crate) latency: Latency,
    pub(crate) oauth: Arc<Oauth>,
    pub(crate) issuer: Issuer,
    pub(crate) faults: Faults,
    pub(crate) journal: Journal,
    /// Calls that belong to no company.
    pub(crate) counters: Counters,
    pub(crate) snapshots: Snapshots,
    state_file: Option<StateFile>,
    /// See [`App::load`].
    restarts: AtomicU64,
    /// See [`App::still`].
    whole: Mutex<()>,
    companies: RwLock<BTreeMap<Realm, Arc<Company>>>,
}

impl App {
    pub(crate) fn new(config: Config, public_url: String) -> Result<Self, String> {
        let chance = Arc::new(Chance::new(config.seed));
        let oauth =
            Arc::new(Oauth::new(&config.client_id, &config.client_secret, Arc::clone(&chance)));
        let app = Self {
            limits: Setting::new(Limits::scaled(config.limits_scale)),
            meter: Meter::default(),
            latency: Latency::new(config.latency.clone(), Arc::clone(&chance)),
            webhooks: Arc::new(Webhooks::new(&config, Arc::clone(&oauth))?),
            issuer: Issuer::new(format!("{public_url}/issuer"))?,
            state_file: config.state_file.clone().map(StateFile::new),
            config,
            public_url,
            clock: Clock::default(),
            oauth,
            chance,
            unknown_fields: Setting::default(),
            replay: Setting::default(),
            batch: Setting::default(),
            faults: Faults::default(),
            journal: Journal::default(),
            counters: Counters::default(),
            snapshots: Snapshots::default(),
            restarts: AtomicU64::new(0),
            whole: Mutex::default(),
            companies: RwLock::default(),
        };
        app.reseed()?;
        Ok(app)
    }

    /// Goes on from the state file, if the sandbox has one and it exists.
    ///
    /// # Errors
    /// `InvalidData`: the file cannot be used, and is left as it is.
    pub(crate) fn load_state(&self) -> io::Result<()> {
        if let Some(file) = &self.state_file
            && let Some(snapshot) = file.read()?
        {
            self.load(snapshot);
        }
        Ok(())
    }

    /// Writes the state file and answers its path; `None` if the sandbox has none.
    pub(crate) fn save_state(&self) -> io::Result<Option<PathBuf>> {
        let Some(file) = &self.state_file else { return Ok(None) };
        file.write(&self.snapshot())?;
        Ok(Some(file.path().to_owned()))
    }

    /// Held while the whole state is read or replaced, which happens part by part.
    pub(crate) fn still(&self) -> MutexGuard<'_, ()> {
        lock(&self.whole)
    }

    pub(crate) fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::SeqCst)
    }

    /// Lets chance begin where no earlier start with this seed did.
    pub(crate) fn restart(&self, restarts: u64) {
        /// An odd constant far from small numbers (2^64 over the golden ratio).
        const APART: u64 = 0x9E37_79B9_7F4A_7C15;
        self.restarts.store(restarts, Ordering::SeqCst);
        self.chance.reseed(self.config.seed.wrapping_add(restarts.wrapping_mul(APART)));
    }

    /// Back to the start: seeds, real time, no faults, no tokens, nothing counted. Chance starts
    /// over from `seed`, by default the one of the start. Snapshots stay.
    pub(crate) fn reset(&self, seed: Option<u64>) -> Result<(), String> {
        let _still = self.still();
        self.clock.reset();
        self.chance.reseed(seed.unwrap_or(self.config.seed));
        self.unknown_fields.set(UnknownFields::default());
        self.replay.set(ReplayPolicy::default());
        self.batch.set(BatchPolicy::default());
        self.limits.set(Limits::scaled(self.config.limits_scale));
        self.meter.reset();
        self.latency.set(self.config.latency.clone());
        self.faults.clear();
        self.oauth.reset(&self.config.client_id, &self.config.client_secret);
        self.journal.clear();
        self.counters.clear();
        self.webhooks.reset(&self.config)?;
        self.reseed()
    }

    fn reseed(&self) -> Result<(), String> {
        let seeds = seed::load()?;
        self.replace_companies(seeds.into_iter().map(|state| (state, Replays::default())));
        Ok(())
    }

    /// Puts other companies in the place of those there are.
    pub(crate) fn replace_companies(&self, states: impl Iterator<Item = (State, Replays)>) {
        let mut companies = self.companies.write().unwrap_or_else(PoisonError::into_inner);
        for company in companies.values() {
            company.retire();
        }
        companies.clear();
        for (state, replays) in states {
            let company = Company::with_replays(state, replays, Arc::clone(&self.webhooks));
            companies.insert(company.realm.clone(), Arc::new(company));
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn company(&self, realm: &str) -> Option<Arc<Company>> {
        self.companies.read().unwrap_or_else(PoisonError::into_inner).get(realm).cloned()
    }

    pub(crate) fn companies(&self) -> Vec<Arc<Company>> {
        let companies = self.companies.read().unwrap_or_else(PoisonError::into_inner);
        companies.values().cloned().collect()
    }

    /// Adds a company; `false` if the realm is taken.
    pub(crate) fn add_company(&self, state: State) -> bool {
        let mut companies = self.companies.write().unwrap_or_else(PoisonError::into_inner);
        if companies.contains_key(&state.profile.realm) {
            return false;
        }
        let company = Company::new(state, Arc::clone(&self.webhooks));
        companies.insert(company.realm.clone(), Arc::new(company));
        true
    }

    /// The zone that a company's answers are written in; UTC where there is no company.
    pub(crate) fn zone(&self, realm: Option<&Realm>) -> TimeZone {
        realm
            .and_then(|realm| self.company(realm.as_str()))
            .map_or(TimeZone::UTC, |company| company.state().zone.clone())
    }

    /// The counters that a company's calls go to, else those of no company.
    pub(crate) fn count<T>(&self, realm: Option<&Realm>, with: impl FnOnce(&Counters) -> T) -> T {
        match realm.and_then(|realm| self.company(realm.as_str())) {
            Some(company) => with(&company.counters),
            None => with(&self.counters),
        }
    }
}
