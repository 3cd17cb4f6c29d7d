//! Whatever happens on the way, exactly one TimeActivity per timecard is in QuickBooks when the dust
//! settles, with the timecard's fields, and nothing is left to do (S12, C5's fence, issue 2).

use std::time::Duration;

use serde_json::{Value, json};
use stack_tests::stack::Stack;
use stack_tests::stack::cards::Card;
use stack_tests::stack::company::Company;
use stack_tests::stack::control::at;
use stack_tests::stack::eventually;
use stack_tests::stack::stored::text;

/// Time for a few cards to go out.
const SOON: Duration = Duration::from_secs(45);
/// Longer than the lease and longer than a send may still commit, in milliseconds.
const PAST_EVERY_COMMIT: i64 = 200_000;

/// Waits until the rules in force have killed or cut, or until everything went out untouched.
async fn touched(stack: &Stack, company: &Company) -> bool {
    eventually("a killed worker, or the end", SOON, async || {
        if stack.control().applied().await > 0 {
            return Some(true);
        }
        let idle = stack.company_row(company).await.get("leaseOwner").is_none();
        let done = idle && stack.timecard_work(company).await.is_empty();
        (done && stack.open_sends(company).await.is_empty()).then_some(false)
    })
    .await
}

/// Lets the lease of a dead worker end, and every send of its commit; then sweeps.
async fn successor(stack: &Stack, company: &Company) {
    let row = stack.company_row(company).await;
    let until = row["nextDue"].as_i64().max(row["leaseUntil"].as_i64());
    let now = stack.sandbox().now().await.as_millisecond();
    stack.clock_reaches(until.unwrap_or(now) + PAST_EVERY_COMMIT).await;
    stack.sweep().await;
}

/// Pushes three cards at a time, the worker killed at its `k`-th call, its successor at its `k`-th
/// call too, for `k` from 1 in steps. Ends with the first push that needs fewer calls than `k`.
async fn killed_at_each_call(stack: &Stack, target: &str, when: &str, step: usize, least: usize) {
    let company = stack.crew().await;
    stack.let_others_rest(&[&company]).await;
    let mut sent = Vec::new();
    for k in (1..).step_by(step) {
        let mut order = at("sync-worker", when);
        order["target"] = target.into();
        order["nth"] = k.into();
        if target == "quickbooks" {
            order["path"] = company.realm.clone().into();
        }
        let cards = Card::several(&format!("{when}-{k}"), 3);
        sent.extend(cards.clone());
        stack.control().crash(&order).await;
        stack.deliver(&company, &cards).await;
        let killed = touched(stack, &company).await;
        stack.control().clear_rules().await;
        if killed {
            stack.control().crash(&order).await;
            successor(stack, &company).await;
            touched(stack, &company).await;
            stack.control().clear_rules().await;
            stack.dust_settles(&[&company]).await;
        }
        stack.idle(&[&company]).await;
        let wrong = stack.not_exactly_once(&company, &sent).await;
        assert!(wrong.is_empty(), "killed {when} call {k} to {target}:\n{}", wrong.join("\n"));
        if !killed {
            assert!(k > least, "only {k} calls to {target} were made");
            return;
        }
    }
}

#[tokio::test]
async fn a_worker_killed_around_each_call_to_quickbooks_leaves_one_of_each() {
    let (stack, _alone) = Stack::alone().await;
    for when in ["before", "after"] {
        killed_at_each_call(&stack, "quickbooks", when, 1, 3).await;
    }
}

/// Killed after a call and killed before the next one leave the same behind.
#[tokio::test]
async fn a_worker_killed_after_each_call_to_aws_leaves_one_of_each() {
    let (stack, _alone) = Stack::alone().await;
    killed_at_each_call(&stack, "aws", "after", 1, 15).await;
}

#[tokio::test]
#[ignore = "long: the same points, told from the other side"]
async fn a_worker_killed_before_each_call_to_aws_leaves_one_of_each() {
    let (stack, _alone) = Stack::alone().await;
    killed_at_each_call(&stack, "aws", "before", 1, 15).await;
}

