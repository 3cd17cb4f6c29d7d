//! Which calls are crashed, refused, cut or held back.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use regex::Regex;
use serde::{Deserialize, Serialize};

use super::Target;
use super::action::Call;

/// On which side of the call something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum When {
    /// Before the call is passed on: the service never sees it.
    Before,
    /// After the service answered: it happened, but the caller never hears of it.
    After,
}

/// What is done to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Effect {
    /// The calling process is killed.
    Crash {
        /// Before or after the call.
        when: When,
    },
    /// The connection is closed without an answer.
    Cut {
        /// Before or after the call.
        when: When,
    },
    /// The call is passed on later.
    Delay {
        /// By so many milliseconds.
        ms: u64,
    },
    /// The call is answered here.
    Refuse {
        /// HTTP status of the answer.
        status: u16,
    },
}

/// Which calls a rule is about; what is left out matches every call.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Matcher {
    /// A function, by its name in the template or its directory: `sync-worker` and `SyncWorker`
    /// both match `stack-SyncWorkerFunction-1A2B`.
    pub function: Option<String>,
    /// The service called.
    pub target: Option<Target>,
    /// The operation, such as `dynamodb:UpdateItem` or `POST timeactivity`, or one of the
    /// permissions it needs.
    pub action: Option<String>,
    /// Part of the name of a table, queue, secret or bus that the call names.
    pub resource: Option<String>,
    /// A regular expression on path and query.
    pub path: Option<String>,
}

/// How often and how long a rule applies.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Span {
    /// The first matching call that is touched, counted from 1; 1 if left out.
    pub nth: Option<u64>,
    /// How many calls are touched; without end if left out.
    pub calls: Option<u64>,
    /// For how many seconds from now; without end if left out.
    pub seconds: Option<u64>,
}

/// A rule as the control interface shows it.
#[derive(Clone, Debug, Serialize)]
pub struct Rule {
    /// Number of the rule.
    pub id: u64,
    /// Which calls.
    #[serde(flatten)]
    pub matcher: Matcher,
    /// How many of them.
    #[serde(flatten)]
    pub span: Span,
    /// What is done.
    pub effect: Effect,
    /// Matching calls seen so far.
    pub seen: u64,
    /// Calls touched so far.
    pub applied: u64,
    #[serde(skip)]
    path: Option<Regex>,
    #[serde(skip)]
    until: Option<Instant>,
}

/// The rules in force.
#[derive(Debug, Default)]
pub struct Rules(Mutex<Vec<Rule>>);

impl Rules {
    /// Adds a rule and returns its number.
    ///
    /// # Errors
    ///
    /// A `path` that is no regular expression.
    pub fn add(&self, matcher: Matcher, span: Span, effect: Effect) -> Result<u64, regex::Error> {
        let path = matcher.path.as_deref().map(Regex::new).transpose()?;
        let until = span.seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
        let mut rules = super::log::lock(&self.0);
        let id = rules.last().map_or(1, |rule| rule.id + 1);
        rules.push(Rule { id, matcher, span, effect, seen: 0, applied: 0, path, until });
        Ok(id)
    }

    /// All rules, spent ones too.
    pub fn list(&self) -> Vec<Rule> {
        super::log::lock(&self.0).clone()
    }

    /// Removes every rule.
    pub fn clear(&self) {
        super::log::lock(&self.0).clear();
    }

    /// What is done to this call. Every matching rule counts it; the first that applies decides.
    pub fn decide(
        &self,
        target: Target,
        function: Option<&str>,
        call: &Call,
        path: &str,
    ) -> Option<Effect> {
        let mut decided = None;
        for rule in super::log::lock(&self.0).iter_mut() {
            if !rule.matches(target, function, call, path) {
                continue;
            }
            rule.seen += 1;
            let applies = rule.seen >= rule.span.nth.unwrap_or(1)
                && rule.span.calls.is_none_or(|calls| rule.applied < calls)
                && rule.until.is_none_or(|until| Instant::now() < until);
            if applies && decided.is_none() {
                rule.applied += 1;
                decided = Some(rule.effect);
            }
        }
        decided
    }
}

