//! The 429, in the form that the switches ask for.

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::Response,
};
use jiff::{Timestamp, tz::TimeZone};

use super::{Limits, RefusalBody};
use crate::fault::{Fault, wire_instant};

/// The answer to a call that a limit or the monthly meter refuses. Both look alike: Intuit says 429
/// for both and nothing is known of a difference.
pub(crate) fn refusal(limits: &Limits, now: Timestamp, zone: &TimeZone) -> Response {
    let fault = Fault::throttled();
    let mut response = fault.response(now, zone);
    if limits.body == RefusalBody::Xml {
        // Recorded in 2016 and 2017 (PHP SDK issue 54, quickbooks-ruby pull request 348).
        let xml = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\
             <IntuitResponse time=\"{}\" xmlns=\"http://schema.intuit.com/finance/v3\">\
             <Fault type=\"SERVICE\"><Error code=\"{}\"><Message>{}</Message><Detail>{}</Detail>\
             </Error></Fault></IntuitResponse>",
            wire_instant(now, zone),
            fault.code,
            fault.message,
            fault.detail,
        );
        *response.body_mut() = Body::from(xml);
        let kind = HeaderValue::from_static("application/xml;charset=UTF-8");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    if let Some(seconds) = limits.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
