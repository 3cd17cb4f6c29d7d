//! What became of an export. It follows from the export and from what is stored, so an interrupted run
//! reports in the end what an uninterrupted one does. It holds no token. Pure.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;

use domain::ids::{CompanyId, RealmId};
use platform::migrations::Found;
use quickbooks::Environment;
use serde::Serialize;

use crate::export::{Broken, Lines, Row};
use crate::judge::{Standing, Wait, judge, origin};
use crate::plan::{CompanyPlan, Plan, Refusal};

/// The report of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The export's key.
    pub export: String,
    /// The environment of this stage; lines of the other one are left alone.
    pub environment: Environment,
    /// How many lines there are of each kind.
    pub lines: LineCounts,
    /// How many companies came to each outcome.
    pub companies: BTreeMap<Outcome, usize>,
    /// Lines that cannot be used.
    pub broken: Vec<Broken>,
    /// Every company that a readable line names, by its id.
    pub results: Vec<CompanyResult>,
}

/// Lines by kind; a line may be of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LineCounts {
    /// All that are not blank.
    pub total: usize,
    /// Those that cannot be used.
    pub broken: usize,
    /// Those of Intuit's other environment.
    pub other_environment: usize,
    /// Those that repeat another line's token for the same company.
    pub duplicates: usize,
    /// Those whose token has ended.
    pub expired: usize,
}

/// What became of a company.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// It is connected here through a token of this export.
    Migrated,
    /// It has a connection here already, which is never replaced.
    AlreadyConnected,
    /// Its connection here ended after the export's tokens were last refreshed.
    EndedHere,
    /// Intuit refuses all its tokens.
    Dead,
    /// A person decides first: see the reason.
    Refused,
    /// It is still to be done: run again.
    Waiting,
}

/// Why a company was refused, or how far one is that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
pub enum Reason {
    /// Why it was refused.
    Refused(Refusal),
    /// How far it is.
    Waiting(Progress),
}

/// How far a company is that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Progress {
    /// None of its remaining tokens was used.
    NotTried,
    /// Intuit was asked, or was about to be, and its answer is not known.
    NotProven,
    /// Its newest tokens are kept here; it is not live yet.
    Proven,
}

/// What the old side must do with a company's tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OldSide {
    /// Never use them again: the company's tokens are here now.
    Stop,
    /// Leave them as they are until the next report says more.
    Hold,
    /// It may go on with them: nothing of them is used here.
    Keep,
}

/// One company.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CompanyResult {
    /// Which.
    pub company_id: CompanyId,
    /// Its QuickBooks company by the export.
    pub realm_id: RealmId,
    /// What became of it.
    pub outcome: Outcome,
    /// Why, where the outcome does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// What the old side must do.
    pub old_side: OldSide,
    /// The user whose token it is connected through, or whose is being proven.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// The line of that token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// How many tokens there are to try.
    pub tokens: usize,
}

/// The report of an export by what is stored now.
pub fn report<S: BuildHasher>(
    export: &str,
    environment: Environment,
    lines: &Lines<Row>,
    plan: &Plan,
    found: &HashMap<CompanyId, Found, S>,
) -> Report {
    let nothing = Found::default();
    let results: Vec<CompanyResult> = plan
        .companies
        .values()
        .map(|one| result(one, &lines.rows, found.get(&one.company).unwrap_or(&nothing)))
        .collect();
    let mut companies = BTreeMap::new();
    for result in &results {
        *companies.entry(result.outcome).or_default() += 1;
    }
    Report {
        export: export.to_owned(),
        environment,
        lines: LineCounts {
            total: lines.total,
            broken: lines.broken.len(),
            other_environment: plan.other_environment,
            duplicates: plan.duplicates,
            expired: plan.expired,
        },
        companies,
        broken: lines.broken.clone(),
        results,
    }
}

fn result(plan: &CompanyPlan, rows: &[Row], found: &Found) -> CompanyResult {
    let (standing, _) = judge(plan, rows, found);
    let (outcome, reason, old_side) = match standing {
        Standing::Migrated => (Outcome::Migrated, None, OldSide::Stop),
        Standing::Connected => (Outcome::AlreadyConnected, None, OldSide::Stop),
        Standing::Ended { migrated: true } => (Outcome::EndedHere, None, OldSide::Stop),
        Standing::Ended { migrated: false } => (Outcome::EndedHere, None, OldSide::Keep),
        Standing::Dead => (Outcome::Dead, None, OldSide::Keep),
        Standing::Refused(refusal) => {
            // Something was begun before a person had to be asked: its tokens may be here already.
            let begun = found.migrating.as_ref().is_some_and(|begun| begun.connection.ready);
            let old_side = if begun { OldSide::Hold } else { OldSide::Keep };
            (Outcome::Refused, Some(Reason::Refused(refusal)), old_side)
        }
        Standing::Waiting(wait) => {
            let (progress, old_side) = match wait {
                Wait::NotTried => (Progress::NotTried, OldSide::Hold),
                Wait::NotProven => (Progress::NotProven, OldSide::Hold),
                Wait::Proven => (Progress::Proven, OldSide::Stop),
            };
            (Outcome::Waiting, Some(Reason::Waiting(progress)), old_side)
        }
    };
    let connection = match standing {
        Standing::Migrated | Standing::Ended { migrated: true } => found.connection.as_ref(),
        Standing::Waiting(Wait::NotProven | Wait::Proven) => {
            found.migrating.as_ref().map(|migrating| &migrating.connection)
        }
        _ => None,
    };
    let row = connection.and_then(|connection| origin(plan, connection));
    let row = row.map(|candidate| &rows[candidate.row]);
    CompanyResult {
        company_id: plan.company.clone(),
        realm_id: plan.realm.clone(),
        outcome,
        reason,
        old_side,
        user_id: row.map(|row| row.name.user_id.clone()),
        line: row.map(|row| row.line),
        tokens: plan.verdict.as_ref().map_or(0, Vec::len),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::{plan, tests::now, tests::row};

    #[test]
    fn a_report_is_plain_words_and_no_token() {
        let mut thawed = row(2, "b", "u", "8", "RT1-b", 2);
        thawed.frozen_at = None;
        let broken = Broken { line: 3, reason: "is not JSON".to_owned() };
        let lines = Lines {
            total: 3,
            rows: vec![row(1, "a", "u", "9", "RT1-a", 2), thawed],
            broken: vec![broken],
        };
        let plan = plan(&lines.rows, Environment::Sandbox, "app", now());
        let report = report("exports/x", Environment::Sandbox, &lines, &plan, &HashMap::new());
        let json = serde_json::to_value(&report).unwrap();
        assert!(!json.to_string().contains("RT1"));
        assert_eq!(json["companies"], json!({ "refused": 1, "waiting": 1 }));
        assert_eq!(json["broken"], json!([{ "line": 3, "reason": "is not JSON" }]));
        let wanted = json!([
            { "companyId": "a", "realmId": "9", "outcome": "waiting", "reason": "notTried",
              "oldSide": "hold", "tokens": 1 },
            { "companyId": "b", "realmId": "8", "outcome": "refused", "reason": "notFrozen",
              "oldSide": "keep", "tokens": 0 },
        ]);
        assert_eq!(json["results"], wanted);
    }
}
