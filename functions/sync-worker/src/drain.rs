//! One slice: take the lease, settle what is open, do what is due in lane order, give the lease back.
//!
//! A slice ends after [`SLICE`], so that no backlog holds a place for long. Between groups the urgent
//! lane is looked at whenever work was added. A slice that was rung for by the urgent queue does the
//! urgent lane only, since its places are few.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use domain::ids::{CompanyId, RealmId, TimecardId};
use domain::work::Lane;
use jiff::{SignedDuration, Timestamp};
use platform::Result;
use platform::access::QuickBooks;
use platform::companies::{Acquired, CompanyState, Lease, Released};
use platform::documents::Versioned;
use platform::journal::Entry;
use platform::keys::Task;
use platform::records::{Names, TimecardRecord};
use platform::telemetry::{self, Unit};
use platform::work::WorkItem;
use quickbooks::Pacer;
use uuid::Uuid;

use crate::Worker;
use crate::keeper::Keeper;

/// How long a slice goes on starting new work.
pub const SLICE: Duration = Duration::from_secs(75);
/// A company without access that is not paused (its environment is not ours) is looked at this often.
const NO_ACCESS: SignedDuration = SignedDuration::from_mins(15);
/// Work items read at once: as many as one batch read of their records takes.
const PAGE: i32 = 100;

/// How a slice ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Slice {
    /// Nothing is due; the company row says when something will be.
    Drained,
    /// Time is up, other lanes wait, or the company was switched: ring again. Whoever switched it did not
    /// ring, since the lease was held.
    MoreToDo,
    /// Another worker drains the company; it was told to look again.
    Held,
    /// The company is paused.
    NotRunning,
    /// The lease was taken over.
    Stopped,
    /// AWS did not do what was asked; it goes on in a minute.
    Failed,
    /// There is no access to QuickBooks until a person does something. Nothing was touched.
    NoAccess,
}

/// What a slice knows of its company.
pub struct Drain<'a> {
    /// The function.
    pub worker: &'a Worker,
    /// Whose work.
    pub company: CompanyId,
    /// The QuickBooks company that it is connected to: nothing is sent to another one, and no id of
    /// another one is used.
    pub realm: RealmId,
    /// Access to that one.
    pub quickbooks: QuickBooks,
    /// What runs, as of the start.
    pub state: CompanyState,
    /// The lease.
    pub keeper: Keeper,
    /// The pace.
    pub pacer: Pacer,
    /// The mapping in force.
    pub mapping: Versioned<domain::mapping::Mapping>,
    /// The settings in force.
    pub settings: Versioned<domain::settings::Settings>,
    /// Names read so far.
    pub names: tokio::sync::Mutex<Names>,
    /// Records with a send whose outcome is not known: they wait for it.
    pub unsettled: HashSet<String>,
    /// Those of them that were given up: settled again only when somebody asks for the record.
    pub parked: HashSet<String>,
    /// When the next item is due, of those seen that are not due yet.
    pub next_due: Option<Timestamp>,
    /// The urgent lane is being done.
    in_urgent: bool,
    until: Instant,
}

/// Drains a slice of a company's work.
pub async fn slice(worker: &Worker, company: &CompanyId, rung: Lane) -> Result<Slice> {
    let now = worker.clock.now().await;
    let owner = Uuid::new_v4().to_string();
    let lease = match worker.companies.acquire(company, &owner, now).await? {
        Acquired::Yes(lease) => lease,
        Acquired::Held => return Ok(Slice::Held),
        Acquired::NotRunning => return Ok(Slice::NotRunning),
    };
    let Some(realm) = worker.quickbooks.realm(company).await? else {
        worker.companies.release(&lease, Some(now + NO_ACCESS), true).await?;
        return Ok(Slice::NoAccess);
    };
    let taken_over = lease.taken_over;
    let mut drain = Drain {
        worker,
        company: company.clone(),
        quickbooks: worker.quickbooks.only(realm.clone()),
        realm,
        state: lease.state,
        keeper: Keeper::start(lease, worker.companies.clone(), worker.clock.clone()),
        pacer: Pacer::new(worker.pace_scale),
        mapping: worker.mappings.current(company).await?,
        settings: worker.settings.current(company).await?,
        names: tokio::sync::Mutex::default(),
        unsettled: HashSet::new(),
        parked: HashSet::new(),
        next_due: None,
        in_urgent: false,
        until: Instant::now() + SLICE,
    };
    if taken_over {
        drain.count_crash().await?;
    }
    match drain.run(rung).await {
        Ok(slice) => Ok(slice),
        Err(error) => drain.give_up(error).await,
    }
}

