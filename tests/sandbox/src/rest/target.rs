//! What a REST request asks for, read from method, path, query and body.

use axum::http::{HeaderMap, Method, header};
use serde_json::{Map, Value, json};

use super::cdc::CdcRequest;
use crate::{
    entities::{Kind, Operation, Singleton},
    fault::Fault,
};

/// The query parameters that the API knows. `minorversion` is taken and changes nothing: since
/// August 2025 everything up to 74 behaves as 75.
pub(super) struct Parameters {
    pub(super) request_id: Option<String>,
    operation: Option<String>,
    include: Option<String>,
    send_to: Option<String>,
    query: Option<String>,
    entities: Option<String>,
    changed_since: Option<String>,
}

impl Parameters {
    pub(super) fn read(query: &str) -> Self {
        let mut parameters = Self {
            request_id: None,
            operation: None,
            include: None,
            send_to: None,
            query: None,
            entities: None,
            changed_since: None,
        };
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let slot = match name.to_ascii_lowercase().as_str() {
                "requestid" => &mut parameters.request_id,
                "operation" => &mut parameters.operation,
                "include" => &mut parameters.include,
                "sendto" => &mut parameters.send_to,
                "query" => &mut parameters.query,
                "entities" => &mut parameters.entities,
                "changedsince" => &mut parameters.changed_since,
                _ => continue,
            };
            // An empty value is no value: an empty request id would join strangers' requests.
            *slot = Some(value.into_owned()).filter(|value| !value.is_empty());
        }
        parameters
    }
}

/// One piece of work.
#[derive(Debug)]
pub(super) enum Target {
    /// CompanyInfo or Preferences.
    Settings(Singleton),
    Query(String),
    Cdc(CdcRequest),
    Read(Kind, String),
    Update(Singleton, Map<String, Value>),
    Write(Write),
}

/// A change of one entity.
#[derive(Debug)]
pub(super) struct Write {
    pub(super) kind: Kind,
    pub(super) operation: Operation,
    pub(super) body: Map<String, Value>,
    /// Whether a DocNumber may be used twice.
    pub(super) duplicate_numbers: bool,
}

impl Target {
    pub(super) fn read(
        method: &Method,
        rest: &str,
        parameters: &Parameters,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Self, Fault> {
        let parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
        let first = parts.first().copied().unwrap_or("").to_ascii_lowercase();
        match (method, first.as_str(), parts.len()) {
            (&Method::GET, "companyinfo", 2) => Ok(Self::Settings(Singleton::CompanyInfo)),
            (&Method::GET, "preferences", 1) => Ok(Self::Settings(Singleton::Preferences)),
            (&Method::GET, "query", 1) => {
                parameters.query.clone().map(Self::Query).ok_or_else(|| Fault::missing("query"))
            }
            (&Method::POST, "query", 1) => statement(headers, body).map(Self::Query),
            (&Method::GET, "cdc", 1) => {
                let part = |name, value: &Option<String>| {
                    value.clone().ok_or_else(|| Fault::missing(name))
                };
                let entities = part("entities", &parameters.entities)?;
                let changed_since = part("changedSince", &parameters.changed_since)?;
                Ok(Self::Cdc(CdcRequest { entities, changed_since }))
            }
            (&Method::GET, _, 2) => match Kind::parse(&first) {
                Some(kind) => Ok(Self::Read(kind, parts[1].to_owned())),
                None => Err(unsupported(&first)),
            },
            (&Method::POST, _, 1) => match (Kind::parse(&first), Singleton::parse(&first)) {
                (Some(kind), _) => write(kind, parameters, headers, body),
                (_, Some(singleton)) => update(singleton, parameters, headers, body),
                _ => Err(unsupported(&first)),
            },
            (&Method::POST, _, 3) if parts[2].eq_ignore_ascii_case("send") => {
                match Kind::parse(&first) {
                    Some(kind) => Ok(send(kind, parts[1], parameters)),
                    None => Err(unsupported(&first)),
                }
            }
            _ => Err(unsupported(&first)),
        }
    }

    /// Entity and operation, as the counters and the journal name them.
    pub(super) fn names(&self) -> (&'static str, &'static str) {
        match self {
            Self::Settings(singleton) => (singleton.name(), "read"),
            Self::Query(statement) => (queried(statement), "query"),
            Self::Cdc(_) => ("CDC", "cdc"),
            Self::Read(kind, _) => (kind.name(), "read"),
            Self::Update(singleton, _) => (singleton.name(), "update"),
            Self::Write(write) => (write.kind.name(), write.operation.name()),
        }
    }

    pub(super) fn is_write(&self) -> bool {
        matches!(self, Self::Write(..) | Self::Update(..))
    }
}

/// Whether a path is that of the batch.
pub(super) fn is_batch(method: &Method, rest: &str) -> bool {
    method == Method::POST && rest.trim_matches('/').eq_ignore_ascii_case("batch")
}

/// The invoice or estimate that is asked for as a document.
pub(super) fn document(method: &Method, rest: &str) -> Option<(Kind, String)> {
    let mut parts = rest.split('/').filter(|part| !part.is_empty());
    let (kind, id, last) = (Kind::parse(parts.next()?)?, parts.next()?, parts.next()?);
    let asked = method == Method::GET && last.eq_ignore_ascii_case("pdf") && parts.next().is_none();
    (asked && matches!(kind, Kind::Invoice | Kind::Estimate)).then(|| (kind, id.to_owned()))
}

/// The entity in a statement's FROM, for counting; the statement may well not parse.
fn queried(statement: &str) -> &'static str {
    let mut words = statement.split_whitespace().skip_while(|w| !w.eq_ignore_ascii_case("from"));
    let entity = words.nth(1).unwrap_or("");
    let kind = Kind::parse(entity).map(Kind::name);
    kind.or_else(|| Singleton::parse(entity).map(Singleton::name)).unwrap_or("unknown")
}

