//! `POST /connect/confirm`: the user who asked says that the connection is theirs. Only then is it live.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use platform::audit::{Action, Entry};
use platform::caller::{Caller, Permission};
use platform::connections::{CLEAN_UP, CONFIRM_WITHIN, Connection, ConnectionStatus};
use platform::erasure::Opening;
use platform::give_back::give_back;
use platform::http::JsonBody;
use platform::outcome_page::Reason;
use platform::problem::Problem;
use serde::Serialize;

use crate::Callback;

/// The answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Confirmed {
    success: bool,
    realm_id: String,
    company_name: String,
}

/// Makes the waiting connection live, imports names, and lets waiting work run.
pub async fn confirm(
    State(callback): State<Callback>,
    caller: Caller,
    body: JsonBody,
) -> Result<Json<Confirmed>, Problem> {
    let company = body.company()?;
    caller.may(Permission::Administer, &company)?;
    let now = callback.clock.now().await;
    let waiting = callback.connections.unconfirmed(&company).await?;
    let Some(waiting) = waiting.filter(|waiting| waiting.ready) else {
        return match callback.connections.get(&company).await? {
            Some(live) if just_confirmed(&live, &caller, now) => {
                go_live(&callback, &live, &caller, now).await
            }
            _ => Err(Problem::new(
                StatusCode::CONFLICT,
                "nothing-to-confirm",
                "Nothing waits for confirmation",
                "Connect to QuickBooks first, then confirm within ten minutes.",
            )),
        };
    };
    if waiting.connected_by != caller.subject {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "asked-by-somebody-else",
            "Somebody else asked for this connection",
            "Only the user who began to connect can confirm it. Begin again yourself if you want to connect.",
        ));
    }
    if waiting.confirm_by.is_none_or(|by| by <= now.as_millisecond()) {
        discard(&callback, &waiting).await?;
        return Err(Problem::new(
            StatusCode::GONE,
            "confirmation-too-late",
            "The time for confirming is over",
            "A connection is confirmed within ten minutes. Connect again.",
        ));
    }
    let mut before = callback.connections.get(&company).await?;
    loop {
        let opening = match callback.erasures.opening(&company, now).await? {
            Opening::Nothing => None,
            Opening::With(update) => Some(*update),
            Opening::BeingErased => return Err(Problem::company_being_erased()),
        };
        let mut live = waiting.clone().live(now);
        if let Some(before) = &before {
            callback.disconnect.tell_of_replaced(before).await?;
            if let Some(older) = &before.replaces {
                callback.secrets.destroy(older).await?;
            }
            live.replaces = Some(before.secret.clone());
            live.clean_up_shard = Some(CLEAN_UP.to_owned());
            live.clean_up_at = Some(now.as_millisecond());
        }
        if callback.connections.confirm(&waiting, &live, before.as_ref(), opening, now).await? {
            return go_live(&callback, &live, &caller, now).await;
        }
        let is = callback.connections.get(&company).await?;
        // Said twice at once: the other one won, and both are right.
        if let Some(live) = &is
            && live.connection_id == waiting.connection_id
        {
            return go_live(&callback, live, &caller, now).await;
        }
        if callback.erasures.is_under_way(&company).await? {
            return Err(Problem::company_being_erased());
        }
        // Another connection came meanwhile, a migrated one for example: it is the one to replace.
        if id(is.as_ref()) == id(before.as_ref()) {
            break;
        }
        before = is;
    }
    let reason = if before.is_some_and(|live| !live.may_be_followed_by(&waiting.realm)) {
        Reason::OtherRealm
    } else {
        Reason::RealmTaken
    };
    discard(&callback, &waiting).await?;
    Err(Problem::new(reason.status(), reason.code(), "Not connected", reason.sentence()))
}

fn id(connection: Option<&Connection>) -> Option<&str> {
    connection.map(|connection| connection.connection_id.as_str())
}

/// Whether the caller confirmed this connection a moment ago: their first answer may have been lost, or
/// the function may have died before all was done. What follows a confirmation is safe to repeat.
fn just_confirmed(live: &Connection, caller: &Caller, now: Timestamp) -> bool {
    live.status == ConnectionStatus::Connected
        && live.connected_by == caller.subject
        && now.as_millisecond() - live.connected_at <= CONFIRM_WITHIN.as_secs() * 1000
}

/// What follows a confirmation. Every step may be repeated.
async fn go_live(
    callback: &Callback,
    connection: &Connection,
    caller: &Caller,
    now: Timestamp,
) -> Result<Json<Confirmed>, Problem> {
    let again = connection.replaces.is_some();
    let action = if again { Action::Reconnected } else { Action::Connected };
    let entry = Entry::success(&connection.company, action, &caller.subject)
        .record(connection.realm.to_string());
    let at = Timestamp::from_millisecond(connection.connected_at).unwrap_or(now);
    callback.go_live.finish(connection, &[(at, entry)], now).await?;
    Ok(Json(Confirmed {
        success: true,
        realm_id: connection.realm.to_string(),
        company_name: connection.company_name.clone(),
    }))
}

/// Gives up a waiting connection. The row goes last: what a crash leaves, the clean-up finds.
async fn discard(callback: &Callback, waiting: &Connection) -> Result<(), Problem> {
    if callback.connections.condemn(waiting).await? {
        give_back(waiting, &callback.connections, &callback.secrets, &callback.oauth).await?;
        callback.connections.remove_unconfirmed(waiting).await?;
    }
    Ok(())
}
