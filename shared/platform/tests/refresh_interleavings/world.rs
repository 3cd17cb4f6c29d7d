//! The simulated world: a virtual clock, processes that die, rows, secrets, and Intuit's side.
//!
//! Everything is decided by the seed. Times are milliseconds since the schedule began; a process sees
//! them through its own clock.

use jiff::Timestamp;
use platform::connections::{Connection, ConnectionStatus, NewConnection};
use platform::refresh::{Expiries, LEASE};
use platform::secrets::TokenSet;
use secrecy::ExposeSecret;

use crate::coverage::Met;
use crate::intuit::{Chain, Grant, GrantState, HOUR, Request};
use crate::invariants::Violation;
use crate::rng::Rng;
use crate::variants::Broken;
use crate::weather::Weather;

/// When each schedule begins, in milliseconds since 1970.
const EPOCH: i64 = 1_800_000_000_000;
pub(crate) const LEASE_MS: i64 = LEASE.as_secs() * 1_000;
pub(crate) const COMPANIES: [&str; 2] = ["hollow-oak", "mill-creek"];

/// A call of the protocol to its surroundings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Clock,
    Pause,
    Read,
    Take,
    PointAt,
    GiveBack,
    Stored,
    Store,
    App,
    Send,
    Wait,
    Discard,
    Note,
    /// Not the protocol's: a disconnect or a reconnect.
    Other,
}

/// Where in a call a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Nothing has happened yet.
    Before,
    /// It has happened, and the answer was not read.
    After,
}

/// What kills a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Lambda, after 29 s.
    Http,
    /// Lambda, after 180 s.
    Worker,
    /// Nothing but a crash.
    Outliving,
}

pub(crate) struct Process {
    pub kind: Kind,
    pub dead: bool,
    /// Its clock is ahead by this.
    pub clock: i64,
    /// Its HTTP client gives Intuit up after this.
    pub gives_up: i64,
}

/// A future of the schedule, as the world knows it.
pub(crate) struct Task {
    pub process: usize,
    /// Its next step is due at this moment; never, when it is done.
    pub wake: i64,
    pub done: bool,
    pub at: (Call, Moment),
    pub steps: u32,
    /// The errand that it is on: a number for each, when it began, and what it wants.
    pub errand: usize,
    pub began: i64,
    pub must_refresh: bool,
    /// The clock as it last read it, and how long the token lasted that it saw after that.
    pub clock_read: i64,
    pub left_seen: Option<i64>,
    /// When its lease ends.
    pub lease_until: i64,
    /// When it last read `invalid_grant`.
    pub refused: Option<i64>,
    /// The version that it asked Intuit with.
    pub asked_for: Option<String>,
}

pub(crate) struct Version {
    pub id: String,
    pub tokens: TokenSet,
    pub grant: usize,
    pub writer: usize,
    /// When processes other than the writer see it.
    pub visible: i64,
}

pub(crate) struct Secret {
    pub name: String,
    pub chain: usize,
    pub versions: Vec<Version>,
    pub destroyed: bool,
}

/// What happens later, whether or not who caused it still lives.
pub(crate) enum Later {
    Handle(usize),
    Do(Box<dyn FnOnce(&mut World) + Send>),
}

pub(crate) struct World {
    pub now: i64,
    pub rng: Rng,
    pub weather: Weather,
    pub broken: Option<Broken>,
    /// The companies' rows.
    pub rows: [Option<Connection>; 2],
    /// Until when nobody may ask for a company's tokens, as the last failure said.
    pub quiet_until: [i64; 2],
    pub secrets: Vec<Secret>,
    pub chains: Vec<Chain>,
    pub grants: Vec<Grant>,
    pub requests: Vec<Request>,
    pub later: Vec<(i64, Later)>,
    pub processes: Vec<Process>,
    pub tasks: Vec<Task>,
    /// The task whose step this is.
    pub current: usize,
    /// Something changed that the invariants are about.
    pub changed: bool,
    /// Whether a read of a row failed: then a discard may be missing.
    pub row_unread: bool,
    pub met: u64,
    pub asks: u64,
    pub errands: usize,
    pub violation: Option<(Violation, String)>,
    pub trace: Option<Vec<String>>,
    named: u64,
}

