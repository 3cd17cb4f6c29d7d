//! What a call does, in the words of IAM.
//!
//! JSON protocols name the operation in `X-Amz-Target`; other calls are named by method and path.
//! An operation that IAM authorises item by item (a transaction, a batch of statements) is listed
//! item by item.

use hyper::http::request::Parts;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::partiql;

/// One permission that a call needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Use {
    /// IAM action, such as `dynamodb:PutItem`.
    pub action: String,
    /// `table/NAME`, `table/NAME/index/NAME`, `queue/NAME`, `secret/NAME`, `event-bus/NAME`,
    /// `identity/ADDRESS`, `object/BUCKET/KEY`, or `*` where the call names no resource.
    pub resource: String,
}

/// A call, named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Such as `dynamodb` or `quickbooks`.
    pub service: String,
    /// The operation as called, such as `dynamodb:TransactWriteItems` or `POST timeactivity`.
    pub action: String,
    /// The permissions it needs; empty for QuickBooks.
    pub uses: Vec<Use>,
}

/// Names a call to AWS.
pub fn aws(parts: &Parts, body: &[u8]) -> Call {
    let target = header(parts, "x-amz-target").unwrap_or_default();
    let Some((prefix, operation)) = target.split_once('.') else {
        let service = signing_service(parts).unwrap_or_else(|| "unknown".to_owned());
        if let Some(used) = object(parts).filter(|_| service == "s3") {
            return Call { action: used.action.clone(), uses: vec![used], service };
        }
        let action = match form_field(body, "Action") {
            Some(action) => format!("{service}:{action}"),
            None => format!("{service}:{} {}", parts.method, parts.uri.path()),
        };
        // A mail is authorised on its sender's identity.
        let sender = form_field(body, "Source").filter(|_| service == "ses");
        let resource = sender.map_or_else(|| "*".to_owned(), |from| format!("identity/{from}"));
        let uses = vec![Use { action: action.clone(), resource }];
        return Call { service, action, uses };
    };
    let service = match prefix {
        p if p.starts_with("DynamoDB") => "dynamodb",
        "secretsmanager" => "secretsmanager",
        "AmazonSQS" => "sqs",
        "AWSEvents" => "events",
        "TrentService" => "kms",
        p if p.starts_with("Logs_") => "logs",
        other => other,
    }
    .to_owned();
    let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let uses = match service.as_str() {
        "dynamodb" => dynamodb(operation, &body),
        "sqs" => vec![used("sqs", operation.trim_end_matches("Batch"), queue(&body))],
        "secretsmanager" => vec![used("secretsmanager", operation, secret(&body))],
        "events" => buses(operation, &body),
        _ => vec![used(&service, operation, "*".to_owned())],
    };
    Call { action: format!("{service}:{operation}"), service, uses }
}

/// Names a call to QuickBooks: the method and the last word of the path that is no id.
pub fn quickbooks(parts: &Parts) -> Call {
    let word = parts
        .uri
        .path()
        .rsplit('/')
        .find(|segment| segment.starts_with(|c: char| c.is_ascii_alphabetic()))
        .unwrap_or("/");
    Call {
        service: "quickbooks".to_owned(),
        action: format!("{} {word}", parts.method),
        uses: Vec::new(),
    }
}

fn used(service: &str, operation: &str, resource: String) -> Use {
    Use { action: format!("{service}:{operation}"), resource }
}

fn header<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
    parts.headers.get(name).and_then(|value| value.to_str().ok())
}

/// The service in the credential scope of the signature: `KEY/date/region/SERVICE/aws4_request`.
fn signing_service(parts: &Parts) -> Option<String> {
    let scope = header(parts, "authorization")?.split_once("Credential=")?.1;
    scope.split(',').next()?.split('/').nth(3).map(str::to_owned)
}

/// What a call does with an object in S3: `/BUCKET/KEY`.
fn object(parts: &Parts) -> Option<Use> {
    let (_, key) = parts.uri.path().trim_start_matches('/').split_once('/')?;
    let operation = match parts.method.as_str() {
        "GET" | "HEAD" => "GetObject",
        "PUT" => "PutObject",
        "DELETE" => "DeleteObject",
        _ => return None,
    };
    let resource = format!("object{}", parts.uri.path());
    (!key.is_empty()).then(|| used("s3", operation, resource))
}

