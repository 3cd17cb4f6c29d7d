//! What the product has stored, read from its tables as AWS's root user: for what no route tells.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::company::Company;
use super::{Stack, eventually};

/// Time for a drain of a small company, its process's start included.
const DRAIN: Duration = Duration::from_secs(40);
/// Milliseconds since 1970 of a time that no test reaches: 2100-01-01.
const NEVER: i64 = 4_102_444_800_000;

/// A stored timecard.
#[derive(Clone, Debug)]
pub struct Record {
    /// Such as `synced`.
    pub status: String,
    /// The newest version accepted.
    pub version: u64,
    /// QuickBooks' Id of its TimeActivity, and the version that it shows.
    pub quick_books: Option<(String, u64)>,
    /// Why it failed: the list of field errors.
    pub errors: Value,
}

impl Stack {
    /// Items of a company whose sort keys begin with `prefix`, as plain JSON, in key order. All of them,
    /// if it is empty.
    pub async fn stored(&self, table: &str, company: &str, prefix: &str) -> Vec<Value> {
        let mut found = Vec::new();
        let mut body = json!({
            "TableName": self.table(table),
            "ConsistentRead": true,
            "KeyConditionExpression": "company = :company AND begins_with(#item, :prefix)",
            "ExpressionAttributeNames": { "#item": "item" },
            "ExpressionAttributeValues": { ":company": { "S": company }, ":prefix": { "S": prefix } },
        });
        if prefix.is_empty() {
            // An empty text is no key to compare with.
            body["KeyConditionExpression"] = "company = :company".into();
            body["ExpressionAttributeValues"] = json!({ ":company": { "S": company } });
            body.as_object_mut().map(|body| body.remove("ExpressionAttributeNames"));
        }
        loop {
            let (status, answer) = self.aws("dynamodb", "Query", &body).await;
            assert_eq!(status, 200, "{answer}");
            found.extend(answer["Items"].as_array().into_iter().flatten().map(plain));
            let Some(next) = answer.get("LastEvaluatedKey").filter(|key| key.is_object()) else {
                return found;
            };
            body["ExclusiveStartKey"] = next.clone();
        }
    }

    /// The name as deployed of a table, by its name in the template.
    pub fn table(&self, table: &str) -> &str {
        self.is.tables.get(table).expect("the template has no such table")
    }

    /// Sets one attribute of an item. The key and the value are given as DynamoDB writes them.
    pub async fn set(&self, table: &str, key: &Value, attribute: &str, value: &Value) {
        let body = json!({
            "TableName": self.table(table),
            "Key": key,
            "UpdateExpression": "SET #attribute = :value",
            "ExpressionAttributeNames": { "#attribute": attribute },
            "ExpressionAttributeValues": { ":value": value },
        });
        let (status, answer) = self.aws("dynamodb", "UpdateItem", &body).await;
        assert_eq!(status, 200, "{answer}");
    }

    /// An item by its whole key, as plain JSON; null if there is none.
    pub async fn item(&self, table: &str, key: &Value) -> Value {
        let body = json!({ "TableName": self.table(table), "Key": key, "ConsistentRead": true });
        let (status, answer) = self.aws("dynamodb", "GetItem", &body).await;
        assert_eq!(status, 200, "{answer}");
        answer.get("Item").map_or(Value::Null, plain)
    }

    /// The company's row: state, lease, and when work is due.
    pub async fn company_row(&self, company: &Company) -> Value {
        self.item("Companies", &json!({ "company": { "S": company.id } })).await
    }

    /// The company's timecards by id.
    pub async fn records(&self, company: &Company) -> BTreeMap<String, Record> {
        let rows = self.stored("Records", &company.id, "timecard#").await;
        rows.iter()
            .map(|row| {
                let id = text(row, "item").trim_start_matches("timecard#").to_owned();
                let copy = row.get("quickBooks").filter(|copy| copy.is_object());
                let record = Record {
                    status: text(row, "status").to_owned(),
                    version: row["version"].as_u64().unwrap_or_default(),
                    quick_books: copy.map(|copy| {
                        (text(copy, "id").to_owned(), copy["version"].as_u64().unwrap_or_default())
                    }),
                    errors: serde_json::from_str(text(row, "errors")).unwrap_or(Value::Null),
                };
                (id, record)
            })
            .collect()
    }

    /// Work items of timecards, in all lanes.
    pub async fn timecard_work(&self, company: &Company) -> Vec<Value> {
        let mut work = Vec::new();
        for lane in ["urgent", "normal", "background"] {
            work.extend(self.stored("Work", &company.id, &format!("{lane}#timecard#")).await);
        }
        work
    }

    /// Sends whose outcome is not known: the entries of all journal items.
    pub async fn open_sends(&self, company: &Company) -> Vec<Value> {
        let items = self.stored("Work", &company.id, "journal#").await;
        items
            .iter()
            .flat_map(|item| {
                let entries: Vec<Value> =
                    serde_json::from_str(text(item, "entries")).expect("a journal can be read");
                entries
            })
            .collect()
    }

    /// Dead letters of timecards: reason by timecard.
    pub async fn dead_letters(&self, company: &Company) -> BTreeMap<String, String> {
        let rows = self.stored("Work", &company.id, "dead#timecard#").await;
        rows.iter()
            .map(|row| {
                let id = text(row, "item").trim_start_matches("dead#timecard#").to_owned();
                (id, text(row, "reason").to_owned())
            })
            .collect()
    }

    /// Runs the one-minute sweep now.
    pub async fn sweep(&self) -> Value {
        self.invoke("sync-orchestrator", &json!({ "schedule": "sweep" })).await
    }

