//! `Surroundings` in the simulated world: every call is a place where others may go first, where time may
//! pass, where the process may die, and where something may fail.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use jiff::Timestamp;
use platform::connections::Connection;
use platform::error::{Error, Result};
use platform::refresh::{Expiries, GivenBack, Lease, LeaseAsked, Outcome, Surroundings};
use platform::secrets::TokenSet;
use quickbooks::{AppCredentials, OAuthError, TokenGrant};

use crate::coverage::Met;
use crate::intuit::{Answer, GrantState, HOUR, Plan, Request};
use crate::invariants::{RESERVE, Violation};
use crate::rows;
use crate::variants::Broken;
use crate::world::{
    Call, Kind, LEASE_MS, Later, Moment, Version, World, at, company_of, since_epoch,
};

/// How much longer a lease looks to whoever ignores its end.
const NEVER_MIND: jiff::SignedDuration = jiff::SignedDuration::from_secs(1_000);

/// The world as one process sees it.
#[derive(Clone)]
pub(crate) struct Handle {
    world: Arc<Mutex<World>>,
    process: usize,
}

/// Lets the scheduler choose who goes next.
struct Step<'a> {
    handle: &'a Handle,
    place: (Call, Moment),
    /// How long it takes at least; drawn from the weather if none is given.
    takes: Option<i64>,
    begun: bool,
}

impl Future for Step<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.begun {
            return Poll::Ready(());
        }
        self.begun = true;
        let mut world = self.handle.world();
        let takes = self.takes.unwrap_or_else(|| world.latency());
        let wake = world.now + takes;
        let task = world.task();
        task.at = self.place;
        task.wake = wake;
        Poll::Pending
    }
}

impl World {
    /// Mostly nothing, so that chance decides who goes next; sometimes long.
    fn latency(&mut self) -> i64 {
        let Self { rng, weather, .. } = self;
        if rng.chance(weather.held_up) {
            rng.between(50_000, 180_000)
        } else if rng.chance(weather.slow) {
            rng.between(500, 20_000)
        } else if rng.chance(300) {
            rng.between(1, 200)
        } else {
            0
        }
    }

    fn hit(&mut self, per_mille: impl Fn(&crate::weather::Weather) -> u32) -> bool {
        let chance = per_mille(&self.weather);
        self.rng.chance(chance)
    }
}

pub(crate) fn time(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX)
}

fn aws(call: &'static str) -> Error {
    Error::Aws { call, reason: "the simulated world says no".to_owned() }
}

impl Handle {
    pub(crate) fn new(world: &Arc<Mutex<World>>, process: usize) -> Self {
        Self { world: world.clone(), process }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn step(&self, call: Call, moment: Moment, takes: Option<i64>) {
        Step { handle: self, place: (call, moment), takes, begun: false }.await;
    }

    pub(crate) async fn before(&self, call: Call) {
        self.step(call, Moment::Before, None).await;
    }

    pub(crate) async fn after(&self, call: Call) {
        self.step(call, Moment::After, None).await;
    }

    pub(crate) async fn sleep(&self, ms: i64) {
        self.step(Call::Pause, Moment::Before, Some(ms)).await;
    }

    /// A conditional write on a row: done, not done, done and the answer lost, done a little later, or
    /// done twice since the AWS client repeats what it heard nothing of.
    pub(crate) async fn write<T>(
        &self,
        call: Call,
        effect: impl FnOnce(&mut World) -> T + Clone + Send + 'static,
    ) -> Result<T> {
        self.before(call).await;
        let answer = {
            let mut world = self.world();
            if world.hit(|weather| weather.row_write_fails) {
                world.say(|_| "  DynamoDB does not answer, and has not written".to_owned());
                Err(aws("write a row"))
            } else if world.hit(|weather| weather.row_answer_lost) {
                if world.rng.chance(600) {
                    world.meet(Met::WriteLost);
                    world.say(|_| "  written, and the answer lost".to_owned());
                    let _ = effect(&mut world);
                } else {
                    world.meet(Met::WriteLate);
                    world.say(|_| "  no answer; it will be written a little later".to_owned());
                    let due = world.now + world.rng.between(1, 8_000);
                    let effect = move |world: &mut World| {
                        world.say(|_| format!("the late {call:?} gets to DynamoDB"));
                        let _ = effect(world);
                    };
                    world.later.push((due, Later::Do(Box::new(effect))));
                }
                Err(aws("write a row"))
            } else if world.hit(|weather| weather.row_written_twice) {
                world.meet(Met::WriteTwice);
                let _ = effect.clone()(&mut world);
                world.say(|_| "  written again by the AWS client".to_owned());
                Ok(effect(&mut world))
            } else {
                Ok(effect(&mut world))
            }
        };
        self.after(call).await;
        answer
    }
}

impl Surroundings for Handle {
    async fn now(&self) -> Timestamp {
        self.step(Call::Clock, Moment::Before, Some(0)).await;
        let mut world = self.world();
        let clock = world.clock();
        let task = world.task();
        task.clock_read = clock;
        task.refused = None;
        at(clock)
    }

