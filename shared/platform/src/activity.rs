//! Whoever uses a company's connection keeps it alive (C6).
//!
//! A refresh token that is not renewed for 100 days is dead. Sweeps renew it in time; this layer does
//! the same without any schedule. It runs beside every HTTP request: [`Caller::may`] tells it which
//! companies the caller was let into, and for each of them it reads the connection, notes on it that it
//! is in use (which is what the five-minute sweep goes by), and asks token-refresh to renew a refresh
//! token that is old.
//!
//! The layer never changes an answer. It runs while the handler runs; when the handler is done first,
//! it gets [`GRACE`] more and is then given up. A handler that fails and a look that fails know nothing
//! of each other. A process looks at a company once in [`LOOK_AGAIN`], so a busy company costs a read
//! in a quarter of an hour for each process, and a write in an hour.
//!
//! What it does not do: it calls nobody at Intuit, and it tells nobody whether a company exists; a
//! caller who was not let in leaves no trace here.
//!
//! [`Caller::may`]: crate::caller::Caller::may

use std::collections::{BTreeSet, HashMap};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use domain::ids::CompanyId;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::connections::{Connection, ConnectionStatus, Connections};
use crate::error::{Error, Result};
use crate::refresh_requests::{RefreshRequest, RefreshRequests};

/// A process looks at a company's connection once in this time.
pub const LOOK_AGAIN: SignedDuration = SignedDuration::from_mins(15);
/// After a look that failed, or was given up, the next use may try again this much later.
pub const TRY_AGAIN: SignedDuration = SignedDuration::from_mins(1);
/// What a look gets at most when the handler's own answer is ready.
pub const GRACE: Duration = Duration::from_millis(250);
/// Companies looked at beside one request; the others have their turn with a later one.
const LOOKS: usize = 16;
/// Companies that one request can be let into; it names at most 500 timecards.
const LET_IN: usize = 500;
/// Companies that a process remembers.
const REMEMBERED: usize = 2000;

/// Age of the refresh token, in days, from which a use renews it, unless the parameter
/// `RenewOnUseAfterDays` says otherwise (C6).
const RENEW_AFTER_DAYS: i64 = 30;

/// Notes uses of connections, and asks for renewals that they call for.
#[derive(Clone, Debug)]
pub struct Activity {
    connections: Connections,
    requests: RefreshRequests,
    renew_after: SignedDuration,
    clock: Clock,
    grace: Duration,
    looks: Arc<Looks>,
}

impl Activity {
    /// Renews refresh tokens of the age `renew_after` and older.
    pub fn new(
        connections: Connections,
        requests: RefreshRequests,
        renew_after: SignedDuration,
        clock: Clock,
    ) -> Self {
        Self { connections, requests, renew_after, clock, grace: GRACE, looks: Arc::default() }
    }

    /// These companies were used, otherwise than over HTTP. Takes [`GRACE`] at most, and fails never.
    pub async fn used(&self, companies: impl IntoIterator<Item = CompanyId>) {
        let (let_in, told) = LetIn::new();
        companies.into_iter().for_each(|company| let_in.note(&company));
        drop(let_in);
        let _given_up = timeout(self.grace, self.look_at(told)).await;
    }

    /// Looks at each company told of, until the last teller is gone.
    async fn look_at(&self, mut told: mpsc::UnboundedReceiver<CompanyId>) {
        let mut looks = 0;
        while let Some(company) = told.recv().await {
            let now = self.clock.now().await;
            if looks == LOOKS || !self.looks.begin(&company, now) {
                continue;
            }
            looks += 1;
            match self.keep_alive(&company, now).await {
                Ok(()) => self.looks.done(&company, now),
                Err(error) => {
                    tracing::warn!(company = %company, %error, "a use of the connection could not be noted; a later one tries again");
                }
            }
        }
    }

