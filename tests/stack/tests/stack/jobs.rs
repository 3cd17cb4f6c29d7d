//! Sync jobs: what `POST /sync-now` takes, what `GET /sync-status` tells, and imports (S7, and the
//! reading of S3 to S5 as far as jobs need it).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};
use stack_tests::stack::cards::Card;
use stack_tests::stack::company::Company;
use stack_tests::stack::control::at;
use stack_tests::stack::stored::text;
use stack_tests::stack::{Stack, eventually};

/// Time for a job over a few records.
const SOON: Duration = Duration::from_secs(45);

/// Asks for a job; answers its id.
async fn ask(stack: &Stack, company: &Company, wanted: &Value) -> String {
    let mut body = wanted.clone();
    body["companyId"] = company.id.clone().into();
    let answer = stack.post(&company.admin, "/sync-now", &body).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let answer = answer.json();
    assert_eq!(answer["message"], "Sync job queued");
    text(&answer, "jobId").to_owned()
}

async fn status(stack: &Stack, company: &Company, job: &str) -> Value {
    stack.get(&company.admin, &format!("/sync-status/{job}")).await.ok()
}

/// The three counts of a job's results, in the order synced, failed, nothing to do.
fn counts(status: &Value) -> [u64; 3] {
    let results = &status["results"];
    ["synced", "failed", "nothingToDo"].map(|name| results[name].as_u64().unwrap_or(u64::MAX))
}

#[tokio::test]
async fn a_jobs_progress_never_goes_back_and_its_counts_are_exact() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.crew().await;
    let mut cards = Card::several("t", 44);
    for (number, card) in cards.iter_mut().enumerate() {
        // Every eleventh is of a worker whom nobody mapped.
        card.worker = if number % 11 == 5 { 99 } else { card.worker };
    }
    stack.deliver(&company, &cards).await;
    let ids: Vec<&str> = cards.iter().map(|card| card.id.as_str()).collect();
    let job = ask(&stack, &company, &json!({ "timecardIds": ids })).await;
    let seen: Mutex<Vec<Value>> = Mutex::default();
    let last = eventually("the job", SOON, async || {
        let status = status(&stack, &company, &job).await;
        seen.lock().unwrap().push(status.clone());
        status["completedAt"].is_string().then_some(status)
    })
    .await;
    let seen = seen.into_inner().unwrap();
    let progress: Vec<u64> =
        seen.iter().map(|status| status["progress"].as_u64().unwrap()).collect();
    assert!(progress.is_sorted(), "{progress:?}");
    for status in &seen {
        assert_eq!(status["total"], 44, "{status}");
        let over = status["completedAt"].is_string();
        assert_eq!(status["progress"] == 100, over, "{status}");
        let word = text(status, "status");
        assert!(["pending", "running", "completed"].contains(&word), "{status}");
        assert_eq!(word == "completed", over, "{status}");
        assert_eq!(word == "pending", status["startedAt"].is_null(), "{status}");
    }
    assert_eq!(counts(&last), [40, 4, 0], "{last}");
    let named: BTreeSet<&str> = last["results"]["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| text(row, "record"))
        .collect();
    assert_eq!(named, BTreeSet::from(["t-5", "t-16", "t-27", "t-38"]), "{last}");
    let error = &last["results"]["errors"][0]["errors"][0];
    assert_eq!((&error["field"], &error["code"]), (&json!("workerId"), &json!("not-mapped")));
    let times = ["createdAt", "startedAt", "completedAt"].map(|name| text(&last, name).to_owned());
    assert!(times.is_sorted() && !times[0].is_empty(), "{times:?}");
}

#[tokio::test]
async fn a_timecard_counts_for_each_job_that_names_it() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.crew().await;
    let slow = json!({ "realm": company.realm, "path": "/timeactivity", "delayAfterMs": 2000 });
    stack.sandbox().fault(&slow).await;
    let cards = Card::several("t", 2);
    stack.deliver(&company, &cards).await;
    let wanted = json!({ "timecardIds": ["t-0", "t-1"] });
    let jobs = [ask(&stack, &company, &wanted).await, ask(&stack, &company, &wanted).await];
    for job in jobs {
        let done = eventually("the job", SOON, async || {
            let status = status(&stack, &company, &job).await;
            status["completedAt"].is_string().then_some(status)
        })
        .await;
        assert_eq!((done["total"].as_u64(), counts(&done)), (Some(2), [2, 0, 0]), "{done}");
    }
    stack.idle(&[&company]).await;
    stack.exactly_once(&company, &cards).await;
}

#[tokio::test]
async fn a_job_in_which_nothing_succeeds_has_failed() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.crew().await;
    let card = Card { worker: 99, ..Card::new("t-1", 1) };
    stack.deliver(&company, std::slice::from_ref(&card)).await;
    let job = stack.job(&company, &json!({ "timecardIds": [card.id] }), SOON).await;
    assert_eq!(job["status"], "failed", "{job}");
    assert_eq!((&job["progress"], counts(&job)), (&json!(100), [0, 1, 0]));
}

