//! Another QuickBooks company after the end: nothing of the old books is touched, and no id of theirs is
//! used in the new ones (design: an admin starts over, ids and mappings archived).

use std::time::Duration;

use serde_json::{Value, json};
use stack_tests::stack::api::{Answer, Caller};
use stack_tests::stack::cards::{Card, mapping, settings};
use stack_tests::stack::company::Company;
use stack_tests::stack::control::at;
use stack_tests::stack::stored::text;
use stack_tests::stack::{Stack, eventually};

use super::disconnect::{audited, disconnect};
use super::refused;
use crate::outside::{Visitor, callback, first_import, problem, status};

const SOON: Duration = Duration::from_secs(45);

async fn reset(stack: &Stack, company: &Company, realm: &Value) -> Answer {
    let body = json!({ "companyId": company.id, "realmId": realm });
    stack.post(&company.admin, "/reset", &body).await
}

/// The same company with other books.
async fn other_books(stack: &Stack, company: &Company) -> Company {
    Company { realm: stack.company("demo").await.realm, ..company.clone() }
}

/// Connects, names everybody anew, and goes live from a day on.
async fn go_live(stack: &Stack, company: &Company, from: &str) {
    stack.connect(company).await;
    first_import(stack, company).await;
    let path = |what: &str| format!("/{what}?companyId={}", company.id);
    let body = json!({ "companyId": company.id, "mapping": mapping() });
    stack.put(&company.admin, &path("mapping"), &body).await.ok();
    let mut live = settings();
    live["companyId"] = company.id.clone().into();
    live["syncFrom"] = from.into();
    stack.put(&company.admin, &path("settings"), &live).await.ok();
}

async fn read(stack: &Stack, company: &Company, what: &str) -> Value {
    stack.get(&company.admin, &format!("/{what}?companyId={}", company.id)).await.ok()
}

async fn row(stack: &Stack, company: &Company, card: &Card) -> Value {
    let key =
        json!({ "company": { "S": company.id }, "item": { "S": format!("timecard#{}", card.id) } });
    stack.item("Records", &key).await
}

#[tokio::test]
async fn a_company_that_starts_over_uses_no_id_of_the_books_it_left() {
    let (stack, _alone) = Stack::alone().await;
    let old = stack.crew().await;
    stack.let_others_rest(&[&old]).await;
    // Their days are 2 to 5 November. The last one's answer is lost, so its send stays open.
    let cards = Card::several("t", 4);
    let cut = json!({
        "method": "POST", "path": "/timeactivity", "realm": old.realm,
        "body": format!("Work for {},", cards[3].id), "cut": "after",
    });
    stack.sandbox().fault(&cut).await;
    stack.deliver(&old, &cards).await;
    stack.all_synced(&old, &cards[..3], SOON).await;
    assert_eq!(stack.open_sends(&old).await.len(), 1);
    let old_books = stack.activities(&old).await;
    assert_eq!(old_books.len(), 4);
    let old_id = |card: &Card| {
        let notes = card.notes.clone();
        let found = old_books.iter().find(|row| text(row, "Description").starts_with(&notes));
        text(found.expect("it is in the old books"), "Id").to_owned()
    };

    // Not by mistake: the connection is ended first, and the books to leave are named.
    let left = json!(old.realm);
    problem(&reset(&stack, &old, &left).await, 409, "still-connected");
    disconnect(&stack, &old).await.ok();
    let new = other_books(&stack, &old).await;
    let mut visitor = Visitor::default();
    let back = callback(&stack, &new, &mut visitor).await;
    refused(&visitor.open(&stack, &back).await, 409, "another QuickBooks company before");
    for (realm, code) in [
        (Value::Null, "missing"),
        (json!(7), "wrong-type"),
        (json!("books"), "invalid-id"),
        (json!(new.realm), "other-realm"),
    ] {
        let problem = problem(&reset(&stack, &old, &realm).await, 422, "invalid-request");
        assert_eq!(problem["errors"][0]["code"], code, "{problem}");
    }
    assert_eq!(read(&stack, &old, "mapping").await["version"], 1);

    let done = reset(&stack, &old, &left).await.ok();
    assert_eq!(done["formerRealmId"], old.realm.as_str());
    assert_eq!(status(&stack, &old).await["startedOverAt"], done["startedOverAt"]);
    let other = Caller::Companies(format!("{0}:admin other:viewer", old.id));
    let body = json!({ "companyId": old.id, "realmId": old.realm });
    assert_eq!(stack.post(&other, "/reset", &body).await.ok(), done, "said twice");
    let rows = audited(&stack, &old, "started-over").await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(text(&rows[0], "actor"), format!("user of {}:admin", old.id));
    let mapping = read(&stack, &old, "mapping").await;
    assert_eq!((&mapping["version"], &mapping["employeeMapping"]), (&json!(2), &json!([])));
    let before = stack.stored("Mappings", &old.id, "version#0000000001").await;
    assert!(text(&before[0], "body").contains("w-27"), "the mapping as it was stays");
    let settings = read(&stack, &old, "settings").await;
    assert_eq!((&settings["liveSync"], &settings["syncFrom"]), (&json!(false), &Value::Null));
    assert_eq!(settings["timeZone"], "America/Denver");

    // Edits of what the old books have, one of a day before the new books begin.
    let edits = [cards[0].edited(301), cards[2].edited(302)];
    stack.deliver(&old, &edits).await;
    go_live(&stack, &new, "2026-11-04").await;
    let theirs = [edits[1].clone(), cards[3].clone()];
    stack.all_synced(&new, &theirs, SOON).await;
    let by_id = json!({ "timecardIds": [cards[1].id] });
    let job = stack.job(&new, &by_id, SOON).await;
    assert_eq!(job["status"], "completed", "{job}");
    // The send whose outcome is not known waits for the old books to come back.
    let wrong = stack.not_exactly_once(&new, &theirs).await;
    assert!(wrong.len() == 1 && wrong[0].starts_with("open: "), "{}", wrong.join("\n"));
    let records = stack.records(&new).await;
    assert_eq!(records[&edits[0].id].status, "beforeStart");
    assert_eq!(records[&cards[1].id].status, "synced", "entered in the old books, and not again");
    assert_eq!(stack.activities(&old).await, old_books, "nobody touches the books that were left");
    let moved = row(&stack, &new, &edits[1]).await;
    assert_eq!(moved["realm"], new.realm.as_str(), "{moved}");
    assert_eq!(moved["former"][0]["realm"], old.realm.as_str(), "{moved}");
    assert_eq!(moved["former"][0]["quickBooks"]["id"], old_id(&edits[1]), "{moved}");

    // Back in the old books, their ids count again, and what was open is settled and not entered anew.
    disconnect(&stack, &new).await.ok();
    reset(&stack, &new, &json!(new.realm)).await.ok();
    go_live(&stack, &old, "2026-11-01").await;
    let again = edits[1].edited(303);
    stack.deliver(&old, std::slice::from_ref(&again)).await;
    stack.all_synced(&old, std::slice::from_ref(&again), SOON).await;
    stack.dust_settles(&[&old]).await;
    let all = [edits[0].clone(), cards[1].clone(), again.clone(), cards[3].clone()];
    stack.exactly_once(&old, &all).await;
    let books = stack.activities(&old).await;
    let changed = books.iter().find(|row| text(row, "Id") == old_id(&again)).unwrap();
    assert_eq!(again.differences(changed), Vec::<String>::new());
}

