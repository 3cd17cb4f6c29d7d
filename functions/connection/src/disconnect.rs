//! `DELETE /disconnect`: an admin ends the company's connection. What that means step by step is in
//! [`platform::disconnect`].

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use domain::ids::CompanyId;
use jiff::Timestamp;
use platform::caller::{Caller, Permission};
use platform::http::CompanyOfQueryOrJsonBody;
use platform::problem::Problem;
use serde::Serialize;

use crate::Manage;

/// How long a refresh under way is waited for. With what follows, and [`REVOKE_WITHIN`], it fits into the
/// function's 29 s.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long Intuit has to take the access back.
pub const REVOKE_WITHIN: Duration = Duration::from_secs(4);

/// The answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Disconnected {
    success: bool,
    company_id: CompanyId,
    disconnected_at: Timestamp,
    revoked_at_intuit: bool,
}

/// Ends the connection. Said twice, it answers the same again.
pub async fn disconnect(
    State(manage): State<Manage>,
    caller: Caller,
    CompanyOfQueryOrJsonBody(company): CompanyOfQueryOrJsonBody,
) -> Result<Json<Disconnected>, Problem> {
    caller.may(Permission::Administer, &company)?;
    let ended = manage.disconnect.company(&company, &caller.subject, PATIENCE).await?;
    let ended = ended.ok_or_else(Problem::not_connected)?;
    Ok(Json(Disconnected {
        success: true,
        company_id: company,
        disconnected_at: ended.at,
        revoked_at_intuit: ended.revoked,
    }))
}