/// A field of a query protocol body.
fn form_field(body: &[u8], wanted: &str) -> Option<String> {
    url::form_urlencoded::parse(body)
        .find(|(name, _)| name == wanted)
        .map(|(_, value)| value.into_owned())
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

/// A table name, which may also be given as the table's ARN.
fn table(name: &str, index: Option<&str>) -> String {
    let name = name.rsplit_once(":table/").map_or(name, |(_, name)| name);
    match index {
        Some(index) => format!("table/{name}/index/{index}"),
        None => format!("table/{name}"),
    }
}

fn dynamodb(operation: &str, body: &Value) -> Vec<Use> {
    match operation {
        "TransactWriteItems" | "TransactGetItems" => {
            items(body, "TransactItems").iter().filter_map(transaction_item).collect()
        }
        "BatchGetItem" | "BatchWriteItem" => {
            let tables = body.get("RequestItems").and_then(Value::as_object);
            let tables = tables.into_iter().flat_map(|tables| tables.keys());
            tables.map(|name| used("dynamodb", operation, table(name, None))).collect()
        }
        "BatchExecuteStatement" => items(body, "Statements").iter().filter_map(statement).collect(),
        "ExecuteTransaction" => {
            items(body, "TransactStatements").iter().filter_map(statement).collect()
        }
        "ExecuteStatement" => statement(body).into_iter().collect(),
        _ => {
            let resource = text(body, "TableName")
                .map_or_else(|| "*".to_owned(), |name| table(name, text(body, "IndexName")));
            vec![used("dynamodb", operation, resource)]
        }
    }
}

fn items<'a>(body: &'a Value, name: &str) -> &'a [Value] {
    body.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// IAM knows no transactions: each item is authorised as the single call it stands for.
fn transaction_item(item: &Value) -> Option<Use> {
    let (kind, detail) = item.as_object()?.iter().next()?;
    let operation = match kind.as_str() {
        "Put" => "PutItem",
        "Update" => "UpdateItem",
        "Delete" => "DeleteItem",
        "Get" => "GetItem",
        other => {
            debug_assert_eq!(other, "ConditionCheck");
            "ConditionCheckItem"
        }
    };
    Some(used("dynamodb", operation, table(text(detail, "TableName")?, None)))
}

fn statement(item: &Value) -> Option<Use> {
    let parsed = partiql::parse(text(item, "Statement")?)?;
    let resource = table(&parsed.table, parsed.index.as_deref());
    Some(Use { action: parsed.action.to_owned(), resource })
}

fn queue(body: &Value) -> String {
    let name = text(body, "QueueUrl").and_then(|url| url.rsplit('/').next());
    name.or_else(|| text(body, "QueueName"))
        .map_or_else(|| "*".to_owned(), |name| format!("queue/{name}"))
}

/// A secret's name; an ARN ends in a hyphen and six characters that are not part of the name.
fn secret(body: &Value) -> String {
    let Some(id) = text(body, "SecretId").or_else(|| text(body, "Name")) else {
        return "*".to_owned();
    };
    let name = match id.split_once(":secret:") {
        Some((_, name)) => name.rsplit_once('-').map_or(name, |(name, _)| name),
        None => id,
    };
    format!("secret/{name}")
}

fn buses(operation: &str, body: &Value) -> Vec<Use> {
    let names = items(body, "Entries").iter().map(|entry| {
        let name = text(entry, "EventBusName").unwrap_or("default");
        name.rsplit_once(":event-bus/").map_or(name, |(_, name)| name).to_owned()
    });
    let mut names: Vec<String> = names.collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(|name| used("events", operation, format!("event-bus/{name}"))).collect()
}

#[cfg(test)]
mod tests {
    use hyper::Request;
    use serde_json::json;

    use super::*;

    fn call(target: &str, body: &Value) -> Call {
        let request = Request::post("/").header("x-amz-target", target).body(()).unwrap();
        aws(&request.into_parts().0, body.to_string().as_bytes())
    }

    fn uses(call: &Call) -> Vec<(&str, &str)> {
        call.uses.iter().map(|used| (used.action.as_str(), used.resource.as_str())).collect()
    }

