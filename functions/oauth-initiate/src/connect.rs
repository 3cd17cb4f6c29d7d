//! `POST /connect` answers a single-use link to a page of ours; that page,
//! `GET /connect`, binds the browser by a cookie and sends it to Intuit.
//!
//! The link exists because a redirect cannot carry a bearer token: whoever opens it within a minute
//! goes on, once, and what they authorize goes live only after the asking user confirms it.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use jiff::Timestamp;
use platform::audit::{Action, AuditLog, Entry};
use platform::caller::{Caller, Permission};
use platform::clock::Clock;
use platform::erasure::Erasures;
use platform::http::{BASE, JsonBody, Origin, public_url, query_value};
use platform::oauth_states::{Burned, COOKIE, OAuthStates, STATE_LIVES, TICKET_LIVES, random};
use platform::outcome_page::{OutcomePages, Reason, redirect};
use platform::problem::Problem;
use platform::secrets::Secrets;
use quickbooks::OAuth;
use serde::Serialize;

/// What the function works with.
#[derive(Clone)]
pub struct Connect {
    /// Links and states.
    pub states: OAuthStates,
    /// For the app's client id.
    pub secrets: Secrets,
    /// For Intuit's address.
    pub oauth: OAuth,
    /// Companies that are being erased.
    pub erasures: Erasures,
    /// Who began to connect.
    pub audit: AuditLog,
    /// Where a browser goes whose link is no good.
    pub pages: OutcomePages,
    /// The clock.
    pub clock: Clock,
}

/// The link, and when it ends.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    url: String,
    expires_at: Timestamp,
}

/// `POST /connect`.
pub async fn make_link(
    State(connect): State<Connect>,
    caller: Caller,
    Origin(origin): Origin,
    body: JsonBody,
) -> Result<Json<Link>, Problem> {
    let company = body.company()?;
    caller.may(Permission::Administer, &company)?;
    if connect.erasures.is_under_way(&company).await? {
        return Err(Problem::company_being_erased());
    }
    let now = connect.clock.now().await;
    let ticket = random();
    connect.states.put_ticket(&ticket, &company, &caller.subject, now).await?;
    let entry = Entry::success(&company, Action::ConnectStarted, &caller.subject);
    connect.audit.write(&[entry], now).await?;
    Ok(Json(Link {
        url: format!("{origin}{BASE}/connect?companyId={company}&ticket={ticket}"),
        expires_at: now + TICKET_LIVES,
    }))
}

/// `GET /connect`.
pub async fn follow_link(
    State(connect): State<Connect>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let company = query_value(&parts, "companyId").and_then(|company| company.parse().ok());
    let (Some(company), Some(ticket)) = (company, query_value(&parts, "ticket")) else {
        return Ok(connect.pages.failure(Reason::LinkUnknown));
    };
    let now = connect.clock.now().await;
    let asked = match connect.states.burn_ticket(&ticket, &company, now).await? {
        Burned::Valid(asked) => asked,
        Burned::Expired(_) => return Ok(connect.pages.failure(Reason::LinkExpired)),
        Burned::Unknown | Burned::OtherBrowser => {
            return Ok(connect.pages.failure(Reason::LinkUnknown));
        }
    };
    let (state, cookie) = (random(), random());
    connect.states.put_state(&state, &asked, &cookie, now).await?;
    let app = connect.secrets.app().await?;
    let callback = format!("{}{BASE}/callback", public_url(&parts)?);
    let intuit = connect.oauth.authorize_url(&app.client_id, &callback, &state);
    let mut response = redirect(&intuit, &[]);
    let cookie = format!(
        "{COOKIE}={cookie}; Path={BASE}/callback; Max-Age={}; HttpOnly; Secure; SameSite=Lax",
        STATE_LIVES.as_secs()
    );
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}