impl World {
    pub(crate) fn new(seed: u64, broken: Option<Broken>, traced: bool) -> Self {
        let mut rng = Rng::new(seed);
        let weather =
            broken.map_or(Weather::draw as fn(&mut Rng) -> Weather, Broken::weather)(&mut rng);
        let mut world = Self {
            now: 0,
            rng,
            weather,
            broken,
            rows: [None, None],
            quiet_until: [0; 2],
            secrets: Vec::new(),
            chains: Vec::new(),
            grants: Vec::new(),
            requests: Vec::new(),
            later: Vec::new(),
            processes: Vec::new(),
            tasks: Vec::new(),
            current: 0,
            changed: false,
            row_unread: false,
            met: 0,
            asks: 0,
            errands: 0,
            violation: None,
            trace: traced.then(Vec::new),
            named: 0,
        };
        for company in 0..COMPANIES.len() {
            let age = world.rng.pick(&[
                20_000,
                HOUR,
                HOUR,
                25 * HOUR,
                25 * HOUR,
                99 * 24 * HOUR,
                101 * 24 * HOUR,
            ]);
            let left = world.rng.pick(&[-60_000, -60_000, 30_000, 90_000, 280_000, 3_000_000]);
            let connection = world.connect(company, -age);
            let row = world.rows[company].insert(connection);
            row.access_expires_at = EPOCH + left;
            let expires = at(left);
            if let Some(version) = world.secrets[company].versions.last_mut() {
                version.tokens.expiries.access = expires;
            }
        }
        world
    }

    /// A new authorization at Intuit, its secret, and the connection that says so.
    pub(crate) fn connect(&mut self, company: usize, issued: i64) -> Connection {
        let id = self.name("connection");
        let chain = self.chains.len();
        let last = issued.max(-HOUR);
        self.chains.push(Chain {
            connection: id.clone(),
            newest: 0,
            issued,
            renewed: if issued < -100 * 24 * HOUR { issued } else { last },
            old_until: 0,
            revoked: false,
        });
        self.grants.push(Grant {
            chain,
            value: 0,
            rotated: true,
            state: GrantState::Stored { in_time: true },
        });
        let tokens = self.tokens(self.grants.len() - 1, last);
        let kept = self.broken == Some(Broken::SecretOfTheCompany) && self.rows[company].is_some();
        let secret = match &self.rows[company] {
            Some(row) if kept => row.secret.clone(),
            _ => format!("tokens/{}/{id}", COMPANIES[company]),
        };
        let version = self.name("version");
        let first = Version {
            id: version.clone(),
            grant: self.grants.len() - 1,
            writer: usize::MAX,
            visible: self.now,
            tokens: tokens.clone(),
        };
        match self.secrets.iter_mut().find(|known| known.name == secret) {
            Some(known) => known.versions.push(first),
            None => self.secrets.push(Secret {
                name: secret.clone(),
                chain,
                versions: vec![first],
                destroyed: false,
            }),
        }
        self.changed = true;
        a_connection(company, id, secret, version, tokens.expiries)
    }

    /// The tokens of a grant, as Intuit hands them out.
    pub(crate) fn tokens(&self, grant: usize, issued: i64) -> TokenSet {
        let Grant { chain, value, .. } = self.grants[grant];
        TokenSet {
            access: grant.to_string().into(),
            refresh: format!("{chain}/{value}").into(),
            expiries: Expiries {
                access: at(issued + HOUR),
                refresh: at(issued + 100 * 24 * HOUR),
                hard: None,
                issued: at(issued),
            },
        }
    }

    pub(crate) fn name(&mut self, what: &str) -> String {
        self.named += 1;
        format!("{what}-{}", self.named)
    }

    pub(crate) fn meet(&mut self, what: Met) {
        self.met |= 1 << what as u64;
    }

    /// A line of the trace; costs nothing when there is none.
    pub(crate) fn say(&mut self, line: impl FnOnce(&Self) -> String) {
        if self.trace.is_some() {
            let line = format!("{:>6}.{:03}  {}", self.now / 1_000, self.now % 1_000, line(self));
            self.trace.get_or_insert_default().push(line);
        }
    }

    pub(crate) fn violate(&mut self, what: Violation, story: impl Into<String>) {
        let story = story.into();
        self.say(|_| format!("VIOLATED: {what:?}: {story}"));
        self.violation.get_or_insert((what, story));
    }

    pub(crate) fn task(&mut self) -> &mut Task {
        &mut self.tasks[self.current]
    }

    pub(crate) fn process(&self) -> usize {
        self.tasks[self.current].process
    }

    /// The process' own clock.
    pub(crate) fn clock(&self) -> i64 {
        self.now + self.processes[self.process()].clock
    }

