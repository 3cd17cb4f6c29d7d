//! `GET /reconnect`: where a customer sees the connection and connects again. Mails lead here, and so
//! does Intuit's reconnect link.
//!
//! With `ReconnectUrl` the browser goes on to that page of the host app. Else it gets a page of ours,
//! which knows nothing of any company: it signs the person in at the host app's issuer and then asks
//! the API, as any caller does. Nothing of the request is written into the page.

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{Html, IntoResponse as _, Response};
use domain::ids::{CompanyId, RealmId};
use platform::config::optional;
use platform::http::query_value;
use platform::oauth_states::random;
use platform::outcome_page::{page_url, redirect};
use serde_json::json;
use url::Url;

use crate::sign_in::{Endpoints, SignIn};

const PAGE: &str = include_str!("reconnect/page.html");
const STYLE: &str = include_str!("reconnect/page.css");
const SIGN_IN: &str = include_str!("reconnect/sign_in.js");
const SCRIPT: &str = include_str!("reconnect/page.js");

/// What the page works with.
#[derive(Clone)]
pub struct Reconnect {
    /// The host app's page in the place of ours.
    host_page: Option<Url>,
    /// How people sign in on ours; `None`: they connect from the app.
    sign_in: Option<SignIn>,
    /// Claim with the companies of a person.
    claim: String,
}

impl Reconnect {
    /// Reads `RECONNECT_URL` and `COMPANIES_CLAIM`.
    pub fn from_env(sign_in: Option<SignIn>) -> platform::Result<Self> {
        Ok(Self {
            host_page: page_url("RECONNECT_URL")?,
            sign_in,
            claim: optional("COMPANIES_CLAIM").unwrap_or_else(|| "companies".to_owned()),
        })
    }
}

/// The host app's page, or ours.
pub async fn reconnect_page(State(reconnect): State<Reconnect>, request: Request) -> Response {
    if let Some(host_page) = &reconnect.host_page {
        let (parts, _) = request.into_parts();
        let company = query_value(&parts, "companyId").filter(|id| id.parse::<CompanyId>().is_ok());
        let realm = query_value(&parts, "realmId").filter(|id| id.parse::<RealmId>().is_ok());
        let passed = [("companyId", company), ("realmId", realm)];
        let passed: Vec<(&str, &str)> =
            passed.iter().filter_map(|(name, id)| Some((*name, id.as_deref()?))).collect();
        return redirect(host_page, &passed);
    }
    let endpoints = match &reconnect.sign_in {
        Some(sign_in) => match sign_in.endpoints().await {
            Ok(endpoints) => Some(endpoints),
            Err(error) => {
                tracing::error!(%error, "nobody can sign in on the reconnect page");
                None
            }
        },
        None => None,
    };
    render(&reconnect, endpoints.as_ref(), &random())
}

fn render(reconnect: &Reconnect, endpoints: Option<&Endpoints>, nonce: &str) -> Response {
    let sign_in = reconnect.sign_in.as_ref();
    let settings = json!({
        "clientId": sign_in.map(|sign_in| &sign_in.client_id),
        "scope": sign_in.map(|sign_in| &sign_in.scope),
        "audience": sign_in.map(|sign_in| &sign_in.audience),
        "claim": reconnect.claim,
        "authorize": endpoints.map(|endpoints| endpoints.authorize.as_str()),
        "token": endpoints.map(|endpoints| endpoints.token.as_str()),
    });
    // Inside a script element only `<` could end it. JSON has another way to write it.
    let settings = settings.to_string().replace('<', "\\u003c");
    let page = PAGE
        .replace("{{nonce}}", nonce)
        .replace("{{style}}", STYLE)
        .replace("{{script}}", &format!("{SIGN_IN}\n{SCRIPT}"))
        .replace("{{settings}}", &settings);
    let issuer = endpoints
        .map(|endpoints| format!(" {}", endpoints.token.origin().ascii_serialization()))
        .unwrap_or_default();
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src data:; \
         connect-src 'self'{issuer}; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'"
    );
    let mut response = Html(page).into_response();
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    for (name, value) in [
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::StatusCode;

    use super::*;

    fn without_sign_in(host_page: Option<&str>) -> Reconnect {
        let host_page = host_page.map(|page| Url::parse(page).unwrap());
        Reconnect { host_page, sign_in: None, claim: "companies".to_owned() }
    }

    async fn open(reconnect: Reconnect, query: &str) -> Response {
        let uri = format!("https://api.example/reconnect{query}");
        let request = Request::builder().uri(uri).body(Body::empty()).unwrap();
        reconnect_page(State(reconnect), request).await
    }

    #[tokio::test]
    async fn the_host_apps_page_gets_ids_and_nothing_else() {
        let host = "https://app.example/quickbooks?from=mail";
        let rows = [
            ("", ""),
            ("?companyId=company-a", "&companyId=company-a"),
            ("?realmId=9341&companyId=c_1", "&companyId=c_1&realmId=9341"),
            ("?companyId=a%2F..%2Fb&realmId=9341", "&realmId=9341"),
            ("?companyId=%3Cscript%3E&realmId=x", ""),
            ("?companyId=c1&companyId=c2", "&companyId=c1"),
            ("?next=https://evil.example&url=//evil.example&code=secret", ""),
            ("?companyId=https://evil.example", ""),
        ];
        for (query, passed) in rows {
            let response = open(without_sign_in(Some(host)), query).await;
            assert_eq!(response.status(), StatusCode::FOUND);
            let location = response.headers()[header::LOCATION].to_str().unwrap();
            assert_eq!(location, format!("{host}{passed}"), "{query}");
            assert_eq!(response.headers()[header::REFERRER_POLICY], "no-referrer");
        }
    }

    #[tokio::test]
    async fn nothing_of_the_request_is_written_into_the_page() {
        let text = async |query: &str| {
            let response = open(without_sign_in(None), query).await;
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
            let policy =
                response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
            let nonce = policy.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap();
            let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
            String::from_utf8(body.to_vec()).unwrap().replace(nonce, "")
        };
        let plain = text("").await;
        assert_eq!(text("?companyId=%22%3E%3Cscript%3E&code=c&state=s").await, plain);
        assert!(!plain.contains("{{"), "a place-holder is left");
    }

    #[test]
    fn the_page_may_call_only_its_own_origin_and_the_token_endpoint() {
        let endpoints = Endpoints {
            authorize: "https://login.example/authorize".parse().unwrap(),
            token: "https://tokens.example:8443/oauth?x=</script>".parse().unwrap(),
        };
        let response = render(&without_sign_in(None), Some(&endpoints), "n0nce");
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        for part in [
            "default-src 'none'",
            "script-src 'nonce-n0nce'",
            "connect-src 'self' https://tokens.example:8443;",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.contains(part), "{part}: {policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
    }

    #[test]
    fn the_script_turns_no_text_into_markup() {
        for sink in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
            assert!(!SCRIPT.contains(sink) && !SIGN_IN.contains(sink), "{sink}");
        }
        for text in [SCRIPT, SIGN_IN, STYLE] {
            assert!(!text.contains("</"), "would end its element");
        }
    }
}
