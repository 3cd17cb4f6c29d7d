//! What the client sends, and what it makes of answers over real HTTP.

use std::time::Duration;

use quickbooks::{CallError, Client, Entity, Session, http_client};
use serde_json::json as value;
use url::Url;
use wiremock::{MockServer, ResponseTemplate};

use crate::support::{
    ACCESS_TOKEN, REALM, answering, assert_no_secret, client_at, json, only_request, session,
};

const CREATED: &str = r#"{"TimeActivity":{"Id":"6","SyncToken":"0","Hours":7},"time":"t"}"#;

async fn failing(answer: ResponseTemplate) -> CallError {
    let server = answering(answer).await;
    let error = client_at(&server.uri())
        .create(&session(), Entity::TimeActivity, "{}", "r1")
        .await
        .unwrap_err();
    assert_no_secret(&format!("{error:?} {error}"));
    error
}

#[tokio::test]
async fn a_create_sends_exactly_the_bytes_given() {
    let server = answering(json(200, CREATED)).await;
    // Order of keys, blanks, escapes and a trailing newline: a replay must be the same bytes.
    let body = "{\"b\" : 1.50,\"a\":\"O'Br\\u0069en \u{1f477} \\\\\" }\n";
    let created = client_at(&server.uri())
        .create(&session(), Entity::TimeActivity, body, "7f3a-1")
        .await
        .unwrap();
    assert_eq!(created["Id"], "6");

    let request = only_request(&server).await;
    assert_eq!(request.method.as_str(), "POST");
    assert_eq!(request.url.path(), format!("/v3/company/{REALM}/timeactivity"));
    assert_eq!(request.url.query(), Some("minorversion=75&requestid=7f3a-1"));
    assert_eq!(request.body, body.as_bytes());
    assert_eq!(request.headers["content-type"], "application/json");
    assert_eq!(request.headers["accept"], "application/json");
    assert_eq!(request.headers["authorization"], format!("Bearer {ACCESS_TOKEN}").as_str());
    let agent = request.headers["user-agent"].to_str().unwrap();
    assert!(agent.starts_with("quickbooks-connector/"));
}

#[tokio::test]
async fn an_update_is_the_same_post() {
    let server = answering(json(200, CREATED)).await;
    let body = r#"{"Id":"6","SyncToken":"0"}"#;
    client_at(&server.uri()).update(&session(), Entity::TimeActivity, body, "r2").await.unwrap();
    let request = only_request(&server).await;
    assert_eq!(request.url.query(), Some("minorversion=75&requestid=r2"));
    assert_eq!(request.body, body.as_bytes());
}

