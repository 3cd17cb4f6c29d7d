//! Whether an event still holds, who is told, and that they are told once.
//!
//! In this order: the connection's row (an event can be late), the settings, the claim
//! ([`platform::mail_log`] says what it guarantees), a place among the day's mails, the mail, the note that
//! it went out.

use domain::alert::{
    About, ConnectionAlert, Mail, OPERATOR_REST, Reader, Threshold, connection_mail,
    credentials_mail,
};
use domain::ids::CompanyId;
use domain::settings::Settings;
use jiff::Timestamp;
use platform::connections::{Connection, ConnectionStatus};
use platform::mail::{Delivery, Mailer};
use platform::mail_log::{Claimed, MailId};
use platform::telemetry::{Unit, metric};
use platform::{Error, Result};
use url::form_urlencoded;

use crate::Alerts;
use crate::notice::{ConnectionNotice, Notice};

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// A mail went out.
    Sent,
    /// Nobody is to be told: it was said before, is no longer so, is not wanted, or cannot be sent to
    /// anybody. The logs say which.
    Nobody,
    /// Another process is at it: see again later.
    Later,
}

impl Alerts {
    /// Tells whoever must hear of it, once.
    pub async fn tell(&self, notice: &Notice) -> Result<Told> {
        let now = self.clock.now().await;
        let about = match notice {
            Notice::ReconnectRequired(about) | Notice::HardExpiryNear(about) => about,
            Notice::AppCredentialsRefused { at } => return self.tell_operator(*at, now).await,
        };
        let connection = self.connections.get(&about.company_id).await?;
        let holds = connection.and_then(|row| Some((alert(notice, about, &row, now)?, row)));
        let Some((alert, connection)) = holds else {
            tracing::info!(company = %about.company_id, ?notice, "no longer so; nobody is told");
            return Ok(Told::Nobody);
        };
        self.tell_company(&alert, &connection, now).await
    }

    async fn tell_company(
        &self,
        alert: &ConnectionAlert,
        connection: &Connection,
        now: Timestamp,
    ) -> Result<Told> {
        let company = &connection.company;
        let settings = self.settings.current(company).await?.document;
        if !alert.wanted(settings.alerts) {
            tracing::info!(%company, kind = %alert, "the company does not want this mail");
            return Ok(Told::Nobody);
        }
        let whose = format!("company {company}");
        let Some(mailer) = self.mailer_or_complain(&whose, now) else { return Ok(Told::Nobody) };
        let (reader, to) = match (&settings.recipients[..], &self.operator) {
            ([], None) => {
                complain_of_nobody(&whose, now);
                return Ok(Told::Nobody);
            }
            ([], Some(operator)) => (Reader::OperatorForNobody, vec![operator.clone()]),
            (named, _) => (Reader::Company, named.to_vec()),
        };
        let id = MailId::of_connection(company, &connection.connection_id, alert);
        match self.log.claim(&id, now).await? {
            Claimed::Yours => {}
            Claimed::Sent => return Ok(Told::Nobody),
            Claimed::Busy => return Ok(Told::Later),
        }
        if !self.log.take_place(company, &id, now).await? {
            tracing::warn!(%company, kind = %alert, "the company has had its mails of this day");
            metric("MailsOverLimit", 1.0, Unit::Count, now);
            return Ok(Told::Nobody);
        }
        let mail = |reader| self.mail(alert, reader, connection, &settings, now);
        let delivery = mailer.send(&mail(reader), &to).await?;
        report(company, &delivery, now);
        if delivery.taken == 0 {
            self.fall_back(mailer, &mail(Reader::OperatorForRefused), reader).await?;
        }
        self.log.sent(&id, self.clock.now().await).await?;
        tracing::info!(%company, kind = %alert, ?reader, "mail sent");
        Ok(Told::Sent)
    }

    fn mail(
        &self,
        alert: &ConnectionAlert,
        reader: Reader,
        connection: &Connection,
        settings: &Settings,
        now: Timestamp,
    ) -> Mail {
        let about = About {
            company: &connection.company,
            company_name: &connection.company_name,
            link: &reconnect_link(&self.origin, &connection.company),
            zone: settings.time_zone.as_deref().and_then(domain::time_zone),
            now,
        };
        connection_mail(alert, reader, &about)
    }

