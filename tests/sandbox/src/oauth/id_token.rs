//! The id token of a code exchange whose scopes hold `openid`.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Consent, ISSUER, person};
use crate::issuer::Issuer;

/// Seconds that an id token lives (recorded: `exp` is `iat` and an hour).
const LIFETIME_S: i64 = 3600;

/// Signs it (RS256) with the sandbox's development key. Its times are real ones: whoever checks them
/// does not know the sandbox's clock. `None`: the key does not sign.
pub(super) fn sign(issuer: &Issuer, consent: &Consent) -> Option<String> {
    issuer.sign(&claims(consent, Timestamp::now().as_second()))
}

/// The claims of a recorded payload (oauth-jsclient `test/mocks/openID-token.json`); `aud` is a list.
fn claims(consent: &Consent, now: i64) -> Value {
    let mut claims = json!({
        "sub": person::SUBJECT,
        "aud": [consent.client],
        "realmid": consent.realm,
        "auth_time": now,
        "iss": ISSUER,
        "exp": now + LIFETIME_S,
        "iat": now,
    });
    if let Some(nonce) = &consent.nonce {
        claims["nonce"] = json!(nonce);
    }
    claims
}
