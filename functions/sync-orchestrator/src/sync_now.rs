//! `POST /sync-now`: makes a job of work items.
//!
//! Named timecards become work items here, in the urgent lane, since a person waits for them. A job
//! over everything becomes one work item that sync-worker turns into the rest under the company's lease.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::ids::{CompanyId, JobId, TimecardId};
use domain::problem::FieldError;
use domain::work::Lane;
use jiff::Timestamp;
use platform::audit::{Action, Entry};
use platform::caller::{Caller, Permission};
use platform::connections::ConnectionStatus;
use platform::http::JsonBody;
use platform::jobs::{Direction, Extent, Job, JobEntity};
use platform::keys::Task;
use platform::problem::{Problem, RowError};
use platform::work::NewWork;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use crate::Orchestrator;

/// Timecards that one job may name.
pub const MOST: usize = 500;

/// The answer: the job is stored and will run.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Queued {
    job_id: JobId,
    message: &'static str,
}

/// What was asked for, checked.
struct Asked {
    timecards: Option<Vec<TimecardId>>,
    entities: Vec<JobEntity>,
    direction: Direction,
    extent: Extent,
    lane: Lane,
}

/// Makes a job and rings.
pub async fn sync_now(
    State(orchestrator): State<Orchestrator>,
    caller: Caller,
    body: JsonBody,
) -> Result<(StatusCode, Json<Queued>), Problem> {
    let company = body.company()?;
    caller.may(Permission::Deliver, &company)?;
    let connection = orchestrator.connections.get(&company).await?;
    if !connection.is_some_and(|connection| connection.status == ConnectionStatus::Connected) {
        return Err(Problem::not_connected());
    }
    let live = orchestrator.settings.current(&company).await?.document.live_sync;
    let asked = read(&body.0, live)?;
    if !live && asked.entities.contains(&JobEntity::Timecards) {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "live-sync-off",
            "Live sync is off",
            "Timecards wait until live sync is switched on in Settings. Employees and customers can be read now: name them in entities.",
        ));
    }
    let now = orchestrator.clock.now().await;
    let job_id: JobId = Uuid::now_v7()
        .to_string()
        .parse()
        .map_err(|error| platform::Error::unreadable("a new job id", error))?;
    let mut job = Job::new(
        job_id.clone(),
        company.clone(),
        asked.entities.clone(),
        asked.lane,
        caller.subject.clone(),
        now,
    );
    job.direction = asked.direction;
    job.extent = asked.extent;
    match &asked.timecards {
        Some(timecards) => orchestrator.queue_timecards(&job, timecards, now).await?,
        None => orchestrator.queue_plan(&job, now).await?,
    }
    let only_reads = asked.timecards.is_none();
    if orchestrator.companies.enqueue(&company, only_reads, now, now).await?
        || asked.lane == Lane::Urgent
    {
        orchestrator.doorbell.ring(&company, asked.lane).await?;
    }
    let entry =
        Entry::success(&company, Action::SyncNow, &caller.subject).record(job_id.to_string());
    orchestrator.audit.write(&[entry], now).await?;
    Ok((StatusCode::ACCEPTED, Json(Queued { job_id, message: "Sync job queued" })))
}

impl Orchestrator {
    async fn queue_timecards(
        &self,
        job: &Job,
        timecards: &[TimecardId],
        now: Timestamp,
    ) -> Result<(), Problem> {
        let stored = self.records.timecards(&job.company, timecards).await?;
        let unknown = timecards.iter().enumerate().filter(|(_, id)| !stored.contains_key(*id));
        let errors: Vec<RowError> = unknown
            .map(|(index, id)| RowError {
                index: Some(index),
                error: FieldError {
                    field: format!("timecardIds[{index}]"),
                    code: "not-found".to_owned(),
                    message: format!("There is no timecard {id}."),
                    fix: "Send the timecard first, or leave it out.".to_owned(),
                },
            })
            .collect();
        if !errors.is_empty() {
            return Err(Problem::invalid(errors));
        }
        self.jobs.create(job).await?;
        // The same card twice is one piece of work.
        let wanted: BTreeSet<&TimecardId> = timecards.iter().collect();
        let work: Vec<NewWork> = wanted
            .into_iter()
            .map(|id| new_work(&job.company, job, Task::Timecard(id.clone()), now))
            .collect();
        self.jobs.planned(&job.job, work.len() as u64, now).await?;
        self.work.add(&work).await?;
        Ok(())
    }

    async fn queue_plan(&self, job: &Job, now: Timestamp) -> Result<(), Problem> {
        self.jobs.create(job).await?;
        let mut plan = new_work(&job.company, job, Task::Plan(job.job.clone()), now);
        plan.job = None;
        self.work.add(&[plan]).await?;
        Ok(())
    }
}

fn new_work(company: &CompanyId, job: &Job, task: Task, now: Timestamp) -> NewWork {
    NewWork { company: company.clone(), lane: job.lane, task, due: now, job: Some(job.job.clone()) }
}

