//! Who may use the admin API: it has no login, so a web page that somebody else wrote must not be
//! able to drive it through the reader's browser.
//!
//! A page elsewhere is known by its `Origin`; a name elsewhere that was pointed at this machine (DNS
//! rebinding) by the `Host`. Programs send no `Origin` and a `Host` of this machine.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::Problem;
use crate::app::App;

/// Lets a request through, or answers 403.
pub(super) async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    // A request line may carry an address too; it must be as good as the Host.
    let line = request.uri().authority().map(|authority| authority.as_str().to_owned());
    match refusal(request.headers(), line.as_deref(), app.config.host) {
        Some(problem) => Problem(StatusCode::FORBIDDEN, problem).into_response(),
        None => next.run(request).await,
    }
}

/// Why a request is refused, if it is. `listening` is the address that the sandbox was told to
/// listen on.
fn refusal(headers: &HeaderMap, line: Option<&str>, listening: IpAddr) -> Option<String> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let host = text(header::HOST).or(line).unwrap_or("");
    for host in [Some(host), line].into_iter().flatten() {
        if !is_here(host, listening) {
            return Some(format!(
                "the admin API answers on this machine's own names only (localhost, 127.0.0.1), \
                 not as {host:?}"
            ));
        }
    }
    let origin = text(header::ORIGIN)?;
    let own = origin.split_once("://").is_some_and(|(scheme, from)| {
        matches!(scheme, "http" | "https") && from.eq_ignore_ascii_case(host)
    });
    (!own).then(|| format!("a page of {origin:?} may not use the admin API"))
}

/// Whether `host`, with or without a port, is a name of this machine.
fn is_here(host: &str, listening: IpAddr) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return false;
    }
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    if let Ok(address) = address.parse::<IpAddr>() {
        return address.is_loopback() || (address == listening && !address.is_unspecified());
    }
    let name = name.to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(host: &str, origin: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        if !host.is_empty() {
            headers.insert(header::HOST, host.parse().unwrap());
        }
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        refusal(&headers, None, IpAddr::from([192, 168, 1, 5])).is_none()
    }

    #[test]
    fn only_names_of_this_machine_are_answered() {
        for host in [
            "127.0.0.1:4601",
            "127.9.9.9",
            "localhost",
            "LOCALHOST:1",
            "api.localhost:80",
            "[::1]",
            "[::1]:4601",
            "192.168.1.5:4601",
        ] {
            assert!(allowed(host, None), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:4601",
            "localhost.evil.example",
            "127.0.0.1.nip.io",
            "notlocalhost",
            "0.0.0.0:4601",
            "192.168.1.6",
            "localhost:x",
            "localhost:",
            "[::2]:1",
        ] {
            assert!(!allowed(host, None), "{host}");
        }
    }

    #[test]
    fn only_its_own_page_may_send_an_origin() {
        assert!(allowed("localhost:4601", Some("http://localhost:4601")));
        assert!(allowed("[::1]:4601", Some("http://[::1]:4601")));
        for origin in [
            "null",
            "",
            "http://evil.example",
            "http://localhost:4601.evil.example",
            "http://localhost:3000",
            "http://localhost",
            "file://localhost:4601",
            "localhost:4601",
        ] {
            assert!(!allowed("localhost:4601", Some(origin)), "{origin}");
        }
    }

    #[test]
    fn an_address_in_the_request_line_must_be_here_too() {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, "localhost:1".parse().unwrap());
        let here = IpAddr::from([127, 0, 0, 1]);
        assert!(refusal(&headers, Some("evil.example"), here).is_some());
        assert!(refusal(&headers, Some("localhost:1"), here).is_none());
    }
}
