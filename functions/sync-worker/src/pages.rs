//! Reading QuickBooks page by page, at the company's pace.

use platform::access::AccessError;
use quickbooks::{CallError, KeysetPages, PagingError};
use serde_json::Value;

use crate::drain::Drain;
use crate::send::no_access;

/// Why a page could not be read.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The call did not succeed.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The answer does not fit the pages before.
    #[error(transparent)]
    Paging(#[from] PagingError),
}

impl Drain<'_> {
    /// The new rows of the next page; `None` at the end. After a failure the same page can be asked for
    /// again.
    pub async fn next_page(
        &self,
        pages: &mut KeysetPages,
    ) -> Option<Result<Vec<Value>, PageError>> {
        let statement = pages.next_statement()?;
        let page = self
            .quickbooks
            .call_paced(
                &self.company,
                async || self.leave(None).await,
                async |client, session| client.query(session, &statement).await,
            )
            .await;
        match page {
            Ok(page) => Some(pages.accept(page.entities).map_err(PageError::from)),
            Err(error) => {
                if let AccessError::Call(CallError::Throttled { retry_after, .. }) = &error {
                    self.pacer.hold(*retry_after);
                }
                if no_access(&error) {
                    self.keeper.note_no_access();
                }
                Some(Err(error.into()))
            }
        }
    }
}
