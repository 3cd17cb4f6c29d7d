//! Which properties a condition may name. Intuit's reference marks them one by one as "filterable";
//! another one is refused, so that nobody comes to rely on it.

/// API reference (copy of 2025).
const CUSTOMER: &[&str] = &[
    "DisplayName",
    "GivenName",
    "MiddleName",
    "FamilyName",
    "CompanyName",
    "PrintOnCheckName",
    "FullyQualifiedName",
    "PrimaryEmailAddr",
    "Active",
    "Balance",
];
/// A list of 2017 of what is *not* filterable, with the recorded refusal of PrimaryEmailAddr.
const VENDOR: &[&str] = &[
    "DisplayName",
    "GivenName",
    "MiddleName",
    "FamilyName",
    "Suffix",
    "CompanyName",
    "PrintOnCheckName",
    "Active",
];
/// Not known in full; the names, as of the other people.
const EMPLOYEE: &[&str] =
    &["DisplayName", "GivenName", "MiddleName", "FamilyName", "PrintOnCheckName", "Active"];
/// Not known in full, but of ProjectRef.
const TIME_ACTIVITY: &[&str] = &[
    "TxnDate",
    "NameOf",
    "EmployeeRef",
    "VendorRef",
    "CustomerRef",
    "ItemRef",
    "ClassRef",
    "DepartmentRef",
    "ProjectRef",
    "BillableStatus",
    "Hours",
    "Minutes",
];
/// API reference (lists that public clients copied from it).
const INVOICE: &[&str] =
    &["CustomerRef", "DocNumber", "ProjectRef", "TxnDate", "SalesTermRef", "DueDate", "Balance"];
/// API reference (likewise).
const ESTIMATE: &[&str] = &[
    "CustomerRef",
    "DocNumber",
    "ProjectRef",
    "TxnDate",
    "DueDate",
    "ExpirationDate",
    "AcceptedDate",
];

/// Recorded refusals on entities whose list is not known.
const REFUSED: [(&str, &str); 3] =
    [("Account", "AcctNum"), ("Payment", "DepartmentRef"), ("Payment", "TxnStatus")];

/// What only sorts.
const SORTED_ALONE: [(&str, &str); 1] = [("Customer", "BalanceWithJobs")];

/// Whether a condition on `path` of `entity` is taken. Where the list is not known, everything with
/// one value directly in the entity is.
pub(super) fn is_filterable(entity: &str, path: &[String]) -> bool {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let first = match path.as_slice() {
        ["Id"] | ["MetaData", "CreateTime" | "LastUpdatedTime"] => return true,
        // A reference stands for its value.
        [first] | [first, "value"] => *first,
        _ => return false,
    };
    match entity {
        "Customer" => CUSTOMER.contains(&first),
        "Vendor" => VENDOR.contains(&first),
        "Employee" => EMPLOYEE.contains(&first),
        "TimeActivity" => TIME_ACTIVITY.contains(&first),
        "Invoice" => INVOICE.contains(&first),
        "Estimate" => ESTIMATE.contains(&first),
        _ => first != "SyncToken" && !REFUSED.contains(&(entity, first)),
    }
}

/// Whether an answer can be sorted by `path`. Id left the sortable properties in January 2026.
pub(super) fn is_sortable(entity: &str, path: &[String]) -> bool {
    let alone = |(of, name): (&str, &str)| of == entity && path == [name];
    path != ["Id"] && (is_filterable(entity, path) || SORTED_ALONE.into_iter().any(alone))
}
