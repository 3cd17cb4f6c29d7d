//! The two ports, and what every request goes through: fault plan, work, journal, counters.
//!
//! A request's work is a task of its own, so it goes on to commit after its client has gone. A cut
//! connection is one whose service fails: hyper then closes the socket without writing a byte.

use std::{
    convert::Infallible,
    fmt,
    io::{self, Error},
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri},
    response::{IntoResponse, Response},
    routing::get,
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{rt::TokioIo, server::graceful::GracefulShutdown};
use sha2::{Digest, Sha256};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use tower::ServiceExt;

use crate::{
    admin,
    app::App,
    chance::Chance,
    config::Config,
    counters::Call,
    entities::schema,
    faults::{CutMark, Subject},
    ids::Realm,
    issuer,
    journal::Entry,
    meter::Metered,
    oauth, rest, webhooks,
};

/// Largest body on QuickBooks' side, in bytes.
const MAX_BODY: usize = 10 * 1024 * 1024;
/// Largest body on the admin side: a test seeds whole companies.
const MAX_ADMIN_BODY: usize = 512 * 1024 * 1024;
/// How long open requests may take to end when the sandbox stops.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// A running sandbox. Dropping it stops it without waiting; see [`Sandbox::stop`].
pub struct Sandbox {
    public_url: String,
    admin_url: String,
    app: Arc<App>,
    stop: watch::Sender<bool>,
    servers: Vec<JoinHandle<()>>,
}

impl Sandbox {
    /// Opens both ports and seeds the companies.
    ///
    /// # Errors
    /// A port is taken, or a seed or the development key cannot be read. `InvalidData`: the state
    /// file cannot be used; it is left as it is.
    pub async fn start(config: Config) -> io::Result<Self> {
        let public = bind(config.host, config.port).await?;
        let admin = bind(config.host, config.admin_port).await?;
        let admin_url = format!("http://{}", admin.local_addr()?);
        let public_url = match &config.public_url {
            Some(url) => url.clone(),
            None => format!("http://{}", public.local_addr()?),
        };
        schema::warm_up();
        let app = Arc::new(App::new(config, public_url.clone()).map_err(Error::other)?);
        app.load_state()?;

        let (stop, stopped) = watch::channel(false);
        let public_router = Router::new()
            .route("/", get(about))
            .merge(oauth::routes())
            .merge(issuer::routes())
            .merge(rest::routes())
            .with_state(Arc::clone(&app));
        let admin_router = admin::router(&app);
        let observed = {
            let app = Arc::clone(&app);
            move |request| observe(Arc::clone(&app), public_router.clone(), request)
        };
        let plain = move |request| unobserved(admin_router.clone(), request);
        let servers = vec![
            tokio::spawn(serve(public, observed, stopped.clone())),
            tokio::spawn(serve(admin, plain, stopped.clone())),
            tokio::spawn(webhooks::run(Arc::clone(&app), stopped)),
        ];
        Ok(Self { public_url, admin_url, app, stop, servers })
    }

    /// Base of QuickBooks' side, without a trailing slash.
    pub fn public_url(&self) -> &str {
        &self.public_url
    }

    /// Base of the admin API, without a trailing slash.
    pub fn admin_url(&self) -> &str {
        &self.admin_url
    }

    /// What everything random starts from.
    pub fn seed(&self) -> u64 {
        self.app.config.seed
    }

    /// Stops listening, gives open requests two seconds to end and writes the state file, if there
    /// is one.
    ///
    /// # Errors
    /// The state file cannot be written.
    pub async fn stop(self) -> io::Result<()> {
        let _ = self.stop.send(true);
        for server in self.servers {
            // A server task ends by itself; it cannot fail in a way that matters now.
            let _ = server.await;
        }
        self.app.save_state().map(drop)
    }
}

async fn bind(host: IpAddr, port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((host, port))
        .await
        .map_err(|error| Error::new(error.kind(), format!("{host}:{port}: {error}")))
}

async fn about() -> &'static str {
    "QuickBooks sandbox. Start at /.well-known/openid_sandbox_configuration\n"
}

/// The service's failure: the connection ends here.
#[derive(Debug)]
struct Gone;

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection is cut on demand")
    }
}

impl std::error::Error for Gone {}

/// Accepts connections until told to stop.
async fn serve<S, F>(listener: TcpListener, service: S, mut stopped: watch::Receiver<bool>)
where
    S: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Response, Gone>> + Send + 'static,
{
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.changed() => break,
        };
        let Ok((stream, _)) = accepted else { continue };
        // Small answers must not wait for the client's acknowledgement.
        let _ = stream.set_nodelay(true);
        let service = service.clone();
        let connection =
            http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(service));
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection ended early");
            }
        });
    }
    drop(listener);
    tokio::select! {
        () = graceful.shutdown() => {}
        () = tokio::time::sleep(STOP_GRACE) => {}
    }
}

/// What a handler tells the journal and the counters, as an extension of its answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Note {
    pub(crate) realm: Option<Realm>,
    pub(crate) requestid: Option<String>,
    pub(crate) entity: String,
    pub(crate) operation: String,
    pub(crate) replayed: bool,
    /// What the monthly meter counts it as, if it succeeds.
    pub(crate) metered: Option<Metered>,
    /// The number of the fault that the call met.
    pub(crate) fault: Option<u64>,
}