    async fn pause(&self, time: Duration) {
        if time == Duration::from_millis(250) {
            self.world().check_wait();
        }
        self.sleep(i64::try_from(time.as_millis()).unwrap_or(i64::MAX)).await;
    }

    async fn connection(&self, row: &str) -> Result<Option<Connection>> {
        self.before(Call::Read).await;
        let answer = {
            let mut world = self.world();
            if world.hit(|weather| weather.row_read_fails) {
                world.row_unread = true;
                Err(aws("read a row"))
            } else {
                let row = world.row_of(row).clone();
                if let Some(row) = &row {
                    world.note_seen(row);
                }
                let asked_for = world.task().asked_for.clone();
                let refused = world.task().refused.is_some();
                Ok(row.map(|row| match asked_for {
                    Some(version_id) if refused && row.version_id != version_id => {
                        world.meet(Met::RefusedButNewer);
                        match world.broken {
                            Some(Broken::EndsWithoutLooking) => Connection { version_id, ..row },
                            _ => row,
                        }
                    }
                    _ => row,
                }))
            }
        };
        self.after(Call::Read).await;
        answer
    }

    async fn take_lease(&self, seen: &Connection, now: Timestamp) -> Result<LeaseAsked> {
        let (owner, promised, task) = {
            let mut world = self.world();
            (world.name("owner"), world.name("version"), world.current)
        };
        let seen = seen.clone();
        self.write(Call::Take, move |world| world.take(&seen, &owner, &promised, now, task)).await
    }

    async fn point_at(&self, lease: &Lease, version: &str, expiries: Expiries) -> Result<bool> {
        let (lease, version) = (lease.clone(), version.to_owned());
        self.write(Call::PointAt, move |world| world.point_at(&lease, &version, expiries)).await
    }

    async fn give_back(&self, lease: &Lease, outcome: &GivenBack<'_>) -> Result<bool> {
        let (lease, mut outcome) = (lease.clone(), Owned::of(outcome));
        let extends = matches!(&outcome, Owned::Kept { until, .. } if *until > lease.until);
        if extends && self.world().hit(|weather| weather.extension_fails) {
            self.before(Call::GiveBack).await;
            return Err(aws("extend a lease"));
        }
        let by = {
            let mut world = self.world();
            if let (Some(Broken::IgnoresTheRest), Owned::Kept { until, .. }) =
                (world.broken, &mut outcome)
            {
                *until -= NEVER_MIND;
            }
            let (clock, refused) = (world.clock(), world.task().refused);
            Giver { now: at(clock), ahead: clock - world.now, refused, process: self.process }
        };
        self.write(Call::GiveBack, move |world| world.give_back(&lease, &outcome, by)).await
    }

    async fn stored(&self, secret: &str, version: &str) -> Result<Option<TokenSet>> {
        self.before(Call::Stored).await;
        let mut world = self.world();
        if world.hit(|weather| weather.secret_read_fails) {
            return Err(aws("read the tokens"));
        }
        let (now, process, refused) = (world.now, self.process, world.task().refused);
        let broken = world.broken;
        let Some(secret) = world.secret(secret) else { return Ok(None) };
        let found = match broken {
            Some(Broken::ReadersTakeTheNewest) => secret.versions.last(),
            _ => secret.versions.iter().find(|known| known.id == version),
        };
        let Some(found) = found else { return Ok(None) };
        if found.visible > now && found.writer != process {
            world.meet(Met::StaleRead);
            return Ok(None);
        }
        let tokens = found.tokens.clone();
        if let Some(at) = refused {
            if broken == Some(Broken::EndsWithoutLooking) {
                return Ok(None);
            }
            if at <= now {
                world.meet(Met::AdoptedAfterRefusal);
            }
        }
        Ok(Some(tokens))
    }

