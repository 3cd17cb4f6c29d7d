//! `requestid`.

use std::time::Duration;

use serde_json::json;

use crate::harness::{A, TestSandbox, activity};

#[tokio::test]
async fn the_same_request_id_is_answered_with_the_original() {
    let app = TestSandbox::connected().await;
    let first = app.post("timeactivity?requestid=r-1", &activity(json!({}))).await.ok();
    app.advance(60).await;
    // Another body under the same id is not looked at.
    let other = activity(json!({ "Hours": 1 }));
    let again = app.post("timeactivity?requestid=r-1&minorversion=75", &other).await.ok();
    assert_eq!(again.text, first.text);
    assert_ne!(again.headers["intuit_tid"], first.headers["intuit_tid"]);
    assert_eq!(app.stored("TimeActivity").await.len(), 1);
    app.post("timeactivity?requestid=r-2", &other).await.ok();
    assert_eq!(app.stored("TimeActivity").await.len(), 2);
    let counters = app.admin_get(&format!("/counters/{A}")).await;
    assert_eq!(counters["replayed"], 1);
}

#[tokio::test]
async fn without_a_request_id_a_repeat_is_a_duplicate() {
    let app = TestSandbox::connected().await;
    app.activity(json!({})).await;
    app.activity(json!({})).await;
    assert_eq!(app.stored("TimeActivity").await.len(), 2);
}

#[tokio::test]
async fn a_refusal_is_replayed_too() {
    let app = TestSandbox::connected().await;
    let bad = activity(json!({ "EmployeeRef": { "value": "9999" } }));
    assert_eq!(app.post("timeactivity?requestid=r", &bad).await.code(), "2500");
    assert_eq!(app.post("timeactivity?requestid=r", &activity(json!({}))).await.code(), "2500");
}

#[tokio::test]
async fn request_ids_of_two_companies_do_not_meet() {
    let app = TestSandbox::connected().await;
    app.post("timeactivity?requestid=same", &activity(json!({}))).await.ok();
    let tokens = app.tokens(crate::harness::B).await;
    let url = app.public(&format!("/v3/company/{}/timeactivity?requestid=same", crate::harness::B));
    let body = activity(json!({ "EmployeeRef": { "value": "21" } }));
    let token = tokens.body["access_token"].as_str().unwrap();
    let answer = app.send(app.http.post(url).bearer_auth(token).json(&body)).await.ok();
    assert_eq!(answer.body["TimeActivity"]["EmployeeRef"]["name"], "Grace Oyelaran");
}

#[tokio::test]
async fn a_request_id_has_fifty_characters_at_most() {
    let app = TestSandbox::connected().await;
    let path = |length: usize| format!("timeactivity?requestid={}", "r".repeat(length));
    app.post(&path(50), &activity(json!({}))).await.ok();
    let answer = app.post(&path(51), &activity(json!({}))).await;
    assert_eq!(answer.code(), "6000");
    assert!(answer.detail().contains("51 characters"));
    assert_eq!(app.stored("TimeActivity").await.len(), 1);
}

#[tokio::test]
async fn a_twin_in_flight_waits_for_the_first() {
    let app = TestSandbox::connected().await;
    app.admin_post("/faults", json!({ "path": "requestid=twin", "delayMs": 300 })).await;
    let body = activity(json!({}));
    let (first, second) = tokio::join!(app.post("timeactivity?requestid=twin", &body), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let started = std::time::Instant::now();
        let answer = app.post("timeactivity?requestid=twin", &body).await;
        assert!(started.elapsed() >= Duration::from_millis(150), "{:?}", started.elapsed());
        answer
    });
    assert_eq!(first.ok().text, second.ok().text);
    assert_eq!(app.stored("TimeActivity").await.len(), 1);
}

#[tokio::test]
async fn a_commit_that_was_cut_off_is_replayed_and_gives_one_entity() {
    let app = TestSandbox::connected().await;
    app.admin_post("/faults", json!({ "method": "POST", "path": "timeactivity", "cut": "after" }))
        .await;
    let send = || {
        app.request(reqwest::Method::POST, "timeactivity?requestid=cut").json(&activity(json!({})))
    };
    assert!(send().send().await.is_err());
    assert_eq!(app.stored("TimeActivity").await.len(), 1);
    let again = app.send(send()).await.ok();
    assert_eq!(again.body["TimeActivity"]["Id"], "1");
    assert_eq!(app.stored("TimeActivity").await.len(), 1);
    let journal = app.admin_get(&format!("/requests?realm={A}")).await;
    let cut: Vec<_> = journal["requests"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|e| e["requestid"] == "cut")
        .collect();
    assert_eq!((&cut[0]["cut"], &cut[0]["status"]), (&json!("after"), &json!(200)));
    assert_eq!((&cut[1]["replayed"], &cut[1]["bodySha256"]), (&json!(true), &cut[0]["bodySha256"]));
}

