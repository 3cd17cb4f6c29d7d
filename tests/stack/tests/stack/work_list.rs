//! The work list and the doorbell: one drain per company at a time, nothing lost, few rings, crashes
//! counted, urgent work first, and retries on the ladder (S7, S11, R1's ladder, issue 2).
//!
//! [`waiting`]: what waits, and what makes it go on.

mod waiting;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stack_tests::stack::cards::Card;
use stack_tests::stack::company::Company;
use stack_tests::stack::control::at;
use stack_tests::stack::stored::text;
use stack_tests::stack::{Stack, eventually};

/// Time for a few cards to go out.
const SOON: Duration = Duration::from_secs(45);
/// What an urgent job may take to start (S7).
const URGENT: Duration = Duration::from_secs(30);
/// Places for companies on the stage `local` (`samconfig.toml`, WorkerConcurrency).
const PLACES: usize = 4;
/// Rings that 5,000 timecards may cause, at most (issue 2).
const MOST_RINGS: usize = 49;

/// Rings for a company, as a message does that is delivered twice.
async fn ring(stack: &Stack, company: &Company) {
    let body = json!({
        "QueueUrl": stack.is.queues["Doorbell"],
        "MessageBody": json!({ "companyId": company.id }).to_string(),
    });
    let (status, answer) = stack.aws("sqs", "SendMessage", &body).await;
    assert_eq!(status, 200, "{answer}");
}

/// Changes some of a company's settings.
async fn set(stack: &Stack, company: &Company, changes: &Value) {
    let mut body = changes.clone();
    body["companyId"] = company.id.clone().into();
    let path = format!("/settings?companyId={}", company.id);
    stack.put(&company.admin, &path, &body).await.ok();
}

/// Every create of a company's TimeActivities meets this fault, until told otherwise.
async fn always(stack: &Stack, company: &Company, fault: &Value) {
    let mut all = json!({
        "method": "POST", "path": "/timeactivity", "realm": company.realm, "times": 1_000_000,
    });
    for (name, value) in fault.as_object().into_iter().flatten() {
        all[name] = value.clone();
    }
    stack.sandbox().fault(&all).await;
}

/// Creates that QuickBooks was asked for.
async fn creates(stack: &Stack, company: &Company) -> u64 {
    let counters = stack.sandbox().counters(&company.realm).await;
    counters["rest"]["TimeActivity"]["create"].as_u64().unwrap_or_default()
}

/// Waits until a card has one of these statuses, and answers its errors.
async fn becomes(stack: &Stack, company: &Company, card: &Card, wanted: &str) -> Value {
    eventually(&format!("{} to be {wanted}", card.id), SOON, async || {
        let record = stack.records(company).await.remove(&card.id)?;
        (record.status == wanted).then_some(record.errors)
    })
    .await
}

#[tokio::test]
async fn a_ring_for_a_company_that_is_being_drained_only_asks_for_another_look() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.crew().await;
    let card = Card::new("t-1", 1);
    always(&stack, &company, &json!({ "delayMs": 5000 })).await;
    stack.deliver(&company, std::slice::from_ref(&card)).await;
    eventually("the send", SOON, async || {
        (stack.open_sends(&company).await.len() == 1).then_some(())
    })
    .await;
    let before = stack.company_row(&company).await;
    assert_eq!(before["again"], false, "{before}");
    ring(&stack, &company).await;
    let during = eventually("again", SOON, async || {
        let row = stack.company_row(&company).await;
        (row["again"] == true).then_some(row)
    })
    .await;
    assert_eq!(during["leaseOwner"], before["leaseOwner"]);
    stack.all_synced(&company, std::slice::from_ref(&card), SOON).await;
    let after = stack.company_row(&company).await;
    assert_eq!(after["fence"], before["fence"], "one holder of the lease did it all");
    assert_eq!(creates(&stack, &company).await, 1);
    stack.exactly_once(&company, &[card]).await;
}

