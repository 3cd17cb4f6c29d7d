//! Every fault code in plain words: one table for the retry policy and for the person who reads it.
//!
//! The codes are those of Intuit's "Error codes" and "Handling common errors" pages, with the older
//! list of the Intuit Partner Platform for 100 to 150. The words are for an office manager; where
//! Intuit's own text says more (6000 above all), show it beside them.

use crate::fault::normal_code;

/// What kind of failure a code is, hence who can mend it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultClass {
    /// The access token is old or wrong: refresh once.
    TokenRefused,
    /// Too many calls: wait.
    Throttled,
    /// The connection is over: an admin connects again.
    ReconnectNeeded,
    /// The company's subscription or its file is not usable at present.
    CompanyUnusable,
    /// The request id was used before: look up the first.
    DuplicateRequestId,
    /// Somebody changed the record in between: read again.
    Stale,
    /// A name or record referred to is gone or inactive: look at the mapping.
    Reference,
    /// The data break a rule of QuickBooks: a person changes them, here or there.
    Data,
    /// The date lies in closed books.
    BooksClosed,
    /// The company's plan or its settings lack the feature.
    Plan,
    /// The request itself is wrong: a fault of this product.
    Program,
    /// QuickBooks failed: the same request may pass later.
    SystemFailure,
    /// A code that is not in the table.
    Unknown,
}

/// What a code means and what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    /// The kind of failure.
    pub class: FaultClass,
    /// What happened, in one sentence.
    pub says: &'static str,
    /// What a person can do, in one sentence.
    pub fix: &'static str,
}

/// The meaning of a code, with or without leading zeros.
pub fn meaning(code: &str) -> Meaning {
    let code = normal_code(code);
    TABLE
        .iter()
        .find(|(known, ..)| *known == code)
        .map_or(UNKNOWN, |&(_, class, says, fix)| Meaning { class, says, fix })
}

/// Every code of the table.
pub fn known_codes() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|(code, ..)| *code)
}

const UNKNOWN: Meaning = Meaning {
    class: FaultClass::Unknown,
    says: "QuickBooks refused this for a reason that has no entry in our list.",
    fix: "Read QuickBooks' own text beside this. If it does not help, send us the code and the time.",
};

const RECONNECT: &str =
    "A QuickBooks administrator of the company opens the settings and connects again.";
const OUR_FAULT: &str = "This is a mistake of the connector. Send us the code and the time; nothing \
     needs to change in QuickBooks.";
const WAITS: &str = "Nothing to do. It is tried again by itself.";

use FaultClass as C;

