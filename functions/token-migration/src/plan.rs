//! What to do with an export: which tokens of which company, in which order, and which companies a
//! person must look at first. Pure.

use std::collections::{BTreeMap, BTreeSet};

use domain::ids::{CompanyId, RealmId};
use jiff::Timestamp;
use platform::keys::sha256;
use platform::migrations::connection_id;
use quickbooks::Environment;
use secrecy::ExposeSecret;
use serde::Serialize;

use crate::export::Row;

/// Why a company is not migrated, although its lines can be read. It stays on the old side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Refusal {
    /// All its lines are of Intuit's other environment.
    OtherEnvironment,
    /// Its lines name two QuickBooks companies: a person decides which one is right.
    TwoRealms,
    /// Another company's lines name the same QuickBooks company.
    RealmOfTwoCompanies,
    /// Another company's lines hold the same token.
    TokenOfTwoCompanies,
    /// The QuickBooks company belongs to another company here.
    RealmTaken,
    /// The company was deleted here; only connecting by hand opens it again.
    Deleted,
    /// The company was connected to another QuickBooks company here.
    OtherRealm,
    /// The old side may still refresh its tokens: a line has no `frozenAt`, or one in the future.
    NotFrozen,
    /// The old side has refreshed a token after it said that it had stopped.
    RefreshedAfterFreeze,
    /// All its tokens have ended.
    Expired,
}

/// A token to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The row that holds it, as an index into the export's rows.
    pub row: usize,
    /// The connection that it would become. The same token always becomes the same one, so a later run
    /// knows what an earlier one did with it.
    pub connection_id: String,
}

/// One company of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompanyPlan {
    /// Which.
    pub company: CompanyId,
    /// Its rows in this environment, as indexes into the export's rows.
    pub rows: Vec<usize>,
    /// Its QuickBooks company; the first one's if there are several.
    pub realm: RealmId,
    /// Every token of it in this environment, ended ones too: the most recent first.
    pub known: Vec<Candidate>,
    /// The tokens to try, in this order, or why none is.
    pub verdict: Result<Vec<Candidate>, Refusal>,
}

/// An export, sorted out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Every company that a readable line names.
    pub companies: BTreeMap<CompanyId, CompanyPlan>,
    /// Lines of Intuit's other environment.
    pub other_environment: usize,
    /// Lines that repeat another one's token for the same company.
    pub duplicates: usize,
    /// Lines of this environment whose token has ended.
    pub expired: usize,
}

/// Sorts an export out for a stage of `environment` whose Intuit app is `client_id`.
pub fn plan(rows: &[Row], environment: Environment, client_id: &str, now: Timestamp) -> Plan {
    let mut plan =
        Plan { companies: BTreeMap::new(), other_environment: 0, duplicates: 0, expired: 0 };
    let mut by_company: BTreeMap<&CompanyId, Vec<usize>> = BTreeMap::new();
    for (index, row) in rows.iter().enumerate() {
        let ours = by_company.entry(&row.name.company_id).or_default();
        if row.name.environment == environment {
            ours.push(index);
            plan.expired += usize::from(ended(row, now));
        } else {
            plan.other_environment += 1;
        }
    }
    let shared = Shared::of(rows, environment);
    for (company, indexes) in by_company {
        let known = candidates(rows, &indexes, client_id);
        plan.duplicates += indexes.len() - known.len();
        let first = indexes.first().copied();
        let first = first.or_else(|| rows.iter().position(|row| row.name.company_id == *company));
        let Some(realm) = first.map(|first| rows[first].name.realm_id.clone()) else { continue };
        let alive = known.iter().filter(|candidate| !ended(&rows[candidate.row], now));
        let alive: Vec<Candidate> = alive.cloned().collect();
        let refused = refusal(rows, &indexes, &shared, now);
        let refused = refused.or_else(|| alive.is_empty().then_some(Refusal::Expired));
        let verdict = refused.map_or(Ok(alive), Err);
        let company = company.clone();
        plan.companies
            .insert(company.clone(), CompanyPlan { company, rows: indexes, realm, known, verdict });
    }
    plan
}

