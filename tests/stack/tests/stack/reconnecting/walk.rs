//! The steps of the reconnect page, call by call, as its script makes them.

use reqwest::header::ORIGIN;
use serde_json::{Value, json};
use stack_tests::stack::Stack;
use url::Url;

use super::public;
use crate::outside::{Page, Visitor, grant, query, to_intuit};

/// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// What the function tells the page's script.
fn settings(page: &Page) -> Value {
    let text = page.text.split("id=\"settings\">").nth(1).and_then(|rest| rest.split('<').next());
    serde_json::from_str(text.expect("the page has settings")).unwrap()
}

/// Signs somebody in as the page does.
async fn sign_in(
    stack: &Stack,
    visitor: &mut Visitor,
    page: &Page,
    who: &[(&str, &str)],
) -> String {
    let settings = settings(page);
    let setting = |name: &str| settings[name].as_str().unwrap_or_default().to_owned();
    let here = public(stack, "/reconnect");
    let mut authorize = Url::parse(&setting("authorize")).unwrap();
    authorize
        .query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &setting("clientId"))
        .append_pair("redirect_uri", here.as_str())
        .append_pair("scope", &setting("scope"))
        .append_pair("audience", &setting("audience"))
        .append_pair("state", "the state")
        .append_pair("code_challenge", CHALLENGE)
        .append_pair("code_challenge_method", "S256")
        .extend_pairs(who);
    let back = visitor.open(stack, &authorize).await.location.expect("back to the page");
    assert_eq!(query(&back, "state").as_deref(), Some("the state"));
    let code = query(&back, "code").expect("a code");
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", here.as_str()),
        ("client_id", &setting("clientId")),
        ("code_verifier", VERIFIER),
    ];
    let origin = here.origin().ascii_serialization();
    let request = stack.http.post(setting("token")).form(&form).header(ORIGIN, &origin);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.headers()["access-control-allow-origin"], origin.as_str());
    let answer: Value = answer.json().await.unwrap();
    answer["access_token"].as_str().expect("a token").to_owned()
}

/// A call of the page's script: same origin, which browsers still name in a POST.
async fn call(stack: &Stack, token: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
    let url = public(stack, path);
    let origin = url.origin().ascii_serialization();
    let request = match body {
        Some(body) => stack.http.post(url).header(ORIGIN, origin).json(body),
        None => stack.http.get(url),
    };
    let answer = request.bearer_auth(token).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

#[tokio::test]
async fn an_admin_connects_again_on_our_page_from_sign_in_to_confirmation() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    let mut visitor = Visitor::default();
    let page = public(&stack, &format!("/reconnect?companyId={}", company.id));
    let page = visitor.open(&stack, &page).await;
    assert_eq!((page.status, page.header("cache-control")), (200, "no-store"), "{}", page.text);
    assert!(!page.says(&company.id), "it knows nothing of any company");
    let issuer = Url::parse(&stack.is.issuer_url).unwrap().origin().ascii_serialization();
    let policy = page.header("content-security-policy");
    assert!(policy.contains(&format!("connect-src 'self' {issuer};")), "{policy}");

    let claim = format!("{}:admin", company.id);
    let who = [("auto", "Mary O'Hara"), ("companies", claim.as_str())];
    let token = sign_in(&stack, &mut visitor, &page, &who).await;
    let status = format!("/status?companyId={}", company.id);
    assert_eq!(call(&stack, &token, &status, None).await.1["status"], "notConnected");

    let id = json!({ "companyId": company.id });
    let (made, link) = call(&stack, &token, "/connect", Some(&id)).await;
    assert_eq!(made, 200, "{link}");
    let link = Url::parse(link["url"].as_str().unwrap()).unwrap();
    let consent = to_intuit(&stack, &mut visitor, &link).await;
    let callback = grant(&stack, &mut visitor, &consent, &company.realm).await;
    let outcome = visitor.open(&stack, &callback).await;
    // The way back to our page, beside it.
    let back = format!("href=\"reconnect?companyId={}\"", company.id);
    assert!(outcome.says(&back), "{}", outcome.text);

    let waiting = call(&stack, &token, &status, None).await.1["waitingForConfirmation"].clone();
    assert_eq!(waiting["askedBy"], "Mary O'Hara", "{waiting}");
    let (confirmed, answer) = call(&stack, &token, "/connect/confirm", Some(&id)).await;
    assert_eq!((confirmed, &answer["realmId"]), (200, &json!(company.realm)), "{answer}");
    let now = call(&stack, &token, &status, None).await.1;
    assert_eq!((&now["status"], &now["connectedBy"]), (&json!("connected"), &json!("Mary O'Hara")));
}

#[tokio::test]
async fn the_reconnect_page_is_the_same_whatever_it_is_asked() {
    let (stack, _shared) = Stack::shared().await;
    let text = async |query: &str| {
        let page =
            Visitor::default().open(&stack, &public(&stack, &format!("/reconnect{query}"))).await;
        let nonce = page
            .header("content-security-policy")
            .split('\'')
            .find(|part| part.starts_with("nonce-"));
        let nonce = nonce.expect("a nonce").trim_start_matches("nonce-").to_owned();
        assert!(nonce.len() >= 22);
        (page.status, page.text.replace(&nonce, ""), nonce)
    };
    let plain = text("").await;
    let company = stack.company("empty").await;
    for query in [
        format!("?companyId={}", company.id),
        format!("?realmId={}", company.realm),
        "?companyId=%3Cscript%3Ealert(1)%3C/script%3E&next=https://evil.example".to_owned(),
        "?code=x&state=y".to_owned(),
    ] {
        let other = text(&query).await;
        assert_eq!((&other.0, &other.1), (&plain.0, &plain.1), "{query}");
        assert_ne!(other.2, plain.2, "each page has a nonce of its own");
    }
}
