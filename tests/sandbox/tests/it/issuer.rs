//! The local issuer's tokens, and how a page gets one with a person's help.

use std::collections::BTreeMap;

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::Url;
use serde_json::{Value, json};

use crate::harness::{Answer, TestSandbox};

async fn claims(sandbox: &TestSandbox, wish: Value) -> Value {
    let url = sandbox.public("/issuer/token");
    let answer = sandbox.send(sandbox.http.post(url).json(&wish)).await.ok();
    read(sandbox, answer.body["access_token"].as_str().unwrap()).await
}

/// The claims of a token whose signature the published key confirms.
async fn read(sandbox: &TestSandbox, token: &str) -> Value {
    let parts: Vec<&str> = token.split('.').collect();
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
    let header: Value = serde_json::from_slice(&decode(parts[0])).unwrap();
    assert_eq!(header["alg"], "RS256");

    let document = sandbox.public("/issuer/.well-known/openid-configuration");
    let document = sandbox.send(sandbox.http.get(document)).await.ok();
    assert_eq!(document.body["issuer"], sandbox.public("/issuer"));
    let keys = document.body["jwks_uri"].as_str().unwrap();
    let keys = sandbox.send(sandbox.http.get(keys)).await.ok();
    let key = &keys.body["keys"][0];
    assert_eq!(key["kid"], header["kid"]);
    let component = |name: &str| decode(key[name].as_str().unwrap());
    let public = RsaPublicKeyComponents { n: component("n"), e: component("e") };
    let signed = format!("{}.{}", parts[0], parts[1]);
    public.verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &decode(parts[2])).unwrap();
    serde_json::from_slice(&decode(parts[1])).unwrap()
}

#[tokio::test]
async fn each_user_gets_a_signed_token_with_its_companies() {
    let sandbox = TestSandbox::start().await;
    for (user, companies) in [
        ("admin-a", "company-a:admin"),
        ("viewer-a", "company-a:viewer"),
        ("admin-b", "company-b:admin"),
        ("admin-both", "company-a:admin company-b:admin"),
        ("service", "*:service"),
        ("operator", "*:operator"),
    ] {
        let claims = claims(&sandbox, json!({ "user": user })).await;
        assert_eq!((&claims["sub"], &claims["companies"]), (&json!(user), &json!(companies)));
        assert_eq!(claims["iss"], sandbox.public("/issuer"));
        assert_eq!(claims["aud"], "quickbooks-connector");
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3600);
    }
}

#[tokio::test]
async fn any_other_token_can_be_made_and_an_unknown_user_cannot() {
    let sandbox = TestSandbox::start().await;
    let wish = json!({ "sub": "x", "companies": "c1:admin c2:viewer" });
    assert_eq!(claims(&sandbox, wish).await["companies"], "c1:admin c2:viewer");
    let wish = json!({ "user": "admin-a", "expiresIn": -10, "audience": "other" });
    let expired = claims(&sandbox, wish).await;
    assert_eq!(expired["aud"], "other");
    assert!(expired["exp"].as_i64().unwrap() <= expired["iat"].as_i64().unwrap());
    for bad in [json!({ "user": "nobody" }), json!({}), json!({ "sub": "x" })] {
        let url = sandbox.public("/issuer/token");
        assert_eq!(sandbox.send(sandbox.http.post(url).json(&bad)).await.status, 400);
    }
}

/// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const PAGE: &str = "http://api.localhost/reconnect";

