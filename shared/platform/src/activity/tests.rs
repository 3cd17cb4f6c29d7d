//! The layer against an AWS that counts what it is asked.

use axum::http::StatusCode;
use axum::routing::get;
use axum::{Router, body};
use lambda_http::request::RequestContext;
use serde_json::{Value, json};
use tower::ServiceExt as _;
use wiremock::matchers::header;
use wiremock::{Mock, MockServer, Request as Asked, ResponseTemplate};

use super::*;
use crate::caller::{Caller, Permission};

const DAY: SignedDuration = SignedDuration::from_hours(24);

fn now() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

/// A row as DynamoDB answers it; the refresh token has this age.
fn row(age: SignedDuration, active_at: Option<Timestamp>, status: &str) -> Value {
    let mut row = json!({
        "id": { "S": "company#company-a" }, "company": { "S": "company-a" },
        "connectionId": { "S": "c1" }, "realm": { "S": "91" }, "environment": { "S": "sandbox" },
        "companyName": { "S": "A" }, "status": { "S": status }, "secret": { "S": "s" },
        "ready": { "BOOL": true }, "versionId": { "S": "v" },
        "accessExpiresAt": { "N": "1" }, "refreshExpiresAt": { "N": "1" },
        "refreshedAt": { "N": (now() - age).as_millisecond().to_string() },
        "lastRefreshResult": { "S": "ok" }, "connectedBy": { "S": "u" },
        "connectedAt": { "N": "1" }, "liveShard": { "S": "live-0" },
    });
    if let Some(at) = active_at {
        row["activeAt"] = json!({ "N": at.as_millisecond().to_string() });
        row["activeShard"] = json!({ "S": "live-0" });
    }
    row
}

/// An AWS of which each operation answers as told.
struct Aws(MockServer);

impl Aws {
    async fn holding(row: &Value) -> Self {
        let aws = Self(MockServer::start().await);
        let stored = ResponseTemplate::new(200).set_body_json(json!({ "Item": row }));
        aws.mock("DynamoDB_20120810.GetItem", stored, 5).await;
        let done = ResponseTemplate::new(200).set_body_json(json!({}));
        aws.mock("DynamoDB_20120810.UpdateItem", done.clone(), 5).await;
        aws.mock("AmazonSQS.SendMessage", done.set_body_json(json!({ "MessageId": "m" })), 5).await;
        aws
    }

    /// Lets an operation answer otherwise from now on.
    async fn changes(&self, operation: &str, answer: ResponseTemplate) {
        self.mock(operation, answer, 1).await;
    }

    async fn mock(&self, operation: &str, answer: ResponseTemplate, priority: u8) {
        let mock = Mock::given(header("x-amz-target", operation)).respond_with(answer);
        mock.with_priority(priority).mount(&self.0).await;
    }

    /// How often reads, notes and renewals were asked for.
    async fn asked(&self) -> (usize, usize, usize) {
        let all = self.0.received_requests().await.unwrap();
        let count = |operation: &str| all.iter().filter(|asked| is(asked, operation)).count();
        (count("GetItem"), count("UpdateItem"), count("SendMessage"))
    }

    fn activity(&self) -> Activity {
        use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
        let sdk = aws_config::SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(self.0.uri())
            .retry_config(aws_config::retry::RetryConfig::disabled())
            .credentials_provider(aws_sdk_dynamodb::config::SharedCredentialsProvider::new(
                Credentials::new("test", "test", None, None, "test"),
            ))
            .build();
        let activity = Activity::new(
            Connections::new(aws_sdk_dynamodb::Client::new(&sdk), "connections"),
            RefreshRequests::new(aws_sdk_sqs::Client::new(&sdk), format!("{}/q", self.0.uri())),
            renew_after().unwrap(),
            Clock::Fixed(now()),
        );
        // Tests count; how busy their machine is shall not matter.
        Activity { grace: Duration::from_secs(30), ..activity }
    }
}

fn is(asked: &Asked, operation: &str) -> bool {
    asked
        .headers
        .get("x-amz-target")
        .is_some_and(|target| target.to_str().unwrap().ends_with(operation))
}

