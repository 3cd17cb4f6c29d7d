//! What ends by time, and what touches everybody: these tests run alone.

use std::time::Duration;

use serde_json::{Value, json};
use stack_tests::stack::{Stack, eventually};

use super::access::tested;
use crate::outside::{
    self, Visitor, callback, confirm, exchanges, link, live_grants, query, secrets, status,
    to_intuit,
};

#[tokio::test]
async fn a_link_dies_after_a_minute_and_a_state_after_ten() {
    let (stack, _alone) = Stack::alone().await;
    let (early, late) = (stack.company("empty").await, stack.company("empty").await);
    let unopened = link(&stack, &early.admin, &early.id).await;
    let (mut in_time, mut too_late) = (Visitor::default(), Visitor::default());
    let first = callback(&stack, &early, &mut in_time).await;
    let second = callback(&stack, &late, &mut too_late).await;

    stack.sandbox().advance(61).await;
    let page = Visitor::default().open(&stack, &unopened).await;
    assert_eq!(page.status, 410, "{}", page.text);
    assert!(page.says("has expired") && page.location.is_none());
    assert_eq!(in_time.open(&stack, &first).await.status, 200);
    // Confirming has ten minutes of its own.
    stack.sandbox().advance(545).await;
    let page = too_late.open(&stack, &second).await;
    assert_eq!(page.status, 410, "{}", page.text);
    assert!(page.says("has expired"));
    assert_eq!(exchanges(&stack, &late.realm).await, 0);
    confirm(&stack, &early.admin, &early.id).await.ok();
}

#[tokio::test]
async fn a_connection_that_nobody_confirms_is_revoked_and_forgotten_after_ten_minutes() {
    let (stack, _alone) = Stack::alone().await;
    let begun = async |company| {
        let mut visitor = Visitor::default();
        let callback = callback(&stack, company, &mut visitor).await;
        assert_eq!(visitor.open(&stack, &callback).await.status, 200);
    };
    let (forgotten, slow) = (stack.company("empty").await, stack.company("empty").await);
    let (down, again) = (stack.company("empty").await, stack.company("empty").await);
    stack.connect(&again).await;
    for company in [&forgotten, &slow, &down, &again] {
        begun(company).await;
    }
    // Intuit will refuse to revoke this one's.
    let row = outside::connection(&stack, &down, false).await;
    let [_, refresh] = outside::tokens(&stack, &row).await;
    let fault = json!({
        "path": "/tokens/revoke", "body": refresh, "status": 503, "times": 10,
    });
    stack.sandbox().fault(&fault).await;

    stack.sandbox().advance(540).await;
    let swept = stack.invoke("connection", &json!({ "schedule": "clean-up" })).await;
    assert_eq!(swept["failed"], 0, "{swept}");
    assert_eq!(secrets(&stack, &forgotten.id).await.len(), 1, "its time is not over");

    stack.sandbox().advance(65).await;
    let answer = confirm(&stack, &slow.admin, &slow.id).await;
    outside::problem(&answer, 410, "confirmation-too-late");
    assert!(secrets(&stack, &slow.id).await.is_empty());
    assert_eq!(live_grants(&stack, &slow.realm).await, 0);
    let answer = confirm(&stack, &slow.admin, &slow.id).await;
    outside::problem(&answer, 409, "nothing-to-confirm");
    for company in [&forgotten, &slow, &down] {
        let status = status(&stack, company).await;
        assert_eq!(status["connected"], false);
        assert_eq!(status["waitingForConfirmation"], Value::Null);
    }

    let swept = stack.invoke("connection", &json!({ "schedule": "clean-up" })).await;
    assert_eq!(swept["failed"], 0, "{swept}");
    assert!(secrets(&stack, &forgotten.id).await.is_empty());
    assert_eq!(live_grants(&stack, &forgotten.realm).await, 0);
    // Where Intuit is down, at least we hold nothing any more.
    assert!(secrets(&stack, &down.id).await.is_empty());
    let answer = confirm(&stack, &down.admin, &down.id).await;
    outside::problem(&answer, 409, "nothing-to-confirm");
    // A live connection to the same realm goes on.
    assert_eq!(secrets(&stack, &again.id).await.len(), 1);
    assert_eq!(tested(&stack, &again).await["connected"], true);
    assert!(live_grants(&stack, &again.realm).await >= 1);
    // What was dropped can begin again.
    stack.connect(&forgotten).await;
}

