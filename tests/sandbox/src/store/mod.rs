//! What the sandbox knows, in memory: companies, each with its tables behind a lock of its own.

mod change;
mod company;
mod days;
mod index;
mod links;
mod profile;
mod record;
mod replay;
mod state;
mod status;
mod table;
mod wire;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub(crate) use change::{Change, ChangeKind};
pub(crate) use company::Company;
pub(crate) use days::{Days, Span};
pub(crate) use links::{lines, linked, targets};
pub(crate) use profile::{Profile, Written};
pub(crate) use record::{Record, reference};
pub(crate) use replay::{
    Arrival, Claim, CountsFrom, Original, Policy as ReplayPolicy, Remembered, Replays, Twin,
};
pub(crate) use state::State;
pub(crate) use status::CompanyStatus;
pub(crate) use table::{Scan, Table};
pub(crate) use wire::{reference_target, wire_second};

/// Locks, also after a panic of another holder: the tables are changed in single steps, so what a
/// panicking request left behind is whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
