//! What customers and employees need beyond their names.

use serde_json::{Map, Value, json};

use super::{Kind, account, references, transaction};
use crate::{
    fault::Fault,
    store::{Record, State},
};

type Fields = Map<String, Value>;

const PHONES: [&str; 4] = ["PrimaryPhone", "AlternatePhone", "Mobile", "Fax"];

/// Checks the fields of `kind` that its name does not need.
pub(super) fn check(
    state: &State,
    kind: Kind,
    fields: &mut Fields,
    old: Option<&Record>,
) -> Result<(), Fault> {
    match kind {
        Kind::Customer => customer(state, fields, old),
        Kind::Vendor => references::active(state, Kind::Term, fields, "TermRef").map(drop),
        Kind::Employee if state.profile.country == "US" => employee(fields),
        _ => Ok(()),
    }
}

fn phone<'a>(fields: &'a Fields, field: &str) -> Option<&'a str> {
    fields.get(field)?.get("FreeFormNumber")?.as_str()
}

fn customer(state: &State, fields: &mut Fields, old: Option<&Record>) -> Result<(), Fault> {
    let has_parent = fields.contains_key("ParentRef");
    if old.is_none() && !has_parent && fields.get("Job") == Some(&Value::Bool(true)) {
        return Err(Fault::missing("ParentRef"));
    }
    // Valid for sub-customers alone (API reference).
    let with_parent = has_parent && fields.get("BillWithParent") == Some(&Value::Bool(true));
    fields.insert("BillWithParent".into(), json!(with_parent));
    references::active(state, Kind::Term, fields, "SalesTermRef")?;
    references::active(state, Kind::TaxCode, fields, "DefaultTaxCodeRef")?;
    if let Some(receivable) = references::active(state, Kind::Account, fields, "ARAccountRef")? {
        account::is_of(receivable, "ARAccountRef", &["Accounts Receivable"])?;
    }
    transaction::currency(fields)
}

/// Since January 2026 an employee's address and telephone are checked more strictly. The exact rules
/// and codes are not known; these are the forms of a United States company.
fn employee(fields: &Fields) -> Result<(), Fault> {
    for field in PHONES {
        let Some(number) = phone(fields, field) else { continue };
        let number = number.split(['x', 'X', '#']).next().unwrap_or("");
        let digits = number.chars().filter(char::is_ascii_digit).count();
        let plain = number.chars().all(|c| c.is_ascii_digit() || " ()+-.".contains(c));
        let country = number.trim_start_matches(['+', ' ', '(']).starts_with('1');
        if !plain || !(digits == 10 || digits == 11 && country) {
            return Err(Fault::business(field, "The phone number must have 10 digits."));
        }
    }
    let Some(address) = fields.get("PrimaryAddr") else { return Ok(()) };
    let part = |name: &str| address.get(name).and_then(Value::as_str).map(str::trim);
    if let Some(state) = part("CountrySubDivisionCode")
        && !(state.len() == 2 && state.chars().all(|c| c.is_ascii_alphabetic()))
    {
        return Err(Fault::business("PrimaryAddr", "The state must be given by its two letters."));
    }
    if let Some(code) = part("PostalCode") {
        let (five, four) =
            code.split_once('-').map_or((code, None), |(five, four)| (five, Some(four)));
        let digits =
            |text: &str, count| text.len() == count && text.chars().all(|c| c.is_ascii_digit());
        if !digits(five, 5) || !four.is_none_or(|four| digits(four, 4)) {
            return Err(Fault::business("PrimaryAddr", "The ZIP code must have 5 or 9 digits."));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(fields: Value) -> bool {
        let Value::Object(fields) = fields else { panic!("fields are an object") };
        employee(&fields).is_ok()
    }

    #[test]
    fn an_employees_phone_has_ten_digits() {
        for (number, good) in [
            ("(303) 555-0101", true),
            ("3035550101", true),
            ("+1 303.555.0101 x12", true),
            ("555-0101", false),
            ("+49 303 555 0101", false),
            ("call me", false),
            ("303555010a", false),
        ] {
            assert_eq!(
                accepted(json!({ "Mobile": { "FreeFormNumber": number } })),
                good,
                "{number}"
            );
        }
    }

    #[test]
    fn an_employees_address_has_a_state_and_a_zip_code() {
        for (state, code, good) in [
            ("CO", "80401", true),
            ("CO", "80401-1234", true),
            ("Colorado", "80401", false),
            ("CO", "8040", false),
            ("CO", "80401-12", false),
            ("CÖ", "80401", false),
        ] {
            let address = json!({ "CountrySubDivisionCode": state, "PostalCode": code });
            assert_eq!(accepted(json!({ "PrimaryAddr": address })), good, "{state} {code}");
        }
        assert!(accepted(json!({ "PrimaryAddr": { "Line1": "1 Main St" } })));
    }
}
