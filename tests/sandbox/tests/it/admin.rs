//! Clock, journal, companies, reset.

use quickbooks_sandbox::Config;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{A, TestSandbox, activity};

#[tokio::test]
async fn the_clock_is_read_moved_and_set() {
    let sandbox = TestSandbox::start().await;
    let now = sandbox.admin_get("/clock").await["now"].as_str().unwrap().to_owned();
    assert!(now.ends_with('Z'), "{now}");
    let set = sandbox.admin_post("/clock/set", json!({ "now": "2026-11-01T08:59:59Z" })).await;
    assert!(set["now"].as_str().unwrap().starts_with("2026-11-01T08:59:5"), "{set}");
    let moved = sandbox.admin_post("/clock/advance", json!({ "seconds": 3600 })).await;
    assert!(moved["now"].as_str().unwrap().starts_with("2026-11-01T09:59:5"), "{moved}");
    let back = sandbox.admin(Method::POST, "/reset", None).await;
    assert_eq!(back["now"].as_str().unwrap()[..10], now[..10]);
}

#[tokio::test]
async fn the_journal_says_what_came_in_without_secrets() {
    let app = TestSandbox::connected().await;
    app.post("timeactivity?requestid=j-1&minorversion=75", &activity(json!({}))).await.ok();
    let journal = app.admin_get("/requests").await;
    let entries = journal["requests"].as_array().unwrap();
    let last = entries.last().unwrap();
    assert_eq!(last["method"], "POST");
    assert_eq!(last["path"], format!("/v3/company/{A}/timeactivity"));
    assert_eq!(last["query"], "requestid=j-1&minorversion=75");
    assert_eq!((&last["requestid"], &last["status"]), (&json!("j-1"), &json!(200)));
    assert_eq!((&last["entity"], &last["operation"]), (&json!("TimeActivity"), &json!("create")));
    assert!(last["intuit_tid"].is_string() && last["at"].is_string());
    let text = journal.to_string();
    for secret in [app.token.as_str(), app.refresh.as_str(), "sandbox-secret"] {
        assert!(!text.contains(secret));
    }
    let since = format!("/requests?realm={A}&since={}", last["seq"]);
    assert_eq!(app.admin_get(&since).await["requests"], json!([]));
    app.get("preferences").await.ok();
    assert_eq!(app.admin_get(&since).await["requests"].as_array().unwrap().len(), 1);
    app.admin(Method::DELETE, "/requests", None).await;
    assert_eq!(app.admin_get("/requests").await["requests"], json!([]));
}

#[tokio::test]
async fn an_entity_is_laid_over_the_stored_one_without_checks() {
    let app = TestSandbox::connected().await;
    let path = format!("/companies/{A}/Employee");
    let change = json!({ "Id": "55", "Active": false, "Mobile": null });
    let stored = app.admin_post(&path, change).await;
    let stored = &stored["Employee"][0];
    assert_eq!((&stored["Active"], &stored["SyncToken"]), (&json!(false), &json!("1")));
    assert_eq!(stored["DisplayName"], "Aaron O'Brien");
    assert!(stored.get("Mobile").is_none());
    let new = app.admin_post(&path, json!([{ "DisplayName": "New: One" }])).await;
    assert_eq!(new["Employee"][0]["Id"], "100");
    app.admin(Method::DELETE, &format!("{path}/100"), None).await;
    assert!(app.stored("Employee").await.iter().all(|employee| employee["Id"] != "100"));
}