    async fn store(&self, secret: &str, version: &str, _: u64, tokens: &TokenSet) -> Result<()> {
        self.before(Call::Store).await;
        let answer = self.world().put(self.process, secret, version, tokens);
        self.after(Call::Store).await;
        if answer.is_ok() {
            self.world().acknowledged(tokens);
        }
        answer
    }

    async fn app(
        &self,
        connection: &Connection,
    ) -> std::result::Result<AppCredentials, OAuthError> {
        self.before(Call::App).await;
        let mut world = self.world();
        if world.hit(|weather| weather.secret_read_fails) {
            return Err(OAuthError::NotSent { reason: "no credentials".to_owned() });
        }
        // Handed on to the sending, which is not told whose refresh it is.
        let client_id = connection.id.clone();
        world.task().asked_for = Some(connection.version_id.clone());
        Ok(AppCredentials { client_id, client_secret: String::new().into() })
    }

    async fn ask_intuit(
        &self,
        app: &AppCredentials,
        current: &TokenSet,
    ) -> std::result::Result<TokenGrant, OAuthError> {
        // To connect takes 3 s at most.
        let connects = self.world().rng.pick(&[0, 0, 10, 3_000]);
        self.step(Call::Send, Moment::Before, Some(connects)).await;
        let (number, wait) = self.world().send(self.process, &app.client_id, current);
        self.step(Call::Wait, Moment::Before, Some(wait)).await;
        self.world().hear(number)
    }

    async fn discard(&self, connection: &Connection, tokens: &TokenSet) {
        self.before(Call::Discard).await;
        self.world().discard(connection, tokens);
        self.after(Call::Discard).await;
    }

    async fn note(&self, _: &Connection, outcome: Outcome<'_>) {
        self.before(Call::Note).await;
        let mut world = self.world();
        world.say(|_| format!("  noted: {outcome:?}"));
        match outcome {
            Outcome::Refreshed => world.meet(Met::Refreshed),
            Outcome::Adopted => world.meet(Met::Adopted),
            _ => {}
        }
    }
}

/// Who gives a lease back.
#[derive(Clone, Copy)]
struct Giver {
    /// By its own clock, which is ahead by so much.
    now: Timestamp,
    ahead: i64,
    /// When it read `invalid_grant`.
    refused: Option<i64>,
    process: usize,
}

/// [`GivenBack`], to be written later.
#[derive(Clone, Debug)]
enum Owned {
    Unused,
    Failed { reason: String, after: Timestamp },
    Kept { reason: String, until: Timestamp },
    RefusedForGood { reason: String },
}

impl Owned {
    fn of(outcome: &GivenBack<'_>) -> Self {
        match *outcome {
            GivenBack::Unused => Self::Unused,
            GivenBack::Failed { reason, after } => {
                Self::Failed { reason: reason.to_owned(), after }
            }
            GivenBack::Kept { reason, until } => Self::Kept { reason: reason.to_owned(), until },
            GivenBack::RefusedForGood { reason } => {
                Self::RefusedForGood { reason: reason.to_owned() }
            }
        }
    }

    fn borrowed(&self) -> GivenBack<'_> {
        match self {
            Self::Unused => GivenBack::Unused,
            Self::Failed { reason, after } => GivenBack::Failed { reason, after: *after },
            Self::Kept { reason, until } => GivenBack::Kept { reason, until: *until },
            Self::RefusedForGood { reason } => GivenBack::RefusedForGood { reason },
        }
    }
}

