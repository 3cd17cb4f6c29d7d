//! Proof key for code exchange (RFC 7636).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The challenge of an authorize call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Challenge {
    value: String,
    /// `S256`, else the verifier itself (`plain`).
    hashed: bool,
}

impl Challenge {
    /// Reads `code_challenge` and `code_challenge_method`. `Err`: a method that there is not.
    pub(crate) fn read(value: &str, method: &str) -> Result<Option<Self>, String> {
        let hashed = match method {
            "S256" => true,
            "" | "plain" => false,
            other => return Err(format!("There is no code_challenge_method {other}.")),
        };
        Ok((!value.is_empty()).then(|| Self { value: value.to_owned(), hashed }))
    }

    pub(crate) fn is_answered_by(&self, verifier: Option<&str>) -> bool {
        let Some(verifier) = verifier else { return false };
        if self.hashed {
            self.value == URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
        } else {
            self.value == verifier
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_standard_holds() {
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        let challenge = Challenge::read(challenge, "S256").unwrap().unwrap();
        assert!(challenge.is_answered_by(Some("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")));
        assert!(!challenge.is_answered_by(Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")));
        assert!(!challenge.is_answered_by(None));
        let plain = Challenge::read("abc", "").unwrap().unwrap();
        assert!(plain.is_answered_by(Some("abc")));
        assert!(Challenge::read("abc", "MD5").is_err());
        assert_eq!(Challenge::read("", "").unwrap(), None);
    }
}