#[tokio::test]
async fn a_dead_workers_company_is_drained_when_its_lease_has_run_out() {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.crew().await;
    stack.let_others_rest(&[&company]).await;
    let cards = Card::several("t", 2);
    let mut order = at("sync-worker", "before");
    order["path"] = company.realm.clone().into();
    stack.control().crash(&order).await;
    stack.deliver(&company, &cards).await;
    eventually("the crash", SOON, async || (stack.control().applied().await == 1).then_some(()))
        .await;
    let row = stack.company_row(&company).await;
    stack.sandbox().advance(60).await;
    assert_eq!(stack.sweep().await["rung"], 0, "the lease is not over yet");
    stack.clock_reaches(row["leaseUntil"].as_i64().unwrap()).await;
    assert_eq!(stack.sweep().await["rung"], 1);
    let after = eventually("a successor", SOON, async || {
        let row = stack.company_row(&company).await;
        row.get("leaseOwner").is_none().then_some(row)
    })
    .await;
    assert_eq!(after["fence"].as_u64(), row["fence"].as_u64().map(|fence| fence + 1));
    for entry in stack.open_sends(&company).await {
        assert_eq!(entry["crashes"], 1, "{entry}");
    }
    assert_eq!(stack.activities(&company).await, Vec::<Value>::new(), "too early to send again");
    stack.dust_settles(&[&company]).await;
    stack.exactly_once(&company, &cards).await;
}

#[tokio::test]
async fn a_card_that_stops_four_workers_is_set_aside_and_the_others_go_out() {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.crew().await;
    stack.let_others_rest(&[&company]).await;
    let cards = Card::several("t", 3);
    let poison = &cards[1];
    let calls = format!("{}/timeactivity", company.realm);
    let mut order = at("sync-worker", "before");
    order["path"] = calls.clone().into();
    stack.control().crash(&order).await;
    stack.deliver(&company, &cards).await;
    let stopped = async |times: u64| {
        eventually("a stopped worker, or its end", SOON, async || {
            let done = stack.company_row(&company).await.get("leaseOwner").is_none();
            (done || stack.control().applied().await == times).then_some(())
        })
        .await;
    };
    eventually("the crash", SOON, async || (stack.control().applied().await == 1).then_some(()))
        .await;
    let open = stack.open_sends(&company).await;
    let sent = open.iter().find(|entry| text(entry, "record").ends_with(&poison.id)).unwrap();
    order["path"] = format!("{calls}.*requestid={}", text(sent, "requestId")).into();
    order["calls"] = 10.into();
    stack.control().clear_rules().await;
    stack.control().crash(&order).await;
    for round in 0..8 {
        if !stack.dead_letters(&company).await.is_empty() {
            break;
        }
        let row = stack.company_row(&company).await;
        let next = row["nextDue"].as_i64().max(row["leaseUntil"].as_i64());
        stack.clock_reaches(next.expect("something is due")).await;
        let killed = stack.control().applied().await;
        stack.sweep().await;
        stopped(killed + 1).await;
        assert!(round < 7, "still not set aside: {:?}", stack.open_sends(&company).await);
    }
    stack.control().clear_rules().await;
    stack.dust_settles(&[&company]).await;
    let dead = stack.dead_letters(&company).await;
    assert_eq!(dead.into_iter().collect::<Vec<_>>(), [(poison.id.clone(), "poison".to_owned())]);
    let records = stack.records(&company).await;
    assert_eq!(records[&poison.id].status, "dead");
    assert_eq!(records[&poison.id].errors[0]["code"], "poison");
    for card in [&cards[0], &cards[2]] {
        assert_eq!(records[&card.id].status, "synced", "{}", card.id);
    }
    assert_eq!(stack.activities(&company).await.len(), 2);
}

