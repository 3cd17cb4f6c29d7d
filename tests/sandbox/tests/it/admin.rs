//! Clock, journal, companies, reset.

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
