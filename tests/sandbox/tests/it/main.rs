//! The sandbox from outside, each test against one of its own on ports that the system chose.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests say what they expect")]

mod admin;
mod faults;
mod harness;
mod issuer;
mod limits;
mod names;
mod oauth;
mod queries;
mod replay;
mod rest;
mod time_activity;
