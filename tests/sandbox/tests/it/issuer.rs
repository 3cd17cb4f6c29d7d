//! The local issuer's tokens.

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::harness::TestSandbox;

async fn claims(sandbox: &TestSandbox, wish: Value) -> Value {
    let url = sandbox.public("/issuer/token");
    let answer = sandbox.send(sandbox.http.post(url).json(&wish)).await.ok();
    let token = answer.body["access_token"].as_str().unwrap().to_owned();
    let parts: Vec<&str> = token.split('.').collect();
    let read = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
    let header: Value = serde_json::from_slice(&read(parts[0])).unwrap();
    assert_eq!(header["alg"], "RS256");

    let document = sandbox.public("/issuer/.well-known/openid-configuration");
    let document = sandbox.send(sandbox.http.get(document)).await.ok();
    assert_eq!(document.body["issuer"], sandbox.public("/issuer"));
    let keys = document.body["jwks_uri"].as_str().unwrap();
    let keys = sandbox.send(sandbox.http.get(keys)).await.ok();
    let key = &keys.body["keys"][0];
    assert_eq!(key["kid"], header["kid"]);
    let component = |name: &str| read(key[name].as_str().unwrap());
    let public = RsaPublicKeyComponents { n: component("n"), e: component("e") };
    let signed = format!("{}.{}", parts[0], parts[1]);
    public.verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &read(parts[2])).unwrap();
    serde_json::from_slice(&read(parts[1])).unwrap()
}

#[tokio::test]
async fn each_user_gets_a_signed_token_with_its_companies() {
    let sandbox = TestSandbox::start().await;
    for (user, companies) in [
        ("admin-a", "company-a:admin"),
        ("viewer-a", "company-a:viewer"),
        ("admin-b", "company-b:admin"),
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
