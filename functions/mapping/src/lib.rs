//! Who is who: workers and employees, projects and customers, cost codes and service items or classes.
//!
//! Saving a mapping looks again at the timecards that failed for want of one.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use domain::ids::CompanyId;
use domain::mapping::Mapping;
use domain::work::Lane;
use jiff::Timestamp;
use platform::audit::{Action, AuditLog, Entry};
use platform::caller::{Caller, Permission};
use platform::clock::Clock;
use platform::companies::Companies;
use platform::documents::{Documents, MAX_BYTES, Saved, Versioned};
use platform::doorbell::Doorbell;
use platform::erasure::Erasures;
use platform::http::{BASE, CompanyOfQuery, JsonBody, version_read};
use platform::keys::Task;
use platform::problem::Problem;
use platform::work::{NewWork, Work};
use serde::Serialize;

/// What the function works with.
#[derive(Clone)]
pub struct MappingApi {
    /// Mappings.
    pub mappings: Documents<Mapping>,
    /// For the catch-up.
    pub companies: Companies,
    /// For the catch-up.
    pub work: Work,
    /// For the catch-up.
    pub doorbell: Doorbell,
    /// Companies that were deleted: nothing is taken for them.
    pub erasures: Erasures,
    /// Who changed what.
    pub audit: AuditLog,
    /// The clock.
    pub clock: Clock,
}

/// The routes.
pub fn router(api: MappingApi) -> Router {
    Router::new().route(&format!("{BASE}/mapping"), get(read).put(save)).with_state(api)
}

/// The mapping as the PRD names it, with its version, who saved it and when.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    company_id: CompanyId,
    #[serde(flatten)]
    mapping: Mapping,
}

impl Answer {
    fn new(company_id: CompanyId, stored: Versioned<Mapping>) -> Self {
        let mut mapping = stored.document;
        mapping.version = stored.version;
        mapping.updated_by = stored.updated_by;
        mapping.updated_at = stored.updated_at.and_then(|at| Timestamp::from_millisecond(at).ok());
        Self { company_id, mapping }
    }
}

async fn read(
    State(api): State<MappingApi>,
    caller: Caller,
    CompanyOfQuery(company): CompanyOfQuery,
) -> Result<Json<Answer>, Problem> {
    caller.may(Permission::Read, &company)?;
    let mapping = api.mappings.current(&company).await?;
    Ok(Json(Answer::new(company, mapping)))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Accepted {
    success: bool,
    version: u64,
}

async fn save(
    State(api): State<MappingApi>,
    caller: Caller,
    body: JsonBody,
) -> Result<Json<Accepted>, Problem> {
    let company = body.company()?;
    caller.may(Permission::Administer, &company)?;
    if api.erasures.is_deleted(&company).await? {
        return Err(Problem::company_deleted());
    }
    let Some(wanted) = body.0.get("mapping") else {
        return Err(Problem::field(
            "mapping",
            "missing",
            "mapping is missing.",
            "Send {\"companyId\": …, \"mapping\": {\"employeeMapping\": […], …}}.",
        ));
    };
    let mapping = Mapping::from_json(wanted).map_err(Problem::invalid)?;
    let before = api.mappings.current(&company).await?;
    if version_read(wanted, "mapping.version")?.is_some_and(|seen| seen != before.version) {
        return Err(changed_meanwhile());
    }
    let now = api.clock.now().await;
    let saved = api.mappings.save(&company, before.version, &mapping, &caller.subject, now).await?;
    let version = match saved {
        Saved::Version(version) => version,
        Saved::Conflict => return Err(changed_meanwhile()),
        Saved::TooLarge(bytes) => {
            return Err(Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "mapping-too-large",
                "The mapping is too large",
                format!(
                    "It takes {bytes} bytes, and at most {MAX_BYTES} can be stored. Remove workers, projects and cost codes that are not used any more."
                ),
            ));
        }
    };
    let entry = Entry::success(&company, Action::SaveMapping, &caller.subject)
        .record(format!("version {version}"));
    api.audit.write(&[entry], now).await?;
    api.look_again(&company, now).await?;
    Ok(Json(Accepted { success: true, version }))
}

fn changed_meanwhile() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "changed-meanwhile",
        "Somebody else changed the mapping",
        "Read the mapping again, make your change on top of it, and save.",
    )
}

impl MappingApi {
    async fn look_again(&self, company: &CompanyId, now: Timestamp) -> Result<(), Problem> {
        let catch_up = NewWork {
            company: company.clone(),
            lane: Lane::Normal,
            task: Task::CatchUp,
            due: now,
            job: None,
        };
        self.work.add(&[catch_up]).await?;
        if self.companies.enqueue(company, false, now, now).await? {
            self.doorbell.ring(company, Lane::Normal).await?;
        }
        Ok(())
    }
}
