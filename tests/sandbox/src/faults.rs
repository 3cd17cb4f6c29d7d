//! Faults on demand: the next matching calls are delayed, refused or cut.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use jiff::{Timestamp, tz::TimeZone};
use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::{
    fault::{Fault, Shape},
    ids::Realm,
    store::lock,
};

/// Where the connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Cut {
    /// Nothing is done.
    Before,
    /// The work is done and committed, then no answer is given.
    After,
}

impl Cut {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
        }
    }
}

/// What `faultShape` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ShapeName {
    #[default]
    Normal,
    Gateway,
}

/// A fault as the admin API takes it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Spec {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    /// Regular expression on path and query as sent, percent-encoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    realm: Option<Realm>,
    /// Regular expression on the request's body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    /// Regular expression on the JSON of one item of a batch, written without blanks and with sorted
    /// keys. With it the fault meets items, without it whole calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    batch_item: Option<String>,
    /// Matching calls to let through first.
    #[serde(default)]
    skip: u64,
    /// Matching calls to break after those.
    #[serde(default = "once")]
    times: u64,
    /// Milliseconds before the work is done.
    #[serde(default)]
    delay_ms: u64,
    /// Milliseconds between the work and the answer.
    #[serde(default)]
    delay_after_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fault_code: Option<String>,
    #[serde(default)]
    fault_shape: ShapeName,
    /// The `type` of the fault; by default one that fits shape and status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fault_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fault_message: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fault_detail: Option<String>,
    /// The whole body of the answer, instead of a fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    raw_body: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    /// Value of a Retry-After header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_after: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cut: Option<Cut>,
    /// With `status` or `rawBody`: do the work all the same, then answer the fault.
    #[serde(default)]
    commit: bool,
    /// Whether it meets calls at the door, before tokens and limits are looked at, as an outage
    /// does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    door: bool,
    /// The scenario that armed it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scenario: Option<String>,
}

impl Spec {
    /// The same fault as a part of `scenario`: for one company or all, `times` times.
    pub(crate) fn of_scenario(self, scenario: &str, realm: Option<Realm>, times: u64) -> Self {
        Self { scenario: Some(scenario.to_owned()), realm, times, ..self }
    }
}

fn once() -> u64 {
    1
}

struct Armed {
    id: u64,
    spec: Arc<Spec>,
    path: Option<Regex>,
    body: Option<Regex>,
    batch_item: Option<Regex>,
    seen: u64,
}

impl Armed {
    fn used_up(&self) -> bool {
        self.seen >= self.spec.skip.saturating_add(self.spec.times)
    }
}

/// A fault with its number and how often it has matched, for `GET /faults`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Listed {
    id: u64,
    matched: u64,
    #[serde(flatten)]
    spec: Spec,
}

impl Listed {
    /// How many calls it has broken, and in which scenario.
    pub(crate) fn met(&self) -> (u64, Option<&str>) {
        (self.matched.saturating_sub(self.spec.skip), self.spec.scenario.as_deref())
    }
}

#[derive(Default)]
struct Rules {
    armed: Vec<Armed>,
    last: u64,
}

/// The faults waiting for their calls.
#[derive(Default)]
pub(crate) struct Faults(Mutex<Rules>);

/// A call, as a fault sees it.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) method: &'a str,
    pub(crate) path_and_query: &'a str,
    pub(crate) realm: Option<&'a Realm>,
    pub(crate) body: &'a [u8],
    /// The JSON of the item; `None` for a whole call.
    pub(crate) batch_item: Option<&'a str>,
}

impl Faults {
    /// Arms a fault; the error says which expression cannot be read.
    pub(crate) fn add(&self, spec: Spec) -> Result<u64, String> {
        let regex = |text: &Option<String>| {
            text.as_deref().map(Regex::new).transpose().map_err(|error| error.to_string())
        };
        let (path, body) = (regex(&spec.path)?, regex(&spec.body)?);
        let batch_item = regex(&spec.batch_item)?;
        if batch_item.is_some() && (spec.cut.is_some() || spec.raw_body.is_some()) {
            return Err("an item of a batch has no connection to cut and no body of its own".into());
        }
        if let Some(status) = spec.status {
            StatusCode::from_u16(status).map_err(|_| format!("{status} is not an HTTP status"))?;
        }
        let mut rules = lock(&self.0);
        rules.last += 1;
        let id = rules.last;
        rules.armed.push(Armed { id, spec: Arc::new(spec), path, body, batch_item, seen: 0 });
        Ok(id)
    }

