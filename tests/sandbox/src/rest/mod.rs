//! The accounting REST API of one company: who may, how often, what is asked, was it seen before, the
//! work, the answer.

mod batch;
mod cdc;
mod execute;
mod target;
mod turn;

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, RawQuery, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::Response,
    routing::any,
};

pub(crate) use batch::Policy as BatchPolicy;
use batch::{Batch, Item};
use target::{Parameters, Target};
use turn::Turn;

use crate::{
    app::App,
    entities::{self, Kind},
    fault::{Fault, bytes_response, json_response},
    faults::{Plan, Subject},
    ids::{ClientId, Realm},
    latency,
    limits::{Endpoint, refusal},
    meter::Metered,
    oauth::Granted,
    server::Note,
    store::Company,
};

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
    let realm = Realm::from(realm);
    let mut note = Note {
        realm: Some(realm.clone()),
        requestid: parameters.request_id.clone(),
        ..Note::default()
    };
    let call = Call { realm, rest, parameters, uri, method, headers, body };
    // What is given up here does not commit, nor do the items of a batch that are still to come.
    let answer = tokio::time::timeout(app.latency.timeout(), answer(&app, &call, &mut note)).await;
    let mut response = match answer {
        Ok(Ok(response)) => response,
        Ok(Err(fault)) => fault.response(app.now(), &app.zone(note.realm.as_ref())),
        Err(_) => timed_out(),
    };
    response.extensions_mut().insert(note);
    response
}

/// A request to the API.
struct Call {
    realm: Realm,
    /// The path after the realm.
    rest: String,
    parameters: Parameters,
    uri: Uri,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
}

impl Call {
    /// As a fault sees it.
    fn subject(&self) -> Subject<'_> {
        Subject {
            method: self.method.as_str(),
            path_and_query: self.uri.path_and_query().map_or("", |both| both.as_str()),
            realm: Some(&self.realm),
            body: &self.body,
            batch_item: None,
        }
    }
}

/// What a call asks for.
enum Asked {
    One(Target),
    Batch(Vec<Item>),
    /// An invoice or estimate as PDF.
    Document(Kind, String),
}

/// Everything that a call goes through, in order.
async fn answer(app: &App, call: &Call, note: &mut Note) -> Result<Response, Fault> {
    // Who.
    let (company, client) = authorize(app, &call.headers, call.realm.as_str())?;

    // How often. The admission is held until the answer is ready, also when the client has gone.
    let limits = app.limits.get();
    let refused = || refusal(&limits, app.now(), &app.zone(Some(&company.realm)));
    let endpoint = Endpoint::of(&call.rest);
    let Some(_admission) = company.limiter.admit(&client, endpoint, &limits) else {
        return Ok(refused());
    };
    note.metered = Metered::of(&call.method, &call.rest);
    if note.metered.is_some() && !app.meter.admit(app.now()) {
        company.counters.over_cap();
        return Ok(refused());
    }

    // The fault on demand. Only now, so that a call which the gateway refuses does not use one up.
    let plan = app.faults.plan(&call.subject());
    note.fault = plan.fault;

    // What.
    let asked = read(app, call, note).and_then(|asked| {
        let too_long = call.parameters.request_id.as_deref().and_then(turn::too_long);
        too_long.map_or(Ok(asked), Err)
    });
    match asked {
        Err(fault) => Ok(refuse(app, &company, &fault, &plan).await),
        Ok(Asked::One(target)) => one(app, &company, call, &target, &plan, note).await,
        Ok(Asked::Batch(items)) => several(app, &company, call, items, &plan, note).await,
        Ok(Asked::Document(kind, id)) => Ok(document(app, &company, kind, &id, &plan).await),
    }
}

/// Reads what is asked for, and tells the journal.
fn read(app: &App, call: &Call, note: &mut Note) -> Result<Asked, Fault> {
    if target::is_batch(&call.method, &call.rest) {
        (note.entity, note.operation) = ("Batch".into(), "batch".into());
        target::json_content(&call.headers)?;
        let items = batch::read(&call.body, app.batch.get())?;
        note.metered = Some(Metered::Batch { items: items.len() });
        return Ok(Asked::Batch(items));
    }
    if let Some((kind, id)) = target::document(&call.method, &call.rest) {
        (note.entity, note.operation) = (kind.name().into(), "pdf".into());
        return Ok(Asked::Document(kind, id));
    }
    let Call { method, rest, parameters, headers, body, .. } = call;
    let target = Target::read(method, rest, parameters, headers, body)?;
    let (entity, operation) = target.names();
    (note.entity, note.operation) = (entity.into(), operation.into());
    Ok(Asked::One(target))
}

