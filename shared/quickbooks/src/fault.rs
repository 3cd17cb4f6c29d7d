//! Reading Intuit's faults, in every shape that was seen.
//!
//! * the normal one: `{"Fault":{"Error":[{"Message","Detail","code","element"}],"type"}}`;
//! * the gateway's, in lower case: `{"fault":{"error":[{"message","detail","code"}],"type"}}`, whose
//!   `detail` can hold the access token;
//! * XML: `<IntuitResponse><Fault type=".."><Error code=".."><Message>..`;
//! * HTML and plain text ("stream timeout"), which say nothing certain.
//!
//! Every text kept here went through [`crate::redact`].

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::redact::Redactor;
use crate::xml;

/// More errors than this in one fault are not kept.
const MAX_ERRORS: usize = 20;

/// What Intuit said when it did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The HTTP status of the answer; a fault may come with 200.
    pub http_status: u16,
    /// Intuit's `type`, such as `ValidationFault` or `AUTHENTICATION`; empty if none was given.
    pub fault_type: String,
    /// The errors, in Intuit's order; empty if the answer held no fault that could be read.
    pub errors: Vec<FaultError>,
    /// The id under which Intuit's support finds the call.
    pub intuit_tid: Option<String>,
}

/// One error of a fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultError {
    /// The code without leading zeros (`3001`, never `003001`); empty if none was given.
    pub code: String,
    /// Intuit's short text, redacted.
    pub message: String,
    /// Intuit's long text, redacted. For code 6000 it is the only clue.
    pub detail: String,
    /// The field at fault, where Intuit names it.
    pub element: Option<String>,
}

impl Fault {
    /// Reads a fault out of an answer; `None` if there is none. `body` may be JSON or XML, whatever
    /// its content type says.
    pub fn parse(
        http_status: u16,
        body: &str,
        intuit_tid: Option<String>,
        redactor: &Redactor<'_>,
    ) -> Option<Self> {
        match serde_json::from_str::<Value>(body) {
            Ok(answer) => Self::of_json(http_status, &answer, intuit_tid, redactor),
            Err(_) => Self::of_xml(http_status, body, intuit_tid, redactor),
        }
    }

    /// Reads a fault out of a JSON answer, or out of one item of a batch answer.
    pub fn of_json(
        http_status: u16,
        answer: &Value,
        intuit_tid: Option<String>,
        redactor: &Redactor<'_>,
    ) -> Option<Self> {
        let fault = either(answer, "Fault", "fault").filter(|fault| fault.is_object())?;
        let errors = match either(fault, "Error", "error") {
            Some(Value::Array(errors)) => errors.as_slice(),
            Some(error @ Value::Object(_)) => std::slice::from_ref(error),
            _ => &[],
        };
        let text = |value: Option<&Value>| match value {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        Some(Self {
            http_status,
            fault_type: redactor.clean(&text(either(fault, "type", "Type"))),
            errors: errors
                .iter()
                .take(MAX_ERRORS)
                .map(|error| {
                    FaultError::new(
                        &text(either(error, "code", "Code")),
                        &text(either(error, "Message", "message")),
                        &text(either(error, "Detail", "detail")),
                        &text(either(error, "element", "Element")),
                        redactor,
                    )
                })
                .collect(),
            intuit_tid,
        })
    }

    fn of_xml(
        http_status: u16,
        body: &str,
        intuit_tid: Option<String>,
        redactor: &Redactor<'_>,
    ) -> Option<Self> {
        let fault = xml::fault(body)?;
        Some(Self {
            http_status,
            fault_type: redactor.clean(&fault.fault_type),
            errors: fault
                .errors
                .iter()
                .take(MAX_ERRORS)
                .map(|error| {
                    FaultError::new(
                        error.code.as_deref().unwrap_or_default(),
                        error.message.as_deref().unwrap_or_default(),
                        error.detail.as_deref().unwrap_or_default(),
                        error.element.as_deref().unwrap_or_default(),
                        redactor,
                    )
                })
                .collect(),
            intuit_tid,
        })
    }

    /// Stands for an answer without a fault that could be read.
    pub(crate) fn unread(http_status: u16, intuit_tid: Option<String>) -> Self {
        Self { http_status, fault_type: String::new(), errors: Vec::new(), intuit_tid }
    }

    /// The first error's code, without leading zeros.
    pub fn code(&self) -> Option<&str> {
        self.errors.iter().map(|error| error.code.as_str()).find(|code| !code.is_empty())
    }

    /// Whether one of the errors has this code.
    pub fn has(&self, code: &str) -> bool {
        self.errors.iter().any(|error| error.code == code)
    }

    /// Intuit's own words for a person: message and detail of each error. They may name people.
    pub fn words(&self) -> String {
        let mut words: Vec<&str> = Vec::new();
        for error in &self.errors {
            for text in [error.message.as_str(), error.detail.as_str()] {
                if !text.is_empty() && !words.contains(&text) {
                    words.push(text);
                }
            }
        }
        words.join(" ")
    }
}

/// Code, type, status and `intuit_tid`: fit for a log, since Intuit's words stay out of it.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code() {
            Some(code) => write!(f, "code {code}, HTTP {}", self.http_status)?,
            None => write!(f, "HTTP {}", self.http_status)?,
        }
        match &self.intuit_tid {
            Some(tid) => write!(f, ", intuit_tid {tid}"),
            None => Ok(()),
        }
    }
}

