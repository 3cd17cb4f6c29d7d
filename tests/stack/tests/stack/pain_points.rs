//! What users of QuickBooks integrations suffer from, each as a test named after the complaint. None of
//! it may be true of ours.
//!
//! Each test's doc comment gives the complaint and where it was made. Later complaints go into a module
//! of their own.
//!
//! # Layout
//!
//! * [`tokens`]: connections that die, or seem to.
//! * [`environments`]: tokens and keys that do not belong together.

mod environments;
mod tokens;
