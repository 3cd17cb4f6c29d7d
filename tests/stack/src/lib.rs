//! What the tests of the deployed stack are made of.
//!
//! # Layout
//!
//! * [`proxy`]: the proxy between the functions and the services they call. It records each call
//!   by function, action and resource, and it kills, refuses or cuts on request. The binary
//!   `stack-proxy` runs it.
//! * [`stack`]: a test's hands on the deployed stack, all from outside: the HTTP API as any caller
//!   of it, the bus, queues, the QuickBooks sandbox, and the proxy's control interface.

pub mod proxy;
pub mod stack;
