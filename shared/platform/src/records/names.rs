//! Names that were imported from QuickBooks: employees, customers, items, classes.

use std::collections::HashMap;

use domain::ids::{CompanyId, RealmId};
use domain::time_activity::Target;
use quickbooks::Entity;
use serde::{Deserialize, Serialize};

use super::{Records, key};
use crate::dynamo;
use crate::error::Result;
use crate::keys;

/// A name that was imported from QuickBooks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Imported {
    /// Whose.
    pub company: CompanyId,
    /// The entity's path and its Id, for example `employee#55`.
    pub item: String,
    /// The QuickBooks company that it was read from.
    pub realm: RealmId,
    /// QuickBooks' Id.
    pub id: String,
    /// DisplayName, or FullyQualifiedName where there is one.
    pub name: String,
    /// Whether it can be used.
    pub active: bool,
    /// QuickBooks' version of it.
    pub sync_token: String,
    /// An employee's e-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// An item's type, for example `Service`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// When it was read, in milliseconds since 1970.
    pub imported_at: i64,
}

impl From<&Imported> for Target {
    fn from(imported: &Imported) -> Self {
        Self { id: imported.id.clone(), name: imported.name.clone(), active: imported.active }
    }
}

impl Records {
    /// Reads names that were imported from a QuickBooks company, by their keys ([`keys::imported`]). What
    /// is left of another one, from before the company started over, is not there.
    pub async fn imported(
        &self,
        company: &CompanyId,
        realm: &RealmId,
        names: impl IntoIterator<Item = String>,
    ) -> Result<Vec<Imported>> {
        let keys = names.into_iter().map(|item| key(company, &item)).collect();
        let items = dynamo::batch_get(&self.client, "read names", &self.table, keys).await?;
        let names = items.into_iter().map(|item| dynamo::from_item("an imported name", item));
        let names: Vec<Imported> = names.collect::<Result<_>>()?;
        Ok(names.into_iter().filter(|name| name.realm == *realm).collect())
    }

    /// Stores imported names; QuickBooks is the truth for them.
    pub async fn store_imported(&self, names: &[Imported]) -> Result<()> {
        let requests = names
            .iter()
            .map(|name| dynamo::put_request(dynamo::to_item(name)?))
            .collect::<Result<Vec<_>>>()?;
        dynamo::batch_write(&self.client, "store names", &self.table, requests).await
    }
}

/// Names of one company, looked up by entity and Id.
#[derive(Debug, Default, Clone)]
pub struct Names(HashMap<String, Target>);

impl Names {
    /// Adds what was read.
    pub fn extend(&mut self, imported: &[Imported]) {
        self.0.extend(imported.iter().map(|name| (name.item.clone(), Target::from(name))));
    }

    /// Whether a key was asked for and found.
    pub fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    fn get(&self, entity: Entity, id: &str) -> Option<&Target> {
        self.0.get(&keys::imported(entity, id))
    }
}

impl domain::time_activity::Directory for Names {
    fn employee(&self, id: &domain::ids::EmployeeId) -> Option<&Target> {
        self.get(Entity::Employee, id.as_ref())
    }

    fn customer(&self, id: &domain::ids::CustomerId) -> Option<&Target> {
        self.get(Entity::Customer, id.as_ref())
    }

    fn item(&self, id: &domain::ids::ItemId) -> Option<&Target> {
        self.get(Entity::Item, id.as_ref())
    }

    fn class(&self, id: &domain::ids::ClassId) -> Option<&Target> {
        self.get(Entity::Class, id.as_ref())
    }
}