    async fn keep_alive(&self, company: &CompanyId, now: Timestamp) -> Result<()> {
        let Some(connection) = self.connections.get(company).await? else { return Ok(()) };
        if connection.status != ConnectionStatus::Connected {
            return Ok(());
        }
        // One does not wait for the other's success: the renewal is what keeps the connection.
        let asked = if is_old(&connection, self.renew_after, now) {
            self.requests.send(&RefreshRequest::Renew { company_id: company.clone() }).await
        } else {
            Ok(())
        };
        let noted = self.connections.note_activity(&connection, now).await;
        asked?;
        noted.map(|_| ())
    }
}

/// Whether the refresh token is old enough for a use to renew it.
fn is_old(connection: &Connection, renew_after: SignedDuration, now: Timestamp) -> bool {
    now.as_millisecond().saturating_sub(connection.refreshed_at) >= millis(renew_after)
}

fn millis(span: SignedDuration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

/// `RENEW_ON_USE_AFTER_DAYS`, 1 to 90 days.
pub fn renew_after() -> Result<SignedDuration> {
    let name = "RENEW_ON_USE_AFTER_DAYS";
    let Some(text) = crate::config::optional(name) else {
        return Ok(SignedDuration::from_hours(24 * RENEW_AFTER_DAYS));
    };
    match text.parse::<i64>() {
        Ok(days) if (1..=90).contains(&days) => Ok(SignedDuration::from_hours(24 * days)),
        _ => Err(Error::Configuration {
            name: name.to_owned(),
            reason: "must be a number of days from 1 to 90".to_owned(),
        }),
    }
}

/// The layer: the handler, and beside it a look at the companies that its caller was let into.
pub async fn beside(
    State(activity): State<Activity>,
    mut request: Request,
    next: Next,
) -> Response {
    let (let_in, told) = LetIn::new();
    request.extensions_mut().insert(let_in);
    let mut handler = pin!(next.run(request));
    let mut looks = pin!(activity.look_at(told));
    let response = tokio::select! {
        biased;
        response = &mut handler => response,
        () = &mut looks => return handler.await,
    };
    let _given_up = timeout(activity.grace, looks).await;
    response
}

/// How the layer is told of the companies that a request's caller was let into.
#[derive(Clone, Debug)]
pub struct LetIn {
    known: Arc<Mutex<BTreeSet<CompanyId>>>,
    tell: mpsc::UnboundedSender<CompanyId>,
}

impl LetIn {
    fn new() -> (Self, mpsc::UnboundedReceiver<CompanyId>) {
        let (tell, told) = mpsc::unbounded_channel();
        (Self { known: Arc::default(), tell }, told)
    }

    /// The caller was let into this company.
    pub fn note(&self, company: &CompanyId) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < LET_IN && known.insert(company.clone()) {
            // Nobody listens any more when the looks were given up.
            let _nobody = self.tell.send(company.clone());
        }
    }
}

/// When this process looked at which company.
#[derive(Debug, Default)]
struct Looks(Mutex<HashMap<CompanyId, Look>>);

#[derive(Debug, Clone, Copy)]
struct Look {
    at: Timestamp,
    done: bool,
}

impl Look {
    fn counts(self, now: Timestamp) -> bool {
        let age = now.duration_since(self.at);
        // A clock that went back says nothing.
        !age.is_negative() && age < if self.done { LOOK_AGAIN } else { TRY_AGAIN }
    }
}

impl Looks {
    /// Whether it is time to look at the company. Whoever gets true does it.
    fn begin(&self, company: &CompanyId, now: Timestamp) -> bool {
        let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if looks.get(company).is_some_and(|look| look.counts(now)) {
            return false;
        }
        if looks.len() >= REMEMBERED {
            looks.retain(|_, look| look.counts(now));
        }
        if looks.len() >= REMEMBERED {
            looks.clear();
        }
        looks.insert(company.clone(), Look { at: now, done: false });
        true
    }

    fn done(&self, company: &CompanyId, now: Timestamp) {
        let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        looks.insert(company.clone(), Look { at: now, done: true });
    }
}

#[cfg(test)]
mod tests;
