//! `POST /sync-now` and `GET /sync-status/{jobId}`: what is asked for wrongly.

use serde_json::json;
use stack_tests::stack::Stack;
use stack_tests::stack::api::Caller;
use stack_tests::stack::cards::Card;
use stack_tests::stack::stored::text;

use crate::outside::{names, problem};

#[tokio::test]
async fn each_wrong_wish_is_named_with_its_fix_and_makes_no_job() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.crew().await;
    let cards = Card::several("known", 1);
    stack.deliver(&company, &cards).await;
    let many: Vec<String> = (0..501).map(|number| format!("t-{number}")).collect();
    for (wish, field, code) in [
        (json!({ "entities": ["boats"] }), "entities", "unknown-choice"),
        (json!({ "entities": "employees" }), "entities", "unknown-choice"),
        (json!({ "entities": [] }), "entities", "nothing-to-do"),
        (json!({ "entities": ["employees"], "direction": "out" }), "entities", "nothing-to-do"),
        (json!({ "direction": "up" }), "direction", "unknown-choice"),
        (json!({ "type": "partial" }), "type", "unknown-choice"),
        (json!({ "priority": "now" }), "priority", "unknown-choice"),
        (json!({ "timecardIds": "known-0" }), "timecardIds", "wrong-type"),
        (json!({ "timecardIds": [] }), "timecardIds", "wrong-number"),
        (json!({ "timecardIds": many }), "timecardIds", "wrong-number"),
        (json!({ "timecardIds": ["known-0", "a#b"] }), "timecardIds", "invalid-id"),
    ] {
        let mut wish = wish;
        wish["companyId"] = company.id.clone().into();
        let answer = stack.post(&company.admin, "/sync-now", &wish).await;
        names(&problem(&answer, 422, "invalid-request"), field, code);
    }
    // Unknown ones are named by their place in the list that was sent.
    let ids = ["zebra", "known-0", "ant"];
    let wish = json!({ "companyId": company.id, "timecardIds": ids });
    let answer = stack.post(&company.admin, "/sync-now", &wish).await;
    let document = problem(&answer, 422, "invalid-request");
    for (index, id) in [(0, "zebra"), (2, "ant")] {
        let error = names(&document, &format!("timecardIds[{index}]"), "not-found");
        assert!(text(&error, "message").contains(id), "{error}");
        assert_eq!(error["index"], index);
    }
}

#[tokio::test]
async fn a_company_that_is_not_connected_has_nothing_to_sync_now() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    for caller in [&company.admin, &Caller::service()] {
        let wish = json!({ "companyId": company.id });
        let answer = stack.post(caller, "/sync-now", &wish).await;
        problem(&answer, 409, "not-connected");
    }
}

#[tokio::test]
async fn a_job_that_never_was_is_not_found_by_anybody() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    let job = "/sync-status/0192f000-0000-7000-8000-000000000000";
    for caller in [&company.admin, &Caller::service(), &Caller::operator()] {
        problem(&stack.get(caller, job).await, 404, "job-not-found");
    }
}
