//! What is an id of its kind.

use domain::{CompanyId, EmployeeId, JobId, RealmId, TimecardId};

fn is<T: std::str::FromStr>(text: &str) -> bool {
    text.parse::<T>().is_ok()
}

#[test]
fn a_company_id_has_letters_digits_dash_and_underscore() {
    assert!(is::<CompanyId>("Company_a-1") && is::<CompanyId>(&"c".repeat(64)));
    for text in ["", "a b", "a#b", "a/b", "ü", "a\n", &"c".repeat(65)] {
        assert!(!is::<CompanyId>(text), "{text:?}");
    }
    assert!(is::<JobId>("0193b1c2-5e6f-7a8b-9c0d-1e2f3a4b5c6d"));
}

#[test]
fn a_realm_id_has_digits() {
    assert!(is::<RealmId>("9341453000000001"));
    assert!(
        !is::<RealmId>("")
            && !is::<RealmId>("12a")
            && !is::<RealmId>("٣")
            && !is::<RealmId>(&"1".repeat(21))
    );
}

#[test]
fn a_host_id_is_any_text_that_fits_a_key() {
    assert!(is::<TimecardId>("Crew 7 / Øst: tc-1 🧱") && is::<TimecardId>(&"🧱".repeat(100)));
    for text in ["", " ", " a", "a ", "a#b", "a\tb", "a\u{0}", "\u{a0}a", &"x".repeat(101)] {
        assert!(!is::<TimecardId>(text), "{text:?}");
    }
}

#[test]
fn a_quickbooks_id_is_short_and_plain() {
    assert!(is::<EmployeeId>("55") && is::<EmployeeId>("5000000000000123401"));
    assert!(
        !is::<EmployeeId>("5'5") && !is::<EmployeeId>("") && !is::<EmployeeId>(&"5".repeat(41))
    );
}

#[test]
fn a_stored_id_is_checked_when_it_is_read() {
    assert_eq!(serde_json::from_str::<RealmId>("\"12\"").unwrap().to_string(), "12");
    let error = serde_json::from_str::<RealmId>("\"twelve\"").unwrap_err().to_string();
    assert!(error.contains("a QuickBooks realm id has 1 to 20 digits"), "{error}");
}
