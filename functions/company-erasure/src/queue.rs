//! The queue `CompanyDeletions`: the host app's events, and our own messages to go on.

use domain::ids::CompanyId;
use domain::problem::FieldError;
use jiff::Timestamp;
use platform::erasure_requests::ErasureRequest;
use platform::keys;
use platform::queue::{Batch, Message, deliver_again};
use platform::telemetry::{self, Unit};
use platform::work::{DeadLetter, DeadReason};
use serde_json::Value;

use crate::CompanyErasure;

/// What a message asks for.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    /// The event `company.deleted`, and when it was published; `None` where it does not say.
    Deleted(CompanyId, Option<Timestamp>),
    /// One of our own messages.
    GoOn(ErasureRequest),
}

/// Takes messages. A failure has its message delivered again; a message that cannot be read becomes a dead
/// letter, since the company that it means is not erased.
pub async fn handle(
    erasure: &CompanyErasure,
    event: Value,
) -> Result<Value, lambda_runtime::Error> {
    let batch: Batch = serde_json::from_value(event)?;
    let mut again = Vec::new();
    for message in &batch.records {
        if let Err(error) = answer(erasure, message).await {
            tracing::error!(%error, sqs_message = %message.message_id, "an erasure failed; it is tried again");
            let now = erasure.clock.now().await;
            telemetry::metric("ErasureFailures", 1.0, Unit::Count, now);
            again.push(message);
        }
    }
    Ok(deliver_again(again))
}

async fn answer(erasure: &CompanyErasure, message: &Message) -> platform::Result<()> {
    match read(&message.body) {
        Ok(Asked::Deleted(company, requested)) => {
            let requested = match requested {
                Some(requested) => requested,
                None => erasure.clock.now().await,
            };
            erasure.begin(&company, requested).await
        }
        Ok(Asked::GoOn(request)) => erasure.go_on(&request).await,
        Err(wrong) => bury(erasure, message, wrong).await,
    }
}

fn read(body: &str) -> Result<Asked, FieldError> {
    let wrong = |field: &str, message: &str| {
        FieldError::new(
            field,
            "unreadable",
            message,
            "Publish company.deleted with {\"companyId\": \"…\"} as its detail; see events/schemas.",
        )
    };
    if let Ok(request) = serde_json::from_str(body) {
        return Ok(Asked::GoOn(request));
    }
    let event: Value = serde_json::from_str(body)
        .map_err(|_| wrong("event", "The message is not a JSON event."))?;
    let company = event
        .pointer("/detail/companyId")
        .and_then(Value::as_str)
        .and_then(|id| id.parse().ok())
        .ok_or_else(|| wrong("companyId", "The event names no company."))?;
    let time = event.get("time").and_then(Value::as_str).and_then(|time| time.parse().ok());
    Ok(Asked::Deleted(company, time))
}

async fn bury(
    erasure: &CompanyErasure,
    message: &Message,
    wrong: FieldError,
) -> platform::Result<()> {
    let now = erasure.clock.now().await;
    tracing::error!(sqs_message = %message.message_id, error = %wrong.message, "a company.deleted cannot be read; its company is not erased");
    let letter = DeadLetter {
        company: keys::NO_COMPANY.to_owned(),
        item: format!("{}event#{}", keys::DEAD, message.message_id),
        reason: DeadReason::Event,
        errors: serde_json::to_string(&[wrong])
            .map_err(|error| platform::Error::unreadable("a bad event's errors", error))?,
        failed_at: now.as_millisecond(),
        attempts: 1,
        event: Some(message.body.chars().take(75_000).collect()),
    };
    erasure.work.bury(&[letter]).await?;
    telemetry::metric("ErasureFailures", 1.0, Unit::Count, now);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use platform::erasure_requests::Step;

    #[test]
    fn an_event_says_which_company_and_since_when() {
        let body = r#"{"detail-type": "company.deleted", "time": "2026-11-20T15:04:05Z",
            "detail": {"companyId": "acme-roofing", "reason": "unpaid"}}"#;
        let time = "2026-11-20T15:04:05Z".parse().unwrap();
        let company = "acme-roofing".parse().unwrap();
        assert_eq!(read(body), Ok(Asked::Deleted(company, Some(time))));
    }

    #[test]
    fn our_own_message_is_read_back() {
        let request = ErasureRequest { company_id: "acme".parse().unwrap(), step: Step::LookAgain };
        let body = serde_json::to_string(&request).unwrap();
        assert_eq!(read(&body), Ok(Asked::GoOn(request)));
    }

    #[test]
    fn what_names_no_company_erases_none() {
        for body in [
            "",
            "[]",
            "company.deleted",
            "{}",
            r#"{"detail": {}}"#,
            r#"{"detail": {"companyId": ""}}"#,
            r#"{"detail": {"companyId": "*"}}"#,
            r#"{"detail": {"companyId": "a b"}}"#,
            r#"{"detail": {"companyId": 7}}"#,
            r#"{"detail": {"companyId": ["a"]}}"#,
            r#"{"companyId": "a", "step": "everything"}"#,
        ] {
            assert!(read(body).is_err(), "{body}");
        }
    }
}
