//! `/cdc`.

use serde_json::{Value, json};

use crate::harness::{A, Answer, Connected, TestSandbox};

/// The clock of these tests; the seeds are older than 30 days from it.
const NOW: &str = "2027-06-15T12:00:00Z";

async fn connected() -> Connected {
    let app = TestSandbox::start().await;
    app.admin_post("/clock/set", json!({ "now": NOW })).await;
    app.connect(A).await
}

/// Moves the clock, and takes tokens that live then.
async fn connected_at(app: Connected, now: &str) -> Connected {
    app.admin_post("/clock/set", json!({ "now": now })).await;
    app.sandbox.connect(A).await
}

async fn cdc(app: &Connected, entities: &str, since: &str) -> Answer {
    let request = app.request(reqwest::Method::GET, "cdc").query(&[
        ("entities", entities),
        ("changedSince", since),
        ("minorversion", "75"),
    ]);
    app.send(request).await
}

/// The groups of an answer that must be a success.
async fn groups(app: &Connected, entities: &str, since: &str) -> Vec<Value> {
    let answer = cdc(app, entities, since).await.ok();
    assert!(answer.body["time"].is_string());
    assert_eq!(answer.body["CDCResponse"].as_array().unwrap().len(), 1);
    answer.body["CDCResponse"][0]["QueryResponse"].as_array().unwrap().clone()
}

async fn customer(app: &Connected, name: &str) -> Value {
    let body = json!({ "DisplayName": name });
    app.post("customer", &body).await.ok().body["Customer"].clone()
}

