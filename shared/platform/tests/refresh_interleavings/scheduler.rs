//! One schedule: who takes the next step, when time passes, who dies where. All from the seed.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};

use platform::refresh::Refresher;
use quickbooks::Environment;

use crate::coverage::Met;
use crate::errands::{self, Errand};
use crate::invariants::Violation;
use crate::surroundings::Handle;
use crate::variants::Broken;
use crate::weather::Weather;
use crate::world::{COMPANIES, Call, Kind, LEASE_MS, Later, Moment, Process, Task, World};

/// More steps than this within one errand get nowhere.
const STEPS: u32 = 20_000;
/// An errand takes at most this: the caller's patience, and two refreshes of its own that are as slow as
/// the weather can make them.
const ERRAND: i64 = 1_500_000;
/// A schedule begins no new process after this.
const LAST_BEGIN: i64 = 900_000;

type Running = Pin<Box<dyn Future<Output = ()>>>;

/// What a schedule came to.
pub(crate) struct Ended {
    pub violation: Option<(Violation, String)>,
    pub met: u64,
    pub steps: u64,
    pub asks: u64,
    pub trace: Vec<String>,
}

struct Schedule {
    world: Arc<Mutex<World>>,
    /// A dropped future is a dead process'.
    running: Vec<Option<Running>>,
    /// What each process of callers remembers from call to call.
    refreshers: Vec<(usize, Refresher<Handle>)>,
    steps: u64,
    replacements: u32,
}

/// Runs the schedule of a seed to its end, or to its first violation.
pub(crate) fn run(seed: u64, broken: Option<Broken>, traced: bool) -> Ended {
    let world = Arc::new(Mutex::new(World::new(seed, broken, traced)));
    let mut schedule =
        Schedule { world, running: Vec::new(), refreshers: Vec::new(), steps: 0, replacements: 0 };
    schedule.begin();
    schedule.go();
    schedule.finish();
    let mut world = schedule.world.lock().unwrap();
    Ended {
        violation: world.violation.take(),
        met: world.met,
        steps: schedule.steps,
        asks: world.asks,
        trace: world.trace.take().unwrap_or_default(),
    }
}