/// The effects on the rows.
impl World {
    fn take(
        &mut self,
        seen: &Connection,
        owner: &str,
        promised: &str,
        now: Timestamp,
        task: usize,
    ) -> LeaseAsked {
        let company = company_of(&seen.id);
        let before = self.rows[company].clone();
        let quiet = before.as_ref().and_then(|row| row.refresh_after);
        let quiet = quiet.is_some_and(|after| after > now.as_millisecond());
        let mut answer = match (self.broken, &before) {
            (Some(Broken::PutBeforeTheLease), Some(row)) if !quiet => {
                LeaseAsked::Taken(Box::new(Lease::taken(row.clone(), owner, promised, now)))
            }
            (Some(Broken::TakenUnseen), Some(row))
                if !quiet
                    && row.connection_id == seen.connection_id
                    && row.status == seen.status
                    && row.refresh_until.is_none_or(|at| at <= now.as_millisecond()) =>
            {
                let lease = Lease::taken(seen.clone(), owner, promised, now);
                if let Some(row) = self.rows[company].as_mut() {
                    rows::write_lease(row, &lease);
                }
                LeaseAsked::Taken(Box::new(lease))
            }
            _ => rows::take(&mut self.rows[company], seen, owner, promised, now),
        };
        if let LeaseAsked::Taken(lease) = &mut answer {
            let own =
                before.as_ref().is_some_and(|row| row.refresh_owner.as_deref() == Some(owner));
            if own {
                self.meet(Met::OwnLeaseKnown);
            } else {
                self.check_taken(company);
                if before.is_some_and(|row| row.refresh_owner.is_some()) {
                    self.meet(Met::LeaseTakenOver);
                }
            }
            let row = self.rows[company].as_mut();
            match (self.broken, row) {
                (Some(Broken::NoPromise), Some(row)) => {
                    row.promised_version = None;
                    row.unresolved_versions.clear();
                    lease.unresolved.clear();
                }
                (Some(Broken::ShortLease), Some(row)) => {
                    row.refresh_until = Some(now.as_millisecond() + 30_000);
                }
                (Some(Broken::IgnoresTheRest), _) => lease.until += NEVER_MIND,
                _ => {}
            }
            let clock = self.processes[self.tasks[task].process].clock;
            self.tasks[task].lease_until = since_epoch(now) + LEASE_MS - clock;
            self.tasks[task].refused = None;
            self.changed = true;
        } else if matches!(answer, LeaseAsked::CoolingDown) {
            self.meet(Met::CoolingDown);
        }
        self.say(|_| match &answer {
            LeaseAsked::Taken(lease) => format!(
                "  lease of {} taken: fence {}, promised {}, unresolved {:?}",
                lease.connection.connection_id, lease.fence, lease.promised, lease.unresolved
            ),
            other => format!("  lease refused: {other:?}"),
        });
        answer
    }

    fn fenced(&mut self, lease: &Lease) -> bool {
        let broken = self.broken;
        let row = self.row_of(&lease.connection.id).as_ref();
        let holds = row.is_some_and(|row| match broken {
            Some(Broken::NoFence) => row.connection_id == lease.connection.connection_id,
            Some(Broken::PutBeforeTheLease) => {
                row.connection_id == lease.connection.connection_id
                    && row.version_id == lease.connection.version_id
            }
            _ => rows::holds(row, lease),
        });
        if !holds {
            self.meet(Met::FenceHeld);
            self.say(|_| "  the fence holds it off".to_owned());
        }
        holds
    }

    fn point_at(&mut self, lease: &Lease, version: &str, expiries: Expiries) -> bool {
        if !self.fenced(lease) {
            return false;
        }
        let row = self.row_of(&lease.connection.id);
        let Some(row) = row else { return false };
        let over = row.status == platform::connections::ConnectionStatus::Disconnected;
        rows::point_at(row, lease, version, expiries);
        if over {
            self.violate(Violation::WrittenAfterDisconnect, version.to_owned());
        }
        self.changed = true;
        self.say(|_| format!("  {} points at {version}", lease.connection.connection_id));
        true
    }

    fn give_back(&mut self, lease: &Lease, outcome: &Owned, by: Giver) -> bool {
        let anybodys = self.broken == Some(Broken::ReleaseWithoutOwner);
        if !anybodys && !self.fenced(lease) {
            return false;
        }
        let (broken, company) = (self.broken, company_of(&lease.connection.id));
        let Some(row) = self.rows[company].as_mut() else { return false };
        if row.connection_id != lease.connection.connection_id {
            return false;
        }
        let unwritten = row.clone();
        let given = match (broken, outcome) {
            (Some(Broken::AsksAgainAtOnce), Owned::Kept { until, .. }) if *until <= lease.until => {
                &Owned::Unused
            }
            _ => outcome,
        };
        rows::give_back(row, lease, &given.borrowed(), by.now);
        match (broken, outcome) {
            (Some(Broken::NoCoolDown), Owned::Failed { .. }) => row.refresh_after = None,
            (Some(Broken::ForgetsPromises), Owned::Failed { .. }) => {
                row.unresolved_versions.clear();
            }
            _ => {}
        }
        match outcome {
            Owned::Unused => self.meet(Met::HeldUp),
            Owned::Failed { after, .. } => {
                self.quiet_until[company] = since_epoch(*after) - by.ahead;
            }
            Owned::Kept { until, .. } if *until > lease.until => {
                self.held(lease, by.process, since_epoch(*until) - by.ahead);
            }
            Owned::Kept { .. } => self.meet(Met::LeaseKept),
            Owned::RefusedForGood { .. } => self.check_end(&unwritten, by.refused),
        }
        self.changed = true;
        self.say(|_| format!("  lease given back: {given:?}"));
        true
    }
}

