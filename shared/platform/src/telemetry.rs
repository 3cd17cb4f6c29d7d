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
    /// A duration.
    Seconds,
    /// A number that counts nothing, such as an age in days.
    None,
}

/// What a metric is told apart by.
#[derive(Debug, Clone, Copy)]
pub enum Of<'a> {
    /// The function that wrote it.
    Function,
    /// The function, and one more name with its value.
    FunctionAnd(&'static str, &'a str),
    /// Nothing: it adds up over all functions.
    Everything,
}

/// One metric value as an embedded-metric line.
pub fn metric_line(
    name: &str,
    value: f64,
    unit: Unit,
    of: Of<'_>,
    function: &str,
    at_ms: i64,
) -> String {
    let dimensions = match of {
        Of::Function => vec!["function"],
        Of::FunctionAnd(other, _) => vec!["function", other],
        Of::Everything => vec![],
    };
    let mut line = json!({
        "_aws": {
            "Timestamp": at_ms,
            "CloudWatchMetrics": [{
                "Namespace": NAMESPACE,
                "Dimensions": [dimensions],
                "Metrics": [{ "Name": name, "Unit": format!("{unit:?}") }],
            }],
        },
        "function": function,
        name: value,
    });
    if let Of::FunctionAnd(other, is) = of {
        line[other] = is.into();
    }
    line.to_string()
}

/// Writes a metric of this function.
pub fn metric(name: &str, value: f64, unit: Unit, at: jiff::Timestamp) {
    metric_of(name, value, unit, Of::Function, at);
}

/// Writes a metric.
pub fn metric_of(name: &str, value: f64, unit: Unit, of: Of<'_>, at: jiff::Timestamp) {
    let function = crate::config::optional("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default();
    #[expect(clippy::print_stdout, reason = "this is how CloudWatch takes embedded metrics")]
    {
        println!("{}", metric_line(name, value, unit, of, &function, at.as_millisecond()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_one_line_in_the_embedded_format() {
        let line = metric_line("Rings", 3.0, Unit::Count, Of::Function, "sync-orchestrator", 17);
        assert!(!line.contains('\n'));
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        let metrics = &value["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(metrics["Metrics"][0], serde_json::json!({"Name": "Rings", "Unit": "Count"}));
        assert_eq!(value["Rings"], 3.0);
        assert_eq!(value["function"], "sync-orchestrator");
    }

    #[test]
    fn a_metric_can_be_told_apart_further_or_add_up_over_all_functions() {
        let line = |of| -> serde_json::Value {
            let line = metric_line("TokenSweepDue", 3.0, Unit::Count, of, "token-refresh", 17);
            serde_json::from_str(&line).unwrap()
        };
        let dimensions = "/_aws/CloudWatchMetrics/0/Dimensions";
        let swept = line(Of::FunctionAnd("sweep", "stale"));
        assert_eq!(swept.pointer(dimensions), Some(&json!([["function", "sweep"]])));
        assert_eq!(swept["sweep"], "stale");
        assert_eq!(line(Of::Everything).pointer(dimensions), Some(&json!([[]])));
    }
}
