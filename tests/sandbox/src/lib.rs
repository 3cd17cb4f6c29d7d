//! A QuickBooks Online double that runs on one machine.
//!
//! It answers the OAuth endpoints, the accounting REST API and the query language the way Intuit's
//! do, with the limits, the traps and the error bodies, and it breaks on demand.
//!
//! # Layout
//! - [`config`](Config): options; `server`: sockets, what one request goes through
//! - `oauth`: consent, code, tokens; `issuer`: a local issuer of the host application's JWTs
//! - `rest`: authorization, limits, replay, dispatch; `query`: the query language
//! - `limits`, `meter`, `latency`: how many calls at once, how many a month, how long they take
//! - `entities`: what each kind of entity accepts; `store`: a company's tables
//! - `webhooks`: what changed, told to the app, with the retries of the real service
//! - `admin`: clock, faults, journal, counters, companies; on a port of its own
//!
//! Rules are those of the public API reference and of recorded answers. Where the real behaviour is
//! not known, the comment says so and the README lists it.

mod admin;
mod app;
mod chance;
mod clock;
mod config;
mod counters;
mod entities;
mod fault;
mod faults;
mod ids;
mod issuer;
mod journal;
mod latency;
mod limits;
mod meter;
mod oauth;
mod page;
mod query;
mod rest;
mod seed;
mod server;
mod setting;
mod snapshot;
mod state_file;
mod store;
mod webhooks;

pub use config::{Config, USAGE};
pub use latency::LatencyModel;
pub use server::Sandbox;

#[doc(hidden)]
pub mod testing;