/// The effects on secrets and at Intuit.
impl World {
    /// A process that has an answer which it could not store has extended its lease.
    fn held(&mut self, lease: &Lease, by: usize, end: i64) {
        self.meet(Met::AnswerHeld);
        let Self { grants, chains, .. } = self;
        for grant in grants {
            if let GrantState::Read { process, until, .. } = &mut grant.state
                && *process == by
                && chains[grant.chain].connection == lease.connection.connection_id
            {
                *until = end.max(*until);
            }
        }
    }

    fn put(
        &mut self,
        process: usize,
        secret: &str,
        version: &str,
        tokens: &TokenSet,
    ) -> Result<()> {
        let out = self.weather.put_outage.is_some_and(|(from, to)| (from..to).contains(&self.now));
        if out || self.hit(|weather| weather.put_fails) {
            self.meet(Met::PutFailed);
            self.say(|_| "  Secrets Manager does not answer, and has not stored".to_owned());
            return Err(aws("store the tokens"));
        }
        if self.secret(secret).is_none() {
            self.meet(Met::PutAfterDestroy);
            self.say(|_| "  there is no such secret".to_owned());
            return Err(aws("store the tokens"));
        }
        let (secret, version, tokens) = (secret.to_owned(), version.to_owned(), tokens.clone());
        if !self.hit(|weather| weather.put_answer_lost) {
            self.put_now(process, &secret, version, &tokens);
            return Ok(());
        }
        if self.rng.chance(500) {
            self.meet(Met::PutLost);
            self.say(|_| "  stored, and the answer lost".to_owned());
            self.put_now(process, &secret, version, &tokens);
        } else {
            self.meet(Met::PutLate);
            self.say(|_| "  no answer; it will be stored a little later".to_owned());
            let due = self.now + self.rng.between(1, 15_000);
            let late = move |world: &mut Self| world.put_now(process, &secret, version, &tokens);
            self.later.push((due, Later::Do(Box::new(late))));
        }
        Err(aws("store the tokens"))
    }

    fn put_now(&mut self, process: usize, secret: &str, version: String, tokens: &TokenSet) {
        let stale = if self.hit(|weather| weather.stale) { self.rng.between(1, 10_000) } else { 0 };
        let (now, grant) = (self.now, Self::grant_of(tokens));
        let chain = Self::value_of(tokens).0;
        let Some(secret) = self.secret(secret) else { return };
        if secret.chain != chain {
            let story = format!("a token of chain {chain} into {}", secret.name);
            return self.violate(Violation::OthersToken, story);
        }
        match secret.versions.iter().find(|known| known.id == version) {
            Some(known) if known.grant != grant => {
                self.violate(Violation::TwoSetsOneVersion, version);
            }
            Some(_) => self.meet(Met::PutRepeated),
            None => {
                let tokens = tokens.clone();
                let visible = now + stale;
                self.say(|_| format!("  {version} is stored (grant {grant})"));
                let new = Version { id: version, tokens, grant, writer: process, visible };
                let name = secret_name(chain, self);
                if let Some(secret) = self.secret(&name) {
                    secret.versions.push(new);
                }
            }
        }
        self.changed = true;
    }

    /// A process has read that its put was done.
    fn acknowledged(&mut self, tokens: &TokenSet) {
        let (now, errand) = (self.now, self.task().errand);
        let grant = &mut self.grants[Self::grant_of(tokens)];
        if let GrantState::Read { until, errand: its, .. } = grant.state {
            grant.state = GrantState::Stored { in_time: now + RESERVE < until };
            if its != errand {
                self.meet(Met::UnsavedSaved);
            }
        }
        self.changed = true;
    }

