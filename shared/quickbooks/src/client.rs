//! The REST calls of one company: each sends one request, once.
//!
//! A write takes its body as text and sends exactly those bytes: the caller has journalled them with
//! their `requestid`, and a replay must be the same request.

use std::fmt;
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Method, RequestBuilder};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use url::Url;

use crate::answer::{CompanyInfo, Preferences, QueryPage};
use crate::classify::classify;
use crate::entity::Entity;
use crate::environment::MINOR_VERSION;
use crate::error::CallError;
use crate::fault::Fault;
use crate::query::percent_encode;
use crate::redact::Redactor;
pub use crate::transport::CALL_TIMEOUT;
use crate::transport::{check_address, not_sent, send};

/// A query whose address would be longer than this, in bytes, goes as a POST.
const LONGEST_ADDRESS: usize = 2_000;

/// The longest `requestid` that Intuit takes ("Learn basic field definitions").
pub const LONGEST_REQUEST_ID: usize = 50;

/// One company's access, for the length of a call.
#[derive(Clone)]
pub struct Session {
    /// The company's id at Intuit: digits.
    pub realm: String,
    /// A valid access token of that company.
    pub access_token: SecretString,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("realm", &self.realm).finish_non_exhaustive()
    }
}

/// The client of the Accounting API. Cheap to clone; the clones share their connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    api: Url,
    timeout: Duration,
}

impl Client {
    /// A client over [`crate::http_client`] and the API's base address.
    pub fn new(http: reqwest::Client, api: Url) -> Self {
        Self { http, api, timeout: CALL_TIMEOUT }
    }

    /// Gives each call up after this, instead of [`CALL_TIMEOUT`].
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Reads CompanyInfo: the live proof of a connection.
    pub async fn company_info(&self, session: &Session) -> Result<CompanyInfo, CallError> {
        let entity = self.read(session, Entity::CompanyInfo, &session.realm).await?;
        CompanyInfo::of(&entity).ok_or_else(|| unusable(None))
    }

    /// Reads the company's Preferences.
    pub async fn preferences(&self, session: &Session) -> Result<Preferences, CallError> {
        let address = self.address(session, &[Entity::Preferences.path()], &[])?;
        let request = self.http.request(Method::GET, address);
        let (answer, tid) = self.call(session, request, Entity::Preferences.name(), "read").await?;
        entity_of(answer, Entity::Preferences, tid).map(Preferences::of)
    }

    /// Creates an entity from exactly these bytes. Answers with the entity as stored.
    pub async fn create(
        &self,
        session: &Session,
        entity: Entity,
        body: &str,
        request_id: &str,
    ) -> Result<Value, CallError> {
        self.write(session, entity, body, request_id, "create").await
    }

    /// Updates an entity in full from exactly these bytes, which hold `Id` and `SyncToken`: what they
    /// leave out becomes empty in QuickBooks.
    pub async fn update(
        &self,
        session: &Session,
        entity: Entity,
        body: &str,
        request_id: &str,
    ) -> Result<Value, CallError> {
        self.write(session, entity, body, request_id, "update").await
    }

    /// Deletes an entity. Answers with `{"Id", "status": "Deleted", ..}`. The body is
    /// [`delete_body`]'s, the same on each replay.
    pub async fn delete(
        &self,
        session: &Session,
        entity: Entity,
        id: &str,
        sync_token: &str,
        request_id: &str,
    ) -> Result<Value, CallError> {
        let body = delete_body(id, sync_token);
        self.write(session, entity, &body, request_id, "delete").await
    }

