//! AWS Signature Version 4, as far as calls to the emulator need it
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>).

use hmac::{Hmac, Mac};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

/// A caller's keys.
#[derive(Clone, Copy, Debug)]
pub struct Keys<'a> {
    /// Access key id.
    pub id: &'a str,
    /// Secret access key.
    pub secret: &'a str,
}

/// What is signed. The query is empty, and the headers signed are `host` and `x-amz-date`.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// HTTP method.
    pub method: &'a str,
    /// Host header.
    pub host: &'a str,
    /// Path; every character in it is sent as it is.
    pub path: &'a str,
    /// Body.
    pub body: &'a [u8],
    /// Service, such as `dynamodb`.
    pub service: &'a str,
    /// Region.
    pub region: &'a str,
}

/// The values of the headers `x-amz-date` and `authorization`.
pub fn sign(keys: Keys<'_>, call: Call<'_>, at: Timestamp) -> (String, String) {
    let at = at.to_zoned(TimeZone::UTC);
    let (time, day) =
        (at.strftime("%Y%m%dT%H%M%SZ").to_string(), at.strftime("%Y%m%d").to_string());
    let Call { method, host, path, body, service, region } = call;
    let canonical = format!(
        "{method}\n{path}\n\nhost:{host}\nx-amz-date:{time}\n\nhost;x-amz-date\n{}",
        hex(&Sha256::digest(body))
    );
    let scope = format!("{day}/{region}/{service}/aws4_request");
    let text = format!(
        "AWS4-HMAC-SHA256\n{time}\n{scope}\n{}",
        hex(&Sha256::digest(canonical.as_bytes()))
    );
    let key = [&day, region, service, "aws4_request"]
        .iter()
        .fold(format!("AWS4{}", keys.secret).into_bytes(), |key, part| mac(&key, part));
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders=host;x-amz-date, Signature={}",
        keys.id,
        hex(&mac(&key, &text))
    );
    (time, authorization)
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AWS's own test vector `get-vanilla`.
    #[test]
    fn the_signature_is_the_one_that_aws_documents() {
        let keys = Keys { id: "AKIDEXAMPLE", secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" };
        let call = Call {
            method: "GET",
            host: "example.amazonaws.com",
            path: "/",
            body: b"",
            service: "service",
            region: "us-east-1",
        };
        let (time, authorization) = sign(keys, call, "2015-08-30T12:36:00Z".parse().unwrap());
        assert_eq!(time, "20150830T123600Z");
        let signature = authorization.rsplit('=').next().unwrap();
        assert_eq!(signature, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
    }
}