/// Faults for one card of a company, found by its notes.
fn fault(company: &Company, card: &Card, more: &Value) -> Value {
    let mut fault = json!({
        "method": "POST", "path": "/timeactivity", "realm": company.realm,
        "body": format!("Work for {},", card.id),
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        fault[name] = value.clone();
    }
    fault
}

const HTML: &str = "<html><head><title>503 Service Temporarily Unavailable</title></head></html>";

#[tokio::test]
async fn whatever_quickbooks_answers_there_is_one_of_each() {
    let (stack, _alone) = Stack::alone().await;
    let html = |status: u16, commit: bool| json!({ "status": status, "rawBody": HTML, "contentType": "text/html", "commit": commit });
    let troubles = [
        ("cut before the commit", json!({ "cut": "before" })),
        ("cut after the commit", json!({ "cut": "after" })),
        ("500", json!({ "status": 500 })),
        ("500 after the commit", json!({ "status": 500, "commit": true })),
        ("503 with HTML", html(503, false)),
        ("503 with HTML after the commit", html(503, true)),
        ("200 that cannot be read, after the commit", html(200, true)),
        ("429 with Retry-After", json!({ "status": 429, "retryAfter": "7" })),
        ("429 of the gateway", json!({ "status": 429, "faultShape": "gateway" })),
        ("401 for a token that is fresh", json!({ "status": 401, "faultCode": "3200" })),
        ("the company cannot be used", json!({ "status": 400, "faultCode": "6190" })),
    ];
    let companies = stack.crews(troubles.len()).await;
    let all: Vec<&Company> = companies.iter().collect();
    stack.let_others_rest(&all).await;
    let cards = Card::several("t", 3);
    for (company, (_, trouble)) in companies.iter().zip(&troubles) {
        stack.sandbox().fault(&fault(company, &cards[1], trouble)).await;
        stack.deliver(company, &cards).await;
    }
    // Those without trouble of their own do not wait for the one that has it.
    for (company, (name, _)) in companies.iter().zip(&troubles) {
        let others = [cards[0].clone(), cards[2].clone()];
        stack.all_synced(company, &others, SOON).await;
        let creates =
            stack.sandbox().counters(&company.realm).await["rest"]["TimeActivity"]["create"]
                .as_u64()
                .unwrap_or_default();
        assert!((3..=4).contains(&creates), "{name}: {creates} creates before any wait was over");
    }
    stack.dust_settles(&all).await;
    for (company, (name, _)) in companies.iter().zip(&troubles) {
        let wrong = stack.not_exactly_once(company, &cards).await;
        assert!(wrong.is_empty(), "{name}, {}:\n{}", company.id, wrong.join("\n"));
    }
}

/// The worker is killed in the middle of a call that QuickBooks has begun to work on.
#[tokio::test]
async fn a_send_that_commits_after_its_sender_died_is_the_only_one() {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.crew().await;
    stack.let_others_rest(&[&company]).await;
    let cards = Card::several("t", 3);
    let mark = stack.control().mark().await;
    let slow = json!({ "delayMs": 4000 });
    stack.sandbox().fault(&fault(&company, &cards[2], &slow)).await;
    stack.deliver(&company, &cards).await;
    eventually("the two others", SOON, async || {
        (stack.activities(&company).await.len() == 2).then_some(())
    })
    .await;
    stack.kill_caller(mark, "sync-worker", "dynamodb:TransactWriteItems").await;
    assert_eq!(stack.activities(&company).await.len(), 2, "killed too late");
    eventually("the commit", SOON, async || {
        (stack.activities(&company).await.len() == 3).then_some(())
    })
    .await;
    assert!(stack.records(&company).await.values().all(|record| record.status == "pending"));
    stack.dust_settles(&[&company]).await;
    stack.exactly_once(&company, &cards).await;
}

#[tokio::test]
#[ignore = "long: the sender gives up after 30 s"]
async fn a_send_that_commits_after_its_sender_gave_up_is_the_only_one() {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.crew().await;
    stack.let_others_rest(&[&company]).await;
    let cards = Card::several("t", 3);
    let slow = json!({ "delayMs": 33_000 });
    stack.sandbox().fault(&fault(&company, &cards[1], &slow)).await;
    stack.deliver(&company, &cards).await;
    let others = [cards[0].clone(), cards[2].clone()];
    stack.all_synced(&company, &others, Duration::from_mins(1)).await;
    eventually("the commit", SOON, async || {
        (stack.activities(&company).await.len() == 3).then_some(())
    })
    .await;
    stack.dust_settles(&[&company]).await;
    stack.exactly_once(&company, &cards).await;
}

/// A cut on the way, with the sandbox as it is: the request never arrives, or its answer does not.
#[tokio::test]
async fn a_connection_cut_on_the_way_leaves_one_of_each() {
    let (stack, _alone) = Stack::alone().await;
    let companies = stack.crews(2).await;
    let all: Vec<&Company> = companies.iter().collect();
    stack.let_others_rest(&all).await;
    let cards = Card::several("t", 3);
    for (company, when) in companies.iter().zip(["before", "after"]) {
        let mut order = at("sync-worker", when);
        order["path"] = format!("{}/timeactivity", company.realm).into();
        order["calls"] = 3.into();
        stack.control().cut(&order).await;
        stack.deliver(company, &cards).await;
    }
    eventually("six cut calls", SOON, async || {
        (stack.control().applied().await == 6).then_some(())
    })
    .await;
    stack.idle(&all).await;
    let (never, unheard) = (&companies[0], &companies[1]);
    assert_eq!(stack.activities(never).await.len(), 0);
    assert_eq!(stack.activities(unheard).await.len(), 3);
    stack.dust_settles(&all).await;
    for company in all {
        stack.exactly_once(company, &cards).await;
    }
}

/// 600, and 6000 where 600 would be right, say that QuickBooks may have it. Then it is asked.
#[tokio::test]
async fn a_replay_that_says_nothing_certain_is_looked_up() {
    let (stack, _alone) = Stack::alone().await;
    let cases = [("600", "before"), ("600", "after"), ("6000", "before"), ("6000", "after")];
    let companies = stack.crews(cases.len()).await;
    let all: Vec<&Company> = companies.iter().collect();
    stack.let_others_rest(&all).await;
    let mut cards = Card::several("t", 2);
    // An identical shift of the same worker: only the marker tells the two apart.
    cards[1] = Card { id: cards[1].id.clone(), ..cards[0].clone() };
    for (company, (code, cut)) in companies.iter().zip(cases) {
        let both = |more: Value| {
            let mut fault = fault(company, &cards[0], &more);
            fault["times"] = 2.into();
            fault
        };
        stack.sandbox().fault(&both(json!({ "cut": cut }))).await;
        stack.sandbox().fault(&both(json!({ "status": 400, "faultCode": code }))).await;
        stack.deliver(company, &cards).await;
    }
    for company in &all {
        eventually("two open sends", SOON, async || {
            let row = stack.company_row(company).await;
            let open = stack.open_sends(company).await;
            (open.len() == 2 && row.get("leaseOwner").is_none()).then_some(())
        })
        .await;
    }
    stack.dust_settles(&all).await;
    for (company, case) in companies.iter().zip(cases) {
        let wrong = stack.not_exactly_once(company, &cards).await;
        assert!(wrong.is_empty(), "{case:?}, {}:\n{}", company.id, wrong.join("\n"));
        let queries =
            &stack.sandbox().counters(&company.realm).await["rest"]["TimeActivity"]["query"];
        assert_eq!(queries, &json!(1), "{case:?}: one look-up for both");
    }
}

#[tokio::test]
async fn two_that_could_be_it_are_left_to_a_person() {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.crew().await;
    stack.let_others_rest(&[&company]).await;
    let card = Card::new("t-1", 1);
    stack.sandbox().fault(&fault(&company, &card, &json!({ "cut": "after" }))).await;
    let unclear = json!({ "status": 400, "faultCode": "600" });
    stack.sandbox().fault(&fault(&company, &card, &unclear)).await;
    stack.deliver(&company, std::slice::from_ref(&card)).await;
    eventually("an open send", SOON, async || {
        (stack.open_sends(&company).await.len() == 1).then_some(())
    })
    .await;
    stack.idle(&[&company]).await;
    // Somebody copied it by hand in QuickBooks, marker and all.
    let mut copy = stack.activities(&company).await.remove(0);
    for own in ["Id", "SyncToken", "MetaData"] {
        copy.as_object_mut().unwrap().remove(own);
    }
    stack.sandbox().store(&company.realm, "TimeActivity", &copy).await;
    stack.dust_settles(&[&company]).await;
    assert_eq!(stack.dead_letters(&company).await[&card.id], "ambiguous");
    assert_eq!(stack.records(&company).await[&card.id].status, "dead");
    assert_eq!(stack.activities(&company).await.len(), 2, "nothing was sent again");
}

#[tokio::test]
async fn identical_shifts_of_one_worker_are_two_activities() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.crew().await;
    let first = Card::new("t-1", 1);
    let second = Card { id: "t-2".to_owned(), ..first.clone() };
    stack.deliver(&company, &[first.clone(), second.clone()]).await;
    stack.all_synced(&company, &[first.clone(), second.clone()], SOON).await;
    stack.exactly_once(&company, &[first, second]).await;
}

