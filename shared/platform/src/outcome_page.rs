//! Where a browser ends up after connecting: the host app's pages when they are configured, else a
//! plain page of our own. Reasons come from a closed list, so that no text of a request is shown.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use domain::ids::CompanyId;
use url::Url;

use crate::error::{Error, Result};

/// The look of a plain page.
const STYLE: &str = "\
    :root{color-scheme:light dark;--ground:#f3f5f6;--card:#fff;--text:#1b1f24;--line:#d3d9de;\
    --accent:#0b6b2e;--on-accent:#fff}\
    @media(prefers-color-scheme:dark){:root{--ground:#14181b;--card:#1d2327;--text:#eef1f3;\
    --line:#3b454c;--accent:#57c785;--on-accent:#06140b}}\
    *{box-sizing:border-box}\
    body{margin:0;min-height:100vh;padding:8vh 1rem 2rem;font:1.0625rem/1.55 system-ui,sans-serif;\
    background:var(--ground);color:var(--text)}\
    main{max-width:34rem;margin:0 auto;padding:2rem;background:var(--card);\
    border:1px solid var(--line);border-radius:14px}\
    h1{margin:0 0 1rem;font-size:1.6rem;line-height:1.25;text-wrap:balance}\
    p{margin:0 0 1rem}p:last-child{margin:0}\
    a{display:inline-block;margin-top:.5rem;padding:.6rem 1.25rem;border-radius:8px;font-weight:600;\
    background:var(--accent);color:var(--on-accent);text-decoration:none}\
    a:focus-visible{outline:3px solid Highlight;outline-offset:2px}\
    @media(max-width:30rem){body{padding:1rem .75rem}main{padding:1.25rem}}";

/// Why connecting did not succeed. The code goes into the redirect as `reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The user said no at Intuit.
    AccessDenied,
    /// The connect link or the state has run out.
    LinkExpired,
    /// The connect link or the state was used already, or never given out.
    LinkUnknown,
    /// Another browser than the one that began.
    OtherBrowser,
    /// Intuit came back without a code or a realm.
    MissingCode,
    /// Intuit says that the code was used already or is not valid.
    CodeUsed,
    /// The QuickBooks company belongs to another company here.
    RealmTaken,
    /// The company was connected to another QuickBooks company before.
    OtherRealm,
    /// Intuit reported an error of its own.
    IntuitError,
    /// Intuit did not answer.
    IntuitUnavailable,
    /// The access was granted, but reading the company with it failed.
    AccessNotProven,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 11] = [
        Self::AccessDenied,
        Self::LinkExpired,
        Self::LinkUnknown,
        Self::OtherBrowser,
        Self::MissingCode,
        Self::CodeUsed,
        Self::RealmTaken,
        Self::OtherRealm,
        Self::IntuitError,
        Self::IntuitUnavailable,
        Self::AccessNotProven,
    ];

    /// Stable, for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::AccessDenied => "access-denied",
            Self::LinkExpired => "link-expired",
            Self::LinkUnknown => "link-unknown",
            Self::OtherBrowser => "other-browser",
            Self::MissingCode => "missing-code",
            Self::CodeUsed => "code-used",
            Self::RealmTaken => "realm-taken",
            Self::OtherRealm => "other-realm",
            Self::IntuitError => "intuit-error",
            Self::IntuitUnavailable => "intuit-unavailable",
            Self::AccessNotProven => "access-not-proven",
        }
    }

    /// For a person.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::AccessDenied => {
                "You chose not to give access at QuickBooks. Nothing was connected. Start again from your app whenever you like."
            }
            Self::LinkExpired => {
                "This connect link has expired. Start again from your app and finish within ten minutes."
            }
            Self::LinkUnknown => {
                "This connect link was used already, or is not complete. Start again from your app."
            }
            Self::OtherBrowser => {
                "Connecting was begun in another browser. Go on there, or start again from your app in this one."
            }
            Self::MissingCode => {
                "QuickBooks came back without the access it should have given. Start again from your app."
            }
            Self::CodeUsed => {
                "QuickBooks says that this access was used already or is no longer valid. Start again from your app."
            }
            Self::RealmTaken => {
                "This QuickBooks company is connected to another company already. Choose another QuickBooks company, or disconnect it there first."
            }
            Self::OtherRealm => {
                "Your company was connected to another QuickBooks company before. Choose that one, so that no record lands in the wrong books. If you have moved to new books for good, ask for help: your app can start over with them."
            }
            Self::IntuitError => {
                "QuickBooks reported an error. Start again from your app in a few minutes."
            }
            Self::IntuitUnavailable => {
                "QuickBooks did not answer. Start again from your app in a few minutes."
            }
            Self::AccessNotProven => {
                "QuickBooks gave access, but its company could not be read with it. Sign in to QuickBooks as an admin and start again from your app."
            }
        }
    }

    /// The HTTP status for a caller that asks for JSON.
    pub fn status(self) -> StatusCode {
        match self {
            Self::RealmTaken | Self::OtherRealm => StatusCode::CONFLICT,
            Self::IntuitError | Self::IntuitUnavailable => StatusCode::BAD_GATEWAY,
            Self::AccessDenied | Self::OtherBrowser | Self::AccessNotProven => {
                StatusCode::FORBIDDEN
            }
            Self::LinkExpired | Self::LinkUnknown => StatusCode::GONE,
            Self::MissingCode | Self::CodeUsed => StatusCode::BAD_REQUEST,
        }
    }
}

