//! Least privilege (P4): what the functions may do, against what they did in all tests before. It is
//! last by name (see `main.rs`), and judges the whole life of the proxy, so run it after the others.

use std::time::Duration;

use serde_json::json;
use stack_tests::stack::api::Caller;
use stack_tests::stack::cards::Card;
use stack_tests::stack::company::{Browser, Company};
use stack_tests::stack::grants::{self, Grant};
use stack_tests::stack::{Stack, eventually};

/// Permissions that no test uses, and why the template gives them all the same: function by binary,
/// action, part of the resource's name, reason.
const UNUSED: [(&str, &str, &str, &str); 1] = [(
    "oauth-callback",
    "secretsmanager:GetSecretValue",
    "tokens/",
    "Giving a connection back reads its tokens. A warm process remembers those that it stored itself, and \
     whether another process is asked depends on the run.",
)];

fn has_reason(stack: &Stack, grant: &Grant) -> bool {
    UNUSED.iter().any(|(binary, action, resource, _)| {
        stack.function(binary) == grant.function
            && *action == grant.action
            && grant.resource.contains(resource)
    })
}

#[tokio::test]
async fn every_permission_is_used_and_nothing_else_is() {
    let (stack, _alone) = Stack::alone().await;
    let usage = stack.control().usage().await;
    let uncovered: Vec<String> = grants::uncovered(&stack.is.grants, &usage)
        .iter()
        .map(|row| format!("{} {} {}", row.function, row.used.action, row.used.resource))
        .collect();
    assert!(uncovered.is_empty(), "used without a permission:\n{}", uncovered.join("\n"));
    let unused: Vec<String> = grants::unused(&stack.is.grants, &usage)
        .into_iter()
        .filter(|grant| !has_reason(&stack, grant))
        .map(|grant| format!("{} {} {}", grant.function, grant.action, grant.resource))
        .collect();
    assert!(unused.is_empty(), "granted and never used:\n{}", unused.join("\n"));
}

/// Something that the product does for a company, and that needs a permission.
#[derive(Clone, Copy, Debug)]
enum Flow {
    /// The whole way of connecting, confirmation included.
    Connect,
    /// Saving settings.
    Settings,
    /// Saving a mapping.
    Mapping,
    /// A timecard comes in by HTTP.
    Deliver,
    /// A timecard goes out, and nothing of it is left to do.
    Push,
    /// The one-minute sweep.
    Sweep,
    /// A job is made and told of.
    Job,
    /// The connection is tested.
    Test,
}

/// Whether the flow works.
async fn works(stack: &Stack, flow: Flow, company: &Company) -> bool {
    let of_company = |what: &str| format!("/{what}?companyId={}", company.id);
    let id = json!({ "companyId": company.id });
    match flow {
        Flow::Connect => connects(stack).await,
        Flow::Settings => {
            let body = json!({ "companyId": company.id, "catchUpMinutes": 30 });
            stack.put(&company.admin, &of_company("settings"), &body).await.status == 200
        }
        Flow::Mapping => {
            let mapping = stack_tests::stack::cards::mapping();
            let body = json!({ "companyId": company.id, "mapping": mapping });
            stack.put(&company.admin, &of_company("mapping"), &body).await.status == 200
        }
        Flow::Deliver => {
            let id = format!("delivered-{}", stack.control().mark().await);
            let card = Card::new(id, 1).json(company);
            stack.post(&Caller::service(), "/timecards", &card).await.status == 202
        }
        Flow::Push => {
            let card = Card::new(format!("t-{}", stack.control().mark().await), 1);
            stack.deliver(company, std::slice::from_ref(&card)).await;
            let until = std::time::Instant::now() + Duration::from_secs(6);
            while std::time::Instant::now() < until {
                let synced = stack.records(company).await[&card.id].status == "synced";
                let open = stack.open_sends(company).await.len();
                if synced && open == 0 && stack.timecard_work(company).await.is_empty() {
                    return true;
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            false
        }
        Flow::Sweep => {
            let answer =
                stack.try_invoke("sync-orchestrator", &json!({ "schedule": "sweep" })).await;
            answer.get("rung").is_some()
        }
        Flow::Job => {
            let mut body = id;
            body["entities"] = json!(["items"]);
            body["direction"] = "in".into();
            let job = stack.post(&company.admin, "/sync-now", &body).await;
            let path = format!("/sync-status/{}", job.json()["jobId"].as_str().unwrap_or("none"));
            job.status == 202 && stack.get(&company.admin, &path).await.status == 200
        }
        Flow::Test => {
            let answer = stack.post(&company.admin, "/test-connection", &id).await;
            answer.json()["connected"] == true
        }
    }
}

async fn connects(stack: &Stack) -> bool {
    let company = stack.company("demo").await;
    let body = json!({ "companyId": company.id });
    if stack.post(&company.admin, "/connect", &body).await.status != 200 {
        return false;
    }
    let mut browser = Browser::default();
    let callback = stack.consent(&company, &mut browser).await;
    let (status, _, _) = browser.get(stack, &callback).await;
    let confirmed = stack.post(&company.admin, "/connect/confirm", &body).await;
    status < 400 && confirmed.status == 200
}

#[tokio::test]
#[ignore = "long: ten permissions are taken away, one after the other"]
async fn without_a_permission_the_flow_that_needs_it_fails() {
    let (stack, _alone) = Stack::alone().await;
    let sampled = [
        ("oauth-initiate", "dynamodb:PutItem", "OAuthStates", Flow::Connect),
        ("oauth-callback", "secretsmanager:CreateSecret", "tokens", Flow::Connect),
        ("oauth-callback", "dynamodb:PutItem", "Connections", Flow::Connect),
        ("connection", "dynamodb:UpdateItem", "Counters", Flow::Test),
        ("settings", "dynamodb:PutItem", "Settings", Flow::Settings),
        ("mapping", "sqs:SendMessage", "Doorbell", Flow::Mapping),
        ("timecard-intake", "dynamodb:UpdateItem", "Companies", Flow::Deliver),
        ("sync-orchestrator", "dynamodb:Query", "index/Due", Flow::Sweep),
        ("sync-orchestrator", "dynamodb:PutItem", "Jobs", Flow::Job),
        ("sync-worker", "dynamodb:BatchGetItem", "Records", Flow::Push),
        ("sync-worker", "dynamodb:DeleteItem", "Work", Flow::Push),
        ("sync-worker", "events:PutEvents", "bus", Flow::Push),
    ];
    for (binary, action, resource, flow) in sampled {
        let company = stack.crew().await;
        stack.let_others_rest(&[&company]).await;
        assert!(works(&stack, flow, &company).await, "{flow:?} works to begin with");
        stack.idle(&[&company]).await;
        let policy = stack.policy(binary).await;
        stack.put_policy(&policy.without(action, resource)).await;
        let without = works(&stack, flow, &company).await;
        stack.put_policy(&policy).await;
        assert!(!without, "{flow:?} works although {binary} has no {action} on {resource}");
        let fresh = stack.crew().await;
        eventually("the permission to count again", Duration::from_secs(20), async || {
            works(&stack, flow, &fresh).await.then_some(())
        })
        .await;
    }
}
