//! Snapshots and the state file.

use std::{
    fs,
    io::{BufRead as _, BufReader, ErrorKind},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use quickbooks_sandbox::{Config, Sandbox};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{A, Connected, TestSandbox, activity};

/// A folder that is gone with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("qbo-sandbox-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("state.json")
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn config(file: &Path) -> Config {
    Config {
        limits_scale: 1000.0,
        seed: 7,
        state_file: Some(file.to_owned()),
        ..Config::ephemeral()
    }
}

async fn create(app: &Connected, request_id: &str) -> Value {
    let path = format!("timeactivity?requestid={request_id}&minorversion=75");
    let body = activity(json!({ "Description": request_id }));
    app.post(&path, &body).await.ok().body["TimeActivity"].clone()
}

async fn everything(sandbox: &TestSandbox) -> Value {
    let mut all = json!({ "companies": sandbox.admin_get("/companies").await });
    for path in ["/oauth", "/limits", "/meter", "/latency", "/replay", "/batch", "/schema", "/apps"]
    {
        all[path] = sandbox.admin_get(path).await;
    }
    all["subscription"] = sandbox.admin_get("/webhooks").await["subscription"].clone();
    for kind in ["TimeActivity", "Employee", "Customer", "Invoice", "Payment", "Item"] {
        all[kind] = json!(sandbox.stored(kind).await);
    }
    all
}

#[tokio::test]
async fn a_restore_brings_everything_back() {
    let app = TestSandbox::connected().await;
    let kept = create(&app, "kept").await;
    let gone = create(&app, "gone").await;
    let gone = json!({ "Id": gone["Id"], "SyncToken": "0" });
    app.post("timeactivity?operation=delete", &gone).await.ok();
    let vendor = app.post("vendor", &json!({ "DisplayName": "Short-lived" })).await.ok();
    let vendor = vendor.body["Vendor"]["Id"].as_str().unwrap().to_owned();
    app.admin(Method::DELETE, &format!("/companies/{A}/Vendor/{vendor}"), None).await;
    app.admin_post("/webhooks", json!({ "url": "http://localhost:9/" })).await;
    app.advance(1800).await;
    app.admin_post("/snapshots/before", json!(null)).await;
    let before = everything(&app).await;
    let then = app.admin_get("/clock").await["now"].as_str().unwrap().to_owned();

    // All that can be changed is changed.
    create(&app, "late").await;
    let employee = json!({ "Id": "55", "DisplayName": "Somebody Else" });
    app.admin_post(&format!("/companies/{A}/Employee"), employee).await;
    let kept_path = format!("/companies/{A}/TimeActivity/{}", kept["Id"].as_str().unwrap());
    app.admin(Method::DELETE, &kept_path, None).await;
    app.admin_post(&format!("/companies/{A}"), json!({ "classTracking": false })).await;
    app.admin_post("/companies", json!({ "realm": "77", "companyName": "New Co" })).await;
    app.admin_post("/oauth", json!({ "refreshGraceS": 60 })).await;
    app.admin_post("/limits", json!({ "scale": 5 })).await;
    app.admin_post("/latency", json!({ "singleMs": 1 })).await;
    app.admin_post("/meter", json!({ "cap": 1 })).await;
    app.admin_post("/replay", json!({ "rememberS": 0 })).await;
    app.admin(Method::DELETE, "/webhooks", None).await;
    app.admin_post("/schema", json!({ "unknownFields": "ignore" })).await;
    app.admin_post("/apps", json!({ "clientId": "other", "clientSecret": "s" })).await;
    app.admin(Method::POST, &format!("/companies/{A}/disconnect"), None).await;
    app.advance(400 * 86_400).await;
    assert_ne!(everything(&app).await, before);

    let restored = app.admin_post("/snapshots/before/restore", json!(null)).await;
    assert_eq!(restored["now"].as_str().unwrap()[..15], then[..15]);
    assert_eq!(everything(&app).await, before);
    // The token lives again, the request id is known, the next Id is the one it was.
    let again = app.post("timeactivity?requestid=kept", &activity(json!({}))).await.ok();
    assert_eq!(again.body["TimeActivity"]["Id"], kept["Id"]);
    assert_eq!(create(&app, "late").await["Id"], "3");
    let since = format!("cdc?entities=Vendor&changedSince={}T00:00:00Z", &then[..10]);
    let changes = app.get(&since).await.ok();
    assert!(changes.text.contains("\"Deleted\""), "{}", changes.text);
    // A snapshot is not used up.
    app.admin_post("/snapshots/before/restore", json!(null)).await;
    assert_eq!(everything(&app).await, before);
}

#[tokio::test]
async fn names_are_free_again_and_taken_again_after_a_restore() {
    let app = TestSandbox::connected().await;
    app.admin_post("/snapshots/s", json!(null)).await;
    let rename = json!({ "Id": "55", "DisplayName": "Renamed" });
    app.admin_post(&format!("/companies/{A}/Employee"), rename).await;
    app.admin_post("/snapshots/s/restore", json!(null)).await;
    let taken = json!({ "DisplayName": "Aaron O'Brien" });
    assert_eq!(app.post("vendor", &taken).await.code(), "6240");
    app.post("vendor", &json!({ "DisplayName": "Renamed" })).await.ok();
}

#[tokio::test]
async fn a_restore_goes_on_with_the_same_chances() {
    let app = TestSandbox::connected().await;
    app.admin_post("/snapshots/s", json!(null)).await;
    let first = app.tokens(A).await;
    // A reset starts chance over; tokens of the snapshot must not be handed out a second time.
    app.admin(Method::POST, "/reset", None).await;
    app.admin_post("/snapshots/s/restore", json!(null)).await;
    let second = app.tokens(A).await;
    assert_eq!(first.body["access_token"], second.body["access_token"]);
    assert_ne!(second.body["access_token"], json!(app.token));
    app.get("preferences").await.ok();
}

#[tokio::test]
async fn work_under_way_at_a_restore_is_gone_with_its_request_id() {
    let app = TestSandbox::connected().await;
    app.admin_post("/snapshots/s", json!(null)).await;
    app.admin_post("/faults", json!({ "path": "requestid=slow", "delayMs": 300 })).await;
    let slow = async {
        let answer = app.post("timeactivity?requestid=slow", &activity(json!({}))).await;
        answer.ok();
    };
    let restore = async {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        app.admin_post("/snapshots/s/restore", json!(null)).await;
    };
    tokio::join!(slow, restore);
    assert!(app.stored("TimeActivity").await.is_empty());
    create(&app, "slow").await;
    assert_eq!(app.stored("TimeActivity").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn snapshots_and_restores_among_requests_leave_no_half_state() {
    let app = Arc::new(TestSandbox::connected().await);
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let app = Arc::clone(&app);
            tokio::spawn(async move {
                for n in 0..40 {
                    create(&app, &format!("w{writer}-{n}")).await;
                }
            })
        })
        .collect();
    for n in 0..20 {
        app.admin_post("/snapshots/moving", json!(null)).await;
        if n % 3 == 2 {
            app.admin_post("/snapshots/moving/restore", json!(null)).await;
        }
    }
    for writer in writers {
        writer.await.unwrap();
    }
    app.admin_post("/snapshots/moving/restore", json!(null)).await;
    // Each id, sent again, is answered with an activity that is there, and none is there twice.
    for writer in 0..4 {
        for n in 0..40 {
            let id = format!("w{writer}-{n}");
            let answered = create(&app, &id).await;
            let path = format!("timeactivity/{}", answered["Id"].as_str().unwrap());
            let stored = app.get(&path).await.ok();
            assert_eq!(stored.body["TimeActivity"]["Description"], id);
        }
    }
    assert_eq!(app.stored("TimeActivity").await.len(), 160);
}

#[tokio::test]
async fn snapshots_are_listed_replaced_forgotten_and_outlive_a_reset() {
    let app = TestSandbox::connected().await;
    let first = app.admin_post("/snapshots/one.a_B-2", json!(null)).await;
    assert_eq!((&first["name"], &first["companies"]), (&json!("one.a_B-2"), &json!(2)));
    create(&app, "r").await;
    let second = app.admin_post("/snapshots/one.a_B-2", json!(null)).await;
    let (few, many) = (first["entities"].as_u64().unwrap(), second["entities"].as_u64().unwrap());
    assert_eq!(many, few + 1);
    app.admin(Method::POST, "/reset", None).await;
    let listed = app.admin_get("/snapshots").await;
    assert_eq!(listed["snapshots"], json!([second]));
    app.admin(Method::DELETE, "/snapshots/one.a_B-2", None).await;
    assert_eq!(app.admin_get("/snapshots").await["snapshots"], json!([]));

    let admin = app.sandbox.sandbox.admin_url().to_owned();
    let long = "x".repeat(65);
    for (method, path, status) in [
        (Method::POST, "/snapshots/gone/restore", 404),
        (Method::DELETE, "/snapshots/gone", 404),
        (Method::POST, "/snapshots/a%20b", 400),
        (Method::POST, "/snapshots/%F0%9F%A6%BA", 400),
        (Method::POST, "/snapshots/..%2Fx", 400),
        (Method::POST, &format!("/snapshots/{long}"), 400),
    ] {
        let answer = app.send(app.http.request(method, format!("{admin}{path}"))).await;
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.body["error"].is_string(), "{path}");
    }
}

