//! README and runbook: what they must name is there, and what they link to exists.

use regex::Regex;
use serde_json::Value;

use crate::files;
use crate::template;

const PAGES: [&str; 3] = ["README.md", "docs/runbook.md", "docs/decisions.md"];

#[test]
fn the_readme_explains_every_parameter_with_its_default() {
    let template = files::yaml("template.yaml");
    let readme = files::text("README.md");
    for (name, parameter) in template["Parameters"].as_object().unwrap() {
        let row = readme.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
        let row = row.unwrap_or_else(|| panic!("the README does not explain {name}"));
        let default = match &parameter["Default"] {
            Value::String(text) if text.is_empty() => "empty".to_owned(),
            Value::String(text) => format!("`{text}`"),
            other => format!("`{other}`"),
        };
        assert!(row.contains(&format!("| {default} |")), "{name}: {default} is not in: {row}");
    }
}

#[test]
fn the_readme_lists_every_route_function_and_setting() {
    let readme = files::text("README.md");
    for route in template::routes() {
        let named = format!("`{} {}`", route.method, route.path);
        assert!(readme.contains(&named), "the README does not list {named}");
    }
    for function in files::functions() {
        assert!(readme.contains(&format!("| {function} |")), "the README does not list {function}");
    }
    let settings = serde_json::to_value(domain::settings::Settings::default()).unwrap();
    for name in settings.as_object().unwrap().keys() {
        assert!(readme.contains(&format!("| `{name}` |")), "the README does not explain {name}");
    }
}

#[test]
fn the_runbook_has_an_entry_for_every_alarm() {
    let template = files::yaml("template.yaml");
    let runbook = files::text("docs/runbook.md");
    let title = Regex::new(r#"See the runbook, "([^"]+)""#).unwrap();
    let resources = template["Resources"].as_object().unwrap();
    let alarms = resources.iter().filter(|(_, is)| is["Type"] == "AWS::CloudWatch::Alarm");
    for (name, alarm) in alarms {
        assert!(runbook.contains(&format!("`{name}`")), "the runbook does not name {name}");
        let description = alarm["Properties"]["AlarmDescription"].as_str().unwrap();
        let entry = title.captures(description);
        let entry = entry.unwrap_or_else(|| panic!("{name} does not say where it is explained"));
        let heading = format!("### {}\n", &entry[1]);
        assert!(runbook.contains(&heading), "the runbook has no entry {:?}", &entry[1]);
    }
}

#[test]
fn the_runbook_looks_for_resources_and_log_lines_that_exist() {
    let template = files::yaml("template.yaml");
    let runbook = files::text("docs/runbook.md");
    let resource = Regex::new(r"\$\(id ([A-Za-z]+)\)").unwrap();
    for name in resource.captures_iter(&runbook) {
        let exists = template["Resources"].get(&name[1]).is_some()
            // What SAM makes of a function's schedule is named after both.
            || template::functions().into_keys().any(|function| {
                let event = name[1].strip_prefix(function.as_str()).unwrap_or_default();
                let pointer = format!("/Resources/{function}/Properties/Events/{event}");
                !event.is_empty() && template.pointer(&pointer).is_some()
            });
        assert!(exists, "the template has no {}", &name[1]);
    }
    let mut sources = files::rust_sources("functions");
    sources.extend(files::rust_sources("shared"));
    for line in [
        "a slice failed; the ring comes again",
        "timecards could not be stored; they come again",
        "bad events could not be kept; they come again",
        "a mail could not be sent; it is tried again",
        "a mail was due and MailFrom is not set",
        "a mail was due, and neither the company nor OperatorEmail names anybody",
        "SES takes no mail to an address",
        "no longer so; nobody is told",
        "the company has had its mails of this day",
        "slice ended",
        "the sweep could not ring",
        "read the due index",
        "could not clean up a connection",
        "an erasure failed; it is tried again",
        "a company.deleted cannot be read",
        "could not refresh the tokens",
        "Intuit refuses the refresh token",
        "a sweep could not take care of a company",
        "a refresh request failed; it comes again",
        "read the connections that are due",
        "ask for refreshes",
        "the tokens are not readable yet",
    ] {
        assert!(runbook.contains(line), "the runbook does not look for: {line}");
        let logged = sources.iter().any(|(_, source)| source.contains(line));
        assert!(logged, "nothing logs: {line}");
    }
}

#[test]
fn links_lead_to_files_that_exist() {
    let link = Regex::new(r"\]\(([^)#]+)").unwrap();
    for page in PAGES {
        let folder = page.rsplit_once('/').map_or("", |(folder, _)| folder);
        for target in link.captures_iter(&files::text(page)) {
            let target = &target[1];
            if !target.starts_with("http") {
                assert!(files::root().join(folder).join(target).exists(), "{page}: {target}");
            }
        }
    }
}
