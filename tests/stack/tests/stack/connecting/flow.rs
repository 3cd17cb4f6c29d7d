//! The three steps, and what can go wrong on the way.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use stack_tests::stack::api::Caller;
use stack_tests::stack::stored::text;
use stack_tests::stack::{Stack, eventually};

use super::refused;
use crate::outside::{
    self, Visitor, callback, confirm, exchanges, grant, link, query, secrets, status, to_intuit,
    with_query,
};

const MOMENT: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_company_connects_in_three_steps_and_is_live_after_the_third() {
    let (stack, _shared) = Stack::shared().await;
    stack.listen().await;
    let company = stack.company("empty").await;
    let id = &company.id;
    let before = status(&stack, &company).await;
    assert_eq!(before, json!({ "companyId": id, "connected": false, "status": "notConnected" }));

    // First step: a link that lives one minute.
    let now = stack.sandbox().now().await;
    let answer = stack.post(&company.admin, "/connect", &json!({ "companyId": id })).await.ok();
    let expires: Timestamp = answer["expiresAt"].as_str().unwrap().parse().unwrap();
    let lives = expires.duration_since(now).as_secs();
    assert!((55..=65).contains(&lives), "the link lives {lives} s");
    let link = answer["url"].as_str().unwrap().parse().unwrap();

    // The page behind it binds the browser and sends it to Intuit.
    let mut visitor = Visitor::default();
    let page = visitor.open(&stack, &link).await;
    assert_eq!(page.status, 302);
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    assert_eq!(page.header("cache-control"), "no-store");
    let consent = page.location.unwrap();
    assert!(consent.as_str().starts_with(&format!("{}/connect/oauth2?", stack.is.sandbox_url)));
    let asked = |name: &str| query(&consent, name).unwrap_or_default();
    assert_eq!(asked("client_id"), "sandbox-client");
    assert_eq!(asked("response_type"), "code");
    assert_eq!(asked("scope"), "com.intuit.quickbooks.accounting");
    assert_eq!(asked("redirect_uri"), format!("{}/callback", stack.is.api_url));
    assert!(asked("state").len() >= 22, "128 bits take 22 characters: {}", asked("state"));
    let cookie = visitor.0[0].clone();
    assert_eq!(visitor.0.len(), 1);
    assert!(cookie.value.len() >= 22);
    assert!(!consent.as_str().contains(&cookie.value));
    for flag in ["HttpOnly", "Secure", "SameSite=Lax"] {
        assert!(cookie.attributes.contains(flag), "{flag} is not in {}", cookie.attributes);
    }
    assert!(!cookie.attributes.to_lowercase().contains("domain"));
    assert!(cookie.path.ends_with("/callback"), "it goes to the callback alone: {}", cookie.path);

    // Second step: Intuit sends the browser back. Nothing is live yet.
    let callback = grant(&stack, &mut visitor, &consent, &company.realm).await;
    let page = visitor.open(&stack, &callback).await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(page.says("Confirm within ten minutes") && page.says("Go on and confirm"));
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    assert!(visitor.0.is_empty(), "the cookie has done its work");
    let waiting = status(&stack, &company).await;
    assert_eq!(
        (&waiting["connected"], &waiting["status"]),
        (&json!(false), &json!("notConnected"))
    );
    let waits = &waiting["waitingForConfirmation"];
    assert_eq!(waits["realmId"], company.realm.as_str());
    assert_eq!(waits["companyName"], id.as_str());
    assert_eq!(waits["askedBy"], format!("user of {id}:admin"));
    let test = json!({ "companyId": id });
    let tested = stack.post(&company.admin, "/test-connection", &test).await;
    outside::problem(&tested, 409, "not-connected");
    let job = stack.post(&company.admin, "/sync-now", &test).await;
    outside::problem(&job, 409, "not-connected");

    // Third step: the user who asked says yes.
    let confirmed = confirm(&stack, &company.admin, id).await.ok();
    assert_eq!(confirmed["success"], true);
    assert_eq!(confirmed["realmId"], company.realm.as_str());
    assert_eq!(confirmed["companyName"], id.as_str());
    let live = status(&stack, &company).await;
    assert_eq!((&live["connected"], &live["status"]), (&json!(true), &json!("connected")));
    assert_eq!(live["waitingForConfirmation"], json!(null));
    let tokens = stack.sandbox().counters(&company.realm).await["tokens"].clone();
    assert_eq!((&tokens["exchange"], &tokens["refused"]), (&json!(1), &json!(0)));

    // Each step is in the history, which is kept as long as the company.
    let audited = stack.stored("AuditLog", id, "1").await;
    let history: Vec<_> = audited.iter().filter(|row| text(row, "action") != "import").collect();
    let steps: Vec<&str> = history.iter().map(|row| text(row, "action")).collect();
    assert_eq!(steps, ["connect-started", "connect-authorized", "connected"]);
    for row in history {
        assert_eq!(text(row, "actor"), format!("user of {id}:admin"));
        assert_eq!(row.get("expiresAt"), None, "{row}");
    }

    // The host app hears of it, and names are read.
    eventually("connection.connected", MOMENT, async || {
        let events = stack.events(id).await;
        events.into_iter().find(|event| event["detail-type"] == "connection.connected")
    })
    .await;
    outside::first_import(&stack, &company).await;
}

