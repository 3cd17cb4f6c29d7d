//! Ending a connection: what goes, what stays, and whom it must not touch (C11).

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use stack_tests::stack::api::{Answer, Caller};
use stack_tests::stack::cards::Card;
use stack_tests::stack::company::Company;
use stack_tests::stack::control::at;
use stack_tests::stack::stored::text;
use stack_tests::stack::{Stack, eventually};

use super::access::tested;
use super::refused;
use crate::outside::{self, Visitor, callback, confirm, live_grants, secrets, status};

const MOMENT: Duration = Duration::from_secs(20);

pub(super) async fn disconnect(stack: &Stack, company: &Company) -> Answer {
    stack.delete(&company.admin, &format!("/disconnect?companyId={}", company.id)).await
}

/// The trail's rows of one action.
pub(super) async fn audited(stack: &Stack, company: &Company, action: &str) -> Vec<Value> {
    let mut rows = stack.stored("AuditLog", &company.id, "1").await;
    rows.retain(|row| text(row, "action") == action);
    rows
}

/// Whether nothing of a connection is left but the row that says when it ended.
async fn is_ended(stack: &Stack, company: &Company) {
    let row = outside::connection(stack, company, true).await;
    assert_eq!(text(&row, "status"), "disconnected", "{row}");
    for gone in ["liveShard", "activeShard", "warnAt", "cleanUpShard", "cleanUpAt", "refreshOwner"]
    {
        assert_eq!(row.get(gone), None, "{row}");
    }
    assert!(secrets(stack, &company.id).await.is_empty());
    let row = stack.company_row(company).await;
    assert_eq!((text(&row, "state"), row.get("nextDue")), ("paused", None), "{row}");
}

#[tokio::test]
async fn an_admin_ends_the_connection_and_the_history_stays() {
    let (stack, _shared) = Stack::shared().await;
    stack.listen().await;
    let company = stack.company("empty").await;
    stack.connect(&company).await;
    outside::first_import(&stack, &company).await;
    let before = stack.sandbox().now().await;
    let ended = disconnect(&stack, &company).await.ok();
    assert_eq!((&ended["success"], &ended["revokedAtIntuit"]), (&json!(true), &json!(true)));
    let at: jiff::Timestamp = text(&ended, "disconnectedAt").parse().unwrap();
    assert!(at.duration_since(before).as_secs() < 30, "{ended}");
    is_ended(&stack, &company).await;
    assert_eq!(live_grants(&stack, &company.realm).await, 0);

    // Said twice, it answers the same, and is told once.
    assert_eq!(disconnect(&stack, &company).await.ok(), ended);
    let rows = audited(&stack, &company, "disconnected").await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(text(&rows[0], "actor"), format!("user of {}:admin", company.id));
    assert_eq!(rows[0].get("expiresAt"), None, "kept as long as the company");
    eventually("connection.disconnected", MOMENT, async || {
        let events = stack.events(&company.id).await;
        events.into_iter().find(|event| event["detail-type"] == "connection.disconnected")
    })
    .await;

    let status = status(&stack, &company).await;
    assert_eq!((&status["connected"], &status["status"]), (&json!(false), &json!("disconnected")));
    assert_eq!(status["disconnectedAt"], ended["disconnectedAt"]);
    assert_eq!(status["disconnectedBy"], format!("user of {}:admin", company.id));
    assert_eq!(status["realmId"], company.realm.as_str());
    assert_eq!(status["tokenHealth"], Value::Null);
    assert!(!stack.stored("Records", &company.id, "item#").await.is_empty(), "names stay");
    assert_eq!(audited(&stack, &company, "connected").await.len(), 1, "history stays");
    let body = json!({ "companyId": company.id });
    for path in ["/test-connection", "/refresh", "/sync-now"] {
        let answer = stack.post(&company.admin, path, &body).await;
        outside::problem(&answer, 409, "not-connected");
    }
}

#[tokio::test]
async fn work_that_waited_goes_out_after_connecting_again() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.crew().await;
    disconnect(&stack, &company).await.ok();
    let cards = Card::several("t", 2);
    stack.deliver(&company, &cards).await;
    // A ring that comes all the same finds the company paused.
    let queue = stack.is.queues["Doorbell"].clone();
    let ring =
        json!({ "QueueUrl": queue, "MessageBody": json!({ "companyId": company.id }).to_string() });
    stack.aws("sqs", "SendMessage", &ring).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(stack.activities(&company).await.is_empty());
    let waiting = stack.records(&company).await;
    assert!(waiting.values().all(|record| record.status == "pending"), "{waiting:?}");

    stack.connect(&company).await;
    stack.all_synced(&company, &cards, Duration::from_secs(45)).await;
    stack.exactly_once(&company, &cards).await;
    assert_eq!(audited(&stack, &company, "reconnected").await.len(), 1);
    let status = status(&stack, &company).await;
    assert_eq!((&status["connected"], status.get("disconnectedAt")), (&json!(true), None));
    assert_eq!(secrets(&stack, &company.id).await.len(), 1);
}

