//! The entities of the Accounting API, by Intuit's names.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An entity that this client reads or writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are Intuit's own and say what they are")]
pub enum Entity {
    TimeActivity,
    Employee,
    Vendor,
    Customer,
    Item,
    Class,
    Department,
    Invoice,
    Payment,
    Estimate,
    CompanyInfo,
    Preferences,
    Account,
    Term,
    TaxCode,
}

impl Entity {
    /// Every entity, once.
    pub const ALL: [Self; 15] = [
        Self::TimeActivity,
        Self::Employee,
        Self::Vendor,
        Self::Customer,
        Self::Item,
        Self::Class,
        Self::Department,
        Self::Invoice,
        Self::Payment,
        Self::Estimate,
        Self::CompanyInfo,
        Self::Preferences,
        Self::Account,
        Self::Term,
        Self::TaxCode,
    ];

    /// The name in statements and answers: `TimeActivity`.
    pub fn name(self) -> &'static str {
        match self {
            Self::TimeActivity => "TimeActivity",
            Self::Employee => "Employee",
            Self::Vendor => "Vendor",
            Self::Customer => "Customer",
            Self::Item => "Item",
            Self::Class => "Class",
            Self::Department => "Department",
            Self::Invoice => "Invoice",
            Self::Payment => "Payment",
            Self::Estimate => "Estimate",
            Self::CompanyInfo => "CompanyInfo",
            Self::Preferences => "Preferences",
            Self::Account => "Account",
            Self::Term => "Term",
            Self::TaxCode => "TaxCode",
        }
    }

    /// The name in addresses: `timeactivity`.
    pub fn path(self) -> &'static str {
        match self {
            Self::TimeActivity => "timeactivity",
            Self::Employee => "employee",
            Self::Vendor => "vendor",
            Self::Customer => "customer",
            Self::Item => "item",
            Self::Class => "class",
            Self::Department => "department",
            Self::Invoice => "invoice",
            Self::Payment => "payment",
            Self::Estimate => "estimate",
            Self::CompanyInfo => "companyinfo",
            Self::Preferences => "preferences",
            Self::Account => "account",
            Self::Term => "term",
            Self::TaxCode => "taxcode",
        }
    }

    /// Whether it is a name list. Those have `Active`, and a query leaves the inactive ones out
    /// unless it asks for both.
    pub fn has_active(self) -> bool {
        match self {
            Self::Employee
            | Self::Vendor
            | Self::Customer
            | Self::Item
            | Self::Class
            | Self::Department
            | Self::Account
            | Self::Term
            | Self::TaxCode => true,
            Self::TimeActivity
            | Self::Invoice
            | Self::Payment
            | Self::Estimate
            | Self::CompanyInfo
            | Self::Preferences => false,
        }
    }
}

impl fmt::Display for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name is not one of [`Entity`]'s.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an entity that is used here")]
pub struct UnknownEntity;

impl FromStr for Entity {
    type Err = UnknownEntity;

    /// Accepts Intuit's spelling only: `TimeActivity`.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|entity| entity.name() == name).ok_or(UnknownEntity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_the_name_in_lower_case_and_names_go_both_ways() {
        for entity in Entity::ALL {
            assert_eq!(entity.path(), entity.name().to_lowercase());
            assert_eq!(entity.to_string().parse(), Ok(entity));
            assert_eq!(serde_json::to_value(entity).unwrap(), entity.name());
        }
        assert_eq!("timeactivity".parse::<Entity>(), Err(UnknownEntity));
    }
}
