//! What becomes of posts that are not acknowledged, and posts by hand.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    harness::{A, TestSandbox},
    receiver::{Receiver, TOKEN},
};

fn time(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn an_unacknowledged_post_is_repeated_by_intuits_ladder() {
    let (app, receiver) = TestSandbox::subscribed(json!({})).await;
    receiver.answer(&[500; 10]);
    app.touch(A, "Employee", "55").await;
    app.flush().await;
    let waits = [10, 20, 30, 300, 1200, 7200, 14_400, 21_600, 21_600, 21_600];
    for (tries, wait) in (1..).zip(waits) {
        assert_eq!(receiver.count(), tries);
        let delivery = &app.deliveries().await[0];
        assert_eq!((&delivery["standing"], &delivery["status"]), (&json!("waiting"), &json!(500)));
        let attempts = delivery["attempts"].as_array().unwrap();
        assert_eq!(attempts.len(), tries);
        let last = time(&attempts[tries - 1]["at"]);
        assert_eq!(time(&delivery["nextAttempt"]).duration_since(last).as_millis(), wait * 1000);
        // Set to the time, to be exact: the clock runs on while the test does.
        let due = time(&delivery["nextAttempt"]);
        let early = due - jiff::SignedDuration::from_secs(5);
        app.admin_post("/clock/set", json!({ "now": early })).await;
        app.settle().await;
        assert_eq!(receiver.count(), tries, "before its time");
        app.admin_post("/clock/set", json!({ "now": due })).await;
        app.settle().await;
    }
    assert_eq!(receiver.count(), 11);
    let delivery = &app.deliveries().await[0];
    assert_eq!((&delivery["standing"], &delivery["status"]), (&json!("acknowledged"), &json!(200)));
    assert_eq!(delivery["nextAttempt"], Value::Null);

    let posts = receiver.posts();
    let first = &posts[0];
    assert!(posts.iter().all(|post| post.body == first.body && post.is_signed_with(TOKEN)));
    assert_eq!(delivery["body"].as_str().unwrap().as_bytes(), first.body);
    assert_eq!(delivery["eventIds"], json!(first.ids()));
    assert_eq!(delivery["realms"], json!([A]));
    assert_eq!(delivery["bodySha256"].as_str().unwrap().len(), 64);
    app.advance(86_400).await;
    app.settle().await;
    assert_eq!(receiver.count(), 11, "once acknowledged it is over");
}

#[tokio::test]
async fn a_long_jump_of_the_clock_makes_one_attempt() {
    let (app, receiver) = TestSandbox::subscribed(json!({})).await;
    receiver.answer(&[503; 3]);
    app.touch(A, "Employee", "55").await;
    app.flush().await;
    app.advance(30 * 86_400).await;
    app.settle().await;
    assert_eq!(receiver.count(), 2);
}

#[tokio::test]
async fn nothing_else_is_sent_until_the_first_is_acknowledged() {
    let (app, receiver) = TestSandbox::subscribed(json!({})).await;
    receiver.answer(&[500, 500]);
    for id in ["55", "56", "57"] {
        app.touch(A, "Employee", id).await;
        app.flush().await;
    }
    assert_eq!(receiver.count(), 1);
    assert_eq!(app.admin_get("/webhooks").await["waiting"]["posts"], 3);
    app.advance(10).await;
    app.settle().await;
    assert_eq!(receiver.count(), 2);
    app.advance(20).await;
    app.settle().await;
    let told: Vec<String> = receiver
        .posts()
        .iter()
        .map(|post| post.events()[0]["intuitentityid"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(told, ["55", "55", "55", "56", "57"]);
    let standings: Vec<Value> =
        app.deliveries().await.iter().map(|delivery| delivery["standing"].clone()).collect();
    assert_eq!(standings, ["acknowledged"; 3]);
}

#[tokio::test]
async fn no_status_but_200_acknowledges_and_no_redirect_is_followed() {
    let (app, receiver) = TestSandbox::subscribed(json!({})).await;
    let statuses = [201, 202, 204, 302, 307, 400, 403, 404, 410, 503];
    receiver.answer(&statuses);
    app.touch(A, "Employee", "55").await;
    app.flush().await;
    for _ in statuses {
        app.advance(21_600).await;
        app.settle().await;
    }
    assert_eq!(receiver.count(), statuses.len() + 1);
    let delivery = &app.deliveries().await[0];
    let seen: Vec<u64> = delivery["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|attempt| attempt["status"].as_u64().unwrap())
        .collect();
    assert_eq!(seen[..statuses.len()], statuses.map(u64::from));
    assert_eq!(delivery["standing"], "acknowledged");
}

#[tokio::test]
async fn a_receiver_that_is_too_slow_has_not_acknowledged() {
    let (app, receiver) = TestSandbox::subscribed(json!({ "timeoutMs": 60 })).await;
    receiver.answer_after(400);
    app.touch(A, "Employee", "55").await;
    app.flush().await;
    let delivery = &app.deliveries().await[0];
    assert_eq!(delivery["attempts"][0]["status"], Value::Null);
    assert_eq!(delivery["attempts"][0]["error"], "no answer within 60 ms");
    app.admin_post("/webhooks", json!({ "timeoutMs": 3000 })).await;
    app.advance(10).await;
    app.settle().await;
    let posts = receiver.posts();
    assert_eq!(posts.len(), 2);
    assert_eq!(posts[0].ids(), posts[1].ids());
}

#[tokio::test]
async fn a_receiver_that_comes_back_gets_everything_in_order() {
    let (app, receiver) = TestSandbox::subscribed(json!({})).await;
    let port = receiver.stop().await;
    for id in ["55", "56"] {
        app.touch(A, "Employee", id).await;
        app.flush().await;
    }
    let delivery = &app.deliveries().await[0];
    assert_eq!(delivery["status"], Value::Null);
    assert!(delivery["attempts"][0]["error"].is_string(), "{delivery}");
    let receiver = Receiver::start_on(port).await;
    app.advance(10).await;
    app.settle().await;
    let posts = receiver.posts();
    assert_eq!(posts.len(), 2);
    assert_eq!(posts[0].events()[0]["intuitentityid"], "55");
}

#[tokio::test]
async fn a_retry_is_signed_with_the_token_of_its_time() {
    let (app, receiver) = TestSandbox::subscribed(json!({})).await;
    receiver.answer(&[403]);
    app.touch(A, "Employee", "55").await;
    app.flush().await;
    app.admin_post("/webhooks", json!({ "verifierToken": "rotated" })).await;
    app.advance(10).await;
    app.settle().await;
    let posts = receiver.posts();
    assert!(posts[0].is_signed_with(TOKEN) && posts[1].is_signed_with("rotated"));
    assert_eq!(posts[0].body, posts[1].body);
}

#[tokio::test]
async fn a_forged_post_is_what_was_asked_for() {
    let (app, receiver) = TestSandbox::subscribed(json!({})).await;
    let unknown = json!([{ "type": "qbo.unicorn.grazed.v9", "intuitaccountid": A }]);
    receiver.answer(&[200, 403]);
    let sent = app.admin_post("/webhooks/send", json!({ "body": unknown })).await;
    assert_eq!((&sent["status"], &sent["origin"]), (&json!(200), &json!("hand")));
    let wrong = json!({ "body": unknown, "signature": "wrong" });
    let sent = app.admin_post("/webhooks/send", wrong).await;
    assert_eq!((&sent["status"], &sent["standing"]), (&json!(403), &json!("refused")));
    assert_eq!(sent["nextAttempt"], Value::Null);
    for wish in [
        json!({ "body": "{not json", "signature": "missing", "contentType": "text/plain" }),
        json!({ "body": [], "verifierToken": "older" }),
        json!({ "body": [], "signatureHeader": "not base64!" }),
    ] {
        app.admin_post("/webhooks/send", wish).await;
    }
    let posts = receiver.posts();
    assert!(posts[0].is_signed_with(TOKEN));
    assert_eq!(posts[0].json(), unknown);
    assert!(!posts[1].is_signed_with(TOKEN) && !posts[1].header("intuit-signature").is_empty());
    assert_eq!(
        (posts[2].body.as_slice(), posts[2].header("content-type")),
        (&b"{not json"[..], "text/plain")
    );
    assert!(!posts[2].headers.contains_key("intuit-signature"));
    assert!(posts[3].is_signed_with("older"));
    assert_eq!(posts[4].header("intuit-signature"), "not base64!");
    app.advance(86_400).await;
    app.settle().await;
    assert_eq!(receiver.count(), 5, "a post by hand is not repeated");
}

#[tokio::test]
async fn a_post_is_redelivered_to_the_byte() {
    let (app, receiver) = TestSandbox::subscribed(json!({})).await;
    app.touch(A, "Employee", "55").await;
    app.flush().await;
    let seq = app.deliveries().await[0]["seq"].clone();
    let again = app.admin_post("/webhooks/redeliver", json!({ "seq": seq })).await;
    assert_eq!((&again["repeats"], &again["status"]), (&seq, &json!(200)));
    let posts = receiver.posts();
    assert_eq!(posts[0].body, posts[1].body);
    let url = format!("{}/webhooks/redeliver", app.sandbox.sandbox.admin_url());
    assert_eq!(app.send(app.http.post(url).json(&json!({ "seq": 99 }))).await.status, 404);
}

#[tokio::test]
async fn a_pause_holds_posts_back() {
    let (app, receiver) = TestSandbox::subscribed(json!({})).await;
    app.admin(Method::POST, "/webhooks/pause", None).await;
    app.touch(A, "Employee", "55").await;
    app.flush().await;
    app.advance(86_400).await;
    app.settle().await;
    assert_eq!(receiver.count(), 0);
    app.admin(Method::POST, "/webhooks/resume", None).await;
    app.settle().await;
    assert_eq!(receiver.count(), 1);
}

#[tokio::test]
async fn unsubscribing_throws_away_what_waits() {
    let (app, receiver) = TestSandbox::subscribed(json!({})).await;
    receiver.answer(&[500]);
    app.touch(A, "Employee", "55").await;
    app.flush().await;
    app.touch(A, "Employee", "56").await;
    app.admin(Method::DELETE, "/webhooks", None).await;
    app.touch(A, "Employee", "57").await;
    app.admin_post("/webhooks", json!({ "url": receiver.url() })).await;
    app.advance(86_400).await;
    app.flush().await;
    assert_eq!(receiver.count(), 1);
    assert_eq!(app.deliveries().await[0]["standing"], "refused");
    app.admin(Method::DELETE, "/webhooks/deliveries", None).await;
    assert!(app.deliveries().await.is_empty());
}

#[tokio::test]
async fn a_clock_that_goes_back_holds_nothing_up() {
    let (app, receiver) = TestSandbox::subscribed(json!({})).await;
    receiver.answer(&[500]);
    app.advance(30 * 86_400).await;
    app.touch(A, "Employee", "55").await;
    app.flush().await;
    app.touch(A, "Employee", "56").await;
    app.advance(-30 * 86_400).await;
    app.settle().await;
    assert_eq!(receiver.count(), 3);
}

#[tokio::test]
async fn deliveries_are_selected_by_company_and_number() {
    let (app, _receiver) = TestSandbox::subscribed(json!({})).await;
    for id in ["55", "56"] {
        app.touch(A, "Employee", id).await;
        app.flush().await;
    }
    let seq = app.deliveries().await[0]["seq"].clone();
    let count = |answer: Value| answer["deliveries"].as_array().unwrap().len();
    assert_eq!(count(app.admin_get(&format!("/webhooks/deliveries?since={seq}")).await), 1);
    assert_eq!(count(app.admin_get(&format!("/webhooks/deliveries?realm={A}")).await), 2);
    assert_eq!(count(app.admin_get("/webhooks/deliveries?realm=1").await), 0);
    let last = app.admin_get("/webhooks/deliveries?last=1").await;
    assert_eq!(last["deliveries"], json!([app.deliveries().await[1]]));
}

#[tokio::test]
async fn a_sandbox_stops_although_a_receiver_hangs() {
    let (app, receiver) = TestSandbox::subscribed(json!({ "aggregateMs": 0 })).await;
    receiver.answer_after(60_000);
    app.touch(A, "Employee", "55").await;
    while receiver.count() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let started = Instant::now();
    let crate::harness::Connected { sandbox: TestSandbox { sandbox, http }, .. } = app;
    drop(http);
    sandbox.stop().await.unwrap();
    assert!(started.elapsed() < Duration::from_millis(2500), "{:?}", started.elapsed());
    assert_eq!(receiver.count(), 1);
}