#[tokio::test]
async fn only_an_admin_ends_a_connection_and_there_must_have_been_one() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    let path = format!("/disconnect?companyId={}", company.id);
    outside::problem(&disconnect(&stack, &company).await, 409, "not-connected");
    stack.connect(&company).await;
    for caller in [Caller::viewer(&company.id), Caller::service(), Caller::operator()] {
        outside::problem(&stack.delete(&caller, &path).await, 403, "role-not-allowed");
    }
    let stranger = Caller::admin("somebody-else");
    outside::problem(&stack.delete(&stranger, &path).await, 404, "company-not-found");
    outside::problem(&stack.delete(&company.admin, "/disconnect").await, 422, "invalid-request");
    let with_body = async |path: &str, body: &[u8], kind: &str| {
        let body = Some((kind, body.to_vec()));
        stack.call(&company.admin, Method::DELETE, path, body).await
    };
    let json = "application/json";
    outside::problem(&with_body("/disconnect", b"{}", json).await, 422, "invalid-request");
    outside::problem(&with_body("/disconnect", b"[", json).await, 400, "invalid-json");
    outside::problem(
        &with_body("/disconnect", b"companyId=x", "text/plain").await,
        415,
        "not-json",
    );
    let other = format!("{}2", company.id);
    let other = json!({ "companyId": other }).to_string();
    outside::problem(&with_body(&path, other.as_bytes(), json).await, 422, "invalid-request");
    assert_eq!(status(&stack, &company).await["connected"], true, "none of that ended it");
    // As the PRD has it: the company in the body.
    let body = json!({ "companyId": company.id }).to_string();
    let ended = with_body("/disconnect", body.as_bytes(), json).await.ok();
    assert_eq!(ended["success"], true);
}

/// Row 20 of the complaints: a revocation that Intuit refused kept a product connected, and one store's
/// disconnect disconnected another.
#[tokio::test]
async fn revoke_answered_400_still_disconnects_and_no_other_company() {
    let (stack, _shared) = Stack::shared().await;
    let mut bystander = stack.company("empty").await;
    bystander.id.push_str("-and-more");
    bystander.admin = Caller::admin(&bystander.id);
    stack.connect(&bystander).await;
    outside::first_import(&stack, &bystander).await;
    let untouched = outside::connection(&stack, &bystander, true).await;
    let faults = [
        json!({ "status": 400, "rawBody": "{\"error\":\"invalid_request\"}", "contentType": "application/json" }),
        json!({ "status": 503 }),
        json!({ "status": 502, "rawBody": "<html>Bad gateway</html>", "contentType": "text/html" }),
        json!({ "cut": "before" }),
        json!({ "cut": "after" }),
        json!({ "delayMs": 25_000 }),
    ];
    for (number, fault) in faults.into_iter().enumerate() {
        let mut company = stack.company("empty").await;
        // The other company's id begins with this one's.
        company.id = bystander.id[..bystander.id.len() - 1 - number].to_owned();
        company.admin = Caller::admin(&company.id);
        stack.connect(&company).await;
        let row = outside::connection(&stack, &company, true).await;
        let [_, refresh] = outside::tokens(&stack, &row).await;
        let mut fault = fault;
        fault["path"] = "/tokens/revoke".into();
        fault["body"] = refresh.into();
        fault["times"] = 3.into();
        stack.sandbox().fault(&fault).await;
        let began = Instant::now();
        let ended = disconnect(&stack, &company).await.ok();
        assert_eq!(ended["revokedAtIntuit"], false, "{fault}: {ended}");
        assert!(began.elapsed() < Duration::from_secs(15), "{fault}: {:?}", began.elapsed());
        is_ended(&stack, &company).await;
        assert_eq!(disconnect(&stack, &company).await.ok(), ended, "{fault}");
        let rows = audited(&stack, &company, "disconnected").await;
        assert!(text(&rows[0], "error").contains("Intuit"), "{rows:?}");
    }
    assert_eq!(outside::connection(&stack, &bystander, true).await, untouched);
    assert_eq!(secrets(&stack, &bystander.id).await.len(), 1);
    assert_eq!(tested(&stack, &bystander).await["connected"], true);
}

