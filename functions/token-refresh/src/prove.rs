//! Renewals that a use called for, and proofs that Intuit still accepts a connection.
//!
//! # Why a proof is a refresh
//!
//! Somebody says that a company disconnected us at Intuit; anybody can say so. Only Intuit's own answer
//! changes anything. A refresh asks the very thing in question, whether Intuit still honours the refresh
//! token, and its answer is the surest: an access token may be honoured for up to an hour after the end.
//! It is not metered, unlike a read of CompanyInfo, so nobody can use up the month's reads by crying
//! wolf. It runs under the lease like any other, and is asked for at most once an hour and company.

use domain::ids::CompanyId;
use jiff::Timestamp;
use platform::Result;
use platform::connections::ConnectionStatus;
use platform::refresh::{TokenError, Wanted};

use crate::{SPACING, TokenRefresh, keep};

/// Renews an old refresh token. If it does not succeed, the next use asks again.
pub async fn renew(refresh: &TokenRefresh, company: &CompanyId) -> Result<()> {
    let since = refresh.clock.now().await - refresh.thresholds.renew_after;
    tokio::time::sleep(SPACING).await;
    match keep::renewed(refresh, company, &Wanted::refreshed_since(since)).await {
        Ok(_) => {}
        Err(error) => {
            tracing::warn!(%company, %error, "could not renew a refresh token that is old; the next use asks again");
        }
    }
    Ok(())
}

/// Finds out from Intuit whether it still accepts a connection.
///
/// # Errors
/// When Intuit did not say: the request comes again.
pub async fn prove(refresh: &TokenRefresh, company: &CompanyId) -> Result<()> {
    let Some(connection) = refresh.connections.get(company).await? else { return Ok(()) };
    if connection.status != ConnectionStatus::Connected {
        return Ok(());
    }
    // A refresh after the moment of asking is proof enough, whoever made it: a request that comes twice
    // asks Intuit once.
    let asked = connection.proof_asked_at.and_then(|at| Timestamp::from_millisecond(at).ok());
    let since = asked.unwrap_or(refresh.clock.now().await);
    tokio::time::sleep(SPACING).await;
    match keep::renewed(refresh, company, &Wanted::refreshed_since(since)).await {
        Ok(_) => tracing::info!(%company, "Intuit still accepts the connection"),
        Err(TokenError::ReconnectRequired) => {
            tracing::warn!(%company, "the connection was ended at Intuit");
        }
        Err(TokenError::NotConnected) => {}
        Err(error) => {
            return Err(platform::Error::Aws {
                call: "prove a connection",
                reason: error.to_string(),
            });
        }
    }
    Ok(())
}
