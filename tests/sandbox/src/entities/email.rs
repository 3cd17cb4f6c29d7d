//! E-mail addresses.

use serde_json::{Map, Value};

use crate::fault::Fault;

/// Checks `field.Address`, if it is there: one address, or several with commas between.
pub(super) fn check_field(fields: &Map<String, Value>, field: &str) -> Result<(), Fault> {
    match fields.get(field).and_then(|mail| mail.get("Address")) {
        Some(address) => check(field, address.as_str().unwrap_or("")),
        None => Ok(()),
    }
}

/// 2210 unless `address` can be an e-mail address. RFC 822 in full is not needed to catch what
/// people mistype.
pub(super) fn check(field: &str, address: &str) -> Result<(), Fault> {
    let well_formed = address.split(',').all(|one| {
        one.trim().split_once('@').is_some_and(|(user, host)| {
            !user.is_empty() && host.contains('.') && !host.contains([' ', '@'])
        })
    });
    if !well_formed {
        return Err(Fault::validation(
            "2210",
            "Invalid Email Address format",
            format!(
                "The email address doesn't conform to RFC 822 syntax rules. Supplied value: \
                 {address}"
            ),
        )
        .at(field));
    }
    Ok(())
}
