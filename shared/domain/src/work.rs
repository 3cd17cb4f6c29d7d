//! The words that work is described in.

use serde::{Deserialize, Serialize};

macro_rules! words {
    ($name:ident: $($variant:ident = $word:literal),+) => {
        impl $name {
            /// The word as it is stored and sent.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(UnknownWord { expected: concat!($("'", $word, "' "),+).trim_end() }),
                }
            }
        }
    };
}

/// A text that is none of the words expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected one of {expected}")]
pub struct UnknownWord {
    /// The words there are.
    pub expected: &'static str,
}

/// How soon work is due, soonest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Lane {
    /// A person waits for it.
    Urgent,
    /// The day's timecards and changes.
    Normal,
    /// Imports and comparisons.
    Background,
}
words!(Lane: Urgent = "urgent", Normal = "normal", Background = "background");

impl Lane {
    /// All lanes, in the order in which they are drained.
    pub const ALL: [Lane; 3] = [Lane::Urgent, Lane::Normal, Lane::Background];
}

/// Where a timecard is on its way into QuickBooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SyncStatus {
    /// Stored, and waiting to be sent.
    Pending,
    /// A send is on its way, or its outcome is not known yet.
    Sending,
    /// In QuickBooks, exactly once.
    Synced,
    /// Refused by a rule of ours or of QuickBooks; needs a person.
    Failed,
    /// Given up after every retry; listed among the dead letters.
    Dead,
    /// Its work day lies before the day from which the company syncs: never sent.
    BeforeStart,
}
words!(SyncStatus:
    Pending = "pending", Sending = "sending", Synced = "synced", Failed = "failed", Dead = "dead",
    BeforeStart = "beforeStart");

impl SyncStatus {
    /// Whether nothing more happens to the timecard by itself.
    pub fn is_settled(self) -> bool {
        !matches!(self, Self::Pending | Self::Sending)
    }
}

/// How far a job has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum JobStatus {
    /// Queued; nothing has happened yet.
    Pending,
    /// Under way.
    Running,
    /// Ended; single records may have failed, the job's results count them.
    Completed,
    /// Ended without doing its work.
    Failed,
}
words!(JobStatus:
    Pending = "pending", Running = "running", Completed = "completed", Failed = "failed");
