//! What is wrong with one field, said so that the reader knows what to do next.

use serde::{Deserialize, Serialize};

/// One thing that is wrong with one field.
///
/// The reader of `message` and `fix` is an office manager; the reader of `field` and `code` is a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// The field's name as it is written in the JSON, with the place in a list where there is one:
    /// `clockOut`, `employeeMapping[3].qboEmployeeId`.
    pub field: String,
    /// Stable kebab-case name of the rule that is broken.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub fix: String,
}

impl FieldError {
    /// A problem of the field `field` that breaks the rule `code`.
    pub fn new(
        field: impl Into<String>,
        code: &str,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { field: field.into(), code: code.into(), message: message.into(), fix: fix.into() }
    }
}

impl std::fmt::Display for FieldError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} {}", self.field, self.message, self.fix)
    }
}