#[tokio::test]
async fn giving_back_never_ends_the_live_connection_of_another_company() {
    let (stack, _alone) = Stack::alone().await;
    // Nobody says whether revoking one token ends the others of its realm; here it does.
    let policy = outside::sandbox_get(&stack, "/oauth").await;
    let mut harder = policy.clone();
    harder["revokeWholeRealm"] = true.into();
    stack.sandbox().post("/oauth", &harder).await;
    let live = stack.company("empty").await;
    let (mut confirming, mut waiting) =
        (stack.company("empty").await, stack.company("empty").await);
    confirming.realm.clone_from(&live.realm);
    waiting.realm.clone_from(&live.realm);
    for company in [&confirming, &waiting] {
        let mut visitor = Visitor::default();
        let callback = callback(&stack, company, &mut visitor).await;
        assert_eq!(visitor.open(&stack, &callback).await.status, 200);
    }
    stack.connect(&live).await;
    let refused = confirm(&stack, &confirming.admin, &confirming.id).await;
    let after_refusal = live_grants(&stack, &live.realm).await;
    stack.sandbox().advance(601).await;
    stack.invoke("connection", &json!({ "schedule": "clean-up" })).await;
    let after_sweep = live_grants(&stack, &live.realm).await;
    stack.sandbox().post("/oauth", &policy).await;
    outside::problem(&refused, 409, "realm-taken");
    assert!(secrets(&stack, &waiting.id).await.is_empty());
    assert!(after_refusal >= 1, "the refused confirmation ended the live connection");
    assert!(after_sweep >= 1, "the sweep ended the live connection");
    assert_eq!(tested(&stack, &live).await["connected"], true);
}

#[tokio::test]
async fn a_confirmation_that_was_interrupted_can_be_repeated() {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.company("empty").await;
    let mut visitor = Visitor::default();
    let callback = callback(&stack, &company, &mut visitor).await;
    assert_eq!(visitor.open(&stack, &callback).await.status, 200);
    // The function dies after the connection is live and before its company's work may run.
    let order = json!({
        "function": "oauth-callback", "action": "dynamodb:UpdateItem", "resource": "Companies",
        "when": "before", "calls": 1,
    });
    stack.control().crash(&order).await;
    let interrupted = confirm(&stack, &company.admin, &company.id).await;
    assert!(interrupted.status >= 500, "{} {}", interrupted.status, interrupted.text);
    stack.control().clear_rules().await;
    let again = confirm(&stack, &company.admin, &company.id).await;
    assert_eq!(again.status, 200, "{}", again.text);
    assert_eq!(again.json()["realmId"], company.realm.as_str());
    outside::first_import(&stack, &company).await;
}

#[tokio::test]
async fn the_browser_goes_on_to_the_pages_that_are_configured() {
    let (stack, _alone) = Stack::alone().await;
    let mut before = Vec::new();
    for binary in ["oauth-initiate", "oauth-callback"] {
        let variables = outside::variables(&stack, binary).await;
        let mut changed = variables.clone();
        changed["SUCCESS_URL"] = "https://app.example/settings?tab=books".into();
        changed["FAILURE_URL"] = "https://app.example/oops".into();
        outside::set_variables(&stack, binary, &changed).await;
        before.push((binary, variables));
    }
    let company = stack.company("empty").await;
    let mut visitor = Visitor::default();
    let callback = callback(&stack, &company, &mut visitor).await;
    let mut same = visitor.clone();
    let good = visitor.open(&stack, &callback).await;
    let bad = same.open(&stack, &callback).await;
    let link = outside::with_query(&callback, "state", Some("none"));
    let never = Visitor::default().open(&stack, &link).await;
    for (binary, variables) in &before {
        outside::set_variables(&stack, binary, variables).await;
    }
    let good_at = good.location.clone().unwrap();
    assert_eq!((good.status, good_at.path()), (302, "/settings"));
    assert_eq!(query(&good_at, "tab").as_deref(), Some("books"));
    assert_eq!(query(&good_at, "companyId").as_deref(), Some(company.id.as_str()));
    for page in [&bad, &never] {
        let at = page.location.clone().unwrap();
        assert_eq!((page.status, at.path()), (302, "/oops"));
        assert_eq!(query(&at, "reason").as_deref(), Some("link-unknown"));
    }
    for page in [&good, &bad] {
        assert_eq!(page.header("referrer-policy"), "no-referrer");
        let at = page.location.clone().unwrap();
        for secret in ["code", "state"] {
            assert_eq!(query(&at, secret), None, "{at}");
        }
    }
}

/// The app's keys are read again after four minutes of real time, hence the wait.
#[tokio::test]
#[ignore = "waits up to ten minutes of real time"]
async fn changed_app_keys_take_effect_within_five_minutes_without_a_deploy() {
    let (stack, _alone) = Stack::alone().await;
    let put = async |keys: Value| outside::put_app_keys(&stack, &keys).await;
    let keys = outside::app_keys(&stack).await;
    let company = stack.company("empty").await;
    stack.connect(&company).await;
    let mut rotated = keys.clone();
    rotated["clientId"] = "rotated-client".into();
    put(rotated).await;
    let seen = async |wanted: &str| {
        let began = std::time::Instant::now();
        while began.elapsed() < Duration::from_mins(5) {
            let link = link(&stack, &company.admin, &company.id).await;
            let consent = to_intuit(&stack, &mut Visitor::default(), &link).await;
            if query(&consent, "client_id").as_deref() == Some(wanted) {
                return true;
            }
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        false
    };
    let rotated = seen("rotated-client").await;
    put(keys).await;
    let restored = seen("sandbox-client").await;
    assert!(rotated && restored, "rotated: {rotated}, restored: {restored}");
    // The callback has its own copy of the keys.
    eventually("the callback to use the keys again", Duration::from_mins(5), async || {
        let mut visitor = Visitor::default();
        let callback = callback(&stack, &company, &mut visitor).await;
        (visitor.open(&stack, &callback).await.status == 200).then_some(())
    })
    .await;
}
