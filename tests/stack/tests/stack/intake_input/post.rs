//! `POST /timecards`.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use stack_tests::stack::api::{Answer, Caller};
use stack_tests::stack::cards::{Card, mapping, settings};
use stack_tests::stack::company::Company;
use stack_tests::stack::stored::text;
use stack_tests::stack::{Stack, eventually};

use super::{card, changed, wrong_fields};
use crate::outside::{names, problem};

/// The largest body: 4 MB.
const MOST_BYTES: usize = 4 * 1024 * 1024;

async fn send(stack: &Stack, body: &Value) -> Answer {
    stack.post(&Caller::service(), "/timecards", body).await
}

async fn raw(stack: &Stack, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
    let body = Some((content_type, body.into()));
    stack.call(&Caller::service(), Method::POST, "/timecards", body).await
}

/// The rows of a list's answer.
fn results(answer: &Value) -> Vec<Value> {
    answer["results"].as_array().cloned().unwrap_or_default()
}

#[tokio::test]
async fn each_wrong_field_is_named_with_its_fix() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    for (number, (change, field, code)) in wrong_fields().into_iter().enumerate() {
        let wrong = changed(&card(&company.id, &format!("t-{number}")), &change);
        let answer = send(&stack, &wrong).await;
        let document = problem(&answer, 422, "invalid-request");
        names(&document, field, code);
        assert_eq!(document["errors"].as_array().map(Vec::len), Some(1), "{change}: {document}");
    }
    assert!(stack.records(&company).await.is_empty(), "nothing of it is stored");
}

#[tokio::test]
async fn every_wrong_field_is_named_at_once() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    let change =
        json!({ "version": 0, "breakMinutes": -1, "timeZone": "Mars/Olympus", "rate": "?" });
    let answer = send(&stack, &changed(&card(&company.id, "t"), &change)).await;
    let document = problem(&answer, 422, "invalid-request");
    let fields: Vec<&str> =
        document["errors"].as_array().unwrap().iter().map(|error| text(error, "field")).collect();
    for field in ["version", "breakMinutes", "timeZone", "rate"] {
        assert!(fields.contains(&field), "{field} is not in {fields:?}");
    }
}

#[tokio::test]
async fn a_card_without_its_company_says_so_and_an_unknown_company_is_not_found() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    let whole = card(&company.id, "t-1");
    let answer = send(&stack, &changed(&whole, &json!({ "companyId": null }))).await;
    names(&problem(&answer, 422, "invalid-request"), "companyId", "missing");
    for id in ["not a company", "a/b", "ü", &"x".repeat(65)] {
        let answer = send(&stack, &changed(&whole, &json!({ "companyId": id }))).await;
        problem(&answer, 404, "company-not-found");
    }
    let unknown = changed(&whole, &json!({ "companyId": "never-heard-of" }));
    problem(&stack.post(&company.admin, "/timecards", &unknown).await, 404, "company-not-found");
}

#[tokio::test]
async fn in_a_list_good_rows_are_accepted_and_bad_rows_listed_in_their_place() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    let wrong = wrong_fields();
    // Good and bad by turns, and rows that are no object at all.
    let mut rows = Vec::new();
    for (number, (change, ..)) in wrong.iter().enumerate() {
        rows.push(card(&company.id, &format!("good-{number}")));
        rows.push(changed(&card(&company.id, &format!("bad-{number}")), change));
    }
    rows.extend([json!(null), json!("x"), json!([])]);
    let answer = send(&stack, &json!({ "timecards": rows })).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let answer = answer.json();
    assert_eq!(answer["accepted"], wrong.len());
    assert_eq!(answer["refused"], wrong.len() + 3);
    let results = results(&answer);
    assert_eq!(results.len(), rows.len());
    for (index, (sent, row)) in rows.iter().zip(&results).enumerate() {
        let good = index % 2 == 0 && index < 2 * wrong.len();
        assert_eq!(row["accepted"], good, "{index}: {row}");
        if sent.is_object() {
            assert_eq!(row["timecardId"], sent.get("timecardId").cloned().unwrap_or_default());
        }
        if good {
            assert_eq!((&row["duplicate"], &row["status"]), (&json!(false), &json!("pending")));
        } else if let Some((_, field, code)) = wrong.get(index / 2) {
            names(row, field, code);
        } else {
            names(row, "timecard", "wrong-type");
        }
    }
    let stored = stack.records(&company).await;
    assert_eq!(stored.len(), wrong.len());
    assert!(stored.keys().all(|id| id.starts_with("good-")));
}

