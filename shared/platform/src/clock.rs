//! The one source of time. Rules take `now` as an argument; whoever does I/O asks a [`Clock`].
//!
//! On the stage `local` the clock is the QuickBooks sandbox's, so that tests move time for the
//! product and for QuickBooks at once (a template rule forbids it elsewhere). SigV4, JWT expiry, SQS
//! delays and DynamoDB's TTL stay on real time.

use std::time::Duration;

use jiff::Timestamp;

/// Where the time comes from.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock behind a URL that answers `{"now": "<RFC 3339>"}`; local stage only.
    Remote {
        /// Its address.
        url: String,
        /// The client that asks it.
        http: reqwest::Client,
    },
    /// A clock that stands still; for tests of modules that do I/O.
    Fixed(Timestamp),
}

#[derive(serde::Deserialize)]
struct Answer {
    now: Timestamp,
}

impl Clock {
    /// `CLOCK_URL` when set, else the machine's clock.
    pub fn from_env() -> Self {
        crate::config::optional("CLOCK_URL").map_or(Self::System, |url| Self::Remote {
            url,
            http: reqwest::Client::builder()
                .timeout(Duration::from_secs(5))
                .no_proxy()
                .build()
                .unwrap_or_default(),
        })
    }

    /// The time now.
    ///
    /// A remote clock that does not answer is asked three times; then the machine's clock is used
    /// and an error is logged, since a local test clock must never stop the work.
    pub async fn now(&self) -> Timestamp {
        match self {
            Self::System => Timestamp::now(),
            Self::Fixed(at) => *at,
            Self::Remote { url, http } => {
                for _ in 0..3 {
                    match ask(http, url).await {
                        Ok(now) => return now,
                        Err(error) => tracing::warn!(%error, "the local clock did not answer"),
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                tracing::error!("the local clock is gone; using the machine's");
                Timestamp::now()
            }
        }
    }
}

async fn ask(http: &reqwest::Client, url: &str) -> Result<Timestamp, reqwest::Error> {
    let answer = http.get(url).send().await?.error_for_status()?;
    answer.json::<Answer>().await.map(|answer| answer.now)
}
