//! Connecting a company, as browsers do it and as others try to.

pub(crate) mod access;
mod disconnect;
mod erasure;
mod flow;
mod interrupted;
mod refresh_by_hand;
mod refusals;
mod secrecy;
mod starting_over;
mod time;

use crate::outside::Page;

/// Checks a page of ours that says why nothing was connected.
#[track_caller]
fn refused(page: &Page, status: u16, words: &str) {
    assert_eq!(page.status, status, "{}", page.text);
    assert!(page.says(words), "{words:?} is not in {}", page.text);
    assert_eq!(page.location, None);
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    assert_eq!(page.header("cache-control"), "no-store");
}
