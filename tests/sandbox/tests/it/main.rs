//! The sandbox from outside, each test against one of its own on ports that the system chose.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests say what they expect")]

mod admin;
mod batch;
mod cdc;
mod faults;
mod fuzz;
mod harness;
mod issuer;
mod latency;
mod limits;
mod meter;
mod names;
mod oauth;
mod queries;
mod receiver;
mod replay;
mod rest;
mod schema;
mod settings;
mod throughput;
mod time_activity;
mod webhook_retries;
mod webhooks;
