//! A company's row while the tokens of an old per-user table are proven and made its connection.
//!
//! The row has a key of its own, so a user who connects by hand meanwhile meets nothing of it and wins.
//! It is a connection like any other to the refresh protocol ([`crate::refresh`]): an exported token is
//! asked with under a lease, once, and what Intuit gives for it is found again after a crash.
//!
//! | status | the exported tokens |
//! |---|---|
//! | `unconfirmed` | are being proven |
//! | `reconnectRequired` | were refused; the row stays, so that they are never tried again |
//! | `connected` | are the company's live connection; what follows a connect is not finished |

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::types::{Put, TransactWriteItem, Update};
use domain::ids::{CompanyId, RealmId};
use jiff::Timestamp;
use quickbooks::Environment;
use serde::{Deserialize, Serialize};
use uuid::Builder;

use crate::connections::{Connection, Connections, NewConnection};
use crate::dynamo::{self, Item, flag, met, ms, s};
use crate::error::{Error, Result};
use crate::keys::{self, sha256};

/// A company's row in `Connections` while its migration is not finished, or after it failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Migrating {
    /// The connection that is being proven, or that was last refused.
    #[serde(flatten)]
    pub connection: Connection,
    /// Connections of this company that were refused before.
    #[serde(default)]
    pub refused: Vec<String>,
}

impl Migrating {
    /// Whether the exported token was exchanged for new ones, so that the old side's is out of date.
    pub fn is_proven(&self) -> bool {
        self.connection.version_id != exported_version(&self.connection.connection_id)
    }
}

/// What is stored about a company, before anything is done about it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Found {
    /// Its connection, live or ended.
    pub connection: Option<Connection>,
    /// Its unfinished or failed migration.
    pub migrating: Option<Migrating>,
    /// The company that its QuickBooks company belongs to here.
    pub realm_owner: Option<CompanyId>,
    /// Whether the company was deleted, and not connected again.
    pub deleted: bool,
}

/// The connection that an exported token becomes. It follows from the token, so that every run knows what
/// became of it in an earlier one; the token does not follow from it.
pub fn connection_id(
    company: &CompanyId,
    realm: &RealmId,
    environment: Environment,
    client_id: &str,
    refresh_token: &str,
) -> String {
    derived(&format!("exported#{company}#{realm}#{environment}#{client_id}#{refresh_token}"))
}

/// The VersionId under which a connection's exported tokens are stored.
pub fn exported_version(connection_id: &str) -> String {
    derived(&format!("version#{connection_id}"))
}