impl Drain<'_> {
    async fn run(&mut self, rung: Lane) -> Result<Slice> {
        loop {
            self.keeper.begin_pass().await;
            self.next_due = None;
            self.settle().await?;
            let lanes: &[Lane] = if rung == Lane::Urgent { &[Lane::Urgent] } else { &Lane::ALL };
            for lane in lanes {
                if !self.lane(*lane).await? {
                    return self.stop_early().await;
                }
            }
            if rung == Lane::Urgent && self.others_wait().await? {
                return self.stop_early().await;
            }
            if self.keeper.must_stop(self.state) {
                return self.stop_early().await;
            }
            let now = self.worker.clock.now().await;
            if self.next_due.is_some_and(|due| due <= now) {
                if self.time_is_up() {
                    return self.stop_early().await;
                }
                continue;
            }
            match self.worker.companies.release(&self.began(), self.next_due, false).await? {
                Released::Yes => return Ok(Slice::Drained),
                Released::Again if self.time_is_up() => return self.stop_early().await,
                Released::Again => {}
                Released::StateChanged => return Ok(Slice::MoreToDo),
                Released::Lost => return Ok(Slice::Stopped),
            }
        }
    }

    /// Does what is due in a lane. Answers false when the slice must end before the lane does.
    async fn lane(&mut self, lane: Lane) -> Result<bool> {
        self.in_urgent = lane == Lane::Urgent;
        for prefix in self.prefixes(lane) {
            let mut after = None;
            loop {
                let (items, next) =
                    self.worker.work.page(&self.company, &prefix, after, PAGE).await?;
                if !self.items(items).await? {
                    return Ok(false);
                }
                self.look_at_urgent().await?;
                match next {
                    Some(key) => after = Some(key),
                    None => break,
                }
            }
        }
        Ok(true)
    }

    /// While live sync is off, only reading runs.
    fn prefixes(&self, lane: Lane) -> Vec<String> {
        match self.state {
            CompanyState::Live => vec![format!("{lane}#")],
            CompanyState::Inward => vec![format!("{lane}#import#"), format!("{lane}#plan#")],
            CompanyState::Paused => Vec::new(),
        }
    }

    /// A look at the urgent lane in the middle of another one, if work was added since the pass began.
    pub async fn look_at_urgent(&mut self) -> Result<()> {
        if self.in_urgent || !self.keeper.again() {
            return Ok(());
        }
        self.in_urgent = true;
        let looked = self.urgent().await;
        self.in_urgent = false;
        looked
    }

    async fn urgent(&mut self) -> Result<()> {
        for prefix in self.prefixes(Lane::Urgent) {
            let (items, _) = self.worker.work.page(&self.company, &prefix, None, PAGE).await?;
            Box::pin(self.items(items)).await?;
        }
        Ok(())
    }

    /// Does the due ones of these items. Answers false when the slice must end.
    async fn items(&mut self, items: Vec<WorkItem>) -> Result<bool> {
        let now = self.worker.clock.now().await;
        let (due, later): (Vec<_>, Vec<_>) = items.into_iter().partition(|item| item.due <= now);
        for item in later {
            self.due_at(item.due);
        }
        let mut timecards = Vec::new();
        for item in due {
            if self.stopping() {
                return Ok(false);
            }
            match item.task.clone() {
                Task::Timecard(id) => timecards.push((id, item)),
                Task::Import(entity) => self.import(item, entity).await?,
                Task::CatchUp => self.catch_up(item).await?,
                Task::Plan(job) => self.plan(item, job).await?,
            }
        }
        if timecards.is_empty() {
            return Ok(!self.stopping());
        }
        self.push(timecards).await
    }

    /// Reads timecards as they stand in the QuickBooks company that is connected.
    pub async fn timecards(
        &self,
        ids: &[TimecardId],
    ) -> Result<HashMap<TimecardId, TimecardRecord>> {
        let records = self.worker.records.timecards(&self.company, ids).await?;
        Ok(records.into_iter().map(|(id, record)| (id, record.seen_from(&self.realm))).collect())
    }

    /// Remembers that a record waits for its send to be settled.
    pub fn waits(&mut self, entry: &Entry) {
        self.unsettled.insert(entry.record.clone());
        if entry.parked {
            self.parked.insert(entry.record.clone());
        } else if let Some(at) = entry.resend_at.and_then(|at| Timestamp::from_millisecond(at).ok())
        {
            self.due_at(at);
        }
    }

    /// Remembers when something is due.
    pub fn due_at(&mut self, at: Timestamp) {
        self.next_due = Some(self.next_due.map_or(at, |due| due.min(at)));
    }

    /// Whether no new group may start.
    pub fn stopping(&self) -> bool {
        self.time_is_up() || self.keeper.must_stop(self.state)
    }

    fn time_is_up(&self) -> bool {
        Instant::now() >= self.until
    }

    async fn others_wait(&self) -> Result<bool> {
        for lane in [Lane::Normal, Lane::Background] {
            for prefix in self.prefixes(lane) {
                if !self.worker.work.page(&self.company, &prefix, None, 1).await?.0.is_empty() {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Ends a slice in which AWS did not do what was asked. The lease is given back, since this is no
    /// crash; the sweep rings in a minute. If not even that works, the ring comes again by redelivery.
    async fn give_up(&self, error: platform::Error) -> Result<Slice> {
        let now = self.worker.clock.now().await;
        tracing::error!(company = %self.company, %error, "a slice failed; it goes on in a minute");
        telemetry::metric("SliceFailures", 1.0, Unit::Count, now);
        let due = now + SignedDuration::from_mins(1);
        match self.worker.companies.release(&self.began(), Some(due), true).await {
            Ok(_) => Ok(Slice::Failed),
            Err(_) => Err(error),
        }
    }

    /// The lease with what ran at the start: whoever gives it back does not say when work is due if the
    /// company was switched since. The switch said so, and a paused company has nothing due.
    fn began(&self) -> Lease {
        Lease { state: self.state, ..self.keeper.lease() }
    }

    /// Ends the slice with work left: due at once, so that the sweep rings if our own ring is lost.
    async fn stop_early(&self) -> Result<Slice> {
        let now = self.worker.clock.now().await;
        let companies = &self.worker.companies;
        if self.keeper.no_access() {
            let released = companies.release(&self.began(), Some(now + NO_ACCESS), false).await?;
            match released {
                Released::Yes => return Ok(Slice::NoAccess),
                Released::Lost => return Ok(Slice::Stopped),
                // Work was added, or the company was switched, which happens when it is connected again.
                Released::Again | Released::StateChanged => {}
            }
        }
        // If the company is paused by now, the ring finds that out.
        Ok(match companies.release(&self.began(), Some(now), true).await? {
            Released::Yes | Released::Again | Released::StateChanged => Slice::MoreToDo,
            Released::Lost => Slice::Stopped,
        })
    }
}
