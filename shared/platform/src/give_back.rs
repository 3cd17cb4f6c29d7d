//! Giving back what Intuit granted to a connection that will not be used.

use quickbooks::OAuth;

use crate::connections::Connection;
use crate::error::Result;
use crate::secrets::Secrets;

/// Revokes a connection's tokens at Intuit and destroys its secret.
///
/// Where the company's `live` connection is to the same realm, nothing is revoked: revoking one token of
/// an app and a realm may end the other too (not documented; a dead live connection is the worse
/// outcome, and an unused token ends by itself after 100 days).
///
/// Intuit being down or refusing does not stop the destruction of the secret; it is logged.
pub async fn give_back(
    connection: &Connection,
    live: Option<&Connection>,
    secrets: &Secrets,
    oauth: &OAuth,
) -> Result<()> {
    let shares_realm = live.is_some_and(|live| {
        live.realm == connection.realm && live.environment == connection.environment
    });
    if !shares_realm
        && let Some(tokens) = secrets.get(&connection.secret, &connection.version_id).await?
    {
        let app = secrets.app().await?;
        if let Err(error) = oauth.revoke(&app, &tokens.refresh).await {
            tracing::warn!(company = %connection.company, realm = %connection.realm, %error, "could not revoke an unused connection at Intuit");
        }
    }
    secrets.destroy(&connection.secret).await
}
