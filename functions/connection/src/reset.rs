//! `POST /reset`: a company that was disconnected starts over, so that it may connect another QuickBooks
//! company. What that means is in [`platform::start_over`].

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::ids::{CompanyId, RealmId};
use jiff::Timestamp;
use platform::caller::{Caller, Permission};
use platform::http::JsonBody;
use platform::problem::Problem;
use platform::start_over::StartedOver;
use serde::Serialize;
use serde_json::Value;

use crate::Manage;

/// The answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reset {
    success: bool,
    company_id: CompanyId,
    former_realm_id: RealmId,
    started_over_at: Timestamp,
}

/// Lets another QuickBooks company be connected. The body names the one that is left, so that nobody does
/// it by mistake. Said twice, it answers the same again.
pub async fn reset(
    State(manage): State<Manage>,
    caller: Caller,
    body: JsonBody,
) -> Result<Json<Reset>, Problem> {
    let company = body.company()?;
    caller.may(Permission::Administer, &company)?;
    let realm = realm(&body.0)?;
    if manage.erasures.is_deleted(&company).await? {
        return Err(Problem::company_deleted());
    }
    match manage.start_over.company(&company, &realm, &caller.subject).await? {
        StartedOver::Yes(at) => Ok(Json(Reset {
            success: true,
            company_id: company,
            former_realm_id: realm,
            started_over_at: at,
        })),
        StartedOver::NeverConnected => Err(Problem::not_connected()),
        StartedOver::StillConnected => Err(Problem::new(
            StatusCode::CONFLICT,
            "still-connected",
            "The company is still connected to QuickBooks",
            "End the connection first (DELETE /disconnect). Starting over is only for connecting another QuickBooks company afterwards; the same one can be connected again without it.",
        )),
        StartedOver::Other(name, left) => Err(Problem::field(
            "realmId",
            "other-realm",
            format!(
                "The company was connected to {name} (QuickBooks company {left}), not to {realm}."
            ),
            format!("Send {left} if that is the QuickBooks company to leave."),
        )),
    }
}

fn realm(body: &Value) -> Result<RealmId, Problem> {
    let wrong = |code, message| {
        Problem::field(
            "realmId",
            code,
            message,
            "Send the id of the QuickBooks company to leave, as GET /status shows it, such as \"9341453908059321\".",
        )
    };
    match body.get("realmId") {
        None | Some(Value::Null) => Err(wrong("missing", "realmId is missing.")),
        Some(Value::String(realm)) => realm
            .parse()
            .map_err(|_| wrong("invalid-id", "realmId is no id of a QuickBooks company.")),
        Some(_) => Err(wrong("wrong-type", "realmId is no text.")),
    }
}
