//! The proxy between the deployed functions and everything they call.
//!
//! Functions reach AWS and QuickBooks only through here. The shipped binaries therefore need no
//! hooks of their own for tests: a crash point is an outgoing call, found from outside.
//!
//! # Layout
//!
//! * [`action`]: what a call does, in the words of IAM, with [`partiql`] for statements.
//! * [`process`]: which function process made a connection.
//! * [`rules`]: which calls are crashed, refused or cut.
//! * [`log`]: what happened, and which permissions were used.
//! * [`requests`]: what functions send, for a test that looks for secrets in it.
//! * [`forward`]: one call from end to end.
//! * [`control`]: the HTTP interface of all this for tests.

pub mod action;
pub mod control;
pub mod forward;
pub mod log;
pub mod partiql;
pub mod process;
pub mod requests;
pub mod rules;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

/// Which service a listener stands before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// The emulated AWS.
    Aws,
    /// The QuickBooks sandbox.
    QuickBooks,
}

/// One listener and the service behind it.
#[derive(Clone, Debug)]
pub struct Route {
    /// The service.
    pub target: Target,
    /// Where functions connect.
    pub listen: SocketAddr,
    /// Where the service really is.
    pub upstream: SocketAddr,
}

/// What all connections share.
#[derive(Debug, Default)]
pub struct Proxy {
    /// Calls seen and permissions used.
    pub log: log::Log,
    /// What is done to calls besides passing them on.
    pub rules: rules::Rules,
    /// Where requests are kept, if anywhere.
    pub requests: Option<requests::Requests>,
}

/// Binds every listener, then serves until the process ends. What functions send is kept in the file
/// `requests`, if one is given.
///
/// # Errors
///
/// A listener that cannot be bound, or a file that cannot be written.
pub async fn run(
    routes: &[Route],
    control: SocketAddr,
    requests: Option<&Path>,
) -> std::io::Result<()> {
    let requests = requests.map(requests::Requests::create).transpose()?;
    let proxy = Arc::new(Proxy { requests, ..Proxy::default() });
    for route in routes {
        let listener = TcpListener::bind(route.listen).await?;
        let proxy = Arc::clone(&proxy);
        tokio::spawn(forward::serve(listener, route.target, route.upstream, proxy));
    }
    let listener = TcpListener::bind(control).await?;
    axum::serve(listener, control::router(proxy)).await
}
