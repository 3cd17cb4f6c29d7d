//! Time that QuickBooks files under something else than was sent.

use serde_json::{Value, json};
use stack_tests::stack::cards::Card;
use stack_tests::stack::company::Company;
use stack_tests::stack::control::at;
use stack_tests::stack::stored::text;
use stack_tests::stack::{Stack, eventually};

use super::{SOON, touched};

/// QuickBooks gives one Id to a vendor where an employee was: it takes the time and files it as
/// `Other`, without a word.
async fn employee_becomes_a_vendor(stack: &Stack, company: &Company, employee: u32) {
    stack.remove_from_quickbooks(company, "Employee", &employee.to_string()).await;
    let vendor = json!({ "Id": employee.to_string(), "DisplayName": "Pat the subcontractor" });
    stack.sandbox().store(&company.realm, "Vendor", &vendor).await;
}

#[tokio::test]
async fn time_that_quickbooks_files_as_other_is_taken_back_and_fails() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.crew().await;
    let (wrong, right) = (Card::new("t-1", 1), Card::new("t-2", 2));
    employee_becomes_a_vendor(&stack, &company, 54 + wrong.worker).await;
    stack.deliver(&company, &[wrong.clone(), right.clone()]).await;
    let record = eventually("the failure", SOON, async || {
        let record = stack.records(&company).await.remove(&wrong.id)?;
        (record.status != "pending").then_some(record)
    })
    .await;
    assert_eq!(record.status, "failed", "{record:?}");
    assert_eq!(record.errors[0]["code"], "filed-differently", "{record:?}");
    stack.all_synced(&company, std::slice::from_ref(&right), SOON).await;
    let activities = stack.activities(&company).await;
    assert_eq!(activities.len(), 1, "the wrong one was taken back");
    assert_eq!(right.differences(&activities[0]), Vec::<String>::new());
}

/// The answer to a replay is the original one. It must not make anybody believe that what was taken
/// back is still there.
#[tokio::test]
async fn time_filed_as_other_is_taken_back_also_when_the_worker_dies_around_it() {
    let (stack, _alone) = Stack::alone().await;
    let companies = stack.crews(2).await;
    let all: Vec<&Company> = companies.iter().collect();
    stack.let_others_rest(&all).await;
    let card = Card::new("t-1", 1);
    for (company, call) in companies.iter().zip([1, 2]) {
        employee_becomes_a_vendor(&stack, company, 54 + card.worker).await;
        let mut order = at("sync-worker", "after");
        order["path"] = format!("{}/timeactivity", company.realm).into();
        order["nth"] = call.into();
        stack.control().crash(&order).await;
        stack.deliver(company, std::slice::from_ref(&card)).await;
        assert!(touched(&stack, company).await, "no call {call}");
        stack.control().clear_rules().await;
    }
    stack.dust_settles(&all).await;
    for (company, died) in companies.iter().zip(["before", "after"]) {
        assert_eq!(
            stack.activities(company).await,
            Vec::<Value>::new(),
            "died {died} taking it back"
        );
        let record = stack.records(company).await.remove(&card.id).unwrap();
        assert_eq!(record.status, "failed", "died {died} taking it back: {record:?}");
        let says = text(&record.errors[0], "message");
        assert!(says.contains("was taken back"), "died {died} taking it back: {says}");
    }
}
