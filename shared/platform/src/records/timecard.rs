//! What the record of a timecard says, and how it stands in the QuickBooks company that is connected.

use domain::ids::{CompanyId, RealmId};
use domain::time_activity::Frozen;
use domain::timecard::Timecard;
use domain::work::SyncStatus;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What QuickBooks holds for a timecard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QuickBooksCopy {
    /// The TimeActivity's Id.
    pub id: String,
    /// Its SyncToken after our last write.
    pub sync_token: String,
    /// The timecard's version that it shows.
    pub version: u64,
    /// When QuickBooks answered, in milliseconds since 1970.
    pub synced_at: i64,
}

/// What one QuickBooks company holds for a timecard, kept after the timecard's company started over with
/// another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FormerCopy {
    /// The QuickBooks company.
    pub realm: RealmId,
    /// Zone and day, as they were frozen for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen: Option<Frozen>,
    /// What it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quick_books: Option<QuickBooksCopy>,
}

/// A stored timecard.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TimecardRecord {
    /// Whose.
    pub company: CompanyId,
    /// `timecard#` and its id.
    pub item: String,
    /// The newest version accepted.
    pub version: u64,
    /// Tells the same body from another one of the same version.
    pub fingerprint: String,
    /// The timecard as accepted, as JSON.
    pub card: String,
    /// Where it is on its way.
    pub status: SyncStatus,
    /// `[FieldError]` as JSON; empty unless it failed.
    pub errors: String,
    /// When the newest version was accepted, in milliseconds since 1970.
    pub accepted_at: i64,
    /// The QuickBooks company that `frozen` and `quick_books` are about. Ids of one mean nothing in
    /// another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub realm: Option<RealmId>,
    /// Zone and day, frozen at the first send.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen: Option<Frozen>,
    /// What QuickBooks holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quick_books: Option<QuickBooksCopy>,
    /// The same of QuickBooks companies that its company was connected to before it started over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<FormerCopy>,
    /// The fence of the worker that last wrote a result; 0 before the first.
    pub fence: u64,
}

impl TimecardRecord {
    /// The timecard itself.
    pub fn timecard(&self) -> Result<Timecard> {
        serde_json::from_str(&self.card).map_err(|error| Error::unreadable(&self.item, error))
    }

    /// The record as it stands in a QuickBooks company: what it says of another one, which its company
    /// was connected to before it started over, is [`former`](Self::former).
    #[must_use]
    pub fn seen_from(mut self, realm: &RealmId) -> Self {
        let Some(left) = self.realm.take_if(|of| of != realm) else { return self };
        let back = self.former.iter().position(|former| former.realm == *realm);
        let back = back.map(|index| self.former.remove(index));
        self.former.push(FormerCopy {
            realm: left,
            frozen: self.frozen.take(),
            quick_books: self.quick_books.take(),
        });
        if let Some(back) = back {
            (self.realm, self.frozen, self.quick_books) =
                (Some(back.realm), back.frozen, back.quick_books);
        }
        self
    }

    /// Whether the newest version is in a QuickBooks company that its company has left, and not in this
    /// one ([`seen_from`](Self::seen_from)): it is not entered twice.
    pub fn is_former(&self) -> bool {
        let there = |former: &FormerCopy| former.quick_books.as_ref().map(|copy| copy.version);
        self.quick_books.is_none()
            && self.former.iter().any(|former| there(former) == Some(self.version))
    }

    /// Whether QuickBooks shows the newest version.
    pub fn is_current(&self) -> bool {
        self.quick_books.as_ref().is_some_and(|copy| copy.version == self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn synced(realm: &str, id: &str) -> TimecardRecord {
        TimecardRecord {
            company: "c1".parse().unwrap(),
            item: "timecard#t-1".to_owned(),
            version: 1,
            fingerprint: String::new(),
            card: String::new(),
            status: SyncStatus::Synced,
            errors: String::new(),
            accepted_at: 0,
            realm: Some(realm.parse().unwrap()),
            frozen: Some(Frozen {
                time_zone: "America/Denver".to_owned(),
                txn_date: "2026-11-20".parse().unwrap(),
            }),
            quick_books: Some(QuickBooksCopy {
                id: id.to_owned(),
                sync_token: "0".to_owned(),
                version: 1,
                synced_at: 0,
            }),
            former: Vec::new(),
            fence: 1,
        }
    }

    #[test]
    fn an_id_of_one_quickbooks_company_is_never_used_in_another_and_is_kept() {
        let (first, second) = ("101".parse().unwrap(), "202".parse().unwrap());
        let record = synced("101", "7");
        assert_eq!(record.clone().seen_from(&first).quick_books, record.quick_books);
        let seen = record.clone().seen_from(&second);
        assert_eq!((seen.quick_books.as_ref(), seen.frozen.as_ref()), (None, None));
        assert!(!seen.is_current() && seen.is_former());
        assert_eq!(seen.former[0].realm, first);
        assert_eq!(seen.former[0].quick_books, record.quick_books);
    }

    #[test]
    fn back_in_a_former_quickbooks_company_its_id_counts_again() {
        let (first, second) = ("101".parse().unwrap(), "202".parse().unwrap());
        let before = synced("101", "7");
        let mut record = before.clone().seen_from(&second);
        let now_there = synced("202", "3");
        (record.realm, record.quick_books) = (now_there.realm, now_there.quick_books.clone());
        let back = record.seen_from(&first);
        assert_eq!(
            (back.quick_books.as_ref(), back.frozen),
            (before.quick_books.as_ref(), before.frozen)
        );
        assert_eq!(back.former.len(), 1);
        assert_eq!(back.former[0].quick_books, now_there.quick_books);
    }

    #[test]
    fn a_record_that_was_never_sent_is_the_same_from_everywhere() {
        let mut record = synced("101", "7");
        (record.realm, record.frozen, record.quick_books) = (None, None, None);
        let seen = record.seen_from(&"202".parse().unwrap());
        assert!(seen.former.is_empty() && seen.realm.is_none());
    }
}