    pub(crate) fn list(&self) -> Vec<Listed> {
        lock(&self.0)
            .armed
            .iter()
            .map(|armed| Listed {
                id: armed.id,
                matched: armed.seen,
                spec: armed.spec.as_ref().clone(),
            })
            .collect()
    }

    pub(crate) fn clear(&self) {
        lock(&self.0).armed.clear();
    }

    /// Disarms one; `false` if it is not armed.
    pub(crate) fn remove(&self, id: u64) -> bool {
        self.disarm(|armed| armed.id == id)
    }

    /// Disarms what a scenario armed; `false` if there was nothing.
    pub(crate) fn end_scenario(&self, scenario: &str) -> bool {
        self.disarm(|armed| armed.spec.scenario.as_deref() == Some(scenario))
    }

    fn disarm(&self, which: impl Fn(&Armed) -> bool) -> bool {
        let mut rules = lock(&self.0);
        let before = rules.armed.len();
        rules.armed.retain(|armed| !which(armed));
        rules.armed.len() < before
    }

    /// The plan for one call: the first fault that matches it and has times left. Faults that are
    /// still skipping count the call and let the next one see it.
    pub(crate) fn plan(&self, call: &Subject<'_>) -> Plan {
        self.plan_at(false, call)
    }

    /// The same for the faults that stand at the door.
    pub(crate) fn plan_at_door(&self, call: &Subject<'_>) -> Plan {
        self.plan_at(true, call)
    }

    fn plan_at(&self, door: bool, call: &Subject<'_>) -> Plan {
        let mut rules = lock(&self.0);
        let mut found = None;
        for armed in &mut rules.armed {
            let spec = &armed.spec;
            let matches = spec.door == door
                && spec.method.as_ref().is_none_or(|m| m.eq_ignore_ascii_case(call.method))
                && spec.realm.as_ref().is_none_or(|realm| call.realm == Some(realm))
                && armed.path.as_ref().is_none_or(|path| path.is_match(call.path_and_query))
                && armed
                    .body
                    .as_ref()
                    .is_none_or(|body| body.is_match(&String::from_utf8_lossy(call.body)))
                && match (&armed.batch_item, call.batch_item) {
                    (Some(wanted), Some(item)) => wanted.is_match(item),
                    (wanted, item) => wanted.is_none() && item.is_none(),
                };
            if !matches {
                continue;
            }
            armed.seen += 1;
            if armed.seen > spec.skip {
                found = Some(Plan { fault: Some(armed.id), spec: Some(Arc::clone(spec)) });
                break;
            }
        }
        rules.armed.retain(|armed| !armed.used_up());
        found.unwrap_or_default()
    }
}

/// What happens to one call.
#[derive(Clone, Default)]
pub(crate) struct Plan {
    /// The fault's number.
    pub(crate) fault: Option<u64>,
    spec: Option<Arc<Spec>>,
}

/// A mark on an answer that must not reach the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CutMark(pub(crate) Cut);

impl Plan {
    /// Waits and perhaps answers, before any work is done.
    pub(crate) async fn before(&self, now: Timestamp, zone: &TimeZone) -> Option<Response> {
        let spec = self.spec.as_ref()?;
        wait(spec.delay_ms).await;
        if spec.cut == Some(Cut::Before) {
            return Some(cut(Response::default(), Cut::Before));
        }
        (!spec.commit && spec.cut != Some(Cut::After)).then(|| spec.answer(now, zone)).flatten()
    }

    /// Waits, and perhaps replaces the answer or marks it as cut, after the work was done.
    pub(crate) async fn after(
        &self,
        response: Response,
        now: Timestamp,
        zone: &TimeZone,
    ) -> Response {
        let Some(spec) = &self.spec else { return response };
        wait(spec.delay_after_ms).await;
        if spec.cut == Some(Cut::After) {
            return cut(response, Cut::After);
        }
        let mut answer = spec.answer(now, zone);
        if let Some(answer) = &mut answer {
            // What the work came to stays on record although the client does not see it.
            *answer.extensions_mut() = response.extensions().clone();
        }
        answer.unwrap_or(response)
    }
}

