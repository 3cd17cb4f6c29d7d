//! The rules, from outside: one binary, one module for each part.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where it goes wrong")]
#![allow(clippy::needless_pass_by_value, reason = "json!(..) reads best as it stands")]

mod alert;
mod answer;
mod decide;
mod demo;
mod expiry;
mod ids;
mod mapping;
mod properties;
mod retry;
mod settings;
mod support;
mod sweep;
mod timecard;
