//! What an app is told of, in which form, and to whom it goes.

use std::collections::BTreeSet;

use jiff::Timestamp;
use quickbooks_sandbox::Config;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    harness::{A, B, REDIRECT, TestSandbox},
    receiver::{Receiver, TOKEN},
};

/// The events' times; as texts they would not sort, since their digits differ in number.
fn times(events: &[Value]) -> Vec<Timestamp> {
    events.iter().map(|event| event["time"].as_str().unwrap().parse().unwrap()).collect()
}

#[tokio::test]
async fn a_change_is_told_as_a_signed_cloud_event() {
    let (app, receiver) = TestSandbox::subscribed(json!({})).await;
    let activity = app.activity(json!({ "Description": "Süd-Ost: O'Brien 🛠" })).await;
    app.flush().await;

    let post = receiver.single();
    assert!(post.is_signed_with(TOKEN));
    assert!(!post.is_signed_with("another"));
    assert_eq!(post.header("content-type"), "application/cloudevents+json");
    assert_eq!(post.header("user-agent"), "intuit_notification_server/0.1");
    assert_eq!(post.header("intuit-notification-schema-version"), "0.1");
    assert_eq!(post.header("intuit-t-id").len(), 36);
    assert!(post.header("intuit-created-time").parse::<Timestamp>().is_ok());

    let events = post.events();
    assert_eq!(events.len(), 1);
    let event = &events[0];
    let id = activity["Id"].as_str().unwrap();
    assert_eq!(event["specversion"], "1.0");
    assert_eq!(event["type"], "qbo.timeactivity.created.v1");
    assert_eq!((&event["intuitentityid"], &event["intuitaccountid"]), (&json!(id), &json!(A)));
    assert_eq!(
        (&event["datacontenttype"], &event["data"]),
        (&json!("application/json"), &json!({}))
    );
    assert!(event["source"].as_str().unwrap().starts_with("intuit."));
    assert!(event["id"].as_str().unwrap().ends_with(&format!("-TimeActivity-{id}")), "{event}");
    let time: Timestamp = event["time"].as_str().unwrap().parse().unwrap();
    let updated: Timestamp =
        activity["MetaData"]["LastUpdatedTime"].as_str().unwrap().parse().unwrap();
    let late = time.duration_since(updated);
    assert!(late.as_millis() >= 0 && late.as_secs() < 2, "{event}");
    assert_eq!(event.as_object().unwrap().len(), 9);
}

#[tokio::test]
async fn the_classic_shape_groups_by_company() {
    let (app, receiver) = TestSandbox::subscribed(json!({ "shape": "classic" })).await;
    app.tokens(B).await;
    app.touch(A, "Employee", "55").await;
    app.touch(B, "Customer", "55").await;
    app.touch(A, "Customer", "1").await;
    app.flush().await;

    let post = receiver.single();
    assert!(post.is_signed_with(TOKEN));
    assert_eq!(post.header("content-type"), "application/json");
    let body = post.json();
    let notifications = body["eventNotifications"].as_array().unwrap();
    assert_eq!(notifications.len(), 2);
    assert_eq!(
        (&notifications[0]["realmId"], &notifications[1]["realmId"]),
        (&json!(A), &json!(B))
    );
    let entities = notifications[0]["dataChangeEvent"]["entities"].as_array().unwrap();
    assert_eq!(entities.len(), 2);
    assert_eq!((&entities[0]["name"], &entities[0]["id"]), (&json!("Employee"), &json!("55")));
    assert_eq!(entities[0]["operation"], "Update");
    assert_eq!(
        entities[0]["lastUpdated"].as_str().unwrap().len(),
        "2025-09-08T20:52:31.657Z".len()
    );
    assert_eq!(entities[0].as_object().unwrap().len(), 4);
}

#[tokio::test]
async fn several_companies_come_in_one_post_unless_switched_off() {
    let (app, receiver) = TestSandbox::subscribed(json!({})).await;
    app.tokens(B).await;
    let realms = |post: &crate::receiver::Post| -> Vec<String> {
        let realm = |event: &Value| event["intuitaccountid"].as_str().unwrap().to_owned();
        post.events().iter().map(realm).collect()
    };
    app.touch(A, "Employee", "55").await;
    app.touch(B, "Customer", "55").await;
    app.flush().await;
    assert_eq!(realms(&receiver.single()), [A, B]);

    app.admin_post("/webhooks", json!({ "onePerRealm": true })).await;
    app.touch(A, "Employee", "55").await;
    app.touch(B, "Customer", "55").await;
    app.touch(A, "Employee", "56").await;
    app.flush().await;
    let posts = receiver.posts();
    assert_eq!(posts.len(), 3);
    assert_eq!((realms(&posts[1]), realms(&posts[2])), (vec![A.into(), A.into()], vec![B.into()]));
}

