//! Tests of the deployed stack, from outside. `scripts/test` brings it up; so does
//! `scripts/dev --bare` in another terminal.

mod callers;
mod connecting;
mod exactly_once;
mod intake_input;
mod outside;
mod set_up;