fn ended(row: &Row, now: Timestamp) -> bool {
    row.expires_at.is_some_and(|end| end <= now)
}

/// The tokens of one company, each once, the most recent first. Of lines with the same token the most
/// recent one stands for it; of two that are equally recent, the later one.
fn candidates(rows: &[Row], indexes: &[usize], client_id: &str) -> Vec<Candidate> {
    let mut recent = indexes.to_vec();
    recent.sort_by_key(|index| std::cmp::Reverse((rows[*index].time(), rows[*index].line)));
    let mut seen = BTreeSet::new();
    recent
        .into_iter()
        .map(|index| {
            let Row { name, refresh_token, .. } = &rows[index];
            let token = refresh_token.expose_secret();
            let connection_id =
                connection_id(&name.company_id, &name.realm_id, name.environment, client_id, token);
            Candidate { row: index, connection_id }
        })
        .filter(|candidate| seen.insert(candidate.connection_id.clone()))
        .collect()
}

/// Realms and tokens that more than one company names. Lines whose token has ended count too: that two
/// companies ever named one realm is a question that only a person can answer.
struct Shared {
    realms: BTreeSet<RealmId>,
    tokens: BTreeSet<String>,
}

impl Shared {
    fn of(rows: &[Row], environment: Environment) -> Self {
        let mut realms: BTreeMap<&RealmId, BTreeSet<&CompanyId>> = BTreeMap::new();
        let mut tokens: BTreeMap<String, BTreeSet<&CompanyId>> = BTreeMap::new();
        for row in rows.iter().filter(|row| row.name.environment == environment) {
            let company = &row.name.company_id;
            realms.entry(&row.name.realm_id).or_default().insert(company);
            tokens.entry(sha256(row.refresh_token.expose_secret())).or_default().insert(company);
        }
        let realms = realms.into_iter().filter(|(_, companies)| companies.len() > 1);
        let tokens = tokens.into_iter().filter(|(_, companies)| companies.len() > 1);
        Self {
            realms: realms.map(|(realm, _)| realm.clone()).collect(),
            tokens: tokens.map(|(token, _)| token).collect(),
        }
    }
}

