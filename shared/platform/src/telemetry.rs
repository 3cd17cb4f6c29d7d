//! Logs and metrics. Logs are JSON lines on standard output; a metric is such a line in CloudWatch's
//! embedded metric format, so that it costs no call.

use serde_json::json;
use tracing_subscriber::EnvFilter;

/// The metrics' namespace.
pub const NAMESPACE: &str = "QuickBooksConnector";

/// Starts logging: once per process. `LOG_LEVEL` sets the level, `info` by default.
pub fn start() {
    let level = crate::config::optional("LOG_LEVEL").unwrap_or_else(|| "info".to_owned());
    let filter = EnvFilter::try_new(format!(
        "{level},aws_config=warn,aws_runtime=warn,aws_smithy_runtime=warn,hyper=warn,rustls=warn"
    ))
    .unwrap_or_else(|_| EnvFilter::new("info"));
    let _ = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_target(false)
        .with_env_filter(filter)
        .try_init();
}

/// CloudWatch's unit names that we use.
#[derive(Debug, Clone, Copy)]
pub enum Unit {
    /// A number of things.
    Count,
    /// A duration.
    Milliseconds,
    /// A number that counts nothing, such as an age in days.
    None,
}

/// One metric value as an embedded-metric line, with `function` as its dimension.
pub fn metric_line(name: &str, value: f64, unit: Unit, function: &str, at_ms: i64) -> String {
    json!({
        "_aws": {
            "Timestamp": at_ms,
            "CloudWatchMetrics": [{
                "Namespace": NAMESPACE,
                "Dimensions": [["function"]],
                "Metrics": [{ "Name": name, "Unit": format!("{unit:?}") }],
            }],
        },
        "function": function,
        name: value,
    })
    .to_string()
}

/// Writes a metric.
pub fn metric(name: &str, value: f64, unit: Unit, at: jiff::Timestamp) {
    let function = crate::config::optional("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default();
    #[expect(clippy::print_stdout, reason = "this is how CloudWatch takes embedded metrics")]
    {
        println!("{}", metric_line(name, value, unit, &function, at.as_millisecond()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_one_line_in_the_embedded_format() {
        let line = metric_line("Rings", 3.0, Unit::Count, "sync-orchestrator", 1_700_000_000_000);
        assert!(!line.contains('\n'));
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        let metrics = &value["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(metrics["Metrics"][0], serde_json::json!({"Name": "Rings", "Unit": "Count"}));
        assert_eq!(value["Rings"], 3.0);
        assert_eq!(value["function"], "sync-orchestrator");
    }
}
