//! Years without anybody doing anything, and use alone.

use serde_json::json;
use stack_tests::stack::connections::DAY;
use stack_tests::stack::stored::text;
use stack_tests::stack::{Stack, eventually};

use super::{SOON, numbers, refreshes};

async fn weeks(stack: &Stack, weeks: u64) {
    for _ in 0..weeks {
        stack.sandbox().advance(7 * DAY).await;
        let report = stack.sweep_connections("stale", SOON).await;
        assert_eq!(report["failed"], 0, "{report}");
    }
}

#[tokio::test]
async fn a_company_idle_for_400_days_is_still_connected() {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.plant(1, 0).await.remove(0);
    stack.other_connections_rest(&[&company]).await;
    weeks(&stack, 58).await;
    let row = stack.connection_row(&company).await;
    assert_eq!((text(&row, "status"), text(&row, "lastRefreshResult")), ("connected", "ok"));
    let times = refreshes(&stack, &company).await;
    assert!((5..=7).contains(&times), "refreshed {times} times in 406 days");
    stack.uproot(&[company]).await;
}

/// Pain point 24: "forced re-pair each 100 days".
#[tokio::test]
async fn no_forced_re_pair_each_100_days() {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.company("empty").await;
    stack.connect(&company).await;
    stack.other_connections_rest(&[&company]).await;
    stack.let_others_rest(&[&company]).await;
    weeks(&stack, 18).await;
    let body = json!({ "companyId": company.id });
    let tested = stack.post(&company.admin, "/test-connection", &body).await.ok();
    assert_eq!(tested["connected"], true, "{tested}");
}

#[tokio::test]
async fn a_token_of_65_days_is_renewed_by_the_weekly_sweep_and_one_of_35_days_by_use() {
    let (stack, _alone) = Stack::alone().await;
    let old = stack.plant(1, 65 * DAY).await.remove(0);
    let younger = stack.plant(1, 35 * DAY).await.remove(0);
    stack.other_connections_rest(&[&old, &younger]).await;
    let report = stack.sweep_connections("stale", SOON).await;
    assert_eq!(numbers(&report), [1, 1, 0, 0, 0], "{report}");
    assert_eq!(refreshes(&stack, &old).await, 1);
    assert_eq!(refreshes(&stack, &younger).await, 0);
    // The refresh learnt of the hard expiry, and when to warn of it.
    let row = stack.connection_row(&old).await;
    let hard = row["hardExpiresAt"].as_i64().expect("Intuit reports it");
    assert_eq!(row["warnAt"].as_i64(), Some(hard - 30 * 86_400_000));
    let renew = json!({ "ask": "renew", "companyId": younger.id });
    for company in [&younger, &old] {
        let mut renew = renew.clone();
        renew["companyId"] = company.id.clone().into();
        stack.ask_token_refresh(&renew).await;
    }
    eventually("the renewal", SOON, async || {
        (refreshes(&stack, &younger).await == 1).then_some(())
    })
    .await;
    let last = stack.invoke("token-refresh", &json!({ "report": "stale" })).await;
    assert_eq!(last, report);
    assert_eq!(refreshes(&stack, &old).await, 1, "what is new enough is not renewed");
    stack.uproot(&[old, younger]).await;
}

/// With every schedule dead, use alone keeps a company connected.
#[tokio::test]
async fn use_alone_keeps_an_active_company_connected() {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.plant(1, 0).await.remove(0);
    stack.other_connections_rest(&[&company]).await;
    for round in 1..=4 {
        stack.sandbox().advance(31 * DAY).await;
        stack.get(&company.admin, &format!("/status?companyId={}", company.id)).await.ok();
        eventually("a renewal by use", SOON, async || {
            (refreshes(&stack, &company).await == round).then_some(())
        })
        .await;
    }
    let row = stack.connection_row(&company).await;
    assert_eq!((text(&row, "status"), text(&row, "lastRefreshResult")), ("connected", "ok"));
    stack.uproot(&[company]).await;
}
