//! What the admin API can do, in one table: for `GET /help` and the root's text.

use std::fmt::Write as _;

/// Method, path, what it does.
pub(super) const ROUTES: &[(&str, &str, &str)] = &[
    ("GET", "/", "the page for people (a browser), or this text"),
    ("GET", "/help", "this text"),
    ("GET", "/page/{file}", "the page's own files"),
    ("POST", "/reset", "back to the seeds; {\"seed\":n} for other chances"),
    ("GET", "/clock", "the sandbox's time"),
    ("POST", "/clock/advance", "move it: {\"seconds\":86400}"),
    ("POST", "/clock/set", "set it: {\"now\":\"2026-11-01T08:00:00Z\"}"),
    ("GET", "/scenarios", "common troubles, and which are on"),
    ("POST", "/scenarios/{name}", "begin one: {\"realm\":\"...\",\"times\":n}, both optional"),
    ("DELETE", "/scenarios/{name}", "end it"),
    ("POST", "/normal", "end all faults, open all books"),
    ("GET", "/faults", "the faults that are armed"),
    ("POST", "/faults", "arm one"),
    ("DELETE", "/faults", "disarm all"),
    ("DELETE", "/faults/{id}", "disarm one"),
    ("GET", "/requests", "the journal: realm, since, status, errors, entity, limit"),
    ("DELETE", "/requests", "forget it"),
    ("GET", "/counters", "what was called how often"),
    ("GET", "/counters/{realm}", "the same for one company"),
    ("DELETE", "/counters", "count from zero"),
    ("GET", "/companies", "the companies"),
    ("POST", "/companies", "add one"),
    ("GET", "/companies/{realm}", "one company"),
    ("POST", "/companies/{realm}", "change its settings"),
    (
        "POST",
        "/companies/{realm}/disconnect",
        "disconnect it from QuickBooks' side; says where that leads the browser",
    ),
    ("GET", "/companies/{realm}/{entity}", "its entities of one kind: search, limit"),
    ("POST", "/companies/{realm}/{entity}", "store one or many, unchecked"),
    ("GET", "/companies/{realm}/{entity}/{id}", "one entity"),
    ("DELETE", "/companies/{realm}/{entity}/{id}", "delete it"),
    ("POST", "/companies/{realm}/{entity}/{id}/merge", "merge it into another of its list"),
    ("GET", "/tokens", "every code, token and client secret that there ever was"),
    ("POST", "/tokens/issue", "tokens without a browser: {\"realms\":[\"...\"],\"ageS\":n}"),
    ("POST", "/tokens/expire", "let a company's access tokens expire: {\"realm\":\"...\"}"),
    ("POST", "/tokens/revoke-refresh", "kill its refresh tokens"),
    ("GET", "/apps", "the apps that are registered"),
    ("POST", "/apps", "add one or change it"),
    ("GET", "/oauth", "switches of the token endpoint"),
    ("POST", "/oauth", "set them"),
    ("GET", "/webhooks", "the subscription, and what waits"),
    ("POST", "/webhooks", "subscribe, or change it: {\"url\":\"...\"}"),
    ("DELETE", "/webhooks", "unsubscribe"),
    ("GET", "/webhooks/deliveries", "the posts: realm, since"),
    ("DELETE", "/webhooks/deliveries", "forget those that are over"),
    ("POST", "/webhooks/flush", "post what waits now"),
    ("POST", "/webhooks/settle", "wait until nothing is due"),
    ("POST", "/webhooks/pause", "hold posts back"),
    ("POST", "/webhooks/resume", "let them go"),
    ("POST", "/webhooks/send", "post anything by hand"),
    ("POST", "/webhooks/redeliver", "post one again: {\"seq\":n}"),
    ("GET", "/limits", "the REST limits"),
    ("POST", "/limits", "change them"),
    ("GET", "/meter", "this month's CorePlus calls and their cap"),
    ("POST", "/meter", "change the cap, or the number so far"),
    ("GET", "/latency", "how long calls take"),
    ("POST", "/latency", "change it"),
    ("GET", "/batch", "switches of batches"),
    ("POST", "/batch", "set them"),
    ("GET", "/replay", "switches of requestid"),
    ("POST", "/replay", "set them"),
    ("GET", "/schema", "what becomes of unknown fields"),
    ("POST", "/schema", "refuse or ignore them"),
    ("GET", "/snapshots", "the snapshots kept"),
    ("POST", "/snapshots/{name}", "keep the whole state under a name"),
    ("POST", "/snapshots/{name}/restore", "go back to it"),
    ("DELETE", "/snapshots/{name}", "forget it"),
    ("POST", "/state/save", "write the state file now"),
];

/// The table as text.
pub(super) fn text() -> String {
    let mut text = String::from("QuickBooks sandbox, admin API. Details are in the README.\n\n");
    for (method, path, what) in ROUTES {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{method:<7}{path:<36}{what}");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use regex::Regex;

    use super::*;

    #[test]
    fn every_route_is_in_the_help() {
        let route = Regex::new(r#"\.route\(\s*"([^"]+)""#).unwrap();
        let mut routed = BTreeSet::new();
        let src = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
        for folder in [format!("{src}/admin"), format!("{src}/page")] {
            for file in std::fs::read_dir(folder).unwrap() {
                let path = file.unwrap().path();
                if path.extension().is_some_and(|kind| kind == "rs") {
                    let text = std::fs::read_to_string(path).unwrap();
                    routed.extend(route.captures_iter(&text).map(|found| found[1].to_owned()));
                }
            }
        }
        let listed: BTreeSet<String> =
            ROUTES.iter().map(|(_, path, _)| (*path).to_owned()).collect();
        assert_eq!(routed, listed);
    }
}