#[tokio::test]
async fn a_connection_that_waits_is_ended_too() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    let mut visitor = Visitor::default();
    let callback = callback(&stack, &company, &mut visitor).await;
    assert_eq!(visitor.open(&stack, &callback).await.status, 200);
    let ended = disconnect(&stack, &company).await.ok();
    assert_eq!(ended["revokedAtIntuit"], true, "{ended}");
    assert!(secrets(&stack, &company.id).await.is_empty());
    assert_eq!(live_grants(&stack, &company.realm).await, 0);
    let late = confirm(&stack, &company.admin, &company.id).await;
    outside::problem(&late, 409, "nothing-to-confirm");
    stack.connect(&company).await;
}

#[tokio::test]
async fn a_freed_realm_goes_to_whoever_connects_it_and_its_old_company_ends_nothing_of_theirs() {
    let (stack, _alone) = Stack::alone().await;
    // Nobody says whether revoking one token ends the others of its realm; here it does.
    let policy = outside::sandbox_get(&stack, "/oauth").await;
    let mut harder = policy.clone();
    harder["revokeWholeRealm"] = true.into();
    stack.sandbox().post("/oauth", &harder).await;
    let old = stack.company("empty").await;
    let mut new = stack.company("empty").await;
    new.realm.clone_from(&old.realm);
    stack.connect(&old).await;
    let ended = disconnect(&stack, &old).await.ok();
    // As if the secret had been left.
    let key = outside::connection_key("company", &old);
    for (name, value) in
        [("cleanUpShard", json!({ "S": "clean-up" })), ("cleanUpAt", json!({ "N": "1" }))]
    {
        stack.set("Connections", &key, name, &value).await;
    }
    stack.connect(&new).await;
    assert_eq!(disconnect(&stack, &old).await.ok(), ended);
    let grants = live_grants(&stack, &new.realm).await;
    stack.sandbox().post("/oauth", &policy).await;
    assert!(grants >= 1, "the old company's end took the new one's access");
    assert_eq!(tested(&stack, &new).await["connected"], true);
    assert_eq!(secrets(&stack, &new.id).await.len(), 1);

    // The old one cannot have it back, and no other one instead.
    let mut visitor = Visitor::default();
    let taken = callback(&stack, &old, &mut visitor).await;
    refused(&visitor.open(&stack, &taken).await, 409, "another company");
    let elsewhere = Company { realm: stack.company("empty").await.realm, ..old.clone() };
    let mut visitor = Visitor::default();
    let other = callback(&stack, &elsewhere, &mut visitor).await;
    refused(
        &visitor.open(&stack, &other).await,
        409,
        "connected to another QuickBooks company before",
    );
    // Once it is free again, it can.
    disconnect(&stack, &new).await.ok();
    stack.connect(&old).await;
    assert_eq!(tested(&stack, &old).await["connected"], true);
}

#[tokio::test]
async fn a_refresh_that_ends_after_the_disconnect_stores_nothing_and_gives_back() {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.crew().await;
    stack.let_others_rest(&[&company]).await;
    // Over a day, so that Intuit hands out another refresh token.
    stack.sandbox().advance(25 * 3600).await;
    stack.sweep().await;
    stack.idle(&[&company]).await;
    stack.sandbox().advance(2 * 3600).await;
    let slow = json!({
        "path": "/tokens/bearer", "realm": company.realm, "delayAfterMs": 20_000,
    });
    stack.sandbox().fault(&slow).await;
    stack.deliver(&company, &Card::several("t", 1)).await;
    eventually("a refresh under way", MOMENT, async || {
        outside::connection(&stack, &company, true).await.get("refreshOwner").cloned()
    })
    .await;
    let fence = outside::connection(&stack, &company, true).await["refreshFence"].clone();
    let began = Instant::now();
    disconnect(&stack, &company).await.ok();
    // It waits for the refresh, but not for ever.
    let took = began.elapsed();
    assert!((10..27).contains(&took.as_secs()), "{took:?}");
    is_ended(&stack, &company).await;
    eventually("the late refresh to be given back", MOMENT, async || {
        (live_grants(&stack, &company.realm).await == 0).then_some(())
    })
    .await;
    is_ended(&stack, &company).await;
    let row = outside::connection(&stack, &company, true).await;
    assert!(row["refreshFence"].as_u64() > fence.as_u64(), "{row}");
}

