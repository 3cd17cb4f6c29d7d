//! A browser that keeps its cookies as browsers do, and the way through the connect flow.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper that cannot do its work fails the test, and says why"
)]

use reqwest::header::{ACCEPT, COOKIE, HeaderMap, LOCATION, SET_COOKIE};
use serde_json::{Value, json};
use stack_tests::stack::api::{Answer, Caller};
use stack_tests::stack::company::Company;
use stack_tests::stack::{Stack, secrecy};
use url::Url;

/// A page as a browser got it.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) location: Option<Url>,
    pub(crate) text: String,
}

impl Page {
    /// The page in words: a failed assertion shows it.
    pub(crate) fn says(&self, words: &str) -> bool {
        self.text.contains(words)
    }

    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// A cookie with what the browser must know of it.
#[derive(Clone, Debug)]
pub(crate) struct Cookie {
    pub(crate) host: String,
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) path: String,
    /// Everything after the value, as the server wrote it.
    pub(crate) attributes: String,
}

/// A browser with a cookie jar of its own. Loopback counts as secure, as it does in browsers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Visitor(pub(crate) Vec<Cookie>);

impl Visitor {
    /// Opens a page; redirects are not followed.
    pub(crate) async fn open(&mut self, stack: &Stack, url: &Url) -> Page {
        self.open_as(stack, url, "text/html,*/*;q=0.8").await
    }

    /// Opens a page with an Accept header.
    pub(crate) async fn open_as(&mut self, stack: &Stack, url: &Url, accept: &str) -> Page {
        let host = url.host_str().unwrap_or_default();
        let mine = self
            .0
            .iter()
            .filter(|cookie| cookie.host == host && url.path().starts_with(&cookie.path));
        let cookies: Vec<String> =
            mine.map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        let mut request = stack.http.get(url.clone()).header(ACCEPT, accept);
        if !cookies.is_empty() {
            request = request.header(COOKIE, cookies.join("; "));
        }
        secrecy::seen_in(url);
        let answer = request.send().await.unwrap();
        for header in answer.headers().get_all(SET_COOKIE) {
            self.keep(host, header.to_str().unwrap());
        }
        let location = answer.headers().get(LOCATION).map(|value| value.to_str().unwrap());
        let location = location.map(|location| url.join(location).unwrap());
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await.unwrap_or_default();
        if stack.is.api_host.split(':').next() == url.host_str() {
            secrecy::answered(url.path(), &headers, &text);
        }
        Page { status, headers, location, text }
    }

    fn keep(&mut self, host: &str, header: &str) {
        let (pair, attributes) = header.split_once(';').unwrap_or((header, ""));
        let (name, value) = pair.split_once('=').expect("a cookie has a name and a value");
        let attribute = |wanted: &str| {
            attributes.split(';').find_map(|attribute| {
                let (name, value) = attribute.trim().split_once('=')?;
                name.eq_ignore_ascii_case(wanted).then(|| value.to_owned())
            })
        };
        let path = attribute("path").unwrap_or_else(|| "/".to_owned());
        self.0.retain(|known| (&*known.host, &*known.name) != (host, name) || known.path != path);
        if attribute("max-age").is_none_or(|age| age != "0") {
            secrecy::seen("cookie", value);
            self.0.push(Cookie {
                host: host.to_owned(),
                name: name.to_owned(),
                value: value.to_owned(),
                path,
                attributes: attributes.to_owned(),
            });
        }
    }
}

/// The connect link that a caller gets for a company.
pub(crate) async fn link(stack: &Stack, caller: &Caller, company: &str) -> Url {
    let answer = stack.post(caller, "/connect", &json!({ "companyId": company })).await.ok();
    Url::parse(answer["url"].as_str().expect("a connect link")).expect("the link is a URL")
}

/// Opens a connect link; answers Intuit's consent page, not opened yet.
pub(crate) async fn to_intuit(stack: &Stack, visitor: &mut Visitor, link: &Url) -> Url {
    let page = visitor.open(stack, link).await;
    assert_eq!(page.status, 302, "{}", page.text);
    page.location.expect("a redirect to Intuit")
}

/// Grants access to a realm on Intuit's page; answers the callback, not opened yet.
pub(crate) async fn grant(stack: &Stack, visitor: &mut Visitor, consent: &Url, realm: &str) -> Url {
    let mut consent = consent.clone();
    consent.query_pairs_mut().append_pair("auto", realm);
    let page = visitor.open(stack, &consent).await;
    assert_eq!(page.status, 302, "{}", page.text);
    page.location.expect("a redirect to the callback")
}

/// From the link of the company's admin to the callback with a code, not opened yet.
pub(crate) async fn callback(stack: &Stack, company: &Company, visitor: &mut Visitor) -> Url {
    let link = link(stack, &company.admin, &company.id).await;
    let consent = to_intuit(stack, visitor, &link).await;
    grant(stack, visitor, &consent, &company.realm).await
}

/// Confirms a connection.
pub(crate) async fn confirm(stack: &Stack, caller: &Caller, company: &str) -> Answer {
    stack.post(caller, "/connect/confirm", &json!({ "companyId": company })).await
}

/// The connection's status as an admin sees it.
pub(crate) async fn status(stack: &Stack, company: &Company) -> Value {
    stack.get(&company.admin, &format!("/status?companyId={}", company.id)).await.ok()
}

/// A value of a URL's query.
pub(crate) fn query(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// The URL with another value in its query, or without it.
pub(crate) fn with_query(url: &Url, name: &str, value: Option<&str>) -> Url {
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let mut changed = url.clone();
    changed.query_pairs_mut().clear().extend_pairs(pairs.iter().filter(|(key, _)| key != name));
    if let Some(value) = value {
        changed.query_pairs_mut().append_pair(name, value);
    }
    changed
}
