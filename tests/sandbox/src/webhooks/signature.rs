//! `intuit-signature`: base64 of the HMAC-SHA256 over the body's bytes under the verifier token
//! (webhooks page; Intuit's PHP SDK, `TokenVerifier.php`).

use aws_lc_rs::hmac;
use base64::{Engine as _, prelude::BASE64_STANDARD};

/// The signature of `body`.
pub(super) fn sign(verifier_token: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, verifier_token.as_bytes());
    BASE64_STANDARD.encode(hmac::sign(&key, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_hmac_of_the_raw_bytes() {
        // RFC 4231, test case 2, in base64.
        let signature = sign("Jefe", b"what do ya want for nothing?");
        assert_eq!(signature, "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=");
        assert_ne!(signature, sign("Jefe", b"what do ya want for nothing? "));
        assert_ne!(signature, sign("jefe", b"what do ya want for nothing?"));
    }
}