#[tokio::test]
async fn the_state_file_carries_everything_over_a_restart() {
    let folder = Folder::new("restart");
    let file = folder.file();
    let app = TestSandbox::start_with(config(&file)).await.connect(A).await;
    let kept = create(&app, "kept").await;
    app.admin_post("/oauth", json!({ "refreshGraceS": 60 })).await;
    app.advance(1800).await;
    let before = everything(&app).await;
    let then = app.admin_get("/clock").await["now"].as_str().unwrap().to_owned();
    let (token, refresh) = (app.token.clone(), app.refresh.clone());
    app.sandbox.sandbox.stop().await.unwrap();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(folder.names(), ["state.json"]);

    let sandbox = TestSandbox::start_with(config(&file)).await;
    let app = Connected { sandbox, token, refresh };
    assert_eq!(everything(&app).await, before);
    assert_eq!(app.admin_get("/clock").await["now"].as_str().unwrap()[..15], then[..15]);
    let again = app.post("timeactivity?requestid=kept", &activity(json!({}))).await.ok();
    assert_eq!(again.body["TimeActivity"]["Id"], kept["Id"]);
    assert_eq!(create(&app, "new").await["Id"], "2");
    // The same seed does not hand out the file's tokens again.
    let fresh = app.tokens(A).await;
    assert_ne!(fresh.body["access_token"], json!(app.token));
    assert_ne!(fresh.body["refresh_token"], json!(app.refresh));
    app.get("preferences").await.ok();
}