#[tokio::test]
async fn a_list_of_bad_rows_only_is_a_problem_with_each_row_s_index() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    let bad = changed(&card(&company.id, "t"), &json!({ "breakMinutes": -1 }));
    let worse = changed(&card(&company.id, "u"), &json!({ "timeZone": "x", "hours": 3 }));
    let answer = send(&stack, &json!({ "timecards": [bad, worse] })).await;
    let document = problem(&answer, 422, "invalid-request");
    assert_eq!(names(&document, "breakMinutes", "negative-break")["index"], 0);
    assert_eq!(names(&document, "timeZone", "unknown-zone")["index"], 1);
    assert_eq!(names(&document, "hours", "hours-differ")["index"], 1);
}

#[tokio::test]
async fn the_same_card_again_is_a_duplicate_and_nothing_else() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    let first =
        changed(&card(&company.id, "t"), &json!({ "hours": 8, "rate": 50, "billable": true }));
    let answer = send(&stack, &first).await;
    assert_eq!(answer.status, 202);
    assert_eq!(results(&answer.json())[0]["duplicate"], false);
    // The same content in other words: amounts, times and unknown fields are not what counts.
    for same in [
        first.clone(),
        changed(&first, &json!({ "hours": "8.00", "rate": "50.0" })),
        changed(&first, &json!({ "clockIn": "2026-11-02T14:00:00Z" })),
        changed(&first, &json!({ "approvedBy": "someone" })),
    ] {
        let answer = send(&stack, &same).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        let answer = answer.json();
        assert_eq!((&answer["accepted"], &answer["refused"]), (&json!(1), &json!(0)));
        let row = &results(&answer)[0];
        assert_eq!((&row["accepted"], &row["duplicate"]), (&json!(true), &json!(true)), "{same}");
        assert_eq!(row["status"], "pending");
    }
    assert_eq!(stack.timecard_work(&company).await.len(), 1);
}

#[tokio::test]
async fn another_body_of_the_same_version_and_a_lower_version_are_conflicts() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    let second = changed(&card(&company.id, "t"), &json!({ "version": 2 }));
    assert_eq!(send(&stack, &second).await.status, 202);
    let other = changed(&second, &json!({ "breakMinutes": 45 }));
    let document = problem(&send(&stack, &other).await, 409, "version-has-other-body");
    names(&document, "version", "version-has-other-body");
    for lower in [json!({ "version": 1 }), json!({ "version": 1, "breakMinutes": 45 })] {
        let answer = send(&stack, &changed(&second, &lower)).await;
        let document = problem(&answer, 409, "version-too-low");
        names(&document, "version", "version-too-low");
    }
    let third = changed(&other, &json!({ "version": 3 }));
    assert_eq!(send(&stack, &third).await.status, 202);
    assert_eq!(stack.records(&company).await["t"].version, 3);

    // In a list they are rows, and what follows them is accepted.
    let rows = json!({ "timecards": [
        changed(&third, &json!({ "breakMinutes": 0 })), second, card(&company.id, "u"),
    ] });
    let answer = send(&stack, &rows).await.ok();
    let rows = results(&answer);
    names(&rows[0], "version", "version-has-other-body");
    names(&rows[1], "version", "version-too-low");
    assert_eq!(rows[2]["accepted"], true);

    // A refused body is in the audit trail.
    let audited = stack.stored("AuditLog", &company.id, "1").await;
    let refusals = audited.iter().filter(|row| text(row, "action") == "refuse-timecard");
    assert!(refusals.filter(|row| text(row, "record") == "t").count() >= 2, "{audited:?}");
}