    #[test]
    fn a_query_on_an_index_needs_the_index() {
        let call = call("DynamoDB_20120810.Query", &json!({"TableName": "W", "IndexName": "Due"}));
        assert_eq!(uses(&call), [("dynamodb:Query", "table/W/index/Due")]);
    }

    #[test]
    fn a_transaction_needs_the_permission_of_each_item() {
        let body = json!({"TransactItems": [
            {"Put": {"TableName": "A"}}, {"ConditionCheck": {"TableName": "B"}},
        ]});
        let call = call("DynamoDB_20120810.TransactWriteItems", &body);
        assert_eq!(call.action, "dynamodb:TransactWriteItems");
        assert_eq!(
            uses(&call),
            [("dynamodb:PutItem", "table/A"), ("dynamodb:ConditionCheckItem", "table/B")]
        );
    }

    #[test]
    fn a_batch_of_statements_needs_verb_and_table_of_each() {
        let body = json!({"Statements": [
            {"Statement": "UPDATE \"A\" SET x=? WHERE pk=?"},
            {"Statement": "INSERT INTO \"B\" VALUE {'pk': ?}"},
        ]});
        let call = call("DynamoDB_20120810.BatchExecuteStatement", &body);
        assert_eq!(
            uses(&call),
            [("dynamodb:PartiQLUpdate", "table/A"), ("dynamodb:PartiQLInsert", "table/B")]
        );
    }

    #[test]
    fn secrets_queues_and_buses_are_named_without_account() {
        let arn = "arn:aws:secretsmanager:us-east-1:000000000000:secret:app/c-1-abcdef";
        let secret = call("secretsmanager.GetSecretValue", &json!({"SecretId": arn}));
        assert_eq!(uses(&secret), [("secretsmanager:GetSecretValue", "secret/app/c-1")]);
        let body = json!({"QueueUrl": "http://localhost:4566/000000000000/Bell"});
        let send = call("AmazonSQS.SendMessageBatch", &body);
        assert_eq!(send.action, "sqs:SendMessageBatch");
        assert_eq!(uses(&send), [("sqs:SendMessage", "queue/Bell")]);
        let body = json!({"Entries": [{"EventBusName": "b"}, {"EventBusName": "b"}, {}]});
        let put = call("AWSEvents.PutEvents", &body);
        assert_eq!(
            uses(&put),
            [("events:PutEvents", "event-bus/b"), ("events:PutEvents", "event-bus/default")]
        );
    }

    #[test]
    fn other_protocols_are_named_by_the_signature_and_path() {
        let signed_for = |service: &str, path: &str| {
            let scope = format!(
                "AWS4-HMAC-SHA256 Credential=K/20261120/us-east-1/{service}/aws4_request, S"
            );
            let request = Request::put(path).header("authorization", scope).body(()).unwrap();
            aws(&request.into_parts().0, b"")
        };
        assert_eq!(signed_for("lambda", "/a/b").action, "lambda:PUT /a/b");
        let put = signed_for("s3", "/bucket/reports/a.json");
        assert_eq!(uses(&put), [("s3:PutObject", "object/bucket/reports/a.json")]);
        assert_eq!(signed_for("s3", "/bucket").action, "s3:PUT /bucket");
    }

    #[test]
    fn a_mail_needs_its_senders_identity() {
        let scope =
            "AWS4-HMAC-SHA256 Credential=K/20261120/us-east-1/ses/aws4_request, Signature=x";
        let request = Request::post("/").header("authorization", scope).body(()).unwrap();
        let body = b"Action=SendEmail&Version=2010-12-01&Source=a%40b.example";
        let call = aws(&request.into_parts().0, body);
        assert_eq!(call.action, "ses:SendEmail");
        assert_eq!(uses(&call), [("ses:SendEmail", "identity/a@b.example")]);
    }

    #[test]
    fn a_quickbooks_call_is_named_by_its_entity() {
        let named = |method: &str, path: &str| {
            let request = Request::builder().method(method).uri(path).body(()).unwrap();
            quickbooks(&request.into_parts().0).action
        };
        assert_eq!(named("POST", "/v3/company/934/timeactivity?requestid=1"), "POST timeactivity");
        assert_eq!(named("GET", "/v3/company/934/employee/55"), "GET employee");
        assert_eq!(named("POST", "/oauth2/v1/tokens/bearer"), "POST bearer");
    }
}
