//! Requests in: bodies and parameters that are missing, too large or not JSON become problems that
//! say what to do.

use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::{Router, body};
use domain::ids::CompanyId;
use lambda_http::RequestExt;
use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpRequestContext;
use lambda_http::request::RequestContext;
use serde_json::Value;

use crate::activity::{self, Activity};
use crate::deadline::{self, OutOfTime};
use crate::problem::Problem;

/// The largest request body, in bytes (S1); a Lambda function gets at most 6 MB, base64 included.
pub const MAX_BODY: usize = 4 * 1024 * 1024;
/// The base path of every route.
pub const BASE: &str = "/api/v1/integrations/quickbooks";

/// A JSON object from the request's body.
#[derive(Debug)]
pub struct JsonBody(pub Value);

impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let content_type = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        if content_type != "application/json" {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not-json",
                "The body is not declared as JSON",
                "Send the header `Content-Type: application/json`.",
            ));
        }
        let bytes = body::to_bytes(request.into_body(), MAX_BODY).await.map_err(|_| {
            Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "body-too-large",
                "The body is too large",
                "A body holds at most 4 MB. Send fewer timecards in one request.",
            )
        })?;
        let value: Value = serde_json::from_slice(&bytes).map_err(|error| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                "invalid-json",
                "The body is not valid JSON",
                format!(
                    "Parsing stopped at line {}, column {}. Send one JSON object in UTF-8.",
                    error.line(),
                    error.column()
                ),
            )
        })?;
        if value.is_object() {
            Ok(Self(value))
        } else {
            Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "invalid-json",
                "The body is not a JSON object",
                "Send one JSON object, not a list or a single value.",
            ))
        }
    }
}

impl JsonBody {
    /// The body's `companyId`.
    pub fn company(&self) -> Result<CompanyId, Problem> {
        match self.0.get("companyId") {
            Some(Value::String(text)) => company_id(Some(text)),
            None | Some(Value::Null) => company_id(None),
            Some(_) => Err(Problem::field(
                "companyId",
                "wrong-type",
                "companyId is no text.",
                "Send the company's id in quotes.",
            )),
        }
    }
}

/// [`public_url`] of the request.
#[derive(Debug)]
pub struct Origin(pub String);

impl<S: Sync> FromRequestParts<S> for Origin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        public_url(parts).map(Self)
    }
}

/// The `version` that a change was made on top of, if the caller names one; `field` is its whole name.
///
/// # Errors
/// If it is no whole number: taken for none, the change would replace whatever somebody else has saved.
pub fn version_read(wanted: &Value, field: &str) -> Result<Option<u64>, Problem> {
    match wanted.get("version") {
        None | Some(Value::Null) => Ok(None),
        Some(version) => version.as_u64().map(Some).ok_or_else(|| {
            Problem::field(
                field,
                "wrong-type",
                format!("{field} is no whole number."),
                "Send the version that you read, as a number, or leave it out.",
            )
        }),
    }
}

/// The query's `companyId`.
#[derive(Debug)]
pub struct CompanyOfQuery(pub CompanyId);

impl<S: Sync> FromRequestParts<S> for CompanyOfQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        company_id(query_value(parts, "companyId").as_deref()).map(Self)
    }
}

/// The `companyId` of a request that has it in its query or in its JSON body; in both, they must agree.
#[derive(Debug)]
pub struct CompanyOfQueryOrJsonBody(pub CompanyId);

impl<S: Send + Sync> FromRequest<S> for CompanyOfQueryOrJsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let in_query = query_value(&parts, "companyId").is_some();
        let declared = parts.headers.contains_key(header::CONTENT_TYPE);
        if in_query {
            let CompanyOfQuery(company) =
                CompanyOfQuery::from_request_parts(&mut parts, state).await?;
            let bytes = body::to_bytes(body, MAX_BODY).await.unwrap_or_default();
            if bytes.is_empty() || !declared {
                return Ok(Self(company));
            }
            let request = Request::from_parts(parts, bytes.into());
            let body = JsonBody::from_request(request, state).await?;
            if body.0.get("companyId").is_some() && body.company()? != company {
                return Err(Problem::field(
                    "companyId",
                    "contradictory",
                    "The query and the body name different companies.",
                    "Name the company once.",
                ));
            }
            return Ok(Self(company));
        }
        let request = Request::from_parts(parts, body);
        if !declared {
            return Err(company_id(None).err().unwrap_or_else(Problem::company_not_found));
        }
        JsonBody::from_request(request, state).await?.company().map(Self)
    }
}

