//! Connecting, first step, and the pages that Intuit's settings of an app ask for.
//!
//! # Layout
//! [`connect`]: a link for a signed-in admin, and on to Intuit. [`reconnect`]: the page where a customer
//! sees the connection and connects again; [`sign_in`]: how people sign in there. [`disconnected`]:
//! where Intuit sends a customer who ended the connection in QuickBooks.

pub mod connect;
pub mod disconnected;
pub mod reconnect;
pub mod sign_in;

use axum::Router;
use axum::routing::get;
use platform::http::BASE;

use crate::connect::Connect;
use crate::disconnected::Disconnected;
use crate::reconnect::Reconnect;

/// The routes.
pub fn router(connect: Connect, reconnect: Reconnect, disconnected: Disconnected) -> Router {
    let connect = Router::new()
        .route(&format!("{BASE}/connect"), get(connect::follow_link).post(connect::make_link))
        .with_state(connect);
    let reconnect = Router::new()
        .route(&format!("{BASE}/reconnect"), get(reconnect::reconnect_page))
        .with_state(reconnect);
    let disconnected = Router::new()
        .route(&format!("{BASE}/disconnected"), get(disconnected::disconnected_page))
        .with_state(disconnected);
    connect.merge(reconnect).merge(disconnected)
}