/// A call that cannot be carried out. An outage on demand meets it like any other.
async fn refuse(app: &App, company: &Company, fault: &Fault, plan: &Plan) -> Response {
    let zone = app.zone(Some(&company.realm));
    if let Some(response) = plan.before(app.now(), &zone).await {
        return response;
    }
    plan.after(fault.response(app.now(), &zone), app.now(), &zone).await
}

async fn one(
    app: &App,
    company: &Company,
    call: &Call,
    target: &Target,
    plan: &Plan,
    note: &mut Note,
) -> Result<Response, Fault> {
    // Seen before?
    let policy = app.replay.get();
    let turn = match &call.parameters.request_id {
        Some(id) if target.is_write() => {
            Turn::arrive(app, company, id.clone(), policy).come(app, company, policy).await
        }
        _ => Turn::Free,
    };

    // The work. If the fault answers in its place, the request id counts as never sent.
    let zone = app.zone(Some(&company.realm));
    if let Some(response) = plan.before(app.now(), &zone).await {
        return Ok(response);
    }
    let (before, after) = latency::around_commit(app.latency.single());
    latency::pass(before).await;
    let done = turn.commit(app, company, target, policy);
    note.replayed = done.replayed;
    latency::pass(after).await;

    // The answer.
    let response = bytes_response(done.status, done.body.bytes());
    Ok(plan.after(response, app.now(), &zone).await)
}

async fn several(
    app: &App,
    company: &Company,
    call: &Call,
    items: Vec<Item>,
    plan: &Plan,
    note: &mut Note,
) -> Result<Response, Fault> {
    // Seen before? Each item has a request id of its own.
    let request_id = call.parameters.request_id.as_deref();
    let batch = Batch::arrive(app, company, items, request_id, &call.subject());

    // The work.
    let zone = app.zone(Some(&company.realm));
    if let Some(response) = plan.before(app.now(), &zone).await {
        return Ok(response);
    }
    let outcome = batch.run(app, company).await;
    note.replayed = outcome.replayed;

    // The answer.
    let response = json_response(StatusCode::OK, &outcome.body);
    Ok(plan.after(response, app.now(), &zone).await)
}

async fn document(app: &App, company: &Company, kind: Kind, id: &str, plan: &Plan) -> Response {
    let zone = app.zone(Some(&company.realm));
    if let Some(response) = plan.before(app.now(), &zone).await {
        return response;
    }
    latency::pass(app.latency.single()).await;
    let document = entities::pdf(&company.state(), kind, id);
    let response = match document {
        Ok(bytes) => {
            let mut response = Response::new(Body::from(bytes));
            let pdf = HeaderValue::from_static("application/pdf");
            response.headers_mut().insert(header::CONTENT_TYPE, pdf);
            response
        }
        Err(fault) => fault.response(app.now(), &zone),
    };
    plan.after(response, app.now(), &zone).await
}

/// What the gateway says when a request took too long (recorded).
fn timed_out() -> Response {
    let mut response = Response::new(Body::from("stream timeout"));
    *response.status_mut() = StatusCode::GATEWAY_TIMEOUT;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

/// The company that the token opens, if it is the one in the path, and the app that holds it.
fn authorize(
    app: &App,
    headers: &HeaderMap,
    realm: &str,
) -> Result<(Arc<Company>, ClientId), Fault> {
    // The company first: should a snapshot be restored in between, a company of before goes with a
    // token of either time, and what is done to it is gone; a restored one never meets an old token.
    let company = app.company(realm);
    let Some(token) = bearer(headers) else {
        return Err(Fault::unauthenticated("Header Authorization is missing or is no bearer"));
    };
    let Granted { client, realm: opened } =
        app.oauth.check(token, app.now()).map_err(|refusal| refusal.fault(token))?;
    if opened.as_str() != realm {
        return Err(Fault::forbidden("The token does not belong to this company"));
    }
    let company = company.ok_or_else(|| Fault::forbidden("No such company"))?;
    if let Some(fault) = company.state().profile.status.refuses() {
        return Err(fault);
    }
    Ok((company, client))
}
