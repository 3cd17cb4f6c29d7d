//! The AWS side of the connector: tables, secrets, queues, the bus, telemetry and caller identity.
//!
//! # Layout
//!
//! | module | holds |
//! |---|---|
//! | [`bootstrap`], [`config`], [`telemetry`], [`clock`], [`deadline`] | how every function starts, and ends in time |
//! | [`http`], [`problem`], [`caller`] | requests in, RFC 9457 problems out, who may do what |
//! | [`keys`], [`dynamo`] | the one place where table keys are made, and small DynamoDB helpers |
//! | [`companies`], [`work`], [`journal`], [`doorbell`], [`queue`] | the work list, the company lease, the sends under way, the ring |
//! | [`records`], [`jobs`], [`documents`], [`audit`], [`pace`] | timecards and the imported directory, jobs, settings and mappings, audit trail, the interactive share |
//! | [`activity`] | a use of a connection keeps it alive |
//! | [`connections`], [`refresh`], [`refresh_requests`], [`oauth_states`], [`secrets`], [`tokens`], [`access`], [`go_live`], [`give_back`], [`migrations`], [`outcome_page`] | a company's connection to QuickBooks |
//! | [`disconnect`], [`start_over`], [`erasure`], [`erasure_requests`] | how a connection ends, how another one may follow, and all data of a deleted company |
//! | [`sweep_runs`] | what the sweeps over connections came to |
//! | [`bus`] | events to the host app |
//! | [`mail`], [`mail_log`] | e-mail, and which mails went out |
//! | [`bucket`] | files in S3 |
//!
//! Functions depend on this crate; it depends on `domain` and `quickbooks`, which know nothing of AWS.

pub mod access;
pub mod activity;
pub mod audit;
pub mod bootstrap;
pub mod bucket;
pub mod bus;
pub mod caller;
pub mod clock;
pub mod companies;
pub mod config;
pub mod connections;
pub mod deadline;
pub mod disconnect;
pub mod documents;
pub mod doorbell;
pub mod dynamo;
pub mod erasure;
pub mod erasure_requests;
pub mod error;
pub mod give_back;
pub mod go_live;
pub mod http;
pub mod jobs;
pub mod journal;
pub mod keys;
pub mod mail;
pub mod mail_log;
pub mod migrations;
pub mod oauth_states;
pub mod outcome_page;
pub mod pace;
pub mod problem;
pub mod queue;
pub mod records;
pub mod refresh;
pub mod refresh_requests;
pub mod secrets;
pub mod start_over;
pub mod sweep_runs;
pub mod telemetry;
pub mod tokens;
pub mod work;

pub use error::{Error, Result};
