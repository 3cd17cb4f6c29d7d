//! The error of one call. Its variant *is* the policy: what may be retried, when, and whether the
//! write may have happened.

use std::time::Duration;

use crate::fault::Fault;

/// Why a call did not give its answer.
///
/// The text of the error holds code, HTTP status and `intuit_tid`, so it may be logged. The words of
/// Intuit's fault, which can name people, are in the [`Fault`].
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CallError {
    /// The access token was refused (401, or code 3200; also the general 100 and 110). Not committed.
    /// Refresh once and send once more.
    #[error("QuickBooks refused the access token ({0})")]
    TokenRefused(Fault),
    /// The limit is reached (429, or code 3001). Not committed. Wait, then send the same request.
    #[error("QuickBooks asks to wait {} s ({fault})", retry_after.as_secs())]
    Throttled {
        /// What `Retry-After` said, else 60 s; between 1 s and 10 min.
        retry_after: Duration,
        /// Intuit's fault, often empty.
        fault: Fault,
    },
    /// The connection is over: wrong keys or environment, or access taken back (3100, 3201, 120). An
    /// admin must connect again. Not committed.
    #[error("QuickBooks no longer allows access, the company must be connected again ({0})")]
    ReconnectNeeded(Fault),
    /// The company cannot be used at present: subscription ended, locked, moved or under maintenance
    /// (6190, 130, 140, 150). Not committed.
    #[error("the QuickBooks company cannot be used at present ({0})")]
    CompanyUnusable(Fault),
    /// A definite refusal: any other fault under a 4xx, or under a 200. Closes the `requestid`.
    #[error("QuickBooks refused the request ({0})")]
    Refused(Fault),
    /// The `requestid` was used before and the original answer did not come back (600). Look up what
    /// became of the first.
    #[error("QuickBooks has seen this request id before ({0})")]
    DuplicateRequestId(Fault),
    /// The SyncToken is older than the stored one (5010). Read, merge, send again with a new
    /// `requestid`.
    #[error("the record was changed in QuickBooks in the meantime ({0})")]
    Stale(Fault),
    /// An answer that says nothing certain: 5xx, code 10000, or one that cannot be read, whatever its
    /// status. May have committed.
    #[error("QuickBooks gave no usable answer (HTTP {status}{})", described(fault.as_ref()))]
    Unavailable {
        /// The HTTP status.
        status: u16,
        /// What could be read of the answer.
        fault: Option<Fault>,
    },
    /// No answer: time-out, or the connection was cut. May have committed.
    #[error("QuickBooks did not answer: {reason}")]
    Unanswered {
        /// What happened on the line, without address or content.
        reason: String,
    },
    /// The request never left: no connection, or a request that must not be sent as given. Certainly
    /// not committed.
    #[error("the request was not sent to QuickBooks: {reason}")]
    NotSent {
        /// Why, without address or content.
        reason: String,
    },
}

impl CallError {
    /// Whether a write may have happened in QuickBooks all the same. Then its `requestid` must be
    /// kept, and the same bytes sent again before anything newer.
    pub fn may_have_committed(&self) -> bool {
        match self {
            // Code 600 says that a request of this id was seen before: that one may have committed.
            Self::Unavailable { .. } | Self::Unanswered { .. } | Self::DuplicateRequestId(_) => {
                true
            }
            Self::TokenRefused(_)
            | Self::Throttled { .. }
            | Self::ReconnectNeeded(_)
            | Self::CompanyUnusable(_)
            | Self::Refused(_)
            | Self::Stale(_)
            | Self::NotSent { .. } => false,
        }
    }

    /// Intuit's fault, where there was one.
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Self::TokenRefused(fault)
            | Self::Throttled { fault, .. }
            | Self::ReconnectNeeded(fault)
            | Self::CompanyUnusable(fault)
            | Self::Refused(fault)
            | Self::DuplicateRequestId(fault)
            | Self::Stale(fault) => Some(fault),
            Self::Unavailable { fault, .. } => fault.as_ref(),
            Self::Unanswered { .. } | Self::NotSent { .. } => None,
        }
    }

    /// The first fault code, without leading zeros.
    pub fn code(&self) -> Option<&str> {
        self.fault().and_then(Fault::code)
    }

    /// The id under which Intuit's support finds the call.
    pub fn intuit_tid(&self) -> Option<&str> {
        self.fault().and_then(|fault| fault.intuit_tid.as_deref())
    }
}

fn described(fault: Option<&Fault>) -> String {
    fault.map(|fault| format!(", {fault}")).unwrap_or_default()
}
