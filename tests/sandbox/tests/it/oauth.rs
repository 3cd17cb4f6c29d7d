//! Consent, code, tokens.

use std::time::Duration;

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{A, Answer, REDIRECT, TestSandbox};

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

/// A value that was handed out may have leaked, whatever became of it.
#[tokio::test]
async fn every_secret_value_stays_listed_whatever_becomes_of_it() {
    let app = TestSandbox::connected().await;
    let holds = async |kind: &str, value: &str| {
        let listed = app.admin_get("/tokens").await;
        listed[kind].as_array().unwrap().iter().any(|listed| listed == value)
    };
    let unused = app.code(A).await;
    app.admin(Method::POST, "/snapshots/before", None).await;
    app.advance(DAY).await;
    let rotated = app.refresh(&app.refresh).await.ok();
    let [access, refresh] =
        ["access_token", "refresh_token"].map(|name| rotated.body[name].as_str().unwrap());
    for secret in ["first", "second"] {
        let wish = json!({ "clientId": "other", "clientSecret": secret });
        app.admin_post("/apps", wish).await;
    }
    let others = async || {
        for (kind, value) in [
            ("codes", unused.as_str()),
            ("accessTokens", &app.token),
            ("accessTokens", access),
            ("refreshTokens", &app.refresh),
            ("refreshTokens", refresh),
            ("clientSecrets", "sandbox-secret"),
            ("clientSecrets", "first"),
            ("clientSecrets", "second"),
        ] {
            assert!(holds(kind, value).await, "{kind} {value}");
        }
        assert!(!holds("accessTokens", &app.refresh).await);
    };
    others().await;
    app.admin(Method::POST, "/snapshots/before/restore", None).await;
    others().await;
    app.admin(Method::POST, "/reset", None).await;
    others().await;
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
async fn a_disconnect_leads_to_the_pages_of_the_apps_that_were_connected() {
    let app = TestSandbox::connected().await;
    let path = format!("/companies/{A}/disconnect");
    let url = "http://localhost:3000/ended?from=quickbooks";
    app.admin_post("/apps", json!({ "clientId": "sandbox-client", "disconnectUrl": url })).await;
    let other = json!({ "clientId": "two", "clientSecret": "s", "disconnectUrl": url });
    app.admin_post("/apps", other).await;
    let answer = app.admin(Method::POST, &path, None).await;
    let leads_to = json!([format!("{url}&realmId={A}")]);
    assert_eq!((&answer["grantsEnded"], &answer["leadsTo"]), (&json!(1), &leads_to));
    let again = app.admin(Method::POST, &path, None).await;
    assert_eq!((&again["grantsEnded"], &again["leadsTo"]), (&json!(0), &json!([])));
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
async fn tokens_can_be_issued_in_bulk_and_are_as_old_as_asked_for() {
    let app = TestSandbox::connected().await;
    let issue = async |days: i64| {
        let wish = json!({ "realms": ["901", "902"], "ageS": days * DAY });
        app.admin_post("/tokens/issue", wish).await["tokens"].clone()
    };
    let issued = issue(65).await;
    assert_eq!((&issued[0]["realm"], &issued[1]["realm"]), (&json!("901"), &json!("902")));
    for tokens in issued.as_array().unwrap() {
        assert_eq!(tokens["refreshExpiresIn"], 100 * DAY);
        let old = tokens["refreshToken"].as_str().unwrap();
        let fresh = app.refresh(old).await.ok();
        assert_ne!(fresh.body["refresh_token"], old, "a token of 65 days is replaced");
    }
    let dead = issue(101).await;
    let dead = dead[0]["refreshToken"].as_str().unwrap();
    assert_eq!(app.refresh(dead).await.body["error"], "invalid_grant");
    let stranger = json!({ "realms": ["901"], "clientId": "nobody" });
    let url = format!("{}/tokens/issue", app.sandbox.sandbox.admin_url());
    assert_eq!(app.send(app.http.post(url).json(&stranger)).await.status, 400);
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

/// A token call of another app.
async fn as_app(sandbox: &TestSandbox, app: &str, form: &[(&str, &str)]) -> Answer {
    let url = sandbox.public("/oauth2/v1/tokens/bearer");
    sandbox.send(sandbox.http.post(url).basic_auth(app, Some("other-secret")).form(form)).await
}

async fn add_other(sandbox: &TestSandbox) {
    let app = json!({ "clientId": "other", "clientSecret": "other-secret" });
    sandbox.admin_post("/apps", app).await;
}

#[tokio::test]
async fn the_discovery_documents_also_answer_with_a_slash_and_name_intuits_issuer() {
    let sandbox = TestSandbox::start().await;
    for path in ["/.well-known/openid_configuration/", "/.well-known/openid_sandbox_configuration/"]
    {
        let document = sandbox.send(sandbox.http.get(sandbox.public(path))).await.ok();
        assert_eq!(document.body["issuer"], "https://oauth.platform.intuit.com/op/v1");
        assert_eq!(document.body["jwks_uri"], sandbox.public("/op/v1/jwks"));
    }
}

#[tokio::test]
async fn what_one_app_was_given_is_refused_to_another() {
    let app = TestSandbox::connected().await;
    add_other(&app).await;
    let wrong = json!({
        "error": "invalid_grant", "error_description": "Incorrect Token type or clientID",
    });
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", app.refresh.as_str())];
    let answer = as_app(&app, "other", &refresh).await;
    assert_eq!((answer.status.as_u16(), &answer.body), (400, &wrong));
    let code = app.code(A).await;
    let exchange =
        [("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", REDIRECT)];
    assert_eq!(as_app(&app, "other", &exchange).await.body, wrong);
    // Neither attempt used anything up, nor may another app revoke.
    app.exchange(&code).await.ok();
    let revoke = app
        .http
        .post(app.public("/v2/oauth2/tokens/revoke"))
        .basic_auth("other", Some("other-secret"))
        .json(&json!({ "token": app.refresh }));
    assert_eq!(app.send(revoke).await.status, 400);
    app.refresh(&app.refresh).await.ok();
    // An access token is no refresh token, whoever sends it.
    assert_eq!(app.refresh(&app.token).await.body, wrong);
}

#[tokio::test]
async fn apps_are_added_and_changed_by_the_admin_and_a_reset_leaves_the_first() {
    let sandbox = TestSandbox::start().await;
    add_other(&sandbox).await;
    let code = {
        let url = sandbox.authorize_url(&[("client_id", "other"), ("auto", A)]);
        let answer = sandbox.send(sandbox.http.get(url)).await;
        let target = reqwest::Url::parse(answer.headers["location"].to_str().unwrap()).unwrap();
        target.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned()
    };
    let form =
        [("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", REDIRECT)];
    as_app(&sandbox, "other", &form).await.ok();
    let apps = sandbox.admin_get("/apps").await;
    assert_eq!(apps["apps"].as_array().unwrap().len(), 2);
    let url = format!("{}/apps", sandbox.sandbox.admin_url());
    for bad in [
        json!({ "clientId": "third" }),
        json!({ "clientId": "third", "clientSecret": "s", "redirectUris": ["https://a.example"] }),
        json!({ "clientId": "third", "clientSecret": "s", "colour": "red" }),
    ] {
        assert_eq!(sandbox.send(sandbox.http.post(&url).json(&bad)).await.status, 400, "{bad}");
    }
    sandbox.admin_post("/reset", json!({})).await;
    assert_eq!(sandbox.admin_get("/apps").await["apps"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn registered_redirect_uris_are_the_only_ones() {
    let sandbox = TestSandbox::start().await;
    let code = sandbox.code(A).await;
    let uris = json!({ "clientId": "sandbox-client", "redirectUris": ["http://localhost:9/new"] });
    sandbox.admin_post("/apps", uris).await;
    let page = sandbox.send(sandbox.http.get(sandbox.authorize_url(&[("auto", A)]))).await;
    assert_eq!((page.status.as_u16(), page.headers.contains_key("location")), (400, false));
    let new = [("redirect_uri", "http://localhost:9/new"), ("auto", A)];
    let page = sandbox.send(sandbox.http.get(sandbox.authorize_url(&new))).await;
    assert_eq!(page.status, 302);
    // A code of before whose address was taken off meanwhile.
    assert_eq!(sandbox.exchange(&code).await.body["error"], "invalid_grant");
}

#[tokio::test]
async fn a_redirect_uri_with_a_query_is_refused_at_the_exchange() {
    let sandbox = TestSandbox::start().await;
    let uri = "http://localhost:9/callback?keep=1";
    let url = sandbox.authorize_url(&[("redirect_uri", uri), ("auto", A)]);
    let answer = sandbox.send(sandbox.http.get(url)).await;
    let target = reqwest::Url::parse(answer.headers["location"].to_str().unwrap()).unwrap();
    let code = target.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    let form =
        [("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", uri)];
    assert_eq!(sandbox.token_call(&form).await.body["error"], "invalid_grant");
}

#[tokio::test]
async fn a_blocked_app_gets_no_token_and_no_answer() {
    let app = TestSandbox::connected().await;
    let block = |blocked: bool| {
        app.admin_post("/apps", json!({ "clientId": "sandbox-client", "blocked": blocked }))
    };
    block(true).await;
    let refused = app.refresh(&app.refresh).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.body["error"]),
        (400, &json!("unauthorized_client"))
    );
    let answer = app.get("preferences").await;
    assert_eq!((answer.status.as_u16(), answer.code()), (403, "3100"));
    block(false).await;
    app.get("preferences").await.ok();
}

#[tokio::test]
async fn a_form_that_lacks_a_field_or_repeats_one_is_invalid_request() {
    let sandbox = TestSandbox::start().await;
    for form in [
        &[("grant_type", "authorization_code"), ("redirect_uri", REDIRECT)][..],
        &[("grant_type", "authorization_code"), ("code", "AB1x")],
        &[("grant_type", "refresh_token")],
        &[("grant_type", "refresh_token"), ("refresh_token", "")],
        &[("grant_type", "refresh_token"), ("refresh_token", "a"), ("refresh_token", "b")],
    ] {
        let answer = sandbox.token_call(form).await;
        assert_eq!(answer.body, json!({ "error": "invalid_request" }), "{form:?}");
        assert_eq!(answer.status, 400);
    }
    let url = sandbox.public("/oauth2/v1/tokens/bearer");
    let body = json!({ "grant_type": "refresh_token", "refresh_token": "x" });
    let json = sandbox.http.post(url).basic_auth("sandbox-client", Some("sandbox-secret"));
    assert_eq!(sandbox.send(json.json(&body)).await.body["error"], "invalid_request");
}

#[tokio::test]
async fn id_and_secret_may_come_as_form_fields() {
    let app = TestSandbox::connected().await;
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", app.refresh.as_str()),
        ("client_id", "sandbox-client"),
        ("client_secret", "sandbox-secret"),
    ];
    let url = app.public("/oauth2/v1/tokens/bearer");
    let answer = app.send(app.http.post(url).form(&form)).await.ok();
    assert!(answer.headers.contains_key("intuit_tid"));
    assert_eq!(answer.headers["cache-control"], "no-store");
    let revoke = [("token", app.refresh.as_str()), form[2], form[3]];
    let url = app.public("/v2/oauth2/tokens/revoke");
    assert_eq!(app.send(app.http.post(url).form(&revoke)).await.ok().text, "");
}

#[tokio::test]
async fn a_refresh_tokens_life_is_what_the_policy_says() {
    let app = TestSandbox::connected().await;
    app.admin_post("/oauth", json!({ "refreshExpiresS": 8_726_400 })).await;
    let answer = app.refresh(&app.refresh).await.ok();
    assert_eq!(answer.body["x_refresh_token_expires_in"], 8_726_400);
    app.advance(101 * DAY - 60).await;
    let answer = app.refresh(&app.refresh).await.ok();
    app.advance(101 * DAY).await;
    let refresh = answer.body["refresh_token"].as_str().unwrap();
    let dead = app.refresh(refresh).await;
    assert_eq!(dead.body["error_description"], "Token invalid");
    let url = format!("{}/oauth", app.sandbox.sandbox.admin_url());
    for bad in [json!({ "refreshExpiresS": 0 }), json!({ "refreshGraceS": -1 })] {
        assert_eq!(app.send(app.http.post(&url).json(&bad)).await.status, 400, "{bad}");
    }
}

/// Tokens of a consent with these authorize parameters.
async fn tokens_with(sandbox: &TestSandbox, parameters: &[(&str, &str)]) -> Answer {
    let mut parameters = parameters.to_vec();
    parameters.push(("auto", A));
    let answer = sandbox.send(sandbox.http.get(sandbox.authorize_url(&parameters))).await;
    let target = reqwest::Url::parse(answer.headers["location"].to_str().unwrap()).unwrap();
    let code = target.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    sandbox.exchange(&code).await
}

fn claims(token: &str, part: usize) -> Value {
    let part = token.split('.').nth(part).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[tokio::test]
async fn the_openid_scope_gives_an_id_token_that_the_published_key_proves() {
    let sandbox = TestSandbox::start().await;
    assert!(sandbox.tokens(A).await.body.get("id_token").is_none());
    let scope = "com.intuit.quickbooks.accounting openid email";
    let answer = tokens_with(&sandbox, &[("scope", scope), ("nonce", "n-1")]).await.ok();
    let token = answer.body["id_token"].as_str().unwrap();
    let (head, payload) = (claims(token, 0), claims(token, 1));
    assert_eq!(payload["iss"], "https://oauth.platform.intuit.com/op/v1");
    assert_eq!(payload["aud"], json!(["sandbox-client"]));
    assert_eq!((&payload["realmid"], &payload["nonce"]), (&json!(A), &json!("n-1")));
    assert_eq!(payload["exp"].as_i64().unwrap() - payload["iat"].as_i64().unwrap(), 3600);
    assert!(payload["sub"].is_string() && payload["auth_time"].is_number());

    let keys = sandbox.send(sandbox.http.get(sandbox.public("/op/v1/jwks"))).await.ok();
    let key = &keys.body["keys"][0];
    assert_eq!((&head["kid"], &head["alg"]), (&key["kid"], &json!("RS256")));
    let number = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap();
    let public = RsaPublicKeyComponents { n: number("n"), e: number("e") };
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    public.verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &signature).unwrap();

    // A refresh has none.
    let refreshed = sandbox.refresh(answer.body["refresh_token"].as_str().unwrap()).await.ok();
    assert!(refreshed.body.get("id_token").is_none());
}

#[tokio::test]
async fn userinfo_says_what_the_scopes_cover() {
    let sandbox = TestSandbox::start().await;
    let ask = |token: String| {
        sandbox.send(
            sandbox
                .http
                .get(sandbox.public("/v1/openid_connect/userinfo?minorversion=75"))
                .bearer_auth(token),
        )
    };
    let token = |answer: Answer| answer.body["access_token"].as_str().unwrap().to_owned();
    let scope = "openid profile email phone address";
    let all = ask(token(tokens_with(&sandbox, &[("scope", scope)]).await.ok())).await.ok();
    for field in ["sub", "email", "givenName", "phoneNumber", "address"] {
        assert!(!all.body[field].is_null(), "{field}");
    }
    let few = ask(token(tokens_with(&sandbox, &[("scope", "openid")]).await.ok())).await.ok();
    assert_eq!(few.body.as_object().unwrap().len(), 1);
    let none = ask(token(sandbox.tokens(A).await)).await;
    assert_eq!((none.status.as_u16(), none.code()), (403, "3100"));
    assert_eq!(ask("nonsense".into()).await.status, 401);
}

#[tokio::test]
async fn a_token_without_the_accounting_scope_opens_no_company() {
    let sandbox = TestSandbox::start().await;
    let tokens = tokens_with(&sandbox, &[("scope", "openid profile")]).await.ok();
    let url = sandbox.public(&format!("/v3/company/{A}/preferences"));
    let token = tokens.body["access_token"].as_str().unwrap();
    let answer = sandbox.send(sandbox.http.get(url).bearer_auth(token)).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (403, "3100"));
    let url = sandbox.authorize_url(&[("scope", "accounting"), ("auto", A)]);
    let unknown = sandbox.send(sandbox.http.get(url)).await;
    let target = unknown.headers["location"].to_str().unwrap();
    assert_eq!(target, "http://localhost:9/callback?error=invalid_scope&state=state-1");
}

#[tokio::test]
async fn pkce_is_taken_and_looked_at_only_if_so_set() {
    let sandbox = TestSandbox::start().await;
    let challenge = [
        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ("code_challenge_method", "S256"),
    ];
    tokens_with(&sandbox, &challenge).await.ok();
    sandbox.admin_post("/oauth", json!({ "verifyPkce": true })).await;
    let refused = tokens_with(&sandbox, &challenge).await;
    assert_eq!(refused.body["error"], "invalid_grant");

    let url = sandbox.authorize_url(&[challenge[0], challenge[1], ("auto", A)]);
    let answer = sandbox.send(sandbox.http.get(url)).await;
    let target = reqwest::Url::parse(answer.headers["location"].to_str().unwrap()).unwrap();
    let code = target.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", REDIRECT),
        ("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
    ];
    sandbox.token_call(&form).await.ok();
    let bad = [("code_challenge", "x"), ("code_challenge_method", "MD5")];
    assert_eq!(sandbox.send(sandbox.http.get(sandbox.authorize_url(&bad))).await.status, 400);
}

#[tokio::test]
async fn intuits_reconnect_link_leads_to_the_apps_page() {
    let sandbox = TestSandbox::start().await;
    let ask = |query: String| {
        let url = sandbox.public(&format!("/app/connect/oauth2/request?{query}"));
        sandbox.send(sandbox.http.get(url))
    };
    let link = format!("appId=sandbox-client&realmId={A}&mode=reconnect");
    assert_eq!(ask(link.clone()).await.status, 404);
    let url = "http://localhost:9/settings/quickbooks";
    let app = json!({ "clientId": "sandbox-client", "reconnectUrl": url });
    sandbox.admin_post("/apps", app).await;
    let answer = ask(link).await;
    assert_eq!((answer.status.as_u16(), answer.headers["location"].to_str().unwrap()), (302, url));
    for wrong in [
        format!("appId=nobody&realmId={A}&mode=reconnect"),
        "appId=sandbox-client&realmId=1&mode=reconnect".to_owned(),
        format!("appId=sandbox-client&realmId={A}"),
    ] {
        assert_eq!(ask(wrong).await.status, 404);
    }
}

#[tokio::test]
async fn the_state_of_a_company_is_answered_as_quickbooks_does() {
    let app = TestSandbox::connected().await;
    let path = format!("/companies/{A}");
    let set = |status: &'static str| app.admin_post(&path, json!({ "status": status }));
    let write = json!({ "Name": "Yard" });
    for (status, http, code) in
        [("adminLost", 401, "120"), ("locked", 403, "140"), ("underMaintenance", 503, "150")]
    {
        set(status).await;
        for answer in [app.get("preferences").await, app.post("class", &write).await] {
            assert_eq!((answer.status.as_u16(), answer.code()), (http, code), "{status}");
            assert!(answer.body["Fault"]["type"].is_string());
        }
        // The tokens live on: what is wrong is the company.
        app.refresh(&app.refresh).await.ok();
    }
    // An ended subscription can still be read.
    set("subscriptionEnded").await;
    app.query("select * from Employee").await.ok();
    let info = app.get(&format!("companyinfo/{A}")).await.ok();
    assert!(info.text.contains(r#"{"Name":"SubscriptionStatus","Value":"EXPIRED"}"#));
    let refused = app.post("class", &write).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (400, "6190"));
    set("active").await;
    app.post("class", &write).await.ok();
}

#[tokio::test]
async fn what_the_connecting_persons_role_leaves_out_is_5020() {
    let app = TestSandbox::connected().await;
    let path = format!("/companies/{A}");
    app.admin_post(&path, json!({ "notPermitted": ["Invoice"] })).await;
    let invoice = json!({ "CustomerRef": { "value": "6" } });
    for answer in [
        app.get("invoice/200").await,
        app.get("invoice/200/pdf").await,
        app.post("invoice", &invoice).await,
        app.query("select count(*) from Invoice").await,
        app.get("cdc?entities=Customer,Invoice&changedSince=2026-11-20").await,
    ] {
        assert_eq!((answer.status.as_u16(), answer.code()), (400, "5020"), "{}", answer.text);
        assert!(answer.detail().contains("Invoice"));
    }
    app.query("select count(*) from Customer").await.ok();
    app.admin_post(&path, json!({ "notPermitted": [] })).await;
    app.get("invoice/200").await.ok();
}
