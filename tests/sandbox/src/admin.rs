//! The admin API: clock, faults, journal, counters, companies. No authorization; loopback only.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use jiff::Timestamp;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use crate::{
    app::App,
    entities::{Kind, rename_descendants},
    faults::Spec,
    ids::{EntityId, Realm},
    oauth::Policy,
    seed,
    store::{Company, Profile},
};

type Shared = State<Arc<App>>;
type Answer = Result<Response, Problem>;

/// A refusal: `{"error": "..."}`.
struct Problem(StatusCode, String);

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

/// Reads a JSON body whatever its content type, so that a bare `curl -d` does.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| bad(error.to_string()))
}

fn bad(problem: impl Into<String>) -> Problem {
    Problem(StatusCode::BAD_REQUEST, problem.into())
}

fn missing(what: &str) -> Problem {
    Problem(StatusCode::NOT_FOUND, format!("no {what}"))
}

/// The admin routes.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(index))
        .route("/clock", get(clock))
        .route("/clock/advance", post(clock_advance))
        .route("/clock/set", post(clock_set))
        .route("/faults", post(add_fault).get(list_faults).delete(clear_faults))
        .route("/requests", get(requests).delete(clear_requests))
        .route("/counters", get(all_counters).delete(clear_counters))
        .route("/counters/{realm}", get(counters))
        .route("/companies", get(list_companies).post(add_company))
        .route("/companies/{realm}", get(company).post(change_company))
        .route("/companies/{realm}/disconnect", post(disconnect))
        .route("/companies/{realm}/{entity}", get(entities).post(upsert))
        .route("/companies/{realm}/{entity}/{id}", delete(remove))
        .route("/oauth", get(policy).post(set_policy))
        .route("/tokens/expire", post(expire_tokens))
        .route("/tokens/revoke-refresh", post(revoke_refresh))
        .route("/limits", get(limits).post(set_limits))
        .route("/reset", post(reset))
        // The server's own limit has been applied already.
        .layer(DefaultBodyLimit::disable())
}

async fn index() -> &'static str {
    "QuickBooks sandbox, admin API. See the README for /clock, /faults, /requests, /counters, \
     /companies, /oauth, /tokens, /limits, /reset.\n"
}

fn now_json(now: Timestamp) -> Response {
    Json(json!({ "now": now })).into_response()
}

async fn clock(State(app): Shared) -> Response {
    now_json(app.now())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: i64,
}

