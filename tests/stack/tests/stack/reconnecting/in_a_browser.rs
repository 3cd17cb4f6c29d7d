//! The reconnect page in a real browser, every state of it. `CHROMIUM` names the browser, by default
//! `/usr/bin/chromium`; `SCREENSHOTS` a directory for pictures.

use serde_json::json;
use stack_tests::stack::{Stack, eventually};

use super::public;
use crate::outside::status;

#[tokio::test]
#[ignore = "needs Chromium and Node.js"]
async fn an_office_manager_connects_again_in_a_browser() {
    let (stack, _alone) = Stack::alone().await;
    let company = stack.company("empty").await;
    let other = stack.company("empty").await;
    let input = json!({
        "reconnect": public(&stack, "/reconnect").as_str(),
        "disconnected": public(&stack, "/disconnected").as_str(),
        "admin": stack.is.sandbox_admin_url,
        "company": company.id, "realm": company.realm, "other": other.id,
    });
    let walk = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stack/reconnecting/browser.mjs");
    let output = tokio::process::Command::new("node").arg(walk).arg(input.to_string()).output();
    let output = output.await.unwrap();
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    eventually("the connection", std::time::Duration::from_secs(5), async || {
        (status(&stack, &company).await["connected"] == true).then_some(())
    })
    .await;
}
