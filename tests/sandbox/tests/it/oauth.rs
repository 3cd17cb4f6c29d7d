//! Consent, code, tokens.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::harness::{A, REDIRECT, TestSandbox};

const DAY: i64 = 86_400;

#[tokio::test]
async fn both_discovery_documents_name_the_endpoints() {
    let sandbox = TestSandbox::start().await;
    for path in ["/.well-known/openid_configuration", "/.well-known/openid_sandbox_configuration"] {
        let document = sandbox.send(sandbox.http.get(sandbox.public(path))).await.ok();
        for (name, path) in [
            ("authorization_endpoint", "/connect/oauth2"),
            ("token_endpoint", "/oauth2/v1/tokens/bearer"),
            ("revocation_endpoint", "/v2/oauth2/tokens/revoke"),
        ] {
            assert_eq!(document.body[name], sandbox.public(path));
        }
        assert!(document.headers.contains_key("intuit_tid"));
    }
}

#[tokio::test]
async fn the_consent_page_offers_the_companies_and_cannot_be_framed() {
    let sandbox = TestSandbox::start().await;
    let hostile = [("state", "\"><script>alert(1)</script>")];
    let page = sandbox.send(sandbox.http.get(sandbox.authorize_url(&hostile))).await.ok();
    for text in ["Rocky Ridge Builders", "Harbor Lights Electrical", "Connect", "No thanks", A] {
        assert!(page.text.contains(text), "{text}");
    }
    assert!(!page.text.contains("<script>"));
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("frame-ancestors 'none'"));
}

#[tokio::test]
async fn the_consent_form_connects_or_denies() {
    let sandbox = TestSandbox::start().await;
    let decide = |decision: &'static str| {
        let form = [
            ("client_id", "sandbox-client"),
            ("response_type", "code"),
            ("scope", "com.intuit.quickbooks.accounting"),
            ("redirect_uri", "http://localhost:9/callback?keep=1"),
            ("state", "a b&c"),
            ("realm", A),
            ("decision", decision),
        ];
        sandbox.send(sandbox.http.post(sandbox.public("/connect/oauth2")).form(&form))
    };
    let connected = decide("connect").await;
    let target = connected.headers["location"].to_str().unwrap().to_owned();
    assert!(target.starts_with("http://localhost:9/callback?keep=1&code="), "{target}");
    assert!(target.contains(&format!("realmId={A}")) && target.ends_with("state=a+b%26c"));
    let denied = decide("deny").await;
    assert_eq!(
        denied.headers["location"],
        "http://localhost:9/callback?keep=1&error=access_denied&state=a+b%26c"
    );
}

#[tokio::test]
async fn a_bad_authorize_call_ends_on_a_page_and_redirects_nowhere() {
    let sandbox = TestSandbox::start().await;
    for wrong in [
        ("client_id", "somebody-else"),
        ("response_type", "token"),
        ("redirect_uri", "https://evil.example/callback"),
        ("redirect_uri", "http://localhost.evil.example/"),
        ("redirect_uri", "not a url"),
        ("scope", ""),
        ("state", ""),
        ("auto", "123"),
    ] {
        let answer = sandbox.send(sandbox.http.get(sandbox.authorize_url(&[wrong]))).await;
        assert_eq!(answer.status, 400, "{wrong:?}");
        assert!(!answer.headers.contains_key("location"), "{wrong:?}");
    }
}

#[tokio::test]
async fn a_code_is_exchanged_for_tokens_that_open_its_company_alone() {
    let app = TestSandbox::connected().await;
    assert!(app.get(&format!("companyinfo/{A}")).await.status.is_success());
    let other = app.public(&format!("/v3/company/{}/companyinfo/1", crate::harness::B));
    let answer = app.send(app.http.get(other).bearer_auth(&app.token)).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (403, "3100"));
    assert_eq!(answer.body["fault"]["type"], "SERVICE");
}

#[tokio::test]
async fn a_second_exchange_revokes_what_the_first_issued() {
    let sandbox = TestSandbox::start().await;
    let code = sandbox.code(A).await;
    let first = sandbox.exchange(&code).await.ok();
    let second = sandbox.exchange(&code).await;
    assert_eq!((second.status.as_u16(), &second.body["error"]), (400, &json!("invalid_grant")));
    let refresh = sandbox.refresh(first.body["refresh_token"].as_str().unwrap()).await;
    assert_eq!(refresh.body["error"], "invalid_grant");
    let url = sandbox.public(&format!("/v3/company/{A}/preferences"));
    let token = first.body["access_token"].as_str().unwrap();
    let read = sandbox.send(sandbox.http.get(url).bearer_auth(token)).await;
    assert_eq!((read.status.as_u16(), read.code()), (401, "3200"));
}

