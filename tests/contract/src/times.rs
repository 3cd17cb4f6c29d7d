//! Time-outs and paces of the template that rules in the code build on.

use crate::files;
use serde_json::Value;

const FUNCTION: &str = "AWS::Serverless::Function";

/// The refresh protocol rests on it: no process outlives its lease.
#[test]
fn no_function_runs_longer_than_a_refresh_lease_lasts() {
    let template = files::yaml("template.yaml");
    let globally = template.pointer("/Globals/Function/Timeout").unwrap();
    for (name, resource) in template["Resources"].as_object().unwrap() {
        if resource["Type"] == FUNCTION {
            let own = &resource["Properties"]["Timeout"];
            let timeout = if own.is_null() { globally } else { own }.as_i64().unwrap();
            assert!(timeout <= 180, "{name} may run for {timeout} s");
            assert!(timeout < platform::refresh::LEASE.as_secs(), "{name}");
        }
    }
}

#[test]
fn sweeps_write_at_most_25_secrets_a_second_together_and_know_when_to_stop() {
    let template = files::yaml("template.yaml");
    let function = &template["Resources"]["TokenRefresh"]["Properties"];
    assert_eq!(function["Timeout"], token_refresh::TIME_OUT.as_secs());
    let queue = &function["Events"]["Refreshes"]["Properties"];
    assert_eq!(queue["BatchSize"], 1, "a message is one chunk, and has the whole time");
    let at_once = queue["ScalingConfig"]["MaximumConcurrency"].as_f64().unwrap();
    assert!(at_once / token_refresh::SPACING.as_secs_f64() <= 25.0);
    // AWS asks for six times the time-out, so that a message is not delivered while it is handled.
    let visibility = template.pointer("/Resources/Refreshes/Properties/VisibilityTimeout");
    assert!(visibility.and_then(Value::as_u64).unwrap() >= 6 * token_refresh::TIME_OUT.as_secs());
}