/// Reads the request. What is not said takes the widest meaning that works now.
fn read(body: &Value, live: bool) -> Result<Asked, Problem> {
    let mut errors = Vec::new();
    let timecards = timecard_ids(body, &mut errors);
    let entities: Option<BTreeSet<JobEntity>> = word(
        body,
        "entities",
        "Send a list of: timecards, employees, customers, items, classes.",
        &mut errors,
    );
    let direction: Direction =
        word(body, "direction", "Send in, out or both.", &mut errors).unwrap_or_default();
    let extent: Extent =
        word(body, "type", "Send full or incremental.", &mut errors).unwrap_or_default();
    let lane: Option<Lane> =
        word(body, "priority", "Send urgent, normal or background.", &mut errors);
    if !errors.is_empty() {
        return Err(Problem::invalid(errors));
    }
    let wanted = entities.unwrap_or_else(|| {
        use JobEntity::{Classes, Customers, Employees, Items, Timecards};
        let all = [Timecards, Employees, Customers, Items, Classes];
        all.into_iter().filter(|entity| live || *entity != Timecards).collect()
    });
    let entities: Vec<JobEntity> = if timecards.is_some() {
        vec![JobEntity::Timecards]
    } else {
        wanted
            .into_iter()
            .filter(|entity| match direction {
                Direction::Both => true,
                Direction::Out => *entity == JobEntity::Timecards,
                Direction::In => *entity != JobEntity::Timecards,
            })
            .collect()
    };
    if entities.is_empty() {
        return Err(Problem::field(
            "entities",
            "nothing-to-do",
            "No entity moves in this direction.",
            "Timecards go out; employees, customers, items and classes come in.",
        ));
    }
    let lane = lane.unwrap_or(if timecards.is_some() { Lane::Urgent } else { Lane::Normal });
    Ok(Asked { timecards, entities, direction, extent, lane })
}

fn timecard_ids(body: &Value, errors: &mut Vec<FieldError>) -> Option<Vec<TimecardId>> {
    let value = body.get("timecardIds").filter(|value| !value.is_null())?;
    let mut wrong = |code: &str, message: String| {
        errors.push(FieldError {
            field: "timecardIds".to_owned(),
            code: code.to_owned(),
            message,
            fix: format!("Send a list of 1 to {MOST} timecard ids, or leave it out."),
        });
        None
    };
    let Some(rows) = value.as_array() else {
        return wrong("wrong-type", "timecardIds is not a list.".to_owned());
    };
    if rows.is_empty() || rows.len() > MOST {
        return wrong("wrong-number", format!("timecardIds has {} entries.", rows.len()));
    }
    let mut ids: Vec<TimecardId> = Vec::with_capacity(rows.len());
    for row in rows {
        let Some(id) = row.as_str().and_then(|id| id.parse().ok()) else {
            return wrong(
                "invalid-id",
                "timecardIds has an entry that is no timecard id.".to_owned(),
            );
        };
        ids.push(id);
    }
    Some(ids)
}

fn word<T: DeserializeOwned>(
    body: &Value,
    field: &str,
    fix: &str,
    errors: &mut Vec<FieldError>,
) -> Option<T> {
    let value = body.get(field).filter(|value| !value.is_null())?;
    let read = serde_json::from_value(value.clone()).ok();
    if read.is_none() {
        errors.push(FieldError {
            field: field.to_owned(),
            code: "unknown-choice".to_owned(),
            message: format!("{field} has a value that is not known."),
            fix: fix.to_owned(),
        });
    }
    read
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn named_timecards_are_urgent_unless_said_otherwise() {
        let asked = read(&json!({"timecardIds": ["t1"]}), true).unwrap();
        assert_eq!((asked.lane, asked.entities), (Lane::Urgent, vec![JobEntity::Timecards]));
        let asked = read(&json!({"timecardIds": ["t1"], "priority": "background"}), true).unwrap();
        assert_eq!(asked.lane, Lane::Background);
    }

    #[test]
    fn without_live_sync_everything_means_everything_that_is_read() {
        let asked = read(&json!({}), false).unwrap();
        assert!(!asked.entities.contains(&JobEntity::Timecards));
        assert_eq!(asked.entities.len(), 4);
    }

    #[test]
    fn a_direction_leaves_out_what_does_not_move_that_way() {
        let asked = read(&json!({"direction": "out"}), true).unwrap();
        assert_eq!(asked.entities, vec![JobEntity::Timecards]);
        let problem = read(&json!({"direction": "out", "entities": ["employees"]}), true);
        assert!(problem.is_err());
    }

    #[test]
    fn every_wrong_field_is_named_at_once() {
        let body = json!({"timecardIds": 5, "entities": ["boats"], "direction": "up", "type": 1, "priority": "now"});
        let problem = serde_json::to_value(read(&body, true).err().unwrap()).unwrap();
        let fields: Vec<_> =
            problem["errors"].as_array().unwrap().iter().map(|row| row["field"].clone()).collect();
        assert_eq!(fields, ["timecardIds", "entities", "direction", "type", "priority"]);
    }
}