fn refusal(rows: &[Row], indexes: &[usize], shared: &Shared, now: Timestamp) -> Option<Refusal> {
    let rows: Vec<&Row> = indexes.iter().map(|index| &rows[*index]).collect();
    let first = rows.first();
    let any = |holds: &dyn Fn(&Row) -> bool| rows.iter().any(|row| holds(row));
    let frozen = |row: &Row| row.frozen_at.is_some_and(|since| since <= now);
    let Some(first) = first else { return Some(Refusal::OtherEnvironment) };
    if any(&|row| row.name.realm_id != first.name.realm_id) {
        Some(Refusal::TwoRealms)
    } else if any(&|row| shared.realms.contains(&row.name.realm_id)) {
        Some(Refusal::RealmOfTwoCompanies)
    } else if any(&|row| shared.tokens.contains(&sha256(row.refresh_token.expose_secret()))) {
        Some(Refusal::TokenOfTwoCompanies)
    } else if any(&|row| !frozen(row)) {
        Some(Refusal::NotFrozen)
    } else if any(&|row| row.refreshed_at > row.frozen_at) {
        Some(Refusal::RefreshedAfterFreeze)
    } else {
        None
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::*;
    use crate::export::RowName;

    pub(crate) fn now() -> Timestamp {
        "2026-11-20T12:00:00Z".parse().unwrap()
    }

    fn hours_ago(hours: i64) -> Timestamp {
        now() - SignedDuration::from_hours(hours)
    }

    /// A frozen row, refreshed `age` hours ago.
    pub(crate) fn row(
        line: usize,
        company: &str,
        user: &str,
        realm: &str,
        token: &str,
        age: i64,
    ) -> Row {
        Row {
            line,
            name: RowName {
                row_id: None,
                company_id: company.parse().unwrap(),
                user_id: user.to_owned(),
                realm_id: realm.parse().unwrap(),
                environment: Environment::Sandbox,
            },
            refresh_token: token.into(),
            connected_at: None,
            refreshed_at: Some(hours_ago(age)),
            expires_at: None,
            frozen_at: Some(hours_ago(1)),
        }
    }

    fn sorted(rows: &[Row]) -> Plan {
        plan(rows, Environment::Sandbox, "app", now())
    }

    fn verdict(rows: &[Row], company: &str) -> Result<Vec<usize>, Refusal> {
        let plan = sorted(rows);
        let found = &plan.companies[company];
        found
            .verdict
            .clone()
            .map(|candidates| candidates.iter().map(|candidate| rows[candidate.row].line).collect())
    }

    #[test]
    fn tokens_are_tried_from_the_most_recent_on() {
        let mut unknown = row(4, "a", "w", "9", "t4", 0);
        unknown.refreshed_at = None;
        let rows = [
            row(1, "a", "u", "9", "t1", 30),
            row(2, "a", "v", "9", "t2", 20),
            row(3, "a", "v", "9", "t3", 40),
            unknown,
        ];
        assert_eq!(verdict(&rows, "a"), Ok(vec![2, 1, 3, 4]));
    }

    #[test]
    fn of_equally_recent_lines_the_later_one_counts_first() {
        let rows = [row(1, "a", "u", "9", "t1", 5), row(2, "a", "u", "9", "t2", 5)];
        assert_eq!(verdict(&rows, "a"), Ok(vec![2, 1]));
    }

    #[test]
    fn the_same_token_is_tried_once() {
        let rows = [
            row(1, "a", "u", "9", "t1", 30),
            row(2, "a", "u", "9", "t1", 20),
            row(3, "a", "v", "9", "t1", 10),
        ];
        assert_eq!(verdict(&rows, "a"), Ok(vec![3]));
        assert_eq!(sorted(&rows).duplicates, 2);
    }

    #[test]
    fn a_token_that_has_ended_is_not_tried() {
        let mut ended = row(1, "a", "u", "9", "t1", 2);
        ended.expires_at = Some(now());
        let rows = [ended, row(2, "a", "v", "9", "t2", 9)];
        assert_eq!(verdict(&rows, "a"), Ok(vec![2]));
        assert_eq!(verdict(&rows[..1], "a"), Err(Refusal::Expired));
        assert_eq!(sorted(&rows).expired, 1);
    }

    #[test]
    fn lines_of_the_other_environment_are_left_out() {
        let mut other = row(1, "a", "u", "8", "t1", 2);
        other.name.environment = Environment::Production;
        let rows = [other, row(2, "a", "v", "9", "t2", 9)];
        assert_eq!(verdict(&rows, "a"), Ok(vec![2]), "nor do they make two realms");
        assert_eq!(verdict(&rows[..1], "a"), Err(Refusal::OtherEnvironment));
        assert_eq!(sorted(&rows).other_environment, 1);
    }

    #[test]
    fn two_realms_in_a_company_wait_for_a_person_even_if_one_has_ended() {
        let mut ended = row(1, "a", "u", "8", "t1", 2);
        ended.expires_at = Some(hours_ago(1));
        assert_eq!(verdict(&[ended, row(2, "a", "v", "9", "t2", 9)], "a"), Err(Refusal::TwoRealms));
    }

    #[test]
    fn a_realm_or_a_token_that_two_companies_claim_goes_to_neither() {
        let rows = [
            row(1, "a", "u", "9", "t1", 2),
            row(2, "b", "u", "9", "t2", 2),
            row(3, "c", "u", "7", "t3", 2),
            row(4, "d", "u", "6", "t3", 2),
        ];
        for company in ["a", "b"] {
            assert_eq!(verdict(&rows, company), Err(Refusal::RealmOfTwoCompanies));
        }
        for company in ["c", "d"] {
            assert_eq!(verdict(&rows, company), Err(Refusal::TokenOfTwoCompanies));
        }
    }

    #[test]
    fn a_company_that_the_old_side_may_still_refresh_is_left_alone() {
        let mut thawed = row(2, "a", "v", "9", "t2", 9);
        thawed.frozen_at = None;
        let rows = [row(1, "a", "u", "9", "t1", 2), thawed];
        assert_eq!(verdict(&rows, "a"), Err(Refusal::NotFrozen));
        let mut later = row(1, "a", "u", "9", "t1", 2);
        later.frozen_at = Some(now() + SignedDuration::from_secs(1));
        assert_eq!(verdict(&[later], "a"), Err(Refusal::NotFrozen));
        assert_eq!(
            verdict(&[row(1, "a", "u", "9", "t1", 0)], "a"),
            Err(Refusal::RefreshedAfterFreeze)
        );
    }

    #[test]
    fn another_apps_keys_make_other_connections_of_the_same_tokens() {
        let rows = [row(1, "a", "u", "9", "t1", 2)];
        let id = |app: &str| {
            plan(&rows, Environment::Sandbox, app, now()).companies["a"].known[0]
                .connection_id
                .clone()
        };
        assert_eq!(id("one"), id("one"));
        assert_ne!(id("one"), id("two"));
        assert!(!id("one").contains("t1"));
    }

    /// What a row is made of; a row itself cannot be printed.
    type Facts = (u8, u8, u8, u8, i64, [bool; 3]);

    fn any_facts() -> impl Strategy<Value = Vec<Facts>> {
        let facts = (0..6u8, 0..3u8, 0..6u8, 0..12u8, 0..50i64, any::<[bool; 3]>());
        proptest::collection::vec(facts, 0..30)
    }

    fn rows_of(facts: &[Facts]) -> Vec<Row> {
        let row = |(company, user, realm, token, age, [other, thawed, ended]): &Facts| {
            let (company, user) = (format!("c{company}"), format!("u{user}"));
            let (realm, token) = (format!("{}", 90 + realm), format!("t{token}"));
            let mut row = row(0, &company, &user, &realm, &token, age + 1);
            if *other {
                row.name.environment = Environment::Production;
            }
            if *thawed && age % 3 == 0 {
                row.frozen_at = None;
            }
            row.expires_at = ended.then(|| hours_ago(age - 25));
            row
        };
        facts.iter().map(row).collect()
    }

    proptest! {
        #[test]
        fn no_token_and_no_realm_is_ever_planned_for_two_companies(
            facts in any_facts(),
        ) {
            let rows = rows_of(&facts);
            let plan = sorted(&rows);
            let mut realms = BTreeSet::new();
            let mut tokens = BTreeSet::new();
            for company in plan.companies.values() {
                let Ok(candidates) = &company.verdict else { continue };
                prop_assert!(!candidates.is_empty());
                prop_assert!(realms.insert(company.realm.clone()));
                for candidate in candidates {
                    let row = &rows[candidate.row];
                    prop_assert_eq!(&row.name.company_id, &company.company);
                    prop_assert_eq!(&row.name.realm_id, &company.realm);
                    prop_assert_eq!(row.name.environment, Environment::Sandbox);
                    prop_assert!(row.frozen_at.is_some() && !ended(row, now()));
                    prop_assert!(tokens.insert(row.refresh_token.expose_secret().to_owned()));
                }
                let times: Vec<_> = candidates.iter().map(|one| rows[one.row].time()).collect();
                prop_assert!(times.is_sorted_by(|one, two| one >= two));
            }
        }

        #[test]
        fn the_order_of_the_lines_changes_no_verdict(
            facts in any_facts(),
        ) {
            let rows = rows_of(&facts);
            let ids = |plan: &Plan| -> Vec<(CompanyId, Result<BTreeSet<String>, Refusal>)> {
                let ids = |found: &Vec<Candidate>| {
                    found.iter().map(|candidate| candidate.connection_id.clone()).collect()
                };
                let companies = plan.companies.values();
                companies
                    .map(|one| (one.company.clone(), one.verdict.as_ref().map(ids).map_err(|no| *no)))
                    .collect()
            };
            let mut reversed = rows.clone();
            reversed.reverse();
            prop_assert_eq!(ids(&sorted(&rows)), ids(&sorted(&reversed)));
        }
    }
}
