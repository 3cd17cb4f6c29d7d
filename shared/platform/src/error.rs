//! What can go wrong on the AWS side.
//!
//! Expected outcomes (a lease that is held, a condition that was not met) are values of their own
//! module, never errors. An [`Error`] means that AWS did not do what was asked, or that a stored
//! item cannot be read: the caller stops, and the message or the caller's retry brings the work back.

/// A failed call to AWS, or a stored item that cannot be understood. Never holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A call to AWS failed for good, after the SDK's own retries.
    #[error("{call} failed: {reason}")]
    Aws {
        /// What was attempted, in the product's words.
        call: &'static str,
        /// The SDK's explanation.
        reason: String,
    },
    /// A stored item does not have the expected shape.
    #[error("{item} cannot be read: {reason}")]
    Unreadable {
        /// Which item.
        item: String,
        /// Why.
        reason: String,
    },
    /// A configuration variable is missing or wrong.
    #[error("configuration {name}: {reason}")]
    Configuration {
        /// The variable's name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Wraps an SDK error with the product's name for the call.
    pub fn aws<E>(call: &'static str) -> impl FnOnce(E) -> Self
    where
        E: std::error::Error,
    {
        move |error| Self::Aws {
            call,
            reason: aws_sdk_dynamodb::error::DisplayErrorContext(&error).to_string(),
        }
    }

    /// A stored item that cannot be read.
    pub fn unreadable(item: impl Into<String>, reason: impl std::fmt::Display) -> Self {
        Self::Unreadable { item: item.into(), reason: reason.to_string() }
    }
}