#[tokio::test]
async fn what_a_crash_leaves_the_clean_up_does() {
    let (stack, _alone) = Stack::alone().await;
    let mut died = 0;
    for nth in 1..40 {
        let company = stack.company("empty").await;
        stack.connect(&company).await;
        let mut order = at("connection", "after");
        order["nth"] = nth.into();
        order["calls"] = 1.into();
        stack.control().crash(&order).await;
        let answer = disconnect(&stack, &company).await;
        let applied = stack.control().applied().await;
        stack.control().clear_rules().await;
        if applied == 0 {
            assert_eq!(answer.status, 200, "{}", answer.text);
            break;
        }
        died += 1;
        let row = outside::connection(&stack, &company, true).await;
        if text(&row, "status") == "disconnected" {
            // Ended is ended: the rest needs nobody.
            stack.sandbox().advance(61).await;
            let swept = stack.invoke("connection", &json!({ "schedule": "clean-up" })).await;
            assert_eq!(swept["failed"], 0, "{nth}: {swept}");
        } else {
            assert_eq!(text(&row, "status"), "connected", "{nth}");
            disconnect(&stack, &company).await.ok();
        }
        is_ended(&stack, &company).await;
        assert_eq!(audited(&stack, &company, "disconnected").await.len(), 1, "{nth}");
        assert_eq!(live_grants(&stack, &company.realm).await, 0, "{nth}");
        assert_eq!(disconnect(&stack, &company).await.ok()["success"], true, "{nth}");
    }
    assert!(died >= 8, "only {died} calls were met");
}

#[tokio::test]
async fn the_clean_up_goes_on_until_nothing_is_due_and_one_failure_stops_no_other() {
    let (stack, _alone) = Stack::alone().await;
    let clean_up = async || stack.invoke("connection", &json!({ "schedule": "clean-up" })).await;
    clean_up().await;
    let company = stack.company("empty").await;
    let mut visitor = Visitor::default();
    let callback = callback(&stack, &company, &mut visitor).await;
    assert_eq!(visitor.open(&stack, &callback).await.status, 200);
    let table = stack.table("Connections").to_owned();
    let key = outside::connection_key("unconfirmed", &company);
    let body = json!({ "TableName": table, "Key": key });
    let (_, found) = stack.aws("dynamodb", "GetItem", &body).await;
    let copies: Vec<String> = (0..60).map(|number| format!("{}-{number}", company.id)).collect();
    for id in &copies {
        let mut item = found["Item"].clone();
        item["id"] = json!({ "S": format!("unconfirmed#{id}") });
        item["company"] = json!({ "S": id });
        item["secret"] = json!({ "S": format!("{}/none", text(&item["secret"], "S")) });
        if id.ends_with("-7") {
            item["status"] = json!({ "S": "unheard of" });
        }
        let (status, answer) =
            stack.aws("dynamodb", "PutItem", &json!({ "TableName": table, "Item": item })).await;
        assert_eq!(status, 200, "{answer}");
    }
    stack.sandbox().advance(601).await;
    let swept = clean_up().await;
    assert_eq!(swept, json!({ "due": 61, "done": 60, "failed": 1 }));
    assert!(secrets(&stack, &company.id).await.is_empty());
    let again = clean_up().await;
    assert_eq!(again, json!({ "due": 1, "done": 0, "failed": 1 }), "it stays until it succeeds");
    let broken = json!({ "id": { "S": format!("unconfirmed#{}-7", company.id) } });
    stack.aws("dynamodb", "DeleteItem", &json!({ "TableName": table, "Key": broken })).await;
}

/// Whoever disconnected died right after the row said so, and an admin connects again before the clean-up.
#[tokio::test]
async fn an_end_that_nobody_lived_to_tell_of_is_told_when_the_company_connects_again() {
    let (stack, _alone) = Stack::alone().await;
    stack.listen().await;
    let company = stack.company("empty").await;
    stack.connect(&company).await;
    let mut order = at("connection", "after");
    order["action"] = "dynamodb:TransactWriteItems".into();
    order["calls"] = 1.into();
    stack.control().crash(&order).await;
    disconnect(&stack, &company).await;
    assert_eq!(stack.control().applied().await, 1);
    stack.control().clear_rules().await;
    assert_eq!(status(&stack, &company).await["status"], "disconnected");
    assert!(audited(&stack, &company, "disconnected").await.is_empty());

    stack.connect(&company).await;
    let rows = audited(&stack, &company, "disconnected").await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert!(text(&rows[0], "actor").ends_with(&format!("{}:admin", company.id)), "{rows:?}");
    eventually("the host app to hear of it", MOMENT, async || {
        let events = stack.events(&company.id).await;
        events.iter().any(|event| event["detail-type"] == "connection.disconnected").then_some(())
    })
    .await;
    assert_eq!(tested(&stack, &company).await["connected"], true);
    assert_eq!(secrets(&stack, &company.id).await.len(), 1);
}
