//! Posts over HTTP: to this machine only, without proxy or redirects.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::OnceLock,
    time::{Duration, Instant},
};

use reqwest::{
    Client,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};
use url::Url;

use super::{delivery::Outcome, subscription::is_local_name};

/// One post, ready to go.
pub(super) struct Outgoing {
    pub(super) url: Url,
    pub(super) timeout: Duration,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

/// Names of this machine, without the system's resolver: most do not know `*.localhost`, and nobody
/// else is ever asked.
struct Loopback;

impl Resolve for Loopback {
    fn resolve(&self, name: Name) -> Resolving {
        let local = is_local_name(name.as_str());
        Box::pin(async move {
            if !local {
                return Err("not a name of this machine".into());
            }
            // The port of the URL takes the place of 0.
            let addresses =
                [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), (Ipv6Addr::LOCALHOST, 0).into()];
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// See the module. The client is made with the first post.
#[derive(Default)]
pub(super) struct Sender(OnceLock<Result<Client, String>>);

impl Sender {
    fn client(&self) -> Result<&Client, String> {
        let made = self.0.get_or_init(|| {
            Client::builder()
                .no_proxy()
                .redirect(Policy::none())
                .dns_resolver(Loopback)
                // A connection of its own for each post: one that the receiver has closed meanwhile
                // would look like a receiver that is down.
                .pool_max_idle_per_host(0)
                // Only http is spoken; this spares reading the system's certificates.
                .tls_certs_only([])
                .build()
                .map_err(|error| error.to_string())
        });
        made.as_ref().map_err(Clone::clone)
    }

    /// Posts and waits for the status. Errors are part of the outcome.
    pub(super) async fn post(&self, outgoing: Outgoing) -> Outcome {
        let started = Instant::now();
        let result = match self.client() {
            Ok(client) => {
                let mut request =
                    client.post(outgoing.url).timeout(outgoing.timeout).body(outgoing.body);
                for (name, value) in outgoing.headers {
                    request = request.header(name, value);
                }
                request.send().await.map_err(|error| explain(error, outgoing.timeout))
            }
            Err(error) => Err(error),
        };
        Outcome {
            status: result.as_ref().ok().map(|response| response.status().as_u16()),
            error: result.err(),
            duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        }
    }
}

fn explain(error: reqwest::Error, timeout: Duration) -> String {
    if error.is_timeout() {
        return format!("no answer within {} ms", timeout.as_millis());
    }
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
