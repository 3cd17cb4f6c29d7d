//! A run over an export: for each company that is not finished, one step after the other.
//!
//! There is no record of how far a run is. Each company's rows say where it stands ([`crate::judge`]), so
//! a run may die anywhere, be invoked twice, or come back to an export that was finished long ago.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use domain::ids::{CompanyId, RealmId};
use jiff::Timestamp;
use platform::audit::{Action, Entry};
use platform::connections::{CLEAN_UP, Connection, ConnectionStatus, NewConnection};
use platform::migrations::{Found, Migrating, exported_version};
use platform::refresh::{Expiries, TokenError, Wanted};
use platform::secrets::TokenSet;
use quickbooks::{CompanyInfo, Session};
use secrecy::SecretString;
use serde::Serialize;

use crate::export::{Lines, Row};
use crate::judge::{Step, judge};
use crate::plan::{Candidate, CompanyPlan, Plan, plan};
use crate::report::{Report, report};
use crate::{Error, Migration};

/// No company is begun after this time. The rest of the function's 180 s is for the last one.
const SLICE: Duration = Duration::from_secs(90);
/// A run stops when so many companies one after the other could not be gone on with: Intuit or AWS is
/// away, and each more would only wait for it.
const TROUBLES: usize = 3;
/// QuickBooks' code for a user who is no admin of the company any more: another user's tokens may do.
const NO_ADMIN: &str = "120";
/// More steps than the tokens of one company ever need.
const MOST_STEPS: usize = 1_000;

/// What a run answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ran {
    /// The report, without its companies where it was written to the bucket.
    #[serde(flatten)]
    pub report: Report,
    /// Where the whole report is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written: Option<String>,
    /// Companies are left: invoke again with this as `after`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<CompanyId>,
    /// Why the run stopped before its end: run again later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<&'static str>,
}

/// How a step ended.
enum Stepped {
    /// It is done, or was done by somebody else meanwhile: look again.
    Done,
    /// It cannot be done now.
    Later(String),
}

impl Migration {
    /// Says what a run would do, and does nothing.
    pub async fn dry_run(&self, export: &str) -> Result<Ran, Error> {
        let lines = self.read_export(export).await?;
        let plan = self.plan(&lines).await?;
        let found = self.look_at_all(&plan).await?;
        let report = report(export, self.environment, &lines, &plan, &found);
        Ok(Ran { report, written: None, next: None, stopped: None })
    }

    /// Migrates companies, those behind `after` in the order of their ids, for as long as a slice lasts.
    pub async fn run(&self, export: &str, after: Option<&CompanyId>) -> Result<Ran, Error> {
        let began = Instant::now();
        let lines = self.read_export(export).await?;
        let plan = self.plan(&lines).await?;
        let mut found = self.look_at_all(&plan).await?;
        let (mut previous, mut next, mut stopped, mut troubles) = (after.cloned(), None, None, 0);
        for one in plan.companies.values() {
            if after.is_some_and(|after| one.company <= *after) {
                continue;
            }
            if found.get(&one.company).is_none_or(|seen| judge(one, &lines.rows, seen).1.is_some())
            {
                if began.elapsed() > SLICE {
                    next = previous;
                    break;
                }
                troubles = if self.migrate(one, &lines.rows).await { 0 } else { troubles + 1 };
                if let Ok(seen) = self.look_at(one).await {
                    found.insert(one.company.clone(), seen);
                }
                if troubles == TROUBLES {
                    stopped = Some("Intuit or AWS does not do its part just now; run again later");
                    break;
                }
            }
            previous = Some(one.company.clone());
        }
        let report = report(export, self.environment, &lines, &plan, &found);
        tracing::info!(export, lines = ?report.lines, companies = ?report.companies, "migrated a slice of an export");
        let written = crate::report_key(export);
        let json = serde_json::to_vec_pretty(&report).unwrap_or_default();
        self.bucket.write(&written, json, "application/json").await?;
        let report = Report { results: Vec::new(), broken: Vec::new(), ..report };
        Ok(Ran { report, written: Some(written), next, stopped })
    }

