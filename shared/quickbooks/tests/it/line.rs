//! What breaks on the line: no connection, cuts before, within and after the answer.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use quickbooks::{CallError, Entity, OAuthError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tracing::instrument::WithSubscriber;
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{
    ACCESS_TOKEN, CODE, REFRESH_TOKEN, answering, app, assert_no_secret, client_at, json, oauth_at,
    session,
};

const BODY: &str = r#"{"Description":"a body nobody logs"}"#;

/// Accepts connections, reads one request of each, writes `answer` and cuts. Gives the number of
/// requests that arrived.
async fn cutting(answer: &'static [u8]) -> (SocketAddr, Arc<Mutex<u32>>, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let arrived = Arc::new(Mutex::new(0));
    let counter = Arc::clone(&arrived);
    let server = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            *counter.lock().unwrap() += 1;
            serve(stream, answer).await;
        }
    });
    (address, arrived, server)
}

async fn serve(mut stream: TcpStream, answer: &[u8]) {
    let mut request = Vec::new();
    let mut buffer = [0; 4_096];
    while !request.ends_with(BODY.as_bytes()) && !request.ends_with(b"\r\n\r\n") {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(read) => request.extend_from_slice(&buffer[..read]),
        }
    }
    let _ = stream.write_all(answer).await;
    let _ = stream.flush().await;
}

async fn create_against(answer: &'static [u8]) -> CallError {
    let (address, arrived, server) = cutting(answer).await;
    let error = client_at(&format!("http://{address}"))
        .create(&session(), Entity::TimeActivity, BODY, "r1")
        .await
        .unwrap_err();
    server.abort();
    assert_eq!(*arrived.lock().unwrap(), 1, "a cut request is not sent again by itself");
    assert_no_secret(&format!("{error:?} {error}"));
    error
}

#[tokio::test]
async fn a_refused_connection_is_certainly_not_sent() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let client = client_at(&format!("http://{address}"));
    let error = client.create(&session(), Entity::Item, BODY, "r1").await.unwrap_err();
    assert!(
        matches!(&error, CallError::NotSent { reason } if reason.contains("refused")),
        "{error:?}"
    );
    assert!(!error.may_have_committed());
}

#[tokio::test]
async fn a_failed_tls_handshake_is_certainly_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client_at(&format!("https://{}", listener.local_addr().unwrap()));
    let server = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            drop(stream);
        }
    });
    let error = client.create(&session(), Entity::Item, BODY, "r1").await.unwrap_err();
    server.abort();
    assert!(matches!(error, CallError::NotSent { .. }), "{error:?}");
    assert_no_secret(&format!("{error:?}"));
}

#[tokio::test]
async fn a_cut_before_the_answer_may_have_committed() {
    let error = create_against(b"").await;
    assert!(matches!(error, CallError::Unanswered { .. }), "{error:?}");
    assert!(error.may_have_committed());
}

#[tokio::test]
async fn a_cut_within_the_answer_may_have_committed() {
    for answer in [
        &b"HTTP/1.1 200 OK\r\nContent-"[..],
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"TimeActivity\":{\"Id\":\"1\"",
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 500\r\n\r\n{\"Fault\":",
        b"not HTTP at all\r\n\r\n",
    ] {
        let error = create_against(answer).await;
        assert!(matches!(error, CallError::Unanswered { .. }), "{error:?}");
        assert!(error.may_have_committed());
    }
}

#[tokio::test]
async fn a_status_that_says_it_all_counts_even_when_the_body_is_cut() {
    let error =
        create_against(b"HTTP/1.1 429 Too Many\r\nRetry-After: 5\r\nContent-Length: 99\r\n\r\n<In")
            .await;
    let expected = Duration::from_secs(5);
    assert!(
        matches!(error, CallError::Throttled { retry_after, .. } if retry_after == expected),
        "{error:?}"
    );
    let error = create_against(b"HTTP/1.1 503 Unavailable\r\nContent-Length: 99\r\n\r\n<ht").await;
    assert!(matches!(error, CallError::Unavailable { status: 503, .. }), "{error:?}");
    let error = create_against(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 99\r\n\r\n{").await;
    assert!(matches!(error, CallError::TokenRefused(_)), "{error:?}");
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client_at(&format!("http://{}", listener.local_addr().unwrap()));
    let error = client.create(&session(), Entity::Item, BODY, "r1").await.unwrap_err();
    assert!(matches!(error, CallError::Unanswered { .. }), "{error:?}");
}

#[tokio::test]
async fn a_cut_refresh_may_have_rotated_and_a_refused_connection_has_not() {
    let (address, arrived, server) = cutting(b"").await;
    let oauth = oauth_at(&format!("http://{address}"));
    // The form does not end where the cutting server looks for an end: it is given up or cut.
    let error = oauth.refresh(&app(), &REFRESH_TOKEN.into()).await.unwrap_err();
    server.abort();
    assert!(matches!(error, OAuthError::Unanswered { .. }), "{error:?}");
    assert!(error.may_have_happened());
    assert_eq!(*arrived.lock().unwrap(), 1);
    let error = oauth.refresh(&app(), &REFRESH_TOKEN.into()).await.unwrap_err();
    assert!(matches!(error, OAuthError::NotSent { .. }), "{error:?}");
    assert!(!error.may_have_happened());
}

/// Everything that is logged, at every level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self::Writer {
        self.clone()
    }
}

#[tokio::test]
async fn the_log_tells_how_it_went_and_holds_no_secret_no_body_and_no_query() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    async {
        let fault = format!(
            r#"{{"fault":{{"error":[{{"message":"m","detail":"Token expired: {ACCESS_TOKEN}","code":"3200"}}],"type":"AUTHENTICATION"}}}}"#
        );
        let server = answering(json(401, &fault)).await;
        let client = client_at(&server.uri());
        let _ = client.create(&session(), Entity::TimeActivity, BODY, "r1").await;
        let _ = client.query(&session(), "SELECT * FROM Employee WHERE Id = 'a name'").await;
        let _ = client_at("http://127.0.0.1:1").query(&session(), "SELECT a name").await;
        let oauth = oauth_at(&server.uri());
        let _ = oauth.refresh(&app(), &REFRESH_TOKEN.into()).await;
        let _ = oauth.exchange(&app(), &CODE.into(), "https://app.example/callback").await;
        let _ = oauth.revoke(&app(), &REFRESH_TOKEN.into()).await;
    }
    .with_subscriber(subscriber)
    .await;

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert_no_secret(&log);
    for kept_out in ["nobody logs", "a name", "a%20name", "minorversion", "Basic", "Bearer"] {
        assert!(!log.contains(kept_out), "{kept_out} in: {log}");
    }
    for told in ["entity=\"TimeActivity\"", "operation=\"create\"", "status=401", "tid-1"] {
        assert!(log.contains(told), "{told} not in: {log}");
    }
    assert!(log.contains("duration_ms=") && log.contains("operation=\"refresh\""), "{log}");
}
