//! After a migration: the list of deletions, the check, the end of the export.

use serde_json::{Value, json};
use stack_tests::stack::Stack;

use super::{Export, old_token, run};

#[tokio::test]
async fn an_export_is_destroyed_when_the_old_side_has_deleted_its_rows_and_not_before() {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.company("empty").await;
    let token = old_token(&stack, &company.realm).await;
    let (id, realm) = (company.id.as_str(), company.realm.as_str());
    let dead = format!("dead-{id}");
    let mut export = Export::default();
    export.add(id, "anna", realm, &token, &json!({ "rowId": 17 }));
    export.add(id, "ben", realm, "RT1-older", &json!({ "refreshedAt": null }));
    export.add(&dead, "cleo", "71", "RT1-dead", &json!({}));
    export.raw("{ cut off");
    let key = export.upload(&stack, "cleaned").await;
    let clean_up = async |remaining: Option<&str>| {
        let mut event = json!({ "cleanUp": key });
        if let Some(remaining) = remaining {
            event["remaining"] = remaining.into();
        }
        stack.invoke_long("token-migration", &event).await
    };

    // Before the migration nothing is to be deleted, and the export is needed.
    let fresh = Export::default().upload(&stack, "empty").await;
    let answer = clean_up(Some(&fresh)).await;
    assert_eq!((&answer["deletions"], &answer["destroyed"]), (&json!(0), &json!(false)));
    assert_eq!(answer["unfinished"], json!([dead, id]));

    run(&stack, &key).await;
    let answer = clean_up(None).await;
    assert_eq!(answer["unfinished"], json!([]));
    let list = stack.file("Migration", answer["written"].as_str().unwrap()).await.unwrap();
    let list: Vec<Value> = list.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let row = |user: &str| json!({ "companyId": id, "userId": user, "realmId": realm, "environment": "sandbox" });
    let mut first = row("anna");
    first["rowId"] = "17".into();
    assert_eq!(list, [first.clone(), row("ben")]);

    // One of the two rows is still there; then a line that nobody can read; then neither.
    let mut remaining = Export::default();
    remaining.raw(&json!({ "rowId": 17, "companyId": id, "userId": "anna", "realmId": realm, "environment": "sandbox" }).to_string());
    remaining.add(&dead, "cleo", "71", "RT1-dead", &json!({}));
    let fresh = remaining.upload(&stack, "remaining").await;
    let answer = clean_up(Some(&fresh)).await;
    assert_eq!((&answer["left"], &answer["destroyed"]), (&json!(1), &json!(false)));
    assert_eq!(answer["leftRows"], json!([first]));

    let mut remaining = Export::default();
    remaining.raw("{ cut off");
    let unreadable = remaining.upload(&stack, "unreadable").await;
    let answer = clean_up(Some(&unreadable)).await;
    assert_eq!((&answer["left"], &answer["destroyed"]), (&json!(0), &json!(false)));
    assert_eq!(answer["unreadable"], json!([{ "line": 1, "reason": "is not JSON" }]));
    assert!(stack.file("Migration", &key).await.is_some());

    let mut remaining = Export::default();
    remaining.add(&dead, "cleo", "71", "RT1-dead", &json!({}));
    let fresh = remaining.upload(&stack, "gone").await;
    let answer = clean_up(Some(&fresh)).await;
    assert_eq!((&answer["left"], &answer["destroyed"]), (&json!(0), &json!(true)), "{answer}");
    assert_eq!(stack.file("Migration", &key).await, None);
    assert_eq!(stack.file("Migration", &fresh).await, None);
    let answer = clean_up(None).await;
    assert!(answer["error"].as_str().unwrap().starts_with("there is no file exports/"), "{answer}");
}

#[tokio::test]
async fn an_event_that_is_not_understood_says_so_and_does_nothing() {
    let (stack, _shared) = Stack::shared().await;
    for event in [
        json!({}),
        json!({ "export": "reports/x.json" }),
        json!({ "export": "exports/../x" }),
        json!({ "export": "exports/x", "cleanUp": "exports/x" }),
        json!({ "export": "exports/x", "dryrun": true }),
        json!({ "cleanUp": "exports/x", "remaining": "exports/x" }),
        json!({ "cleanUp": "exports/x", "dryRun": true }),
    ] {
        let answer = stack.invoke_long("token-migration", &event).await;
        assert!(answer["error"].is_string(), "{event}: {answer}");
    }
}
