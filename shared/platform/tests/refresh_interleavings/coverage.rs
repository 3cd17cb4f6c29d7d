//! What the explored schedules have met: an exploration that never gets somewhere proves nothing there.

use std::fmt::Write;

macro_rules! met {
    ($($name:ident: $text:literal,)+) => {
        /// Something worth meeting.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Met { $($name,)+ }
        const NAMES: &[(Met, &str)] = &[$((Met::$name, $text),)+];
    };
}

met! {
    Refreshed: "a refresh succeeded",
    Rotated: "Intuit changed the value",
    SameValue: "Intuit kept the value",
    DiedBeforeRead: "crash before a row was read",
    DiedBeforeTake: "crash before the lease was taken",
    DiedAfterTake: "crash when the lease was taken and the answer not read",
    DiedBeforeStored: "crash before a token was read",
    DiedBeforeSend: "crash right before Intuit was asked",
    DiedWaiting: "crash while Intuit was asked",
    DiedBeforeStore: "crash before the new token was put",
    DiedAfterStore: "crash when the new token was put and the answer not read",
    DiedBeforePoint: "crash before the row pointed at the new token",
    DiedAfterPoint: "crash when the row pointed at it and the answer was not read",
    DiedBeforeGiveBack: "crash before the lease was given back",
    DiedAfterGiveBack: "crash when it was given back and the answer not read",
    KilledInHttp: "killed after 29 s",
    KilledInWorker: "killed after 180 s",
    AnswerLost: "an answer of Intuit lost",
    NewValueLost: "a new value lost with it",
    AnswerLate: "an answer of Intuit delivered after the lease",
    HandledLate: "a request handled 30 s or more after its sender gave up",
    LeaseKept: "a lease kept for an answer that never came",
    AnswerHeld: "a lease extended for an answer that could not be stored",
    LeaseTakenOver: "a lease that ran out taken over",
    Adopted: "a promised version adopted",
    AdoptedAfterRefusal: "a promised version found only after invalid_grant",
    OldValueTried: "the old value tried once more, and it was good",
    EndedRightly: "reconnect_required, rightly, after a lost new value",
    EndedUnused: "reconnect_required, rightly, after 100 days",
    RefusedButNewer: "invalid_grant, but somebody was newer",
    PutFailed: "a put failed without effect",
    PutLost: "a put done, its answer lost",
    PutLate: "a put done a little later",
    PutRepeated: "a put repeated",
    UnsavedSaved: "an answer saved by a later call of the process",
    StaleRead: "a version that was written and not seen yet",
    WriteLost: "a row written, its answer lost",
    WriteLate: "a row written a little later",
    WriteTwice: "a row's write repeated by the AWS client",
    OwnLeaseKnown: "an own lease recognised after that",
    FenceHeld: "the fence stopped a write",
    CoolingDown: "a cool-down respected",
    HeldUp: "a refresh held up before it could begin",
    PatienceOver: "a caller's patience was over",
    UsedMeanwhile: "an old token used meanwhile",
    TooYoung: "a refused token too young to refresh",
    Disconnected: "a disconnect",
    DisconnectedDuring: "a disconnect while a refresh was under way",
    Reconnected: "a reconnect",
    ReconnectedDuring: "a reconnect while a refresh was under way",
    Discarded: "tokens given back because the connection was over",
    PutAfterDestroy: "a put into a secret that was destroyed",
}

/// Counts schedules, not events.
#[derive(Clone, Debug)]
pub(crate) struct Coverage {
    pub schedules: u64,
    pub steps: u64,
    pub asks: u64,
    met: Vec<u64>,
}

impl Coverage {
    pub(crate) fn new() -> Self {
        Self { schedules: 0, steps: 0, asks: 0, met: vec![0; NAMES.len()] }
    }

    pub(crate) fn add(&mut self, seen: u64, steps: u64, asks: u64) {
        self.schedules += 1;
        self.steps += steps;
        self.asks += asks;
        for (at, count) in self.met.iter_mut().enumerate() {
            *count += (seen >> at) & 1;
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.schedules += other.schedules;
        self.steps += other.steps;
        self.asks += other.asks;
        for (sum, more) in self.met.iter_mut().zip(&other.met) {
            *sum += more;
        }
    }

    /// What no schedule has met.
    pub(crate) fn gaps(&self) -> Vec<&'static str> {
        let zero =
            |((_, name), count): (&(Met, &'static str), &u64)| (*count == 0).then_some(*name);
        NAMES.iter().zip(&self.met).filter_map(zero).collect()
    }

    pub(crate) fn table(&self) -> String {
        let mut text = format!(
            "{} schedules, {} steps, {} requests at Intuit; schedules that met\n",
            self.schedules, self.steps, self.asks
        );
        for ((_, name), count) in NAMES.iter().zip(&self.met) {
            let _ = writeln!(text, "{count:>9}  {name}");
        }
        text
    }
}