    /// Sorts an export out with the keys of this stage's Intuit app.
    pub(crate) async fn plan(&self, lines: &Lines<Row>) -> Result<Plan, Error> {
        let app = self.secrets.app().await?;
        let now = self.clock.now().await;
        Ok(plan(&lines.rows, self.environment, &app.client_id, now))
    }

    /// What is stored of the companies of an export.
    pub(crate) async fn look_at_all(
        &self,
        plan: &Plan,
    ) -> Result<HashMap<CompanyId, Found>, Error> {
        let companies = plan.companies.values();
        let companies: Vec<_> =
            companies.map(|one| (one.company.clone(), one.realm.clone())).collect();
        Ok(self.found(&companies).await?)
    }

    async fn look_at(&self, one: &CompanyPlan) -> platform::Result<Found> {
        let mut found = self.found(&[(one.company.clone(), one.realm.clone())]).await?;
        Ok(found.remove(&one.company).unwrap_or_default())
    }

    async fn found(
        &self,
        companies: &[(CompanyId, RealmId)],
    ) -> platform::Result<HashMap<CompanyId, Found>> {
        let mut found = self.connections.found(companies, self.environment).await?;
        let companies = companies.iter().map(|(company, _)| company);
        for company in self.erasures.deleted(companies).await? {
            found.entry(company).or_default().deleted = true;
        }
        Ok(found)
    }

    /// Takes one company as far as it can be taken. Answers false when something was in the way; one
    /// company's trouble stops no other.
    async fn migrate(&self, one: &CompanyPlan, rows: &[Row]) -> bool {
        for _ in 0..MOST_STEPS {
            let stepped = match self.look_at(one).await {
                Ok(found) => match judge(one, rows, &found).1 {
                    Some(step) => self.step(one, rows, &found, step).await,
                    None => return true,
                },
                Err(error) => Err(error),
            };
            match stepped {
                Ok(Stepped::Done) => {}
                Ok(Stepped::Later(reason)) => {
                    tracing::warn!(company = %one.company, reason, "a company waits for the next run");
                    return false;
                }
                Err(error) => {
                    tracing::error!(company = %one.company, %error, "a company could not be migrated; the next run goes on with it");
                    return false;
                }
            }
        }
        false
    }

    async fn step(
        &self,
        one: &CompanyPlan,
        rows: &[Row],
        found: &Found,
        step: Step,
    ) -> platform::Result<Stepped> {
        match (step, &found.migrating) {
            (Step::Begin(next), before) => {
                self.begin(&rows[next.row], &next, before.as_ref()).await
            }
            (Step::Prove, Some(begun)) => self.prove(one, rows, begun, found).await,
            (Step::Bury, Some(begun)) => self.bury(begun).await,
            (Step::Discard, Some(begun)) => self.discard(begun).await,
            (Step::Finish, Some(begun)) => match &found.connection {
                Some(live) => self.finish(one, rows, begun, live).await,
                None => Ok(Stepped::Done),
            },
            (_, None) => Ok(Stepped::Done),
        }
    }

    /// Writes down which token comes next. The secret is created in the next step: so no crash leaves one
    /// that no row names.
    async fn begin(
        &self,
        row: &Row,
        next: &Candidate,
        before: Option<&Migrating>,
    ) -> platform::Result<Stepped> {
        let company = &row.name.company_id;
        let app = self.secrets.app().await?;
        let connection = Connection::exported(NewConnection {
            company: company.clone(),
            connection_id: next.connection_id.clone(),
            version_id: exported_version(&next.connection_id),
            realm: row.name.realm_id.clone(),
            environment: self.environment,
            client_id: app.client_id.clone(),
            secret: self.secrets.name(company, &next.connection_id),
            user: row.name.user_id.clone(),
            at: row.time().unwrap_or(Timestamp::UNIX_EPOCH),
        });
        let mut refused = before.map(|before| before.refused.clone()).unwrap_or_default();
        refused.extend(before.map(|before| before.connection.connection_id.clone()));
        let next = Migrating { connection, refused };
        self.connections.begin_migrating(&next, before).await?;
        Ok(Stepped::Done)
    }

