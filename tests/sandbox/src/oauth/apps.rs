//! The apps that are registered at Intuit, as its portal would hold them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::ids::ClientId;

/// One app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Registration {
    pub(crate) client_id: ClientId,
    /// It guards nothing real.
    pub(crate) client_secret: String,
    /// Where consent may lead to, to the letter. Empty: any loopback address.
    pub(crate) redirect_uris: Vec<String>,
    /// Where Intuit sends a customer who must connect again (mandatory in the portal since 2026).
    pub(crate) reconnect_url: Option<String>,
    /// Where Intuit sends the browser of somebody who disconnected the app in QuickBooks.
    pub(crate) disconnect_url: Option<String>,
    /// Blocked by Intuit: no token and no call. The token endpoint says `unauthorized_client`.
    pub(crate) blocked: bool,
}

/// What `POST /apps` says of an app; what is left out stays as it is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Wish {
    client_id: ClientId,
    client_secret: Option<String>,
    redirect_uris: Option<Vec<String>>,
    reconnect_url: Option<String>,
    disconnect_url: Option<String>,
    blocked: Option<bool>,
}

/// The apps by client id.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Apps(BTreeMap<ClientId, Registration>);

impl Apps {
    /// The one app that a sandbox starts with.
    pub(super) fn first(client_id: &str, client_secret: &str) -> Self {
        let registration = Registration {
            client_id: ClientId::from(client_id),
            client_secret: client_secret.to_owned(),
            redirect_uris: Vec::new(),
            reconnect_url: None,
            disconnect_url: None,
            blocked: false,
        };
        Self(BTreeMap::from([(registration.client_id.clone(), registration)]))
    }

    /// Sees to it that this app is there, with this secret.
    pub(super) fn hold(&mut self, client_id: &str, client_secret: &str) {
        for (id, app) in Self::first(client_id, client_secret).0 {
            let own = self.0.entry(id).or_insert(app);
            client_secret.clone_into(&mut own.client_secret);
        }
    }

    pub(super) fn get(&self, client_id: &str) -> Option<&Registration> {
        self.0.get(client_id)
    }

    pub(super) fn all(&self) -> Vec<Registration> {
        self.0.values().cloned().collect()
    }

    /// Adds an app or changes one.
    ///
    /// # Errors
    /// A sentence: an empty id, a new app without a secret, an address that is not on this machine.
    pub(super) fn register(&mut self, wish: Wish) -> Result<Registration, String> {
        if wish.client_id.as_str().is_empty() || wish.client_id.as_str().contains(':') {
            return Err(
                "clientId is empty or has a colon, which Basic authorization cuts at".into()
            );
        }
        let known = self.0.get(&wish.client_id);
        let client_secret = wish
            .client_secret
            .or_else(|| known.map(|app| app.client_secret.clone()))
            .filter(|secret| !secret.is_empty())
            .ok_or("clientSecret is missing")?;
        let redirect_uris = wish
            .redirect_uris
            .unwrap_or_else(|| known.map_or_else(Vec::new, |app| app.redirect_uris.clone()));
        let reconnect_url =
            wish.reconnect_url.or_else(|| known.and_then(|app| app.reconnect_url.clone()));
        let disconnect_url =
            wish.disconnect_url.or_else(|| known.and_then(|app| app.disconnect_url.clone()));
        let mut urls = redirect_uris.iter().chain(&reconnect_url).chain(&disconnect_url);
        if let Some(bad) = urls.find(|u| !is_local(u)) {
            return Err(format!("{bad} is not a URL on localhost, 127.0.0.1 or [::1]"));
        }
        let registration = Registration {
            client_id: wish.client_id.clone(),
            client_secret,
            redirect_uris,
            reconnect_url,
            disconnect_url,
            blocked: wish.blocked.unwrap_or_else(|| known.is_some_and(|app| app.blocked)),
        };
        self.0.insert(wish.client_id, registration.clone());
        Ok(registration)
    }
}

impl Registration {
    /// Whether consent may lead to `redirect_uri`.
    pub(super) fn leads_to(&self, redirect_uri: &str) -> bool {
        is_local(redirect_uri)
            && (self.redirect_uris.is_empty()
                || self.redirect_uris.iter().any(|registered| registered == redirect_uri))
    }
}

/// Nothing leaves this machine: only loopback names are redirected to.
pub(crate) fn is_local(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    let host = url.host_str().unwrap_or("");
    matches!(url.scheme(), "http" | "https")
        && (host == "127.0.0.1"
            || host == "[::1]"
            || host == "localhost"
            || host.ends_with(".localhost"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(text: &str) -> Wish {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn an_app_is_added_and_then_changed_field_by_field() {
        let mut apps = Apps::first("one", "secret");
        let two = r#"{"clientId":"two","clientSecret":"s","redirectUris":["http://localhost/a"]}"#;
        apps.register(wish(two)).unwrap();
        let changed = apps.register(wish(r#"{"clientId":"two","blocked":true}"#)).unwrap();
        assert_eq!((changed.client_secret.as_str(), changed.blocked), ("s", true));
        assert!(changed.leads_to("http://localhost/a"));
        assert!(!changed.leads_to("http://localhost/a/"));
        assert_eq!(apps.all().len(), 2);
    }

    #[test]
    fn an_app_that_cannot_be_is_refused() {
        let mut apps = Apps::first("one", "secret");
        for bad in [
            r#"{"clientId":"","clientSecret":"s"}"#,
            r#"{"clientId":"a:b","clientSecret":"s"}"#,
            r#"{"clientId":"two"}"#,
            r#"{"clientId":"two","clientSecret":""}"#,
            r#"{"clientId":"two","clientSecret":"s","redirectUris":["https://evil.example/"]}"#,
            r#"{"clientId":"two","clientSecret":"s","reconnectUrl":"http://localhost.evil.example"}"#,
            r#"{"clientId":"two","clientSecret":"s","disconnectUrl":"https://evil.example"}"#,
        ] {
            assert!(apps.register(wish(bad)).is_err(), "{bad}");
        }
        assert_eq!(apps.all().len(), 1);
    }
}
