//! The one person who gives consent here.

use serde_json::{Map, Value, json};

use super::scope;

/// Who it is at Intuit.
pub(super) const SUBJECT: &str = "1182d6ec-60a9-4a2f-8c53-6d1f7a1c0001";

/// What userinfo says of the person to an app with these scopes (oauth-jsclient
/// `test/mocks/userInfo.json`).
pub(super) fn described(scopes: &str) -> Map<String, Value> {
    let mut out = Map::new();
    out.insert("sub".into(), json!(SUBJECT));
    let parts = [
        ("email", json!({ "email": "owner@sandbox.example", "emailVerified": true })),
        ("profile", json!({ "givenName": "Sandbox", "familyName": "Owner" })),
        ("phone", json!({ "phoneNumber": "+1 3035550100", "phoneNumberVerified": true })),
        (
            "address",
            json!({ "address": {
                "streetAddress": "12 Quarry Road",
                "locality": "Golden",
                "region": "CO",
                "postalCode": "80401",
                "country": "US",
            } }),
        ),
    ];
    for (scope, part) in parts {
        if let (true, Value::Object(part)) = (scope::holds(scopes, scope), part) {
            out.extend(part);
        }
    }
    out
}
