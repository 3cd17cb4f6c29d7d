//! The accounting REST API of one company: who may, how often, what happened before, what to do.

mod execute;
mod target;

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, RawQuery, State},
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::Response,
    routing::any,
};

use target::{Parameters, Target};

use crate::{
    app::App,
    entities::Circumstances,
    fault::{Fault, bytes_response},
    faults::Subject,
    ids::{ClientId, Realm},
    latency::{self, around_commit},
    limits::{Endpoint, refusal},
    meter::Metered,
    oauth::{Death, Granted, Refusal},
    server::Note,
    store::{Claim, Company, Original},
};

/// Longest `requestid`, in characters; the text of the refusal is a recorded one.
const MAX_REQUEST_ID: usize = 50;

/// The routes of the API host.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new().route("/v3/company/{realm}/{*rest}", any(handle))
}

/// The token of an `Authorization: Bearer` header.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

async fn handle(
    State(app): State<Arc<App>>,
    Path((realm, rest)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    uri: Uri,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let parameters = Parameters::read(query.as_deref().unwrap_or_default());
    let mut note = Note {
        realm: Some(Realm::from(realm.as_str())),
        requestid: parameters.request_id.clone(),
        ..Note::default()
    };
    let zone = app.zone(note.realm.as_ref());
    let (company, client) = match authorize(&app, &headers, &realm) {
        Ok(authorized) => authorized,
        Err(fault) => return noted(fault.response(app.now(), &zone), note),
    };
    // Held until the answer is ready, also when the client has gone.
    let limits = app.limits.get();
    let Some(_admission) = company.limiter.admit(&client, Endpoint::of(&rest), &limits) else {
        return noted(refusal(&limits, app.now(), &zone), note);
    };
    note.metered = Metered::of(&method, &rest);
    if note.metered.is_some() && !app.meter.admit(app.now()) {
        company.counters.over_cap();
        return noted(refusal(&limits, app.now(), &zone), note);
    }

    // Only now, so that a call which the gateway refuses does not use a fault up.
    let plan = app.faults.plan(&Subject {
        method: method.as_str(),
        path_and_query: uri.path_and_query().map_or("", |both| both.as_str()),
        realm: note.realm.as_ref(),
        body: &body,
    });
    note.fault = plan.fault;

    let target = match Target::read(&method, &rest, &parameters, &headers, &body) {
        Ok(target) => target,
        Err(fault) => return noted(fault.response(app.now(), &zone), note),
    };
    let (entity, operation) = target.names();
    (note.entity, note.operation) = (entity.into(), operation.into());

    let claim = match &parameters.request_id {
        Some(id) if id.chars().count() > MAX_REQUEST_ID => {
            let length = id.chars().count();
            let fault = Fault::business(
                "requestid",
                &format!(
                    "You cannot enter more than {MAX_REQUEST_ID} characters in the request_id \
                     field. You tried entering {id}, which is {length} characters."
                ),
            );
            return noted(fault.response(app.now(), &zone), note);
        }
        // An id counts from its arrival: a twin waits for the first one to end. Reads are not
        // replayed, since their answer is the newest in any case.
        Some(id) if target.is_write() => Some(company.replays.claim(id).await),
        _ => None,
    };
    let mine = match claim {
        Some(Claim::Seen(original)) => {
            note.replayed = true;
            let response = if let Some(response) = plan.before(app.now(), &zone).await {
                response
            } else {
                latency::pass(app.latency.single()).await;
                let response = bytes_response(original.status, original.body);
                plan.after(response, app.now(), &zone).await
            };
            return noted(response, note);
        }
        Some(Claim::Mine(mine)) => Some(mine),
        None => None,
    };

    if let Some(response) = plan.before(app.now(), &zone).await {
        // Nothing was done, so the request id counts as never sent.
        return noted(response, note);
    }
    let (before, after) = around_commit(app.latency.single());
    latency::pass(before).await;
    let original = run(&app, &company, &target);
    if let Some(mine) = mine {
        mine.settle(original.clone());
    }
    latency::pass(after).await;
    let response = bytes_response(original.status, original.body);
    noted(plan.after(response, app.now(), &zone).await, note)
}

fn noted(mut response: Response<Body>, note: Note) -> Response<Body> {
    response.extensions_mut().insert(note);
    response
}

/// The company that the token opens, if it is the one in the path, and the app that holds it.
fn authorize(
    app: &App,
    headers: &HeaderMap,
    realm: &str,
) -> Result<(Arc<Company>, ClientId), Fault> {
    let Some(token) = bearer(headers) else {
        return Err(Fault::unauthenticated("Header Authorization is missing or is no bearer"));
    };
    let Granted { client, realm: opened } =
        app.oauth.check(token, app.now()).map_err(|refusal| match refusal {
            // Real details carry the token, which is why a client must not log them as they are.
            Refusal::Expired => Fault::unauthenticated(format!("Token expired: {token}")),
            Refusal::Unknown => Fault::unauthenticated(format!("Token invalid: {token}")),
            Refusal::Dead(Death::Revoked) => {
                Fault::unauthenticated(format!("Token revoked: {token}"))
            }
            Refusal::Dead(Death::Disconnected) => {
                Fault::forbidden("The application was disconnected from this company")
            }
        })?;
    if opened.as_str() != realm {
        return Err(Fault::forbidden("The token does not belong to this company"));
    }
    let company = app.company(realm).ok_or_else(|| Fault::forbidden("No such company"))?;
    Ok((company, client))
}

/// Does the work and writes the answer out, so that it can be given again byte for byte.
fn run(app: &App, company: &Company, target: &Target) -> Original {
    let now = app.now();
    let circumstances = Circumstances { now, unknown_fields: app.unknown_fields.get() };
    let mut state = company.state();
    match execute::execute(&mut state, target, circumstances) {
        Ok(body) => Original { status: StatusCode::OK, body: body.to_string().into() },
        Err(fault) => {
            Original { status: fault.status, body: fault.body(now, &state.zone).to_string().into() }
        }
    }
}
