//! From an answer to the value or to the error that says what may be done next.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use serde_json::Value;

use crate::error::CallError;
use crate::fault::Fault;
use crate::meaning::{FaultClass, meaning};
use crate::redact::Redactor;

/// Intuit's page on limits says to wait a minute after a 429. `Retry-After` is not promised.
pub(crate) const THROTTLE_WAIT: Duration = Duration::from_mins(1);

/// Bounds of what `Retry-After` may ask: less is no wait, more is no throttle but an outage, for
/// which the caller has a longer ladder.
pub(crate) const SHORTEST_WAIT: Duration = Duration::from_secs(1);
/// See [`SHORTEST_WAIT`].
pub(crate) const LONGEST_WAIT: Duration = Duration::from_mins(10);

/// What is needed of an answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) intuit_tid: Option<String>,
    pub(crate) retry_after: Option<Duration>,
    /// The whole body, or what came of it.
    pub(crate) body: Vec<u8>,
}

/// The JSON object of a success, or the error of anything else.
pub(crate) fn classify(answer: Answer, redactor: &Redactor<'_>) -> Result<Value, CallError> {
    let Answer { status, intuit_tid, retry_after, body } = answer;
    let json = serde_json::from_slice::<Value>(&body).ok();
    let fault = match &json {
        Some(value) => Fault::of_json(status, value, intuit_tid.clone(), redactor),
        None => std::str::from_utf8(&body)
            .ok()
            .and_then(|text| Fault::parse(status, text, intuit_tid.clone(), redactor)),
    };
    match (fault, json) {
        (None, Some(value)) if (200..300).contains(&status) && value.is_object() => Ok(value),
        (fault, _) => Err(failure(status, fault, intuit_tid, retry_after)),
    }
}

fn failure(
    status: u16,
    fault: Option<Fault>,
    intuit_tid: Option<String>,
    retry_after: Option<Duration>,
) -> CallError {
    let read = fault.is_some();
    let fault = fault.unwrap_or_else(|| Fault::unread(status, intuit_tid));
    let is = |class| fault.errors.iter().any(|error| meaning(&error.code).class == class);

    // The status alone decides for 429; Intuit sends it as XML, JSON or nothing.
    if status == 429 || is(FaultClass::Throttled) {
        let retry_after = retry_after.unwrap_or(THROTTLE_WAIT).clamp(SHORTEST_WAIT, LONGEST_WAIT);
        return CallError::Throttled { retry_after, fault };
    }
    // 5xx says nothing certain, whatever its text. 408 is the gateway's time-out. Code 10000 is
    // Intuit's own failure, under any status.
    let definite = status < 500 && status != 408 && !(300..400).contains(&status);
    if !definite || is(FaultClass::SystemFailure) {
        return CallError::Unavailable { status, fault: Some(fault) };
    }
    if is(FaultClass::ReconnectNeeded) {
        return CallError::ReconnectNeeded(fault);
    }
    if is(FaultClass::CompanyUnusable) {
        return CallError::CompanyUnusable(fault);
    }
    // A 401 without a body says as much as one with.
    if status == 401 || is(FaultClass::TokenRefused) {
        return CallError::TokenRefused(fault);
    }
    if !read {
        return CallError::Unavailable { status, fault: Some(fault) };
    }
    if is(FaultClass::DuplicateRequestId) {
        return CallError::DuplicateRequestId(fault);
    }
    if is(FaultClass::Stale) {
        return CallError::Stale(fault);
    }
    CallError::Refused(fault)
}

/// What `Retry-After` says: seconds, or a date, which is measured against the answer's own `Date`,
/// so that no clock is needed and none can be wrong. Not yet clamped.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        // More digits than a number holds is a long wait all the same.
        return Some(text.parse().map_or(LONGEST_WAIT, Duration::from_secs));
    }
    let until = http_date(text)?;
    let now = http_date(headers.get(DATE)?.to_str().ok()?)?;
    Some(Duration::try_from(until.duration_since(now)).unwrap_or(SHORTEST_WAIT))
}

