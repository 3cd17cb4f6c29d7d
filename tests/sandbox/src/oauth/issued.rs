//! Every secret value that this sandbox ever handed out or took, for whoever must prove that none of
//! them has leaked.

use std::collections::BTreeSet;

use serde::Serialize;

/// Values by kind, in their own order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Issued {
    pub(super) codes: BTreeSet<String>,
    pub(super) access_tokens: BTreeSet<String>,
    pub(super) refresh_tokens: BTreeSet<String>,
    pub(super) client_secrets: BTreeSet<String>,
}

impl Issued {
    /// Takes in what another one holds.
    pub(super) fn extend(&mut self, other: Self) {
        let Self { codes, access_tokens, refresh_tokens, client_secrets } = other;
        self.codes.extend(codes);
        self.access_tokens.extend(access_tokens);
        self.refresh_tokens.extend(refresh_tokens);
        self.client_secrets.extend(client_secrets);
    }
}
