//! `POST /timecards`: one timecard, or a list of up to 500.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use domain::problem::FieldError;
use domain::timecard::Timecard;
use domain::work::{Lane, SyncStatus};
use platform::caller::{Caller, Permission};
use platform::http::{BASE, JsonBody};
use platform::problem::{Problem, RowError};
use serde::Serialize;
use serde_json::Value;

use crate::Intake;
use crate::accept::Outcome;

/// Timecards in one request: with 4 MB a body, well inside the function's 30 s.
pub const MOST: usize = 500;

/// The routes.
pub fn router(intake: Intake) -> Router {
    Router::new().route(&format!("{BASE}/timecards"), post(deliver)).with_state(intake)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    accepted: usize,
    refused: usize,
    results: Vec<Row>,
}

/// What became of one timecard; ids as they were sent.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    company_id: Value,
    timecard_id: Value,
    version: Value,
    accepted: bool,
    duplicate: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<SyncStatus>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
}

async fn deliver(
    State(intake): State<Intake>,
    caller: Caller,
    body: JsonBody,
) -> Result<Response, Problem> {
    match body.0.get("timecards") {
        None => one(&intake, &caller, &body.0).await,
        Some(Value::Array(rows)) => many(&intake, &caller, rows).await,
        Some(_) => Err(Problem::field(
            "timecards",
            "wrong-type",
            "timecards is not a list.",
            "Send {\"timecards\": [{…}, …]}, or one timecard as the body.",
        )),
    }
}

async fn one(intake: &Intake, caller: &Caller, row: &Value) -> Result<Response, Problem> {
    let company = JsonBody(row.clone()).company()?;
    caller.may(Permission::Deliver, &company)?;
    let card = Timecard::from_json(row).map_err(Problem::invalid)?;
    let now = intake.clock.now().await;
    let outcomes = intake.accept(&[card], Lane::Normal, &caller.subject, now).await?;
    let conflict = match outcomes.first() {
        Some(Outcome::OfDeletedCompany(_)) => return Err(Problem::company_deleted()),
        Some(Outcome::Older(error)) => Some(("version-too-low", error)),
        Some(Outcome::Refused(error)) => Some(("version-has-other-body", error)),
        _ => None,
    };
    if let Some((code, error)) = conflict {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            code,
            "The timecard is stored already",
            format!("{} {}", error.message, error.fix),
        )
        .errors([error.clone()]));
    }
    let results = vec![answer(row, outcomes.into_iter().next())];
    Ok((StatusCode::ACCEPTED, Json(Answer { accepted: 1, refused: 0, results })).into_response())
}

async fn many(intake: &Intake, caller: &Caller, rows: &[Value]) -> Result<Response, Problem> {
    if rows.len() > MOST {
        return Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-many-timecards",
            "Too many timecards in one request",
            format!(
                "{} were sent, at most {MOST} are taken. Send them in several requests.",
                rows.len()
            ),
        ));
    }
    if rows.is_empty() {
        return Err(Problem::field(
            "timecards",
            "empty",
            "timecards is an empty list.",
            "Send at least one timecard.",
        ));
    }
    let refusals: Vec<Problem> = rows.iter().filter_map(|row| refused_to(caller, row)).collect();
    if refusals.len() == rows.len() {
        // Not one row is the caller's to deliver. A role that is too low says more than a wrong company.
        let role = refusals.iter().find(|problem| problem.code() == "role-not-allowed");
        return Err(role.cloned().unwrap_or_else(Problem::company_not_found));
    }
    let checked: Vec<Result<Timecard, Vec<FieldError>>> =
        rows.iter().map(|row| check(caller, row)).collect();
    let good: Vec<Timecard> =
        checked.iter().filter_map(|card| card.as_ref().ok()).cloned().collect();
    let now = intake.clock.now().await;
    let mut outcomes = intake.accept(&good, Lane::Normal, &caller.subject, now).await?.into_iter();
    let results: Vec<Row> = rows
        .iter()
        .zip(checked)
        .map(|(row, card)| match card {
            Ok(_) => answer(row, outcomes.next()),
            Err(errors) => Row { errors, ..answer(row, None) },
        })
        .collect();
    let accepted = results.iter().filter(|row| row.accepted).count();
    if accepted == 0 {
        let errors = results.iter().enumerate().flat_map(|(index, row)| {
            row.errors
                .iter()
                .map(move |error| RowError { index: Some(index), error: error.clone() })
        });
        return Err(Problem::invalid(errors));
    }
    let refused = results.len() - accepted;
    Ok((StatusCode::ACCEPTED, Json(Answer { accepted, refused, results })).into_response())
}

/// A row's timecard, if it is well-formed and of a company of the caller's.
fn check(caller: &Caller, row: &Value) -> Result<Timecard, Vec<FieldError>> {
    if let Some(problem) = refused_to(caller, row) {
        let (code, message, fix) = if problem.code() == "role-not-allowed" {
            (
                "role-not-allowed",
                "Your role in this company does not allow it.",
                "Ask an admin of the company.",
            )
        } else {
            (
                "company-not-found",
                "Your token gives no access to this company, or it does not exist.",
                "Check companyId, and sign in as one of its users.",
            )
        };
        return Err(vec![FieldError {
            field: "companyId".to_owned(),
            code: code.to_owned(),
            message: message.to_owned(),
            fix: fix.to_owned(),
        }]);
    }
    Timecard::from_json(row)
}

/// Why the caller may not deliver this row, if they may not. A row without a company is no question of
/// rights.
fn refused_to(caller: &Caller, row: &Value) -> Option<Problem> {
    let company = row.get("companyId").and_then(Value::as_str)?;
    match company.parse() {
        Ok(company) => caller.may(Permission::Deliver, &company).err(),
        Err(_) => None,
    }
}

fn answer(row: &Value, outcome: Option<Outcome>) -> Row {
    let sent = |name: &str| row.get(name).cloned().unwrap_or(Value::Null);
    let (accepted, duplicate, status, errors) = match outcome {
        Some(Outcome::Stored) => (true, false, Some(SyncStatus::Pending), Vec::new()),
        Some(Outcome::Duplicate(status)) => (true, true, Some(status), Vec::new()),
        Some(
            Outcome::Older(error) | Outcome::Refused(error) | Outcome::OfDeletedCompany(error),
        ) => (false, false, None, vec![error]),
        None => (false, false, None, Vec::new()),
    };
    Row {
        company_id: sent("companyId"),
        timecard_id: sent("timecardId"),
        version: sent("version"),
        accepted,
        duplicate,
        status,
        errors,
    }
}