impl Rule {
    fn matches(&self, target: Target, function: Option<&str>, call: &Call, path: &str) -> bool {
        let Matcher { function: wanted, target: service, action, resource, .. } = &self.matcher;
        let names_function =
            |wanted: &String| function.is_some_and(|name| letters(name).contains(&letters(wanted)));
        let names_action = |wanted: &String| {
            call.action == *wanted || call.uses.iter().any(|used| used.action == *wanted)
        };
        let names_resource =
            |wanted: &String| call.uses.iter().any(|used| used.resource.contains(wanted.as_str()));
        // Only a function process can be killed, so other callers do not count.
        let can_apply = !matches!(self.effect, Effect::Crash { .. }) || function.is_some();
        can_apply
            && service.is_none_or(|service| service == target)
            && wanted.as_ref().is_none_or(names_function)
            && action.as_ref().is_none_or(names_action)
            && resource.as_ref().is_none_or(names_resource)
            && self.path.as_ref().is_none_or(|regex| regex.is_match(path))
    }
}

/// A name without case and punctuation.
fn letters(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORKER: Option<&str> = Some("qb-SyncWorkerFunction-1A2B3C");

    fn post() -> Call {
        Call { service: "quickbooks".into(), action: "POST timeactivity".into(), uses: vec![] }
    }

    fn worker() -> Matcher {
        Matcher { function: Some("sync-worker".into()), ..Matcher::default() }
    }

    #[test]
    fn the_nth_matching_call_is_the_one_that_crashes() {
        let rules = Rules::default();
        let span = Span { nth: Some(2), calls: Some(1), seconds: None };
        let crash = Effect::Crash { when: When::After };
        rules.add(worker(), span, crash).unwrap();
        let decide = |function| rules.decide(Target::QuickBooks, function, &post(), "/");
        assert_eq!(decide(Some("qb-MappingFunction-1")), None);
        assert_eq!(decide(None), None);
        assert_eq!(decide(WORKER), None);
        assert_eq!(decide(WORKER), Some(crash));
        assert_eq!(decide(WORKER), None);
    }

    #[test]
    fn a_refusal_ends_with_its_calls_or_its_seconds() {
        let rules = Rules::default();
        let refuse = Effect::Refuse { status: 503 };
        let calls = Span { calls: Some(2), ..Span::default() };
        rules.add(Matcher::default(), calls, refuse).unwrap();
        let over = Span { seconds: Some(0), ..Span::default() };
        rules.add(Matcher::default(), over, refuse).unwrap();
        let decide = || rules.decide(Target::Aws, None, &post(), "/");
        assert_eq!([decide(), decide(), decide()], [Some(refuse), Some(refuse), None]);
    }

    #[test]
    fn every_given_field_must_match() {
        let rules = Rules::default();
        let matcher = Matcher {
            target: Some(Target::QuickBooks),
            action: Some("POST timeactivity".into()),
            path: Some("requestid=abc".into()),
            ..worker()
        };
        let cut = Effect::Cut { when: When::Before };
        rules.add(matcher, Span::default(), cut).unwrap();
        let decide = |target, path| rules.decide(target, WORKER, &post(), path);
        assert_eq!(decide(Target::Aws, "/?requestid=abc"), None);
        assert_eq!(decide(Target::QuickBooks, "/?requestid=xyz"), None);
        assert_eq!(decide(Target::QuickBooks, "/?requestid=abc"), Some(cut));
    }

    #[test]
    fn a_rule_with_a_broken_expression_is_refused() {
        let matcher = Matcher { path: Some("(".into()), ..Matcher::default() };
        let refuse = Effect::Refuse { status: 503 };
        assert!(Rules::default().add(matcher, Span::default(), refuse).is_err());
    }
}
