//! The alarms over connections go off, and not before (C12). The emulated CloudWatch takes no metric out of a
//! log line, so the test does: what a function has logged in the embedded format is put as metrics, and the
//! alarm that was deployed judges them. It takes no notice of dimensions, so those are compared here.

#![expect(
    clippy::expect_used,
    reason = "a stack that answers otherwise fails the test, and says why"
)]

use jiff::Timestamp;
use serde_json::{Value, json};
use stack_tests::stack::Stack;
use stack_tests::stack::connections::DAY;

use super::{LATER, SOON};
use crate::outside::log_text;

/// A deployed alarm, by its name in the template.
async fn alarm(stack: &Stack, name: &str) -> Value {
    let (status, answer) = stack.aws("monitoring", "DescribeAlarms", &json!({})).await;
    assert_eq!(status, 200, "{answer}");
    let all = answer["MetricAlarms"].as_array().expect("alarms");
    let prefix = format!("{}-{name}-", stack.is.stack_name);
    let is = |alarm: &&Value| {
        let deployed = alarm["AlarmName"].as_str().expect("a name");
        deployed == name || deployed.starts_with(&prefix)
    };
    let names: Vec<&Value> = all.iter().map(|alarm| &alarm["AlarmName"]).collect();
    all.iter().find(is).unwrap_or_else(|| panic!("no alarm {name} among {names:?}")).clone()
}

async fn state(stack: &Stack, name: &str) -> String {
    alarm(stack, name).await["StateValue"].as_str().expect("a state").to_owned()
}

fn sorted(dimensions: &[Value]) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let mut pairs: Vec<_> =
        dimensions.iter().map(|pair| (text(&pair["Name"]), text(&pair["Value"]))).collect();
    pairs.sort();
    pairs
}

/// What CloudWatch would make of the log lines since a moment that hold an alarm's metric with exactly its
/// dimensions: puts the values, so that all alarms are judged anew, and answers them.
async fn measure(stack: &Stack, name: &str, since: Timestamp) -> Vec<f64> {
    let alarm = alarm(stack, name).await;
    let metric = alarm["MetricName"].as_str().expect("a metric");
    let watched = sorted(alarm["Dimensions"].as_array().map_or(&[], Vec::as_slice));
    let mut values = Vec::new();
    for line in log_text(stack, since).await.lines() {
        let Ok(line) = serde_json::from_str::<Value>(line) else { continue };
        let embedded = &line["_aws"]["CloudWatchMetrics"][0];
        if embedded["Metrics"][0]["Name"] != metric {
            continue;
        }
        assert_eq!(embedded["Namespace"], alarm["Namespace"]);
        let named = embedded["Dimensions"][0].as_array().expect("one set of dimensions");
        let pairs: Vec<Value> = named
            .iter()
            .map(|name| json!({ "Name": name, "Value": line[name.as_str().expect("a name")] }))
            .collect();
        if sorted(&pairs) == watched {
            values.push(line[metric].as_f64().expect("a number"));
        }
    }
    let dimensions = alarm["Dimensions"].clone();
    let data: Vec<Value> = values
        .iter()
        .map(|value| json!({ "MetricName": metric, "Value": value, "Dimensions": dimensions }))
        .collect();
    if !data.is_empty() {
        put(stack, &alarm["Namespace"], &data).await;
    }
    values
}

async fn put(stack: &Stack, namespace: &Value, data: &[Value]) {
    let body = json!({ "Namespace": namespace, "MetricData": data });
    let (status, answer) = stack.aws("monitoring", "PutMetricData", &body).await;
    assert_eq!(status, 200, "{answer}");
}

#[tokio::test]
async fn a_refresh_token_of_80_days_raises_the_alarm_and_one_of_79_does_not() {
    let (stack, _alone) = Stack::alone().await;
    let all = stack.plant(1, 79 * DAY).await;
    stack.other_connections_rest(&[&all[0]]).await;
    let since = Timestamp::now();
    stack.sweep_connections("access", SOON).await;
    let days = measure(&stack, "RefreshTokensGrowOld", since).await;
    assert!(days.iter().any(|days| (79.0..79.5).contains(days)), "{days:?}");
    assert_eq!(state(&stack, "RefreshTokensGrowOld").await, "OK");

    let since = Timestamp::now();
    stack.sandbox().advance(DAY).await;
    stack.sweep_connections("access", SOON).await;
    let days = measure(&stack, "RefreshTokensGrowOld", since).await;
    assert!(days.iter().any(|days| (80.0..80.5).contains(days)), "{days:?}");
    assert_eq!(state(&stack, "RefreshTokensGrowOld").await, "ALARM");
    stack.uproot(&all).await;
}

/// The alarms on those ages are silent without them.
#[tokio::test]
async fn ages_that_could_not_be_measured_for_half_an_hour_raise_an_alarm() {
    let (stack, _alone) = Stack::alone().await;
    stack.other_connections_rest(&[]).await;
    let denied = json!({
        "function": "token-refresh", "action": "dynamodb:Query", "calls": 1, "status": 400,
    });
    let fail = async |times| {
        let since = Timestamp::now();
        for _ in 0..times {
            stack.control().refuse(&denied).await;
            stack.sweep_connections("access", SOON).await;
            stack.control().clear_rules().await;
        }
        let overdue = measure(&stack, "WarningsAreLate", since).await;
        assert_eq!(overdue.len(), times, "the other age is measured all the same");
        measure(&stack, "TokenAgesUnknown", since).await
    };
    assert_eq!(fail(5).await, [1.0; 5]);
    assert_eq!(state(&stack, "TokenAgesUnknown").await, "OK");
    assert_eq!(fail(1).await, [1.0]);
    assert_eq!(state(&stack, "TokenAgesUnknown").await, "ALARM");
}

#[tokio::test]
async fn ten_failed_refreshes_raise_the_alarm_and_nine_do_not() {
    let (stack, _alone) = Stack::alone().await;
    let all = stack.plant(10, 65 * DAY).await;
    let (first, rest) = all.split_first().expect("ten");
    stack.other_connections_rest(&rest.iter().collect::<Vec<_>>()).await;
    for company in &all {
        stack.sandbox().post("/tokens/revoke-refresh", &json!({ "realm": company.realm })).await;
    }
    let since = Timestamp::now();
    stack.sweep_connections("stale", LATER).await;
    assert_eq!(measure(&stack, "RefreshesFail", since).await, [1.0; 9]);
    assert_eq!(state(&stack, "RefreshesFail").await, "OK");

    let since = Timestamp::now();
    let body = json!({ "companyId": first.id });
    stack.post(&first.admin, "/refresh", &body).await;
    assert_eq!(measure(&stack, "RefreshesFail", since).await, [1.0]);
    assert_eq!(state(&stack, "RefreshesFail").await, "ALARM");
    stack.uproot(&all).await;
}

/// Lambda counts a function's errors itself; here the test says what it would.
#[tokio::test]
async fn a_sweep_that_ends_with_an_error_raises_the_alarm() {
    let (stack, _shared) = Stack::shared().await;
    let function = json!([{ "Name": "FunctionName", "Value": stack.function("token-refresh") }]);
    let watch = alarm(&stack, "TokenSweepFails").await;
    assert_eq!(watch["Dimensions"], function, "{watch}");
    let error = json!({ "MetricName": "Errors", "Value": 1, "Dimensions": function });
    put(&stack, &watch["Namespace"], &[error]).await;
    assert_eq!(state(&stack, "TokenSweepFails").await, "ALARM");
}
