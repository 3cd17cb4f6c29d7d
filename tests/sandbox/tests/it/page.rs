//! The page for people, and who may use the admin API from a browser.

use std::collections::BTreeSet;

use reqwest::{Method, header};
use serde_json::json;

use crate::harness::{Answer, TestSandbox};

async fn get(sandbox: &TestSandbox, path: &str, accept: &str) -> Answer {
    let url = format!("{}{path}", sandbox.sandbox.admin_url());
    sandbox.send(sandbox.http.get(url).header(header::ACCEPT, accept)).await
}

/// The names of `/page/...` files in a text, and of the modules that it imports.
fn files_in(text: &str) -> impl Iterator<Item = String> {
    let quoted = text.split(['"', '\'']).skip(1).step_by(1);
    quoted.filter_map(|part| {
        let name = part.strip_prefix("/page/").or_else(|| part.strip_prefix("./"))?;
        name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.').then(|| name.to_owned())
    })
}

/// Every file that the page loads, with its answer.
async fn files(sandbox: &TestSandbox) -> Vec<(String, Answer)> {
    let page = get(sandbox, "/", "text/html").await;
    let mut waiting: Vec<String> = files_in(&page.text).collect();
    let mut seen = BTreeSet::new();
    let mut files = vec![("index.html".to_owned(), page)];
    while let Some(name) = waiting.pop() {
        if seen.insert(name.clone()) {
            let file = get(sandbox, &format!("/page/{name}"), "*/*").await;
            waiting.extend(files_in(&file.text));
            files.push((name, file));
        }
    }
    files
}

#[tokio::test]
async fn a_browser_gets_the_page_and_curl_gets_text() {
    let sandbox = TestSandbox::start().await;
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let page = get(&sandbox, "/", browser).await.ok();
    assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
    assert!(page.text.starts_with("<!doctype html>"));
    for accept in ["*/*", "application/json", ""] {
        let text = get(&sandbox, "/", accept).await.ok();
        assert_eq!(text.headers["content-type"], "text/plain; charset=utf-8");
        assert!(text.text.contains("/snapshots/{name}/restore"), "{}", text.text);
    }
    assert_eq!(get(&sandbox, "/help", browser).await.text, get(&sandbox, "/", "*/*").await.text);
}

#[tokio::test]
async fn the_page_loads_its_own_files_and_nothing_else() {
    let sandbox = TestSandbox::start().await;
    let files = files(&sandbox).await;
    assert!(files.len() > 8, "{}", files.len());
    for (name, file) in &files {
        assert_eq!(file.status, 200, "{name}");
        let policy = file.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; "), "{name}: {policy}");
        assert!(!policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"));
        assert_eq!(file.headers["x-content-type-options"], "nosniff", "{name}");
        let kind = file.headers["content-type"].to_str().unwrap();
        let wanted = match name.rsplit_once('.').unwrap().1 {
            "js" => "text/javascript",
            "css" => "text/css",
            "svg" => "image/svg+xml",
            _ => "text/html",
        };
        assert!(kind.starts_with(wanted), "{name}: {kind}");
        let text = file.text.replace("http://www.w3.org/2000/svg", "");
        let text = text.replace("http://localhost:...", "");
        assert!(!text.contains("http://") && !text.contains("https://"), "{name}");
        assert!(!text.contains(" style=") && !text.contains(" onclick="), "{name}: inline");
    }
    for missing in ["/page/nothing.js", "/page/..%2Fmod.rs", "/page/"] {
        assert_eq!(get(&sandbox, missing, "*/*").await.status, 404, "{missing}");
    }
}

/// Names come from anywhere. The page has no way to turn a text into markup, so none needs escaping.
#[tokio::test]
async fn the_page_never_turns_text_into_markup() {
    let sandbox = TestSandbox::start().await;
    let sinks = [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "Function(",
        "srcdoc",
        "setHTML",
        "createContextualFragment",
        "DOMParser",
        "javascript:",
        "javascript\\:",
    ];
    for (name, file) in files(&sandbox).await {
        for sink in sinks {
            assert!(!file.text.contains(sink), "{name} has {sink}");
        }
    }
}

#[tokio::test]
async fn a_foreign_page_may_neither_read_nor_change() {
    let sandbox = TestSandbox::start().await;
    let admin = sandbox.sandbox.admin_url().to_owned();
    let call = |method: Method, path: &str, origin: &str| {
        let url = format!("{admin}{path}");
        sandbox.send(sandbox.http.request(method, url).header(header::ORIGIN, origin))
    };
    for origin in ["http://evil.example", "null", "http://localhost:3000", "https://127.0.0.1"] {
        for (method, path) in [
            (Method::GET, "/requests"),
            (Method::POST, "/reset"),
            (Method::POST, "/scenarios/down"),
            (Method::DELETE, "/faults"),
            (Method::OPTIONS, "/faults"),
            (Method::GET, "/nowhere"),
        ] {
            let answer = call(method, path, origin).await;
            assert_eq!(answer.status, 403, "{origin} {path}");
            let said = answer.body["error"].as_str().unwrap();
            assert!(said.contains("may not use the admin API"), "{said}");
            assert!(!answer.headers.contains_key("access-control-allow-origin"));
        }
    }
    assert_eq!(sandbox.admin_get("/faults").await, json!({ "faults": [] }));
    assert_eq!(call(Method::POST, "/scenarios/down", &admin).await.status, 201);
}

#[tokio::test]
async fn a_foreign_name_for_this_machine_is_refused() {
    let sandbox = TestSandbox::start().await;
    let url = format!("{}/companies", sandbox.sandbox.admin_url());
    let port = url.rsplit_once(':').unwrap().1.split('/').next().unwrap().to_owned();
    for (host, status) in [
        ("evil.example", 403),
        (&format!("rebound.evil.example:{port}"), 403),
        ("169.254.169.254", 403),
        (&format!("localhost:{port}"), 200),
        (&format!("sandbox.localhost:{port}"), 200),
        (&format!("[::1]:{port}"), 200),
    ] {
        let answer = sandbox.send(sandbox.http.get(&url).header(header::HOST, host)).await;
        assert_eq!(answer.status, status, "{host}");
    }
}

/// Drives a real browser. `CHROMIUM` names it, by default `/usr/bin/chromium`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium"]
async fn awkward_names_are_shown_as_they_are() {
    let sandbox = TestSandbox::start().await;
    let name = "<script>document.title='owned'</script> \"O'Malley\" & Söhne 🦺";
    sandbox.admin_post("/companies", json!({ "realm": "77", "companyName": name })).await;
    let customer = json!({ "DisplayName": "<img src=x onerror=alert(1)> \"🙈\"" });
    sandbox.admin_post("/companies/77/Customer", customer).await;
    let browser = std::env::var("CHROMIUM").unwrap_or_else(|_| "/usr/bin/chromium".into());
    let url = format!("{}/#/company/77/Customer", sandbox.sandbox.admin_url());
    let output = tokio::task::spawn_blocking(move || {
        std::process::Command::new(browser)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"])
            .args(["--disable-background-networking", "--virtual-time-budget=3000", "--dump-dom"])
            .arg(url)
            .output()
    });
    let output = output.await.unwrap().unwrap();
    let dom = String::from_utf8(output.stdout).unwrap();
    assert!(dom.contains("&lt;script&gt;document.title='owned'&lt;/script&gt;"), "{dom}");
    assert!(dom.contains("&lt;img src=x onerror=alert(1)&gt;"), "{dom}");
    assert!(!dom.contains("<img src=\"x\"") && !dom.contains("<title>owned"), "{dom}");
}
