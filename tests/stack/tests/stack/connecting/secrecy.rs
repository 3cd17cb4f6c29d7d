//! Tokens, codes, states, tickets and cookies are in Secrets Manager, in the browser, or nowhere.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use stack_tests::stack::{Stack, eventually};

use crate::outside::{self, Visitor, confirm, grant, link, log_text, query, table_text, to_intuit};

#[tokio::test]
async fn no_secret_of_connecting_is_in_any_table_log_or_event() {
    let (stack, _shared) = Stack::shared().await;
    stack.listen().await;
    let since = Timestamp::now();
    let company = stack.company("empty").await;
    let mut planted: Vec<(&str, String)> = vec![("client secret", "sandbox-secret".to_owned())];

    // Once in vain, which is logged, and once with success.
    let fault = json!({ "realm": company.realm, "path": "/companyinfo", "status": 403 });
    stack.sandbox().fault(&fault).await;
    for attempt in 0..2 {
        let link = link(&stack, &company.admin, &company.id).await;
        let mut visitor = Visitor::default();
        let consent = to_intuit(&stack, &mut visitor, &link).await;
        let callback = grant(&stack, &mut visitor, &consent, &company.realm).await;
        planted.push(("ticket", query(&link, "ticket").unwrap()));
        planted.push(("state", query(&consent, "state").unwrap()));
        planted.push(("cookie", visitor.0[0].value.clone()));
        planted.push(("code", query(&callback, "code").unwrap()));
        // In another browser first: what is refused is not logged either.
        Visitor::default().open(&stack, &callback).await;
        let page = visitor.open(&stack, &callback).await;
        assert_eq!(page.status, if attempt == 0 { 403 } else { 200 }, "{}", page.text);
    }
    confirm(&stack, &company.admin, &company.id).await.ok();
    let bearer = stack.token(&company.admin).await.unwrap();
    planted.push(("bearer", bearer.rsplit('.').next().unwrap().to_owned()));

    // A refresh: the access token is taken for one that ends in a minute.
    let first = outside::connection(&stack, &company, true).await;
    let first = outside::tokens(&stack, &first).await;
    let soon = stack.sandbox().now().await.as_millisecond() + 60_000;
    let key = outside::connection_key("company", &company);
    let soon = json!({ "N": soon.to_string() });
    stack.set("Connections", &key, "accessExpiresAt", &soon).await;
    assert_eq!(super::access::tested(&stack, &company).await["connected"], true);
    let second = outside::connection(&stack, &company, true).await;
    let second = outside::tokens(&stack, &second).await;
    assert_ne!(first, second, "the tokens were refreshed");
    for [access, refresh] in [first, second] {
        planted.push(("access token", access));
        planted.push(("refresh token", refresh));
    }
    assert!(planted.iter().all(|(_, value)| value.len() >= 10), "{planted:?}");

    // The logs are those of this test only if they tell of its company.
    let log = eventually("the warning in the logs", Duration::from_secs(20), async || {
        let log = log_text(&stack, since).await;
        log.contains(&company.id).then_some(log)
    })
    .await;
    let mut places = vec![("the logs".to_owned(), log)];
    for (name, table) in &stack.is.tables {
        places.push((format!("table {name}"), table_text(&stack, table).await));
    }
    let events = eventually("connection.connected", Duration::from_secs(20), async || {
        let events = stack.events(&company.id).await;
        (!events.is_empty()).then_some(events)
    })
    .await;
    places.push(("the bus".to_owned(), Value::from(events).to_string()));
    let audit = places.iter().find(|(name, _)| name == "table AuditLog");
    assert!(audit.is_some_and(|(_, text)| text.contains(&company.id)), "tables are looked through");
    let mut found = Vec::new();
    for (place, text) in &places {
        for (what, value) in &planted {
            if text.contains(value) {
                found.push(format!("a {what} is in {place}"));
            }
        }
    }
    assert!(found.is_empty(), "{found:?}");
}

#[tokio::test]
async fn tokens_are_in_one_secret_of_the_company_and_the_app_s_keys_in_no_variable() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    stack.connect(&company).await;
    let names = outside::secrets(&stack, &company.id).await;
    assert_eq!(names.len(), 1, "{names:?}");
    let row = outside::connection(&stack, &company, true).await;
    assert_eq!(row["secret"], names[0].as_str());
    let tokens = outside::tokens(&stack, &row).await;
    for binary in stack.is.functions.keys() {
        let variables = outside::variables(&stack, binary).await.to_string();
        for secret in tokens.iter().map(String::as_str).chain(["sandbox-secret", "sandbox-client"])
        {
            assert!(!variables.contains(secret), "{binary}");
        }
    }
}
