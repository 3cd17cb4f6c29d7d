//! Failures in words for an office manager: what happened, and what to do.

use domain::problem::FieldError;
use quickbooks::{Fault, meaning};

fn quickbooks(code: impl Into<String>, message: String, fix: impl Into<String>) -> FieldError {
    FieldError { field: "quickBooks".to_owned(), code: code.into(), message, fix: fix.into() }
}

/// All messages in one line, for the audit trail.
pub fn words(errors: &[FieldError]) -> String {
    errors.iter().map(|error| error.message.as_str()).collect::<Vec<_>>().join(" ")
}

/// A refusal: what the code means, what to do, and QuickBooks' own text.
pub fn refusal(fault: &Fault) -> FieldError {
    let code = fault.code().unwrap_or("unknown");
    let meaning = meaning(code);
    let message = format!("{} QuickBooks says: {}", meaning.says, fault.words());
    quickbooks(format!("quickbooks-{code}"), message, meaning.fix)
}

/// Every retry failed.
pub fn exhausted(reason: &str) -> FieldError {
    quickbooks(
        "retries-used-up",
        format!(
            "QuickBooks could not be reached in six attempts over more than five hours. Last: {reason}"
        ),
        "Press Sync now once QuickBooks works again. It will not be entered twice.",
    )
}

/// It took four workers down.
pub fn poison() -> FieldError {
    FieldError {
        field: "timecard".to_owned(),
        code: "poison".to_owned(),
        message: "Sending this timecard stopped the connector four times.".to_owned(),
        fix: "Tell support; the timecard was set aside so that the others go on.".to_owned(),
    }
}

/// QuickBooks answered with what belongs to another timecard.
pub fn ambiguous(id: &str) -> FieldError {
    quickbooks(
        "ambiguous",
        format!("QuickBooks answered with TimeActivity {id}, which belongs to another timecard."),
        "Look both up in QuickBooks, and enter this one by hand if it is missing.",
    )
}

/// Several TimeActivities could be it.
pub fn several() -> FieldError {
    quickbooks(
        "ambiguous",
        "QuickBooks has several times that could be this timecard's.".to_owned(),
        "Look them up in QuickBooks and keep the right one; then press Sync now.",
    )
}

/// QuickBooks shows other fields than were sent; `still_there` is the TimeActivity that could not be
/// taken back.
pub fn filed_differently(fields: &[String], still_there: Option<&str>) -> FieldError {
    let fields = fields.join(", ");
    let message = match still_there {
        None => format!(
            "QuickBooks filed this time differently ({fields}), so it was taken back there."
        ),
        Some(id) => format!(
            "QuickBooks filed this time differently ({fields}), and it could not be taken back: it is there as TimeActivity {id}."
        ),
    };
    quickbooks(
        "filed-differently",
        message,
        "Open Mapping and choose the QuickBooks employee, customer and item again, then press Sync now.",
    )
}

/// An invoice holds the time already.
pub fn already_billed() -> FieldError {
    FieldError {
        field: "version".to_owned(),
        code: "already-billed".to_owned(),
        message: "This time is on an invoice in QuickBooks already, so it was not changed there."
            .to_owned(),
        fix: "Remove it from the invoice in QuickBooks, or correct the invoice by hand.".to_owned(),
    }
}

/// Names could not be read.
pub fn not_imported(entity: &str, reason: &str) -> FieldError {
    FieldError {
        field: entity.to_owned(),
        code: "retries-used-up".to_owned(),
        message: format!("{entity} could not be read from QuickBooks. Last: {reason}"),
        fix: "Press Sync now once QuickBooks works again.".to_owned(),
    }
}
