//! What is told by e-mail, to whom, and in which words.
//!
//! The readers are office managers: a mail says what happened, what it means, what to do and until when,
//! and has one link. Only the operator's own mail speaks of keys and of the stack.

mod letter;
mod words;

use std::fmt;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::expiry::{JITTER, WARN_BEFORE};
use crate::ids::CompanyId;

pub use letter::Mail;

/// Mails that a company gets on one day (UTC) at most.
pub const MOST_A_DAY: usize = 5;
/// Between two mails to the operator about the same trouble.
pub const OPERATOR_REST: SignedDuration = SignedDuration::from_hours(24);

/// Which kinds of mail a company wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AlertSwitches {
    /// QuickBooks no longer accepts the connection.
    pub reconnect_required: bool,
    /// The connection's five years are nearly over.
    pub hard_expiry: bool,
}

impl AlertSwitches {
    /// The kinds' names in the settings.
    pub const NAMES: [&str; 2] = ["reconnectRequired", "hardExpiry"];
}

impl Default for AlertSwitches {
    fn default() -> Self {
        Self { reconnect_required: true, hard_expiry: true }
    }
}

/// How near a hard expiry is when a company is warned (C7: 30 and 7 days before).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threshold {
    /// 30 days or less are left.
    Days30,
    /// 7 days or less are left.
    Days7,
}

impl Threshold {
    /// The threshold that is reached at `at`; `None` while more than 30 days are left, and when the
    /// connection has ended: then Intuit refuses it, which has a mail of its own. A warning that comes
    /// less than an hour before its day counts as that day's, as [`crate::expiry`] has it.
    pub fn reached(hard_expires_at: Timestamp, at: Timestamp) -> Option<Self> {
        let left = hard_expires_at.duration_since(at);
        let [days30, days7] = WARN_BEFORE.map(|before| before + JITTER);
        if left <= SignedDuration::ZERO {
            None
        } else if left < days7 {
            Some(Self::Days7)
        } else if left < days30 {
            Some(Self::Days30)
        } else {
            None
        }
    }

    /// Its number of days.
    pub fn days(self) -> u32 {
        match self {
            Self::Days30 => 30,
            Self::Days7 => 7,
        }
    }
}

/// What a company is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionAlert {
    /// QuickBooks no longer accepts the connection since `since`.
    ReconnectRequired {
        /// When that was found.
        since: Timestamp,
    },
    /// Intuit ends the connection soon.
    HardExpiry {
        /// How near it is.
        threshold: Threshold,
        /// When.
        ends: Timestamp,
    },
}

impl ConnectionAlert {
    /// Whether a company wants it.
    pub fn wanted(&self, switches: AlertSwitches) -> bool {
        match self {
            Self::ReconnectRequired { .. } => switches.reconnect_required,
            Self::HardExpiry { .. } => switches.hard_expiry,
        }
    }
}

/// The kind, as in the settings, with its threshold: `hardExpiry-30`. A connection has one mail for each.
impl fmt::Display for ConnectionAlert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReconnectRequired { .. } => f.write_str("reconnectRequired"),
            Self::HardExpiry { threshold, .. } => write!(f, "hardExpiry-{}", threshold.days()),
        }
    }
}

/// Who reads a company's mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// The people that the company has named.
    Company,
    /// The operator, since the company has named nobody.
    OperatorForNobody,
    /// The operator, since none of the addresses that the company has named takes mail.
    OperatorForRefused,
}

/// What a mail about a connection says besides its kind.
#[derive(Clone, Debug)]
pub struct About<'a> {
    /// The host app's id of the company.
    pub company: &'a CompanyId,
    /// The QuickBooks company's name, as QuickBooks has it.
    pub company_name: &'a str,
    /// Where an admin connects again; holds no secret.
    pub link: &'a str,
    /// The company's time zone, where its settings name one.
    pub zone: Option<TimeZone>,
    /// When the mail is written.
    pub now: Timestamp,
}

/// The mail about a connection.
pub fn connection_mail(alert: &ConnectionAlert, reader: Reader, about: &About<'_>) -> Mail {
    words::connection(alert, reader, about).render()
}

/// The operator's mail when Intuit refuses the app's own keys. `environment` is Intuit's, `sandbox` or
/// `production`; `at` is when it was found.
pub fn credentials_mail(environment: &str, at: Timestamp) -> Mail {
    words::credentials(environment, at).render()
}
