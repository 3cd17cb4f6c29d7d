//! What an event says.

use domain::ids::CompanyId;
use jiff::Timestamp;
use serde::Deserialize;

/// An event that somebody may have to hear of.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "detail-type", content = "detail")]
pub enum Notice {
    /// QuickBooks no longer accepts a connection.
    #[serde(rename = "connection.reconnect_required")]
    ReconnectRequired(ConnectionNotice),
    /// The five years of a connection are nearly over.
    #[serde(rename = "connection.hard_expiry_near")]
    HardExpiryNear(ConnectionNotice),
    /// Intuit refuses the app's own keys.
    #[serde(rename = "app.credentials_refused")]
    AppCredentialsRefused {
        /// When it was found.
        at: Timestamp,
    },
}

/// Which connection an event is about. The rest of it is read from the connection's row, which is newer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionNotice {
    /// Whose.
    pub company_id: CompanyId,
    /// Which.
    pub connection_id: String,
    /// When Intuit ends it, where the event says so.
    pub hard_expires_at: Option<Timestamp>,
    /// When it was found.
    pub at: Timestamp,
}

impl Notice {
    /// Reads an event in EventBridge's envelope. Fields that are not known are tolerated.
    pub fn read(event: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(event)
    }
}

#[cfg(test)]
mod tests {
    use platform::bus::Event;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_read_in_its_envelope_whatever_else_it_holds() {
        let event = json!({
            "version": "0", "id": "e", "source": "quickbooks-connector", "resources": [],
            "detail": {
                "companyId": "acme", "realmId": "1", "connectionId": "c1", "companyName": "A",
                "hardExpiresAt": "2031-11-20T00:00:00Z", "at": "2031-11-01T00:00:00Z", "new": 1,
            },
            "detail-type": "connection.hard_expiry_near",
        });
        let Ok(Notice::HardExpiryNear(read)) = Notice::read(&event.to_string()) else {
            panic!("not read as what it is");
        };
        assert_eq!((read.company_id.as_str(), read.connection_id.as_str()), ("acme", "c1"));
        assert_eq!(read.hard_expires_at, Some("2031-11-20T00:00:00Z".parse().unwrap()));
    }

    #[test]
    fn what_the_product_publishes_about_its_keys_is_read() {
        let at = Timestamp::UNIX_EPOCH;
        let detail = serde_json::to_value(Event::AppCredentialsRefused { at }).unwrap();
        let event = json!({ "detail-type": "app.credentials_refused", "detail": detail });
        let read = Notice::read(&event.to_string()).unwrap();
        assert_eq!(read, Notice::AppCredentialsRefused { at });
    }

    #[test]
    fn other_events_and_broken_ones_are_refused() {
        let detail =
            json!({ "companyId": "a#b", "connectionId": "c", "at": "2031-11-01T00:00:00Z" });
        for event in [
            json!({ "detail-type": "connection.connected", "detail": {} }),
            json!({ "detail-type": "connection.reconnect_required", "detail": detail }),
            json!({ "detail-type": "connection.reconnect_required" }),
            json!("x"),
        ] {
            assert!(Notice::read(&event.to_string()).is_err(), "{event}");
        }
        assert!(Notice::read("").is_err());
    }
}
