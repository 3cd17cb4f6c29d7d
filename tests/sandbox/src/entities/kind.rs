//! The kinds of entity that a company holds.

use serde::{Deserialize, Serialize};

/// A kind of entity with a table of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Kind {
    TimeActivity,
    Employee,
    Vendor,
    Customer,
    Item,
    Class,
    Department,
    Account,
    Term,
    TaxCode,
    Estimate,
    Invoice,
    Payment,
}

impl Kind {
    /// Lists before the transactions that point into them, so that a seed can be read in this order.
    pub(crate) const ALL: [Self; 13] = [
        Self::TimeActivity,
        Self::Employee,
        Self::Vendor,
        Self::Customer,
        Self::Item,
        Self::Class,
        Self::Department,
        Self::Account,
        Self::Term,
        Self::TaxCode,
        Self::Estimate,
        Self::Invoice,
        Self::Payment,
    ];

    /// QuickBooks' name of it, as in bodies and queries.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::TimeActivity => "TimeActivity",
            Self::Employee => "Employee",
            Self::Vendor => "Vendor",
            Self::Customer => "Customer",
            Self::Item => "Item",
            Self::Class => "Class",
            Self::Department => "Department",
            Self::Account => "Account",
            Self::Term => "Term",
            Self::TaxCode => "TaxCode",
            Self::Estimate => "Estimate",
            Self::Invoice => "Invoice",
            Self::Payment => "Payment",
        }
    }

    /// By name, in any case: paths are lower case, queries are typed by people.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(name))
    }

    /// Lists of names are made inactive, never deleted, and a query hides the inactive ones.
    pub(crate) fn is_name_list(self) -> bool {
        !self.is_sale() && self != Self::TimeActivity
    }

    /// Transactions with customers: they share one run of ids, link to one another and move balances.
    pub(crate) fn is_sale(self) -> bool {
        matches!(self, Self::Invoice | Self::Payment | Self::Estimate)
    }

    /// Customers, vendors and employees share one name space and one run of ids.
    pub(crate) fn is_person(self) -> bool {
        matches!(self, Self::Employee | Self::Vendor | Self::Customer)
    }

    /// The run of ids it draws from; also the key of `nextIds` in a seed.
    pub(crate) fn id_space(self) -> &'static str {
        match self {
            _ if self.is_person() => "Name",
            _ if self.is_sale() => "Txn",
            _ => self.name(),
        }
    }

    /// The field that holds its name, for the lists.
    pub(crate) fn name_field(self) -> &'static str {
        if self.is_person() { "DisplayName" } else { "Name" }
    }

    /// The flag beside `ParentRef` that says the entry has a parent.
    pub(crate) fn child_flag(self) -> Option<&'static str> {
        match self {
            Self::Customer => Some("Job"),
            Self::Item => Some("SubItem"),
            Self::Class => Some("SubClass"),
            Self::Department => Some("SubDepartment"),
            Self::Account => Some("SubAccount"),
            _ => None,
        }
    }

    /// Fields that a caller cannot write: sent ones are ignored, stored ones survive a full update.
    pub(crate) fn read_only(self) -> &'static [&'static str] {
        match self {
            Self::TimeActivity => &["OtherNameRef", "TimeChargeId", "TimeActivityEx", "TimeZone"],
            Self::Customer => &[
                "FullyQualifiedName",
                "Level",
                "Balance",
                "BalanceWithJobs",
                "OverDueBalance",
                "TotalRevenue",
                "TotalExpense",
                "IsProject",
                "RootCustomerRef",
                "ClientEntityId",
                "ClientCompanyId",
                "V4IDPseudonym",
                "IntuitId",
            ],
            Self::Vendor => &["Balance", "OverDueBalance", "V4IDPseudonym", "IntuitId"],
            Self::Employee => &["V4IDPseudonym", "IntuitId", "SSN"],
            Self::Item => &["FullyQualifiedName", "Level", "AvgCost", "QtyOnPurchaseOrder"],
            Self::Class | Self::Department => &["FullyQualifiedName"],
            Self::Account => &[
                "FullyQualifiedName",
                "Classification",
                "CurrentBalance",
                "CurrentBalanceWithSubAccounts",
                "OnlineBankingEnabled",
                "FIName",
            ],
            Self::Term => &["Type"],
            Self::TaxCode => &[],
            Self::Invoice => SALE_READ_ONLY,
            // What an estimate became is set by the invoice that names it.
            Self::Estimate => ESTIMATE_READ_ONLY,
            Self::Payment => &["UnappliedAmt", "LinkedTxn", "TxnSource", "PaymentExtendedType"],
        }
    }
}

/// Fields of invoices that follow from the others or from what was done to them.
const SALE_READ_ONLY: &[&str] = &[
    "TotalAmt",
    "HomeTotalAmt",
    "Balance",
    "HomeBalance",
    "DeliveryInfo",
    "TxnSource",
    "RecurDataRef",
    "TotalCostAmount",
    "HomeTotalCostAmount",
    "EInvoiceStatus",
    "ECloudStatusTimeStamp",
    "invoiceStatus",
    "invoiceStatusLog",
    "callToAction",
    "InvoiceLink",
    "InvoiceLinkSecurityCode",
    "InvoiceLinkExpiryDate",
];

const ESTIMATE_READ_ONLY: &[&str] = &[
    "TotalAmt",
    "HomeTotalAmt",
    "Balance",
    "HomeBalance",
    "DeliveryInfo",
    "TxnSource",
    "RecurDataRef",
    "TotalCostAmount",
    "HomeTotalCostAmount",
    "LinkedTxn",
];