/// A function whose one route lets its caller read `company-a`.
fn function(activity: &Activity) -> Router {
    let company: CompanyId = "company-a".parse().unwrap();
    let read =
        async move |caller: Caller| caller.may(Permission::ReadStatus, &company).map(|()| "read");
    crate::http::finish(Router::new().route("/read", get(read)), activity.clone())
}

async fn call(router: Router, path: &str, claim: &str) -> (StatusCode, String) {
    let context = json!({
        "authorizer": { "jwt": { "claims": { "sub": "u", "companies": claim }, "scopes": [] } },
        "http": { "method": "GET" },
    });
    let context = RequestContext::ApiGatewayV2(serde_json::from_value(context).unwrap());
    let mut request = Request::builder().uri(path).body(body::Body::empty()).unwrap();
    request.extensions_mut().insert(context);
    let answer = router.oneshot(request).await.unwrap();
    let status = answer.status();
    let text = body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    (status, String::from_utf8(text.to_vec()).unwrap())
}

#[tokio::test]
async fn a_refresh_token_of_30_days_is_renewed_by_a_call_and_a_younger_one_is_not() {
    let hour = SignedDuration::from_hours(1);
    for (age, renewals) in [
        (DAY * 29 + hour * 23, 0),
        (DAY * 30, 1),
        (DAY * 35, 1),
        (DAY * 99, 1),
        // A clock that is behind.
        (-DAY, 0),
    ] {
        let aws = Aws::holding(&row(age, None, "connected")).await;
        let answer = call(function(&aws.activity()), "/read", "company-a:viewer").await;
        assert_eq!(answer, (StatusCode::OK, "read".to_owned()));
        assert_eq!(aws.asked().await, (1, 1, renewals), "{age:#}");
    }
}

#[tokio::test]
async fn every_caller_that_is_let_in_counts_and_nobody_else() {
    for (claim, uses) in [
        ("company-a:viewer", 1),
        ("company-a:admin", 1),
        ("*:service", 1),
        ("*:operator", 1),
        ("company-b:admin", 0),
        ("", 0),
    ] {
        let aws = Aws::holding(&row(DAY * 40, None, "connected")).await;
        call(function(&aws.activity()), "/read", claim).await;
        assert_eq!(aws.asked().await, (uses, uses, uses), "{claim}");
    }
    let aws = Aws::holding(&row(DAY * 40, None, "connected")).await;
    call(function(&aws.activity()), "/no-such-route", "company-a:admin").await;
    assert_eq!(aws.asked().await, (0, 0, 0));
}

#[tokio::test]
async fn a_connection_that_is_not_live_is_left_alone() {
    for status in ["reconnectRequired", "disconnected"] {
        let aws = Aws::holding(&row(DAY * 40, None, status)).await;
        call(function(&aws.activity()), "/read", "company-a:admin").await;
        assert_eq!(aws.asked().await, (1, 0, 0), "{status}");
    }
}

#[tokio::test]
async fn a_process_looks_once_in_15_minutes_and_notes_once_an_hour() {
    let aws = Aws::holding(&row(DAY, Some(now()), "connected")).await;
    let activity = aws.activity();
    let at = async |minutes: i64| {
        let later = now() + SignedDuration::from_mins(minutes);
        let activity = Activity { clock: Clock::Fixed(later), ..activity.clone() };
        call(function(&activity), "/read", "company-a:admin").await;
        aws.asked().await
    };
    assert_eq!(at(0).await, (1, 0, 0));
    assert_eq!(at(14).await, (1, 0, 0));
    assert_eq!(at(15).await, (2, 0, 0));
    assert_eq!(at(60).await, (3, 1, 0));
    // Back: a clock that was moved.
    assert_eq!(at(10).await, (4, 1, 0));
}

#[tokio::test]
async fn a_connection_that_counts_as_unused_is_noted_though_its_last_use_is_new() {
    let mut unused = row(DAY, Some(now()), "connected");
    unused.as_object_mut().unwrap().remove("activeShard");
    let aws = Aws::holding(&unused).await;
    call(function(&aws.activity()), "/read", "company-a:admin").await;
    assert_eq!(aws.asked().await, (1, 1, 0));
}