    /// Puts off whatever other companies have due, so that neither a moved clock nor a sweep makes
    /// workers run for them. New work of theirs runs as ever. Only in a test that is alone.
    pub async fn let_others_rest(&self, mine: &[&Company]) {
        let mut body = json!({
            "TableName": self.table("Companies"),
            "FilterExpression": "attribute_exists(nextDue) AND nextDue < :never",
            "ExpressionAttributeValues": { ":never": { "N": NEVER.to_string() } },
        });
        loop {
            let (status, answer) = self.aws("dynamodb", "Scan", &body).await;
            assert_eq!(status, 200, "{answer}");
            for row in answer["Items"].as_array().into_iter().flatten().map(plain) {
                let id = text(&row, "company");
                if mine.iter().all(|company| company.id != id) {
                    let key = json!({ "company": { "S": id } });
                    let never = json!({ "N": NEVER.to_string() });
                    self.set("Companies", &key, "nextDue", &never).await;
                }
            }
            let Some(next) = answer.get("LastEvaluatedKey").filter(|key| key.is_object()) else {
                return;
            };
            body["ExclusiveStartKey"] = next.clone();
        }
    }

    /// Waits until no worker has a lease on these companies and nothing of them is due.
    pub async fn idle(&self, companies: &[&Company]) {
        for company in companies {
            eventually(&format!("{} to be idle", company.id), DRAIN, async || {
                let now = self.sandbox().now().await.as_millisecond();
                let row = self.company_row(company).await;
                let due = row["nextDue"].as_i64().is_some_and(|due| due <= now);
                (row.get("leaseOwner").is_none() && !due).then_some(())
            })
            .await;
        }
    }

    /// Waits until no worker has a lease on a company, or the one that has it has given up renewing it
    /// and must be dead or at its end.
    pub async fn idle_or_given_up(&self, company: &Company) {
        let mut seen = None;
        for _ in 0..4 {
            let row = self.company_row(company).await;
            let until = row["leaseUntil"].as_i64();
            if row.get("leaseOwner").is_none() || (seen.is_some() && seen == until) {
                return;
            }
            seen = until;
            // A holder renews every five seconds.
            tokio::time::sleep(Duration::from_secs(7)).await;
        }
    }

    /// Lets the dust settle: moves the clock to whatever the companies wait for next and sweeps, again
    /// and again, until no timecard of theirs is on its way. Only in a test that is alone.
    ///
    /// # Panics
    ///
    /// When something is still on its way after more rounds than the whole ladder has.
    pub async fn dust_settles(&self, companies: &[&Company]) {
        for _ in 0..12 {
            let mut next = None;
            for company in companies {
                let open = self.open_sends(company).await;
                let open = open.iter().any(|entry| entry["parked"] != json!(true));
                if open || !self.timecard_work(company).await.is_empty() {
                    let row = self.company_row(company).await;
                    let lease = row["leaseUntil"].as_i64();
                    next = next.max(row["nextDue"].as_i64()).max(lease);
                }
            }
            let Some(next) = next else { return };
            self.clock_reaches(next).await;
            self.sweep().await;
            self.idle(companies).await;
        }
        panic!("timecards are still on their way after twelve rounds");
    }

    /// Kills the process of a function that made the last call of this kind since `mark`, from here
    /// rather than at a call.
    ///
    /// # Panics
    ///
    /// If there was no such call.
    pub async fn kill_caller(&self, mark: u64, binary: &str, action: &str) {
        let function = self.function(binary);
        let calls = self.control().log(mark).await;
        let of_it = |call: &&crate::proxy::log::Entry| {
            call.function.as_deref() == Some(function) && call.action == action
        };
        let last = calls.iter().rev().find(of_it).expect("the function made no such call");
        let pid = last.pid.and_then(rustix::process::Pid::from_raw).expect("a process called");
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it is there");
    }

    /// Moves the clock forward to a time in milliseconds since 1970, and a little more.
    pub async fn clock_reaches(&self, ms: i64) {
        let wait = ms - self.sandbox().now().await.as_millisecond();
        if let Ok(wait) = u64::try_from(wait) {
            self.sandbox().advance(wait / 1000 + 1).await;
        }
    }
}

/// A text field of a stored item; empty if it is absent.
pub fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// An item as DynamoDB writes it, without the types.
fn plain(item: &Value) -> Value {
    let attributes = item.as_object().into_iter().flatten();
    Value::Object(
        attributes.map(|(name, value)| (name.clone(), untyped(value))).collect::<Map<_, _>>(),
    )
}

fn untyped(value: &Value) -> Value {
    let Some((kind, inner)) = value.as_object().and_then(|typed| typed.iter().next()) else {
        return Value::Null;
    };
    match kind.as_str() {
        "N" => {
            inner.as_str().and_then(|digits| serde_json::from_str(digits).ok()).unwrap_or_default()
        }
        "M" => plain(inner),
        "L" => inner.as_array().into_iter().flatten().map(untyped).collect(),
        "NULL" => Value::Null,
        _ => inner.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_item_reads_as_plain_json() {
        let stored = json!({
            "a": { "S": "x" }, "b": { "N": "7" }, "c": { "M": { "d": { "BOOL": true } } },
            "e": { "SS": ["y"] }, "f": { "L": [{ "NULL": true }] },
        });
        let wanted = json!({ "a": "x", "b": 7, "c": { "d": true }, "e": ["y"], "f": [null] });
        assert_eq!(plain(&stored), wanted);
    }
}