#[tokio::test]
async fn limits_latency_and_the_app_are_as_the_new_start_says() {
    let folder = Folder::new("options");
    let sandbox = TestSandbox::start_with(config(&folder.file())).await;
    sandbox.sandbox.stop().await.unwrap();
    let other = Config {
        limits_scale: 3.0,
        client_id: "other".into(),
        client_secret: "secret".into(),
        ..config(&folder.file())
    };
    let sandbox = TestSandbox::start_with(other).await;
    assert_eq!(sandbox.admin_get("/limits").await["scale"], 3.0);
    let apps = sandbox.admin_get("/apps").await.to_string();
    assert!(apps.contains("\"other\"") && apps.contains("sandbox-client"), "{apps}");
}

#[tokio::test]
async fn the_state_is_saved_on_demand() {
    let folder = Folder::new("demand");
    let app = TestSandbox::start_with(config(&folder.file())).await.connect(A).await;
    create(&app, "r").await;
    let saved = app.admin(Method::POST, "/state/save", None).await;
    assert_eq!(saved["saved"], json!(folder.file()));
    let written: Value = serde_json::from_str(&fs::read_to_string(folder.file()).unwrap()).unwrap();
    assert_eq!(written["version"], 1);
    assert!(written.to_string().contains("\"r\""));

    let without = TestSandbox::start().await;
    let url = format!("{}/state/save", without.sandbox.admin_url());
    let answer = without.send(without.http.post(url)).await;
    assert_eq!(answer.status, 409);
    assert!(answer.body["error"].as_str().unwrap().contains("--state-file"));
}

#[tokio::test]
async fn a_broken_state_file_is_refused_and_left_as_it_is() {
    let folder = Folder::new("broken");
    let whole = {
        let sandbox = TestSandbox::start_with(config(&folder.file())).await;
        sandbox.sandbox.stop().await.unwrap();
        fs::read_to_string(folder.file()).unwrap()
    };
    let missing = whole.replace("\"oauth\"", "\"oauf\"");
    let zone = whole.replace("America/Denver", "Mars/Olympus");
    let half = &whole[..whole.len() / 2];
    for (text, said) in [
        ("", "EOF"),
        ("not json", "expected"),
        (half, "EOF"),
        ("[]", "no state of a sandbox"),
        ("{\"version\":99}", "version 99, but this sandbox reads version 1"),
        ("{\"version\":1}", "missing field"),
        (&missing, "oauf"),
        (&zone, "Mars/Olympus"),
    ] {
        fs::write(folder.file(), text).unwrap();
        let error = Sandbox::start(config(&folder.file())).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
        let error = error.to_string();
        assert!(error.contains("state.json") && error.contains(said), "{said}: {error}");
        assert_eq!(fs::read_to_string(folder.file()).unwrap(), text);
    }
    let nowhere = Sandbox::start(config(&folder.0.join("missing/state.json"))).await.err().unwrap();
    assert!(nowhere.to_string().contains("folder is missing"), "{nowhere}");
    let itself = Sandbox::start(config(&folder.0)).await.err().unwrap();
    assert_eq!(itself.kind(), ErrorKind::InvalidData, "{itself}");
}

#[test]
fn the_program_stops_with_2_at_a_broken_file_and_writes_a_whole_one_when_told_to_stop() {
    let folder = Folder::new("program");
    let start = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quickbooks-sandbox"));
        command
            .args(["--port", "0", "--admin-port", "0", "--seed", "11", "--state-file"])
            .arg(folder.file())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    };
    fs::write(folder.file(), "{").unwrap();
    let refused = start().output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8(refused.stderr).unwrap().contains("state.json"));
    assert_eq!(fs::read_to_string(folder.file()).unwrap(), "{");

    fs::remove_file(folder.file()).unwrap();
    let mut running = start().spawn().unwrap();
    let lines = BufReader::new(running.stdout.take().unwrap()).lines();
    let seed = lines.map(Result::unwrap).find(|line| line.starts_with("Seed"));
    assert_eq!(seed.unwrap().split_whitespace().last(), Some("11"));
    let stopped = Command::new("kill").arg(running.id().to_string()).status().unwrap();
    assert!(stopped.success());
    assert!(running.wait().unwrap().success());
    assert!(fs::read_to_string(folder.file()).unwrap().contains("Rocky Ridge Builders"));
}