/// The old books have employee 55, the new ones have not. Somebody saves the old mapping again.
#[tokio::test]
async fn names_of_the_books_it_left_count_for_nothing() {
    let (stack, _shared) = Stack::shared().await;
    let old = stack.crew().await;
    disconnect(&stack, &old).await.ok();
    reset(&stack, &old, &json!(old.realm)).await.ok();
    let new = Company { realm: stack.company("empty").await.realm, ..old.clone() };
    go_live(&stack, &new, "2026-11-01").await;
    let card = Card::new("t", 1);
    stack.deliver(&new, std::slice::from_ref(&card)).await;
    let errors = eventually("the card to fail", SOON, async || {
        let records = stack.records(&new).await;
        let record = records.get(&card.id).filter(|record| record.status != "pending")?;
        Some(record.errors.clone())
    })
    .await;
    let codes: Vec<&str> =
        errors.as_array().into_iter().flatten().map(|error| text(error, "code")).collect();
    assert_eq!(codes, ["not-in-quickbooks", "not-in-quickbooks"], "{errors}");
    assert!(stack.activities(&new).await.is_empty());
}

/// A mapping that nobody ever saved has version 0, before and after, unless the reset saves an empty one:
/// then whoever began on the old books and names what they saw is refused.
#[tokio::test]
async fn a_first_mapping_that_was_begun_for_the_old_books_is_refused_after_starting_over() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("demo").await;
    stack.connect(&company).await;
    first_import(&stack, &company).await;
    let seen = read(&stack, &company, "mapping").await["version"].clone();
    assert_eq!(seen, 0);
    disconnect(&stack, &company).await.ok();
    reset(&stack, &company, &json!(company.realm)).await.ok();
    let new = other_books(&stack, &company).await;
    stack.connect(&new).await;
    first_import(&stack, &new).await;
    let path = format!("/mapping?companyId={}", company.id);
    let mut late = json!({ "companyId": company.id, "mapping": mapping() });
    late["mapping"]["version"] = seen;
    problem(&stack.put(&company.admin, &path, &late).await, 409, "changed-meanwhile");
    let is = read(&stack, &company, "mapping").await;
    assert_eq!((&is["version"], &is["employeeMapping"]), (&json!(1), &json!([])));
    late["mapping"]["version"] = 1.into();
    stack.put(&company.admin, &path, &late).await.ok();
}

/// Whoever dies in the middle, or asks at the same time, leaves all of it done or nothing.
#[tokio::test]
async fn a_reset_that_breaks_off_is_whole_or_nothing() {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.crew().await;
    disconnect(&stack, &company).await.ok();
    let realm = json!(company.realm);
    let mut broke_off = 0;
    for call in 1..=20 {
        let mapped = read(&stack, &company, "mapping").await["version"].clone();
        for when in ["before", "after"] {
            let mut order = at("connection", when);
            order["nth"] = call.into();
            order["calls"] = 1.into();
            stack.control().crash(&order).await;
            let answer = reset(&stack, &company, &realm).await;
            let applied = stack.control().applied().await > 0;
            stack.control().clear_rules().await;
            broke_off += u32::from(applied);
            let is = status(&stack, &company).await;
            let settings = read(&stack, &company, "settings").await;
            let mapping = read(&stack, &company, "mapping").await;
            let done = is["startedOverAt"].is_string();
            assert_eq!(settings["liveSync"] == false, done, "{when} call {call}: {settings}");
            assert_eq!(mapping["employeeMapping"] == json!([]), done, "{when} call {call}");
            if !applied {
                let ok = answer.ok();
                assert_eq!(ok["startedOverAt"], is["startedOverAt"]);
                let rows = audited(&stack, &company, "started-over").await;
                assert_eq!(rows.len(), 1, "{rows:?}");
                assert!(broke_off >= 6, "only {broke_off} calls broke off");
                assert_eq!(mapped, mapping["version"], "once");
                return;
            }
        }
    }
    panic!("it broke off at each of 20 calls");
}
