//! A fault as it is asked for, and the answer it gives.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

use crate::{
    fault::{Fault, Shape},
    ids::Realm,
};

/// Where the connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Cut {
    /// Nothing is done.
    Before,
    /// The work is done and committed, then no answer is given.
    After,
}

impl Cut {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
        }
    }
}

/// What `faultShape` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ShapeName {
    #[default]
    Normal,
    Gateway,
}

/// A fault as the admin API takes it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Spec {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) method: Option<String>,
    /// Regular expression on path and query as sent, percent-encoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) realm: Option<Realm>,
    /// Regular expression on the request's body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) body: Option<String>,
    /// Regular expression on the JSON of one item of a batch, written without blanks and with sorted
    /// keys. With it the fault meets items, without it whole calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) batch_item: Option<String>,
    /// Matching calls to let through first.
    #[serde(default)]
    pub(super) skip: u64,
    /// Matching calls to break after those.
    #[serde(default = "once")]
    pub(super) times: u64,
    /// Milliseconds before the work is done.
    #[serde(default)]
    pub(super) delay_ms: u64,
    /// Milliseconds between the work and the answer.
    #[serde(default)]
    pub(super) delay_after_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) fault_code: Option<String>,
    #[serde(default)]
    pub(super) fault_shape: ShapeName,
    /// The `type` of the fault; by default one that fits shape and status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) fault_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) fault_message: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) fault_detail: Option<String>,
    /// The whole body of the answer, instead of a fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) raw_body: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) content_type: Option<String>,
    /// Value of a Retry-After header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) retry_after: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cut: Option<Cut>,
    /// With `status` or `rawBody`: do the work all the same, then answer the fault.
    #[serde(default)]
    pub(super) commit: bool,
    /// Whether it meets calls at the door, before tokens and limits are looked at, as an outage
    /// does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) door: bool,
    /// The scenario that armed it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) scenario: Option<String>,
}

impl Spec {
    /// The same fault as a part of `scenario`: for one company or all, `times` times.
    pub(crate) fn of_scenario(self, scenario: &str, realm: Option<Realm>, times: u64) -> Self {
        Self { scenario: Some(scenario.to_owned()), realm, times, ..self }
    }
}

fn once() -> u64 {
    1
}

impl Spec {
    /// Whether the fault has an answer that stands in for the real one.
    pub(super) fn answers(&self) -> bool {
        self.status.is_some() || self.fault_code.is_some() || self.raw_body.is_some()
    }

    pub(super) fn http_status(&self) -> StatusCode {
        let status = self.status.and_then(|status| StatusCode::from_u16(status).ok());
        status.unwrap_or(StatusCode::BAD_REQUEST)
    }

    /// The answer that stands in for the real one, if the fault has one.
    pub(super) fn answer(&self, now: Timestamp, zone: &TimeZone) -> Option<Response> {
        if !self.answers() {
            return None;
        }
        let status = self.http_status();
        let mut response = match &self.raw_body {
            Some(body) => {
                let mut response = Response::new(Body::from(body.clone()));
                *response.status_mut() = status;
                response
            }
            None => self.fault(status).response(now, zone),
        };
        let mut set = |name: header::HeaderName, value: &Option<String>| {
            if let Some(value) =
                value.as_deref().and_then(|value| HeaderValue::from_str(value).ok())
            {
                response.headers_mut().insert(name, value);
            }
        };
        set(header::CONTENT_TYPE, &self.content_type);
        set(header::RETRY_AFTER, &self.retry_after);
        Some(response)
    }

    pub(super) fn fault(&self, status: StatusCode) -> Fault {
        let usual = usual(status);
        let kind = self.fault_type.as_deref().unwrap_or("");
        let shape = match self.fault_shape {
            ShapeName::Gateway if kind == "AUTHENTICATION" => Shape::Gateway("AUTHENTICATION"),
            ShapeName::Gateway => match usual.shape {
                Shape::Gateway(kind) => Shape::Gateway(kind),
                Shape::Normal(_) => Shape::Gateway("SERVICE"),
            },
            ShapeName::Normal => Shape::Normal(match kind {
                "AuthenticationFault" => "AuthenticationFault",
                "AuthorizatonFault" => "AuthorizatonFault",
                "SystemFault" => "SystemFault",
                "ValidationFault" => "ValidationFault",
                _ if status.is_server_error() => "SystemFault",
                _ => "ValidationFault",
            }),
        };
        Fault {
            status,
            shape,
            code: self.fault_code.as_deref().map_or(usual.code, Into::into),
            message: self.fault_message.as_deref().map_or(usual.message, Into::into),
            detail: self.fault_detail.as_deref().map_or(usual.detail, Into::into),
            element: None,
        }
    }
}

/// The fault that goes with a status.
pub(super) fn usual(status: StatusCode) -> Fault {
    match status.as_u16() {
        429 => Fault::throttled(),
        401 => Fault::unauthenticated("Token expired"),
        403 => Fault::forbidden("The application was disconnected"),
        500.. => Fault::validation(
            "10000",
            "An application error has occurred while processing your request",
            "System Failure Error: Please try again later.",
        ),
        _ => Fault::validation("6000", "A business validation error has occurred", ""),
    }
}