#[tokio::test]
async fn a_job_covers_the_entities_that_move_in_its_direction() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.crew().await;
    let card = Card::new("t-1", 1);
    let refused = json!({
        "realm": company.realm, "path": "/timeactivity", "status": 400, "faultCode": "6000",
    });
    stack.sandbox().fault(&refused).await;
    stack.deliver(&company, std::slice::from_ref(&card)).await;
    eventually("the refusal", SOON, async || {
        (stack.records(&company).await[&card.id].status == "failed").then_some(())
    })
    .await;
    let names = ["customers", "classes", "employees", "items"];
    let sorted = |status: &Value| {
        let names = status["entities"].as_array().unwrap().iter();
        names.map(|name| name.as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    let queries = async || {
        let rest = stack.sandbox().counters(&company.realm).await["rest"].clone();
        ["Customer", "Class", "Employee", "Item"]
            .map(|entity| rest[entity]["query"].as_u64().unwrap_or_default())
    };
    let before = queries().await;

    let wanted = json!({ "direction": "in", "priority": "background", "type": "full" });
    let inward = stack.job(&company, &wanted, SOON).await;
    assert_eq!(sorted(&inward), BTreeSet::from(names.map(str::to_owned)));
    assert_eq!((inward["total"].as_u64(), counts(&inward)), (Some(4), [4, 0, 0]), "{inward}");
    assert_eq!(queries().await, before.map(|count| count + 1));
    assert_eq!(stack.records(&company).await[&card.id].status, "failed", "not of this job");

    let wanted = json!({ "entities": ["items"], "direction": "both", "priority": "normal" });
    let items = stack.job(&company, &wanted, SOON).await;
    assert_eq!((items["total"].as_u64(), counts(&items)), (Some(1), [1, 0, 0]), "{items}");
    assert_eq!(queries().await, [1, 1, 1, 2].map(|more| before[0] + more));

    let wanted = json!({ "direction": "out", "priority": "urgent" });
    let out = stack.job(&company, &wanted, SOON).await;
    assert_eq!(sorted(&out), BTreeSet::from(["timecards".to_owned()]));
    assert_eq!((out["total"].as_u64(), counts(&out)), (Some(1), [1, 0, 0]), "{out}");
    stack.idle(&[&company]).await;
    stack.exactly_once(&company, std::slice::from_ref(&card)).await;

    let all = stack.job(&company, &json!({}), SOON).await;
    assert_eq!((all["total"].as_u64(), counts(&all)), (Some(4), [4, 0, 0]), "{all}");
    let nothing = stack.job(&company, &json!({ "direction": "out" }), SOON).await;
    assert_eq!((nothing["total"].as_u64(), counts(&nothing)), (Some(0), [0, 0, 0]), "{nothing}");
    assert_eq!((&nothing["status"], &nothing["progress"]), (&json!("completed"), &json!(100)));
}

/// Names as they must have been imported: active or not, by Id.
async fn imported(stack: &Stack, company: &Company, path: &str) -> BTreeMap<String, bool> {
    let rows = stack.stored("Records", &company.id, &format!("{path}#")).await;
    rows.iter().map(|row| (text(row, "id").to_owned(), row["active"] == true)).collect()
}

/// More than QuickBooks answers in one page (1,000). The employees were all made in the same second,
/// as after an import there; the customers one after the other.
#[tokio::test]
async fn an_import_brings_everybody_also_the_inactive_and_beyond_one_page() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("demo").await;
    stack.connect(&company).await;
    let employees: Vec<Value> = (0..1205)
        .map(|n| {
            json!({
                "Id": format!("{}", 10_000 + n), "DisplayName": format!("Crew {n} O'Neil"),
                "Active": n % 10 != 0, "MetaData": { "CreateTime": "2026-05-04T12:00:00Z" },
            })
        })
        .collect();
    let customers: Vec<Value> = (0..1050)
        .map(|n| {
            let time = format!("2026-05-{:02}T{:02}:{:02}:00Z", n % 28 + 1, n % 24, n % 60);
            json!({
                "Id": format!("{}", 20_000 + n), "DisplayName": format!("Site {n} & Sons"),
                "Active": n % 7 != 0, "MetaData": { "CreateTime": time },
            })
        })
        .collect();
    stack.sandbox().store(&company.realm, "Employee", &employees.into()).await;
    stack.sandbox().store(&company.realm, "Customer", &customers.into()).await;
    let wanted =
        json!({ "entities": ["employees", "customers"], "direction": "in", "type": "full" });
    let job = stack.job(&company, &wanted, Duration::from_mins(1)).await;
    assert_eq!((job["total"].as_u64(), counts(&job)), (Some(2), [2, 0, 0]), "{job}");
    for (entity, path, least) in [("Employee", "employee", 1205), ("Customer", "customer", 1050)] {
        let there: BTreeMap<String, bool> = stack
            .sandbox()
            .entities(&company.realm, entity)
            .await
            .iter()
            .map(|row| (text(row, "Id").to_owned(), row["Active"] == true))
            .collect();
        assert!(there.len() > least, "{}", there.len());
        assert_eq!(imported(&stack, &company, path).await, there, "{entity}");
        let calls = stack.sandbox().counters(&company.realm).await["rest"][entity].clone();
        assert!(calls["query"].as_u64() >= Some(2), "{entity}: {calls}");
    }
    // A second time changes nothing, and notices who left.
    let left = json!([{ "Id": "10001", "Active": false }, { "Id": "55", "Active": false }]);
    stack.sandbox().store(&company.realm, "Employee", &left).await;
    let wanted = json!({ "entities": ["employees"], "direction": "in" });
    stack.job(&company, &wanted, Duration::from_mins(1)).await;
    let after = imported(&stack, &company, "employee").await;
    assert_eq!((after["10001"], after["55"], after["10002"]), (false, false, true));
}