    /// Sends a refresh. Answers its number, and when its sender hears of it or gives up.
    fn send(&mut self, process: usize, row: &str, current: &TokenSet) -> (usize, i64) {
        let (chain, value) = Self::value_of(current);
        let plan = if self.hit(|weather| weather.intuit) {
            Plan::troubled(&mut self.rng)
        } else {
            Plan::prompt(&mut self.rng)
        };
        if plan.answer != Answer::NotSent {
            self.asks += 1;
            self.check_send(process, row, chain, value);
        }
        let number = self.requests.len();
        self.say(|_| {
            format!("  request {number} to Intuit: chain {chain}, value {value}, {plan:?}")
        });
        let (granted, done, abandoned) = (None, false, false);
        let request = Request { chain, value, process, plan, granted, done, abandoned };
        self.requests.push(request);
        if let Some(handled) = plan.handled {
            self.later.push((self.now + handled, Later::Handle(number)));
        }
        let gives_up = self.processes[process].gives_up;
        let heard = plan.heard.filter(|heard| *heard < gives_up);
        (number, heard.unwrap_or(gives_up))
    }

    fn hear(&mut self, number: usize) -> std::result::Result<TokenGrant, OAuthError> {
        let Request { plan, granted, done, process, .. } = self.requests[number].clone();
        let task = self.current;
        let heard = plan.heard.is_some_and(|at| at < self.processes[process].gives_up);
        let answer = match (heard, plan.answer, granted) {
            (true, Answer::Result, Some(grant)) => {
                let (until, errand) = (self.tasks[task].lease_until, self.tasks[task].errand);
                if until < self.now {
                    self.meet(Met::AnswerLate);
                }
                let tokens = self.tokens(grant, self.now);
                self.grants[grant].state = GrantState::Read { process, until, errand };
                self.say(|_| format!("  grant {grant} read"));
                return Ok(TokenGrant {
                    access_token: tokens.access,
                    refresh_token: tokens.refresh,
                    expires_in: u64::try_from(HOUR / 1_000).unwrap_or_default(),
                    refresh_expires_in: 100 * 86_400,
                    refresh_hard_expires_in: None,
                });
            }
            (true, Answer::Result, None) if done => {
                self.tasks[task].refused = Some(self.now);
                Err(OAuthError::InvalidGrant { description: None })
            }
            (true, Answer::Status(status), _) => Err(OAuthError::Unavailable { status }),
            (true, Answer::InvalidClient, _) => Err(OAuthError::InvalidClient),
            (true, Answer::Refused, _) => {
                Err(OAuthError::Refused { status: 400, error: "invalid_request".to_owned() })
            }
            (true, Answer::NotSent, _) => {
                Err(OAuthError::NotSent { reason: "no connection".to_owned() })
            }
            _ => Err(OAuthError::Unanswered { reason: "no answer".to_owned() }),
        };
        self.requests[number].abandoned = true;
        if let Some(grant) = granted {
            self.meet(Met::AnswerLost);
            self.grants[grant].state = GrantState::Lost;
            if self.grants[grant].rotated {
                self.meet(Met::NewValueLost);
            }
        }
        self.say(|_| format!("  heard of request {number}: {:?}", answer.as_ref().err()));
        answer
    }

    /// Takes tokens back at Intuit, as `platform::give_back` does: not where the realm is live.
    fn discard(&mut self, connection: &Connection, tokens: &TokenSet) {
        let (chain, value) = Self::value_of(tokens);
        let row = self.row_of(&connection.id).clone();
        let live =
            row.filter(|row| row.status == platform::connections::ConnectionStatus::Connected);
        if live.as_ref().is_some_and(|row| row.connection_id == connection.connection_id) {
            self.violate(Violation::LiveGivenBack, connection.connection_id.clone());
        }
        if live.is_none() && self.chains[chain].honours(value, self.now) {
            self.chains[chain].revoked = true;
        }
        self.grants[Self::grant_of(tokens)].state = GrantState::Discarded;
        self.meet(Met::Discarded);
        self.say(|_| "  given back".to_owned());
    }
}

/// The name of the secret that a chain's tokens belong in.
fn secret_name(chain: usize, world: &World) -> String {
    let of_chain = world.secrets.iter().find(|secret| secret.chain == chain);
    of_chain.map(|secret| secret.name.clone()).unwrap_or_default()
}

impl Kind {
    /// How long Lambda lets it live.
    pub(crate) fn life(self) -> Option<i64> {
        match self {
            Self::Http => Some(29_000),
            Self::Worker => Some(180_000),
            Self::Outliving => None,
        }
    }
}
