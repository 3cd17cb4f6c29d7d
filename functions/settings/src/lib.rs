//! A company's settings: live sync, time zone, `syncFrom`, recipients, automatic refresh.
//!
//! Switching live sync off is one write on the company row: work stays in the list and waits. Switching
//! it on lets it run, and looks again at what failed for a reason that may be gone.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use domain::ids::CompanyId;
use domain::settings::Settings;
use domain::work::Lane;
use jiff::Timestamp;
use platform::audit::{Action, AuditLog, Entry};
use platform::caller::{Caller, Permission};
use platform::clock::Clock;
use platform::companies::{Companies, CompanyState};
use platform::connections::{ConnectionStatus, Connections};
use platform::documents::{Documents, Saved, Versioned};
use platform::doorbell::Doorbell;
use platform::erasure::Erasures;
use platform::http::{BASE, CompanyOfQuery, JsonBody, version_read};
use platform::keys::Task;
use platform::problem::Problem;
use platform::work::{NewWork, Work};
use serde::Serialize;

/// What the function works with.
#[derive(Clone)]
pub struct SettingsApi {
    /// Settings.
    pub settings: Documents<Settings>,
    /// Whether there is a live connection.
    pub connections: Connections,
    /// What runs.
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
pub fn router(api: SettingsApi) -> Router {
    Router::new().route(&format!("{BASE}/settings"), get(read).put(save)).with_state(api)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    company_id: CompanyId,
    #[serde(flatten)]
    settings: Settings,
    version: u64,
    updated_by: Option<String>,
    updated_at: Option<Timestamp>,
}

impl Answer {
    fn new(company_id: CompanyId, settings: Versioned<Settings>) -> Self {
        Self {
            company_id,
            settings: settings.document,
            version: settings.version,
            updated_by: settings.updated_by,
            updated_at: settings.updated_at.and_then(|at| Timestamp::from_millisecond(at).ok()),
        }
    }
}

async fn read(
    State(api): State<SettingsApi>,
    caller: Caller,
    CompanyOfQuery(company): CompanyOfQuery,
) -> Result<Json<Answer>, Problem> {
    caller.may(Permission::Read, &company)?;
    let settings = api.settings.current(&company).await?;
    Ok(Json(Answer::new(company, settings)))
}

async fn save(
    State(api): State<SettingsApi>,
    caller: Caller,
    body: JsonBody,
) -> Result<Json<Answer>, Problem> {
    let company = body.company()?;
    caller.may(Permission::Administer, &company)?;
    if api.erasures.is_deleted(&company).await? {
        return Err(Problem::company_deleted());
    }
    let before = api.settings.current(&company).await?;
    if version_read(&body.0, "version")?.is_some_and(|seen| seen != before.version) {
        return Err(changed_meanwhile());
    }
    let settings = before.document.apply(&body.0).map_err(Problem::invalid)?;
    let now = api.clock.now().await;
    match api.settings.save(&company, before.version, &settings, &caller.subject, now).await? {
        Saved::Version(_) => {}
        Saved::Conflict => return Err(changed_meanwhile()),
        Saved::TooLarge(_) => {
            return Err(Problem::field(
                "recipients",
                "too-large",
                "The settings are too large to be stored.",
                "Name fewer recipients.",
            ));
        }
    }
    let entry = Entry::success(&company, Action::SaveSettings, &caller.subject)
        .record(format!("version {}", before.version + 1));
    api.audit.write(&[entry], now).await?;
    api.let_run(&company, &settings, now).await?;
    let saved = api.settings.current(&company).await?;
    Ok(Json(Answer::new(company, saved)))
}

fn changed_meanwhile() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "changed-meanwhile",
        "Somebody else changed the settings",
        "Read the settings again, make your change on top of them, and save.",
    )
}

impl SettingsApi {
    /// Lets the company's work run as the settings say. A company without a live connection stays
    /// paused; connecting reads the settings.
    async fn let_run(
        &self,
        company: &CompanyId,
        settings: &Settings,
        now: Timestamp,
    ) -> Result<(), Problem> {
        let connection = self.connections.get(company).await?;
        if !connection.is_some_and(|connection| connection.status == ConnectionStatus::Connected) {
            return Ok(());
        }
        let state = if settings.live_sync {
            // A change of zone or of syncFrom may make sendable what was not.
            let catch_up = NewWork {
                company: company.clone(),
                lane: Lane::Normal,
                task: Task::CatchUp,
                due: now,
                job: None,
            };
            self.work.add(&[catch_up]).await?;
            CompanyState::Live
        } else {
            CompanyState::Inward
        };
        if self.companies.set_state(company, state, now).await? {
            self.doorbell.ring(company, Lane::Normal).await?;
        }
        Ok(())
    }
}