/// A UUID that follows from a text.
fn derived(text: &str) -> String {
    let mut bytes = [0; 16];
    for (byte, digits) in bytes.iter_mut().zip(sha256(text).as_bytes().chunks(2)) {
        let digits = std::str::from_utf8(digits).unwrap_or_default();
        *byte = u8::from_str_radix(digits, 16).unwrap_or_default();
    }
    Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

impl Connections {
    /// What this table holds about companies that may be migrated, 100 rows to a request.
    pub async fn found(
        &self,
        companies: &[(CompanyId, RealmId)],
        environment: Environment,
    ) -> Result<HashMap<CompanyId, Found>> {
        let keys = companies.iter().flat_map(|(company, realm)| {
            [
                keys::connection(company),
                keys::migrating(company),
                keys::realm_guard(environment, realm),
            ]
        });
        // Two companies of an export may name one realm, and a key is asked for once only.
        let keys: BTreeSet<String> = keys.collect();
        let keys = keys.into_iter().map(|id| Item::from([("id".to_owned(), s(id))])).collect();
        let call = "read what is stored of an export's companies";
        let items = dynamo::batch_get(&self.client, call, &self.table, keys).await?;
        let mut by_id: HashMap<String, Item> = items
            .into_iter()
            .filter_map(|item| Some((item.get("id")?.as_s().ok()?.clone(), item)))
            .collect();
        companies
            .iter()
            .map(|(company, realm)| {
                let realm_owner =
                    by_id.get(&keys::realm_guard(environment, realm)).map(owner).transpose()?;
                let connection = by_id.remove(&keys::connection(company));
                let migrating = by_id.remove(&keys::migrating(company));
                let found = Found {
                    connection: connection
                        .map(|item| dynamo::from_item("a connection", item))
                        .transpose()?,
                    migrating: migrating
                        .map(|item| dynamo::from_item("a migration", item))
                        .transpose()?,
                    realm_owner,
                    deleted: false,
                };
                Ok((company.clone(), found))
            })
            .collect()
    }

    /// The company's unfinished or failed migration.
    pub async fn migrating(&self, company: &CompanyId) -> Result<Option<Migrating>> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("id", s(keys::migrating(company)))
            .consistent_read(true)
            .send()
            .await
            .map_err(Error::aws("read the migration"))?;
        answer.item.map(|item| dynamo::from_item("a migration", item)).transpose()
    }

    /// Begins to prove `next`, after `before` was refused or there was none. Answers false when the row
    /// is not as it was seen.
    pub async fn begin_migrating(
        &self,
        next: &Migrating,
        before: Option<&Migrating>,
    ) -> Result<bool> {
        let put =
            self.client.put_item().table_name(&self.table).set_item(Some(dynamo::to_item(next)?));
        let put = match before {
            None => put.condition_expression("attribute_not_exists(id)"),
            Some(before) => put
                .condition_expression("connectionId = :before AND #status = :refused")
                .expression_attribute_names("#status", "status")
                .expression_attribute_values(":before", s(&before.connection.connection_id))
                .expression_attribute_values(":refused", s("reconnectRequired")),
        };
        met(put.send().await, "begin to prove exported tokens")
    }

    /// Says that the secret holds the exported tokens. Of tokens that were refused meanwhile it says that
    /// there is a secret to destroy.
    pub async fn migrating_is_ready(&self, migrating: &Migrating) -> Result<bool> {
        let result = self
            .update(&migrating.connection)
            .update_expression("SET ready = :true")
            .expression_attribute_values(":true", flag(true))
            .send()
            .await;
        met(result, "prepare exported tokens")
    }

    /// Says that tokens are of no use, although Intuit refreshes them.
    pub async fn refuse_migrating(
        &self,
        migrating: &Migrating,
        reason: &str,
        now: Timestamp,
    ) -> Result<bool> {
        let result = self
            .update(&migrating.connection)
            .update_expression(
                "SET #status = :refused, lastRefreshResult = :reason, cleanUpAt = :now",
            )
            .expression_attribute_values(":now", ms(now))
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":refused", s("reconnectRequired"))
            .expression_attribute_values(":reason", s(reason))
            .send()
            .await;
        met(result, "refuse exported tokens")
    }

    /// Says that tokens of an earlier export, which this one does not have, will not be tried. `ready` has
    /// their secret looked for and destroyed. Answers false when somebody stored them meanwhile, or goes on.
    pub async fn refuse_forgotten(&self, migrating: &Migrating, now: Timestamp) -> Result<bool> {
        let result = self
            .update(&migrating.connection)
            .condition_expression(
                "connectionId = :connection AND ready = :false AND #status = :begun \
                 AND attribute_not_exists(refreshOwner)",
            )
            .update_expression(
                "SET #status = :refused, lastRefreshResult = :reason, cleanUpAt = :now, ready = :true",
            )
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":false", flag(false))
            .expression_attribute_values(":true", flag(true))
            .expression_attribute_values(":begun", s("unconfirmed"))
            .expression_attribute_values(":refused", s("reconnectRequired"))
            .expression_attribute_values(":reason", s("not in this export any more"))
            .expression_attribute_values(":now", ms(now))
            .send()
            .await;
        met(result, "refuse forgotten tokens")
    }

    /// Says that the secret of refused tokens is destroyed; nothing of them is left to do.
    pub async fn migrating_is_buried(&self, migrating: &Migrating) -> Result<bool> {
        let result = self
            .update(&migrating.connection)
            .update_expression("SET ready = :false REMOVE cleanUpShard, cleanUpAt")
            .expression_attribute_values(":false", flag(false))
            .send()
            .await;
        met(result, "bury exported tokens")
    }

    /// Makes proven tokens the company's live connection, in one transaction with the realm's guard.
    /// `ended` is the ended connection whose place it takes, if there is one.
    ///
    /// Answers false when the company has another connection by now, the realm belongs to another company,
    /// or the tokens changed meanwhile. `live` is [`Connection::live`] of the migrating one.
    pub async fn adopt_migrating(
        &self,
        migrating: &Migrating,
        live: &Connection,
        ended: Option<&Connection>,
    ) -> Result<bool> {
        let call = "make migrated tokens a connection";
        let put_live =
            Put::builder().table_name(&self.table).set_item(Some(dynamo::to_item(live)?));
        let put_live = match ended {
            None => put_live.condition_expression("attribute_not_exists(id)"),
            Some(ended) => put_live
                .condition_expression("connectionId = :ended AND #status <> :connected")
                .expression_attribute_names("#status", "status")
                .expression_attribute_values(":connected", s("connected"))
                .expression_attribute_values(":ended", s(&ended.connection_id)),
        };
        let put_live = put_live.build().map_err(Error::aws(call))?;
        let put_guard = self.guard_of(live).build().map_err(Error::aws(call))?;
        let finish = Update::builder()
            .table_name(&self.table)
            .key("id", s(&migrating.connection.id))
            .update_expression("SET #status = :connected")
            .condition_expression(
                "connectionId = :connection AND versionId = :version AND #status = :proven \
                 AND attribute_not_exists(refreshOwner)",
            )
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":connected", s("connected"))
            .expression_attribute_values(":proven", s("unconfirmed"))
            .expression_attribute_values(":connection", s(&migrating.connection.connection_id))
            .expression_attribute_values(":version", s(&migrating.connection.version_id))
            .build()
            .map_err(Error::aws(call))?;
        dynamo::transact(
            &self.client,
            call,
            vec![
                TransactWriteItem::builder().put(put_live).build(),
                TransactWriteItem::builder().put(put_guard).build(),
                TransactWriteItem::builder().update(finish).build(),
            ],
        )
        .await
    }

    /// Removes the row: its connection is live and finished, or another one took its place. Answers false
    /// when it is another one's by now.
    pub async fn remove_migrating(&self, migrating: &Migrating) -> Result<bool> {
        let result = self
            .client
            .delete_item()
            .table_name(&self.table)
            .key("id", s(&migrating.connection.id))
            .condition_expression("connectionId = :connection")
            .expression_attribute_values(":connection", s(&migrating.connection.connection_id))
            .send()
            .await;
        met(result, "remove the migration")
    }
}

