//! QuickBooks' two error shapes.
//!
//! Validation errors of the accounting service come as `Fault` with capital keys and a text `time`;
//! the gateway's refusals (401, 403, 429) come as lower-case `fault` with a numeric `time`.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value, json};

/// Which of the two shapes, with its `type`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// The accounting service's own.
    Normal(&'static str),
    /// The gateway's before it.
    Gateway(&'static str),
}

/// One refusal, not yet written out.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) status: StatusCode,
    pub(crate) shape: Shape,
    pub(crate) code: Box<str>,
    pub(crate) message: Box<str>,
    pub(crate) detail: Box<str>,
    pub(crate) element: Option<Box<str>>,
}

impl Fault {
    /// A validation fault: HTTP 400, `ValidationFault`.
    pub(crate) fn validation(code: &str, message: &str, detail: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            shape: Shape::Normal("ValidationFault"),
            code: code.into(),
            message: message.into(),
            detail: detail.into().into(),
            element: None,
        }
    }

    /// Names the field at fault.
    pub(crate) fn at(mut self, element: &str) -> Self {
        self.element = Some(element.into());
        self
    }

    /// 500: the operation does not exist for this entity.
    pub(crate) fn unsupported_operation(detail: impl Into<String>) -> Self {
        Self::validation("500", "Unsupported Operation", detail)
    }

    /// 600: the request id was used before (text of Intuit's list of error codes).
    pub(crate) fn duplicate_request_id() -> Self {
        Self::validation(
            "600",
            "Duplicate Request ID",
            "The request ID you're trying to use already exists in the QuickBooks Online Accounting \
             API or QuickBooks Payments API. Our system detected the duplicate.",
        )
    }

    /// 6000 as recorded of a batch item whose request id was used before.
    pub(crate) fn broken_repeat() -> Self {
        let mut fault = Self::business(
            "",
            "An unexpected error occurred while accessing or saving your data. Please wait a few \
             minutes and try again.  If the problem persists, contact customer support.",
        );
        fault.element = None;
        fault
    }

    /// 1040: more than a batch takes or answers.
    pub(crate) fn batch_too_big(detail: impl Into<String>) -> Self {
        Self::validation("1040", "Batch size exceeds allowed limit", detail)
    }

    /// 2000: no such entity.
    pub(crate) fn bad_object_name(name: &str) -> Self {
        Self::validation(
            "2000",
            "Invalid or unsupported object name",
            format!("Object Name:{name} specified is unsupported or invalid"),
        )
        .at(name)
    }

    /// 2070: a date or time that cannot be read.
    pub(crate) fn bad_date(field: &str, value: &str) -> Self {
        Self::validation(
            "2070",
            "Invalid Date",
            format!("The date value must be a valid value. Supplied value: {value}"),
        )
        .at(field)
    }

    /// 2600: parts of a request that exclude each other.
    pub(crate) fn conflict(element: &str, detail: impl Into<String>) -> Self {
        Self::validation("2600", "Invalid Request Conflict Element in Request", detail).at(element)
    }

    /// 500 for a body that is not UTF-8; Intuit's own text.
    pub(crate) fn not_utf8() -> Self {
        Self::unsupported_operation(
            "Operation com.sun.org.apache.xerces.internal.impl.io.MalformedByteSequenceException: \
             Invalid byte 1 of 1-byte UTF-8 sequence is not supported.",
        )
    }

    /// 610: no such object, or a referenced name is inactive; the text is the same for both.
    pub(crate) fn not_found() -> Self {
        Self::validation("610", "Object Not Found", format!("Object Not Found : {INACTIVE}"))
    }

    /// 2010: a property that is unknown or cannot be read.
    pub(crate) fn bad_property(what: &str) -> Self {
        Self::validation(
            "2010",
            "Request has invalid or unsupported property",
            format!("Property Name:{what} specified is unsupported or invalid"),
        )
        .at(what)
    }

    /// 2020: a required field is missing.
    pub(crate) fn missing(field: &str) -> Self {
        Self::validation(
            "2020",
            "Required param missing, need to supply the required value for the API",
            format!("Required parameter {field} is missing in the request"),
        )
        .at(field)
    }

    /// 2040: characters that the field does not take.
    pub(crate) fn bad_characters(field: &str) -> Self {
        Self::validation(
            "2040",
            "Invalid String",
            format!("Element contains invalid characters: {field}"),
        )
        .at(field)
    }

    /// 2050: a text that is too long. Lengths in characters.
    pub(crate) fn too_long(field: &str, max: usize, got: usize) -> Self {
        Self::validation(
            "2050",
            "String length is either shorter or longer than supported by specification",
            format!("Min:0 Max:{max} supported. Supplied length:{got}"),
        )
        .at(field)
    }

    /// 2170: not one of the enumeration's values.
    pub(crate) fn bad_enumeration(field: &str, value: &str) -> Self {
        Self::validation("2170", "Invalid Enumeration", format!("Invalid Enumeration : {value}"))
            .at(field)
    }

    /// 2240: a number outside of its range.
    pub(crate) fn out_of_range(field: &str, value: &str) -> Self {
        Self::validation(
            "2240",
            "Invalid Number Range",
            format!("The specified number isn't within the valid range. Supplied value: {value}"),
        )
        .at(field)
    }

    /// 2500: a reference to nothing.
    pub(crate) fn bad_reference(field: &str, what: &str) -> Self {
        Self::validation("2500", "Invalid Reference Id", format!("Invalid Reference Id : {what}"))
            .at(field)
    }

    /// 2500 for a list entry that is inactive.
    pub(crate) fn inactive_reference(field: &str) -> Self {
        Self::bad_reference(field, INACTIVE)
    }

    /// 620: a transaction that cannot be linked: void, another customer's, or used up.
    pub(crate) fn not_linkable(field: &str, kind: &str, id: &str) -> Self {
        Self::validation(
            "620",
            "TxnID Cannot Be Linked",
            format!("TxnID Cannot Be Linked : {kind} {id} can't be linked to this transaction."),
        )
        .at(field)
    }

    /// 6140: the DocNumber is taken.
    pub(crate) fn duplicate_number(number: &str, kind: &str, owner: &str) -> Self {
        Self::validation(
            "6140",
            "Duplicate Document Number Error",
            format!(
                "Duplicate Document Number Error : You must specify a different number. This \
                 number has already been used. DocNumber={number} is assigned to \
                 TxnType={kind} with TxnId={owner}"
            ),
        )
        .at("DocNumber")
    }

    /// 5020: the role of the person who connected leaves this kind of entity out. The published list
    /// has code and meaning; the text is not known.
    pub(crate) fn not_permitted(entity: &str) -> Self {
        Self::validation(
            "5020",
            "Permission Denied Error",
            format!("You do not have permission to access {entity}."),
        )
    }

    /// 5030: the company's plan or preferences lack the feature.
    pub(crate) fn feature(field: &str, what: &str) -> Self {
        Self::validation("5030", "Feature Not Supported Error", what).at(field)
    }

    /// 6000: a business rule; only the text says which.
    pub(crate) fn business(field: &str, text: &str) -> Self {
        Self::validation(
            "6000",
            "A business validation error has occurred while processing your request",
            format!("Business Validation Error: {text}"),
        )
        .at(field)
    }

    /// 6210: the books are closed for that day.
    pub(crate) fn period_closed() -> Self {
        Self::validation(
            "6210",
            "Account Period Closed, Cannot Update Through Services API",
            "The account period has closed and the account books cannot be updated through the \
             QBO Services API. Please use the QBO website to make these changes.",
        )
    }

    /// 6240: the name is taken, by whichever list.
    pub(crate) fn duplicate_name(field: &str, owner: &str) -> Self {
        Self::validation(
            "6240",
            "Duplicate Name Exists Error",
            format!("The name supplied already exists. : Id={owner}"),
        )
        .at(field)
    }

    /// 5010: somebody else saved first.
    pub(crate) fn stale() -> Self {
        Self::validation(
            "5010",
            "Stale Object Error",
            "Stale Object Error : You and another user were working on this at the same time. \
             The other user finished before you did, so your work was not saved.",
        )
    }

    /// 401 of the gateway. Real answers carry the token in `detail`; so do these.
    pub(crate) fn unauthenticated(detail: impl Into<String>) -> Self {
        Self::gateway(401, "3200", "AuthenticationFailed", "AUTHENTICATION", detail)
    }

    /// 403 of the gateway: wrong keys, wrong company, or the app was disconnected.
    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self::gateway(403, "3100", "ApplicationAuthorizationFailed", "SERVICE", detail)
    }

    /// 429 of the gateway.
    pub(crate) fn throttled() -> Self {
        let detail = "The request limit was reached. Try again later.";
        Self::gateway(429, "3001", "ThrottleExceeded", "SERVICE", detail)
    }

    fn gateway(
        status: u16,
        code: &str,
        name: &str,
        kind: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST),
            shape: Shape::Gateway(kind),
            code: code.into(),
            message: format!("message={name}; errorCode=00{code}; statusCode={status}").into(),
            detail: detail.into().into(),
            element: None,
        }
    }

    /// The value of `Fault`. Within a batch even the gateway's faults look like this.
    pub(crate) fn in_item(&self) -> Value {
        let (Shape::Normal(kind) | Shape::Gateway(kind)) = self.shape;
        json!({
            "Error": [{
                "Message": self.message,
                "Detail": self.detail,
                "code": self.code,
                "element": self.element.as_deref().unwrap_or(""),
            }],
            "type": kind,
        })
    }

    /// The body, as QuickBooks writes it at `now`.
    pub(crate) fn body(&self, now: Timestamp, zone: &TimeZone) -> Value {
        match self.shape {
            Shape::Normal(_) => json!({
                "Fault": self.in_item(),
                "time": wire_instant(now, zone),
            }),
            Shape::Gateway(kind) => json!({
                "warnings": null,
                "intuitObject": null,
                "fault": {
                    "error": [{
                        "message": self.message,
                        "detail": self.detail,
                        "code": self.code,
                        "element": self.element,
                    }],
                    "type": kind,
                },
                "queryResponse": null,
                "batchItemResponse": [],
                "requestId": null,
                "time": now.as_millisecond(),
                "status": null,
                "cdcresponse": [],
            }),
        }
    }

    /// The whole answer.
    pub(crate) fn response(&self, now: Timestamp, zone: &TimeZone) -> Response {
        let mut response = json_response(self.status, &self.body(now, zone));
        if self.status == StatusCode::UNAUTHORIZED && matches!(self.shape, Shape::Gateway(_)) {
            response.headers_mut().insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static(r#"Bearer realm="Intuit", error="invalid_token""#),
            );
        }
        response
    }
}

const INACTIVE: &str = "Something you're trying to use has been made inactive. Check the fields \
                        with accounts, customers, items, vendors or employees.";

/// An instant with milliseconds and the company's offset, the form of `time` in answers.
pub(crate) fn wire_instant(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string()
}

/// A JSON answer.
pub(crate) fn json_response(status: StatusCode, body: &Value) -> Response {
    bytes_response(status, body.to_string().into_bytes())
}

/// A JSON answer from its bytes.
pub(crate) fn bytes_response(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json;charset=UTF-8"));
    response
}
