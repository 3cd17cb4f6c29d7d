//! The request journal.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    response::IntoResponse,
    routing::get,
};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::{Answer, Problem, Shared, bad};
use crate::{app::App, journal::Entry};

/// `/requests`.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/requests", get(requests).delete(clear_requests))
}

/// The query of `GET /requests`. What is empty or left out selects nothing away.
#[derive(Deserialize)]
struct Selection {
    realm: Option<String>,
    /// A sequence number (entries after it) or a time (entries at or after it).
    since: Option<String>,
    /// An HTTP status.
    status: Option<String>,
    /// `true`: only what failed, see [`Entry::failed`].
    errors: Option<String>,
    /// An entity's name, in any case; also `query` and `token`.
    entity: Option<String>,
    /// The newest so many of what is left.
    limit: Option<String>,
}

/// The same, read.
struct Wanted {
    realm: Option<String>,
    after: Option<u64>,
    from: Option<Timestamp>,
    status: Option<u16>,
    errors: bool,
    entity: Option<String>,
}

impl Wanted {
    fn read(selection: &Selection) -> Result<Self, Problem> {
        let since = given(selection.since.as_ref());
        let after = since.and_then(|since| since.parse::<u64>().ok());
        let from = match (since, after) {
            (Some(text), None) => Some(
                text.parse().map_err(|_| bad("since is neither a number nor an RFC 3339 time"))?,
            ),
            _ => None,
        };
        Ok(Self {
            realm: given(selection.realm.as_ref()).map(ToOwned::to_owned),
            after,
            from,
            status: number(selection.status.as_ref(), "status")?,
            errors: match given(selection.errors.as_ref()) {
                None | Some("false") => false,
                Some("true") => true,
                Some(_) => return Err(bad("errors is true or false")),
            },
            entity: given(selection.entity.as_ref()).map(ToOwned::to_owned),
        })
    }

    fn wants(&self, entry: &Entry) -> bool {
        self.after.is_none_or(|after| entry.seq > after)
            && self.from.is_none_or(|from| entry.at >= from)
            && self
                .realm
                .as_deref()
                .is_none_or(|realm| entry.realm.as_ref().is_some_and(|own| own.as_str() == realm))
            && self.status.is_none_or(|status| entry.status == Some(status))
            && (!self.errors || entry.failed())
            && self.entity.as_deref().is_none_or(|entity| {
                entry.entity.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(entity))
            })
    }
}

fn given(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}

fn number<T: std::str::FromStr>(text: Option<&String>, name: &str) -> Result<Option<T>, Problem> {
    given(text)
        .map(|text| text.parse().map_err(|_| bad(format!("{name} is not a number"))))
        .transpose()
}

async fn requests(State(app): Shared, Query(selection): Query<Selection>) -> Answer {
    let wanted = Wanted::read(&selection)?;
    let limit = number(selection.limit.as_ref(), "limit")?.unwrap_or(usize::MAX);
    let entries = app.journal.newest(limit, |entry| wanted.wants(entry));
    Ok(Json(json!({ "requests": entries })).into_response())
}

async fn clear_requests(State(app): Shared) -> StatusCode {
    app.journal.clear();
    StatusCode::NO_CONTENT
}
