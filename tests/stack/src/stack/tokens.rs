//! A company's tokens: what Intuit was asked for them, how the connection stands, and time passing
//! until they end.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Stack;
use super::company::Company;

/// From when on Intuit hands out another refresh token, in seconds: a day, and a little.
pub const ROTATES: u64 = 25 * 3600;
/// Longer than a refresh lease lasts (200 s) and than any pause after a failure (60 s), in seconds.
pub const PAST_THE_LEASE: u64 = 205;

/// What Intuit's token endpoint was asked for one company, and how it judged the calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenCalls {
    /// Refreshes that gave tokens.
    pub refresh: u64,
    /// Codes and refresh tokens that were refused.
    pub refused: u64,
    /// Refreshes that began while another one of the connection was under way.
    pub concurrent: u64,
    /// Revocations, whatever came of them.
    pub revoke: u64,
}

impl TokenCalls {
    /// Refreshes that were asked for, given and refused.
    pub fn asked(self) -> u64 {
        self.refresh + self.refused
    }
}

impl Stack {
    /// What Intuit was asked for a company's tokens so far.
    pub async fn token_calls(&self, company: &Company) -> TokenCalls {
        let counters = self.sandbox().counters(&company.realm).await;
        let count = |name: &str| counters["tokens"][name].as_u64().unwrap_or_default();
        TokenCalls {
            refresh: count("refresh"),
            refused: count("refused"),
            concurrent: count("concurrentRefresh"),
            revoke: count("revoke"),
        }
    }

    /// Answers of QuickBooks with this status.
    pub async fn answered(&self, company: &Company, status: u16) -> u64 {
        let counters = self.sandbox().counters(&company.realm).await;
        counters["byStatus"][status.to_string()].as_u64().unwrap_or_default()
    }

    /// Calls that QuickBooks turned away for coming too fast.
    pub async fn throttled(&self, company: &Company) -> u64 {
        let counters = self.sandbox().counters(&company.realm).await;
        counters["throttled429"].as_u64().unwrap_or_default()
    }

    /// The connection as its admin sees it.
    pub async fn status(&self, company: &Company) -> Value {
        self.get(&company.admin, &format!("/status?companyId={}", company.id)).await.ok()
    }

    /// The versions of a company's tokens that are stored, by their names in Secrets Manager.
    pub async fn stored_tokens(&self, company: &Company) -> BTreeSet<String> {
        let row = self.connection_row(company).await;
        let secret = json!({ "SecretId": row["secret"], "IncludeDeprecated": true });
        let (status, answer) = self.aws("secretsmanager", "ListSecretVersionIds", &secret).await;
        assert_eq!(status, 200, "{answer}");
        let versions = answer["Versions"].as_array().into_iter().flatten();
        versions.filter_map(|version| version["VersionId"].as_str().map(str::to_owned)).collect()
    }

    /// Sets one attribute of that row; the value is given as DynamoDB writes it.
    pub async fn set_connection(&self, company: &Company, attribute: &str, value: &Value) {
        self.set("Connections", &connection_key(company), attribute, value).await;
    }

    /// Lets the access token end by the shared clock. Only in a test that is alone.
    pub async fn let_the_token_expire(&self, company: &Company) {
        let ends = self.connection_row(company).await["accessExpiresAt"].as_i64();
        self.clock_reaches(ends.expect("a live connection") + 1000).await;
    }

    /// How Intuit's token endpoint behaves: for how many seconds a replaced refresh token still works.
    /// Two refreshes at once cost the connection in any case.
    pub async fn replaced_tokens_work_for(&self, seconds: u32) {
        let policy = json!({ "refreshGraceS": seconds, "revokeOnConcurrentRefresh": true });
        self.sandbox().post("/oauth", &policy).await;
    }

    /// The host app's notices that an admin of the company must connect again.
    pub async fn reconnect_notices(&self, company: &Company) -> usize {
        let events = self.events(&company.id).await;
        let notice = |event: &&Value| event["detail-type"] == "connection.reconnect_required";
        events.iter().filter(notice).count()
    }
}

/// The key of the row of a company's live connection.
pub fn connection_key(company: &Company) -> Value {
    json!({ "id": { "S": format!("company#{}", company.id) } })
}
