//! The e-mails that were sent, and the events that ask for them.
//!
//! The emulated SES keeps what it takes. A mail belongs to the company that its link names.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::company::Company;
use super::{Stack, eventually};

/// Time for an event to become a mail.
const SOON: Duration = Duration::from_secs(30);

/// A mail as SES took it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Mail {
    /// Its sender.
    pub source: String,
    /// Its recipients.
    pub to: Vec<String>,
    /// Its subject.
    pub subject: String,
    /// The plain text.
    #[serde(rename = "BodyText")]
    pub text: String,
    /// The HTML.
    #[serde(rename = "BodyHtml")]
    pub html: String,
    /// When, in seconds since 1970 of real time.
    pub timestamp: f64,
}

impl Stack {
    /// Every mail so far, oldest first.
    pub async fn all_mails(&self) -> Vec<Mail> {
        let url = format!("{}/_ministack/ses/messages", self.is.aws_url);
        let answer = self.http.get(url).send().await.expect("the emulated SES answers");
        let mut answer: Value = answer.json().await.expect("the emulated SES answers JSON");
        let accounts = answer["messages"].as_object_mut().into_iter().flatten();
        let mut mails: Vec<Mail> = accounts
            .flat_map(|(_, mails)| {
                serde_json::from_value::<Vec<Mail>>(mails.take()).expect("mails can be read")
            })
            .collect();
        mails.sort_by(|one, other| one.timestamp.total_cmp(&other.timestamp));
        mails
    }

    /// The mails about a company, oldest first.
    pub async fn mails(&self, company: &Company) -> Vec<Mail> {
        let link = self.reconnect_link(company);
        let mut mails = self.all_mails().await;
        mails.retain(|mail| mail.text.lines().any(|line| line == link));
        mails
    }

    /// Waits until there are this many mails about a company.
    ///
    /// # Panics
    ///
    /// When there are more.
    pub async fn mails_come(&self, company: &Company, count: usize) -> Vec<Mail> {
        let mails = eventually(&format!("{count} mails"), SOON, async || {
            let mails = self.mails(company).await;
            (mails.len() >= count).then_some(mails)
        })
        .await;
        assert_eq!(mails.len(), count, "{mails:#?}");
        mails
    }

    /// The address at which a company connects again, as mails have it.
    pub fn reconnect_link(&self, company: &Company) -> String {
        format!("{}/reconnect?companyId={}", self.is.api_url, company.id)
    }

    /// Publishes an event as the product does.
    pub async fn tell(&self, detail_type: &str, detail: &Value) {
        self.publish_as("quickbooks-connector", detail_type, detail).await;
    }

    /// Hands events straight to the function alerts, as its queue does, and answers how many are to be
    /// delivered again. So a test knows when they are dealt with, also when nothing comes of them.
    pub async fn alert(&self, events: &[(&str, &Value)]) -> usize {
        let records: Vec<Value> = events
            .iter()
            .enumerate()
            .map(|(number, (detail_type, detail))| {
                let body = json!({
                    "source": "quickbooks-connector", "detail-type": detail_type, "detail": detail,
                });
                json!({
                    "messageId": number.to_string(), "body": body.to_string(),
                    "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:Alerts",
                })
            })
            .collect();
        let answer = self.invoke("alerts", &json!({ "Records": records })).await;
        answer["batchItemFailures"].as_array().expect("a partial batch answer").len()
    }
}
