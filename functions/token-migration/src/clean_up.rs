//! After a migration: which rows the old side deletes, whether it did, and the end of the export.

use std::collections::{HashMap, HashSet};

use domain::ids::CompanyId;
use serde::Serialize;

use crate::export::{Broken, RowName, read_names};
use crate::judge::{Standing, judge};
use crate::{Error, Migration};

/// Rows and companies that an answer names at most; all of them are in the bucket's files.
const NAMED: usize = 100;

/// What a clean-up answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CleanedUp {
    /// Rows that the old side deletes: those of companies that are connected here.
    pub deletions: usize,
    /// The file that lists them, a JSON object on each line.
    pub written: String,
    /// Companies of the export that are still to be done; while there are any, the export stays.
    pub unfinished: Vec<CompanyId>,
    /// Of a check: how many of the rows the old side still has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<usize>,
    /// Of a check: the first of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_rows: Vec<RowName>,
    /// Of a check: lines of the fresh export that do not tell which row they are of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<Broken>,
    /// Whether the exports are destroyed.
    pub destroyed: bool,
}

impl Migration {
    /// Lists the rows that the old side deletes. With `remaining`, a fresh export of the old table, checks
    /// that they are gone, and if so destroys both exports.
    pub async fn clean_up(
        &self,
        export: &str,
        remaining: Option<&str>,
    ) -> Result<CleanedUp, Error> {
        let lines = self.read_export(export).await?;
        let plan = self.plan(&lines).await?;
        let found = self.look_at_all(&plan).await?;
        let mut deletions: Vec<usize> = Vec::new();
        let mut unfinished = Vec::new();
        for one in plan.companies.values() {
            let seen = found.get(&one.company).cloned().unwrap_or_default();
            match judge(one, &lines.rows, &seen).0 {
                Standing::Migrated | Standing::Connected => deletions.extend(&one.rows),
                Standing::Waiting(_) => unfinished.push(one.company.clone()),
                Standing::Ended { .. } | Standing::Dead | Standing::Refused(_) => {}
            }
        }
        deletions.sort_unstable();
        let deletions: Vec<&RowName> =
            deletions.into_iter().map(|index| &lines.rows[index].name).collect();
        let written = crate::deletions_key(export);
        let text: String = deletions
            .iter()
            .filter_map(|row| serde_json::to_string(row).ok())
            .flat_map(|line| [line, "\n".to_owned()])
            .collect();
        self.bucket.write(&written, text.into_bytes(), "application/x-ndjson").await?;
        let mut answer = CleanedUp {
            deletions: deletions.len(),
            written,
            unfinished,
            left: None,
            left_rows: Vec::new(),
            unreadable: Vec::new(),
            destroyed: false,
        };
        let Some(remaining) = remaining else { return Ok(answer) };
        let there = read_names(&self.read_bytes(remaining).await?);
        let left = still_there(&deletions, &there.rows);
        answer.left = Some(left.len());
        answer.left_rows = left.into_iter().take(NAMED).cloned().collect();
        answer.unreadable = there.broken.into_iter().take(NAMED).collect();
        let done = answer.left == Some(0) && answer.unreadable.is_empty();
        if done && answer.unfinished.is_empty() {
            // The fresh one first: while the export is there, everything can be done again.
            self.bucket.delete(remaining).await?;
            self.bucket.delete(export).await?;
            answer.destroyed = true;
        }
        tracing::info!(export, deletions = answer.deletions, left = ?answer.left, destroyed = answer.destroyed, "cleaned up after a migration");
        Ok(answer)
    }
}

/// The deletions that the old side has not applied.
fn still_there<'a>(deletions: &[&'a RowName], there: &[RowName]) -> Vec<&'a RowName> {
    // By company first: comparing each with each would take minutes for large tables.
    let mut by_company: HashMap<&CompanyId, Vec<&RowName>> = HashMap::new();
    for row in there {
        by_company.entry(&row.company_id).or_default().push(row);
    }
    let remains = |deletion: &&RowName| {
        let rows = by_company.get(&deletion.company_id);
        rows.is_some_and(|rows| rows.iter().any(|row| row.same_row(deletion)))
    };
    // Two lines may name one row.
    let mut named = HashSet::new();
    deletions.iter().copied().filter(|row| named.insert(*row)).filter(remains).collect()
}

#[cfg(test)]
mod tests {
    use quickbooks::Environment;

    use super::*;

    fn name(row_id: Option<&str>, company: &str, user: &str) -> RowName {
        RowName {
            row_id: row_id.map(str::to_owned),
            company_id: company.parse().unwrap(),
            user_id: user.to_owned(),
            realm_id: "9".parse().unwrap(),
            environment: Environment::Sandbox,
        }
    }

    #[test]
    fn a_deletion_is_applied_when_its_row_is_gone() {
        let one = name(Some("1"), "a", "u");
        let two = name(None, "a", "v");
        let deletions = [&one, &two, &two];
        assert_eq!(still_there(&deletions, &[]), Vec::<&RowName>::new());
        let other = name(Some("1"), "b", "u");
        let user = name(Some("9"), "a", "w");
        assert_eq!(still_there(&deletions, &[other, user]), Vec::<&RowName>::new());
        let there = [name(Some("7"), "a", "v"), name(Some("1"), "a", "x")];
        assert_eq!(still_there(&deletions, &there), [&one, &two]);
    }
}
