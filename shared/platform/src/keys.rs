//! Every table key of the product, made here and nowhere else.
//!
//! Ids never contain `#` (see `domain::ids`), so keys cannot run into each other.

use domain::ids::{CompanyId, JobId, RealmId, TimecardId};
use domain::work::Lane;
use jiff::Timestamp;
use quickbooks::{Entity, Environment};
use sha2::{Digest, Sha256};

/// How many parts the index of due companies has. A power of two, so that it can be doubled.
pub const DUE_SHARDS: u32 = 4;

/// The part of the due index that a company belongs to.
pub fn due_shard(company: &CompanyId) -> String {
    let digest = Sha256::digest(company.as_ref().as_bytes());
    format!("due-{}", u32::from(digest[0]) % DUE_SHARDS)
}

/// All parts of the due index.
pub fn due_shards() -> impl Iterator<Item = String> {
    (0..DUE_SHARDS).map(|part| format!("due-{part}"))
}

/// How many parts the indexes over connections have.
pub const LIVE_SHARDS: u32 = 4;

/// The part of the indexes over connections that a company belongs to.
pub fn live_shard(company: &CompanyId) -> String {
    let digest = Sha256::digest(company.as_ref().as_bytes());
    format!("live-{}", u32::from(digest[0]) % LIVE_SHARDS)
}

/// All parts of the indexes over connections.
pub fn live_shards() -> impl Iterator<Item = String> {
    (0..LIVE_SHARDS).map(live_shard_name)
}

/// A part of the indexes over connections, by its number.
pub fn live_shard_name(part: u32) -> String {
    format!("live-{part}")
}

/// `Connections`: a company's live connection.
pub fn connection(company: &CompanyId) -> String {
    format!("company#{company}")
}

/// `Connections`: a connection that waits for the asking user's confirmation.
pub fn unconfirmed(company: &CompanyId) -> String {
    format!("unconfirmed#{company}")
}

/// A row of `Connections`, as its key tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectionRow {
    /// A company's connection, live or ended.
    OfCompany(CompanyId),
    /// One that waits for confirmation.
    Unconfirmed(CompanyId),
}

/// `Connections`: reads the key of a connection back.
pub fn parse_connection(id: &str) -> Option<ConnectionRow> {
    let (kind, company) = id.split_once('#')?;
    match kind {
        "company" => company.parse().ok().map(ConnectionRow::OfCompany),
        "unconfirmed" => company.parse().ok().map(ConnectionRow::Unconfirmed),
        _ => None,
    }
}

/// `Connections`: exported tokens of a company that are being made its connection.
pub fn migrating(company: &CompanyId) -> String {
    format!("migrating#{company}")
}

/// `Connections`: the guard that gives a realm to one company.
pub fn realm_guard(environment: Environment, realm: &RealmId) -> String {
    format!("realm#{environment}#{realm}")
}

/// `OAuthStates`: a connect link, by the hash of its ticket.
pub fn ticket(ticket: &str) -> String {
    format!("ticket#{}", sha256(ticket))
}

/// `OAuthStates`: an OAuth state, by its hash, so that the table is of no use to a reader.
pub fn state(state: &str) -> String {
    format!("state#{}", sha256(state))
}

