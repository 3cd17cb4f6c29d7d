//! A company with its QuickBooks file, from nothing to live.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use serde_json::{Value, json};
use url::Url;

use super::api::Caller;
use super::{Stack, eventually, secrecy};

/// Time for an import of a small company.
const IMPORT: Duration = Duration::from_mins(1);

/// A company of one test's own.
#[derive(Clone, Debug)]
pub struct Company {
    /// The host app's id of it.
    pub id: String,
    /// Its QuickBooks file.
    pub realm: String,
    /// Its admin.
    pub admin: Caller,
}

/// A browser: cookies of one origin at a time are all that the connect flow needs.
#[derive(Clone, Debug, Default)]
pub struct Browser(Vec<(String, String)>);

impl Browser {
    /// One GET without following redirects; `(status, location, body)`.
    pub async fn get(&mut self, stack: &Stack, url: &Url) -> (u16, Option<Url>, String) {
        let cookies: Vec<String> =
            self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = stack.http.get(url.clone());
        if !cookies.is_empty() && url.host_str() == Some(host(stack)) {
            request = request.header(COOKIE, cookies.join("; "));
        }
        secrecy::seen_in(url);
        let answer = request.send().await.expect("the page answers");
        for cookie in answer.headers().get_all(SET_COOKIE) {
            let pair = cookie.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                self.0.retain(|(known, _)| known != name);
                if !value.trim().is_empty() {
                    secrecy::seen("cookie", value.trim());
                }
                self.0.push((name.trim().to_owned(), value.trim().to_owned()));
            }
        }
        let location = answer.headers().get(LOCATION).and_then(|location| location.to_str().ok());
        let location = location.and_then(|location| url.join(location).ok());
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await.unwrap_or_default();
        if url.host_str() == Some(host(stack)) {
            secrecy::answered(url.path(), &headers, &text);
        }
        (status, location, text)
    }
}

fn host(stack: &Stack) -> &str {
    stack.is.api_host.split(':').next().unwrap_or_default()
}

impl Stack {
    /// A new company of the host app with a QuickBooks file of its own, not connected yet.
    /// `seed` is what the file holds at first: `demo` or `empty`.
    pub async fn company(&self, seed: &str) -> Company {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let number = MADE.fetch_add(1, Ordering::SeqCst);
        let moment = jiff::Timestamp::now().as_millisecond();
        let realm = format!("9{moment}{number:04}");
        let id = format!("test-{moment}-{number}");
        let file = json!({ "realm": realm, "companyName": id, "seed": seed });
        self.sandbox().post("/companies", &file).await;
        Company { admin: Caller::admin(&id), id, realm }
    }

    /// Opens the connect link and Intuit's page, grants access there, and answers where Intuit
    /// sends the browser: the callback with its code, not yet opened.
    pub async fn consent(&self, company: &Company, browser: &mut Browser) -> Url {
        let body = json!({ "companyId": company.id });
        let link = self.post(&company.admin, "/connect", &body).await.ok();
        let link = link["url"].as_str().expect("a connect link");
        let link = Url::parse(link).expect("the connect link is a URL");
        let (status, consent, text) = browser.get(self, &link).await;
        let mut consent = consent.unwrap_or_else(|| {
            panic!("the connect link answered {status} and no redirect: {text}")
        });
        consent.query_pairs_mut().append_pair("auto", &company.realm);
        let (status, callback, text) = browser.get(self, &consent).await;
        callback
            .unwrap_or_else(|| panic!("Intuit's page answered {status} and no redirect: {text}"))
    }

    /// Connects a company the whole way, confirmation included.
    pub async fn connect(&self, company: &Company) {
        let mut browser = Browser::default();
        let callback = self.consent(company, &mut browser).await;
        let (status, location, text) = browser.get(self, &callback).await;
        assert!(status < 400, "the callback answered {status} {location:?} {text}");
        let body = json!({ "companyId": company.id });
        let confirmed = self.post(&company.admin, "/connect/confirm", &body).await.ok();
        assert_eq!(confirmed["realmId"], company.realm.as_str());
    }

    /// Asks for a sync job and waits until it is done; answers its last status.
    pub async fn job(&self, company: &Company, wanted: &Value, patience: Duration) -> Value {
        let mut body = wanted.clone();
        body["companyId"] = company.id.clone().into();
        let job = self.post(&company.admin, "/sync-now", &body).await.ok();
        let path = format!("/sync-status/{}", job["jobId"].as_str().expect("a job id"));
        eventually(&path, patience, async || {
            let status = self.get(&company.admin, &path).await.ok();
            let over = matches!(status["status"].as_str(), Some("completed" | "failed"));
            over.then_some(status)
        })
        .await
    }

    /// A company that is connected, imported, mapped and live. The mapping and the settings are
    /// given as the API takes them, without the company.
    pub async fn live_company(&self, seed: &str, mapping: &Value, settings: &Value) -> Company {
        let company = self.company(seed).await;
        self.connect(&company).await;
        let entities = json!(["employees", "customers", "items", "classes"]);
        let import = json!({ "entities": entities, "direction": "in", "type": "full" });
        let status = self.job(&company, &import, IMPORT).await;
        assert_eq!(status["status"], "completed", "{status}");
        let path = |what: &str| format!("/{what}?companyId={}", company.id);
        let body = json!({ "companyId": company.id, "mapping": mapping });
        self.put(&company.admin, &path("mapping"), &body).await.ok();
        let mut settings = settings.clone();
        settings["companyId"] = company.id.clone().into();
        self.put(&company.admin, &path("settings"), &settings).await.ok();
        company
    }
}
