//! How long texts may be, in characters (API reference). What is not named here has no limit of which
//! anything is known.

/// A message to the customer.
pub(super) const MEMO: usize = 1000;

/// Type or entity, its fields, the most characters. People's names and TimeActivity's description have
/// theirs with the other rules of those.
const LIMITS: [(&str, &[&str], usize); 16] = [
    ("PhysicalAddress", &["Line1", "Line2", "Line3", "Line4", "Line5"], 500),
    ("PhysicalAddress", &["City", "Country", "CountrySubDivisionCode"], 255),
    ("PhysicalAddress", &["PostalCode"], 30),
    ("TelephoneNumber", &["FreeFormNumber"], 30),
    ("EmailAddress", &["Address"], 100),
    ("WebSiteAddress", &["URI"], 1000),
    ("Customer", &["Notes"], 2000),
    ("Customer", &["ResaleNum"], 16),
    ("Employee", &["EmployeeNumber"], 100),
    ("Item", &["Sku"], 100),
    ("Item", &["Description"], 4000),
    ("Item", &["PurchaseDesc"], 1000),
    ("Line", &["Description"], 4000),
    ("Invoice", &["DocNumber"], 21),
    ("Estimate", &["DocNumber"], 21),
    ("Payment", &["DocNumber", "PaymentRefNum"], 21),
];

/// The limit of `field` in the type or entity `of`.
pub(super) fn max(of: &str, field: &str) -> Option<usize> {
    if field == "PrivateNote" {
        return Some(4000);
    }
    let limit = LIMITS.iter().find(|(name, fields, _)| *name == of && fields.contains(&field));
    limit.map(|(_, _, max)| *max)
}