    pub(crate) fn row_of(&mut self, id: &str) -> &mut Option<Connection> {
        &mut self.rows[company_of(id)]
    }

    pub(crate) fn secret(&mut self, name: &str) -> Option<&mut Secret> {
        self.secrets.iter_mut().find(|secret| secret.name == name && !secret.destroyed)
    }

    /// What the tokens were when Intuit gave them.
    pub(crate) fn grant_of(tokens: &TokenSet) -> usize {
        tokens.access.expose_secret().parse().unwrap_or(usize::MAX)
    }

    /// The chain and value of a refresh token.
    pub(crate) fn value_of(tokens: &TokenSet) -> (usize, u64) {
        let (chain, value) = tokens.refresh.expose_secret().split_once('/').unwrap_or_default();
        (chain.parse().unwrap_or(usize::MAX), value.parse().unwrap_or(u64::MAX))
    }

    /// A process is gone; what it alone had is lost.
    pub(crate) fn die(&mut self, process: usize) {
        self.processes[process].dead = true;
        for grant in &mut self.grants {
            match grant.state {
                GrantState::UnderWay { process: its } | GrantState::Read { process: its, .. }
                    if its == process =>
                {
                    grant.state = GrantState::Lost;
                    if grant.rotated {
                        self.met |= 1 << Met::NewValueLost as u64;
                    }
                }
                _ => {}
            }
        }
        for request in self.requests.iter_mut().filter(|request| request.process == process) {
            request.abandoned = true;
        }
        for task in self.tasks.iter_mut().filter(|task| task.process == process) {
            task.done = true;
            task.wake = i64::MAX;
        }
    }

    /// Intuit gets to a request.
    pub(crate) fn handle(&mut self, number: usize) {
        let Request { chain, value, process, abandoned, plan, .. } = self.requests[number].clone();
        if abandoned && plan.handled.is_some_and(|at| at >= 60_000) {
            self.meet(Met::HandledLate);
        }
        let honoured = self.chains[chain].honours(value, self.now);
        let tried_before = self.requests[..number].iter().any(|earlier| {
            (earlier.chain, earlier.value, earlier.abandoned) == (chain, value, true)
        });
        if honoured && tried_before {
            self.meet(Met::OldValueTried);
        }
        let result = honoured.then(|| {
            let now = self.now;
            let (always, grace) = (self.weather.rotates_always, self.weather.grace);
            let rotated = self.chains[chain].refresh(now, always, grace);
            self.meet(if rotated { Met::Rotated } else { Met::SameValue });
            let state = if abandoned { GrantState::Lost } else { GrantState::UnderWay { process } };
            if abandoned && rotated {
                self.meet(Met::NewValueLost);
            }
            let value = self.chains[chain].newest;
            self.grants.push(Grant { chain, value, rotated, state });
            self.grants.len() - 1
        });
        self.say(|world| match result {
            Some(grant) => format!(
                "Intuit grants value {} of chain {chain} to request {number} (grant {grant})",
                world.grants[grant].value
            ),
            None => format!("Intuit: invalid_grant for request {number}"),
        });
        self.requests[number].granted = result;
        self.requests[number].done = true;
        self.changed = true;
    }
}

/// A moment of the schedule as a time of day.
pub(crate) fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(EPOCH + ms).unwrap_or(Timestamp::MAX)
}

/// The other way round.
pub(crate) fn since_epoch(time: Timestamp) -> i64 {
    time.as_millisecond() - EPOCH
}

pub(crate) fn company_of(row: &str) -> usize {
    usize::from(row.ends_with(COMPANIES[1]))
}

fn a_connection(
    company: usize,
    connection_id: String,
    secret: String,
    version_id: String,
    expiries: Expiries,
) -> Connection {
    let name = COMPANIES[company];
    Connection {
        id: format!("company#{name}"),
        client_id: None,
        status: ConnectionStatus::Connected,
        ready: true,
        access_expires_at: expiries.access.as_millisecond(),
        refresh_expires_at: expiries.refresh.as_millisecond(),
        refreshed_at: expiries.issued.as_millisecond(),
        live_shard: Some("0".to_owned()),
        active_shard: Some("0".to_owned()),
        ..Connection::new(NewConnection {
            company: name.parse().unwrap(),
            connection_id,
            version_id,
            realm: ["91001", "91002"][company].parse().unwrap(),
            environment: quickbooks::Environment::Sandbox,
            client_id: String::new(),
            secret,
            user: String::new(),
            at: Timestamp::from_millisecond(EPOCH).unwrap(),
        })
    }
}
