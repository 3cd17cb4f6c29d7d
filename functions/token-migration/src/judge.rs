//! Where a company stands, and what is done for it next: from the export and from what is stored, and
//! from nothing else. So a run that died is gone on with by the next one, a run over finished companies
//! does nothing, and the report is the same however often it was interrupted. Pure.

use domain::ids::CompanyId;
use jiff::Timestamp;
use platform::connections::{Connection, ConnectionStatus};
use platform::migrations::{Found, Migrating};

use crate::export::Row;
use crate::plan::{Candidate, CompanyPlan, Refusal};

/// Where a company stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is connected here through a token of this export.
    Migrated,
    /// It is connected here in another way, which is never replaced.
    Connected,
    /// It was connected here, and that ended after the export's tokens were last refreshed.
    Ended {
        /// Whether it was connected through a token of this export.
        migrated: bool,
    },
    /// All its tokens were refused.
    Dead,
    /// A person decides first.
    Refused(Refusal),
    /// It is still to be done.
    Waiting(Wait),
}

/// How far a company is that is still to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// None of the tokens that are left was used.
    NotTried,
    /// A token is being proven: Intuit may have given a new one for it.
    NotProven,
    /// Intuit gave new tokens, which are kept here; the connection is not live yet.
    Proven,
}

/// What is done next for a company.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Begin to prove this token.
    Begin(Candidate),
    /// Go on proving the token that was begun with, and make it the connection.
    Prove,
    /// Destroy the secret of tokens that were refused.
    Bury,
    /// Put away what was begun: the company has, or had, another connection.
    Discard,
    /// Finish what follows a connect.
    Finish,
}

/// Where a company stands, and what is done next, if anything is.
pub fn judge(plan: &CompanyPlan, rows: &[Row], found: &Found) -> (Standing, Option<Step>) {
    let migrating = found.migrating.as_ref();
    if migrating.is_some_and(|migrating| is_refused(migrating) && migrating.connection.ready) {
        let (standing, _) = stands(plan, rows, found);
        return (standing, Some(Step::Bury));
    }
    stands(plan, rows, found)
}

fn stands(plan: &CompanyPlan, rows: &[Row], found: &Found) -> (Standing, Option<Step>) {
    let migrating = found.migrating.as_ref();
    let discard = migrating.map(|_| Step::Discard);
    // Its secret has the name that the same token would give to a new one: becoming its own successor, it
    // would be destroyed as what was replaced. Only a person can bring it back, by connecting.
    let ended_id = found.connection.as_ref().map(|ended| ended.connection_id.as_str());
    let fresh = |candidate: &Candidate| ended_id != Some(candidate.connection_id.as_str());
    let newer_than = match &found.connection {
        Some(live) if live.status == ConnectionStatus::Connected => {
            return match migrating {
                Some(migrating) if migrating.connection.connection_id == live.connection_id => {
                    (Standing::Waiting(Wait::Proven), Some(Step::Finish))
                }
                _ if is_of(plan, live) => (Standing::Migrated, discard),
                _ => (Standing::Connected, discard),
            };
        }
        Some(ended) => {
            let over = Standing::Ended { migrated: is_of(plan, ended) };
            let begun = migrating.filter(|migrating| !is_refused(migrating));
            let stale = begun.is_some_and(|begun| begun.connection.connected_at <= last(ended));
            if stale {
                return (over, discard);
            }
            let usable = |candidate: &Candidate| {
                fresh(candidate) && is_newer(&rows[candidate.row], last(ended))
            };
            if ended.clean_up_shard.is_some() || (begun.is_none() && !plan.known.iter().any(usable))
            {
                return (over, None);
            }
            if ended.realm != plan.realm {
                return (Standing::Refused(Refusal::OtherRealm), None);
            }
            Some(last(ended))
        }
        None => None,
    };
    let candidates = match &plan.verdict {
        Err(refusal) => return (Standing::Refused(*refusal), None),
        Ok(candidates) => candidates,
    };
    if found.deleted {
        return (Standing::Refused(Refusal::Deleted), discard);
    }
    if is_others(found.realm_owner.as_ref(), &plan.company) {
        return (Standing::Refused(Refusal::RealmTaken), None);
    }
    if let Some(begun) = migrating.filter(|migrating| !is_refused(migrating)) {
        if begun.connection.realm != plan.realm {
            return (Standing::Refused(Refusal::TwoRealms), None);
        }
        let wait = if begun.is_proven() { Wait::Proven } else { Wait::NotProven };
        return (Standing::Waiting(wait), Some(Step::Prove));
    }
    let next = candidates.iter().find(|candidate| {
        fresh(candidate)
            && !was_refused(migrating, &candidate.connection_id)
            && newer_than.is_none_or(|moment| is_newer(&rows[candidate.row], moment))
    });
    match next {
        Some(next) => (Standing::Waiting(Wait::NotTried), Some(Step::Begin(next.clone()))),
        None => (Standing::Dead, None),
    }
}

