//! What an app asks a company for.

/// Reads and writes of the accounting API; there is none for reading alone.
pub(super) const ACCOUNTING: &str = "com.intuit.quickbooks.accounting";
/// An id token with the code exchange, and userinfo.
pub(super) const OPENID: &str = "openid";

/// What Intuit's own clients name (oauth-jsclient, oauth-pythonclient), the restricted ones included.
const KNOWN: [&str; 19] = [
    ACCOUNTING,
    "com.intuit.quickbooks.payment",
    "com.intuit.quickbooks.payroll",
    "com.intuit.quickbooks.payroll.timetracking",
    "com.intuit.quickbooks.payroll.benefits",
    "com.intuit.quickbooks.payroll.payslip.read",
    OPENID,
    "profile",
    "email",
    "phone",
    "address",
    "intuit_name",
    "project-management.project",
    "payroll.compensation.read",
    "app-foundations.custom-field-definitions",
    "app-foundations.custom-field-definitions.read",
    "app-foundations.custom-dimensions.read",
    "time-tracking.time-entry",
    "indirect-tax.tax-calculation.quickbooks",
];

/// Whether every word of `scopes` is a scope that Intuit knows, and there is one.
pub(super) fn all_known(scopes: &str) -> bool {
    let mut words = scopes.split_ascii_whitespace().peekable();
    words.peek().is_some() && words.all(|scope| KNOWN.contains(&scope))
}

/// Whether `scopes` holds `scope`.
pub(super) fn holds(scopes: &str, scope: &str) -> bool {
    scopes.split_ascii_whitespace().any(|held| held == scope)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_scopes_are_taken() {
        assert!(all_known("com.intuit.quickbooks.accounting openid  profile"));
        assert!(all_known("project-management.project"));
        assert!(!all_known("com.intuit.quickbooks.accounting.read"));
        assert!(!all_known("openid everything"));
        assert!(!all_known("  "));
        assert!(!holds("openid2", OPENID));
    }
}