impl Schedule {
    fn with<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        change(&mut self.world.lock().unwrap())
    }

    /// Two to five refreshers, and perhaps somebody who disconnects or connects again.
    fn begin(&mut self) {
        let mut callers = self.with(|world| {
            let weather = format!("{:?}", world.weather);
            world.say(|_| weather);
            world.rng.between(2, 5)
        });
        while callers > 0 {
            let begins = self.with(|world| {
                // Many at once; some when the first leases run out.
                let (from, to) = world.rng.pick(&[
                    (0, 0),
                    (0, 0),
                    (0, 1_000),
                    (0, 30_000),
                    (0, 400_000),
                    (LEASE_MS - 15_000, LEASE_MS + 10_000),
                ]);
                world.rng.between(from, to)
            });
            // Some processes serve one call after the other, some two at a time.
            let errands = self.with(|world| world.rng.between(1, 2)).min(callers);
            let together = self.with(|world| world.rng.chance(300));
            callers -= errands;
            self.process(begins, usize::try_from(errands).unwrap_or(1), together);
        }
        let others = self.with(|world| {
            let mut others = Vec::new();
            for errand in [Errand::Disconnect, Errand::Reconnect] {
                if world.rng.chance(200) {
                    let latest = world.rng.pick(&[100, 2_000, 60_000, 400_000]);
                    others.push((errand, world.rng.between(0, latest)));
                }
            }
            others
        });
        for (errand, begins) in others {
            let process = self.add_process(Kind::Outliving);
            let handle = Handle::new(&self.world, process);
            self.spawn(process, begins, Box::pin(errands::other(handle, errand, begins)));
        }
    }

    fn process(&mut self, begins: i64, errands: usize, together: bool) {
        let kind = self.with(|world| {
            if world.weather.outliving {
                Kind::Outliving
            } else {
                world.rng.pick(&[Kind::Http, Kind::Worker, Kind::Worker])
            }
        });
        let process = self.add_process(kind);
        let handle = Handle::new(&self.world, process);
        let refresher = Refresher::new(handle.clone(), Environment::Sandbox);
        self.refreshers.push((process, refresher.clone()));
        if together {
            for _ in 0..errands {
                let future = errands::callers(handle.clone(), refresher.clone(), 1, begins);
                self.spawn(process, begins, Box::pin(future));
            }
        } else {
            let future = errands::callers(handle, refresher, errands, begins);
            self.spawn(process, begins, Box::pin(future));
        }
    }

    fn add_process(&mut self, kind: Kind) -> usize {
        self.with(|world| {
            let apart = if world.weather.clocks_apart { 5_000 } else { 0 };
            let clock = world.rng.between(-apart, apart);
            let patient = kind == Kind::Outliving && world.rng.chance(500);
            let gives_up = if patient { 250_000 } else { 30_000 };
            world.processes.push(Process { kind, dead: false, clock, gives_up });
            world.processes.len() - 1
        })
    }

    fn spawn(&mut self, process: usize, begins: i64, future: Running) {
        self.with(|world| {
            world.tasks.push(Task {
                process,
                wake: world.now.max(begins),
                done: false,
                at: (Call::Other, Moment::Before),
                steps: 0,
                errand: 0,
                began: begins,
                must_refresh: false,
                clock_read: 0,
                left_seen: None,
                lease_until: 0,
                refused: None,
                asked_for: None,
            });
        });
        self.running.push(Some(future));
    }

    /// Steps until nobody has anything to do, and nothing is under way any more.
    fn go(&mut self) {
        loop {
            let task = match self.with(next) {
                Next::Goes(task) => task,
                Next::TimePasses => continue,
                Next::Over => return,
            };
            if self.with(|world| dies(world, task)) {
                self.bury();
                continue;
            }
            self.step(task);
            if self.with(|world| world.violation.is_some()) {
                return;
            }
        }
    }

    fn step(&mut self, task: usize) {
        self.steps += 1;
        self.with(|world| {
            world.current = task;
            let Task { process, at, errand, .. } = world.tasks[task];
            world.say(|_| format!("process {process}, errand {errand}: {at:?}"));
        });
        let Some(future) = &mut self.running[task] else { return };
        let ready = future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
        if ready {
            self.running[task] = None;
        }
        self.with(|world| {
            if ready {
                world.tasks[task].done = true;
                world.tasks[task].wake = i64::MAX;
            }
            world.tasks[task].steps += 1;
            let now = world.now;
            let errand = &world.tasks[task];
            if !ready && (errand.steps > STEPS || now - errand.began > ERRAND) {
                world.violate(Violation::NoProgress, "an errand takes too long");
            }
            if world.changed {
                world.changed = false;
                world.check_rows();
            }
        });
    }

    /// Drops the futures of dead processes; somebody else may come in their place.
    fn bury(&mut self) {
        for task in 0..self.running.len() {
            if self.running[task].is_some() && self.with(|world| world.tasks[task].done) {
                self.running[task] = None;
            }
        }
        let comes = self.with(|world| {
            let comes = world.now < LAST_BEGIN && world.rng.chance(500);
            let latest = world.rng.pick(&[0, 5_000, 300_000]);
            comes.then(|| world.now + world.rng.between(0, latest))
        });
        if let Some(begins) = comes
            && self.replacements < 3
        {
            self.replacements += 1;
            self.process(begins, 1, false);
        }
    }

    /// Everything heals; what is owed is done; then each connection must prove that it lives, or say
    /// rightly that it does not.
    fn finish(&mut self) {
        if self.with(|world| world.violation.is_some()) {
            return;
        }
        self.with(|world| {
            world.weather = Weather { crash: 0, ..world.weather.calmed() };
            world.say(|_| "everything heals".to_owned());
        });
        for (process, refresher) in std::mem::take(&mut self.refreshers) {
            if self.with(|world| world.processes[process].dead) {
                continue;
            }
            let handle = Handle::new(&self.world, process);
            let begins = self.with(|world| world.now);
            self.spawn(process, begins, Box::pin(errands::called_again(handle, refresher)));
        }
        self.go();
        if self.with(|world| world.violation.is_some()) {
            return;
        }
        self.with(World::check_given_back);
        for company in COMPANIES {
            let process = self.add_process(Kind::Outliving);
            let handle = Handle::new(&self.world, process);
            let begins = self.with(|world| world.now);
            self.spawn(process, begins, Box::pin(errands::last(handle, company)));
        }
        self.go();
    }
}