#[tokio::test]
async fn an_import_that_quickbooks_refuses_is_listed_with_what_to_do() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("demo").await;
    stack.connect(&company).await;
    stack.idle(&[&company]).await;
    let refused = json!({
        "realm": company.realm, "path": "(?i)from(%20|\\+| )employee", "status": 403,
        "faultCode": "5020", "faultMessage": "Permission Denied Error",
    });
    stack.sandbox().fault(&refused).await;
    let wanted = json!({ "entities": ["employees", "customers"], "direction": "in" });
    let job = stack.job(&company, &wanted, SOON).await;
    assert_eq!((&job["status"], counts(&job)), (&json!("completed"), [1, 1, 0]), "{job}");
    let error = &job["results"]["errors"][0];
    assert_eq!(error["record"], "employee", "{job}");
    assert_eq!(error["errors"][0]["code"], "quickbooks-5020", "{job}");
    assert!(!text(&error["errors"][0], "fix").is_empty(), "{job}");
}

/// An import that may heal is tried again on the ladder, and its job waits for it.
#[tokio::test]
async fn a_job_waits_for_an_import_that_is_tried_again() {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.crew().await;
    stack.let_others_rest(&[&company]).await;
    let down = json!({ "realm": company.realm, "path": "/query", "status": 503 });
    stack.sandbox().fault(&down).await;
    let job = ask(&stack, &company, &json!({ "entities": ["items"], "direction": "in" })).await;
    eventually("the failed import", SOON, async || {
        let counters = stack.sandbox().counters(&company.realm).await;
        counters["byStatus"]["503"].is_number().then_some(())
    })
    .await;
    stack.idle(&[&company]).await;
    let waiting = status(&stack, &company, &job).await;
    assert_eq!((&waiting["completedAt"], &waiting["progress"]), (&Value::Null, &json!(0)));
    let due = stack.company_row(&company).await["nextDue"].as_i64().expect("a retry");
    stack.clock_reaches(due).await;
    stack.sweep().await;
    let done = eventually("the job", SOON, async || {
        let status = status(&stack, &company, &job).await;
        status["completedAt"].is_string().then_some(status)
    })
    .await;
    assert_eq!((&done["status"], counts(&done)), (&json!("completed"), [1, 0, 0]), "{done}");
}

/// Killed while it plans, and killed right after it counted.
#[tokio::test]
async fn a_job_counts_each_timecard_once_although_the_worker_dies() {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.crew().await;
    stack.let_others_rest(&[&company]).await;
    let mut sent = Vec::new();
    let work = format!("table/{}", stack.table("Work"));
    let jobs = format!("table/{}", stack.table("Jobs"));
    for (point, action, resource) in [
        ("planning", "dynamodb:PartiQLInsert", &work),
        ("planned", "dynamodb:UpdateItem", &jobs),
        ("counting", "dynamodb:TransactWriteItems", &jobs),
    ] {
        let cards = Card::several(point, 6);
        let refused = json!({
            "realm": company.realm, "path": "/timeactivity", "status": 400, "faultCode": "6000",
            "times": cards.len(),
        });
        stack.sandbox().fault(&refused).await;
        stack.deliver(&company, &cards).await;
        sent.extend(cards.clone());
        eventually("six refusals", SOON, async || {
            let records = stack.records(&company).await;
            cards.iter().all(|card| records[&card.id].status == "failed").then_some(())
        })
        .await;
        stack.idle(&[&company]).await;
        let mut order = at("sync-worker", "after");
        order["action"] = action.into();
        order["resource"] = resource.clone().into();
        stack.control().crash(&order).await;
        let job = ask(&stack, &company, &json!({ "direction": "out" })).await;
        eventually(&format!("the crash {point}"), SOON, async || {
            (stack.control().applied().await == 1).then_some(())
        })
        .await;
        stack.control().clear_rules().await;
        let row = stack.company_row(&company).await;
        let until = row["leaseUntil"].as_i64().max(row["nextDue"].as_i64());
        stack.clock_reaches(until.expect("a lease")).await;
        stack.sweep().await;
        stack.dust_settles(&[&company]).await;
        let done = eventually(&format!("the job that died {point}"), SOON, async || {
            let status = status(&stack, &company, &job).await;
            status["completedAt"].is_string().then_some(status)
        })
        .await;
        assert_eq!(
            (done["total"].as_u64(), counts(&done)),
            (Some(6), [6, 0, 0]),
            "{point}: {done}"
        );
        stack.exactly_once(&company, &sent).await;
    }
}