#[tokio::test]
async fn changes_wait_for_their_window_by_the_sandboxs_clock() {
    let (app, receiver) = TestSandbox::subscribed(json!({ "aggregateMs": 60_000 })).await;
    let activity = app.activity(json!({})).await;
    app.touch(A, "Employee", "55").await;
    app.touch(A, "Employee", "55").await;
    app.advance(40).await;
    app.settle().await;
    assert_eq!(receiver.count(), 0);
    app.advance(20).await;
    app.settle().await;
    app.touch(A, "Employee", "56").await;
    app.settle().await;
    let entities: Vec<Value> =
        receiver.single().events().iter().map(|event| event["intuitentityid"].clone()).collect();
    // Both changes of one entity come.
    assert_eq!(entities, [activity["Id"].clone(), json!("55"), json!("55")]);
    app.advance(61).await;
    app.settle().await;
    assert_eq!(receiver.posts()[1].events().len(), 1);
}

#[tokio::test]
async fn a_window_closes_by_itself() {
    let (app, receiver) = TestSandbox::subscribed(json!({ "aggregateMs": 100 })).await;
    app.touch(A, "Employee", "55").await;
    for _ in 0..500 {
        if receiver.count() == 1 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("nothing came");
}

#[tokio::test]
async fn a_post_holds_no_more_events_than_allowed() {
    let (app, receiver) = TestSandbox::subscribed(json!({ "maxEvents": 2 })).await;
    for id in ["55", "56", "57", "58", "59"] {
        app.touch(A, "Employee", id).await;
    }
    app.flush().await;
    let sizes: Vec<usize> = receiver.posts().iter().map(|post| post.events().len()).collect();
    assert_eq!(sizes, [2, 2, 1]);
}

#[tokio::test]
async fn later_changes_have_later_times_with_nine_digits() {
    let (app, receiver) = TestSandbox::subscribed(json!({})).await;
    let many: Vec<Value> = (55..65).map(|id| json!({ "Id": id.to_string() })).collect();
    app.admin_post(&format!("/companies/{A}/Employee"), json!(many)).await;
    app.flush().await;
    let events = receiver.single().events();
    let times = times(&events);
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{times:?}");
    assert!(times.iter().any(|time| time.subsec_nanosecond() % 1000 != 0), "{times:?}");
    let ids: BTreeSet<&str> = events.iter().map(|event| event["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 10);
}

#[tokio::test]
async fn duplicates_keep_the_id_of_their_event() {
    let (app, receiver) = TestSandbox::subscribed(json!({ "duplicateRate": 1 })).await;
    app.touch(A, "Employee", "55").await;
    app.touch(A, "Employee", "56").await;
    app.flush().await;
    let events = receiver.single().events();
    assert_eq!(events.len(), 4);
    assert_eq!((&events[0], &events[1]), (&events[2], &events[3]));
    assert_ne!(events[0]["id"], events[1]["id"]);
}

#[tokio::test]
async fn disorder_changes_the_order_and_nothing_else() {
    let (app, receiver) = TestSandbox::subscribed(json!({ "disorder": true })).await;
    for _ in 0..3 {
        for id in 55..65 {
            app.touch(A, "Employee", &id.to_string()).await;
        }
    }
    app.flush().await;
    let events = receiver.single().events();
    let times = times(&events);
    assert_eq!(times.iter().collect::<BTreeSet<_>>().len(), 30);
    assert!(!times.is_sorted(), "{times:?}");
}

#[tokio::test]
async fn one_seed_gives_the_same_event_ids_whatever_is_under_way() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let (app, receiver) = TestSandbox::subscribed(json!({})).await;
        app.touch(A, "Employee", "55").await;
        app.flush().await;
        app.touch(A, "Employee", "56").await;
        app.flush().await;
        let ids: Vec<String> =
            receiver.posts().iter().flat_map(crate::receiver::Post::ids).collect();
        runs.push((ids, app.tokens(B).await.body["refresh_token"].clone()));
    }
    assert_eq!(runs[0], runs[1]);
}

#[tokio::test]
async fn a_company_without_a_live_grant_is_silent() {
    let (app, receiver) = TestSandbox::subscribed(json!({})).await;
    app.touch(B, "Customer", "55").await;
    app.tokens(B).await;
    app.touch(B, "Customer", "56").await;
    app.admin(Method::POST, &format!("/companies/{A}/disconnect"), None).await;
    app.touch(A, "Employee", "55").await;
    app.flush().await;
    let events = receiver.single().events();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["intuitentityid"], "56");
}

