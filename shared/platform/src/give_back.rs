//! Giving back what Intuit granted to a connection that will not be used.

use quickbooks::OAuth;

use crate::connections::{Connection, ConnectionStatus, Connections};
use crate::error::Result;
use crate::secrets::{Secrets, TokenSet};

/// Revokes a connection's tokens at Intuit and destroys its secret.
///
/// Where the realm has a live connection, of this or of another company, nothing is revoked: revoking
/// one token of an app and a realm may end the other too (not documented; a dead live connection is the
/// worse outcome, and an unused token ends by itself after 100 days).
///
/// Intuit being down or refusing does not stop the destruction of the secret; it is logged.
pub async fn give_back(
    connection: &Connection,
    connections: &Connections,
    secrets: &Secrets,
    oauth: &OAuth,
) -> Result<()> {
    if let Some(tokens) = secrets.get(&connection.secret, &connection.version_id).await? {
        revoke_unless_live(connection, &tokens, connections, secrets, oauth).await?;
    }
    secrets.destroy(&connection.secret).await
}

/// Revokes tokens at Intuit, unless their realm has a live connection.
pub(crate) async fn revoke_unless_live(
    connection: &Connection,
    tokens: &TokenSet,
    connections: &Connections,
    secrets: &Secrets,
    oauth: &OAuth,
) -> Result<()> {
    if realm_is_live(connection, connections).await? {
        return Ok(());
    }
    let app = secrets.app().await?;
    if let Err(error) = oauth.revoke(&app, &tokens.refresh).await {
        tracing::warn!(company = %connection.company, realm = %connection.realm, %error, "could not revoke an unused connection at Intuit");
    }
    Ok(())
}

async fn realm_is_live(connection: &Connection, connections: &Connections) -> Result<bool> {
    let owner = connections.company_of(connection.environment, &connection.realm).await?;
    let Some(owner) = owner else { return Ok(false) };
    let live = connections.get(&owner).await?;
    Ok(live.is_some_and(|live| {
        live.realm == connection.realm && live.status == ConnectionStatus::Connected
    }))
}