#[tokio::test]
async fn the_status_tells_whose_connection_it_is_and_how_long_it_lasts() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    let began = stack.sandbox().now().await;
    stack.connect(&company).await;
    let status = status(&stack, &company).await;
    assert_eq!(status["companyId"], company.id.as_str());
    assert_eq!(status["companyName"], company.id.as_str());
    assert_eq!(status["realmId"], company.realm.as_str());
    assert_eq!(status["environment"], "sandbox");
    assert_eq!(status["connectedBy"], format!("user of {}:admin", company.id));
    let health = &status["tokenHealth"];
    let after = |at: &serde_json::Value| {
        let at: Timestamp = at.as_str().unwrap().parse().unwrap();
        at.duration_since(began).as_secs()
    };
    let day = 24 * 3600;
    assert!((0..60).contains(&after(&status["connectedAt"])));
    assert!((3500..3700).contains(&after(&health["accessTokenExpiresAt"])), "{health}");
    assert!((99 * day..=101 * day).contains(&after(&health["refreshTokenExpiresAt"])), "{health}");
    assert!((4 * 365 * day..6 * 365 * day).contains(&after(&health["hardExpiresAt"])), "{health}");
    assert!((0..60).contains(&after(&health["lastRefreshAt"])), "{health}");
    assert_eq!(health["lastRefreshResult"], "ok");
    assert_eq!(health["refreshTokenAgeDays"], 0);
    assert_eq!(health["automaticRefresh"], true);
}

#[tokio::test]
async fn a_link_opens_once() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    let link = link(&stack, &company.admin, &company.id).await;
    to_intuit(&stack, &mut Visitor::default(), &link).await;
    let mut second = Visitor::default();
    let page = second.open(&stack, &link).await;
    refused(&page, 410, "used already, or is not complete");
    assert!(second.0.is_empty(), "no cookie for a link that is no good");
}

#[tokio::test]
async fn a_link_opens_for_its_own_company_only() {
    let (stack, _shared) = Stack::shared().await;
    let (company, other) = (stack.company("empty").await, stack.company("empty").await);
    let link = link(&stack, &company.admin, &company.id).await;
    let mut visitor = Visitor::default();
    let stolen = with_query(&link, "companyId", Some(&other.id));
    refused(&visitor.open(&stack, &stolen).await, 410, "used already, or is not complete");
    for broken in [
        with_query(&link, "companyId", None),
        with_query(&link, "ticket", None),
        with_query(&link, "ticket", Some("")),
        with_query(&link, "companyId", Some("no company's id")),
    ] {
        refused(&visitor.open(&stack, &broken).await, 410, "used already, or is not complete");
    }
    assert!(visitor.0.is_empty());
    // None of that cost the right one its link.
    to_intuit(&stack, &mut visitor, &link).await;
}

#[tokio::test]
async fn a_state_is_used_once_and_its_code_exchanged_once() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    let mut visitor = Visitor::default();
    let callback = callback(&stack, &company, &mut visitor).await;
    // A browser that forgets nothing.
    let mut same = visitor.clone();
    assert_eq!(visitor.open(&stack, &callback).await.status, 200);
    refused(&same.open(&stack, &callback).await, 410, "used already, or is not complete");
    assert_eq!(exchanges(&stack, &company.realm).await, 1);
    assert_eq!(secrets(&stack, &company.id).await.len(), 1);
    confirm(&stack, &company.admin, &company.id).await.ok();
}

#[tokio::test]
async fn one_callback_opened_many_times_at_once_exchanges_its_code_once() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    let mut visitor = Visitor::default();
    let callback = callback(&stack, &company, &mut visitor).await;
    let (mut a, mut b, mut c) = (visitor.clone(), visitor.clone(), visitor);
    let (a, b, c) = tokio::join!(
        a.open(&stack, &callback),
        b.open(&stack, &callback),
        c.open(&stack, &callback)
    );
    let mut got = [a.status, b.status, c.status];
    got.sort_unstable();
    assert_eq!(got, [200, 410, 410]);
    assert_eq!(exchanges(&stack, &company.realm).await, 1);
    confirm(&stack, &company.admin, &company.id).await.ok();
}

#[tokio::test]
async fn without_state_code_or_realm_nothing_is_exchanged() {
    let (stack, _shared) = Stack::shared().await;
    for (missing, status, words) in [
        ("state", 410, "used already, or is not complete"),
        ("code", 400, "came back without the access"),
        ("realmId", 400, "came back without the access"),
    ] {
        let company = stack.company("empty").await;
        let mut visitor = Visitor::default();
        let callback = callback(&stack, &company, &mut visitor).await;
        let page = visitor.open(&stack, &with_query(&callback, missing, None)).await;
        refused(&page, status, words);
        assert_eq!(exchanges(&stack, &company.realm).await, 0, "{missing}");
        assert!(secrets(&stack, &company.id).await.is_empty());
    }
}

