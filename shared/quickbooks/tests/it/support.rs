//! What the tests share.

use std::time::Duration;

use quickbooks::{AppCredentials, Client, Endpoints, Environment, OAuth, Session, http_client};
use url::Url;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

pub(crate) const REALM: &str = "9341453000000001";
pub(crate) const ACCESS_TOKEN: &str = "access-of-company-a";
pub(crate) const REFRESH_TOKEN: &str = "refresh-of-company-a";
pub(crate) const CODE: &str = "code-of-company-a";
pub(crate) const CLIENT_SECRET: &str = "secret-of-the-app";

pub(crate) fn session() -> Session {
    Session { realm: REALM.to_owned(), access_token: ACCESS_TOKEN.into() }
}

pub(crate) fn app() -> AppCredentials {
    AppCredentials { client_id: "client-id".to_owned(), client_secret: CLIENT_SECRET.into() }
}

pub(crate) fn client_at(address: &str) -> Client {
    Client::new(http_client(), Url::parse(address).unwrap())
        .with_timeout(Duration::from_millis(400))
}

pub(crate) fn oauth_at(address: &str) -> OAuth {
    let base = Url::parse(address).unwrap();
    let endpoints = Endpoints {
        token: base.join("/oauth2/v1/tokens/bearer").unwrap(),
        revoke: base.join("/v2/oauth2/tokens/revoke").unwrap(),
        ..Endpoints::of(Environment::Sandbox)
    };
    OAuth::new(http_client(), endpoints).with_timeout(Duration::from_millis(400))
}

/// A server that answers everything in the same way.
pub(crate) async fn answering(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(answer).mount(&server).await;
    server
}

/// A JSON answer with an `intuit_tid`.
pub(crate) fn json(status: u16, body: &str) -> ResponseTemplate {
    ResponseTemplate::new(status)
        .insert_header("intuit_tid", "tid-1")
        .set_body_raw(body.as_bytes().to_vec(), "application/json;charset=UTF-8")
}

/// The one request that the server received.
pub(crate) async fn only_request(server: &MockServer) -> Request {
    let mut requests = server.received_requests().await.unwrap();
    assert_eq!(requests.len(), 1, "each call sends one request");
    requests.remove(0)
}

/// Fails if one of the secrets used by these tests is in the text.
pub(crate) fn assert_no_secret(text: &str) {
    for secret in [ACCESS_TOKEN, REFRESH_TOKEN, CODE, CLIENT_SECRET] {
        assert!(!text.contains(secret), "{secret} in: {text}");
    }
}
