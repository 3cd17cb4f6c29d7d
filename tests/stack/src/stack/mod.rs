//! A test's hands on the deployed stack, all from outside.
//!
//! `scripts/test` brings the stack up once and describes it in `.local/stack.json`; every test of
//! the binary `stack` finds it there. Tests share it, each with companies of its own
//! ([`Stack::company`]). What touches everybody, such as moving the clock or killing a function at
//! a call that any company makes, is done alone: [`Stack::alone`].
//!
//! # Layout
//!
//! * [`api`]: calls to the product's HTTP API, with a token of any caller.
//! * [`aws`]: calls to the emulated AWS as its root user, signed by [`sigv4`].
//! * [`bucket`]: files in its buckets.
//! * [`company`]: a company with its QuickBooks file, from nothing to live.
//! * [`connections`]: many connections at once, of any age, and sweeps over them.
//! * [`grants`]: what the template's roles allow, against what was used.
//! * [`host`]: the host app's queue on the bus.
//! * [`iam`]: permissions, taken away and given back.
//! * [`mail`]: the e-mails that were sent, and the events that ask for them.
//! * [`needles`]: secrets, looked for in texts; [`secrecy`]: what the tests saw of them.
//! * [`sandbox`]: QuickBooks' admin side: clock, faults, what is stored, what was asked.
//! * [`control`]: the proxy's control interface.
//! * [`stored`]: what the product's tables hold, and time passing until the dust settles.
//! * [`tokens`]: a company's tokens, and what Intuit was asked for them.
//! * [`cards`]: timecards of a crew, and what QuickBooks must hold for them.

#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a harness whose stack does not answer can only fail the test, and says why"
)]

pub mod api;
pub mod aws;
pub mod bucket;
pub mod cards;
pub mod company;
pub mod connections;
pub mod control;
pub mod grants;
pub mod host;
pub mod iam;
pub mod mail;
pub mod needles;
pub mod sandbox;
pub mod secrecy;
pub mod sigv4;
pub mod stored;
pub mod tokens;

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Held shared by every test, and exclusively by one that touches everybody.
static STACK: RwLock<()> = RwLock::const_new(());

/// What `.local/stack.json` says, or the file that the variable `STACK_FILE` names.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Description {
    /// Name of the CloudFormation stack.
    pub stack_name: String,
    /// AWS region.
    pub region: String,
    /// The product's API with its base path.
    pub api_url: String,
    /// The API's host name, for the Host header.
    pub api_host: String,
    /// Where that host is reached, as `ip:port`.
    pub api_address: String,
    /// The local issuer of tokens.
    pub issuer_url: String,
    /// QuickBooks.
    pub sandbox_url: String,
    /// QuickBooks' admin side.
    pub sandbox_admin_url: String,
    /// The proxy's control interface.
    pub proxy_control_url: String,
    /// The file in which the proxy keeps what functions send.
    pub requests: PathBuf,
    /// The emulated AWS, not through the proxy.
    pub aws_url: String,
    /// The host app's bus.
    pub bus_name: String,
    /// Functions: name as deployed, by the name of the binary, such as `sync-worker`.
    pub functions: BTreeMap<String, String>,
    /// Tables: name as deployed, by name in the template.
    pub tables: BTreeMap<String, String>,
    /// Queues: URL, by name in the template.
    pub queues: BTreeMap<String, String>,
    /// Buckets: name as deployed, by name in the template.
    pub buckets: BTreeMap<String, String>,
    /// Every route of the API, such as `GET /api/v1/x/{id}`.
    pub routes: Vec<String>,
    /// What each function's role allows in the template.
    pub grants: Vec<grants::Grant>,
}

/// The deployed stack.
#[derive(Clone, Debug)]
pub struct Stack {
    /// Its names and addresses.
    pub is: Description,
    /// A client that follows no redirects and resolves no names: `*.localhost` is this machine.
    pub http: reqwest::Client,
}

/// Holds off tests that touch everybody, for as long as it lives.
#[must_use = "the stack is shared only while this is held"]
pub struct Shared(#[expect(dead_code, reason = "held, not read")] RwLockReadGuard<'static, ()>);

/// Holds off every other test, for as long as it lives.
#[must_use = "the stack is yours only while this is held"]
pub struct Alone(#[expect(dead_code, reason = "held, not read")] RwLockWriteGuard<'static, ()>);

impl Stack {
    /// The stack that `scripts/test` or `scripts/dev` has brought up, shared with other tests.
    pub async fn shared() -> (Self, Shared) {
        (Self::load(), Shared(STACK.read().await))
    }

    /// The stack for this test alone, the proxy without rules, the sandbox without faults, and Intuit as
    /// hard as it may be: a replaced refresh token is dead at once, and two refreshes of a connection at
    /// the same time cost it.
    pub async fn alone() -> (Self, Alone) {
        let guard = Alone(STACK.write().await);
        let stack = Self::load();
        stack.control().clear_rules().await;
        stack.sandbox().clear_faults().await;
        stack.replaced_tokens_work_for(0).await;
        (stack, guard)
    }

    fn load() -> Self {
        let usual = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../.local/stack.json");
        let path = std::env::var_os("STACK_FILE").map_or_else(usual, PathBuf::from);
        let text = std::fs::read_to_string(&path)
            .expect("no stack is up: run scripts/test, or scripts/dev --bare in another terminal");
        let is: Description = serde_json::from_str(&text).expect("stack.json is not as expected");
        let address = is.api_address.parse().expect("apiAddress is no ip:port");
        let host = is.api_host.split(':').next().unwrap_or_default();
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .resolve(host, address)
            .timeout(Duration::from_mins(1))
            .build()
            .expect("an HTTP client can be built");
        Self { is, http }
    }

    /// The name as deployed of the function that runs a binary, such as `sync-worker`.
    pub fn function(&self, binary: &str) -> &str {
        self.is.functions.get(binary).expect("the template has no such function")
    }
}

/// Asks again and again, with short pauses, until there is an answer.
///
/// # Panics
///
/// After `patience`, with `what` was waited for.
pub async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    patience: Duration,
    mut ask: impl FnMut() -> F,
) -> T {
    let until = Instant::now() + patience;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < until, "waited {patience:?} in vain for {what}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