#[tokio::test]
async fn the_redirect_uri_of_the_exchange_must_be_that_of_the_authorize_call() {
    let sandbox = TestSandbox::start().await;
    let code = sandbox.code(A).await;
    let exchange = |redirect: &'static str| {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", redirect),
        ];
        let sandbox = &sandbox;
        async move { sandbox.token_call(&form).await }
    };
    let wrong = exchange("http://localhost:9/callback/").await;
    assert_eq!((wrong.status.as_u16(), &wrong.body["error"]), (400, &json!("invalid_grant")));
    exchange(REDIRECT).await.ok();
}

#[tokio::test]
async fn a_code_dies_unused_after_ten_minutes() {
    let sandbox = TestSandbox::start().await;
    let code = sandbox.code(A).await;
    sandbox.advance(601).await;
    assert_eq!(sandbox.exchange(&code).await.body["error"], "invalid_grant");
}

#[tokio::test]
async fn wrong_client_credentials_are_invalid_client() {
    let sandbox = TestSandbox::start().await;
    let url = sandbox.public("/oauth2/v1/tokens/bearer");
    let form = [("grant_type", "refresh_token"), ("refresh_token", "x")];
    for (id, secret) in [("sandbox-client", "wrong"), ("wrong", "sandbox-secret")] {
        let request = sandbox.http.post(&url).basic_auth(id, Some(secret)).form(&form);
        let answer = sandbox.send(request).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["error"]),
            (401, &json!("invalid_client"))
        );
    }
    let none = sandbox.send(sandbox.http.post(&url).form(&form)).await;
    assert_eq!(none.status, 401);
}

#[tokio::test]
async fn an_unknown_grant_type_or_refresh_token_is_refused_by_name() {
    let sandbox = TestSandbox::start().await;
    let answer = sandbox.token_call(&[("grant_type", "password")]).await;
    assert_eq!(answer.body["error"], "unsupported_grant_type");
    let answer = sandbox.token_call(&[("x", "y")]).await;
    assert_eq!(answer.body["error"], "invalid_request");
    let answer = sandbox.refresh("RT1-nonsense").await;
    assert_eq!(answer.body["error_description"], "Incorrect or invalid refresh token");
    assert_eq!(answer.status, 400);
    assert!(answer.headers.contains_key("intuit_tid"));
}

#[tokio::test]
async fn an_access_token_lives_for_an_hour() {
    let app = TestSandbox::connected().await;
    app.advance(3590).await;
    app.get("preferences").await.ok();
    app.advance(11).await;
    let answer = app.get("preferences").await;
    assert_eq!((answer.status.as_u16(), answer.code()), (401, "3200"));
    assert_eq!(answer.body["fault"]["type"], "AUTHENTICATION");
    assert!(answer.body["time"].is_number());
    assert!(answer.headers["www-authenticate"].to_str().unwrap().contains("invalid_token"));
    // Real details carry the token: a client that logs them leaks it.
    assert!(answer.detail().contains(&app.token));
}

#[tokio::test]
async fn the_refresh_token_changes_with_the_first_refresh_after_a_day() {
    let app = TestSandbox::connected().await;
    app.advance(DAY - 60).await;
    let same = app.refresh(&app.refresh).await.ok();
    assert_eq!(same.body["refresh_token"], app.refresh.as_str());
    assert_ne!(same.body["access_token"], app.token.as_str());
    app.advance(61).await;
    let rotated = app.refresh(&app.refresh).await.ok();
    assert_ne!(rotated.body["refresh_token"], app.refresh.as_str());
    // The old value is dead at once, the new one lives.
    assert_eq!(app.refresh(&app.refresh).await.body["error"], "invalid_grant");
    app.refresh(rotated.body["refresh_token"].as_str().unwrap()).await.ok();
}

#[tokio::test]
async fn an_old_refresh_token_lives_on_for_the_grace_that_is_set() {
    let app = TestSandbox::connected().await;
    app.admin_post("/oauth", json!({ "refreshGraceS": 600 })).await;
    app.advance(DAY).await;
    let rotated = app.refresh(&app.refresh).await.ok();
    let again = app.refresh(&app.refresh).await.ok();
    assert_eq!(again.body["refresh_token"], rotated.body["refresh_token"]);
    app.advance(601).await;
    assert_eq!(app.refresh(&app.refresh).await.status, 400);
}

