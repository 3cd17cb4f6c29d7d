//! OAuth 2.0 as Intuit offers it: discovery, consent, code, tokens, revocation.

mod discovery;
mod grants;
mod pages;
mod token;

use std::sync::Arc;

use axum::{
    Router,
    routing::{get, post},
};

pub(crate) use grants::{Death, Granted, Oauth, Policy, Refusal};

use crate::app::App;

/// Path of the token endpoint; it runs its own fault plan.
pub(crate) const TOKEN_PATH: &str = "/oauth2/v1/tokens/bearer";

/// The routes of Intuit's OAuth hosts, all on one.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/connect/oauth2", get(pages::authorize).post(pages::decide))
        .route(TOKEN_PATH, post(token::bearer))
        .route("/v2/oauth2/tokens/revoke", post(token::revoke))
        .route("/.well-known/openid_configuration", get(discovery::document))
        .route("/.well-known/openid_sandbox_configuration", get(discovery::document))
        .route("/op/v1/jwks", get(discovery::jwks))
        .route("/v1/openid_connect/userinfo", get(discovery::userinfo))
}