/// What happens next.
enum Next {
    /// This task takes a step.
    Goes(usize),
    /// Nobody does yet.
    TimePasses,
    /// Nothing is left to happen, or something was violated.
    Over,
}

fn next(world: &mut World) -> Next {
    let mut ready = 0;
    let mut soonest = i64::MAX;
    for task in &world.tasks {
        ready += usize::from(task.wake <= world.now);
        soonest = soonest.min(task.wake);
    }
    let due = world.later.iter().enumerate().min_by_key(|(_, (at, _))| *at);
    if let Some((index, at)) = due.map(|(index, (at, _))| (index, *at))
        && at <= world.now.max(soonest)
    {
        world.now = world.now.max(at);
        match world.later.swap_remove(index).1 {
            Later::Handle(request) => world.handle(request),
            Later::Do(effect) => effect(world),
        }
        world.check_rows();
        return if world.violation.is_some() { Next::Over } else { Next::TimePasses };
    }
    if ready == 0 {
        if soonest == i64::MAX {
            return Next::Over;
        }
        world.now = soonest;
        return Next::TimePasses;
    }
    let mut chosen = world.rng.index(ready);
    for (index, task) in world.tasks.iter().enumerate() {
        if task.wake <= world.now {
            if chosen == 0 {
                return Next::Goes(index);
            }
            chosen -= 1;
        }
    }
    Next::Over
}

/// Whether the process of this task dies right now, with all that it is doing.
fn dies(world: &mut World, task: usize) -> bool {
    let Task { process, at, began, .. } = world.tasks[task];
    let life = world.processes[process].kind.life();
    let killed = life.is_some_and(|life| world.now - began >= life);
    let chance = world.weather.crash;
    if !killed && !world.rng.chance(chance) {
        return false;
    }
    if killed {
        let http = world.processes[process].kind == Kind::Http;
        world.meet(if http { Met::KilledInHttp } else { Met::KilledInWorker });
    }
    if let Some(place) = place(at) {
        world.meet(place);
    }
    world.say(|_| format!("process {process} dies at {at:?}"));
    world.die(process);
    true
}

fn place(at: (Call, Moment)) -> Option<Met> {
    Some(match at {
        (Call::Read, Moment::Before) => Met::DiedBeforeRead,
        (Call::Take, Moment::Before) => Met::DiedBeforeTake,
        (Call::Take, Moment::After) => Met::DiedAfterTake,
        (Call::Stored, _) => Met::DiedBeforeStored,
        (Call::Send, _) => Met::DiedBeforeSend,
        (Call::Wait, _) => Met::DiedWaiting,
        (Call::Store, Moment::Before) => Met::DiedBeforeStore,
        (Call::Store, Moment::After) => Met::DiedAfterStore,
        (Call::PointAt, Moment::Before) => Met::DiedBeforePoint,
        (Call::PointAt, Moment::After) => Met::DiedAfterPoint,
        (Call::GiveBack, Moment::Before) => Met::DiedBeforeGiveBack,
        (Call::GiveBack, Moment::After) => Met::DiedAfterGiveBack,
        _ => return None,
    })
}
