//! The work list and the doorbell: one drain per company at a time, nothing lost, few rings, crashes
//! counted, urgent work first, and retries on the ladder (S11, S7, R1's ladder, issue 2).

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stack_tests::stack::api::Caller;
use stack_tests::stack::cards::{self, Card};
use stack_tests::stack::company::Company;
use stack_tests::stack::control::at;
use stack_tests::stack::stored::text;
use stack_tests::stack::{Stack, eventually};

/// Time for a few cards to go out.
const SOON: Duration = Duration::from_secs(45);
/// What an urgent job may take to start (S7).
const URGENT: Duration = Duration::from_secs(30);
/// Rings that 5,000 timecards may cause at most (issue 2).
const RINGS: usize = 50;

impl Ringing for Stack {}

/// What only these tests do.
trait Ringing {
    /// Rings for a company, as if the message had been delivered twice.
    async fn ring(&self, company: &Company)
    where
        Self: AsStack,
    {
        let stack = self.stack();
        let body = json!({
            "QueueUrl": stack.is.queues["Doorbell"],
            "MessageBody": json!({ "companyId": company.id }).to_string(),
        });
        let (status, answer) = stack.aws("sqs", "SendMessage", &body).await;
        assert_eq!(status, 200, "{answer}");
    }
}
