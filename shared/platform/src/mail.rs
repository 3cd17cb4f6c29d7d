//! E-mail through SES: text and HTML in one mail, all recipients in To, since they are colleagues.
//!
//! SES refuses a mail as a whole when it refuses one of its addresses. Then each recipient gets a mail of
//! their own, so that one bad address keeps nothing from the others.

use aws_sdk_ses::Client;
use aws_sdk_ses::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_ses::operation::send_email::SendEmailError;
use aws_sdk_ses::types::{Body, Content, Destination, Message};
use domain::alert::Mail;
use url::Host;

use crate::error::{Error, Result};

/// SES' answers that are about an address: trying again does not help.
const REFUSALS: [&str; 3] = ["MessageRejected", "InvalidParameterValue", "ValidationError"];

/// What became of a mail.
#[derive(Debug, PartialEq, Eq)]
pub struct Delivery {
    /// To how many addresses SES has taken it.
    pub taken: usize,
    /// Those that SES refused.
    pub refused: Vec<Refused>,
}

/// An address that got nothing, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The address as it was named.
    pub address: String,
    /// SES' words.
    pub reason: String,
}

/// Sends mail from one address.
#[derive(Clone, Debug)]
pub struct Mailer {
    client: Client,
    from: String,
}

/// Why an attempt brought nothing.
enum Failed {
    /// SES takes no mail to this address, or to one of these.
    Refused(String),
    /// Anything else; it may work later.
    Other(Error),
}

impl Mailer {
    /// Sends as `from`, an address that SES has verified, or an address of a verified domain.
    pub fn new(client: Client, from: impl Into<String>) -> Self {
        Self { client, from: from.into() }
    }

    /// Reads `MAIL_FROM`; none when it is empty.
    pub fn from_env(client: Client) -> Option<Self> {
        crate::config::optional("MAIL_FROM").map(|from| Self::new(client, from))
    }

    /// Sends one mail to all of `to`, at most 50 addresses (SES' limit).
    ///
    /// # Errors
    /// When nobody got it for a reason that may pass. When at least one got it, or SES refused every
    /// address, that is a [`Delivery`].
    pub async fn send(&self, mail: &Mail, to: &[String]) -> Result<Delivery> {
        let refusal = match self.attempt(mail, to).await {
            Ok(()) => return Ok(Delivery { taken: to.len(), refused: Vec::new() }),
            Err(Failed::Other(error)) => return Err(error),
            Err(Failed::Refused(reason)) => reason,
        };
        if let [address] = to {
            let refused = Refused { address: address.clone(), reason: refusal };
            return Ok(Delivery { taken: 0, refused: vec![refused] });
        }
        let mut delivery = Delivery { taken: 0, refused: Vec::new() };
        let mut passing = None;
        for address in to {
            let reason = match self.attempt(mail, std::slice::from_ref(address)).await {
                Ok(()) => {
                    delivery.taken += 1;
                    continue;
                }
                Err(Failed::Refused(reason)) => reason,
                Err(Failed::Other(error)) => {
                    let reason = error.to_string();
                    passing = Some(error);
                    reason
                }
            };
            delivery.refused.push(Refused { address: address.clone(), reason });
        }
        match passing {
            // Trying again would send it twice to those who got it.
            Some(error) if delivery.taken == 0 => Err(error),
            _ => Ok(delivery),
        }
    }

    async fn attempt(&self, mail: &Mail, to: &[String]) -> Result<(), Failed> {
        let other = |error| Failed::Other(Error::aws("send the mail")(error));
        let content = |text: &str| Content::builder().charset("UTF-8").data(text).build();
        let body = Body::builder()
            .text(content(&mail.text).map_err(other)?)
            .html(content(&mail.html).map_err(other)?)
            .build();
        let subject = content(&mail.subject).map_err(other)?;
        let to = to.iter().map(|address| wire(address)).collect();
        self.client
            .send_email()
            .source(&self.from)
            .destination(Destination::builder().set_to_addresses(Some(to)).build())
            .message(Message::builder().subject(subject).body(body).build())
            .send()
            .await
            .map(drop)
            .map_err(failed)
    }
}

fn failed<R>(error: SdkError<SendEmailError, R>) -> Failed
where
    R: std::fmt::Debug + Send + Sync + 'static,
{
    if error.code().is_some_and(|code| REFUSALS.contains(&code)) {
        let reason =
            error.message().map_or_else(|| DisplayErrorContext(&error).to_string(), str::to_owned);
        return Failed::Refused(reason);
    }
    Failed::Other(Error::aws("send the mail")(error))
}

/// An address as SES takes it: a domain with letters such as `ü` in its ASCII form (Punycode).
fn wire(address: &str) -> String {
    let Some((local, domain)) = address.rsplit_once('@') else { return address.to_owned() };
    match Host::parse(domain) {
        Ok(Host::Domain(domain)) => format!("{local}@{domain}"),
        _ => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::wire;

    #[test]
    fn a_domain_goes_out_in_ascii_and_the_rest_as_it_is() {
        assert_eq!(wire("o'brien+qb@büro.example"), "o'brien+qb@xn--bro-hoa.example");
        assert_eq!(wire("Office@Rocky.example"), "Office@rocky.example");
        assert_eq!(wire("jörg@a_b.example"), "jörg@a_b.example");
        assert_eq!(wire("nobody"), "nobody");
    }
}
