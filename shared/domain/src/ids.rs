//! Ids are types, so that a worker's id is never taken for an employee's, and each is checked once, where it enters.

use serde::{Deserialize, Serialize};

/// A text that is not a valid id of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} {rule}")]
pub struct IdError {
    /// The kind of id, with its article: `a worker id`.
    pub kind: &'static str,
    /// What the id must look like, as the rest of a sentence: `has 1 to 100 characters …`.
    pub rule: &'static str,
}

struct Rule {
    text: &'static str,
    holds: fn(&str) -> bool,
}

/// Ids that become parts of keys, secret names and URLs.
const SLUG: Rule = Rule {
    text: "has 1 to 64 characters: letters without accents, digits, '-' and '_'",
    holds: |id| {
        (1..=64).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    },
};

/// QuickBooks' company file numbers.
const DIGITS: Rule = Rule {
    text: "has 1 to 20 digits",
    holds: |id| (1..=20).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_digit()),
};

/// The host app's own ids. `#` parts the parts of a key, so no id may hold one.
const HOST: Rule = Rule {
    text: "has 1 to 100 characters, without '#', line breaks or spaces at its ends",
    holds: |id| {
        !id.is_empty()
            && id.trim() == id
            && id.chars().count() <= 100
            && !id.chars().any(|c| c == '#' || c.is_control())
    },
};

/// Ids that QuickBooks gives. Numbers today; Intuit types them as strings.
const QUICKBOOKS: Rule = Rule {
    text: "has 1 to 40 characters: letters without accents, digits and '-'",
    holds: |id| {
        (1..=40).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    },
};

macro_rules! id {
    ($(#[$doc:meta])+ $name:ident, $kind:literal, $rule:ident) => {
        $(#[$doc])+
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                if ($rule.holds)(&text) {
                    Ok(Self(text))
                } else {
                    Err(IdError { kind: $kind, rule: $rule.text })
                }
            }
        }

        impl TryFrom<&str> for $name {
            type Error = IdError;

            fn try_from(text: &str) -> Result<Self, IdError> {
                Self::try_from(text.to_owned())
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id! {
    /// A customer company of the host app.
    CompanyId, "a company id", SLUG
}
id! {
    /// A QuickBooks company file.
    RealmId, "a QuickBooks realm id", DIGITS
}
id! {
    /// A timecard, unique within its company.
    TimecardId, "a timecard id", HOST
}
id! {
    /// A worker of the host app.
    WorkerId, "a worker id", HOST
}
id! {
    /// A project of the host app.
    ProjectId, "a project id", HOST
}
id! {
    /// A cost code of the host app.
    CostCodeId, "a cost code id", HOST
}
id! {
    /// A QuickBooks Employee.
    EmployeeId, "a QuickBooks employee id", QUICKBOOKS
}
id! {
    /// A QuickBooks Customer, sub-customer or project.
    CustomerId, "a QuickBooks customer id", QUICKBOOKS
}
id! {
    /// A QuickBooks Item.
    ItemId, "a QuickBooks item id", QUICKBOOKS
}
id! {
    /// A QuickBooks Class.
    ClassId, "a QuickBooks class id", QUICKBOOKS
}
id! {
    /// A QuickBooks TimeActivity.
    TimeActivityId, "a QuickBooks time activity id", QUICKBOOKS
}
id! {
    /// A job of the sync orchestrator.
    JobId, "a job id", SLUG
}
