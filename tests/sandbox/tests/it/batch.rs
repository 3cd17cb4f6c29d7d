//! `/batch`.

use std::time::{Duration, Instant};

use quickbooks_sandbox::Config;
use serde_json::{Value, json};

use crate::harness::{A, Connected, TestSandbox, activity};

fn create(b_id: &str, changes: Value) -> Value {
    json!({ "bId": b_id, "operation": "create", "TimeActivity": activity(changes) })
}

fn batch(items: &[Value]) -> Value {
    json!({ "BatchItemRequest": items })
}

/// The answers of a batch that must be taken, each by its `bId`.
async fn items(app: &Connected, path: &str, items: &[Value]) -> Value {
    let answer = app.post(path, &batch(items)).await.ok();
    assert!(answer.body["time"].is_string());
    let responses = answer.body["BatchItemResponse"].as_array().unwrap();
    let ids: Vec<&Value> = responses.iter().map(|item| &item["bId"]).collect();
    let expected: Vec<&Value> = items.iter().map(|item| &item["bId"]).collect();
    assert_eq!(ids, expected, "answers come in the order of the request");
    responses
        .iter()
        .map(|item| (item["bId"].as_str().unwrap().to_owned(), item.clone()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn fault(item: &Value) -> &str {
    item["Fault"]["Error"][0]["code"].as_str().unwrap_or("")
}

async fn hours(app: &Connected) -> Vec<i64> {
    let mut hours: Vec<i64> =
        app.stored("TimeActivity").await.iter().map(|a| a["Hours"].as_i64().unwrap()).collect();
    hours.sort_unstable();
    hours
}

#[tokio::test]
async fn a_batch_creates_updates_deletes_and_queries() {
    let app = TestSandbox::connected().await;
    let one = app.activity(json!({ "Hours": 1 })).await;
    let two = app.activity(json!({ "Hours": 2 })).await;
    let answers = items(
        &app,
        "batch?minorversion=75",
        &[
            create("c", json!({ "Hours": 3 })),
            json!({ "bId": "u", "operation": "update", "TimeActivity":
                { "Id": one["Id"], "SyncToken": "0", "sparse": true, "Description": "it's 😀" } }),
            json!({ "bId": "d", "operation": "delete", "TimeActivity":
                { "Id": two["Id"], "SyncToken": "0" } }),
            json!({ "bId": "q", "Query": "select * from Employee maxresults 2" }),
            json!({ "bId": "n", "operation": "create", "Customer": { "DisplayName": "O'Hara" } }),
            json!({ "bId": "cdc", "CDCQuery":
                { "Entities": "Customer,Item", "ChangedSince": "2026-11-20" } }),
        ],
    )
    .await;
    assert_eq!(answers["c"]["TimeActivity"]["Hours"], 3);
    assert_eq!(answers["u"]["TimeActivity"]["Description"], "it's 😀");
    assert_eq!(answers["u"]["TimeActivity"]["SyncToken"], "1");
    assert_eq!(
        answers["d"]["TimeActivity"],
        json!({ "Id": two["Id"], "status": "Deleted", "domain": "QBO" })
    );
    assert_eq!(answers["q"]["QueryResponse"]["maxResults"], 2);
    assert_eq!(answers["n"]["Customer"]["DisplayName"], "O'Hara");
    assert_eq!(answers["cdc"]["CDCResponse"]["QueryResponse"].as_array().unwrap().len(), 2);
    assert!(answers["c"].get("time").is_none());
    assert_eq!(hours(&app).await, [1, 3]);
}

#[tokio::test]
async fn half_of_a_batch_is_refused_and_the_other_half_stays() {
    let app = TestSandbox::connected().await;
    let answers = items(
        &app,
        "batch",
        &[
            create("1", json!({ "Hours": 1 })),
            create("2", json!({ "EmployeeRef": { "value": "9999" } })),
            create("3", json!({ "Hours": 3 })),
            create("4", json!({ "Ghost": 1 })),
            create("5", json!({ "Hours": 5 })),
            json!({ "bId": "6", "operation": "delete", "TimeActivity":
                { "Id": "404", "SyncToken": "0" } }),
        ],
    )
    .await;
    assert_eq!(hours(&app).await, [1, 3, 5]);
    assert_eq!(fault(&answers["2"]), "2500");
    assert_eq!(fault(&answers["4"]), "2010");
    assert_eq!(fault(&answers["6"]), "610");
    let refused = &answers["2"];
    assert_eq!(refused["Fault"]["type"], "ValidationFault");
    assert!(refused.get("TimeActivity").is_none());
    for part in ["Message", "Detail", "code", "element"] {
        assert!(refused["Fault"]["Error"][0][part].is_string(), "{part}");
    }
}

#[tokio::test]
async fn an_item_that_cannot_be_read_gets_a_fault_of_its_own() {
    let app = TestSandbox::connected().await;
    let answers = items(
        &app,
        "batch",
        &[
            json!({ "bId": "unknown", "operation": "create", "Spaceship": {} }),
            json!({ "bId": "no operation", "TimeActivity": activity(json!({})) }),
            json!({ "bId": "empty operation", "operation": "", "TimeActivity": {} }),
            json!({ "bId": "bad operation", "operation": "revert", "TimeActivity": {} }),
            json!({ "bId": "number", "operation": 7, "TimeActivity": {} }),
            json!({ "bId": "two", "operation": "create", "Item": {}, "Customer": {} }),
            json!({ "bId": "query and entity", "Query": "select * from Item", "Item": {} }),
            json!({ "bId": "none" }),
            json!({ "bId": "list", "operation": "create", "Customer": [] }),
            json!({ "bId": "query", "Query": 5 }),
            json!({ "bId": "bad query", "Query": "select from where" }),
            json!({ "bId": "report", "ReportQuery": {} }),
            json!({ "bId": "options", "operation": "update", "optionsData": "void",
                "TimeActivity": {} }),
            json!({ "bId": "cdc", "CDCQuery": { "Entities": "Item" } }),
            json!({ "bId": "good", "operation": "create", "TimeActivity": activity(json!({})) }),
        ],
    )
    .await;
    for (b_id, code) in [
        ("unknown", "2000"),
        ("no operation", "2020"),
        ("empty operation", "2020"),
        ("bad operation", "500"),
        ("number", "2010"),
        ("two", "2600"),
        ("query and entity", "2600"),
        ("none", "2020"),
        ("list", "2010"),
        ("query", "2010"),
        ("bad query", "4000"),
        ("report", "500"),
        ("options", "500"),
        ("cdc", "2020"),
    ] {
        assert_eq!(fault(&answers[b_id]), code, "{b_id}: {}", answers[b_id]);
    }
    assert_eq!(answers["good"]["TimeActivity"]["Id"], "1");
    assert_eq!(app.stored("TimeActivity").await.len(), 1);
}

#[tokio::test]
async fn a_request_that_is_no_batch_is_refused_whole_and_does_nothing() {
    let app = TestSandbox::connected().await;
    let good = create("1", json!({}));
    let nameless = json!({ "operation": "create", "TimeActivity": activity(json!({})) });
    for (body, code) in [
        (json!([]), "2010"),
        (json!({}), "2020"),
        (json!({ "BatchItemRequest": [] }), "2020"),
        (json!({ "BatchItemRequest": null }), "2020"),
        (json!({ "BatchItemRequest": good }), "2010"),
        (batch(&[good.clone(), json!("x")]), "2010"),
        (batch(&[good.clone(), nameless]), "2020"),
        (batch(&[good.clone(), json!({ "bId": " " })]), "2020"),
        (batch(&[good.clone(), json!({ "bId": {} })]), "2010"),
        (batch(&[good.clone(), create("2", json!({})), good.clone()]), "2600"),
    ] {
        let answer = app.post("batch", &body).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (400, code), "{body}");
    }
    let text = app.request(reqwest::Method::POST, "batch").body("{").send().await.unwrap();
    assert_eq!(text.status(), 400);
    assert!(app.stored("TimeActivity").await.is_empty());
    assert_eq!(app.get("batch").await.code(), "500");
}

#[tokio::test]
async fn thirty_items_and_no_more() {
    let app = TestSandbox::connected().await;
    let many = |count: i64| -> Vec<Value> {
        (0..count).map(|i| create(&i.to_string(), json!({ "Hours": i % 24 }))).collect()
    };
    let answer = app.post("batch", &batch(&many(31))).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (400, "1040"));
    assert!(answer.detail().contains("30"));
    assert!(app.stored("TimeActivity").await.is_empty());
    items(&app, "batch", &many(30)).await;
    assert_eq!(app.stored("TimeActivity").await.len(), 30);
}

#[tokio::test]
async fn the_order_of_the_work_is_not_that_of_the_request_and_repeats_with_the_seed() {
    let order = async |seed| {
        let config = Config { limits_scale: 1000.0, seed, ..Config::ephemeral() };
        let app = TestSandbox::start_with(config).await.connect(A).await;
        let many: Vec<Value> = (0..20).map(|i| create(&i.to_string(), json!({}))).collect();
        let answers = items(&app, "batch", &many).await;
        (0..20)
            .map(|i| answers[i.to_string()]["TimeActivity"]["Id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let (first, again, other) = (order(7).await, order(7).await, order(8).await);
    assert_eq!(first, again);
    assert_ne!(first, other);
    assert!(!first.is_sorted_by_key(|id| id.parse::<u32>().unwrap()));
}

#[tokio::test]
async fn one_item_is_throttled_and_the_others_go_on() {
    let app = TestSandbox::connected().await;
    app.admin_post("/faults", json!({ "batchItem": "\"bId\":\"2\"", "status": 429 })).await;
    let all: Vec<Value> = (1..=3).map(|i| create(&i.to_string(), json!({ "Hours": i }))).collect();
    let answers = items(&app, "batch?requestid=t", &all).await;
    let throttled = &answers["2"]["Fault"];
    assert_eq!((&throttled["type"], fault(&answers["2"])), (&json!("SERVICE"), "3001"));
    assert_eq!(
        throttled["Error"][0]["Message"],
        "message=ThrottleExceeded; errorCode=003001; statusCode=429"
    );
    assert_eq!(hours(&app).await, [1, 3]);
    // Nothing was done for it, so its id is free: the same batch again does only that one.
    let again = items(&app, "batch?requestid=t", &all).await;
    assert_eq!(again["1"], answers["1"]);
    assert_eq!(again["2"]["TimeActivity"]["Hours"], 2);
    assert_eq!(hours(&app).await, [1, 2, 3]);
}

#[tokio::test]
async fn a_fault_of_an_item_names_its_items_and_leaves_whole_calls_alone() {
    let app = TestSandbox::connected().await;
    app.admin_post(
        "/faults",
        json!({ "path": "/batch", "batchItem": "\"Hours\":1", "skip": 1, "times": 1,
            "faultCode": "6000", "faultDetail": "x", "commit": true }),
    )
    .await;
    app.activity(json!({ "Hours": 1 })).await;
    let answers = items(
        &app,
        "batch",
        &[create("a", json!({ "Hours": 1 })), create("b", json!({ "Hours": 1 }))],
    )
    .await;
    // The second one of the request, whatever came first; and its work was done all the same.
    assert_eq!((fault(&answers["a"]), fault(&answers["b"])), ("", "6000"));
    assert_eq!(answers["b"]["Fault"]["Error"][0]["Detail"], "x");
    assert_eq!(app.stored("TimeActivity").await.len(), 3);
    let url = format!("{}/faults", app.sandbox.sandbox.admin_url());
    for bad in [json!({ "batchItem": "x", "cut": "after" }), json!({ "batchItem": "(" })] {
        assert_eq!(app.send(app.http.post(&url).json(&bad)).await.status, 400, "{bad}");
    }
}

#[tokio::test]
async fn the_same_batch_twice_creates_once_item_by_item() {
    let app = TestSandbox::connected().await;
    let all = [create("a", json!({ "Hours": 1 })), create("b", json!({ "Hours": 2 }))];
    let first = items(&app, "batch?requestid=r-1", &all).await;
    app.advance(60).await;
    let more = [all[0].clone(), all[1].clone(), create("c", json!({ "Hours": 3 }))];
    let again = items(&app, "batch?requestid=r-1", &more).await;
    assert_eq!((&again["a"], &again["b"]), (&first["a"], &first["b"]));
    assert_eq!(hours(&app).await, [1, 2, 3]);
    // The key is the request id and the bId, one after the other.
    let single = app.post("timeactivity?requestid=r-1a", &activity(json!({}))).await.ok();
    assert_eq!(single.body["TimeActivity"], first["a"]["TimeActivity"]);
    items(&app, "batch?requestid=r-2", &all).await;
    items(&app, "batch", &all).await;
    assert_eq!(hours(&app).await, [1, 1, 1, 2, 2, 2, 3]);
    assert_eq!(app.admin_get(&format!("/counters/{A}")).await["replayed"], 2);
}

#[tokio::test]
async fn a_refused_item_is_replayed_and_a_query_is_not() {
    let app = TestSandbox::connected().await;
    let all = [
        create("bad", json!({ "EmployeeRef": { "value": "9999" } })),
        json!({ "bId": "q", "Query": "select count(*) from TimeActivity" }),
    ];
    let first = items(&app, "batch?requestid=r", &all).await;
    app.activity(json!({})).await;
    let again = items(&app, "batch?requestid=r", &all).await;
    assert_eq!(again["bad"], first["bad"]);
    assert_eq!(first["q"]["QueryResponse"]["totalCount"], 0);
    assert_eq!(again["q"]["QueryResponse"]["totalCount"], 1);
}

#[tokio::test]
async fn request_id_and_b_id_have_fifty_characters_together() {
    let app = TestSandbox::connected().await;
    let path = format!("batch?requestid={}", "r".repeat(40));
    let all = [create(&"b".repeat(10), json!({})), create(&"c".repeat(11), json!({}))];
    let answers = items(&app, &path, &all).await;
    assert_eq!(fault(&answers["cccccccccccc".split_at(11).0]), "6000");
    let detail = answers["c".repeat(11)]["Fault"]["Error"][0]["Detail"].as_str().unwrap();
    assert_eq!(
        detail,
        "Business Validation Error: You cannot enter more than 50 characters in the request_id \
         field. You tried entering rrrrrrrrrr..., which is 51 characters."
    );
    assert_eq!(app.stored("TimeActivity").await.len(), 1);
    let whole = app.post(&format!("batch?requestid={}", "r".repeat(51)), &batch(&all)).await;
    assert_eq!((whole.status.as_u16(), whole.code()), (400, "6000"));
    // Without a request id a bId may be longer, as the clients' UUIDs are.
    items(&app, "batch", &[create(&"d".repeat(60), json!({}))]).await;
}

#[tokio::test]
async fn a_batch_whose_sender_hangs_up_goes_on_item_by_item() {
    let app = TestSandbox::connected().await;
    app.admin_post("/faults", json!({ "batchItem": ".", "times": 4, "delayMs": 150 })).await;
    let all: Vec<Value> = (1..=4).map(|i| create(&i.to_string(), json!({ "Hours": i }))).collect();
    let request = app
        .request(reqwest::Method::POST, "batch?requestid=h")
        .timeout(Duration::from_millis(230))
        .json(&batch(&all));
    assert!(request.send().await.unwrap_err().is_timeout());
    let midway = app.stored("TimeActivity").await.len();
    assert!((1..4).contains(&midway), "{midway} at the time of the hang-up");
    let started = Instant::now();
    while app.stored("TimeActivity").await.len() < 4 {
        assert!(started.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    items(&app, "batch?requestid=h", &all).await;
    assert_eq!(hours(&app).await, [1, 2, 3, 4]);
}

#[tokio::test]
async fn the_same_batch_sent_again_while_it_runs_creates_once() {
    for policy in [
        json!({}),
        json!({ "countsFrom": "commit" }),
        json!({ "twin": "600" }),
        json!({ "answer": "600" }),
    ] {
        let app = TestSandbox::connected().await;
        app.admin_post("/replay", policy.clone()).await;
        app.admin_post("/faults", json!({ "batchItem": ".", "times": 8, "delayMs": 30 })).await;
        let all: Vec<Value> =
            (1..=4).map(|i| create(&i.to_string(), json!({ "Hours": i }))).collect();
        let mut backwards = all.clone();
        backwards.reverse();
        let (one, two) = tokio::join!(
            items(&app, "batch?requestid=x", &all),
            items(&app, "batch?requestid=x", &backwards)
        );
        assert_eq!(hours(&app).await, [1, 2, 3, 4], "{policy}");
        for (b_id, item) in one.as_object().unwrap() {
            let pair = [item, &two[b_id]];
            if policy.get("twin").or(policy.get("answer")).is_some() {
                assert!(pair.iter().any(|item| fault(item) == "600"), "{policy}: {pair:?}");
            } else {
                assert_eq!(pair[0], pair[1], "{policy}");
            }
        }
    }
}

#[tokio::test]
async fn a_batch_answers_a_thousand_objects_and_no_more() {
    let app = TestSandbox::connected().await;
    let many: Vec<Value> = (0..1000).map(|i| json!({ "DisplayName": format!("Z{i}") })).collect();
    app.admin_post(&format!("/companies/{A}/Vendor"), Value::Array(many)).await;
    let query = |b_id: &str, max: u32| json!({ "bId": b_id, "Query": format!("select * from Vendor maxresults {max}") });
    let full = [query("1", 600), query("2", 399), create("3", json!({}))];
    let answers = items(&app, "batch", &full).await;
    assert_eq!(answers["1"]["QueryResponse"]["maxResults"], 600);
    assert_eq!(answers["2"]["QueryResponse"]["maxResults"], 399);
    let over = [query("1", 600), query("2", 400), query("3", 9), create("4", json!({}))];
    let answers = items(&app, "batch", &over).await;
    assert_eq!(answers["1"]["QueryResponse"]["maxResults"], 600);
    assert_eq!(fault(&answers["2"]), "1040");
    assert_eq!(answers["3"]["QueryResponse"]["maxResults"], 9);
    assert!(answers["4"]["TimeActivity"].is_object());
}

#[tokio::test]
async fn a_batch_is_one_call_and_a_read_for_the_meter() {
    let app = TestSandbox::connected().await;
    items(&app, "batch", &[create("1", json!({})), create("2", json!({}))]).await;
    let counters = app.admin_get(&format!("/counters/{A}")).await;
    assert_eq!(counters["calls"], 1);
    assert_eq!(counters["readsMetered"], 1);
    assert_eq!(counters["rest"]["Batch"]["batch"], 1);
}

#[tokio::test]
async fn the_items_of_batches_are_counted_by_what_became_of_them() {
    let app = TestSandbox::connected().await;
    let all = [
        create("1", json!({})),
        create("2", json!({ "Ghost": 1 })),
        json!({ "bId": "3", "operation": "create", "Spaceship": {} }),
        json!({ "bId": "4", "Query": "select * from Item" }),
    ];
    for _ in 0..2 {
        items(&app, "batch?requestid=c", &all).await;
    }
    let counters = app.admin_get(&format!("/counters/{A}")).await;
    assert_eq!(
        counters["batchItems"],
        json!({
            "TimeActivity": { "create": { "done": 1, "refused": 1, "replayed": 2 } },
            "Item": { "query": { "done": 2 } },
            "unknown": { "unknown": { "refused": 2 } },
        })
    );
    assert_eq!(counters["rest"], json!({ "Batch": { "batch": 2 } }));
}

#[tokio::test]
async fn a_batch_that_takes_too_long_keeps_what_it_committed() {
    let app = TestSandbox::connected().await;
    app.admin_post("/latency", json!({ "batchItemMs": 100, "jitter": 0, "timeoutMs": 250 })).await;
    let all: Vec<Value> = (1..=4).map(|i| create(&i.to_string(), json!({ "Hours": i }))).collect();
    let answer = app.post("batch?requestid=l", &batch(&all)).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (504, "stream timeout"));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(app.stored("TimeActivity").await.len(), 2);
    app.admin_post("/latency", json!({ "batchItemMs": 0 })).await;
    items(&app, "batch?requestid=l", &all).await;
    assert_eq!(hours(&app).await, [1, 2, 3, 4]);
}

#[tokio::test]
async fn a_batch_takes_its_time_item_by_item() {
    let app = TestSandbox::connected().await;
    app.admin_post("/latency", json!({ "singleMs": 0, "batchItemMs": 60, "jitter": 0 })).await;
    let all: Vec<Value> = (0..5).map(|i| create(&i.to_string(), json!({}))).collect();
    let started = Instant::now();
    items(&app, "batch", &all).await;
    let taken = started.elapsed();
    assert!(taken >= Duration::from_millis(300), "{taken:?}");
}

#[tokio::test]
async fn bare_items_are_taken_where_the_switch_says_so() {
    let app = TestSandbox::connected().await;
    let bare = |hours: i64| json!({ "TimeActivity": activity(json!({ "Hours": hours })) });
    assert_eq!(app.post("batch", &batch(&[bare(1)])).await.code(), "2020");
    app.admin_post("/batch", json!({ "bareItems": true })).await;
    let answer = app.post("batch", &batch(&[bare(1), bare(2)])).await.ok();
    let items = answer.body["BatchItemResponse"].as_array().unwrap().clone();
    assert_eq!(items[0]["TimeActivity"]["Hours"], 1);
    assert_eq!(items[1]["TimeActivity"]["Hours"], 2);
    assert!(items[0].get("bId").is_none());
    let one = &items[0]["TimeActivity"];
    let update = json!({ "bId": "u", "TimeActivity": { "Id": one["Id"], "SyncToken": "0",
        "sparse": true, "Hours": 9 } });
    app.post("batch", &batch(&[update])).await.ok();
    assert_eq!(hours(&app).await, [2, 9]);
    app.admin_post("/reset", json!({})).await;
    assert_eq!(app.admin_get("/batch").await, json!({ "bareItems": false }));
}

#[tokio::test]
async fn an_item_that_waits_for_its_twin_does_not_hold_up_the_others() {
    let app = TestSandbox::connected().await;
    app.admin_post("/faults", json!({ "path": "timeactivity", "delayMs": 800 })).await;
    let single = app.post_into_fault("timeactivity?requestid=w0", &activity(json!({}))).await;
    let all: Vec<Value> = (0..8).map(|i| create(&i.to_string(), json!({}))).collect();
    let (answers, ()) = tokio::join!(items(&app, "batch?requestid=w", &all), async {
        while app.stored("TimeActivity").await.len() < 7 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(!single.is_finished());
    });
    let single: Value = serde_json::from_str(&single.await.unwrap()).unwrap();
    assert_eq!(answers["0"]["TimeActivity"], single["TimeActivity"]);
    assert_eq!(app.stored("TimeActivity").await.len(), 8);
}

#[tokio::test]
async fn a_batch_voids_sends_and_allows_a_number_twice() {
    let app = TestSandbox::connected().await;
    let invoice = |number: &str| {
        json!({
            "CustomerRef": { "value": "1" },
            "DocNumber": number,
            "BillEmail": { "Address": "ada@example.com" },
            "Line": [{
                "Amount": 5,
                "DetailType": "SalesItemLineDetail",
                "SalesItemLineDetail": { "ItemRef": { "value": "3" } },
            }],
        })
    };
    let make = |b_id: &str, number: &str, options: &str| {
        json!({ "bId": b_id, "operation": "create", "optionsData": options,
            "Invoice": invoice(number) })
    };
    let made = items(&app, "batch", &[make("1", "N-1", ""), make("2", "N-2", "")]).await;
    let handle = |item: &Value| json!({ "Id": item["Invoice"]["Id"], "SyncToken": item["Invoice"]["SyncToken"] });
    let answers = items(
        &app,
        "batch",
        &[
            json!({ "bId": "v", "operation": "update", "optionsData": "void",
                "Invoice": handle(&made["1"]) }),
            json!({ "bId": "s", "operation": "send", "Invoice": handle(&made["2"]) }),
            make("again", "N-2", "allowduplicatedocnumber"),
            make("refused", "N-2", ""),
        ],
    )
    .await;
    assert_eq!(answers["v"]["Invoice"]["TotalAmt"], 0);
    assert_eq!(answers["s"]["Invoice"]["EmailStatus"], "EmailSent");
    assert_eq!(answers["again"]["Invoice"]["DocNumber"], "N-2");
    assert_eq!(fault(&answers["refused"]), "6140");
}