#[tokio::test]
async fn companies_are_added_empty_or_as_the_demo() {
    let sandbox = TestSandbox::start().await;
    let demo = json!({ "realm": "77", "companyName": "Copy Co", "seed": "demo" });
    sandbox.admin_post("/companies", demo.clone()).await;
    let empty = json!({
        "realm": "78", "companyName": "Bare Ltd", "country": "GB", "timeZone": "Europe/London",
    });
    sandbox.admin_post("/companies", empty).await;
    let count = |company: &Value, entity: &str| company["entities"][entity].as_u64().unwrap();
    let copy = sandbox.admin_get("/companies/77").await;
    assert_eq!((count(&copy, "Employee"), count(&copy, "Class")), (29, 6));
    let bare = sandbox.admin_get("/companies/78").await;
    assert_eq!((count(&bare, "Employee"), count(&bare, "Item")), (0, 2));
    let url = format!("{}/companies", sandbox.sandbox.admin_url());
    assert_eq!(sandbox.send(sandbox.http.post(&url).json(&demo)).await.status, 409);
    let zone = json!({ "realm": "79", "companyName": "X", "timeZone": "Mars/Olympus" });
    assert_eq!(sandbox.send(sandbox.http.post(&url).json(&zone)).await.status, 400);
    let app = sandbox.connect("78").await;
    let url = app.public("/v3/company/78/companyinfo/78");
    let info = app.send(app.http.get(url).bearer_auth(&app.token)).await.ok();
    assert_eq!(info.body["CompanyInfo"]["Country"], "GB");
}

#[tokio::test]
async fn a_reset_goes_back_to_the_seeds() {
    let app = TestSandbox::connected().await;
    app.activity(json!({})).await;
    app.admin_post("/companies", json!({ "realm": "77", "companyName": "Copy Co" })).await;
    app.admin_post("/faults", json!({ "status": 500, "times": 9 })).await;
    app.admin(Method::POST, "/reset", None).await;
    assert!(app.stored("TimeActivity").await.is_empty());
    assert_eq!(app.admin_get("/faults").await["faults"], json!([]));
    assert_eq!(app.admin_get("/companies").await["companies"].as_array().unwrap().len(), 2);
    assert_eq!(app.get("preferences").await.status, 401);
}

#[tokio::test]
async fn an_unknown_company_or_entity_is_a_404_of_the_admin_api() {
    let sandbox = TestSandbox::start().await;
    for path in ["/companies/1", "/counters/1", "/companies/1/Employee"] {
        let url = format!("{}{path}", sandbox.sandbox.admin_url());
        assert_eq!(sandbox.send(sandbox.http.get(url)).await.status, 404, "{path}");
    }
    let url = format!("{}/companies/{A}/Nonsense", sandbox.sandbox.admin_url());
    assert_eq!(sandbox.send(sandbox.http.get(url)).await.status, 404);
}

#[tokio::test]
async fn a_stopped_sandbox_frees_its_ports() {
    let sandbox = TestSandbox::start().await;
    let url = sandbox.public("/");
    let http = sandbox.http.clone();
    assert!(http.get(&url).send().await.is_ok());
    sandbox.sandbox.stop().await.unwrap();
    assert!(http.get(&url).send().await.is_err());
}