/// The token of the export that a connection was made of.
pub fn origin<'a>(plan: &'a CompanyPlan, connection: &Connection) -> Option<&'a Candidate> {
    plan.known.iter().find(|known| known.connection_id == connection.connection_id)
}

fn is_of(plan: &CompanyPlan, connection: &Connection) -> bool {
    origin(plan, connection).is_some()
}

fn is_refused(migrating: &Migrating) -> bool {
    migrating.connection.status == ConnectionStatus::ReconnectRequired
}

fn was_refused(migrating: Option<&Migrating>, connection_id: &str) -> bool {
    migrating.is_some_and(|migrating| {
        migrating.refused.iter().any(|refused| refused == connection_id)
            || (is_refused(migrating) && migrating.connection.connection_id == connection_id)
    })
}

fn is_others(owner: Option<&CompanyId>, company: &CompanyId) -> bool {
    owner.is_some_and(|owner| owner != company)
}

/// The last moment that is known of a connection.
fn last(connection: &Connection) -> i64 {
    let ended = connection.disconnected_at.unwrap_or_default();
    connection.connected_at.max(connection.refreshed_at).max(ended)
}

/// Whether a token is known to be more recent than a moment. One without a time never is.
fn is_newer(row: &Row, moment: i64) -> bool {
    row.time().map(Timestamp::as_millisecond).is_some_and(|time| time > moment)
}

#[cfg(test)]
mod tests {
    use platform::connections::NewConnection;
    use platform::migrations::{Migrating, exported_version};
    use quickbooks::Environment;

    use super::*;
    use crate::plan::{plan, tests::now, tests::row};

    /// A company `a` with two tokens, of `u` (two hours old) and of `v` (nine).
    struct Case {
        rows: Vec<Row>,
        plan: CompanyPlan,
        found: Found,
    }

    impl Case {
        fn new() -> Self {
            let rows = vec![row(1, "a", "u", "9", "t1", 2), row(2, "a", "v", "9", "t2", 9)];
            let plan = plan(&rows, Environment::Sandbox, "app", now()).companies["a"].clone();
            Self { rows, plan, found: Found::default() }
        }

        fn connection(&self, candidate: usize) -> Connection {
            let candidate = &self.plan.known[candidate];
            let row = &self.rows[candidate.row];
            Connection::exported(NewConnection {
                company: row.name.company_id.clone(),
                connection_id: candidate.connection_id.clone(),
                version_id: exported_version(&candidate.connection_id),
                realm: row.name.realm_id.clone(),
                environment: Environment::Sandbox,
                client_id: "app".to_owned(),
                secret: "secret".to_owned(),
                user: row.name.user_id.clone(),
                at: row.time().unwrap(),
            })
        }

        fn migrating(mut self, candidate: usize, status: ConnectionStatus, ready: bool) -> Self {
            let mut connection = self.connection(candidate);
            connection.status = status;
            connection.ready = ready;
            let refused = self.plan.known[..candidate].iter();
            let refused = refused.map(|known| known.connection_id.clone()).collect();
            self.found.migrating = Some(Migrating { connection, refused });
            self
        }

        fn proven(mut self) -> Self {
            if let Some(migrating) = &mut self.found.migrating {
                migrating.connection.version_id = "newer".to_owned();
            }
            self
        }

        /// A connection of the company that was last heard of some hours ago.
        fn connection_here(mut self, id: &str, status: ConnectionStatus, hours_ago: i64) -> Self {
            let mut connection = self.connection(0);
            id.clone_into(&mut connection.connection_id);
            connection.status = status;
            let at = now() - jiff::SignedDuration::from_hours(hours_ago);
            connection.refreshed_at = at.as_millisecond();
            connection.connected_at = at.as_millisecond();
            self.found.connection = Some(connection);
            self
        }

        fn id(&self, candidate: usize) -> String {
            self.plan.known[candidate].connection_id.clone()
        }

        fn begins(&self, candidate: usize) -> (Standing, Option<Step>) {
            let begin = Step::Begin(self.plan.known[candidate].clone());
            (Standing::Waiting(Wait::NotTried), Some(begin))
        }

        fn judged(&self) -> (Standing, Option<Step>) {
            judge(&self.plan, &self.rows, &self.found)
        }
    }

    use ConnectionStatus::{Connected, Disconnected, ReconnectRequired, Unconfirmed};

    #[test]
    fn a_new_company_begins_with_its_most_recent_token() {
        let case = Case::new();
        assert_eq!(case.judged(), case.begins(0));
    }

    #[test]
    fn a_run_that_died_is_gone_on_with_where_it_stopped() {
        let prove = |wait| (Standing::Waiting(wait), Some(Step::Prove));
        assert_eq!(Case::new().migrating(0, Unconfirmed, false).judged(), prove(Wait::NotProven));
        assert_eq!(Case::new().migrating(0, Unconfirmed, true).judged(), prove(Wait::NotProven));
        let proven = Case::new().migrating(0, Unconfirmed, true).proven();
        assert_eq!(proven.judged(), prove(Wait::Proven));
        let case = Case::new();
        let live = case.id(0);
        let adopted = case.migrating(0, Connected, true).connection_here(&live, Connected, 0);
        assert_eq!(adopted.judged(), (Standing::Waiting(Wait::Proven), Some(Step::Finish)));
    }

