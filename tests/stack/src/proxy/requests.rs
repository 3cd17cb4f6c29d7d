//! What functions send, kept in a file for a test that looks for secrets in it: URLs with their queries,
//! headers and bodies.
//!
//! What goes to Secrets Manager and to Intuit's token endpoints must hold secrets, and is left out; so is
//! the authorization of every call.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Mutex;

use hyper::header::{AUTHORIZATION, HeaderName};
use hyper::http::request::Parts;

use super::action::Call;

/// Begins each request; the function and the operation follow.
pub const MARK: &str = "\n#### ";

/// The session token of a function's role: AWS's own secret, not ours.
const SESSION_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// The file.
#[derive(Debug)]
pub struct Requests(Mutex<File>);

impl Requests {
    /// Begins a file anew.
    ///
    /// # Errors
    ///
    /// A path that cannot be written.
    pub fn create(path: &Path) -> std::io::Result<Self> {
        Ok(Self(Mutex::new(File::create(path)?)))
    }

    /// Keeps a request, unless it may hold secrets.
    pub fn keep(&self, function: Option<&str>, call: &Call, parts: &Parts, body: &[u8]) {
        if call.service == "secretsmanager" || parts.uri.path().contains("/oauth2/") {
            return;
        }
        let text = format(function.unwrap_or("nobody"), call, parts, body);
        // One write, so that requests do not run into each other. A full disk fails the test that reads.
        let _ = super::log::lock(&self.0).write_all(&text);
    }
}

fn format(function: &str, call: &Call, parts: &Parts, body: &[u8]) -> Vec<u8> {
    let head = format!("{MARK}{function} {}\n{} {}\n", call.action, parts.method, parts.uri);
    let mut text = head.into_bytes();
    for (name, value) in &parts.headers {
        if name != AUTHORIZATION && name != SESSION_TOKEN {
            text.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\n"].concat());
        }
    }
    text.extend_from_slice(body);
    text
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    #[test]
    fn a_request_is_kept_whole_but_for_its_authorization() {
        let request = Request::post("/v3/company/1/timeactivity?requestid=r")
            .header("authorization", "Bearer secret-1")
            .header("x-amz-security-token", "secret-2")
            .header("x-other", "kept")
            .body(())
            .unwrap();
        let parts = request.into_parts().0;
        let call = Call { service: "quickbooks".into(), action: "POST x".into(), uses: vec![] };
        let text = String::from_utf8(format("worker", &call, &parts, b"{body}")).unwrap();
        for kept in ["#### worker POST x", "?requestid=r", "x-other: kept", "{body}"] {
            assert!(text.contains(kept), "{kept}: {text}");
        }
        assert!(!text.contains("secret"), "{text}");
    }

    #[test]
    fn what_must_hold_secrets_is_not_kept() {
        let directory = std::env::temp_dir().join(format!("requests-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let path = directory.join("requests.txt");
        let requests = Requests::create(&path).unwrap();
        let keep = |service: &str, path: &str| {
            let parts = Request::post(path).body(()).unwrap().into_parts().0;
            let call = Call { service: service.into(), action: path.into(), uses: vec![] };
            requests.keep(None, &call, &parts, b"body");
        };
        keep("secretsmanager", "/");
        keep("quickbooks", "/oauth2/v1/tokens/bearer");
        keep("quickbooks", "/v2/oauth2/tokens/revoke");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "");
        keep("dynamodb", "/");
        assert!(std::fs::read_to_string(&path).unwrap().ends_with("body"));
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