async fn unobserved(router: Router, request: Request<Incoming>) -> Result<Response, Gone> {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(Body::new(body), MAX_ADMIN_BODY).await else {
        return Ok(StatusCode::PAYLOAD_TOO_LARGE.into_response());
    };
    let request = Request::from_parts(parts, Body::from(body));
    Ok(router.oneshot(request).await.unwrap_or_else(|never: Infallible| match never {}))
}

/// One request on QuickBooks' side.
async fn observe(
    app: Arc<App>,
    router: Router,
    request: Request<Incoming>,
) -> Result<Response, Gone> {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(Body::new(body), MAX_BODY).await else {
        return Ok(StatusCode::PAYLOAD_TOO_LARGE.into_response());
    };
    let work = tokio::spawn(async move {
        let call = Received {
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            body: body.clone(),
            headers: parts.headers.clone(),
        };
        let request = Request::from_parts(parts, Body::from(body));
        call.through(&app, router, request).await
    });
    // A panic in a handler is a defect of the sandbox; the client sees a plain 500.
    work.await.unwrap_or_else(|_| Ok(StatusCode::INTERNAL_SERVER_ERROR.into_response()))
}

/// A request with its body read.
struct Received {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

impl Received {
    async fn through(
        self,
        app: &App,
        router: Router,
        request: Request<Body>,
    ) -> Result<Response, Gone> {
        let (started, at) = (Instant::now(), app.now());
        let path = self.uri.path();
        let realm = realm_of(path);
        let subject = Subject {
            method: self.method.as_str(),
            path_and_query: self.uri.path_and_query().map_or(path, |both| both.as_str()),
            realm: realm.as_ref(),
            body: &self.body,
            batch_item: None,
        };
        let door = app.faults.plan_at_door(&subject);
        let zone = app.zone(realm.as_ref());
        let (mut response, fault) = if let Some(mut response) = door.before(app.now(), &zone).await
        {
            response.extensions_mut().insert(Note { realm: realm.clone(), ..Note::default() });
            (response, door.fault)
        } else {
            let (response, fault) = if is_rest(path) || path == oauth::TOKEN_PATH {
                // These two look for their fault themselves, at the point where the work begins.
                (route(router, request).await, None)
            } else {
                let plan = app.faults.plan(&subject);
                let response = match plan.before(app.now(), &zone).await {
                    Some(response) => response,
                    None => plan.after(route(router, request).await, app.now(), &zone).await,
                };
                (response, plan.fault)
            };
            (door.after(response, app.now(), &zone).await, fault.or(door.fault))
        };

        let tid = trace_id(&app.chance);
        self.record(app, &response, fault, &tid, (at, started));
        if response.extensions().get::<CutMark>().is_some() {
            return Err(Gone);
        }
        if let Ok(tid) = HeaderValue::from_str(&tid) {
            response.headers_mut().insert(HeaderName::from_static("intuit_tid"), tid);
        }
        Ok(response)
    }

    fn record(
        &self,
        app: &App,
        response: &Response,
        fault: Option<u64>,
        tid: &str,
        (at, started): (jiff::Timestamp, Instant),
    ) {
        let note = response.extensions().get::<Note>().cloned().unwrap_or_default();
        let cut = response.extensions().get::<CutMark>().map(|mark| mark.0.name());
        // A call that was cut before its work came to nothing.
        let status = (cut != Some("before")).then(|| response.status().as_u16());
        let is_rest = is_rest(self.uri.path());
        if is_rest {
            let call = Call {
                entity: &note.entity,
                operation: &note.operation,
                status,
                replayed: note.replayed,
                metered: note.metered,
            };
            app.count(note.realm.as_ref(), |counters| counters.rest(&call));
            if let (Some(realm), Some(metered)) = (&note.realm, call.metered_now()) {
                app.meter.count(at, realm, metered);
            }
        }
        let named = |text: String| (!text.is_empty()).then_some(text);
        app.journal.add(Entry {
            seq: 0,
            at,
            method: self.method.to_string(),
            path: self.uri.path().to_owned(),
            query: if is_rest { self.uri.query().unwrap_or("").to_owned() } else { String::new() },
            realm: note.realm,
            requestid: note.requestid,
            status,
            intuit_tid: tid.to_owned(),
            entity: named(note.entity),
            operation: named(note.operation),
            replayed: note.replayed,
            fault: note.fault.or(fault),
            cut,
            user_agent: self
                .headers
                .get("user-agent")
                .and_then(|agent| agent.to_str().ok())
                .map(ToOwned::to_owned),
            body_sha256: hex(&Sha256::digest(&self.body)),
            duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        });
    }
}

const REST: &str = "/v3/company/";

fn is_rest(path: &str) -> bool {
    path.starts_with(REST)
}

/// The company that a REST path names.
fn realm_of(path: &str) -> Option<Realm> {
    path.strip_prefix(REST)?.split('/').next().map(Realm::from)
}

async fn route(router: Router, request: Request<Body>) -> Response {
    router.oneshot(request).await.unwrap_or_else(|never: Infallible| match never {})
}

/// `1-<8 hex>-<24 hex>`, the form of a real `intuit_tid`.
fn trace_id(chance: &Chance) -> String {
    let bits = chance.bits();
    format!("1-{:08x}-{:024x}", bits >> 96, bits & (u128::MAX >> 32))
}

/// Bytes as lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