/// The host app's pages; `None` shows our own.
#[derive(Debug, Clone, Default)]
pub struct OutcomePages {
    success: Option<Url>,
    failure: Option<Url>,
    /// Whether `GET /reconnect` can confirm and begin again, there or in the host app.
    reconnect: bool,
}

/// The variable's value as the address of a page of the host app.
pub fn page_url(name: &str) -> Result<Option<Url>> {
    crate::config::optional(name)
        .map(|value| {
            Url::parse(&value).map_err(|error| Error::Configuration {
                name: name.to_owned(),
                reason: format!("is not a URL: {error}"),
            })
        })
        .transpose()
}

impl OutcomePages {
    /// Reads `SUCCESS_URL` and `FAILURE_URL`, and whether `GET /reconnect` leads anywhere.
    pub fn from_env() -> Result<Self> {
        Ok(Self {
            success: page_url("SUCCESS_URL")?,
            failure: page_url("FAILURE_URL")?,
            reconnect: ["RECONNECT_URL", "SIGN_IN_CLIENT_ID"]
                .iter()
                .any(|name| crate::config::optional(name).is_some()),
        })
    }

    /// The way on, where the user confirms.
    pub fn success(&self, company: &CompanyId) -> Response {
        match &self.success {
            Some(url) => redirect(url, &[("companyId", company.as_ref())]),
            None if self.reconnect => plain(
                StatusCode::OK,
                "One step is left",
                "QuickBooks gave access. Confirm within ten minutes that it is your company: the \
                 connection goes live only then. If you began in your app, you can confirm there, too.",
                Some(&Link {
                    to: format!("reconnect?companyId={company}"),
                    words: "Go on and confirm",
                }),
            ),
            None => plain(
                StatusCode::OK,
                "QuickBooks gave access",
                "Go back to your app and confirm the connection within ten minutes. It goes live only then.",
                None,
            ),
        }
    }

    /// The way back with a reason.
    pub fn failure(&self, reason: Reason) -> Response {
        let again = Link { to: "reconnect".to_owned(), words: "Start again here" };
        match &self.failure {
            Some(url) => redirect(url, &[("reason", reason.code())]),
            None => plain(
                reason.status(),
                "Not connected to QuickBooks",
                reason.sentence(),
                self.reconnect.then_some(&again),
            ),
        }
    }
}

/// A redirect that tells the next page nothing of this one's address.
pub fn redirect(to: &Url, parameters: &[(&str, &str)]) -> Response {
    let mut to = to.clone();
    if !parameters.is_empty() {
        to.query_pairs_mut().extend_pairs(parameters);
    }
    let mut response = StatusCode::FOUND.into_response();
    if let Ok(location) = HeaderValue::from_str(to.as_str()) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    secure(response)
}

/// A link of a [`plain`] page: an address beside that page, made of our own words and ids.
#[derive(Debug, Clone)]
pub struct Link {
    /// Where it leads.
    pub to: String,
    /// What it says.
    pub words: &'static str,
}

/// A plain page of our own words.
pub fn plain(status: StatusCode, title: &str, text: &str, link: Option<&Link>) -> Response {
    let link = link
        .map(|Link { to, words }| format!("<p><a href=\"{to}\">{words}</a></p>"))
        .unwrap_or_default();
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{title}</title>\
         <link rel=\"icon\" href=\"data:,\"><style>{STYLE}</style>\
         </head><body><main><h1>{title}</h1><p>{text}</p>{link}</main></body></html>"
    );
    let mut response = (status, Html(html)).into_response();
    response.headers_mut().insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'",
        ),
    );
    secure(response)
}

fn secure(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_code_of_its_own_and_says_what_to_do() {
        let mut codes: Vec<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Reason::ALL.len());
        for reason in Reason::ALL {
            assert!(reason.sentence().len() > 40, "{reason:?}");
        }
    }

    #[test]
    fn a_redirect_keeps_the_configured_query_and_sends_no_referrer() {
        let to = Url::parse("https://app.example/done?from=qbo").unwrap();
        let response = redirect(&to, &[("reason", "link-expired")]);
        assert_eq!(
            response.headers()[header::LOCATION],
            "https://app.example/done?from=qbo&reason=link-expired"
        );
        assert_eq!(response.headers()[header::REFERRER_POLICY], "no-referrer");
    }
}
