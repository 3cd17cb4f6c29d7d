//! Alarms watch what is measured: an alarm over a metric that nobody writes, or with other dimensions than
//! it is written with, is silent for ever.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{files, rust, template};

/// Dimensions' names by metric, as the code writes them.
fn written() -> BTreeMap<String, BTreeSet<Vec<String>>> {
    let mut sources = files::rust_sources("functions");
    sources.extend(files::rust_sources("shared"));
    let mut metrics: BTreeMap<String, BTreeSet<Vec<String>>> = BTreeMap::new();
    for (path, source) in &sources {
        if path.ends_with("telemetry.rs") {
            continue;
        }
        for call in rust::calls(source, "metric(") {
            let name = rust::literal(&call[0]).unwrap_or_else(|| panic!("{path}: {call:?}"));
            metrics.entry(name.to_owned()).or_default().insert(vec!["function".to_owned()]);
        }
        for call in rust::calls(source, "metric_of(") {
            let name = rust::literal(&call[0]).unwrap_or_else(|| panic!("{path}: {call:?}"));
            let of = if call[3] == "of" { made_of(source) } else { call[3].clone() };
            metrics.entry(name.to_owned()).or_default().insert(dimensions(&of));
        }
    }
    metrics
}

/// What the variable `of` of a source file is.
fn made_of(source: &str) -> String {
    let (_, rest) = source.split_once("let of = ").expect("a variable of that name");
    rest.split_once(';').expect("a statement").0.to_owned()
}

fn dimensions(of: &str) -> Vec<String> {
    let of = of.rsplit_once("Of::").expect("what it is told apart by").1;
    match of.split_once('(') {
        None if of == "Everything" => vec![],
        None => vec!["function".to_owned()],
        Some((_, rest)) => {
            let other = rest.split('"').nth(1).expect("a name");
            vec!["function".to_owned(), other.to_owned()]
        }
    }
}

/// The alarms of the template by name.
fn alarms() -> Vec<(String, Value)> {
    let template = files::yaml("template.yaml");
    let resources = template["Resources"].as_object().unwrap();
    let alarms = resources.iter().filter(|(_, is)| is["Type"] == "AWS::CloudWatch::Alarm");
    alarms.map(|(name, alarm)| (name.clone(), alarm["Properties"].clone())).collect()
}

#[test]
fn every_alarm_of_ours_watches_a_metric_that_is_written_with_its_dimensions() {
    let (written, functions) = (written(), template::functions());
    for (name, alarm) in alarms() {
        if alarm["Namespace"] != platform::telemetry::NAMESPACE {
            continue;
        }
        let metric = alarm["MetricName"].as_str().unwrap();
        let ways = written.get(metric).unwrap_or_else(|| panic!("{name}: nobody writes {metric}"));
        let watched = alarm["Dimensions"].as_array().map_or(&[][..], Vec::as_slice);
        let names: Vec<String> =
            watched.iter().map(|one| one["Name"].as_str().unwrap().to_owned()).collect();
        assert!(ways.contains(&names), "{name}: {metric} is written with {ways:?}, not {names:?}");
        for one in watched.iter().filter(|one| one["Name"] == "function") {
            let function = one["Value"].as_str().unwrap();
            assert!(functions.contains_key(function), "{name}: no function is named {function}");
        }
    }
}

#[test]
fn an_alarm_for_what_has_stopped_takes_silence_for_trouble() {
    let mut stopped = 0;
    for (name, alarm) in alarms() {
        let counts = alarm["Statistic"] == "SampleCount";
        let below = alarm["ComparisonOperator"] == "LessThanThreshold";
        assert_eq!(counts, below, "{name}");
        if counts {
            assert_eq!(alarm["TreatMissingData"], "breaching", "{name}");
            stopped += 1;
        }
    }
    assert_eq!(stopped, 2, "one for the one-minute sweep, one for the five-minute sweep");
}