    /// No address of the company takes the mail: the operator gets it.
    async fn fall_back(&self, mailer: &Mailer, mail: &Mail, reader: Reader) -> Result<()> {
        let nobody =
            || Error::Aws { call: "send the mail", reason: "SES refuses every address".to_owned() };
        let operator = self.operator.clone().filter(|_| reader == Reader::Company);
        let operator = operator.ok_or_else(nobody)?;
        match mailer.send(mail, &[operator]).await? {
            Delivery { taken: 0, .. } => Err(nobody()),
            _ => Ok(()),
        }
    }

    async fn tell_operator(&self, at: Timestamp, now: Timestamp) -> Result<Told> {
        if now.duration_since(at) > OPERATOR_REST {
            tracing::info!(%at, "the app's keys were refused long ago; nobody is told");
            return Ok(Told::Nobody);
        }
        let whose = "the app's keys";
        let Some(mailer) = self.mailer_or_complain(whose, now) else { return Ok(Told::Nobody) };
        let Some(operator) = &self.operator else {
            complain_of_nobody(whose, now);
            return Ok(Told::Nobody);
        };
        let id = MailId::of_operator("appCredentialsRefused", OPERATOR_REST);
        match self.log.claim(&id, now).await? {
            Claimed::Yours => {}
            Claimed::Sent => return Ok(Told::Nobody),
            Claimed::Busy => return Ok(Told::Later),
        }
        let mail = credentials_mail(self.environment.name(), at);
        let delivery = mailer.send(&mail, std::slice::from_ref(operator)).await?;
        if let [refused] = &delivery.refused[..] {
            let reason = refused.reason.clone();
            return Err(Error::Aws { call: "send the operator's mail", reason });
        }
        self.log.sent(&id, self.clock.now().await).await?;
        tracing::info!("mail sent to the operator: the app's keys are refused");
        Ok(Told::Sent)
    }

    fn mailer_or_complain(&self, of: &str, now: Timestamp) -> Option<&Mailer> {
        if self.mailer.is_none() {
            tracing::error!(of, "a mail was due and MailFrom is not set; nobody is told");
            metric("MailsNotSent", 1.0, Unit::Count, now);
        }
        self.mailer.as_ref()
    }
}

/// What an event comes to, after a look at the row: `None` when it is no longer so.
fn alert(
    notice: &Notice,
    about: &ConnectionNotice,
    connection: &Connection,
    now: Timestamp,
) -> Option<ConnectionAlert> {
    if connection.connection_id != about.connection_id {
        return None;
    }
    match (notice, connection.status) {
        (Notice::ReconnectRequired(_), ConnectionStatus::ReconnectRequired) => {
            Some(ConnectionAlert::ReconnectRequired { since: about.at })
        }
        (Notice::HardExpiryNear(_), ConnectionStatus::Connected) => {
            let stored =
                connection.hard_expires_at.and_then(|at| Timestamp::from_millisecond(at).ok());
            let ends = stored.or(about.hard_expires_at)?;
            // A warning that was long on its way is one of the days that are left now.
            let threshold = Threshold::reached(ends, about.at.max(now))?;
            Some(ConnectionAlert::HardExpiry { threshold, ends })
        }
        _ => None,
    }
}

fn report(company: &CompanyId, delivery: &Delivery, now: Timestamp) {
    for refused in &delivery.refused {
        tracing::error!(%company, address = refused.address, reason = refused.reason, "SES takes no mail to an address");
        metric("MailAddressesRefused", 1.0, Unit::Count, now);
    }
}

fn complain_of_nobody(of: &str, now: Timestamp) {
    tracing::error!(of, "a mail was due, and neither the company nor OperatorEmail names anybody");
    metric("AlertsWithoutRecipient", 1.0, Unit::Count, now);
}

/// Where an admin connects again. The page shows nothing before sign-in, so the link holds no secret.
fn reconnect_link(origin: &str, company: &CompanyId) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("companyId", company.as_str())
        .finish();
    format!("{}{}/reconnect?{query}", origin.trim_end_matches('/'), platform::http::BASE)
}
