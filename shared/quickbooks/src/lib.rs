//! A client of QuickBooks Online.
//!
//! It speaks Intuit's OAuth 2.0 and the Accounting API (minor version 75), turns every failure into
//! an error whose variant says what may be done next, builds queries and pages, and spaces calls so
//! that Intuit's limits are kept. It knows nothing of AWS, of timecards or of who calls it, holds no
//! state between processes and reads no clock.
//!
//! Three promises hold throughout:
//!
//! * No token, code or client secret appears in a `Debug`, a `Display`, an error or a log line; what
//!   Intuit's answers carry of them is redacted before it is kept.
//! * A request goes out at most once per call. Nothing is retried here: the caller knows whether a
//!   replay is safe, and has journalled the bytes and the `requestid`.
//! * A write is called *not committed* only where that is certain.
//!
//! # Layout
//!
//! * [`environment`]: sandbox or production, and the addresses of each.
//! * [`oauth`]: the authorize link, code exchange, refresh and revoke.
//! * [`client`]: the REST calls of one company; [`answer`] are the typed answers.
//! * [`entity`]: the entities by Intuit's names.
//! * [`query`]: statements and their escaping; [`keyset`]: reading a whole entity, page by page.
//! * [`fault`]: reading Intuit's fault shapes; [`redact`]: what must not be kept of them.
//! * [`mod@meaning`]: every fault code in plain words, with what to do about it.
//! * [`error`]: the call's error, which is the retry policy.
//! * [`pace`]: even spacing of one company's bulk calls.
//!
//! # One call
//!
//! ```no_run
//! # async fn example() -> Result<(), quickbooks::CallError> {
//! use quickbooks::{Client, Endpoints, Entity, Environment, Pacer, Session, http_client};
//!
//! let client = Client::new(http_client(), Endpoints::of(Environment::Sandbox).api);
//! let session = Session { realm: "9341453000000001".into(), access_token: "token".into() };
//! let pacer = Pacer::new(1.0);
//!
//! let _permit = pacer.permit().await;
//! let body = r#"{"TxnDate":"2026-11-18","NameOf":"Employee","EmployeeRef":{"value":"55"},"Hours":8}"#;
//! let created = client.create(&session, Entity::TimeActivity, body, "request-1").await?;
//! println!("{}", created["Id"]);
//! # Ok(())
//! # }
//! ```

pub mod answer;
mod classify;
pub mod client;
pub mod entity;
pub mod environment;
pub mod error;
pub mod fault;
pub mod keyset;
pub mod meaning;
pub mod oauth;
pub mod pace;
pub mod query;
pub mod redact;
mod transport;
mod xml;

pub use answer::{CompanyInfo, Preferences, QueryPage};
pub use client::{Client, Session, delete_body};
pub use entity::Entity;
pub use environment::{Endpoints, Environment, MINOR_VERSION};
pub use error::CallError;
pub use fault::{Fault, FaultError};
pub use keyset::{KeysetPages, PagingError};
pub use meaning::{FaultClass, Meaning, meaning};
pub use oauth::{AppCredentials, OAuth, OAuthError, TokenGrant};
pub use pace::{Pacer, Permit};
pub use query::{Query, escape};
pub use transport::{CALL_TIMEOUT, http_client};
