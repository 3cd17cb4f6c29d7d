//! Reading a whole entity, or what changed of it, without loss while others edit it.
//!
//! Intuit's results have no stable order of their own (unsorted ones come most recently modified
//! first, and `Id` cannot be sorted by any more), so counting positions skips rows as soon as
//! somebody saves one. Pages are therefore cut by time: each asks for what was created (or changed)
//! at or after the newest time seen, and Ids that were seen before are dropped.
//!
//! A second that holds a full page or more is read by position. There, each page begins half a page
//! after the one before, so that a row does not slip through when others leave; and passes over the
//! second are repeated, at least twice, until one brings nothing new, so that a row that an edit
//! moved behind the reader is found in the next. This holds as long as fewer than half a page of rows
//! of that very second are edited within two passes.
//!
//! ```no_run
//! # async fn example(client: quickbooks::Client, session: quickbooks::Session)
//! # -> Result<(), Box<dyn std::error::Error>> {
//! use quickbooks::{Entity, KeysetPages};
//!
//! let mut pages = KeysetPages::new(Entity::Employee);
//! while let Some(statement) = pages.next_statement() {
//!     let page = client.query(&session, &statement).await?;
//!     for employee in pages.accept(page.entities)? {
//!         println!("{}", employee["Id"]);
//!     }
//! }
//! # Ok(())
//! # }
//! ```

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::entity::Entity;
use crate::query::{MAX_RESULTS, Query};

/// Passes over one crowded second. The first finds, the second confirms: even a first pass without
/// news may have missed a row, since the page before it has already brought most of them.
const LEAST_PASSES: u32 = 2;

/// Passes over one crowded second before giving up. More than two are needed only while rows of that
/// very second are edited.
const MAX_PASSES: u32 = 20;

/// Why a page cannot be used. What was accepted before it is good; the read as a whole is not
/// complete.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PagingError {
    /// An entity without Id, or whose time cannot be read.
    #[error("QuickBooks listed a {0} without Id or time")]
    Malformed(Entity),
    /// A page of entities older than what was asked for.
    #[error("QuickBooks listed {0} entities out of order")]
    OutOfOrder(Entity),
    /// Rows of one second kept changing while they were read.
    #[error("the list of {0} kept changing while it was read")]
    Unsettled(Entity),
}

/// Which time the pages are cut by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Created,
    Changed,
}

impl Key {
    fn field(self) -> &'static str {
        match self {
            Self::Created => "MetaData.CreateTime",
            Self::Changed => "MetaData.LastUpdatedTime",
        }
    }

    fn pointer(self) -> &'static str {
        match self {
            Self::Created => "/MetaData/CreateTime",
            Self::Changed => "/MetaData/LastUpdatedTime",
        }
    }
}

#[derive(Debug, Clone)]
enum Place {
    /// By time, from here on; `None` is the very beginning.
    From(Option<Timestamp>),
    /// By position, inside the second that begins here.
    Inside {
        second: Timestamp,
        position: usize,
        pass: u32,
        news: bool,
    },
    Done,
}

/// Makes the statements of a read, one after the other, and sorts out what each page brings.
#[derive(Debug, Clone)]
pub struct KeysetPages {
    entity: Entity,
    key: Key,
    limit: usize,
    place: Place,
    /// The Ids given out, with the SyncToken they had.
    seen: HashMap<String, String>,
}

impl KeysetPages {
    /// Everything there is of an entity, inactive names included: each Id once.
    pub fn new(entity: Entity) -> Self {
        Self::starting(entity, Key::Created, None)
    }

    /// What was created at or after a time: each Id once.
    pub fn created_since(entity: Entity, time: Timestamp) -> Self {
        Self::starting(entity, Key::Created, Some(time))
    }

    /// What was created or changed at or after a time. An Id that is changed during the read comes
    /// again, with its new SyncToken; the later one counts.
    pub fn changed_since(entity: Entity, time: Timestamp) -> Self {
        Self::starting(entity, Key::Changed, Some(time))
    }