fn ids(group: &Value, entity: &str) -> Vec<String> {
    let objects = group[entity].as_array().cloned().unwrap_or_default();
    objects.iter().map(|object| object["Id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn what_changed_comes_grouped_whole_and_by_the_time_of_the_change() {
    let app = connected().await;
    let one = customer(&app, "One").await;
    app.advance(10).await;
    let two = customer(&app, "Two").await;
    app.advance(10).await;
    let body = json!({ "Id": one["Id"], "SyncToken": "0", "sparse": true, "Notes": "later" });
    app.post("customer", &body).await.ok();
    let groups = groups(&app, "Item,customer", NOW).await;
    // In the order of asking; a group without a change is empty, as the clients expect.
    assert_eq!(groups.len(), 2);
    assert_eq!(groups[0], json!({}));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    assert_eq!(ids(&groups[1], "Customer"), [text(&two["Id"]), text(&one["Id"])]);
    assert_eq!(groups[1]["Customer"][1]["Notes"], "later");
    assert_eq!(groups[1]["Customer"][1]["DisplayName"], "One");
    assert_eq!((&groups[1]["startPosition"], &groups[1]["maxResults"]), (&json!(1), &json!(2)));
}

#[tokio::test]
async fn an_entry_made_inactive_is_a_change() {
    let app = connected().await;
    let one = customer(&app, "One").await;
    let app = connected_at(app, "2027-06-16T12:00:00Z").await;
    let body = json!({ "Id": one["Id"], "SyncToken": "0", "sparse": true, "Active": false });
    app.post("customer", &body).await.ok();
    let groups = groups(&app, "Customer", "2027-06-16T12:00:00Z").await;
    assert_eq!(groups[0]["Customer"][0]["Active"], false);
}

#[tokio::test]
async fn thirty_days_back_and_no_further() {
    let app = connected().await;
    let one = customer(&app, "One").await;
    let app = connected_at(app, "2027-07-15T11:59:50Z").await;
    let found = groups(&app, "Customer", "2027-06-15T12:00:05Z").await;
    assert_eq!(found, [json!({})], "changed before");
    let found = groups(&app, "Customer", "2027-06-15T12:00:00Z").await;
    assert_eq!(ids(&found[0], "Customer"), [one["Id"].as_str().unwrap()]);
    app.advance(30).await;
    let answer = cdc(&app, "Customer", "2027-06-15T12:00:00Z").await;
    assert_eq!((answer.status.as_u16(), answer.code()), (400, "500"));
    assert!(answer.detail().contains("older than fixed days is not supported"));
    assert_eq!(cdc(&app, "Customer", "2027-06-14").await.code(), "500");
}

#[tokio::test]
async fn what_was_deleted_comes_last_and_as_a_gravestone() {
    let app = connected().await;
    let one = customer(&app, "One").await;
    app.advance(10).await;
    let path = format!("/companies/{A}/Customer/{}", one["Id"].as_str().unwrap());
    app.admin(reqwest::Method::DELETE, &path, None).await;
    app.advance(10).await;
    let two = customer(&app, "Two").await;
    let found = groups(&app, "Customer", NOW).await;
    let customers = found[0]["Customer"].as_array().unwrap();
    assert_eq!(customers[0]["Id"], two["Id"]);
    assert_eq!(
        customers[1],
        json!({
            "Id": one["Id"],
            "status": "Deleted",
            "domain": "QBO",
            "MetaData": { "LastUpdatedTime": "2027-06-15T06:00:10-06:00" },
        })
    );
    assert_eq!((&found[0]["maxResults"], &found[0]["totalCount"]), (&json!(2), &json!(2)));
    // An id that is stored anew is no longer deleted.
    let again = json!({ "Id": one["Id"], "DisplayName": "One again" });
    app.admin_post(&format!("/companies/{A}/Customer"), again).await;
    let found = groups(&app, "Customer", NOW).await;
    assert_eq!(found[0]["Customer"][1]["DisplayName"], "One again");
    assert_eq!(found[0]["maxResults"], 2);
    app.admin(reqwest::Method::DELETE, &path, None).await;
    // Deleted before the time asked for.
    app.advance(10).await;
    let found = groups(&app, "Customer", "2027-06-15T12:00:30Z").await;
    assert_eq!(found, [json!({})]);
    let found = groups(&app, "Customer", "2027-06-15T12:00:15Z").await;
    assert_eq!(ids(&found[0], "Customer")[0], two["Id"].as_str().unwrap());
}

#[tokio::test]
async fn a_thousand_objects_over_all_entities_and_no_more() {
    let app = connected().await;
    for (kind, name, count) in [("Vendor", "DisplayName", 700), ("Item", "Name", 400)] {
        let many: Vec<Value> = (0..count).map(|i| json!({ name: format!("Z{i}") })).collect();
        app.admin_post(&format!("/companies/{A}/{kind}"), Value::Array(many)).await;
    }
    app.advance(1).await;
    let last = customer(&app, "Last").await;
    let found = groups(&app, "Item,Vendor,Customer", NOW).await;
    assert_eq!(found[0]["maxResults"], 400);
    assert_eq!(found[1]["maxResults"], 600);
    assert_eq!(found[1]["Vendor"].as_array().unwrap().len(), 600);
    // The oldest changes are there, the newest are cut off, and nothing says so.
    assert_eq!(found[1]["Vendor"][0]["DisplayName"], "Z0");
    assert_eq!(found[2], json!({}));
    let found = groups(&app, "Customer", NOW).await;
    assert_eq!(ids(&found[0], "Customer"), [last["Id"].as_str().unwrap()]);
}

#[tokio::test]
async fn a_bad_question_is_refused() {
    let app = connected().await;
    for (path, code) in [
        (format!("cdc?changedSince={NOW}"), "2020"),
        (format!("cdc?entities=&changedSince={NOW}"), "2020"),
        (format!("cdc?entities=,,&changedSince={NOW}"), "2020"),
        ("cdc?entities=Customer".to_owned(), "2020"),
        ("cdc?entities=Customer&changedSince=".to_owned(), "2020"),
        ("cdc?entities=Customer&changedSince=last-week".to_owned(), "2070"),
        (format!("cdc?entities=Customer,TimeActivity&changedSince={NOW}"), "500"),
        (format!("cdc?entities=taxrate&changedSince={NOW}"), "500"),
        (format!("cdc?entities=Customer,O%27Hara&changedSince={NOW}"), "2000"),
    ] {
        let answer = app.get(&path).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (400, code), "{path}");
    }
    let answer = app.post("cdc", &json!({})).await;
    assert_eq!(answer.code(), "500");
}

#[tokio::test]
async fn the_forms_of_public_clients_are_taken() {
    let app = connected().await;
    customer(&app, "One").await;
    for path in [
        // python-quickbooks: encoded comma, no offset, so the company's time.
        "cdc?entities=Customer%2CItem&changedSince=2027-06-15T06%3A00%3A00",
        // node-quickbooks: an offset whose plus is not encoded.
        "cdc?entities=Customer,Item&changedSince=2027-06-15T13:00:00+01:00&format=json",
        "cdc?entities=Customer&changedSince=2027-06-15",
    ] {
        let answer = app.get(path).await.ok();
        let groups = &answer.body["CDCResponse"][0]["QueryResponse"];
        assert_eq!(groups[0]["Customer"].as_array().unwrap().len(), 1, "{path}");
    }
    // A change that lies ahead: nothing, and no fault.
    assert_eq!(groups(&app, "Customer", "2030-01-01").await, [json!({})]);
    let counters = app.admin_get(&format!("/counters/{A}")).await;
    assert_eq!(counters["rest"]["CDC"]["cdc"], 4);
}

#[tokio::test]
async fn a_deleted_invoice_is_a_gravestone_and_a_voided_one_is_whole() {
    let app = connected().await;
    let mut made = Vec::new();
    for _ in 0..2 {
        let body = json!({
            "CustomerRef": { "value": "1" },
            "Line": [{
                "Amount": 5,
                "DetailType": "SalesItemLineDetail",
                "SalesItemLineDetail": { "ItemRef": { "value": "3" } },
            }],
        });
        let invoice = app.post("invoice", &body).await.ok().body["Invoice"].clone();
        made.push(json!({ "Id": invoice["Id"], "SyncToken": invoice["SyncToken"] }));
    }
    app.advance(5).await;
    app.post("invoice?operation=delete", &made[0]).await.ok();
    app.post("invoice?operation=void", &made[1]).await.ok();
    let found = groups(&app, "Invoice", "2027-06-15T12:00:03Z").await;
    assert_eq!(found[0]["Invoice"][0]["Id"], made[1]["Id"]);
    assert_eq!(found[0]["Invoice"][0]["TotalAmt"], 0);
    assert_eq!(found[0]["Invoice"][1]["Id"], made[0]["Id"]);
    assert_eq!(found[0]["Invoice"][1]["status"], "Deleted");
    assert!(found[0]["Invoice"][1].get("TotalAmt").is_none());
}

#[tokio::test]
async fn settings_that_were_written_are_changes() {
    let app = connected().await;
    let untouched = groups(&app, "CompanyInfo,preferences", NOW).await;
    assert_eq!(untouched, [json!({}), json!({})]);
    app.advance(5).await;
    let body = json!({ "Id": "1", "SyncToken": "0", "sparse": true,
        "TimeTrackingPrefs": { "MarkTimeEntriesBillable": true } });
    let item = json!({ "bId": "p", "operation": "update", "Preferences": body });
    let created = json!({ "bId": "c", "operation": "create", "CompanyInfo": {} });
    let batch = json!({ "BatchItemRequest": [item, created] });
    let answer = app.post("batch", &batch).await.ok();
    let items = &answer.body["BatchItemResponse"];
    assert_eq!(items[0]["Preferences"]["SyncToken"], "1");
    assert_eq!(items[1]["Fault"]["Error"][0]["code"], "500");
    let found = groups(&app, "CompanyInfo,preferences", NOW).await;
    assert_eq!(found[0], json!({}));
    let preferences = &found[1]["Preferences"][0];
    assert_eq!(preferences["TimeTrackingPrefs"]["MarkTimeEntriesBillable"], true);
    assert_eq!(groups(&app, "Preferences", "2027-06-15T12:00:10Z").await, [json!({})]);
}

#[tokio::test]
async fn of_two_merged_entries_one_is_changed_and_one_is_a_gravestone() {
    let app = connected().await;
    let (gone, stays) = (customer(&app, "Gone").await, customer(&app, "Stays").await);
    app.advance(5).await;
    let path = format!("/companies/{A}/Customer/{}/merge", gone["Id"].as_str().unwrap());
    app.admin_post(&path, json!({ "into": stays["Id"] })).await;
    let found = groups(&app, "Customer", "2027-06-15T12:00:03Z").await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    assert_eq!(ids(&found[0], "Customer"), [text(&stays["Id"]), text(&gone["Id"])]);
    assert_eq!(found[0]["Customer"][0]["DisplayName"], "Stays");
    assert_eq!(found[0]["Customer"][1]["status"], "Deleted");
}