impl Connection {
    /// A connection of exported tokens ([`exported_version`]) that are still to be proven. Their access token is not used: the
    /// first use of the tokens is their proof.
    #[must_use]
    pub fn exported(new: NewConnection) -> Self {
        Self {
            id: keys::migrating(&new.company),
            last_refresh_result: "exported".to_owned(),
            ..Self::new(new)
        }
    }
}

fn owner(guard: &Item) -> Result<CompanyId> {
    let company = guard.get("company").and_then(|value| value.as_s().ok());
    company
        .ok_or_else(|| Error::unreadable("a realm's company", "it is missing"))?
        .parse()
        .map_err(|error| Error::unreadable("a realm's company", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exported() -> Connection {
        let (company, realm) = ("a".parse().unwrap(), "9".parse().unwrap());
        let environment = Environment::Sandbox;
        let connection_id = connection_id(&company, &realm, environment, "app", "RT1-secret");
        Connection::exported(NewConnection {
            version_id: exported_version(&connection_id),
            company,
            connection_id,
            realm,
            environment,
            client_id: "app".to_owned(),
            secret: "stack/tokens/a/x".to_owned(),
            user: "u".to_owned(),
            at: Timestamp::UNIX_EPOCH,
        })
    }

    #[test]
    fn a_token_always_becomes_the_same_connection_which_tells_nothing_of_it() {
        assert_eq!(exported().connection_id, exported().connection_id);
        assert!(!exported().connection_id.contains("secret"));
        assert!(uuid::Uuid::parse_str(&exported().connection_id).is_ok());
        assert_ne!(exported().version_id, exported().connection_id);
    }

    #[test]
    fn a_migration_is_proven_by_another_version_than_the_exported_one() {
        let mut migrating = Migrating { connection: exported(), refused: Vec::new() };
        assert!(!migrating.is_proven());
        migrating.connection.version_id = "newer".to_owned();
        assert!(migrating.is_proven());
    }

    #[test]
    fn a_migration_is_stored_as_a_connection_with_the_refused_ones_beside_it() {
        let migrating = Migrating { connection: exported(), refused: vec!["x".to_owned()] };
        let item = dynamo::to_item(&migrating).unwrap();
        let connection: Connection = dynamo::from_item("a connection", item.clone()).unwrap();
        assert_eq!(connection, migrating.connection);
        assert_eq!(dynamo::from_item::<Migrating>("a migration", item).unwrap(), migrating);
    }
}
