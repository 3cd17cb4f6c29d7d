//! What a deleted company leaves behind: nothing but one line in the audit trail (C11).
//!
//! [`Erasures`] are those lines. A line is written before anything is erased, so that nothing new is taken
//! for the company from then on, and it stays. While it says that the company is being erased, nobody can
//! connect the company; afterwards connecting it again opens it again, as a new company.
//!
//! [`Eraser`] erases the rows, by key only, in pages, as far as its [`Budget`] goes. Erasing again what is
//! erased costs a query for each table.

pub mod lines;
pub mod rows;

pub use lines::{Begun, Erasures, Opening};
pub use rows::{Budget, Eraser};
