//! Sending one request and reading its answer whole.

use std::error::Error as _;
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{RequestBuilder, Response};
use tokio::time::Instant;
use tracing::{debug, info};
use url::{Host, Url};

use crate::classify::{Answer, retry_after};
use crate::error::CallError;

/// A single call is given up after this. Intuit itself cuts requests after 120 s.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// A connection that takes longer is none.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an idle connection is kept. A Lambda is frozen between invocations, and a connection
/// that died meanwhile costs a call whose outcome nobody knows; a new one costs some 30 ms.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(5);

/// The largest answer that is read, in bytes. A page of 1,000 large invoices stays far below.
const MAX_ANSWER: usize = 32 * 1024 * 1024;

/// The header under which Intuit gives a call's id.
const INTUIT_TID: &str = "intuit_tid";

/// The HTTP client that every part of the product uses towards Intuit: TLS 1.2 or higher, no
/// redirect followed (a redirected write would go out twice), no proxy taken from the environment,
/// nothing retried, 30 s in all.
///
/// # Panics
///
/// If the TLS back end cannot start. Call it once, at start-up.
#[expect(clippy::expect_used, reason = "start-up: without TLS nothing can work")]
pub fn http_client() -> reqwest::Client {
    reqwest::Client::builder()
        .user_agent(concat!("quickbooks-connector/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(CALL_TIMEOUT)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .referer(false)
        .build()
        .expect("the HTTP client's TLS back end starts")
}

/// Plain HTTP would show tokens to the network: only loopback may be reached by it.
pub(crate) fn check_address(url: &Url) -> Result<(), CallError> {
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => Ok(()),
        "http" if loopback => Ok(()),
        _ => Err(not_sent("only https is allowed, except to this machine itself")),
    }
}

pub(crate) fn not_sent(reason: &str) -> CallError {
    CallError::NotSent { reason: reason.to_owned() }
}

/// Sends the request once and reads the answer. Errors are [`CallError::NotSent`],
/// [`CallError::Unanswered`] and, for an answer that is too large, [`CallError::Unavailable`].
///
/// `subject` and `operation` are for the log, which holds no address, body or token.
pub(crate) async fn send(
    request: RequestBuilder,
    timeout: Duration,
    subject: &'static str,
    operation: &'static str,
) -> Result<Answer, CallError> {
    let started = Instant::now();
    let result = send_unlogged(request, timeout).await;
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    match &result {
        Ok(answer) => {
            let Answer { status, intuit_tid, .. } = answer;
            let intuit_tid = intuit_tid.as_deref().unwrap_or_default();
            if (200..300).contains(status) {
                debug!(
                    entity = subject,
                    operation, status, intuit_tid, duration_ms, "QuickBooks answered"
                );
            } else {
                info!(
                    entity = subject,
                    operation, status, intuit_tid, duration_ms, "QuickBooks answered"
                );
            }
        }
        Err(error) => {
            info!(entity = subject, operation, duration_ms, %error, "QuickBooks gave no answer");
        }
    }
    result
}

async fn send_unlogged(request: RequestBuilder, timeout: Duration) -> Result<Answer, CallError> {
    let response = request.timeout(timeout).send().await.map_err(|error| failure(&error))?;
    let status = response.status().as_u16();
    let intuit_tid = intuit_tid(response.headers());
    let retry_after = retry_after(response.headers());
    match body(response).await {
        Ok(body) => Ok(Answer { status, intuit_tid, retry_after, body }),
        // Here the status says what is to be known; the rest of the body would add nothing.
        Err(BodyError::Cut(_)) if status >= 500 || matches!(status, 401 | 429) => {
            Ok(Answer { status, intuit_tid, retry_after, body: Vec::new() })
        }
        Err(BodyError::Cut(error)) => Err(failure(&error)),
        Err(BodyError::TooLarge) => {
            let fault = crate::fault::Fault::unread(status, intuit_tid);
            Err(CallError::Unavailable { status, fault: Some(fault) })
        }
    }
}

enum BodyError {
    Cut(reqwest::Error),
    TooLarge,
}

async fn body(mut response: Response) -> Result<Vec<u8>, BodyError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(BodyError::Cut)? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(BodyError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The id, if it is one: it goes into logs as it is.
fn intuit_tid(headers: &HeaderMap) -> Option<String> {
    let tid = headers.get(INTUIT_TID)?.to_str().ok()?.trim();
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':');
    (!tid.is_empty() && tid.len() <= 100 && tid.bytes().all(plain)).then(|| tid.to_owned())
}

/// Only a request whose connection never stood is certainly unsent; all else may have arrived.
fn failure(error: &reqwest::Error) -> CallError {
    if error.is_builder() {
        return not_sent("the request could not be built");
    }
    let reason = reason(error);
    if error.is_connect() {
        CallError::NotSent { reason }
    } else {
        CallError::Unanswered { reason }
    }
}

/// The cause in words. The library's own text holds the address with its query, so only the kind of
/// the failure is taken from it, and from the operating system's error below it.
fn reason(error: &reqwest::Error) -> String {
    let stage = if error.is_connect() { "connecting" } else { "waiting for the answer" };
    if error.is_timeout() {
        return format!("time-out while {stage}");
    }
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            return format!("{} while {stage}", io.kind());
        }
        source = cause.source();
    }
    if error.is_connect() {
        "no connection".to_owned()
    } else {
        format!("the connection was cut while {stage}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_reaches_this_machine_only() {
        for allowed in [
            "https://quickbooks.api.intuit.com",
            "http://127.0.0.1:4600",
            "http://localhost:4600",
            "http://qbo.localhost",
            "http://[::1]:4600",
        ] {
            assert_eq!(check_address(&Url::parse(allowed).unwrap()), Ok(()), "{allowed}");
        }
        for refused in [
            "http://quickbooks.api.intuit.com",
            "http://10.0.0.1",
            "http://localhost.example.com",
            "ftp://127.0.0.1",
        ] {
            let error = check_address(&Url::parse(refused).unwrap()).unwrap_err();
            assert!(matches!(error, CallError::NotSent { .. }), "{refused}");
        }
    }

    #[test]
    fn an_intuit_tid_is_kept_only_if_it_is_plain() {
        let with = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(INTUIT_TID, value.parse().unwrap());
            intuit_tid(&headers)
        };
        assert_eq!(with("1-673e-0a1b").as_deref(), Some("1-673e-0a1b"));
        assert_eq!(with("a b"), None);
        assert_eq!(with(&"a".repeat(101)), None);
        assert_eq!(intuit_tid(&HeaderMap::new()), None);
    }
}
