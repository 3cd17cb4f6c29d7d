//! The pages for customers whose connection ended: ours to connect again, and the one that Intuit
//! shows to somebody who disconnected in QuickBooks.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper that cannot do its work fails the test, and says why"
)]

mod disconnected;
mod in_a_browser;
mod walk;

use stack_tests::stack::Stack;
use url::Url;

/// An address of the API that anybody may open.
fn public(stack: &Stack, path: &str) -> Url {
    Url::parse(&format!("{}{path}", stack.is.api_url)).unwrap()
}