/// Opens the page where people sign in; `more` are further fields, which replace those of their name.
async fn sign_in(sandbox: &TestSandbox, more: &[(&str, &str)]) -> Answer {
    let mut fields = BTreeMap::from([
        ("response_type", "code"),
        ("client_id", "pages"),
        ("redirect_uri", PAGE),
        ("state", "s 1"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]);
    fields.extend(more.iter().copied());
    let url = Url::parse_with_params(&sandbox.public("/issuer/authorize"), fields).unwrap();
    sandbox.send(sandbox.http.get(url)).await
}

fn leads_to(answer: &Answer) -> (String, BTreeMap<String, String>) {
    assert_eq!(answer.status, 302, "{}", answer.text);
    let target = Url::parse(answer.headers["location"].to_str().unwrap()).unwrap();
    let query = target.query_pairs().into_owned().collect();
    (target[..url::Position::AfterPath].to_owned(), query)
}

async fn exchange(sandbox: &TestSandbox, more: &[(&str, &str)]) -> Answer {
    let mut fields = BTreeMap::from([
        ("grant_type", "authorization_code"),
        ("client_id", "pages"),
        ("redirect_uri", PAGE),
        ("code_verifier", VERIFIER),
    ]);
    fields.extend(more.iter().copied());
    sandbox.send(sandbox.http.post(sandbox.public("/issuer/token")).form(&fields)).await
}

#[tokio::test]
async fn a_page_signs_a_person_in_with_a_code_and_its_verifier_once() {
    let sandbox = TestSandbox::start().await;
    let (to, answer) = leads_to(&sign_in(&sandbox, &[("auto", "admin-a")]).await);
    assert_eq!((to.as_str(), answer["state"].as_str()), (PAGE, "s 1"));
    let code = [("code", answer["code"].as_str())];
    let tokens = exchange(&sandbox, &code).await.ok().body;
    let access = read(&sandbox, tokens["access_token"].as_str().unwrap()).await;
    assert_eq!(
        (&access["sub"], &access["companies"]),
        (&json!("admin-a"), &json!("company-a:admin"))
    );
    assert_eq!(access["aud"], "quickbooks-connector");
    let identity = read(&sandbox, tokens["id_token"].as_str().unwrap()).await;
    assert_eq!(identity["aud"], "pages");
    assert_eq!(exchange(&sandbox, &code).await.body["error"], "invalid_grant", "used twice");
}

#[tokio::test]
async fn a_code_is_nothing_to_another_page_or_without_the_verifier() {
    let sandbox = TestSandbox::start().await;
    for wrong in [
        ("code_verifier", CHALLENGE),
        ("code_verifier", ""),
        ("client_id", "other"),
        ("redirect_uri", "http://localhost/other"),
        ("code", "guessed"),
    ] {
        let (_, answer) = leads_to(&sign_in(&sandbox, &[("auto", "admin-a")]).await);
        let answer = exchange(&sandbox, &[("code", &answer["code"]), wrong]).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["error"]),
            (400, &json!("invalid_grant")),
            "{wrong:?}"
        );
    }
}

#[tokio::test]
async fn whoever_is_not_asked_well_is_not_signed_in() {
    let sandbox = TestSandbox::start().await;
    for page in [("redirect_uri", "https://evil.example/"), ("client_id", "")] {
        let answer = sign_in(&sandbox, &[("auto", "admin-a"), page]).await;
        assert_eq!(answer.status, 400, "{page:?}");
    }
    for request in
        [("code_challenge", ""), ("code_challenge_method", "plain"), ("response_type", "token")]
    {
        let (_, answer) = leads_to(&sign_in(&sandbox, &[("auto", "admin-a"), request]).await);
        assert_eq!(answer["error"], "invalid_request", "{request:?}");
    }
    let (_, answer) = leads_to(&sign_in(&sandbox, &[("auto", "nobody")]).await);
    assert_eq!((answer["error"].as_str(), answer["state"].as_str()), ("access_denied", "s 1"));
}

#[tokio::test]
async fn the_sign_in_page_offers_the_demo_people_and_anybody_can_be_named() {
    let sandbox = TestSandbox::start().await;
    let page = sign_in(&sandbox, &[("state", "\"><script>")]).await.ok();
    for person in ["admin-a", "viewer-a", "admin-b", "admin-both", "operator"] {
        assert!(page.text.contains(&format!("&amp;auto={person}\"")), "{person}: {}", page.text);
    }
    assert!(!page.text.contains("<script"), "{}", page.text);
    let named = sign_in(&sandbox, &[("auto", "zoë"), ("companies", "c1:admin c2:viewer")]).await;
    let (_, answer) = leads_to(&named);
    let tokens = exchange(&sandbox, &[("code", &answer["code"])]).await.ok().body;
    let access = read(&sandbox, tokens["access_token"].as_str().unwrap()).await;
    assert_eq!(
        (&access["sub"], &access["companies"]),
        (&json!("zoë"), &json!("c1:admin c2:viewer"))
    );
}

#[tokio::test]
async fn pages_of_this_machine_may_read_and_no_others() {
    let sandbox = TestSandbox::start().await;
    let token = sandbox.public("/issuer/token");
    for (origin, may) in [("http://api.localhost:4566", true), ("https://evil.example", false)] {
        let form = sandbox.http.post(&token).form(&[("grant_type", "x")]);
        let discovery =
            sandbox.http.get(sandbox.public("/issuer/.well-known/openid-configuration"));
        for request in [form, discovery] {
            let answer = sandbox.send(request.header("origin", origin)).await;
            let allowed = answer.headers.get("access-control-allow-origin");
            assert_eq!(allowed.is_some_and(|allowed| allowed == origin), may, "{origin}");
        }
        // What a script gets without a person is no page's to read.
        let wish = sandbox.http.post(&token).body(r#"{"user": "admin-a"}"#);
        let answer = sandbox.send(wish.header("origin", origin)).await;
        assert!(!answer.headers.contains_key("access-control-allow-origin"));
    }
}
