//! Tests of the deployed stack, from outside. `scripts/test` brings it up; so does
//! `scripts/dev --bare` in another terminal.

mod activity;
mod alerts;
mod callers;
mod connecting;
mod exactly_once;
mod intake_input;
mod jobs;
mod migration;
mod outside;
mod pain_points;
mod performance;
mod reconnecting;
mod set_up;
mod sweeps;
mod tokens;
mod work_list;
/// Last by name, and so the last to start: it judges what all the others used.
#[path = "privileges.rs"]
mod zz_privileges;
/// After that one, since it looks through what everything left.
#[path = "secrecy.rs"]
mod zz_secrecy;