#[tokio::test]
async fn a_user_who_says_no_at_intuit_is_told_so_and_nothing_is_connected() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    let link = link(&stack, &company.admin, &company.id).await;
    let mut visitor = Visitor::default();
    let consent = to_intuit(&stack, &mut visitor, &link).await;
    let mut same = visitor.clone();
    // The consent page's own form, with its button for no.
    let mut form: Vec<(String, String)> = consent.query_pairs().into_owned().collect();
    form.push(("decision".into(), "deny".into()));
    let answer = stack.http.post(consent.clone()).form(&form).send().await.unwrap();
    let callback = answer.headers()["location"].to_str().unwrap().parse().unwrap();
    assert_eq!(query(&callback, "error").as_deref(), Some("access_denied"));
    refused(&visitor.open(&stack, &callback).await, 403, "You chose not to give access");
    // The attempt is over: a code that turns up for it later is not exchanged.
    let late = grant(&stack, &mut same, &consent, &company.realm).await;
    refused(&same.open(&stack, &late).await, 410, "used already, or is not complete");
    assert_eq!(exchanges(&stack, &company.realm).await, 0);
    let audited = stack.stored("AuditLog", &company.id, "1").await;
    let last = audited.last().unwrap();
    assert_eq!((text(last, "action"), text(last, "error")), ("connect-refused", "access-denied"));
}

#[tokio::test]
async fn a_callback_in_another_browser_is_refused_and_the_right_one_can_still_finish() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    let link = link(&stack, &company.admin, &company.id).await;
    let (mut right, mut other) = (Visitor::default(), Visitor::default());
    let consent = to_intuit(&stack, &mut right, &link).await;

    // Intuit's page opened elsewhere, by somebody without the cookie.
    let elsewhere = grant(&stack, &mut other, &consent, &company.realm).await;
    refused(&other.open(&stack, &elsewhere).await, 403, "begun in another browser");
    // Somebody with a cookie of their own, from a connection of their own.
    let own = stack.company("empty").await;
    let own_link = outside::link(&stack, &own.admin, &own.id).await;
    to_intuit(&stack, &mut other, &own_link).await;
    refused(&other.open(&stack, &elsewhere).await, 403, "begun in another browser");
    assert_eq!(exchanges(&stack, &company.realm).await, 0);
    assert!(secrets(&stack, &company.id).await.is_empty());

    let callback = grant(&stack, &mut right, &consent, &company.realm).await;
    assert_eq!(right.open(&stack, &callback).await.status, 200);
    confirm(&stack, &company.admin, &company.id).await.ok();
    assert_eq!(status(&stack, &company).await["connected"], true);
}

#[tokio::test]
async fn saying_yes_twice_is_as_good_as_once() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    let mut visitor = Visitor::default();
    let callback = callback(&stack, &company, &mut visitor).await;
    assert_eq!(visitor.open(&stack, &callback).await.status, 200);
    // A double click, and once more because the answer was lost.
    let (first, second) = tokio::join!(
        confirm(&stack, &company.admin, &company.id),
        confirm(&stack, &company.admin, &company.id)
    );
    let third = confirm(&stack, &company.admin, &company.id).await;
    let expected = first.ok();
    assert_eq!((second.ok(), third.ok()), (expected.clone(), expected));
    assert_eq!(secrets(&stack, &company.id).await.len(), 1);
    assert_eq!(status(&stack, &company).await["connected"], true);
}

#[tokio::test]
async fn only_the_user_who_asked_can_confirm() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    let mut visitor = Visitor::default();
    let callback = callback(&stack, &company, &mut visitor).await;
    assert_eq!(visitor.open(&stack, &callback).await.status, 200);
    let other_admin = Caller::Companies(format!("{0}:admin {0}:viewer", company.id));
    let answer = confirm(&stack, &other_admin, &company.id).await;
    outside::problem(&answer, 403, "asked-by-somebody-else");
    assert_eq!(status(&stack, &company).await["connected"], false);
    confirm(&stack, &company.admin, &company.id).await.ok();
    assert_eq!(status(&stack, &company).await["connected"], true);
}

#[tokio::test]
async fn a_caller_that_asks_for_json_gets_json() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    let mut visitor = Visitor::default();
    let callback = callback(&stack, &company, &mut visitor).await;
    let mut same = visitor.clone();
    let page = visitor.open_as(&stack, &callback, "application/json").await;
    assert_eq!(page.status, 200);
    let answer: serde_json::Value = serde_json::from_str(&page.text).unwrap();
    assert_eq!(answer, json!({ "success": true, "realmId": company.realm }));
    let page = same.open_as(&stack, &callback, "application/json").await;
    assert_eq!(page.status, 410);
    assert_eq!(page.header("content-type"), "application/problem+json");
    let answer: serde_json::Value = serde_json::from_str(&page.text).unwrap();
    assert_eq!(answer["code"], "link-unknown");
}