const TABLE: &[(&str, FaultClass, &str, &str)] = &[
    ("100", C::TokenRefused, "QuickBooks did not accept our sign-in.", RECONNECT),
    ("110", C::TokenRefused, "QuickBooks did not accept our sign-in.", RECONNECT),
    (
        "120",
        C::ReconnectNeeded,
        "The person who connected QuickBooks no longer has the right to use it.",
        RECONNECT,
    ),
    (
        "130",
        C::CompanyUnusable,
        "QuickBooks is moving the company's data, or the connection is of the other environment.",
        "It is tried again by itself. If it lasts a day, connect again.",
    ),
    (
        "140",
        C::CompanyUnusable,
        "The company is locked in QuickBooks.",
        "Sign in to QuickBooks and see why. Then test the connection.",
    ),
    (
        "150",
        C::CompanyUnusable,
        "QuickBooks is under maintenance for this company.",
        "It is tried again by itself once QuickBooks is back.",
    ),
    ("500", C::Program, "QuickBooks does not support what we asked.", OUR_FAULT),
    (
        "600",
        C::DuplicateRequestId,
        "QuickBooks has already seen this request.",
        "Nothing to do. We look up what became of it before anything is sent again.",
    ),
    (
        "610",
        C::Reference,
        "Something this entry refers to was deleted or made inactive in QuickBooks.",
        "Make it active again in QuickBooks, or choose another one in the mapping.",
    ),
    (
        "620",
        C::Data,
        "QuickBooks cannot link these transactions.",
        "Check in QuickBooks that both exist and belong to the same customer.",
    ),
    (
        "630",
        C::Data,
        "QuickBooks already has this object.",
        "Open it in QuickBooks and decide which of the two stays.",
    ),
    (
        "700",
        C::Data,
        "The parent that was given cannot be used.",
        "Choose another parent, or make that one active in QuickBooks.",
    ),
    (
        "800",
        C::Data,
        "Other entries in QuickBooks depend on this one.",
        "Remove or change those in QuickBooks first.",
    ),
    ("1040", C::Program, "More was sent at once than QuickBooks takes.", OUR_FAULT),
    ("1050", C::Program, "QuickBooks could not read the form of our request.", OUR_FAULT),
    (
        "2020",
        C::Data,
        "A field that QuickBooks requires is missing.",
        "QuickBooks' own text names the field. Fill it in and send the entry again.",
    ),
    (
        "2050",
        C::Data,
        "A text is longer or shorter than QuickBooks allows.",
        "QuickBooks' own text names the field. Shorten it and send the entry again.",
    ),
    (
        "2170",
        C::Data,
        "A field has a value that QuickBooks does not know.",
        "QuickBooks' own text names the field. If it is none that you filled in, send us the code.",
    ),
    (
        "2500",
        C::Reference,
        "The employee, customer, item or class chosen no longer exists or is inactive.",
        "Make it active again in QuickBooks, or choose another one in the mapping.",
    ),
    ("3001", C::Throttled, "QuickBooks asked us to slow down.", WAITS),
    ("3100", C::ReconnectNeeded, "QuickBooks no longer lets this app into the company.", RECONNECT),
    (
        "3200",
        C::TokenRefused,
        "The access to QuickBooks has expired.",
        "Nothing to do. It is renewed by itself; if that fails, you are asked to connect again.",
    ),
    ("3201", C::ReconnectNeeded, "Access to the company was taken back in QuickBooks.", RECONNECT),
    (
        "5010",
        C::Stale,
        "The entry was changed in QuickBooks while we were changing it.",
        "Nothing to do. It is read again and the change is made on top.",
    ),
    (
        "5020",
        C::Plan,
        "The person who connected QuickBooks may not use this feature.",
        "Give that person the right in QuickBooks, or let an administrator connect again.",
    ),
    (
        "5030",
        C::Plan,
        "The company's QuickBooks plan does not have this feature.",
        "Change the plan, or switch the feature off here.",
    ),
    (
        "6000",
        C::Data,
        "The entry breaks a business rule of QuickBooks.",
        "QuickBooks' own text says which. Correct the entry, or the setting it names, and send again.",
    ),
    (
        "6140",
        C::Data,
        "QuickBooks already has a document with this number.",
        "Give one of the two another number.",
    ),
    (
        "6190",
        C::CompanyUnusable,
        "The company's QuickBooks subscription has ended or is suspended.",
        "Renew it in QuickBooks, then test the connection. Everything waits until then.",
    ),
    (
        "6200",
        C::BooksClosed,
        "The date lies in a period that is closed in QuickBooks.",
        "Move the closing date in QuickBooks, or enter it there by hand on an open date.",
    ),
    (
        "6210",
        C::BooksClosed,
        "The date lies in a period that is closed in QuickBooks.",
        "Move the closing date in QuickBooks, or enter it there by hand on an open date.",
    ),
    (
        "6240",
        C::Data,
        "QuickBooks already has a customer, vendor or employee of this name.",
        "Choose that one in the mapping, or change one of the two names.",
    ),
    (
        "6540",
        C::Data,
        "The payment is already part of a bank deposit.",
        "Take it out of the deposit in QuickBooks first.",
    ),
    ("10000", C::SystemFailure, "QuickBooks had a failure of its own.", WAITS),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_documented_code_is_in_the_table_once() {
        let documented = [
            "100", "110", "120", "130", "140", "150", "500", "600", "610", "620", "630", "700",
            "800", "1040", "1050", "2020", "2050", "2170", "2500", "3001", "3100", "3200", "3201",
            "5010", "5020", "5030", "6000", "6140", "6190", "6210", "6240", "6540", "10000",
        ];
        let known: BTreeSet<_> = known_codes().collect();
        assert_eq!(known.len(), known_codes().count());
        for code in documented {
            assert!(known.contains(code), "{code}");
            assert_ne!(meaning(code).class, FaultClass::Unknown, "{code}");
        }
    }

    #[test]
    fn each_entry_is_a_sentence_for_a_person() {
        for code in known_codes() {
            let Meaning { says, fix, .. } = meaning(code);
            for text in [says, fix] {
                assert!(text.ends_with('.') && text.len() < 180, "{code}: {text}");
                assert!(!text.contains("  "), "{code}: {text}");
            }
        }
    }

    #[test]
    fn leading_zeros_do_not_matter_and_the_unknown_is_said_to_be_unknown() {
        assert_eq!(meaning("003001"), meaning("3001"));
        assert_eq!(meaning("4711").class, FaultClass::Unknown);
        assert_eq!(meaning("").class, FaultClass::Unknown);
    }
}