    /// Refreshes once by the ordinary protocol, reads the QuickBooks company with what came back, and
    /// makes it the company's connection.
    async fn prove(
        &self,
        one: &CompanyPlan,
        rows: &[Row],
        begun: &Migrating,
        found: &Found,
    ) -> platform::Result<Stepped> {
        if !begun.connection.ready {
            return self.keep_exported(one, rows, begun).await;
        }
        if !begun.is_proven() {
            self.pacer.wait().await;
        }
        let wanted = Wanted::lasting(self.margin);
        let proven =
            self.refresher.provide_row(&begun.connection.id, &wanted, Duration::ZERO).await;
        let proven = match proven {
            Ok(proven) => proven,
            // The row says so by now, or it is gone.
            Err(TokenError::ReconnectRequired | TokenError::NotConnected) => {
                return Ok(Stepped::Done);
            }
            Err(TokenError::Platform(error)) => return Err(error),
            Err(error) => return Ok(Stepped::Later(error.to_string())),
        };
        let tokens = self.secrets.get(&proven.secret, &proven.version_id).await?;
        let Some(tokens) = tokens else {
            return Ok(Stepped::Later("the tokens are not readable yet".to_owned()));
        };
        let session =
            Session { realm: proven.realm.to_string(), access_token: tokens.access.clone() };
        let info = match self.quickbooks.company_info(&session).await {
            Ok(info) => info,
            Err(error) if error.code() == Some(NO_ADMIN) => {
                let now = self.clock.now().await;
                self.connections.refuse_migrating(begun, &error.to_string(), now).await?;
                return Ok(Stepped::Done);
            }
            // Also what else says that access is over (3100): wrong keys or a wrong environment say so of
            // every company, and the newest tokens of all of them are here by now.
            Err(error) => return Ok(Stepped::Later(error.to_string())),
        };
        self.adopt(begun, proven, info, found).await
    }

    /// Stores the exported tokens, from the export's line that they come from.
    async fn keep_exported(
        &self,
        one: &CompanyPlan,
        rows: &[Row],
        begun: &Migrating,
    ) -> platform::Result<Stepped> {
        let connection = &begun.connection;
        let Some(origin) = crate::judge::origin(one, connection) else {
            // Begun with another export, and not known to be kept: there is nothing to try. It is refused
            // first, so that nobody asks Intuit with it from then on. Whoever began may have died right
            // after the tokens were stored: what is refused is buried with its secret, if it has one.
            let now = self.clock.now().await;
            self.connections.refuse_forgotten(begun, now).await?;
            return Ok(Stepped::Done);
        };
        let row = &rows[origin.row];
        let issued = row.time().unwrap_or(Timestamp::UNIX_EPOCH);
        let tokens = TokenSet {
            // Not used: the first use of the tokens is their proof.
            access: SecretString::from(""),
            refresh: row.refresh_token.clone(),
            expiries: Expiries {
                access: Timestamp::UNIX_EPOCH,
                refresh: row.expires_at.unwrap_or(Timestamp::UNIX_EPOCH),
                hard: None,
                issued,
            },
        };
        let Connection { secret, company, version_id, .. } = connection;
        self.secrets.create_if_absent(secret, company).await?;
        self.secrets.put(secret, version_id, connection.refresh_fence, &tokens).await?;
        if !self.connections.migrating_is_ready(begun).await? {
            self.destroy_unnamed(connection).await?;
        }
        Ok(Stepped::Done)
    }

    /// Destroys a secret whose row went away while it was made, unless another process has brought it
    /// further.
    async fn destroy_unnamed(&self, connection: &Connection) -> platform::Result<()> {
        let named = |id: &str| id == connection.connection_id;
        let live = self.connections.get(&connection.company).await?;
        let begun = self.connections.migrating(&connection.company).await?;
        if live.is_none_or(|live| !named(&live.connection_id))
            && begun.is_none_or(|begun| !named(&begun.connection.connection_id))
        {
            self.secrets.destroy(&connection.secret).await?;
        }
        Ok(())
    }

