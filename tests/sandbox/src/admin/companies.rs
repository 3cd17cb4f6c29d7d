//! Companies and their entities.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Answer, Problem, Shared, bad, find, missing, read};
use crate::{
    app::App,
    entities::{self, Kind, rename_descendants},
    ids::{EntityId, Realm},
    seed,
    store::{Company, Profile, Record, Scan},
};

/// `/companies`.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/companies", get(list_companies).post(add_company))
        .route("/companies/{realm}", get(company).post(change_company))
        .route("/companies/{realm}/disconnect", post(disconnect))
        .route("/companies/{realm}/{entity}", get(list_entities).post(upsert))
        .route("/companies/{realm}/{entity}/{id}", get(entity).delete(remove))
        .route("/companies/{realm}/{entity}/{id}/merge", post(merge))
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
    let state = state.map_err(bad)?;
    let realm = state.profile.realm.clone();
    if app.add_company(state) {
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
    state.settings_changed("Preferences", app.now());
    Ok(Json(json!({ "profile": state.profile })).into_response())
}

async fn disconnect(State(app): Shared, Path(realm): Path<String>) -> Answer {
    let company = find(&app, &realm)?;
    let (ended, leads_to) = app.oauth.disconnect(&company.realm);
    Ok(Json(json!({ "grantsEnded": ended, "leadsTo": leads_to })).into_response())
}

fn kind_of(entity: &str) -> Result<Kind, Problem> {
    Kind::parse(entity).ok_or_else(|| missing(&format!("entity {entity}")))
}

/// The query of a list of entities.
#[derive(Deserialize)]
struct Selection {
    /// Text that the entity has in its Id or any field, in any case.
    #[serde(default)]
    search: String,
    /// So many of those found, the last changed first. Without it: all, the oldest first.
    limit: Option<usize>,
}

async fn list_entities(
    State(app): Shared,
    Path((realm, entity)): Path<(String, String)>,
    Query(selection): Query<Selection>,
) -> Answer {
    let (company, kind) = (find(&app, &realm)?, kind_of(&entity)?);
    let state = company.state();
    let table = state.table(kind);
    let wanted = selection.search.to_lowercase();
    let fits = |record: &&Record| {
        wanted.is_empty()
            || record.id.as_str().to_lowercase().contains(&wanted)
            || record.fields.values().any(|value| has_text(value, &wanted))
    };
    let rows: Vec<&Record> = match selection.limit {
        Some(_) => table.scan(Scan::Updated, None, None, true).filter(fits).collect(),
        None => table.iter().filter(fits).collect(),
    };
    let shown = rows.iter().take(selection.limit.unwrap_or(usize::MAX));
    let shown: Vec<_> = shown.map(|record| state.wire(kind, record)).collect();
    Ok(Json(json!({ kind.name(): shown, "total": rows.len() })).into_response())
}

/// Whether a text or number anywhere in `value` contains `wanted`, which is in lower case.
fn has_text(value: &Value, wanted: &str) -> bool {
    match value {
        Value::String(text) => text.to_lowercase().contains(wanted),
        Value::Number(number) => number.to_string().contains(wanted),
        Value::Array(values) => values.iter().any(|value| has_text(value, wanted)),
        Value::Object(fields) => fields.values().any(|value| has_text(value, wanted)),
        Value::Bool(_) | Value::Null => false,
    }
}

async fn entity(
    State(app): Shared,
    Path((realm, entity, id)): Path<(String, String, String)>,
) -> Answer {
    let (company, kind) = (find(&app, &realm)?, kind_of(&entity)?);
    let state = company.state();
    let table = state.table(kind);
    let record = table.get(&id).ok_or_else(|| missing(&format!("{} {id}", kind.name())))?;
    Ok(Json(json!({ kind.name(): state.wire(kind, record) })).into_response())
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
    match entities::remove(&mut company.state(), kind, id.as_str(), app.now()) {
        Some(_) => Ok(StatusCode::NO_CONTENT.into_response()),
        None => Err(missing(&format!("{} {id}", kind.name()))),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MergeWish {
    into: EntityId,
}

/// Merges an entry of a list into another, as people do in QuickBooks' screens; the one that stays.
async fn merge(
    State(app): Shared,
    Path((realm, entity, id)): Path<(String, String, String)>,
    body: Bytes,
) -> Answer {
    let (company, kind) = (find(&app, &realm)?, kind_of(&entity)?);
    let MergeWish { into } = read(&body)?;
    let mut state = company.state();
    let merged = entities::merge(&mut state, kind, &id, into.as_str(), app.now());
    let merged = merged.map_err(|problem| Problem(StatusCode::CONFLICT, problem))?;
    Ok(Json(json!({ kind.name(): state.wire(kind, &merged) })).into_response())
}