#[tokio::test]
async fn a_request_that_was_cut_before_its_work_counts_as_never_sent() {
    let app = TestSandbox::connected().await;
    app.admin_post("/faults", json!({ "path": "timeactivity", "cut": "before" })).await;
    let request =
        app.request(reqwest::Method::POST, "timeactivity?requestid=b").json(&activity(json!({})));
    assert!(request.send().await.is_err());
    assert!(app.stored("TimeActivity").await.is_empty());
    app.post("timeactivity?requestid=b", &activity(json!({}))).await.ok();
}

#[tokio::test]
async fn a_request_goes_on_to_commit_after_its_client_has_gone() {
    let app = TestSandbox::connected().await;
    app.admin_post("/faults", json!({ "path": "requestid=late", "delayMs": 1500 })).await;
    let request = app
        .request(reqwest::Method::POST, "timeactivity?requestid=late")
        .timeout(Duration::from_millis(500))
        .json(&activity(json!({})));
    assert!(request.send().await.unwrap_err().is_timeout());
    assert!(app.stored("TimeActivity").await.is_empty());
    let started = std::time::Instant::now();
    while app.stored("TimeActivity").await.is_empty() {
        assert!(started.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let again = app.post("timeactivity?requestid=late", &activity(json!({}))).await.ok();
    assert_eq!(again.body["TimeActivity"]["Id"], "1");
    assert_eq!(app.stored("TimeActivity").await.len(), 1);
}

#[tokio::test]
async fn an_empty_request_id_is_none() {
    let app = TestSandbox::connected().await;
    app.post("timeactivity?requestid=", &activity(json!({}))).await.ok();
    app.post("timeactivity?requestid=", &activity(json!({}))).await.ok();
    assert_eq!(app.stored("TimeActivity").await.len(), 2);
}

#[tokio::test]
async fn an_id_is_remembered_as_long_as_the_switch_says() {
    let app = TestSandbox::connected().await;
    app.admin_post("/replay", json!({ "rememberS": 60 })).await;
    let send = async || {
        let answer = app.post("timeactivity?requestid=r", &activity(json!({}))).await.ok();
        answer.body["TimeActivity"]["Id"].as_str().unwrap().to_owned()
    };
    assert_eq!(send().await, "1");
    app.advance(50).await;
    assert_eq!(send().await, "1");
    app.advance(11).await;
    assert_eq!(send().await, "2");
    app.admin_post("/replay", json!({ "rememberS": 0 })).await;
    assert_eq!((send().await, send().await), ("3".into(), "4".into()));
}

#[tokio::test]
async fn a_refusal_is_forgotten_where_the_switch_says_so() {
    let app = TestSandbox::connected().await;
    app.admin_post("/replay", json!({ "replayRefusals": false })).await;
    let bad = activity(json!({ "EmployeeRef": { "value": "9999" } }));
    assert_eq!(app.post("timeactivity?requestid=r", &bad).await.code(), "2500");
    let first = app.post("timeactivity?requestid=r", &activity(json!({}))).await.ok();
    let again = app.post("timeactivity?requestid=r", &bad).await.ok();
    assert_eq!(again.text, first.text);
}

#[tokio::test]
async fn a_repeat_reads_what_the_switch_says_and_commits_nothing() {
    for (counts_from, answer, code) in [
        ("arrival", "600", "600"),
        ("arrival", "6000", "6000"),
        ("commit", "600", "600"),
        ("commit", "6000", "6000"),
        ("commit", "original", ""),
    ] {
        let app = TestSandbox::connected().await;
        app.admin_post("/replay", json!({ "answer": answer, "countsFrom": counts_from })).await;
        app.post("timeactivity?requestid=r", &activity(json!({}))).await.ok();
        let again = app.post("timeactivity?requestid=r", &activity(json!({}))).await;
        assert_eq!(again.code(), code, "{answer} from {counts_from}");
        assert_eq!(again.status.as_u16(), if code.is_empty() { 200 } else { 400 });
        assert_eq!(app.stored("TimeActivity").await.len(), 1);
        let journal = app.admin_get("/requests").await;
        let last = journal["requests"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(last["replayed"], true);
    }
}

#[tokio::test]
async fn a_twin_in_flight_is_refused_at_once_where_the_switch_says_so() {
    let app = TestSandbox::connected().await;
    app.admin_post("/replay", json!({ "twin": "600" })).await;
    app.admin_post("/faults", json!({ "path": "requestid=twin", "delayMs": 600 })).await;
    let body = activity(json!({}));
    let first = app.post_into_fault("timeactivity?requestid=twin", &body).await;
    let second = app.post("timeactivity?requestid=twin", &body).await;
    assert!(!first.is_finished());
    assert_eq!((second.status.as_u16(), second.code()), (400, "600"));
    assert_eq!(second.body["Fault"]["Error"][0]["Message"], "Duplicate Request ID");
    let first = first.await.unwrap();
    assert_eq!(app.stored("TimeActivity").await.len(), 1);
    // When the first one has ended, it is a repeat like any other.
    assert_eq!(app.post("timeactivity?requestid=twin", &body).await.ok().text, first);
}

#[tokio::test]
async fn where_ids_count_from_the_commit_a_twin_overtakes_and_the_first_one_does_nothing() {
    for twin in ["waits", "600"] {
        let app = TestSandbox::connected().await;
        app.admin_post("/replay", json!({ "countsFrom": "commit", "twin": twin })).await;
        app.admin_post("/faults", json!({ "path": "requestid=t", "delayMs": 600 })).await;
        let (slow, quick) = (activity(json!({ "Hours": 1 })), activity(json!({ "Hours": 2 })));
        let slow = app.post_into_fault("timeactivity?requestid=t", &slow).await;
        let quick = app.post("timeactivity?requestid=t", &quick).await.ok();
        assert!(!slow.is_finished());
        assert_eq!(quick.body["TimeActivity"]["Hours"], 2);
        assert_eq!(slow.await.unwrap(), quick.text);
        assert_eq!(app.stored("TimeActivity").await.len(), 1);
    }
}

#[tokio::test]
async fn many_twins_at_once_commit_once_under_every_switch() {
    for policy in [
        json!({}),
        json!({ "countsFrom": "commit" }),
        json!({ "twin": "600" }),
        json!({ "answer": "600", "countsFrom": "commit" }),
    ] {
        let app = TestSandbox::connected().await;
        app.admin_post("/replay", policy.clone()).await;
        let send = || {
            app.request(reqwest::Method::POST, "timeactivity?requestid=m")
                .json(&activity(json!({})))
                .send()
        };
        let tasks: Vec<_> = (0..20).map(|_| tokio::spawn(send())).collect();
        for task in tasks {
            task.await.unwrap().unwrap();
        }
        assert_eq!(app.stored("TimeActivity").await.len(), 1, "{policy}");
    }
}

#[tokio::test]
async fn the_switches_are_read_set_refused_and_reset() {
    let app = TestSandbox::start().await;
    let defaults = json!({
        "rememberS": null, "replayRefusals": true, "answer": "original",
        "countsFrom": "arrival", "twin": "waits",
    });
    assert_eq!(app.admin_get("/replay").await, defaults);
    app.admin_post("/replay", json!({ "rememberS": 5, "answer": "6000" })).await;
    // What is not sent is back at its default.
    let set = app.admin_post("/replay", json!({ "countsFrom": "commit" })).await;
    assert_eq!(
        (&set["rememberS"], &set["answer"], &set["countsFrom"]),
        (&json!(null), &json!("original"), &json!("commit"))
    );
    let url = format!("{}/replay", app.sandbox.admin_url());
    for bad in [
        json!({ "rememberS": -1 }),
        json!({ "answer": 600 }),
        json!({ "countsFrom": "never" }),
        json!({ "twin": "original" }),
        json!({ "forget": true }),
        json!("commit"),
    ] {
        let answer = app.send(app.http.post(&url).json(&bad)).await;
        assert_eq!(answer.status, 400, "{bad}");
        assert!(answer.body["error"].is_string(), "{bad}");
    }
    app.admin_post("/reset", json!({})).await;
    assert_eq!(app.admin_get("/replay").await, defaults);
}

#[tokio::test]
async fn a_delay_beyond_the_gateways_patience_is_504_and_commits_nothing() {
    let app = TestSandbox::connected().await;
    app.admin_post("/latency", json!({ "timeoutMs": 100 })).await;
    app.admin_post("/faults", json!({ "path": "requestid=slow", "delayMs": 60_000 })).await;
    let answer = app.post("timeactivity?requestid=slow", &activity(json!({}))).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (504, "stream timeout"));
    assert!(answer.headers["content-type"].to_str().unwrap().starts_with("text/plain"));
    assert!(answer.headers.contains_key("intuit_tid"));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(app.stored("TimeActivity").await.is_empty());
    let journal = app.admin_get("/requests").await;
    let entry = journal["requests"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (&entry["requestid"], &entry["entity"], &entry["status"], &entry["fault"]),
        (&json!("slow"), &json!("TimeActivity"), &json!(504), &json!(1))
    );
    // Its id counts as never sent.
    app.post("timeactivity?requestid=slow", &activity(json!({}))).await.ok();
    // What is late only after its commit stays.
    app.admin_post("/faults", json!({ "path": "requestid=after", "delayAfterMs": 60_000 })).await;
    let answer = app.post("timeactivity?requestid=after", &activity(json!({}))).await;
    assert_eq!(answer.status, 504);
    assert_eq!(app.stored("TimeActivity").await.len(), 2);
    app.post("timeactivity?requestid=after", &activity(json!({}))).await.ok();
    assert_eq!(app.stored("TimeActivity").await.len(), 2);
}