    /// Smaller pages than 1,000; for tests.
    #[must_use]
    pub fn with_page_size(self, limit: usize) -> Self {
        Self { limit: limit.clamp(1, MAX_RESULTS), ..self }
    }

    fn starting(entity: Entity, key: Key, from: Option<Timestamp>) -> Self {
        let place = Place::From(from);
        Self { entity, key, limit: MAX_RESULTS, place, seen: HashMap::new() }
    }

    /// The statement to run next; `None` when all was read. The same one again until a page was
    /// accepted, so that a failed call can be repeated.
    pub fn next_statement(&self) -> Option<String> {
        let field = self.key.field();
        let query = Query::select(self.entity).active_and_inactive();
        let query = match self.place {
            Place::From(None) => query,
            Place::From(Some(from)) => query.from_time(field, from),
            Place::Inside { second, position, .. } => query
                .from_time(field, second)
                .before_time(field, next_second(second))
                .start_position(position),
            Place::Done => return None,
        };
        Some(query.order_by(field).max_results(self.limit).to_string())
    }

    /// Takes the page that answered the last statement and gives back what was not seen before.
    pub fn accept(&mut self, page: Vec<Value>) -> Result<Vec<Value>, PagingError> {
        let full = page.len() >= self.limit;
        // All are read before any counts as seen, so that a bad page changes nothing.
        let identities: Vec<_> = page
            .iter()
            .map(|entity| self.identity(entity))
            .collect::<Option<_>>()
            .ok_or(PagingError::Malformed(self.entity))?;
        let mut newest: Option<Timestamp> = None;
        let mut fresh = Vec::new();
        for (entity, (id, version, time)) in page.into_iter().zip(identities) {
            newest = newest.max(Some(time));
            let known = self.seen.get(&id);
            let new = match self.key {
                Key::Created => known.is_none(),
                Key::Changed => known != Some(&version),
            };
            if new {
                self.seen.insert(id, version);
                fresh.push(entity);
            }
        }
        self.place = self.after(full, newest, !fresh.is_empty())?;
        Ok(fresh)
    }

    /// How many different Ids were given out so far.
    pub fn seen(&self) -> usize {
        self.seen.len()
    }

    fn after(
        &self,
        full: bool,
        newest: Option<Timestamp>,
        news_now: bool,
    ) -> Result<Place, PagingError> {
        match self.place {
            Place::From(from) => {
                let Some(newest) = newest.filter(|_| full) else { return Ok(Place::Done) };
                // Answers show whole seconds, whatever is stored: compare and ask by these.
                let newest = second_of(newest);
                match from.map(second_of) {
                    Some(from) if newest < from => Err(PagingError::OutOfOrder(self.entity)),
                    Some(from) if newest == from => {
                        Ok(Place::Inside { second: newest, position: 1, pass: 1, news: false })
                    }
                    _ => Ok(Place::From(Some(newest))),
                }
            }
            Place::Inside { second, position, pass, news } => {
                let news = news || news_now;
                if full {
                    let position = position + self.limit.div_ceil(2);
                    Ok(Place::Inside { second, position, pass, news })
                } else if !news && pass >= LEAST_PASSES {
                    Ok(Place::From(Some(next_second(second))))
                } else if pass >= MAX_PASSES {
                    Err(PagingError::Unsettled(self.entity))
                } else {
                    Ok(Place::Inside { second, position: 1, pass: pass + 1, news: false })
                }
            }
            Place::Done => Ok(Place::Done),
        }
    }

    fn identity(&self, entity: &Value) -> Option<(String, String, Timestamp)> {
        let id = entity.get("Id")?.as_str().filter(|id| !id.is_empty())?.to_owned();
        let time = entity.pointer(self.key.pointer())?.as_str()?.parse().ok()?;
        let version = entity.get("SyncToken").and_then(Value::as_str).unwrap_or_default();
        Some((id, version.to_owned(), time))
    }
}

fn second_of(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

fn next_second(second: Timestamp) -> Timestamp {
    second.saturating_add(SignedDuration::from_secs(1)).unwrap_or(Timestamp::MAX)
}