/// The origin under which browsers reach this API: `PUBLIC_URL`, else the address that the gateway says
/// it was called at. The gateway checks that name; a `Host` header of the caller's making never counts.
pub fn public_url(parts: &Parts) -> Result<String, Problem> {
    if let Some(url) = crate::config::optional("PUBLIC_URL") {
        return Ok(url.trim_end_matches('/').to_owned());
    }
    match parts.extensions.get::<RequestContext>() {
        Some(RequestContext::ApiGatewayV2(ApiGatewayV2httpRequestContext {
            domain_name: Some(name),
            ..
        })) => Ok(format!("https://{name}")),
        _ => Err(crate::Error::Configuration {
            name: "PUBLIC_URL".to_owned(),
            reason: "is not set, and the gateway names no domain".to_owned(),
        }
        .into()),
    }
}

/// A value of the query string, decoded; the first one if it is there several times.
pub fn query_value(parts: &Parts, name: &str) -> Option<String> {
    url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

fn company_id(text: Option<&str>) -> Result<CompanyId, Problem> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Err(Problem::field(
            "companyId",
            "missing",
            "companyId is missing.",
            "Say which company the request is about.",
        ));
    };
    // An id that cannot exist answers as one that does not.
    text.parse().map_err(|_| Problem::company_not_found())
}

/// Finishes a router: unknown routes and methods answer with problems, bodies are limited by
/// [`JsonBody`] instead of by axum, answers are never cached, what the caller may do counts as a use of the
/// company's connection, and what takes longer than the function may is answered with a problem.
pub fn finish(router: Router, activity: Activity) -> Router {
    router
        .fallback(async || {
            Problem::new(
                StatusCode::NOT_FOUND,
                "no-such-route",
                "No such route",
                "See openapi.yaml for the routes there are.",
            )
        })
        .method_not_allowed_fallback(async || {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "no-such-method",
                "This route has no such method",
                "See openapi.yaml for the methods there are.",
            )
        })
        .layer(DefaultBodyLimit::disable())
        .layer(axum::middleware::from_fn_with_state(activity, activity::beside))
        .layer(axum::middleware::from_fn(in_time))
        .layer(axum::middleware::map_response(async |mut response: Response| {
            response
                .headers_mut()
                .entry(header::CACHE_CONTROL)
                .or_insert(axum::http::HeaderValue::from_static("no-store"));
            response
        }))
}

async fn in_time(request: Request, next: Next) -> Response {
    let Some(invocation) = request.lambda_context_ref().cloned() else {
        return next.run(request).await;
    };
    let answer = deadline::in_time(&invocation, next.run(request)).await;
    answer.unwrap_or_else(|OutOfTime| Problem::internal().into_response())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_company_id_of_another_type_is_not_called_missing() {
        for (body, code) in [
            (json!({}), "missing"),
            (json!({ "companyId": null }), "missing"),
            (json!({ "companyId": "" }), "missing"),
            (json!({ "companyId": 7 }), "wrong-type"),
            (json!({ "companyId": ["acme"] }), "wrong-type"),
        ] {
            let problem = JsonBody(body.clone()).company().unwrap_err();
            let shown = serde_json::to_value(problem).unwrap();
            assert_eq!(shown["errors"][0]["code"], code, "{body}");
        }
        let acme = JsonBody(json!({ "companyId": "acme" })).company().unwrap();
        assert_eq!(acme.as_str(), "acme");
    }

    #[test]
    fn a_version_that_is_no_whole_number_is_refused_and_not_taken_for_none() {
        let read = |version: Value| version_read(&json!({ "version": version }), "mapping.version");
        assert_eq!(version_read(&json!({}), "version").unwrap(), None);
        assert_eq!(read(Value::Null).unwrap(), None);
        assert_eq!(read(json!(0)).unwrap(), Some(0));
        assert_eq!(read(json!(4)).unwrap(), Some(4));
        for wrong in [json!("4"), json!(-1), json!(4.5), json!([4]), json!(true)] {
            let shown = serde_json::to_value(read(wrong.clone()).unwrap_err()).unwrap();
            assert_eq!(shown["errors"][0]["code"], "wrong-type", "{wrong}");
            assert_eq!(shown["errors"][0]["field"], "mapping.version", "{wrong}");
        }
    }
}