pub(super) fn unsupported(what: &str) -> Fault {
    Fault::unsupported_operation(format!("Operation {what} is not supported."))
}

fn content_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let value = value.unwrap_or("").split(';').next().unwrap_or("");
    value.trim().to_ascii_lowercase()
}

fn bad_content_type(got: &str) -> Fault {
    Fault::validation(
        "1050",
        "Invalid Content Type",
        format!("The content type {got} is not supported."),
    )
}

/// A query by POST: the statement is the body.
fn statement(headers: &HeaderMap, body: &[u8]) -> Result<String, Fault> {
    let kind = content_type(headers);
    if !["application/text", "text/plain"].contains(&kind.as_str()) {
        return Err(bad_content_type(&kind));
    }
    String::from_utf8(body.to_vec()).map_err(|_| Fault::not_utf8())
}

/// Sending has no body: who gets it stands in the URL.
fn send(kind: Kind, id: &str, parameters: &Parameters) -> Target {
    let mut body = Map::new();
    body.insert("Id".into(), json!(id));
    if let Some(to) = &parameters.send_to {
        body.insert("BillEmail".into(), json!({ "Address": to }));
    }
    Target::Write(Write { kind, operation: Operation::Send, body, duplicate_numbers: false })
}

fn write(
    kind: Kind,
    parameters: &Parameters,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Target, Fault> {
    json_content(headers)?;
    let body = object(body)?;
    let options = Options::read(parameters.include.as_deref());
    let operation = match parameters.operation.as_deref() {
        Some("create") => Operation::Create,
        Some("delete") => Operation::Delete,
        Some("void") => Operation::Void,
        // Payments and sales receipts are voided so (PHP SDK, CoreConstants).
        Some("update") | None if options.void => Operation::Void,
        Some("update") => Operation::Update,
        Some(other) => return Err(unsupported(other)),
        None => usual_operation(&body),
    };
    let duplicate_numbers = options.duplicate_numbers;
    Ok(Target::Write(Write { kind, operation, body, duplicate_numbers }))
}

fn update(
    singleton: Singleton,
    parameters: &Parameters,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Target, Fault> {
    json_content(headers)?;
    let body = object(body)?;
    settings(singleton, parameters.operation.as_deref(), body)
}

/// A write of CompanyInfo or Preferences. There is one of each, so it can only be updated.
pub(super) fn settings(
    singleton: Singleton,
    operation: Option<&str>,
    body: Map<String, Value>,
) -> Result<Target, Fault> {
    match operation {
        None | Some("update") => Ok(Target::Update(singleton, body)),
        Some(other) => Err(unsupported(other)),
    }
}

/// What a URL's `include` or an item's `optionsData` asks for. Words that concern the answer only,
/// and unknown ones, are passed over.
#[derive(Clone, Copy)]
pub(super) struct Options {
    pub(super) void: bool,
    pub(super) duplicate_numbers: bool,
}

impl Options {
    /// Reads a list of words with commas between them.
    pub(super) fn read(words: Option<&str>) -> Self {
        let has = |wanted: &str| {
            words.unwrap_or("").split(',').any(|word| word.trim().eq_ignore_ascii_case(wanted))
        };
        Self {
            void: has("void"),
            // In a URL it is the short word, in a batch the long one (PHP SDK, Batch.php).
            duplicate_numbers: has("allowduplicatedocnum") || has("allowduplicatedocnumber"),
        }
    }
}

/// The operation of a body that names none: an update if it has an Id.
pub(super) fn usual_operation(body: &Map<String, Value>) -> Operation {
    // Public clients send an empty text for what they do not know.
    let none = |id: &Value| id.is_null() || id.as_str() == Some("");
    if body.get("Id").is_none_or(none) { Operation::Create } else { Operation::Update }
}

/// Refuses a body that says it is something other than JSON; one that says nothing is taken.
pub(super) fn json_content(headers: &HeaderMap) -> Result<(), Fault> {
    match content_type(headers).as_str() {
        "" | "application/json" => Ok(()),
        other => Err(bad_content_type(other)),
    }
}

/// A body that must be a JSON object.
pub(super) fn object(body: &[u8]) -> Result<Map<String, Value>, Fault> {
    if std::str::from_utf8(body).is_err() {
        return Err(Fault::not_utf8());
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(body)) => Ok(body),
        // The recorded text of a body that is not JSON, or not an object.
        _ => Err(Fault::bad_property("failed to parse json object; a property")),
    }
}
