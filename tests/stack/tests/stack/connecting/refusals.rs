//! What Intuit's side can refuse, and realms that are somebody else's.

use serde_json::json;
use stack_tests::stack::Stack;

use super::access::tested;
use super::refused;
use crate::outside::{
    self, Visitor, callback, confirm, exchanges, live_grants, secrets, status, with_query,
};

#[tokio::test]
async fn an_error_that_intuit_reports_is_not_shown_word_for_word() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    let mut visitor = Visitor::default();
    let callback = callback(&stack, &company, &mut visitor).await;
    let callback = with_query(&callback, "error", Some("<script>alert(1)</script>"));
    let page = visitor.open(&stack, &callback).await;
    refused(&page, 502, "QuickBooks reported an error");
    assert!(!page.says("alert(1)"));
    assert_eq!(exchanges(&stack, &company.realm).await, 0);
}

#[tokio::test]
async fn a_realm_of_another_company_is_refused_before_its_code_is_exchanged() {
    let (stack, _shared) = Stack::shared().await;
    let owner = stack.company("empty").await;
    stack.connect(&owner).await;
    let mut second = stack.company("empty").await;
    second.realm.clone_from(&owner.realm);
    let mut visitor = Visitor::default();
    let callback = callback(&stack, &second, &mut visitor).await;
    let page = visitor.open(&stack, &callback).await;
    refused(&page, 409, "connected to another company already");
    assert_eq!(exchanges(&stack, &owner.realm).await, 1, "the owner's own");
    assert_eq!(status(&stack, &second).await["connected"], false);
    assert_eq!(tested(&stack, &owner).await["connected"], true);
}

#[tokio::test]
async fn of_two_companies_that_ask_for_one_realm_the_second_to_confirm_is_refused() {
    let (stack, _shared) = Stack::shared().await;
    let first = stack.company("empty").await;
    let mut second = stack.company("empty").await;
    second.realm.clone_from(&first.realm);
    for company in [&second, &first] {
        let mut visitor = Visitor::default();
        let callback = callback(&stack, company, &mut visitor).await;
        assert_eq!(visitor.open(&stack, &callback).await.status, 200);
    }
    confirm(&stack, &first.admin, &first.id).await.ok();
    let answer = confirm(&stack, &second.admin, &second.id).await;
    outside::problem(&answer, 409, "realm-taken");
    assert!(secrets(&stack, &second.id).await.is_empty(), "what it was granted is destroyed");
    assert_eq!(status(&stack, &second).await["waitingForConfirmation"], json!(null));
    assert_eq!(tested(&stack, &first).await["connected"], true);
}

#[tokio::test]
async fn a_company_that_had_one_realm_is_refused_another() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    stack.connect(&company).await;
    let mut elsewhere = stack.company("empty").await;
    elsewhere.id.clone_from(&company.id);
    elsewhere.admin = company.admin.clone();
    let mut visitor = Visitor::default();
    let callback = callback(&stack, &elsewhere, &mut visitor).await;
    let page = visitor.open(&stack, &callback).await;
    refused(&page, 409, "connected to another QuickBooks company before");
    assert_eq!(exchanges(&stack, &elsewhere.realm).await, 0);
    let status = status(&stack, &company).await;
    assert_eq!((&status["connected"], &status["realmId"]), (&json!(true), &json!(company.realm)));
}

#[tokio::test]
async fn intuit_being_down_at_the_exchange_is_said_and_the_code_is_not_sent_again() {
    let (stack, _shared) = Stack::shared().await;
    let path = "/oauth2/v1/tokens/bearer";
    for fault in [json!({ "status": 503 }), json!({ "cut": "before" }), json!({ "cut": "after" })] {
        let company = stack.company("empty").await;
        let mut fault = fault;
        fault["path"] = path.into();
        fault["realm"] = company.realm.clone().into();
        stack.sandbox().fault(&fault).await;
        let mut visitor = Visitor::default();
        let callback = callback(&stack, &company, &mut visitor).await;
        let page = visitor.open(&stack, &callback).await;
        refused(&page, 502, "did not answer");
        let requests = stack.sandbox().requests(&company.realm).await;
        let sent = requests.iter().filter(|request| request["path"] == path).count();
        assert_eq!(sent, 1, "{fault}: {requests:?}");
        assert!(secrets(&stack, &company.id).await.is_empty());
        // Beginning again works.
        stack.connect(&company).await;
    }
}

#[tokio::test]
async fn a_code_that_intuit_refuses_is_said_to_be_no_good() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    let mut visitor = Visitor::default();
    let callback = callback(&stack, &company, &mut visitor).await;
    let page = visitor.open(&stack, &with_query(&callback, "code", Some("XX1234"))).await;
    refused(&page, 400, "used already or is no longer valid");
    assert!(secrets(&stack, &company.id).await.is_empty());
}

#[tokio::test]
async fn an_access_that_cannot_read_the_company_is_given_back() {
    let (stack, _shared) = Stack::shared().await;
    for path in ["/companyinfo", "/preferences"] {
        let company = stack.company("empty").await;
        let fault = json!({
            "realm": company.realm, "path": path, "times": 5, "status": 403, "faultCode": "5020",
            "faultMessage": "Permission Denied Error",
        });
        stack.sandbox().fault(&fault).await;
        let mut visitor = Visitor::default();
        let callback = callback(&stack, &company, &mut visitor).await;
        let page = visitor.open(&stack, &callback).await;
        refused(&page, 403, "could not be read with it");
        assert_eq!(live_grants(&stack, &company.realm).await, 0, "{path}");
        assert!(secrets(&stack, &company.id).await.is_empty());
        let status = status(&stack, &company).await;
        assert_eq!(status["connected"], false);
        assert_eq!(status["waitingForConfirmation"], json!(null));
    }
}

#[tokio::test]
async fn a_realm_that_the_code_is_not_for_is_not_connected() {
    let (stack, _shared) = Stack::shared().await;
    let (company, victim) = (stack.company("empty").await, stack.company("empty").await);
    let mut visitor = Visitor::default();
    let callback = callback(&stack, &company, &mut visitor).await;
    let forged = with_query(&callback, "realmId", Some(&victim.realm));
    refused(&visitor.open(&stack, &forged).await, 403, "could not be read with it");
    assert_eq!(live_grants(&stack, &company.realm).await, 0);
    let status = status(&stack, &company).await;
    assert_eq!(
        (&status["connected"], &status["waitingForConfirmation"]),
        (&json!(false), &json!(null))
    );
}
