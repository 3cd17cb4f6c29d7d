//! What the tests of invoices, payments and estimates share.

use serde_json::{Value, json};

use crate::harness::{Answer, Connected};

/// Front Range Logistics of company A, which owes nothing at the start.
pub(crate) const CUSTOMER: &str = "6";

/// Lays `changes` over `body`; null takes a field away.
pub(crate) fn with(mut body: Value, changes: Value) -> Value {
    let Value::Object(changes) = changes else { panic!("changes are an object") };
    for (name, value) in changes {
        if value.is_null() {
            body.as_object_mut().unwrap().remove(&name);
        } else {
            body[name] = value;
        }
    }
    body
}

/// A line of carpentry.
pub(crate) fn line(quantity: f64, price: f64, amount: f64) -> Value {
    json!({
        "DetailType": "SalesItemLineDetail",
        "Amount": amount,
        "SalesItemLineDetail": { "ItemRef": { "value": "3" }, "Qty": quantity, "UnitPrice": price },
    })
}

/// A body of an invoice or estimate over 150.
pub(crate) fn sale(changes: Value) -> Value {
    let body = json!({
        "CustomerRef": { "value": CUSTOMER },
        "TxnDate": "2026-11-18",
        "Line": [line(2.0, 75.0, 150.0)],
    });
    with(body, changes)
}

/// A payment of `amount` on an invoice.
pub(crate) fn payment(invoice: &Value, amount: f64) -> Value {
    json!({
        "CustomerRef": { "value": CUSTOMER },
        "TxnDate": "2026-11-19",
        "TotalAmt": amount,
        "Line": [{
            "Amount": amount,
            "LinkedTxn": [{ "TxnId": invoice["Id"], "TxnType": "Invoice" }],
        }],
    })
}

impl Connected {
    /// Creates or changes an entity, which must succeed; the entity.
    pub(crate) async fn put(&self, entity: &str, body: &Value) -> Value {
        let path = entity.to_lowercase();
        self.post(&path, body).await.ok().body[entity].clone()
    }

    /// Reads an entity as it is now.
    pub(crate) async fn fresh(&self, entity: &str, of: &Value) -> Value {
        let id = of.as_str().or(of["Id"].as_str()).unwrap();
        self.get(&format!("{}/{id}", entity.to_lowercase())).await.ok().body[entity].clone()
    }

    /// A sparse update, which must succeed; the entity.
    pub(crate) async fn change(&self, entity: &str, of: &Value, changes: Value) -> Value {
        let body = json!({ "Id": of["Id"], "SyncToken": of["SyncToken"], "sparse": true });
        self.put(entity, &with(body, changes)).await
    }

    /// An operation of the URL on an entity.
    pub(crate) async fn act(&self, entity: &str, operation: &str, of: &Value) -> Answer {
        let body = json!({ "Id": of["Id"], "SyncToken": of["SyncToken"] });
        self.post(&format!("{}?operation={operation}", entity.to_lowercase()), &body).await
    }
}