    #[test]
    fn refused_tokens_are_buried_and_then_the_next_one_is_tried() {
        let refused = Case::new().migrating(0, ReconnectRequired, true);
        assert_eq!(refused.judged().1, Some(Step::Bury));
        let buried = Case::new().migrating(0, ReconnectRequired, false);
        assert_eq!(buried.judged(), buried.begins(1));
    }

    #[test]
    fn when_all_tokens_were_refused_nothing_is_done_any_more() {
        let dead = Case::new().migrating(1, ReconnectRequired, false);
        assert_eq!(dead.judged(), (Standing::Dead, None));
    }

    #[test]
    fn a_finished_company_is_left_alone() {
        let case = Case::new();
        let id = case.id(1);
        let done = case.connection_here(&id, Connected, 0);
        assert_eq!(done.judged(), (Standing::Migrated, None));
    }

    #[test]
    fn a_live_connection_is_never_replaced_however_old_it_is() {
        let other = Case::new().connection_here("by-hand", Connected, 9000);
        assert_eq!(other.judged(), (Standing::Connected, None));
        for status in [Unconfirmed, Connected, ReconnectRequired] {
            let begun = Case::new().connection_here("by-hand", Connected, 0);
            let begun = begun.migrating(0, status, false);
            assert_eq!(begun.judged(), (Standing::Connected, Some(Step::Discard)), "{status:?}");
        }
    }

    #[test]
    fn a_connection_that_ended_later_than_the_tokens_is_not_replaced() {
        for status in [Disconnected, ReconnectRequired] {
            let later = Case::new().connection_here("by-hand", status, 1);
            assert_eq!(later.judged(), (Standing::Ended { migrated: false }, None));
            let between = Case::new().connection_here("by-hand", status, 5);
            assert_eq!(between.judged(), between.begins(0));
            let tried = between.migrating(0, ReconnectRequired, false);
            assert_eq!(tried.judged(), (Standing::Dead, None), "the other token is older");
        }
        let case = Case::new();
        let id = case.id(0);
        let ours = case.connection_here(&id, Disconnected, 0);
        assert_eq!(ours.judged(), (Standing::Ended { migrated: true }, None));
    }

    /// The old row was touched after the end, so it looks newer; the token in it is the same.
    #[test]
    fn a_token_never_follows_on_the_connection_that_was_made_of_it() {
        for status in [Disconnected, ReconnectRequired] {
            let case = Case::new();
            let id = case.id(0);
            let ended = case.connection_here(&id, status, 50);
            assert_eq!(ended.judged(), ended.begins(1), "the other token may");
            let id = ended.id(1);
            let ended = ended.connection_here(&id, status, 50);
            assert_eq!(ended.judged(), ended.begins(0));
        }
    }

    #[test]
    fn a_connection_whose_end_is_not_finished_is_not_replaced() {
        let mut case = Case::new().connection_here("by-hand", Disconnected, 50);
        case.found.connection.as_mut().unwrap().clean_up_shard = Some("clean-up".to_owned());
        assert_eq!(case.judged(), (Standing::Ended { migrated: false }, None));
    }

    #[test]
    fn what_was_begun_before_a_connection_came_and_went_is_put_away() {
        let gone = Case::new().connection_here("by-hand", Disconnected, 1);
        let gone = gone.migrating(0, Unconfirmed, true);
        let ended = Standing::Ended { migrated: false };
        assert_eq!(gone.judged(), (ended, Some(Step::Discard)));
    }

    #[test]
    fn a_company_that_was_deleted_is_not_migrated_and_what_was_begun_is_put_away() {
        let mut case = Case::new();
        case.found.deleted = true;
        assert_eq!(case.judged(), (Standing::Refused(Refusal::Deleted), None));
        let begun = case.migrating(0, Unconfirmed, true);
        assert_eq!(begun.judged(), (Standing::Refused(Refusal::Deleted), Some(Step::Discard)));
    }

    #[test]
    fn a_token_without_a_time_replaces_nothing() {
        let mut case = Case::new().connection_here("by-hand", Disconnected, 9000);
        case.rows.iter_mut().for_each(|row| row.refreshed_at = None);
        assert_eq!(case.judged(), (Standing::Ended { migrated: false }, None));
    }

    #[test]
    fn a_realm_or_company_that_is_taken_here_waits_for_a_person() {
        let mut case = Case::new();
        case.found.realm_owner = Some("b".parse().unwrap());
        assert_eq!(case.judged(), (Standing::Refused(Refusal::RealmTaken), None));
        case.found.realm_owner = Some("a".parse().unwrap());
        assert_eq!(case.judged(), case.begins(0));
        let mut case = Case::new().connection_here("by-hand", Disconnected, 50);
        case.found.connection.as_mut().unwrap().realm = "8".parse().unwrap();
        assert_eq!(case.judged(), (Standing::Refused(Refusal::OtherRealm), None));
    }
}