/// What a fault does to one item of a batch.
pub(crate) struct ItemFault {
    /// It stands for the item's answer.
    pub(crate) fault: Fault,
    /// Whether the work is done all the same.
    pub(crate) commit: bool,
}

impl Plan {
    /// For one item of a batch: waits, and perhaps answers in its place.
    pub(crate) async fn before_item(&self) -> Option<ItemFault> {
        let spec = self.spec.as_ref()?;
        wait(spec.delay_ms).await;
        if !spec.answers() {
            return None;
        }
        let status = spec.http_status();
        let mut fault = spec.fault(status);
        if spec.fault_type.is_none() {
            // Whatever stands within a batch looks alike; only the type says who refused it.
            fault.shape = usual(status).shape;
        }
        Some(ItemFault { fault, commit: spec.commit })
    }

    /// For one item of a batch, after its work: waits.
    pub(crate) async fn after_item(&self) {
        if let Some(spec) = &self.spec {
            wait(spec.delay_after_ms).await;
        }
    }
}

async fn wait(millis: u64) {
    if millis > 0 {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
}

fn cut(mut response: Response, at: Cut) -> Response {
    response.extensions_mut().insert(CutMark(at));
    response
}

impl Spec {
    /// Whether the fault has an answer that stands in for the real one.
    fn answers(&self) -> bool {
        self.status.is_some() || self.fault_code.is_some() || self.raw_body.is_some()
    }

    fn http_status(&self) -> StatusCode {
        let status = self.status.and_then(|status| StatusCode::from_u16(status).ok());
        status.unwrap_or(StatusCode::BAD_REQUEST)
    }

    /// The answer that stands in for the real one, if the fault has one.
    fn answer(&self, now: Timestamp, zone: &TimeZone) -> Option<Response> {
        if !self.answers() {
            return None;
        }
        let status = self.http_status();
        let mut response = match &self.raw_body {
            Some(body) => {
                let mut response = Response::new(Body::from(body.clone()));
                *response.status_mut() = status;
                response
            }
            None => self.fault(status).response(now, zone),
        };
        let mut set = |name: header::HeaderName, value: &Option<String>| {
            if let Some(value) =
                value.as_deref().and_then(|value| HeaderValue::from_str(value).ok())
            {
                response.headers_mut().insert(name, value);
            }
        };
        set(header::CONTENT_TYPE, &self.content_type);
        set(header::RETRY_AFTER, &self.retry_after);
        Some(response)
    }

    fn fault(&self, status: StatusCode) -> Fault {
        let usual = usual(status);
        let kind = self.fault_type.as_deref().unwrap_or("");
        let shape = match self.fault_shape {
            ShapeName::Gateway if kind == "AUTHENTICATION" => Shape::Gateway("AUTHENTICATION"),
            ShapeName::Gateway => match usual.shape {
                Shape::Gateway(kind) => Shape::Gateway(kind),
                Shape::Normal(_) => Shape::Gateway("SERVICE"),
            },
            ShapeName::Normal => Shape::Normal(match kind {
                "AuthenticationFault" => "AuthenticationFault",
                "AuthorizatonFault" => "AuthorizatonFault",
                "SystemFault" => "SystemFault",
                "ValidationFault" => "ValidationFault",
                _ if status.is_server_error() => "SystemFault",
                _ => "ValidationFault",
            }),
        };
        Fault {
            status,
            shape,
            code: self.fault_code.as_deref().map_or(usual.code, Into::into),
            message: self.fault_message.as_deref().map_or(usual.message, Into::into),
            detail: self.fault_detail.as_deref().map_or(usual.detail, Into::into),
            element: None,
        }
    }
}

/// The fault that goes with a status.
fn usual(status: StatusCode) -> Fault {
    match status.as_u16() {
        429 => Fault::throttled(),
        401 => Fault::unauthenticated("Token expired"),
        403 => Fault::forbidden("The application was disconnected"),
        500.. => Fault::validation(
            "10000",
            "An application error has occurred while processing your request",
            "System Failure Error: Please try again later.",
        ),
        _ => Fault::validation("6000", "A business validation error has occurred", ""),
    }
}