impl FaultError {
    fn new(
        code: &str,
        message: &str,
        detail: &str,
        element: &str,
        redactor: &Redactor<'_>,
    ) -> Self {
        let code = if code.trim().is_empty() { code_in(message) } else { code };
        let element = redactor.clean(element);
        Self {
            code: normal_code(&redactor.clean(code)),
            message: redactor.clean(message),
            detail: redactor.clean(detail),
            element: (!element.is_empty()).then_some(element),
        }
    }
}

/// `003001` and `3001` are the same code.
pub(crate) fn normal_code(code: &str) -> String {
    let code = code.trim();
    let short = code.trim_start_matches('0');
    if short.is_empty() && !code.is_empty() { "0".to_owned() } else { short.to_owned() }
}

/// The gateway repeats the code inside its message: `errorCode=003200`.
fn code_in(message: &str) -> &str {
    let Some((_, rest)) = message.split_once("errorCode=") else { return "" };
    rest.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default()
}

fn either<'a>(value: &'a Value, one: &str, other: &str) -> Option<&'a Value> {
    let present = |name| value.get(name).filter(|value| !value.is_null());
    present(one).or_else(|| present(other))
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    fn read(body: &str) -> Option<Fault> {
        Fault::parse(400, body, Some("tid-1".into()), &Redactor::default())
    }

    #[test]
    fn the_normal_shape_is_read() {
        let fault = read(
            r#"{"Fault":{"Error":[{"Message":"Duplicate Name Exists Error","Detail":"The name supplied already exists. : null","code":"6240","element":""}],"type":"ValidationFault"},"time":"2017-09-29T09:17:31.892-07:00"}"#,
        )
        .unwrap();
        assert_eq!(fault.code(), Some("6240"));
        assert_eq!(fault.fault_type, "ValidationFault");
        assert_eq!(fault.errors[0].message, "Duplicate Name Exists Error");
        assert_eq!(fault.errors[0].element, None);
        assert_eq!(fault.intuit_tid.as_deref(), Some("tid-1"));
        assert_eq!(fault.to_string(), "code 6240, HTTP 400, intuit_tid tid-1");
        assert_eq!(
            fault.words(),
            "Duplicate Name Exists Error The name supplied already exists. : null"
        );
    }

    #[test]
    fn the_gateways_shape_is_read_and_its_token_is_not_kept() {
        let token = "AB017-short";
        let body = format!(
            r#"{{"warnings":null,"intuitObject":null,"fault":{{"error":[{{"message":"message=AuthenticationFailed; errorCode=003200; statusCode=401","detail":"Token expired: {token}","code":"3200","element":null}}],"type":"AUTHENTICATION"}},"queryResponse":null,"batchItemResponse":[],"requestId":null,"time":1730024394085,"status":null,"cdcresponse":[]}}"#
        );
        let fault = read(&body).unwrap();
        assert_eq!(fault.code(), Some("3200"));
        assert_eq!(fault.errors[0].detail, "Token expired: [redacted]");
        assert!(!format!("{fault:?}{fault}{}", fault.words()).contains(token));
    }

    #[test]
    fn the_calls_own_token_is_taken_out_of_every_text() {
        let secret = SecretString::from("s3cr3t-x");
        let body = r#"{"fault":{"type":"s3cr3t-x","error":[{"message":"m s3cr3t-x","detail":"s3cr3t-x d","element":"s3cr3t-x","code":"s3cr3t-x"}]}}"#;
        let fault = Fault::parse(401, body, None, &Redactor::knowing([&secret])).unwrap();
        assert!(!format!("{fault:?}").contains("s3cr3t"), "{fault:?}");
        assert!(!serde_json::to_string(&fault).unwrap().contains("s3cr3t"));
    }

    #[test]
    fn leading_zeros_go_and_a_missing_code_is_found_in_the_message() {
        assert_eq!(
            read(r#"{"Fault":{"Error":[{"code":"003001"}]}}"#).unwrap().code(),
            Some("3001")
        );
        assert_eq!(read(r#"{"Fault":{"Error":[{"code":610}]}}"#).unwrap().code(), Some("610"));
        assert_eq!(read(r#"{"Fault":{"Error":[{"code":"000"}]}}"#).unwrap().code(), Some("0"));
        let gateway = r#"{"fault":{"error":[{"message":"message=ThrottleExceeded; errorCode=003001; statusCode=429"}]}}"#;
        assert_eq!(read(gateway).unwrap().code(), Some("3001"));
    }

    #[test]
    fn xml_is_read() {
        let fault = read("<IntuitResponse><Fault type=\"SERVICE\"><Error code=\"003001\"><Message>m</Message></Error></Fault></IntuitResponse>").unwrap();
        assert_eq!(fault.code(), Some("3001"));
        assert_eq!(fault.fault_type, "SERVICE");
    }

    #[test]
    fn a_fault_without_errors_is_still_a_fault() {
        let fault = read(r#"{"Fault":{"type":"SystemFault"}}"#).unwrap();
        assert_eq!(fault.code(), None);
        assert_eq!(fault.to_string(), "HTTP 400, intuit_tid tid-1");
    }

    #[test]
    fn other_answers_hold_no_fault() {
        for body in [
            "",
            "stream timeout",
            "<html><title>503 Service Temporarily Unavailable</title></html>",
            r#"{"TimeActivity":{"Id":"1"}}"#,
            r#"{"fault":null}"#,
            r#"{"Fault":"x"}"#,
            "[]",
            "{",
        ] {
            assert_eq!(read(body), None, "{body}");
        }
    }
}