#[tokio::test]
async fn a_delete_sends_id_and_sync_token_and_names_its_operation() {
    let deleted = r#"{"TimeActivity":{"status":"Deleted","domain":"QBO","Id":"5"},"time":"t"}"#;
    let server = answering(json(200, deleted)).await;
    let answer = client_at(&server.uri())
        .delete(&session(), Entity::TimeActivity, "5", "0", "r3")
        .await
        .unwrap();
    assert_eq!(answer["status"], "Deleted");
    let request = only_request(&server).await;
    assert_eq!(request.url.query(), Some("minorversion=75&requestid=r3&operation=delete"));
    assert_eq!(request.body, quickbooks::delete_body("5", "0").as_bytes());
    assert_eq!(request.body, br#"{"Id":"5","SyncToken":"0"}"#);
}

#[tokio::test]
async fn reads_go_to_their_addresses() {
    let info = r#"{"CompanyInfo":{"Id":"1","CompanyName":"Rocky Ridge Builders","Country":"US"}}"#;
    let server = answering(json(200, info)).await;
    let company = client_at(&server.uri()).company_info(&session()).await.unwrap();
    assert_eq!(company.company_name, "Rocky Ridge Builders");
    let request = only_request(&server).await;
    assert_eq!(request.url.path(), format!("/v3/company/{REALM}/companyinfo/{REALM}"));
    assert_eq!(request.url.query(), Some("minorversion=75"));

    let prefs = r#"{"Preferences":{"AccountingInfoPrefs":{"ClassTrackingPerTxn":true}}}"#;
    let server = answering(json(200, prefs)).await;
    let preferences = client_at(&server.uri()).preferences(&session()).await.unwrap();
    assert!(preferences.class_tracking_per_txn());
    assert_eq!(only_request(&server).await.url.path(), format!("/v3/company/{REALM}/preferences"));

    let server = answering(json(200, r#"{"Employee":{"Id":"55","Active":true}}"#)).await;
    let employee = client_at(&server.uri()).read(&session(), Entity::Employee, "55").await.unwrap();
    assert_eq!(employee, value!({"Id": "55", "Active": true}));
    assert_eq!(only_request(&server).await.url.path(), format!("/v3/company/{REALM}/employee/55"));
}

#[tokio::test]
async fn a_short_statement_is_a_get_with_its_plus_encoded() {
    let server = answering(json(200, r#"{"QueryResponse":{"Employee":[{"Id":"1"}]}}"#)).await;
    let statement =
        "SELECT * FROM Employee WHERE MetaData.CreateTime >= '2026-11-01T00:00:00+01:00'";
    let page = client_at(&server.uri()).query(&session(), statement).await.unwrap();
    assert_eq!(page.entities.len(), 1);
    let request = only_request(&server).await;
    assert_eq!(request.method.as_str(), "GET");
    let query = request.url.query().unwrap();
    assert!(query.contains("%2B01%3A00") && !query.contains('+'), "{query}");
    let (_, sent) = request.url.query_pairs().find(|(name, _)| name == "query").unwrap();
    assert_eq!(sent, statement);
}

#[tokio::test]
async fn a_long_statement_is_a_post_of_its_text() {
    let server = answering(json(200, r#"{"QueryResponse":{}}"#)).await;
    let ids: Vec<String> = (0..400).map(|id| format!("'{id}'")).collect();
    let statement = format!("SELECT * FROM Employee WHERE Id IN ({})", ids.join(","));
    let page = client_at(&server.uri()).query(&session(), &statement).await.unwrap();
    assert!(page.entities.is_empty());
    let request = only_request(&server).await;
    assert_eq!(request.method.as_str(), "POST");
    assert_eq!(request.url.query(), Some("minorversion=75"));
    assert_eq!(request.headers["content-type"], "application/text");
    assert_eq!(request.body, statement.as_bytes());
}

#[tokio::test]
async fn the_gateways_401_asks_for_a_refresh_and_its_token_is_not_kept() {
    let body = format!(
        r#"{{"warnings":null,"fault":{{"error":[{{"message":"message=AuthenticationFailed; errorCode=003200; statusCode=401 {ACCESS_TOKEN}","detail":"Token expired: {ACCESS_TOKEN}","code":"3200","element":"{ACCESS_TOKEN}"}}],"type":"AUTHENTICATION"}},"time":1730024394085}}"#
    );
    let error = failing(json(401, &body)).await;
    assert!(matches!(error, CallError::TokenRefused(_)), "{error:?}");
    assert!(!error.may_have_committed());
    assert_eq!((error.code(), error.intuit_tid()), (Some("3200"), Some("tid-1")));
}

#[tokio::test]
async fn the_xml_429_waits_a_minute_or_as_told() {
    let xml = "<?xml version=\"1.0\"?><IntuitResponse><Fault type=\"SERVICE\"><Error code=\"3001\">\
        <Message>message=ThrottleExceeded; errorCode=003001; statusCode=429</Message>\
        <Detail>The request limit was reached</Detail></Error></Fault></IntuitResponse>";
    let throttled = || ResponseTemplate::new(429).set_body_raw(xml, "application/xml");
    let waits = |error: CallError| match error {
        CallError::Throttled { retry_after, fault } => {
            assert_eq!(fault.code(), Some("3001"));
            retry_after.as_secs()
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(waits(failing(throttled()).await), 60);
    assert_eq!(waits(failing(throttled().insert_header("Retry-After", "7")).await), 7);
    assert_eq!(waits(failing(throttled().insert_header("Retry-After", "0")).await), 1);
    assert_eq!(waits(failing(throttled().insert_header("Retry-After", "9999")).await), 600);
    let dated = throttled()
        .insert_header("Date", "Fri, 20 Nov 2026 16:00:00 GMT")
        .insert_header("Retry-After", "Fri, 20 Nov 2026 16:00:42 GMT");
    assert_eq!(waits(failing(dated).await), 42);
}

#[tokio::test]
async fn html_and_garbage_and_nothing_may_have_committed() {
    let html = ResponseTemplate::new(503)
        .set_body_raw("<html><h1>503 Service Unavailable</h1></html>", "text/html");
    let answers = [
        (html, 503),
        (ResponseTemplate::new(504).set_body_raw("stream timeout", "text/plain"), 504),
        (ResponseTemplate::new(500), 500),
        (json(200, ""), 200),
        (json(200, "garbage"), 200),
        (json(200, r#"{"TimeActivity":"#), 200),
        (json(200, "{}"), 200),
        (json(200, r#"{"TimeActivity":{}}"#), 200),
        (json(200, r#"{"Employee":{"Id":"1"}}"#), 200),
        (ResponseTemplate::new(200).set_body_raw(vec![0xff, 0xfe, b'{'], "application/json"), 200),
    ];
    for (answer, expected) in answers {
        let error = failing(answer).await;
        assert!(
            matches!(error, CallError::Unavailable { status, .. } if status == expected),
            "{error:?}"
        );
        assert!(error.may_have_committed());
    }
}

#[tokio::test]
async fn a_fault_under_200_is_a_refusal() {
    let fault = r#"{"Fault":{"Error":[{"Message":"Business Validation Error","Detail":"why","code":"6000"}],"type":"ValidationFault"}}"#;
    let error = failing(json(200, fault)).await;
    assert!(matches!(&error, CallError::Refused(fault) if fault.http_status == 200), "{error:?}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = answering(json(200, CREATED)).await;
    let error =
        failing(ResponseTemplate::new(307).insert_header("Location", elsewhere.uri())).await;
    assert!(matches!(error, CallError::Unavailable { status: 307, .. }), "{error:?}");
    assert!(elsewhere.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_slow_answer_is_no_answer() {
    let error = failing(json(200, CREATED).set_delay(Duration::from_secs(5))).await;
    assert!(matches!(&error, CallError::Unanswered { reason } if reason.contains("time-out")));
    assert!(error.may_have_committed());
}

#[tokio::test]
async fn what_must_not_be_sent_is_not_sent() {
    let server = answering(json(200, CREATED)).await;
    let client = client_at(&server.uri());
    let with =
        |realm: &str, token: &str| Session { realm: realm.to_owned(), access_token: token.into() };
    let long = "r".repeat(51);
    let mut errors = Vec::new();
    for request_id in ["", long.as_str(), "a b", "a\n"] {
        errors.push(client.create(&session(), Entity::Item, "{}", request_id).await.unwrap_err());
    }
    for realm in ["", "12/../34", "..", "abc", "1?x=1"] {
        errors.push(client.query(&with(realm, "t"), "SELECT").await.unwrap_err());
    }
    for id in ["", "..", "1/2", "1?x"] {
        errors.push(client.read(&session(), Entity::Item, id).await.unwrap_err());
    }
    let broken = with(REALM, "access-of-company-a\r\nX-Evil: 1");
    errors.push(client.query(&broken, "SELECT").await.unwrap_err());
    let plain = Client::new(http_client(), Url::parse("http://192.0.2.1").unwrap());
    errors.push(plain.query(&session(), "SELECT").await.unwrap_err());
    for error in errors {
        assert!(matches!(error, CallError::NotSent { .. }), "{error:?}");
        assert!(!error.may_have_committed());
        assert_no_secret(&format!("{error:?} {error}"));
    }
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_request_id_of_fifty_characters_arrives_whole() {
    let server: MockServer = answering(json(200, CREATED)).await;
    let id = format!("{}+&=", "r".repeat(47));
    client_at(&server.uri()).create(&session(), Entity::TimeActivity, "{}", &id).await.unwrap();
    let request = only_request(&server).await;
    let (_, sent) = request.url.query_pairs().find(|(name, _)| name == "requestid").unwrap();
    assert_eq!(sent, id);
}

#[test]
fn a_session_does_not_show_its_token() {
    assert_no_secret(&format!("{:?}", session()));
    assert!(format!("{:?}", session()).contains(REALM));
}