#[tokio::test]
async fn a_refresh_token_dies_after_100_days_without_use_and_every_refresh_renews_it() {
    let app = TestSandbox::connected().await;
    let mut refresh = app.refresh.clone();
    for _ in 0..3 {
        app.advance(99 * DAY).await;
        let answer = app.refresh(&refresh).await.ok();
        assert_eq!(answer.body["x_refresh_token_expires_in"], 100 * DAY);
        answer.body["refresh_token"].as_str().unwrap().clone_into(&mut refresh);
    }
    app.advance(100 * DAY).await;
    assert_eq!(app.refresh(&refresh).await.body["error"], "invalid_grant");
}

#[tokio::test]
async fn five_years_are_the_end_whatever_is_refreshed() {
    let app = TestSandbox::connected().await;
    let mut refresh = app.refresh.clone();
    let hard = |token: String| {
        let request = app
            .http
            .post(app.public("/oauth2/v1/tokens/bearer"))
            .basic_auth("sandbox-client", Some("sandbox-secret"))
            .header("x-include-refresh-token-hard-expires-in", "true")
            .form(&[("grant_type", "refresh_token"), ("refresh_token", token.as_str())]);
        app.send(request)
    };
    // Without the header the field is not there.
    let plain = app.refresh(&refresh).await.ok();
    assert!(plain.body.get("x_refresh_token_hard_expires_in").is_none());
    for _ in 0..18 {
        app.advance(99 * DAY).await;
        let answer = hard(refresh.clone()).await.ok();
        answer.body["refresh_token"].as_str().unwrap().clone_into(&mut refresh);
    }
    app.advance(40 * DAY).await;
    let last = hard(refresh.clone()).await.ok();
    let left = last.body["x_refresh_token_hard_expires_in"].as_i64().unwrap();
    assert!((3 * DAY - 60..=3 * DAY).contains(&left), "{left}");
    assert_eq!(last.body["x_refresh_token_expires_in"], left);
    app.advance(3 * DAY).await;
    let dead = hard(last.body["refresh_token"].as_str().unwrap().to_owned()).await;
    assert_eq!(dead.body["error"], "invalid_grant");
}

#[tokio::test]
async fn revoking_either_token_ends_both() {
    let app = TestSandbox::connected().await;
    let revoke = |token: String| {
        let request = app
            .http
            .post(app.public("/v2/oauth2/tokens/revoke"))
            .basic_auth("sandbox-client", Some("sandbox-secret"))
            .json(&json!({ "token": token }));
        app.send(request)
    };
    assert_eq!(revoke("unknown".into()).await.status, 400);
    assert_eq!(revoke(app.refresh.clone()).await.status, 200);
    assert_eq!(app.get("preferences").await.status, 401);
    assert_eq!(app.refresh(&app.refresh).await.body["error"], "invalid_grant");
    assert_eq!(revoke(app.refresh.clone()).await.status, 400);
}

#[tokio::test]
async fn a_disconnect_in_quickbooks_kills_the_tokens() {
    let app = TestSandbox::connected().await;
    app.admin(Method::POST, &format!("/companies/{A}/disconnect"), None).await;
    let answer = app.get("preferences").await;
    assert_eq!((answer.status.as_u16(), answer.code()), (403, "3100"));
    assert_eq!(app.refresh(&app.refresh).await.body["error"], "invalid_grant");
}

#[tokio::test]
async fn the_admin_expires_access_and_revokes_refresh_apart() {
    let app = TestSandbox::connected().await;
    app.admin_post("/tokens/expire", json!({ "realm": A })).await;
    assert_eq!(app.get("preferences").await.status, 401);
    app.refresh(&app.refresh).await.ok();
    app.admin_post("/tokens/revoke-refresh", json!({ "realm": A })).await;
    assert_eq!(app.refresh(&app.refresh).await.body["error"], "invalid_grant");
}

#[tokio::test]
async fn two_refreshes_at_once_are_counted_and_kill_the_grant_if_so_set() {
    let app = TestSandbox::connected().await;
    app.admin_post("/oauth", json!({ "revokeOnConcurrentRefresh": true })).await;
    let slow = json!({ "path": "tokens/bearer", "realm": A, "delayMs": 800 });
    app.admin_post("/faults", slow).await;
    let (first, second) = tokio::join!(app.refresh(&app.refresh), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        app.refresh(&app.refresh).await
    });
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (400, 400));
    let counters = app.admin_get(&format!("/counters/{A}")).await;
    assert_eq!(counters["tokens"]["concurrentRefresh"], 1);
}
