//! Connecting a company, as browsers do it and as others try to.

mod access;
mod flow;
mod secrecy;
mod time;