#[tokio::test]
async fn a_look_that_fails_changes_no_answer_and_is_tried_again_a_minute_later() {
    let aws = Aws::holding(&row(DAY * 40, None, "connected")).await;
    aws.changes("DynamoDB_20120810.GetItem", ResponseTemplate::new(400)).await;
    let activity = aws.activity();
    for (seconds, reads) in [(0, 1), (59, 1), (60, 2)] {
        let later = now() + SignedDuration::from_secs(seconds);
        let activity = Activity { clock: Clock::Fixed(later), ..activity.clone() };
        let answer = call(function(&activity), "/read", "company-a:admin").await;
        assert_eq!(answer, (StatusCode::OK, "read".to_owned()));
        assert_eq!(aws.asked().await, (reads, 0, 0), "{seconds}");
    }
}

#[tokio::test]
async fn the_note_and_the_renewal_do_not_wait_for_each_others_success() {
    let aws = Aws::holding(&row(DAY * 40, None, "connected")).await;
    aws.changes("AmazonSQS.SendMessage", ResponseTemplate::new(400)).await;
    call(function(&aws.activity()), "/read", "company-a:admin").await;
    assert_eq!(aws.asked().await, (1, 1, 1));

    let aws = Aws::holding(&row(DAY * 40, None, "connected")).await;
    aws.changes("DynamoDB_20120810.UpdateItem", ResponseTemplate::new(400)).await;
    call(function(&aws.activity()), "/read", "company-a:admin").await;
    assert_eq!(aws.asked().await, (1, 1, 1));
}

#[tokio::test]
async fn an_answer_does_not_wait_for_a_slow_look() {
    let aws = Aws::holding(&row(DAY * 40, None, "connected")).await;
    let slow = ResponseTemplate::new(200).set_delay(Duration::from_mins(1));
    aws.changes("DynamoDB_20120810.GetItem", slow).await;
    let begun = std::time::Instant::now();
    let activity = Activity { grace: GRACE, ..aws.activity() };
    let (status, _) = call(function(&activity), "/read", "company-a:admin").await;
    assert_eq!(status, StatusCode::OK);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_handler_that_fails_leaves_the_look_as_it_is() {
    let aws = Aws::holding(&row(DAY * 40, None, "connected")).await;
    let company: CompanyId = "company-a".parse().unwrap();
    let fails = async move |caller: Caller| {
        caller.may(Permission::ReadStatus, &company)?;
        Err::<(), _>(crate::problem::Problem::internal())
    };
    let router = Router::new().route("/read", get(fails));
    let router = crate::http::finish(router, aws.activity());
    let (status, _) = call(router, "/read", "company-a:admin").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(aws.asked().await, (1, 1, 1));
}

#[tokio::test]
async fn a_request_of_many_companies_looks_at_a_few_and_at_the_next_ones_later() {
    let aws = Aws::holding(&row(DAY, Some(now()), "connected")).await;
    let activity = aws.activity();
    let companies = || (0..20).map(|number| format!("company-{number}").parse().unwrap());
    activity.used(companies()).await;
    assert_eq!(aws.asked().await.0, LOOKS);
    activity.used(companies().chain(companies())).await;
    assert_eq!(aws.asked().await.0, 20);
}

#[test]
fn what_a_process_remembers_is_bounded() {
    let looks = Looks::default();
    for number in 0..5 * REMEMBERED {
        let company = format!("company-{number}").parse().unwrap();
        assert!(looks.begin(&company, now()));
    }
    assert!(looks.0.lock().unwrap().len() <= REMEMBERED);
}

#[test]
fn a_caller_can_be_let_into_a_bounded_number_of_companies() {
    let (let_in, mut told) = LetIn::new();
    for number in 0..2 * LET_IN {
        let_in.note(&format!("company-{number}").parse().unwrap());
    }
    drop(let_in);
    let mut heard = 0;
    while told.try_recv().is_ok() {
        heard += 1;
    }
    assert_eq!(heard, LET_IN);
}