#[tokio::test]
async fn a_deleted_activity_is_told() {
    let (app, receiver) = TestSandbox::subscribed(json!({ "data": "full" })).await;
    let activity = app.activity(json!({})).await;
    app.flush().await;
    let gone = json!({ "Id": activity["Id"], "SyncToken": "0" });
    app.post("timeactivity?operation=delete&minorversion=75", &gone).await.ok();
    app.flush().await;
    let posts = receiver.posts();
    assert_eq!(posts[0].events()[0]["data"], activity);
    let event = &posts[1].events()[0];
    assert_eq!(event["type"], "qbo.timeactivity.deleted.v1");
    assert_eq!((&event["intuitentityid"], &event["data"]), (&activity["Id"], &json!({})));
}

#[tokio::test]
async fn changed_settings_are_told_as_preferences() {
    let (app, receiver) = TestSandbox::subscribed(json!({ "data": "full" })).await;
    app.admin_post(&format!("/companies/{A}"), json!({ "bookCloseDate": "2026-10-31" })).await;
    app.flush().await;
    let event = &receiver.single().events()[0];
    assert_eq!(event["type"], "qbo.preferences.updated.v1");
    assert_eq!(event["intuitentityid"], "1");
    let told = &event["data"]["AccountingInfoPrefs"]["BookCloseDate"];
    assert_eq!(told, "2026-10-31");
}

#[tokio::test]
async fn each_app_has_its_own_subscription_and_its_own_queue() {
    let (app, receiver) = TestSandbox::subscribed(json!({})).await;
    let wish = json!({ "clientId": "other", "clientSecret": "s" });
    app.admin_post("/apps", wish).await;
    let second = Receiver::start().await;
    let subscription = json!({
        "url": second.url(), "verifierToken": "its own", "aggregateMs": 3_600_000,
    });
    app.admin_post("/webhooks?app=other", subscription).await;
    app.touch(A, "Employee", "55").await;

    let code = app.send(app.http.get(app.authorize_url(&[("client_id", "other"), ("auto", A)])));
    let target = code.await.headers["location"].to_str().unwrap().to_owned();
    let target = reqwest::Url::parse(&target).unwrap();
    let code = target.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    let form = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", REDIRECT)];
    let request = app.http.post(app.public("/oauth2/v1/tokens/bearer"));
    app.send(request.basic_auth("other", Some("s")).form(&form)).await.ok();

    // The first app does not acknowledge; that holds up nobody else.
    receiver.answer(&[500]);
    app.touch(A, "Employee", "56").await;
    app.flush().await;
    app.admin(Method::POST, "/webhooks/flush?app=other", None).await;
    let post = second.single();
    assert!(post.is_signed_with("its own"));
    assert_eq!(post.events().len(), 1, "only what was changed since it was connected");
    assert_eq!(receiver.single().events().len(), 2);
    assert_ne!(post.ids()[0], receiver.single().ids()[1]);
    assert_ne!(post.events()[0]["source"], receiver.single().events()[0]["source"]);
    let own = app.admin_get("/webhooks/deliveries?app=other").await;
    assert_eq!(own["deliveries"].as_array().unwrap().len(), 1);

    let url = format!("{}/webhooks?app=nobody", app.sandbox.sandbox.admin_url());
    assert_eq!(app.send(app.http.get(url)).await.status, 404);
}

#[tokio::test]
async fn a_refused_write_and_a_read_are_not_told() {
    let (app, receiver) = TestSandbox::subscribed(json!({})).await;
    let answer = app.post("timeactivity", &json!({ "NameOf": "Employee" })).await;
    assert_eq!(answer.status, 400);
    app.get("preferences").await.ok();
    app.flush().await;
    assert_eq!(receiver.count(), 0);
}

