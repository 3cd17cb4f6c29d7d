//! Problem details (RFC 9457): what a caller sees when a request cannot be done.
//!
//! What we log and what the caller sees are two messages: an internal error's cause is logged where it
//! is handled, the caller gets a sentence and the request's id in the response headers.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::problem::FieldError;
use serde::Serialize;

use crate::error::Error;

/// Where the codes are explained.
const TYPE_BASE: &str = "https://quickbooks-connector.example/problems/";

/// A field error, with its row where a list was sent.
#[derive(Debug, Clone, Serialize)]
pub struct RowError {
    /// Position in the list, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<usize>,
    /// What is wrong and what to do.
    #[serde(flatten)]
    pub error: FieldError,
}

impl From<FieldError> for RowError {
    fn from(error: FieldError) -> Self {
        Self { index: None, error }
    }
}

/// A request that cannot be done, and what to do about it.
#[derive(Debug, Clone, Serialize)]
pub struct Problem {
    /// Identifies the kind of problem.
    #[serde(rename = "type")]
    kind: String,
    /// The kind, in words.
    title: &'static str,
    /// HTTP status.
    #[serde(serialize_with = "status_number")]
    status: StatusCode,
    /// This occurrence, and what to do.
    detail: String,
    /// Stable, for programs.
    code: &'static str,
    /// The fields at fault.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<RowError>,
    /// Whole seconds after which trying again makes sense.
    #[serde(skip_serializing_if = "Option::is_none", rename = "retryAfter")]
    retry_after: Option<u32>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn status_number<S: serde::Serializer>(status: &StatusCode, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u16(status.as_u16())
}

impl Problem {
    /// A problem of a stable kind.
    pub fn new(
        status: StatusCode,
        code: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            kind: format!("{TYPE_BASE}{code}"),
            title,
            status,
            detail: detail.into(),
            code,
            errors: Vec::new(),
            retry_after: None,
        }
    }

    /// Adds the fields at fault.
    #[must_use]
    pub fn errors(mut self, errors: impl IntoIterator<Item = impl Into<RowError>>) -> Self {
        self.errors = errors.into_iter().map(Into::into).collect();
        self
    }

    /// Adds when to try again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// A company that is not in the caller's token: the same answer whether it exists or not.
    pub fn company_not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "company-not-found",
            "No such company",
            "Your token gives no access to this company, or it does not exist. Check companyId and sign in as one of its users.",
        )
    }

    /// The caller's role does not allow it.
    pub fn role_not_allowed(needed: &str) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "role-not-allowed",
            "Your role does not allow this",
            format!("This needs {needed}. Ask an admin of the company."),
        )
    }

    /// The company has no live connection.
    pub fn not_connected() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "not-connected",
            "Not connected to QuickBooks",
            "Connect the company to QuickBooks first. Timecards are accepted meanwhile and wait.",
        )
    }

    /// The host app has deleted the company, and nothing is taken for it any more.
    pub fn company_deleted() -> Self {
        Self::new(
            StatusCode::GONE,
            "company-deleted",
            "The company was deleted",
            "Your app deleted this company, and all of its data was erased here. Connect it to QuickBooks again to begin anew.",
        )
    }

    /// The host app has deleted the company a moment ago, and its data is being erased.
    pub fn company_being_erased() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "company-being-erased",
            "The company's data is being erased",
            "Your app deleted this company a moment ago. Connect it in ten minutes, when all of its old data is gone.",
        )
        .retry_after(600)
    }

    /// Fields of the request are missing or wrong.
    pub fn invalid(errors: impl IntoIterator<Item = impl Into<RowError>>) -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid-request",
            "Some fields are missing or wrong",
            "Correct the listed fields and send the request again.",
        )
        .errors(errors)
    }

    /// One field is missing or wrong.
    pub fn field(
        field: &str,
        code: &str,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self::invalid([FieldError {
            field: field.to_owned(),
            code: code.to_owned(),
            message: message.into(),
            fix: fix.into(),
        }])
    }

    /// Something on our side; the cause is in the log.
    pub fn internal() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "temporarily-unavailable",
            "Temporarily unavailable",
            "Something on our side did not answer. Nothing was lost; send the same request again in a few seconds.",
        )
        .retry_after(5)
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        tracing::error!(%error, "a request failed on our side");
        Self::internal()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status;
        let retry_after = self.retry_after;
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
