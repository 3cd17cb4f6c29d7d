//! `GET /sync-status/{jobId}`: how far a job is.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use domain::ids::{CompanyId, JobId};
use domain::work::JobStatus;
use jiff::Timestamp;
use platform::caller::{Caller, Permission};
use platform::jobs::{JobEntity, JobError};
use platform::problem::Problem;
use serde::Serialize;

use crate::Orchestrator;

/// How far a job is. `progress` never goes back.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    job_id: JobId,
    company_id: CompanyId,
    status: JobStatus,
    entities: Vec<JobEntity>,
    progress: u64,
    total: u64,
    created_at: Option<Timestamp>,
    started_at: Option<Timestamp>,
    completed_at: Option<Timestamp>,
    results: Results,
}

/// What came of it so far.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Results {
    synced: u64,
    failed: u64,
    nothing_to_do: u64,
    errors: Vec<JobError>,
}

/// Resolves the job to its company before it looks at the caller's role, so that a foreign job answers
/// as one that does not exist.
pub async fn sync_status(
    State(orchestrator): State<Orchestrator>,
    caller: Caller,
    Path(job_id): Path<String>,
) -> Result<Json<Status>, Problem> {
    let Ok(job_id) = job_id.parse::<JobId>() else { return Err(not_found()) };
    let Some(job) = orchestrator.jobs.get(&job_id).await? else { return Err(not_found()) };
    caller.may(Permission::ReadStatus, &job.company).map_err(|_| not_found())?;
    let errors = if job.failed > 0 { orchestrator.jobs.errors(&job_id).await? } else { Vec::new() };
    let time = |ms: i64| Timestamp::from_millisecond(ms).ok();
    Ok(Json(Status {
        status: job.status(),
        progress: job.progress(),
        total: job.total,
        created_at: time(job.created_at),
        started_at: job.started_at.and_then(time),
        completed_at: job.completed_at().and_then(time),
        results: Results {
            synced: job.synced,
            failed: job.failed,
            nothing_to_do: job.nothing,
            errors,
        },
        entities: job.entities,
        company_id: job.company,
        job_id: job.job,
    }))
}

fn not_found() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "job-not-found",
        "No such job",
        "There is no such job in your companies. Jobs are kept for 30 days.",
    )
}
