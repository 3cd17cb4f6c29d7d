//! Names in: employees, customers, items and classes, page by page, active and inactive ones.
//!
//! QuickBooks is the truth for names. One that is gone there stays here as inactive, so that a mapping
//! which points at it can say so.

use domain::ids::{CompanyId, RealmId};
use domain::problem::FieldError;
use domain::retry::next_attempt;
use jiff::Timestamp;
use platform::Result;
use platform::access::AccessError;
use platform::audit::{Action, Entry};
use platform::jobs::Outcome;
use platform::keys;
use platform::records::Imported;
use platform::work::{Finished, WorkItem};
use quickbooks::{CallError, Entity, KeysetPages};
use serde_json::Value;

use crate::drain::Drain;
use crate::failure::{not_imported, refusal};
use crate::pages::PageError;
use crate::send::no_access;

/// Why an import stopped.
enum Stopped {
    /// A person must do something.
    Refused(FieldError),
    /// It heals.
    Later(String),
    /// There is no access, or the slice ends: nothing is touched.
    NotTried,
}

impl Drain<'_> {
    /// Reads all of one entity.
    pub async fn import(&mut self, item: WorkItem, entity: Entity) -> Result<()> {
        let imported = self.read_all(entity).await?;
        let now = self.worker.clock.now().await;
        let actor = "connector";
        let (entry, outcome) = match imported {
            Ok(count) => {
                // What failed for want of a name may go out now.
                self.catch_up_soon(now).await?;
                let entry = Entry::success(&self.company, Action::Import, actor)
                    .record(format!("{count} of {}", entity.name()));
                (entry, Outcome::Synced)
            }
            Err(Stopped::Refused(error)) => {
                let entry = Entry::failure(&self.company, Action::Import, actor, &error.message)
                    .record(entity.name());
                (entry, Outcome::Failed(vec![error]))
            }
            Err(Stopped::NotTried) => {
                self.due_at(now);
                return Ok(());
            }
            Err(Stopped::Later(reason)) => {
                let attempts = item.attempts + 1;
                let entry = Entry::failure(&self.company, Action::Import, actor, &reason)
                    .record(entity.name());
                let Some(due) = next_attempt(attempts, now, rand::random()) else {
                    let error = not_imported(entity.name(), &reason);
                    return self.end_import(item, entry, Outcome::Failed(vec![error]), now).await;
                };
                self.worker.audit.write(&[entry], now).await?;
                self.worker.work.put_off(&item, due, attempts, item.crashes).await?;
                self.due_at(due);
                return Ok(());
            }
        };
        self.end_import(item, entry, outcome, now).await
    }

    async fn end_import(
        &self,
        item: WorkItem,
        entry: Entry,
        outcome: Outcome,
        now: Timestamp,
    ) -> Result<()> {
        self.worker.audit.write(&[entry], now).await?;
        self.worker.work.finish(&self.worker.jobs, &[Finished { item, outcome }], now).await
    }

    async fn read_all(&self, entity: Entity) -> Result<std::result::Result<usize, Stopped>> {
        let mut pages = KeysetPages::new(entity);
        while let Some(page) = self.next_page(&mut pages).await {
            let fresh = match page {
                Ok(fresh) => fresh,
                Err(PageError::Access(AccessError::Call(CallError::Refused(fault)))) => {
                    return Ok(Err(Stopped::Refused(refusal(&fault))));
                }
                Err(PageError::Access(error))
                    if no_access(&error) || matches!(error, AccessError::Declined) =>
                {
                    return Ok(Err(Stopped::NotTried));
                }
                Err(error) => return Ok(Err(Stopped::Later(error.to_string()))),
            };
            let now = self.worker.clock.now().await;
            let names: Vec<Imported> = fresh
                .iter()
                .filter_map(|value| name(&self.company, &self.realm, entity, value, now))
                .collect();
            self.worker.records.store_imported(&names).await?;
            self.names.lock().await.extend(&names);
        }
        Ok(Ok(pages.seen()))
    }
}

/// What is kept of a name. Nothing personal but what mapping needs: no SSN, birth date or address.
fn name(
    company: &CompanyId,
    realm: &RealmId,
    entity: Entity,
    value: &Value,
    now: Timestamp,
) -> Option<Imported> {
    let text = |field: &str| value.get(field).and_then(Value::as_str).map(str::to_owned);
    let id = text("Id")?;
    let name = match entity {
        Entity::Employee => text("DisplayName"),
        _ => text("FullyQualifiedName").or_else(|| text("DisplayName")).or_else(|| text("Name")),
    };
    Some(Imported {
        company: company.clone(),
        realm: realm.clone(),
        item: keys::imported(entity, &id),
        name: name.unwrap_or_else(|| format!("{} {id}", entity.name())),
        active: value.get("Active").and_then(Value::as_bool).unwrap_or(true),
        sync_token: text("SyncToken").unwrap_or_default(),
        email: value
            .pointer("/PrimaryEmailAddr/Address")
            .and_then(Value::as_str)
            .map(str::to_owned),
        kind: text("Type"),
        imported_at: now.as_millisecond(),
        id,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_mapping_needs_is_kept_of_an_employee() {
        let value = json!({
            "Id": "55", "DisplayName": "Pat O'Brien", "Active": false, "SyncToken": "3",
            "SSN": "XXX-XX-1234", "BirthDate": "1990-01-01",
            "PrimaryEmailAddr": {"Address": "pat@example.com"}
        });
        let (company, realm) = ("c1".parse().unwrap(), "101".parse().unwrap());
        let kept = name(&company, &realm, Entity::Employee, &value, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!((kept.name.as_str(), kept.active), ("Pat O'Brien", false));
        let stored = serde_json::to_string(&kept).unwrap();
        assert!(!stored.contains("1234") && !stored.contains("1990"), "{stored}");
    }

    #[test]
    fn a_sub_customer_is_kept_by_its_full_name() {
        let value = json!({"Id": "9", "DisplayName": "Barn", "FullyQualifiedName": "Smith:Barn"});
        let (company, realm) = ("c1".parse().unwrap(), "101".parse().unwrap());
        let kept = name(&company, &realm, Entity::Customer, &value, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(kept.name, "Smith:Barn");
    }
}