/// Half of them over the bus, half in lists of 500. QuickBooks is slow meanwhile, so that most of them
/// wait; none may be lost.
#[tokio::test]
async fn five_thousand_timecards_in_one_burst_cause_a_few_rings_and_none_is_lost() {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.crew().await;
    stack.let_others_rest(&[&company]).await;
    always(&stack, &company, &json!({ "delayMs": 6000 })).await;
    let cards = Card::several("t", 5000);
    let mark = stack.control().mark().await;
    let began = Instant::now();
    let (posted, published) = cards.split_at(2500);
    tokio::join!(stack.deliver(&company, posted), stack.publish_cards(&company, published));
    let stored = eventually("5,000 records", Duration::from_mins(2), async || {
        let records = stack.records(&company).await;
        (records.len() == cards.len() && stack.depth("Intake").await == (0, 0)).then_some(records)
    })
    .await;
    let took = began.elapsed();
    let rings = stack
        .control()
        .log(mark)
        .await
        .iter()
        .flat_map(|call| call.uses.iter())
        .filter(|used| used.action == "sqs:SendMessage" && used.resource.contains("Doorbell"))
        .count();
    println!("5,000 timecards in {} s: {rings} rings", took.as_secs());
    assert!(rings <= MOST_RINGS, "{rings} rings");
    let synced = stored.values().filter(|record| record.status == "synced").count();
    let waiting = stack.timecard_work(&company).await.len();
    assert!(waiting + synced >= cards.len(), "{waiting} wait, {synced} went out");
    set(&stack, &company, &json!({ "liveSync": false })).await;
    stack.sandbox().clear_faults().await;
    stack.idle(&[&company]).await;
}

/// With a backlog in every place, and one company more.
#[tokio::test]
async fn an_urgent_timecard_does_not_wait_for_other_companies_backlogs() {
    let (stack, _alone) = Stack::alone().await;
    let companies = stack.crews(PLACES + 1).await;
    let all: Vec<&Company> = companies.iter().collect();
    stack.let_others_rest(&all).await;
    for company in &all {
        always(&stack, company, &json!({ "body": "backlog", "delayMs": 8000 })).await;
        stack.deliver(company, &Card::several("backlog", 80)).await;
    }
    let waiting = eventually("a backlog in every place", SOON, async || {
        let (mut held, mut waiting) = (0, None);
        for company in &all {
            match stack.company_row(company).await.get("leaseOwner") {
                Some(_) => held += 1,
                None => waiting = Some(*company),
            }
        }
        waiting.filter(|_| held == PLACES)
    })
    .await;
    let urgent = Card::new("urgent-1", 1);
    let began = Instant::now();
    stack.deliver(waiting, std::slice::from_ref(&urgent)).await;
    let body = json!({ "companyId": waiting.id, "timecardIds": [urgent.id] });
    stack.post(&waiting.admin, "/sync-now", &body).await.ok();
    eventually("the urgent timecard", URGENT, async || {
        let record = stack.records(waiting).await.remove(&urgent.id)?;
        (record.status == "synced").then_some(())
    })
    .await;
    println!("the urgent timecard took {:.1} s", began.elapsed().as_secs_f64());
    let records = stack.records(waiting).await;
    let backlog = records.iter().filter(|(id, _)| id.starts_with("backlog"));
    let wait = backlog.filter(|(_, record)| record.status == "pending").count();
    assert_eq!(wait, 80, "its company's backlog had no place");
    for company in &all {
        set(&stack, company, &json!({ "liveSync": false })).await;
    }
    stack.sandbox().clear_faults().await;
    stack.idle(&all).await;
}

#[tokio::test]
async fn an_urgent_timecard_overtakes_its_own_companys_backlog() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.crew().await;
    stack.deliver(&company, &Card::several("backlog", 300)).await;
    eventually("the drain", SOON, async || (creates(&stack, &company).await > 0).then_some(()))
        .await;
    let urgent = Card::new("urgent-1", 1);
    let began = Instant::now();
    stack.deliver(&company, std::slice::from_ref(&urgent)).await;
    let body = json!({ "companyId": company.id, "timecardIds": [urgent.id] });
    stack.post(&company.admin, "/sync-now", &body).await.ok();
    eventually("the urgent timecard", URGENT, async || {
        let record = stack.records(&company).await.remove(&urgent.id)?;
        (record.status == "synced").then_some(())
    })
    .await;
    println!("the urgent timecard took {:.1} s", began.elapsed().as_secs_f64());
    assert!(stack.timecard_work(&company).await.len() > 100, "it came when its turn came");
    set(&stack, &company, &json!({ "liveSync": false })).await;
}