/// Lower-case hex SHA-256.
pub fn sha256(text: &str) -> String {
    use std::fmt::Write as _;
    Sha256::digest(text.as_bytes()).iter().fold(String::with_capacity(64), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// `Records`: a timecard. The same text is the record's key in work items and the journal.
pub fn timecard(timecard: &TimecardId) -> String {
    format!("timecard#{timecard}")
}

/// `Records`: what was imported from QuickBooks.
pub fn imported(entity: Entity, id: &str) -> String {
    format!("{}#{id}", entity.path())
}

/// `Records`: the guard that gives a TimeActivity of a QuickBooks company to one timecard.
pub fn time_activity_guard(realm: &RealmId, id: &str) -> String {
    format!("timeactivity#{realm}#{id}")
}

/// What a work item asks for. The text form is the middle of its sort key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Task {
    /// Bring one timecard into QuickBooks.
    Timecard(TimecardId),
    /// Read all of one entity from QuickBooks.
    Import(Entity),
    /// Look again at what failed for a reason that may be gone; runs at least every catch-up interval.
    CatchUp,
    /// Turn a job into work items.
    Plan(JobId),
}

impl Task {
    /// The part of the sort key after the lane.
    pub fn key(&self) -> String {
        match self {
            Self::Timecard(id) => timecard(id),
            Self::Import(entity) => format!("import#{}", entity.path()),
            Self::CatchUp => "catch-up#timecards".to_owned(),
            Self::Plan(job) => format!("plan#{job}"),
        }
    }

    /// Reads the text form back.
    pub fn parse(key: &str) -> Option<Self> {
        let (kind, id) = key.split_once('#')?;
        match kind {
            "timecard" => id.parse().ok().map(Self::Timecard),
            "import" => {
                Entity::ALL.into_iter().find(|entity| entity.path() == id).map(Self::Import)
            }
            "catch-up" => Some(Self::CatchUp),
            "plan" => id.parse().ok().map(Self::Plan),
            _ => None,
        }
    }

    /// Whether it may run while live sync is off: reading may, writing may not.
    pub fn only_reads(&self) -> bool {
        matches!(self, Self::Import(_) | Self::Plan(_))
    }
}

/// `Work`: the sort key of a work item.
pub fn work_item(lane: Lane, task: &Task) -> String {
    format!("{lane}#{}", task.key())
}

/// `Work`: reads a work item's sort key.
pub fn parse_work_item(item: &str) -> Option<(Lane, Task)> {
    let (lane, task) = item.split_once('#')?;
    Some((lane.parse().ok()?, Task::parse(task)?))
}

/// `Work`: prefix of a company's sends under way.
pub const JOURNAL: &str = "journal#";

/// `Work`: prefix of a company's dead letters.
pub const DEAD: &str = "dead#";

/// `Work`: prefix of timecards that lie before `syncFrom`.
pub const BEFORE_START: &str = "before-start#";

/// `Work`: the partition of bus events whose company cannot be told. No company id has a `~`.
pub const NO_COMPANY: &str = "~none";

/// `Settings` and `Mappings`: the item that is in force.
pub const CURRENT: &str = "current";

/// `Settings` and `Mappings`: a version kept for history.
pub fn version(version: u64) -> String {
    format!("version#{version:010}")
}

/// `AuditLog`: the one line that stays of a company that was deleted. It sorts before every time.
pub const ERASED: &str = "0000000000000#company-erased";

/// `AuditLog`: a row that is written under the same key however often its cause is repeated.
pub fn audit_once(at: Timestamp, what: &str) -> String {
    format!("{:013}#{what}", at.as_millisecond())
}

/// `Counters`: the interactive share of Intuit's limits.
pub const INTERACTIVE: &str = "interactive";

/// `Counters`: the partition of mails to the operator. No company id has a `~`.
pub const OPERATOR: &str = "~operator";

/// `Counters`: a mail, of one kind and about one connection.
pub fn mail(kind: &impl std::fmt::Display, about: &str) -> String {
    format!("mail#{kind}#{about}")
}

/// `Counters`: the mails of one company on one day (UTC).
pub fn mails_of_day(now: Timestamp) -> String {
    format!("mails#{}", now.strftime("%F"))
}

/// `Counters`: the partition of the runs of sweeps over connections. No company id has a `~`.
pub const SWEEPS: &str = "~sweeps";

/// `Counters`: a chunk of a sweep that was counted. Each has a partition of its own.
pub fn sweep_chunk(chunk: &str) -> String {
    format!("~sweep-chunk#{chunk}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_work_items_key_reads_back_as_what_it_was_made_of() {
        for task in [
            Task::Timecard("t-1".parse().unwrap()),
            Task::Import(Entity::Employee),
            Task::CatchUp,
            Task::Plan("j1".parse().unwrap()),
        ] {
            for lane in [Lane::Urgent, Lane::Normal, Lane::Background] {
                assert_eq!(parse_work_item(&work_item(lane, &task)), Some((lane, task.clone())));
            }
        }
    }

    #[test]
    fn a_connections_key_reads_back_as_whose_it_is() {
        let company: CompanyId = "company-a".parse().unwrap();
        let row = ConnectionRow::OfCompany(company.clone());
        assert_eq!(parse_connection(&connection(&company)), Some(row));
        let row = ConnectionRow::Unconfirmed(company.clone());
        assert_eq!(parse_connection(&unconfirmed(&company)), Some(row));
        let guard = realm_guard(Environment::Sandbox, &"12".parse().unwrap());
        assert_eq!(parse_connection(&guard), None);
    }

    #[test]
    fn a_companys_shard_never_changes_and_is_one_of_the_listed() {
        let company: CompanyId = "company-a".parse().unwrap();
        assert_eq!(due_shard(&company), due_shard(&company));
        assert!(due_shards().any(|shard| shard == due_shard(&company)));
    }
}