#[tokio::test]
async fn data_and_ids_have_the_forms_that_intuit_shows() {
    let (app, receiver) = TestSandbox::subscribed(json!({
        "data": "absent", "eventIds": "uuid", "contentType": "application/json; charset=utf-8",
    }))
    .await;
    app.touch(A, "Employee", "55").await;
    app.flush().await;
    let post = receiver.single();
    assert_eq!(post.header("content-type"), "application/json; charset=utf-8");
    let event = post.events()[0].clone();
    assert!(event.get("data").is_none() && event.get("datacontenttype").is_none(), "{event}");
    assert!(event["id"].as_str().unwrap().parse::<uuid::Uuid>().is_ok(), "{event}");
}

#[tokio::test]
async fn only_the_chosen_operations_are_told() {
    let entities = json!({ "employee": ["Delete"], "Customer": ["Update"] });
    let (app, receiver) = TestSandbox::subscribed(json!({ "entities": entities })).await;
    app.touch(A, "Employee", "55").await;
    app.touch(A, "Customer", "1").await;
    app.touch(A, "Vendor", "30").await;
    app.admin(Method::DELETE, &format!("/companies/{A}/Employee/55"), None).await;
    app.flush().await;
    let types: Vec<Value> =
        receiver.single().events().iter().map(|event| event["type"].clone()).collect();
    assert_eq!(types, ["qbo.customer.updated.v1", "qbo.employee.deleted.v1"]);
}

#[tokio::test]
async fn names_below_localhost_are_this_machine_and_kept_as_host() {
    let (app, receiver) = TestSandbox::subscribed(json!({})).await;
    let host = format!("abc123.execute-api.localhost:{}", receiver.port);
    app.admin_post("/webhooks", json!({ "url": format!("http://{host}/local/hook?x=1") })).await;
    app.touch(A, "Employee", "55").await;
    app.flush().await;
    assert_eq!(receiver.single().header("host"), host);
}

#[tokio::test]
async fn a_bad_subscription_is_refused_and_changes_nothing() {
    let (app, _receiver) = TestSandbox::subscribed(json!({})).await;
    let before = app.admin_get("/webhooks").await;
    let url = format!("{}/webhooks", app.sandbox.sandbox.admin_url());
    for body in [
        json!({ "url": "https://example.com/hook" }),
        json!({ "url": "http://192.168.0.1/hook" }),
        json!({ "shape": "xml" }),
        json!({ "maxEvents": 101 }),
        json!({ "entities": { "Nonsense": ["Create"] } }),
        json!({ "colour": "red" }),
        json!([]),
    ] {
        let answer = app.send(app.http.post(&url).json(&body)).await;
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.body["error"].is_string());
    }
    assert_eq!(app.admin_get("/webhooks").await, before);
    app.admin(Method::DELETE, "/webhooks", None).await;
    let answer = app.send(app.http.post(&url).json(&json!({ "disorder": true }))).await;
    assert_eq!((answer.status.as_u16(), &answer.body["error"]), (400, &json!("url is missing")));
    let by_hand = app.http.post(format!("{url}/send")).json(&json!({ "body": [] }));
    assert_eq!(app.send(by_hand).await.status, 409);
}

#[tokio::test]
async fn a_reset_brings_back_the_configured_subscription() {
    let receiver = Receiver::start().await;
    let config = Config {
        limits_scale: 1000.0,
        webhook_url: Some(receiver.url()),
        webhook_verifier_token: TOKEN.into(),
        ..Config::ephemeral()
    };
    let app = TestSandbox::start_with(config).await.connect(A).await;
    app.touch(A, "Employee", "55").await;
    app.admin_post("/webhooks", json!({ "url": "http://localhost:9/x", "disorder": true })).await;
    app.admin(Method::POST, "/webhooks/pause", None).await;
    app.admin(Method::POST, "/reset", None).await;
    let state = app.admin_get("/webhooks").await;
    assert_eq!(state["subscription"]["url"], receiver.url());
    assert_eq!(state["subscription"]["disorder"], false);
    assert_eq!((&state["paused"], &state["waiting"]["changes"]), (&json!(false), &json!(0)));
    assert!(app.deliveries().await.is_empty());
    app.tokens(A).await;
    app.touch(A, "Employee", "56").await;
    app.flush().await;
    assert!(receiver.single().is_signed_with(TOKEN));
}