#[tokio::test]
async fn the_journal_is_filtered() {
    let app = TestSandbox::connected().await;
    app.activity(json!({})).await;
    app.get("preferences").await.ok();
    app.get("timeactivity/999").await;
    app.query("select * from Employee").await.ok();
    app.admin_post("/faults", json!({ "path": "/preferences", "cut": "before" })).await;
    assert!(app.request(Method::GET, "preferences").send().await.is_err());
    let seqs = |path: String| {
        let app = &app;
        async move {
            let found = app.admin_get(&format!("/requests?{path}")).await;
            let found = found["requests"].as_array().unwrap().clone();
            found.iter().map(|entry| entry["seq"].as_u64().unwrap()).collect::<Vec<_>>()
        }
    };
    // Consent, exchange, then the five calls.
    assert_eq!(seqs(String::new()).await, [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(seqs("status=400".into()).await, [5]);
    assert_eq!(seqs("errors=true".into()).await, [5, 7]);
    assert_eq!(seqs("errors=false&realm=&status=".into()).await.len(), 7);
    assert_eq!(seqs("entity=timeactivity".into()).await, [3, 5]);
    assert_eq!(seqs("limit=2".into()).await, [6, 7]);
    assert_eq!(seqs("limit=0".into()).await, Vec::<u64>::new());
    assert_eq!(seqs(format!("realm={A}&entity=TimeActivity&since=3&limit=9")).await, [5]);
    for bad in ["status=ok", "errors=yes", "limit=-1", "since=yesterday"] {
        let url = format!("{}/requests?{bad}", app.sandbox.sandbox.admin_url());
        let answer = app.send(app.http.get(url)).await;
        assert_eq!(answer.status, 400, "{bad}");
        assert!(answer.body["error"].is_string(), "{bad}");
    }
}

#[tokio::test]
async fn entities_are_searched_and_the_last_changed_come_first() {
    let app = TestSandbox::connected().await;
    let path = format!("/companies/{A}/Employee");
    let all = app.admin_get(&path).await;
    assert_eq!(all["Employee"].as_array().unwrap().len(), 29);
    let found = app.admin_get(&format!("{path}?search=o%27BRIEN")).await;
    assert_eq!((&found["total"], &found["Employee"][0]["Id"]), (&json!(1), &json!("55")));
    app.admin_post(&path, json!({ "Id": "60", "BillRate": 77.5 })).await;
    let newest = app.admin_get(&format!("{path}?limit=1")).await;
    assert_eq!((&newest["total"], &newest["Employee"][0]["Id"]), (&json!(29), &json!("60")));
    assert_eq!(app.admin_get(&format!("{path}?search=77.5&limit=5")).await["total"], 1);
    let none = app.admin_get(&format!("{path}?search=%F0%9F%90%99%22%3C&limit=5")).await;
    assert_eq!(none, json!({ "Employee": [], "total": 0 }));
    let one = app.admin_get(&format!("{path}/55")).await;
    assert_eq!(one["Employee"]["DisplayName"], "Aaron O'Brien");
    let url = format!("{}{path}/nobody", app.sandbox.sandbox.admin_url());
    assert_eq!(app.send(app.http.get(url)).await.status, 404);
}

/// What a client sees but for the times: tokens, ids, trace ids, bodies.
async fn drive(sandbox: TestSandbox) -> Vec<String> {
    let app = sandbox.connect(A).await;
    let mut seen = vec![app.token.clone(), app.refresh.clone()];
    let mut answers = Vec::new();
    for n in 0..3 {
        let path = format!("timeactivity?requestid=r{n}&minorversion=75");
        answers.push(app.post(&path, &activity(json!({ "Hours": n }))).await);
    }
    answers.push(app.post("class", &json!({ "Name": "New" })).await);
    answers.push(app.get("timeactivity/999").await);
    answers.push(app.query("select * from Employee maxresults 5").await);
    answers.push(app.query("select * from TimeActivity").await);
    answers.push(app.refresh(&app.refresh).await);
    for answer in answers {
        if let Some(tid) = answer.headers.get("intuit_tid") {
            seen.push(tid.to_str().unwrap().to_owned());
        }
        let mut body = answer.body;
        forget_times(&mut body);
        seen.push(body.to_string());
    }
    seen
}

fn forget_times(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| name != "time" && name != "MetaData");
            fields.values_mut().for_each(forget_times);
        }
        Value::Array(values) => values.iter_mut().for_each(forget_times),
        _ => {}
    }
}

#[tokio::test]
async fn one_seed_gives_the_same_answers_again() {
    let start = |seed| {
        TestSandbox::start_with(Config { limits_scale: 1000.0, seed, ..Config::ephemeral() })
    };
    let first = drive(start(7).await).await;
    assert_eq!(first, drive(start(7).await).await);
    let other = drive(start(8).await).await;
    assert_ne!(first[0], other[0]);
    assert_ne!(first[2], other[2]);

    // A reset begins with the seed of the start again, or with another one.
    let sandbox = start(7).await;
    sandbox.tokens(A).await;
    sandbox.admin_post("/reset", json!({ "seed": 8 })).await;
    assert_eq!(drive(sandbox).await, other);
    let sandbox = start(7).await;
    sandbox.tokens(A).await;
    sandbox.admin(Method::POST, "/reset", None).await;
    assert_eq!(drive(sandbox).await, first);
    let sandbox = start(7).await;
    let url = format!("{}/reset", sandbox.sandbox.admin_url());
    for bad in ["{\"seed\":-1}", "{\"seed\":\"x\"}", "{\"sead\":1}", "7"] {
        assert_eq!(sandbox.send(sandbox.http.post(&url).body(bad)).await.status, 400, "{bad}");
    }
}