#[tokio::test]
async fn several_versions_of_one_card_in_one_list_are_taken_in_their_order() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    let one = card(&company.id, "t");
    let two = changed(&one, &json!({ "version": 2, "breakMinutes": 60 }));
    let rows = json!({ "timecards": [
        one, two, two, changed(&two, &json!({ "breakMinutes": 0 })), one,
    ] });
    let rows = results(&send(&stack, &rows).await.ok());
    let of = |name: &str| rows.iter().map(|row| row[name] == json!(true)).collect::<Vec<_>>();
    assert_eq!(of("accepted"), [true, true, true, false, false]);
    assert_eq!(of("duplicate"), [false, false, true, false, false]);
    assert_eq!(stack.records(&company).await["t"].version, 2);
}

#[tokio::test]
async fn one_id_in_two_companies_is_two_cards() {
    let (stack, _shared) = Stack::shared().await;
    let (a, b) = (stack.company("empty").await, stack.company("empty").await);
    let other = changed(&card(&b.id, "t"), &json!({ "breakMinutes": 0 }));
    let rows = json!({ "timecards": [card(&a.id, "t"), other] });
    let answer = send(&stack, &rows).await.ok();
    assert_eq!((&answer["accepted"], &answer["refused"]), (&json!(2), &json!(0)), "{answer}");
    assert!(results(&answer).iter().all(|row| row["duplicate"] == false));
}

#[tokio::test]
async fn a_body_of_four_megabytes_is_taken_and_a_larger_one_refused() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    let sized = |bytes: usize| {
        let mut body = json!({ "timecards": [card(&company.id, "t")], "padding": "" });
        body["padding"] = "x".repeat(bytes - body.to_string().len()).into();
        body.to_string()
    };
    let answer = raw(&stack, "application/json", sized(MOST_BYTES)).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let answer = raw(&stack, "application/json", sized(MOST_BYTES + 1)).await;
    let document = problem(&answer, 413, "body-too-large");
    assert!(text(&document, "detail").contains("4 MB"));
}

#[tokio::test]
async fn what_is_not_a_json_object_is_said_to_be_none() {
    let (stack, _shared) = Stack::shared().await;
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let bodies: [&[u8]; 8] =
        [b"", b"{", b"{'a':1}", b"[]", b"7", b"null", b"{\"a\":\"\\ud800\"}", deep.as_bytes()];
    for body in bodies {
        let answer = raw(&stack, "application/json", body).await;
        problem(&answer, 400, "invalid-json");
    }
    let document =
        problem(&raw(&stack, "application/json", "{\n \"a\": }").await, 400, "invalid-json");
    assert!(text(&document, "detail").contains("line 2"), "{document}");
}

#[tokio::test]
async fn a_body_that_is_not_declared_as_json_is_refused() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    let body = card(&company.id, "t").to_string();
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", "x"] {
        let document = problem(&raw(&stack, kind, body.clone()).await, 415, "not-json");
        assert!(text(&document, "detail").contains("application/json"));
    }
    let none = stack.http.post(format!("{}/timecards", stack.is.api_url)).body(body.clone());
    let none = none.bearer_auth(stack.token(&Caller::service()).await.unwrap());
    assert_eq!(none.send().await.unwrap().status().as_u16(), 415);
    for kind in ["application/json; charset=utf-8", "Application/JSON"] {
        assert_eq!(raw(&stack, kind, body.clone()).await.status, 202, "{kind}");
    }
}

#[tokio::test]
async fn a_list_has_1_to_500_cards() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    let rows = |count: usize| {
        let rows: Vec<Value> =
            (0..count).map(|number| card(&company.id, &format!("t-{number}"))).collect();
        json!({ "timecards": rows })
    };
    let document = problem(&send(&stack, &rows(501)).await, 413, "too-many-timecards");
    assert!(text(&document, "detail").contains("501") && text(&document, "detail").contains("500"));
    assert!(stack.records(&company).await.is_empty());
    names(&problem(&send(&stack, &rows(0)).await, 422, "invalid-request"), "timecards", "empty");
    for wrong in [json!({}), json!("x"), json!(null)] {
        let answer = send(&stack, &json!({ "timecards": wrong })).await;
        names(&problem(&answer, 422, "invalid-request"), "timecards", "wrong-type");
    }
    let answer = send(&stack, &rows(500)).await.ok();
    assert_eq!((&answer["accepted"], &answer["refused"]), (&json!(500), &json!(0)));
    assert_eq!(stack.records(&company).await.len(), 500);
}

