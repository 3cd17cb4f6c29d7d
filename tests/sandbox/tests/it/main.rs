//! The sandbox from outside, each test against one of its own on ports that the system chose.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests say what they expect")]

mod admin;
mod batch;
mod cdc;
mod estimates;
mod faults;
mod fuzz;
mod harness;
mod invoices;
mod issuer;
mod latency;
mod limits;
mod lists;
mod merge;
mod meter;
mod names;
mod oauth;
mod page;
mod payments;
mod queries;
mod receiver;
mod replay;
mod rest;
mod sale;
mod scenarios;
mod schema;
mod settings;
mod snapshots;
mod throughput;
mod time_activity;
mod webhook_events;
mod webhook_retries;
mod webhooks;