#[tokio::test]
async fn an_edit_while_the_card_is_being_sent_ends_up_in_the_same_activity() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.crew().await;
    let card = Card::new("t-1", 1);
    let slow = json!({ "delayAfterMs": 3000 });
    stack.sandbox().fault(&fault(&company, &card, &slow)).await;
    stack.deliver(&company, std::slice::from_ref(&card)).await;
    eventually("the activity", SOON, async || {
        (stack.activities(&company).await.len() == 1).then_some(())
    })
    .await;
    let edited = card.edited(333);
    stack.deliver(&company, std::slice::from_ref(&edited)).await;
    stack.all_synced(&company, std::slice::from_ref(&edited), SOON).await;
    stack.exactly_once(&company, &[edited]).await;
}

/// A newer version goes out only once it is known what became of the older one.
#[tokio::test]
async fn an_edit_waits_for_the_outcome_of_the_send_before_it() {
    let (stack, _alone) = Stack::alone().await;
    let companies = stack.crews(2).await;
    let all: Vec<&Company> = companies.iter().collect();
    stack.let_others_rest(&all).await;
    let card = Card::new("t-1", 1);
    let edited = card.edited(333);
    for (company, cut) in companies.iter().zip(["before", "after"]) {
        stack.sandbox().fault(&fault(company, &card, &json!({ "cut": cut }))).await;
        stack.deliver(company, std::slice::from_ref(&card)).await;
        eventually("an open send", SOON, async || {
            (stack.open_sends(company).await.len() == 1).then_some(())
        })
        .await;
        stack.idle(&[company]).await;
        stack.deliver(company, std::slice::from_ref(&edited)).await;
        stack.idle(&[company]).await;
        let counters = stack.sandbox().counters(&company.realm).await;
        assert_eq!(counters["rest"]["TimeActivity"], json!({ "create": 1 }), "{cut}");
    }
    stack.dust_settles(&all).await;
    for company in all {
        stack.exactly_once(company, std::slice::from_ref(&edited)).await;
    }
}

#[tokio::test]
async fn events_that_come_twice_or_out_of_order_make_one_activity_of_the_newest() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.crew().await;
    let first = Card::new("t-1", 1);
    let second = first.edited(301);
    let third = second.edited(302);
    for card in [&first, &first, &third, &second] {
        stack.publish("timecard.approved", &card.json(&company)).await;
    }
    stack.all_synced(&company, std::slice::from_ref(&third), SOON).await;
    let calls = stack.sandbox().counters(&company.realm).await["rest"]["TimeActivity"].clone();
    let other = Card::new("t-2", 2);
    for card in [&third, &second, &first, &third, &other] {
        stack.publish("timecard.approved", &card.json(&company)).await;
    }
    stack.all_synced(&company, std::slice::from_ref(&other), SOON).await;
    let after = stack.sandbox().counters(&company.realm).await["rest"]["TimeActivity"].clone();
    let one_more = calls["create"].as_u64().map(|creates| creates + 1);
    assert_eq!(after["create"].as_u64(), one_more, "{calls} {after}");
    assert_eq!(after["update"], calls["update"], "{calls} {after}");
    stack.exactly_once(&company, &[third, other]).await;
}

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
