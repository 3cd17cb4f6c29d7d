//! The token endpoint: what is sent, and what becomes of each answer.

use quickbooks::{OAuth, OAuthError, TokenGrant};
use secrecy::ExposeSecret;
use wiremock::ResponseTemplate;

use crate::support::{
    CLIENT_SECRET, CODE, REFRESH_TOKEN, answering, app, assert_no_secret, json, oauth_at,
    only_request,
};

const GRANT: &str = r#"{"token_type":"bearer","access_token":"new-access","expires_in":3600,"refresh_token":"new-refresh","x_refresh_token_expires_in":8726400,"x_refresh_token_hard_expires_in":156032154}"#;
const REDIRECT: &str = "https://app.example/callback";

async fn refreshed(answer: ResponseTemplate) -> Result<TokenGrant, OAuthError> {
    let server = answering(answer).await;
    let result = oauth_at(&server.uri()).refresh(&app(), &REFRESH_TOKEN.into()).await;
    assert_no_secret(&format!("{result:?}"));
    if let Err(error) = &result {
        assert_no_secret(&error.to_string());
    }
    result
}

#[test]
fn the_authorize_link_asks_for_accounting_only() {
    let oauth: OAuth = oauth_at("http://127.0.0.1:1");
    let url = oauth.authorize_url("client-id", REDIRECT, "st+ate &");
    assert!(url.as_str().starts_with("https://appcenter.intuit.com/connect/oauth2?"));
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let expected = [
        ("client_id", "client-id"),
        ("response_type", "code"),
        ("scope", "com.intuit.quickbooks.accounting"),
        ("redirect_uri", REDIRECT),
        ("state", "st+ate &"),
    ];
    assert_eq!(pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[tokio::test]
async fn a_refresh_sends_the_form_with_basic_auth_and_asks_for_the_hard_expiry() {
    let server = answering(json(200, GRANT)).await;
    let grant = oauth_at(&server.uri()).refresh(&app(), &REFRESH_TOKEN.into()).await.unwrap();
    assert_eq!(grant.access_token.expose_secret(), "new-access");
    assert_eq!(grant.refresh_token.expose_secret(), "new-refresh");
    assert_eq!((grant.expires_in, grant.refresh_expires_in), (3_600, 8_726_400));
    assert_eq!(grant.refresh_hard_expires_in, Some(156_032_154));

    let request = only_request(&server).await;
    assert_eq!(request.url.path(), "/oauth2/v1/tokens/bearer");
    assert_eq!(
        request.body,
        format!("grant_type=refresh_token&refresh_token={REFRESH_TOKEN}").as_bytes()
    );
    assert_eq!(request.headers["content-type"], "application/x-www-form-urlencoded");
    assert_eq!(request.headers["accept"], "application/json");
    assert_eq!(request.headers["x-include-refresh-token-hard-expires-in"], "true");
    // base64 of "client-id:secret-of-the-app"
    assert_eq!(request.headers["authorization"], "Basic Y2xpZW50LWlkOnNlY3JldC1vZi10aGUtYXBw");
}

#[tokio::test]
async fn an_exchange_sends_code_and_redirect_uri() {
    let server = answering(json(200, GRANT)).await;
    oauth_at(&server.uri()).exchange(&app(), &CODE.into(), REDIRECT).await.unwrap();
    let request = only_request(&server).await;
    assert_eq!(
        request.body,
        format!(
            "grant_type=authorization_code&code={CODE}&redirect_uri=https%3A%2F%2Fapp.example%2Fcallback"
        )
        .as_bytes()
    );
}

#[tokio::test]
async fn a_revoke_sends_the_token_as_json() {
    let server = answering(ResponseTemplate::new(200)).await;
    oauth_at(&server.uri()).revoke(&app(), &REFRESH_TOKEN.into()).await.unwrap();
    let request = only_request(&server).await;
    assert_eq!(request.url.path(), "/v2/oauth2/tokens/revoke");
    assert_eq!(request.body, format!(r#"{{"token":"{REFRESH_TOKEN}"}}"#).as_bytes());
    assert!(request.headers["authorization"].to_str().unwrap().starts_with("Basic "));

    let server = answering(ResponseTemplate::new(400)).await;
    let error = oauth_at(&server.uri()).revoke(&app(), &REFRESH_TOKEN.into()).await.unwrap_err();
    assert_eq!(error, OAuthError::Refused { status: 400, error: "unknown".into() });
}

#[tokio::test]
async fn a_token_set_is_not_lost_for_want_of_a_lifetime() {
    let grant = refreshed(json(200, r#"{"access_token":"a","refresh_token":"r"}"#)).await.unwrap();
    assert_eq!((grant.expires_in, grant.refresh_expires_in), (3_600, 8_640_000));
    assert_eq!(grant.refresh_hard_expires_in, None);
    let text = r#"{"access_token":"a","refresh_token":"r","expires_in":"1800"}"#;
    assert_eq!(refreshed(json(200, text)).await.unwrap().expires_in, 1_800);
    let kept = refreshed(json(200, r#"{"access_token":"a"}"#)).await.unwrap();
    assert_eq!(kept.refresh_token.expose_secret(), REFRESH_TOKEN);
}

#[tokio::test]
async fn a_success_without_tokens_may_have_rotated() {
    for body in ["", "garbage", "{}", r#"{"access_token":""}"#, r#"{"refresh_token":"r"}"#] {
        let error = refreshed(json(200, body)).await.unwrap_err();
        assert!(matches!(error, OAuthError::Unanswered { .. }), "{error:?}");
        assert!(error.may_have_happened());
    }
    // A code exchange has no earlier token to fall back to.
    let server = answering(json(200, r#"{"access_token":"a"}"#)).await;
    let exchanged = oauth_at(&server.uri()).exchange(&app(), &CODE.into(), REDIRECT).await;
    assert!(matches!(exchanged, Err(OAuthError::Unanswered { .. })));
}

#[tokio::test]
async fn each_refusal_has_its_variant() {
    let bare = refreshed(json(400, r#"{"error":"invalid_grant"}"#)).await.unwrap_err();
    assert_eq!(bare, OAuthError::InvalidGrant { description: None });
    let body = format!(
        r#"{{"error_description":"Incorrect or invalid refresh token {REFRESH_TOKEN} {CLIENT_SECRET}","error":"invalid_grant"}}"#
    );
    let described = refreshed(json(400, &body)).await.unwrap_err();
    assert_eq!(
        described,
        OAuthError::InvalidGrant {
            description: Some("Incorrect or invalid refresh token [redacted] [redacted]".into())
        }
    );
    let client = refreshed(json(401, r#"{"error":"invalid_client"}"#)).await.unwrap_err();
    assert_eq!(client, OAuthError::InvalidClient);
    let other = refreshed(json(400, r#"{"error":"unsupported_grant_type"}"#)).await.unwrap_err();
    let expected = OAuthError::Refused { status: 400, error: "unsupported_grant_type".into() };
    assert_eq!(other, expected);
    for error in [bare, described, client, other] {
        assert!(!error.may_have_happened());
    }
}

#[tokio::test]
async fn what_says_nothing_certain_is_unavailable() {
    let invalid_grant = r#"{"error":"invalid_grant"}"#;
    for (status, body) in [
        (500, ""),
        (503, invalid_grant),
        (429, invalid_grant),
        (408, ""),
        (403, "<html></html>"),
        (302, ""),
    ] {
        let error = refreshed(json(status, body)).await.unwrap_err();
        assert_eq!(error, OAuthError::Unavailable { status });
        assert!(error.may_have_happened());
    }
}

#[tokio::test]
async fn tokens_do_not_go_over_plain_http() {
    let oauth = oauth_at("http://192.0.2.1");
    let refresh = oauth.refresh(&app(), &REFRESH_TOKEN.into()).await.unwrap_err();
    let revoke = oauth.revoke(&app(), &REFRESH_TOKEN.into()).await.unwrap_err();
    for error in [refresh, revoke] {
        assert!(matches!(error, OAuthError::NotSent { .. }), "{error:?}");
    }
}

#[test]
fn keys_and_grants_do_not_show_their_secrets() {
    let grant = TokenGrant {
        access_token: REFRESH_TOKEN.into(),
        refresh_token: CODE.into(),
        expires_in: 1,
        refresh_expires_in: 2,
        refresh_hard_expires_in: None,
    };
    assert_no_secret(&format!("{:?} {:?}", app(), grant));
}
