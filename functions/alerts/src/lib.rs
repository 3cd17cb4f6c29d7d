//! E-mails to people: a connection that needs its admin, and trouble that needs the operator.
//!
//! # Layout
//! [`queue`]: the queue `Alerts`, fed by the product's own events on the bus. [`notice`]: what such an
//! event says. [`tell`]: whether it still holds, who is told, and that they are told once.
//! The words are in `domain::alert`.

pub mod notice;
pub mod queue;
pub mod tell;

use domain::settings::Settings;
use platform::clock::Clock;
use platform::connections::Connections;
use platform::documents::Documents;
use platform::mail::Mailer;
use platform::mail_log::MailLog;
use quickbooks::Environment;

/// What the function works with.
#[derive(Clone)]
pub struct Alerts {
    /// Whether what an event says still holds.
    pub connections: Connections,
    /// Who is told what.
    pub settings: Documents<Settings>,
    /// Which mails went out.
    pub log: MailLog,
    /// The post; none when no sender is configured.
    pub mailer: Option<Mailer>,
    /// The operator's address, if there is one.
    pub operator: Option<String>,
    /// Which of the Intuit app's keys this stage uses.
    pub environment: Environment,
    /// Origin of the links in mails, such as `https://api.example.com`.
    pub origin: String,
    /// The clock.
    pub clock: Clock,
}