#[tokio::test]
async fn numbers_of_monstrous_size_are_refused_at_once() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    let whole = card(&company.id, "t").to_string();
    for (field, number) in [
        ("version", "1e999999999"),
        ("version", "99999999999999999999999999999999999999999"),
        ("breakMinutes", "1e99999"),
        ("hours", "1e-999999999"),
        ("rate", "1e999999999"),
    ] {
        let body = format!("{},\"{field}\":{number}}}", &whole[..whole.len() - 1]);
        // Of a name that comes twice, the last counts.
        let answer = raw(&stack, "application/json", body).await;
        // Some are more than a JSON reader takes, the others more than the field does.
        if answer.status == 400 {
            problem(&answer, 400, "invalid-json");
        } else {
            let document = problem(&answer, 422, "invalid-request");
            let mut named = document["errors"].as_array().unwrap().iter();
            assert!(named.any(|error| error["field"] == field), "{field}: {document}");
        }
    }
}

#[tokio::test]
async fn what_waits_for_a_connection_goes_out_once_it_is_there_with_its_notes_as_written() {
    let (stack, _shared) = Stack::shared().await;
    stack.listen().await;
    let company = stack.company("demo").await;
    let notes = [
        "Ladder’s rung \"3\" is loose — O'Brien knows 🪜👷🏽‍♀️",
        "línea 1\nline 2\ttab & <b>not bold</b>",
        "日本語、עברית, 100 % done; a \\ and a ' and a %",
    ];
    let cards: Vec<Card> = notes
        .iter()
        .enumerate()
        .map(|(number, notes)| Card {
            notes: (*notes).to_owned(),
            ..Card::new(format!("n-{number}"), u32::try_from(number).unwrap())
        })
        .collect();
    // Not connected: accepted, waiting, and nobody works on them.
    stack.deliver(&company, &cards).await;
    let connected = stack.get(&company.admin, &format!("/status?companyId={}", company.id)).await;
    assert_eq!(connected.ok()["connected"], false);
    let stored = stack.records(&company).await;
    assert_eq!(stored.len(), cards.len());
    assert!(stored.values().all(|record| record.status == "pending"));
    assert_eq!(stack.timecard_work(&company).await.len(), cards.len());
    assert!(stack.company_row(&company).await.get("nextDue").is_none(), "nothing is due");

    connect_and_go_live(&stack, &company).await;
    stack.all_synced(&company, &cards, Duration::from_mins(1)).await;
    stack.exactly_once(&company, &cards).await;
    for (card, notes) in cards.iter().zip(notes) {
        let event = eventually("timecard.synced", Duration::from_secs(20), async || {
            let events = stack.events(&company.id).await;
            events.into_iter().find(|event| {
                event["detail-type"] == "timecard.synced"
                    && event["detail"]["timecardId"] == card.id.as_str()
            })
        })
        .await;
        let id = text(&event["detail"], "quickBooksId").to_owned();
        let activities = stack.activities(&company).await;
        let activity = activities.iter().find(|activity| text(activity, "Id") == id).unwrap();
        assert!(text(activity, "Description").starts_with(notes), "{activity}");
    }
}

async fn connect_and_go_live(stack: &Stack, company: &Company) {
    stack.connect(company).await;
    let entities = json!(["employees", "customers", "items", "classes"]);
    let import = json!({ "entities": entities, "direction": "in", "type": "full" });
    let status = stack.job(company, &import, Duration::from_mins(1)).await;
    assert_eq!(status["status"], "completed", "{status}");
    let body = json!({ "companyId": company.id, "mapping": mapping() });
    stack.put(&company.admin, "/mapping", &body).await.ok();
    let mut settings = settings();
    settings["companyId"] = company.id.clone().into();
    stack.put(&company.admin, "/settings", &settings).await.ok();
}