fn http_date(text: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class_of(status: u16, body: &str) -> CallError {
        classify(
            Answer {
                status,
                intuit_tid: Some("tid".into()),
                retry_after: None,
                body: body.as_bytes().to_vec(),
            },
            &Redactor::default(),
        )
        .unwrap_err()
    }

    fn normal(code: &str) -> String {
        format!(
            r#"{{"Fault":{{"Error":[{{"Message":"m","Detail":"d","code":"{code}"}}],"type":"ValidationFault"}}}}"#
        )
    }

    fn gateway(code: &str) -> String {
        format!(
            r#"{{"fault":{{"error":[{{"message":"m","detail":"d","code":"{code}"}}],"type":"SERVICE"}},"time":1}}"#
        )
    }

    fn name(error: &CallError) -> &'static str {
        match error {
            CallError::TokenRefused(_) => "token",
            CallError::Throttled { .. } => "throttled",
            CallError::ReconnectNeeded(_) => "reconnect",
            CallError::CompanyUnusable(_) => "company",
            CallError::Refused(_) => "refused",
            CallError::DuplicateRequestId(_) => "duplicate",
            CallError::Stale(_) => "stale",
            CallError::Unavailable { .. } => "unavailable",
            CallError::Unanswered { .. } => "unanswered",
            CallError::NotSent { .. } => "not sent",
        }
    }

    #[test]
    fn each_answer_has_its_class_in_both_shapes() {
        let table = [
            (401, "3200", "token"),
            (401, "003200", "token"),
            (403, "3200", "token"),
            (401, "100", "token"),
            (403, "110", "token"),
            (401, "4711", "token"),
            (403, "3100", "reconnect"),
            (401, "3201", "reconnect"),
            (403, "3201", "reconnect"),
            (401, "120", "reconnect"),
            (400, "6190", "company"),
            (403, "130", "company"),
            (403, "140", "company"),
            (403, "150", "company"),
            (429, "3001", "throttled"),
            (429, "003001", "throttled"),
            (429, "4711", "throttled"),
            (200, "3001", "throttled"),
            (503, "3001", "throttled"),
            (400, "600", "duplicate"),
            (400, "5010", "stale"),
            (200, "5010", "stale"),
            (400, "610", "refused"),
            (400, "2500", "refused"),
            (400, "6000", "refused"),
            (200, "6000", "refused"),
            (400, "6210", "refused"),
            (403, "5020", "refused"),
            (404, "4711", "refused"),
            (500, "10000", "unavailable"),
            (400, "10000", "unavailable"),
            (200, "10000", "unavailable"),
            (500, "3200", "unavailable"),
            (503, "6000", "unavailable"),
            (408, "6000", "unavailable"),
            (302, "6000", "unavailable"),
        ];
        for (status, code, class) in table {
            for body in [normal(code), gateway(code)] {
                let error = class_of(status, &body);
                assert_eq!(name(&error), class, "{status} {code}");
                assert_eq!(error.intuit_tid(), Some("tid"), "{status} {code}");
                assert_eq!(error.code(), Some(code.trim_start_matches('0')), "{status} {code}");
            }
        }
    }

    #[test]
    fn an_answer_that_cannot_be_read_may_have_committed() {
        let table = [
            (200, "", "unavailable"),
            (200, "garbage", "unavailable"),
            (200, "[]", "unavailable"),
            (200, "{\"TimeActivity\":", "unavailable"),
            (200, "<html></html>", "unavailable"),
            (302, "", "unavailable"),
            (400, "", "unavailable"),
            (400, "{}", "unavailable"),
            (403, "<html>denied</html>", "unavailable"),
            (404, "not found", "unavailable"),
            (503, "<html><h1>503 Service Unavailable</h1></html>", "unavailable"),
            (504, "stream timeout", "unavailable"),
        ];
        for (status, body, class) in table {
            let error = class_of(status, body);
            assert_eq!(name(&error), class, "{status} {body}");
            assert!(error.may_have_committed(), "{status} {body}");
            assert_eq!(error.intuit_tid(), Some("tid"));
        }
    }

    #[test]
    fn the_status_alone_decides_for_401_and_429() {
        for body in ["", "<html></html>", "stream timeout", "{}"] {
            assert_eq!(name(&class_of(401, body)), "token");
            let throttled = class_of(429, body);
            assert!(matches!(throttled, CallError::Throttled { retry_after: THROTTLE_WAIT, .. }));
            assert!(!throttled.may_have_committed());
        }
    }

    #[test]
    fn a_success_is_its_json_object() {
        let answer = Answer {
            status: 200,
            intuit_tid: None,
            retry_after: None,
            body: br#"{"TimeActivity":{"Id":"1"},"fault":null}"#.to_vec(),
        };
        assert_eq!(classify(answer, &Redactor::default()).unwrap()["TimeActivity"]["Id"], "1");
    }

    fn waited(retry_after_says: &str, date: Option<&str>) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, retry_after_says.parse().unwrap());
        if let Some(date) = date {
            headers.insert(DATE, date.parse().unwrap());
        }
        let wait = retry_after(&headers);
        match failure(429, None, None, wait) {
            CallError::Throttled { retry_after, .. } => Some(retry_after.as_secs()),
            _ => None,
        }
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date_and_kept_within_bounds() {
        let date = Some("Fri, 20 Nov 2026 16:00:00 GMT");
        assert_eq!(waited("7", None), Some(7));
        assert_eq!(waited("0", None), Some(1));
        assert_eq!(waited("86400", None), Some(600));
        assert_eq!(waited("99999999999999999999999", None), Some(600));
        assert_eq!(waited("Fri, 20 Nov 2026 16:01:30 GMT", date), Some(90));
        assert_eq!(waited("Fri, 20 Nov 2026 15:00:00 GMT", date), Some(1));
        assert_eq!(waited("Sat, 21 Nov 2026 16:00:00 GMT", date), Some(600));
        assert_eq!(waited("Fri, 20 Nov 2026 16:01:30 GMT", None), Some(60));
        assert_eq!(waited("soon", date), Some(60));
        assert_eq!(waited("-5", date), Some(60));
        assert_eq!(waited("", date), Some(60));
    }
}