async fn clock_advance(State(app): Shared, body: Bytes) -> Answer {
    let Advance { seconds } = read(&body)?;
    app.clock.advance(seconds).map(now_json).ok_or_else(|| bad("outside of the calendar"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetClock {
    now: Timestamp,
}

async fn clock_set(State(app): Shared, body: Bytes) -> Answer {
    let SetClock { now } = read(&body)?;
    Ok(now_json(app.clock.set(now)))
}

async fn add_fault(State(app): Shared, body: Bytes) -> Answer {
    let spec: Spec = read(&body)?;
    let id = app.faults.add(spec).map_err(bad)?;
    Ok((StatusCode::CREATED, Json(json!({ "id": id }))).into_response())
}

async fn list_faults(State(app): Shared) -> Response {
    Json(json!({ "faults": app.faults.list() })).into_response()
}

async fn clear_faults(State(app): Shared) -> StatusCode {
    app.faults.clear();
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct Selection {
    realm: Option<String>,
    /// A sequence number (entries after it) or a time (entries at or after it).
    since: Option<String>,
}

async fn requests(State(app): Shared, Query(selection): Query<Selection>) -> Answer {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let (realm, since) = (given(&selection.realm), given(&selection.since));
    let since = since.as_deref();
    let number = since.and_then(|since| since.parse::<u64>().ok());
    let time = match (since, number) {
        (Some(text), None) => {
            let at: Timestamp =
                text.parse().map_err(|_| bad("since is neither a number nor an RFC 3339 time"))?;
            Some(at)
        }
        _ => None,
    };
    let entries = app.journal.select(|entry| {
        number.is_none_or(|number| entry.seq > number)
            && time.is_none_or(|time| entry.at >= time)
            && realm
                .as_deref()
                .is_none_or(|realm| entry.realm.as_ref().is_some_and(|own| own.as_str() == realm))
    });
    Ok(Json(json!({ "requests": entries })).into_response())
}

async fn clear_requests(State(app): Shared) -> StatusCode {
    app.journal.clear();
    StatusCode::NO_CONTENT
}

fn counters_of(company: &Company) -> Value {
    company.counters.snapshot(company.limiter.peaks())
}

async fn all_counters(State(app): Shared) -> Response {
    let companies: BTreeMap<String, Value> = app
        .companies()
        .iter()
        .map(|company| (company.realm.to_string(), counters_of(company)))
        .collect();
    let other = app.counters.snapshot(crate::limits::Peaks::default());
    Json(json!({ "companies": companies, "other": other })).into_response()
}

async fn counters(State(app): Shared, Path(realm): Path<String>) -> Answer {
    let company = find(&app, &realm)?;
    Ok(Json(counters_of(&company)).into_response())
}

async fn clear_counters(State(app): Shared) -> StatusCode {
    app.counters.clear();
    for company in app.companies() {
        company.counters.clear();
        company.limiter.clear();
    }
    StatusCode::NO_CONTENT
}

fn find(app: &App, realm: &str) -> Result<Arc<Company>, Problem> {
    app.company(realm).ok_or_else(|| missing(&format!("company {realm}")))
}

fn describe(app: &App, company: &Company) -> Value {
    let state = company.state();
    let counts: BTreeMap<&str, usize> =
        Kind::ALL.into_iter().map(|kind| (kind.name(), state.table(kind).len())).collect();
    json!({
        "realm": company.realm,
        "profile": state.profile,
        "entities": counts,
        "liveGrants": app.oauth.live_grants(&company.realm),
    })
}

async fn list_companies(State(app): Shared) -> Response {
    let companies: Vec<Value> =
        app.companies().iter().map(|company| describe(&app, company)).collect();
    Json(json!({ "companies": companies })).into_response()
}

async fn company(State(app): Shared, Path(realm): Path<String>) -> Answer {
    let company = find(&app, &realm)?;
    Ok(Json(describe(&app, &company)).into_response())
}

#[derive(Deserialize, PartialEq, Eq, Default)]
#[serde(rename_all = "lowercase")]
enum Seed {
    Demo,
    #[default]
    Empty,
}

async fn add_company(State(app): Shared, body: Bytes) -> Answer {
    let mut wish: Map<String, Value> = read(&body)?;
    let kind = wish.remove("seed").unwrap_or(json!("empty"));
    let kind: Seed = serde_json::from_value(kind).map_err(|error| bad(error.to_string()))?;
    let state = if kind == Seed::Demo {
        let text = |name: &str| wish.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
        let realm = text("realm").ok_or_else(|| bad("realm is missing"))?;
        let name = text("companyName").ok_or_else(|| bad("companyName is missing"))?;
        seed::demo(Realm::from(realm), name)
    } else {
        let profile: Profile =
            serde_json::from_value(Value::Object(wish)).map_err(|error| bad(error.to_string()))?;
        seed::empty(profile)
    };
    let company = Company::new(state.map_err(bad)?);
    let realm = company.realm.clone();
    if app.add_company(company) {
        Ok((StatusCode::CREATED, Json(json!({ "realm": realm }))).into_response())
    } else {
        Err(Problem(StatusCode::CONFLICT, format!("company {realm} exists")))
    }
}

/// Changes settings: any field of the profile but the realm.
async fn change_company(State(app): Shared, Path(realm): Path<String>, body: Bytes) -> Answer {
    let changes: Map<String, Value> = read(&body)?;
    let company = find(&app, &realm)?;
    let mut state = company.state();
    let Ok(Value::Object(mut profile)) = serde_json::to_value(&state.profile) else {
        return Err(bad("the profile cannot be changed"));
    };
    if let Some(unknown) = changes.keys().find(|name| !profile.contains_key(*name)) {
        return Err(bad(format!("the profile has no {unknown}")));
    }
    profile.extend(changes);
    profile.insert("realm".into(), json!(realm));
    let profile: Profile =
        serde_json::from_value(Value::Object(profile)).map_err(|error| bad(error.to_string()))?;
    state.set_profile(profile).map_err(bad)?;
    Ok(Json(json!({ "profile": state.profile })).into_response())
}

async fn disconnect(State(app): Shared, Path(realm): Path<String>) -> Answer {
    let company = find(&app, &realm)?;
    let ended = app.oauth.disconnect(&company.realm);
    Ok(Json(json!({ "grantsEnded": ended })).into_response())
}

fn kind_of(entity: &str) -> Result<Kind, Problem> {
    Kind::parse(entity).ok_or_else(|| missing(&format!("entity {entity}")))
}

async fn entities(State(app): Shared, Path((realm, entity)): Path<(String, String)>) -> Answer {
    let (company, kind) = (find(&app, &realm)?, kind_of(&entity)?);
    let state = company.state();
    let rows: Vec<_> = state.table(kind).iter().map(|record| state.wire(kind, record)).collect();
    Ok(Json(json!({ kind.name(): rows })).into_response())
}

/// One entity or a list of them, stored without any check. Fields are laid over those stored.
async fn upsert(
    State(app): Shared,
    Path((realm, entity)): Path<(String, String)>,
    body: Bytes,
) -> Answer {
    let (company, kind) = (find(&app, &realm)?, kind_of(&entity)?);
    let entities = match read(&body)? {
        Value::Array(entities) => entities,
        single => vec![single],
    };
    let now = app.now();
    let mut state = company.state();
    let mut stored = Vec::with_capacity(entities.len());
    for entity in entities {
        let Value::Object(entity) = entity else { return Err(bad("an entity is an object")) };
        let renamed = entity.contains_key(kind.name_field());
        let record = seed::put_raw(&mut state, kind, entity, now).map_err(bad)?;
        if renamed && record.sync_token > 0 {
            rename_descendants(&mut state, kind, record.id.as_str());
        }
        stored.push(state.wire(kind, &record));
    }
    Ok(Json(json!({ kind.name(): stored })).into_response())
}

async fn remove(
    State(app): Shared,
    Path((realm, entity, id)): Path<(String, String, String)>,
) -> Answer {
    let (company, kind) = (find(&app, &realm)?, kind_of(&entity)?);
    let id = EntityId::from(id);
    match company.state().remove(kind, id.as_str()) {
        Some(_) => Ok(StatusCode::NO_CONTENT.into_response()),
        None => Err(missing(&format!("{} {id}", kind.name()))),
    }
}

async fn policy(State(app): Shared) -> Response {
    Json(app.oauth.policy()).into_response()
}

async fn set_policy(State(app): Shared, body: Bytes) -> Answer {
    let policy: Policy = read(&body)?;
    app.oauth.set_policy(policy);
    Ok(Json(policy).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfRealm {
    realm: Realm,
}

async fn expire_tokens(State(app): Shared, body: Bytes) -> Answer {
    let OfRealm { realm } = read(&body)?;
    let expired = app.oauth.expire_access(&realm, app.now());
    Ok(Json(json!({ "expired": expired })).into_response())
}

async fn revoke_refresh(State(app): Shared, body: Bytes) -> Answer {
    let OfRealm { realm } = read(&body)?;
    let revoked = app.oauth.revoke_refresh(&realm);
    Ok(Json(json!({ "revoked": revoked })).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    scale: f64,
}

async fn limits(State(app): Shared) -> Response {
    Json(json!({ "scale": app.scale.get() })).into_response()
}

async fn set_limits(State(app): Shared, body: Bytes) -> Answer {
    let Limits { scale } = read(&body)?;
    if !scale.is_finite() || scale <= 0.0 {
        return Err(bad("scale must be a positive number"));
    }
    app.scale.set(scale);
    Ok(Json(json!({ "scale": scale })).into_response())
}

async fn reset(State(app): Shared) -> Answer {
    app.reset().map_err(bad)?;
    Ok(now_json(app.now()))
}
