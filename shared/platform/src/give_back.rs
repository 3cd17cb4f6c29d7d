//! Giving back what Intuit granted to a connection that will not be used, or not any more.
//!
//! Where the realm has a live connection, of this or of another company, nothing is revoked: revoking one
//! token of an app and a realm may end the other too (not documented; a dead live connection is the worse
//! outcome, and an unused token ends by itself after 100 days).
//!
//! Intuit being down or refusing stops nothing; it is logged.

use quickbooks::OAuth;
use secrecy::ExposeSecret;

use crate::connections::{Connection, ConnectionStatus, Connections};
use crate::error::Result;
use crate::secrets::{Secrets, TokenSet};

/// Sets of tokens of one connection that are worth revoking: the newest that is stored, and the one that
/// the row points to.
const SETS: usize = 2;

/// Revokes a connection's tokens at Intuit and destroys its secret, and the secret of the connection that
/// it took the place of, if that is still owed. Every step may be repeated.
pub async fn give_back(
    connection: &Connection,
    connections: &Connections,
    secrets: &Secrets,
    oauth: &OAuth,
) -> Result<()> {
    revoke(connection, connections, secrets, oauth).await?;
    destroy(connection, secrets).await
}

/// Destroys a connection's secret, and the one of the connection that it took the place of, if that is
/// still owed.
pub async fn destroy(connection: &Connection, secrets: &Secrets) -> Result<()> {
    secrets.destroy(&connection.secret).await?;
    match &connection.replaces {
        Some(replaced) => secrets.destroy(replaced).await,
        None => Ok(()),
    }
}

/// Revokes what is stored of a connection's tokens. A refresh that was interrupted may have left newer
/// ones than the row points to: those come first, since Intuit honours the newest. Answers whether Intuit
/// took an access back.
pub async fn revoke(
    connection: &Connection,
    connections: &Connections,
    secrets: &Secrets,
    oauth: &OAuth,
) -> Result<bool> {
    let mut sets: Vec<TokenSet> = Vec::new();
    let promised = connection.promised_version.iter();
    let unresolved = connection.unresolved_versions.iter().rev();
    for version in promised.chain(unresolved).chain([&connection.version_id]) {
        if sets.len() < SETS
            && let Some(stored) = secrets.get(&connection.secret, version).await?
            && sets.iter().all(|set| set.refresh.expose_secret() != stored.refresh.expose_secret())
        {
            sets.push(stored);
        }
    }
    let mut revoked = false;
    for tokens in &sets {
        revoked |= revoke_unless_live(connection, tokens, connections, secrets, oauth).await?;
    }
    Ok(revoked)
}

/// Revokes tokens at Intuit, stored or not, unless their realm has a live connection. Answers whether
/// Intuit took the access back.
pub(crate) async fn revoke_unless_live(
    connection: &Connection,
    tokens: &TokenSet,
    connections: &Connections,
    secrets: &Secrets,
    oauth: &OAuth,
) -> Result<bool> {
    if realm_is_live(connection, connections).await? {
        return Ok(false);
    }
    let app = secrets.app().await?;
    match oauth.revoke(&app, &tokens.refresh).await {
        Ok(()) => Ok(true),
        Err(error) => {
            tracing::warn!(company = %connection.company, realm = %connection.realm, %error, "could not revoke a connection at Intuit");
            Ok(false)
        }
    }
}

async fn realm_is_live(connection: &Connection, connections: &Connections) -> Result<bool> {
    let owner = connections.company_of(connection.environment, &connection.realm).await?;
    let Some(owner) = owner else { return Ok(false) };
    let live = connections.get(&owner).await?;
    Ok(live.is_some_and(|live| {
        live.realm == connection.realm && live.status == ConnectionStatus::Connected
    }))
}
