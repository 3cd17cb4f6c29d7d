//! The client against servers that behave as Intuit does, well and badly.

#![allow(
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute; here the helpers are tests too"
)]

mod client;
mod line;
mod oauth;
mod pace;
mod paging;
mod paging_model;
mod support;
