//! One call from end to end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderMap, HeaderName, TRANSFER_ENCODING};
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{Request, Response, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use jiff::Timestamp;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OnceCell;

use super::action::{self, Call};
use super::log::{Entry, Outcome};
use super::process::{self, Process};
use super::rules::{Effect, When};
use super::{Proxy, Target};

/// Idle connections to a service are closed earlier than the service does (the emulator: 5 s), so
/// that a call is not sent into a closing connection.
const IDLE: Duration = Duration::from_secs(2);

/// Headers that belong to one connection, not to the call.
const PER_CONNECTION: [HeaderName; 4] = [
    CONNECTION,
    TRANSFER_ENCODING,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// The connection is closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection was closed without an answer")]
struct Closed;

/// A caller's connection.
struct Connection {
    proxy: Arc<Proxy>,
    target: Target,
    upstream: SocketAddr,
    client: Client<HttpConnector, Full<Bytes>>,
    ends: (SocketAddr, SocketAddr),
    process: OnceCell<Option<Process>>,
}

/// Accepts connections for one service until the process ends.
pub async fn serve(
    listener: TcpListener,
    target: Target,
    upstream: SocketAddr,
    proxy: Arc<Proxy>,
) -> Infallible {
    let client = Client::builder(TokioExecutor::new())
        .pool_idle_timeout(IDLE)
        .http1_preserve_header_case(true)
        .build_http();
    loop {
        // Out of file descriptors, or a caller that left before it was let in.
        let Ok((stream, peer)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let proxy = Arc::clone(&proxy);
        let client = client.clone();
        tokio::spawn(async move {
            let Ok(local) = stream.local_addr() else { return };
            let ends = (peer, local);
            let process = OnceCell::new();
            let connection = Connection { proxy, target, upstream, client, ends, process };
            connection.run(stream).await;
        });
    }
}

impl Connection {
    async fn run(self, stream: TcpStream) {
        let connection = Arc::new(self);
        let service = service_fn(|request| {
            let connection = Arc::clone(&connection);
            async move { connection.call(request).await.map(|answer| answer.map(Full::new)) }
        });
        // How a caller's connection ends is the caller's matter.
        let _ = hyper::server::conn::http1::Builder::new()
            .preserve_header_case(true)
            .serve_connection(TokioIo::new(stream), service)
            .await;
    }

    async fn process(&self) -> Option<&Process> {
        let (client, server) = self.ends;
        let find = || async move {
            tokio::task::spawn_blocking(move || process::behind(client, server))
                .await
                .ok()
                .flatten()
        };
        self.process.get_or_init(find).await.as_ref()
    }

    async fn call(&self, request: Request<Incoming>) -> Result<Response<Bytes>, Closed> {
        let (at, started) = (Timestamp::now(), Instant::now());
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Closed)?.to_bytes();
        let call = match self.target {
            Target::Aws => action::aws(&parts, &body),
            Target::QuickBooks => action::quickbooks(&parts),
        };
        let process = self.process().await;
        let function = process.map(|process| process.function.clone());
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        if let Some(requests) = &self.proxy.requests {
            requests.keep(function.as_deref(), &call, &parts, &body);
        }
        let effect = self.proxy.rules.decide(self.target, function.as_deref(), &call, path);
        let mut entry = Entry {
            seq: 0,
            at,
            target: self.target,
            function,
            pid: process.map(|process| process.pid),
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            service: call.service.clone(),
            action: call.action.clone(),
            uses: call.uses.clone(),
            status: None,
            error: None,
            scanned: None,
            units: None,
            outcome: Outcome::Forwarded,
            duration_ms: 0,
        };
        let answer = self.apply(effect, process, &call, parts, body, &mut entry).await;
        entry.duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.proxy.log.add(entry);
        answer
    }

    /// Does to the call what the rules say, and notes in `entry` what that was.
    async fn apply(
        &self,
        effect: Option<Effect>,
        process: Option<&Process>,
        call: &Call,
        parts: Parts,
        body: Bytes,
        entry: &mut Entry,
    ) -> Result<Response<Bytes>, Closed> {
        let (when, kill) = match effect {
            Some(Effect::Refuse { status }) => {
                entry.outcome = Outcome::Refused;
                return refusal(call, status);
            }
            Some(Effect::Delay { ms }) => {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                (None, None)
            }
            Some(Effect::Crash { when }) => (Some(when), process),
            Some(Effect::Cut { when }) => (Some(when), None),
            None => (None, None),
        };
        if when != Some(When::Before) {
            let answer = self.forward(parts, body).await;
            if let Ok(answer) = &answer {
                entry.status = Some(answer.status().as_u16());
                entry.error = aws_error(answer);
                if call.action == "dynamodb:Query" {
                    (entry.scanned, entry.units) = cost(answer);
                }
            }
            if when.is_none() {
                if answer.is_err() {
                    entry.outcome = Outcome::Unanswered;
                }
                return answer;
            }
        }
        if let Some(process) = kill {
            process.kill();
        }
        entry.outcome = match (when, kill.is_some()) {
            (Some(When::Before), true) => Outcome::CrashedBefore,
            (_, true) => Outcome::CrashedAfter,
            (Some(When::Before), false) => Outcome::CutBefore,
            (_, false) => Outcome::CutAfter,
        };
        Err(Closed)
    }

    async fn forward(&self, parts: Parts, body: Bytes) -> Result<Response<Bytes>, Closed> {
        let mut request = Request::from_parts(parts, Full::new(body));
        drop_per_connection(request.headers_mut());
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let uri = Uri::builder().scheme("http").authority(self.upstream.to_string());
        let uri = uri.path_and_query(path).build().map_err(|_| Closed)?;
        *request.uri_mut() = uri;
        let answer = self.client.request(request).await.map_err(|_| Closed)?;
        let (mut parts, body) = answer.into_parts();
        let body = body.collect().await.map_err(|_| Closed)?.to_bytes();
        drop_per_connection(&mut parts.headers);
        Ok(Response::from_parts(parts, body))
    }
}

fn drop_per_connection(headers: &mut HeaderMap) {
    for name in &PER_CONNECTION {
        headers.remove(name);
    }
}

/// An answer in the shape that the caller's client expects of a service that is not well.
fn refusal(call: &Call, status: u16) -> Result<Response<Bytes>, Closed> {
    let (content_type, body) = match call.service.as_str() {
        "quickbooks" => ("text/plain", "Service Unavailable"),
        _ => (
            "application/x-amz-json-1.0",
            r#"{"__type":"ServiceUnavailable","message":"refused by the test proxy"}"#,
        ),
    };
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, content_type)
        .body(Bytes::from_static(body.as_bytes()))
        .map_err(|_| Closed)
}

/// What a query looked at, and what it cost.
fn cost(answer: &Response<Bytes>) -> (Option<u64>, Option<f64>) {
    let body: serde_json::Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    let units = body.pointer("/ConsumedCapacity/CapacityUnits").and_then(serde_json::Value::as_f64);
    (body["ScannedCount"].as_u64(), units)
}

/// The error's name as AWS's JSON protocols give it: in a header, or as `__type` in the body.
fn aws_error(answer: &Response<Bytes>) -> Option<String> {
    if !answer.status().is_client_error() && !answer.status().is_server_error() {
        return None;
    }
    let header = answer.headers().get("x-amzn-errortype").and_then(|value| value.to_str().ok());
    let name = header.map(str::to_owned).or_else(|| {
        let body: serde_json::Value = serde_json::from_slice(answer.body()).ok()?;
        body.get("__type").and_then(serde_json::Value::as_str).map(str::to_owned)
    })?;
    let name = name.rsplit('#').next().unwrap_or_default();
    Some(name.split(':').next().unwrap_or_default().to_owned())
}