    /// Reads one entity by its Id. One that is gone is [`CallError::Refused`] with code 610.
    pub async fn read(
        &self,
        session: &Session,
        entity: Entity,
        id: &str,
    ) -> Result<Value, CallError> {
        if id.is_empty() || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)) {
            return Err(not_sent("an Id has letters, digits, - and _ only"));
        }
        let address = self.address(session, &[entity.path(), id], &[])?;
        let request = self.http.request(Method::GET, address);
        let (answer, tid) = self.call(session, request, entity.name(), "read").await?;
        entity_of(answer, entity, tid)
    }

    /// Runs a statement: as a GET, or as a POST when the address would pass 2,000 bytes.
    pub async fn query(&self, session: &Session, statement: &str) -> Result<QueryPage, CallError> {
        let short = self.address(session, &["query"], &[("query", statement)])?;
        let request = if short.as_str().len() <= LONGEST_ADDRESS {
            self.http.request(Method::GET, short)
        } else {
            let address = self.address(session, &["query"], &[])?;
            self.http
                .request(Method::POST, address)
                .header(CONTENT_TYPE, "application/text")
                .body(statement.to_owned())
        };
        let (answer, tid) = self.call(session, request, "query", "query").await?;
        QueryPage::of(answer).ok_or_else(|| unusable(tid))
    }

    async fn write(
        &self,
        session: &Session,
        entity: Entity,
        body: &str,
        request_id: &str,
        operation: &'static str,
    ) -> Result<Value, CallError> {
        let graphic = request_id.bytes().all(|b| b.is_ascii_graphic());
        if request_id.is_empty() || request_id.len() > LONGEST_REQUEST_ID || !graphic {
            return Err(not_sent("a request id has 1 to 50 visible characters"));
        }
        let mut parameters = vec![("requestid", request_id)];
        if operation == "delete" {
            parameters.push(("operation", "delete"));
        }
        let address = self.address(session, &[entity.path()], &parameters)?;
        let request = self
            .http
            .request(Method::POST, address)
            .header(CONTENT_TYPE, "application/json")
            .body(body.to_owned());
        let (answer, tid) = self.call(session, request, entity.name(), operation).await?;
        let written = entity_of(answer, entity, tid.clone())?;
        // A write that was answered without an Id proves nothing.
        match written.get("Id") {
            Some(Value::String(id)) if !id.is_empty() => Ok(written),
            _ => Err(unusable(tid)),
        }
    }

    /// One request out, one answer in. With the JSON comes the answer's `intuit_tid`.
    async fn call(
        &self,
        session: &Session,
        request: RequestBuilder,
        subject: &'static str,
        operation: &'static str,
    ) -> Result<(Value, Option<String>), CallError> {
        let request = request
            .header(ACCEPT, "application/json")
            .bearer_auth(session.access_token.expose_secret());
        let answer = send(request, self.timeout, subject, operation).await?;
        let tid = answer.intuit_tid.clone();
        let json = classify(answer, &Redactor::knowing([&session.access_token]))?;
        Ok((json, tid))
    }

    fn address(
        &self,
        session: &Session,
        path: &[&str],
        parameters: &[(&str, &str)],
    ) -> Result<Url, CallError> {
        let Session { realm, .. } = session;
        if realm.is_empty() || !realm.bytes().all(|b| b.is_ascii_digit()) {
            return Err(not_sent("a realm id has digits only"));
        }
        check_address(&self.api)?;
        let mut address = self.api.clone();
        address
            .path_segments_mut()
            .map_err(|()| not_sent("the API's address is no base"))?
            .pop_if_empty()
            .extend(["v3", "company", realm.as_str()])
            .extend(path);
        let mut query = format!("minorversion={MINOR_VERSION}");
        for (name, value) in parameters {
            query.push('&');
            query.push_str(name);
            query.push('=');
            query.push_str(&percent_encode(value));
        }
        address.set_query(Some(&query));
        Ok(address)
    }
}

/// The body of a delete, for the journal.
pub fn delete_body(id: &str, sync_token: &str) -> String {
    let mut body = Map::new();
    body.insert("Id".to_owned(), id.into());
    body.insert("SyncToken".to_owned(), sync_token.into());
    Value::Object(body).to_string()
}

fn entity_of(mut answer: Value, entity: Entity, tid: Option<String>) -> Result<Value, CallError> {
    match answer.get_mut(entity.name()).map(Value::take) {
        Some(found @ Value::Object(_)) => Ok(found),
        _ => Err(unusable(tid)),
    }
}

/// A success whose JSON is not what was asked for.
fn unusable(tid: Option<String>) -> CallError {
    CallError::Unavailable { status: 200, fault: Some(Fault::unread(200, tid)) }
}