    async fn adopt(
        &self,
        begun: &Migrating,
        proven: Connection,
        info: CompanyInfo,
        found: &Found,
    ) -> platform::Result<Stepped> {
        let now = self.clock.now().await;
        let begun = Migrating { connection: proven.clone(), refused: begun.refused.clone() };
        let mut live = proven.live(now);
        live.company_name = info.company_name;
        live.company_time_zone = info.time_zone;
        if let Some(ended) = &found.connection {
            live.replaces = Some(ended.secret.clone());
            live.clean_up_shard = Some(CLEAN_UP.to_owned());
            live.clean_up_at = Some(now.as_millisecond());
        }
        if self.connections.adopt_migrating(&begun, &live, found.connection.as_ref()).await? {
            return Ok(Stepped::Done);
        }
        // Somebody connected meanwhile, took the realm, or refreshes: the next look says which.
        let owner = self.connections.company_of(live.environment, &live.realm).await?;
        let taken = owner.is_some_and(|owner| owner != live.company);
        let here = self.connections.get(&live.company).await?;
        let connected = here.is_some_and(|here| here.status == ConnectionStatus::Connected);
        if taken || connected {
            return Ok(Stepped::Done);
        }
        Ok(Stepped::Later("the connection could not be made live yet".to_owned()))
    }

    /// Destroys the secret of tokens that were refused. Nothing is revoked: another user's tokens for the
    /// same QuickBooks company might end with them.
    async fn bury(&self, begun: &Migrating) -> platform::Result<Stepped> {
        let connection = &begun.connection;
        self.secrets.destroy(&connection.secret).await?;
        let at = connection.clean_up_at.and_then(|at| Timestamp::from_millisecond(at).ok());
        let at = match at {
            Some(at) => at,
            None => self.clock.now().await,
        };
        let why = format!(
            "the exported tokens of {} were refused: {}",
            connection.connected_by, connection.last_refresh_result
        );
        let entry = Entry::failure(&connection.company, Action::ConnectRefused, FUNCTION, why)
            .record(connection.realm.to_string());
        let what = format!("refused-{}", connection.connection_id);
        self.go_live.audit.write_once(&entry, &what, at).await?;
        self.connections.migrating_is_buried(begun).await?;
        Ok(Stepped::Done)
    }

    /// Puts away what was begun for a company that has, or had, another connection. Nothing is revoked.
    async fn discard(&self, begun: &Migrating) -> platform::Result<Stepped> {
        // Once it was live, its secret is in the care of whoever ended or replaced it.
        if begun.connection.status != ConnectionStatus::Connected {
            self.secrets.destroy(&begun.connection.secret).await?;
        }
        self.connections.remove_migrating(begun).await?;
        Ok(Stepped::Done)
    }

    /// Does what follows a connect, and remembers who had connected on the old side.
    async fn finish(
        &self,
        one: &CompanyPlan,
        rows: &[Row],
        begun: &Migrating,
        live: &Connection,
    ) -> platform::Result<Stepped> {
        let at = Timestamp::from_millisecond(live.connected_at).unwrap_or(Timestamp::UNIX_EPOCH);
        let history = history(one, rows, live, at);
        self.go_live.finish(live, &history, at).await?;
        self.connections.remove_migrating(begun).await?;
        tracing::info!(company = %live.company, realm = %live.realm, "migrated a company; its old side must stop using its tokens");
        Ok(Stepped::Done)
    }
}

/// The actor of what no user did.
const FUNCTION: &str = "token-migration";

/// Who connected: the user whose token is live now, and each other one at the time that the export tells.
fn history(
    one: &CompanyPlan,
    rows: &[Row],
    live: &Connection,
    at: Timestamp,
) -> Vec<(Timestamp, Entry)> {
    let realm = live.realm.to_string();
    let entry =
        |action, user: &str| Entry::success(&live.company, action, user).record(realm.clone());
    let mut others: std::collections::BTreeMap<&str, Timestamp> = std::collections::BTreeMap::new();
    for row in one.rows.iter().map(|index| &rows[*index]) {
        let user = row.name.user_id.as_str();
        let when = row.connected_at.or(row.time()).unwrap_or(at);
        if user != live.connected_by {
            others.entry(user).and_modify(|known| *known = when.max(*known)).or_insert(when);
        }
    }
    let before = others.into_iter().map(|(user, at)| (at, entry(Action::ConnectedBefore, user)));
    std::iter::once((at, entry(Action::Connected, &live.connected_by))).chain(before).collect()
}
