//! What the template's roles allow, against what was used.
//!
//! Both directions count. A permission that no test ever uses is too much, or a test is missing. A
//! use that the template does not cover would be refused on AWS: the emulator does not check
//! PartiQL statements, so this does.

use serde::Deserialize;

use crate::proxy::action::Use;
use crate::proxy::log::Usage;

/// One permission of one function.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Grant {
    /// The function's name as deployed.
    pub function: String,
    /// IAM action; may hold `*`.
    pub action: String,
    /// Resource in the words of [`Use::resource`]; may hold `*`.
    pub resource: String,
}

impl Grant {
    /// Whether this permission is the one that a use needed.
    pub fn covers(&self, function: &str, used: &Use) -> bool {
        self.function == function
            && matches(&self.action.to_ascii_lowercase(), &used.action.to_ascii_lowercase())
            && matches(&self.resource, &used.resource)
    }
}

/// Permissions that nothing used.
pub fn unused<'a>(grants: &'a [Grant], usage: &[Usage]) -> Vec<&'a Grant> {
    let used = |grant: &&Grant| {
        usage.iter().any(|row| row.count > 0 && grant.covers(&row.function, &row.used))
    };
    grants.iter().filter(|grant| !used(grant)).collect()
}

/// Uses that went through although no permission in the template covers them.
pub fn uncovered<'a>(grants: &[Grant], usage: &'a [Usage]) -> Vec<&'a Usage> {
    let covered = |row: &&Usage| grants.iter().any(|grant| grant.covers(&row.function, &row.used));
    usage.iter().filter(|row| row.count > 0).filter(|row| !covered(row)).collect()
}

/// IAM's wildcards: `*` for any characters, `?` for one.
fn matches(pattern: &str, text: &str) -> bool {
    let mut expression = String::from("^");
    for c in pattern.chars() {
        match c {
            '*' => expression.push_str(".*"),
            '?' => expression.push('.'),
            c => expression.push_str(&regex::escape(&c.to_string())),
        }
    }
    expression.push('$');
    regex::Regex::new(&expression).is_ok_and(|regex| regex.is_match(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(action: &str, resource: &str) -> Grant {
        Grant { function: "w".into(), action: action.into(), resource: resource.into() }
    }

    fn usage(action: &str, resource: &str, count: u64) -> Usage {
        let used = Use { action: action.into(), resource: resource.into() };
        Usage { function: "w".into(), used, count, denied: 1 }
    }

    #[test]
    fn a_grant_that_was_only_ever_denied_is_unused() {
        let grants = [grant("dynamodb:PutItem", "table/A"), grant("dynamodb:PutItem", "table/B")];
        let usage =
            [usage("dynamodb:PutItem", "table/A", 3), usage("dynamodb:PutItem", "table/B", 0)];
        assert_eq!(unused(&grants, &usage), [&grants[1]]);
    }

    #[test]
    fn a_use_outside_the_template_is_uncovered() {
        let grants = [grant("dynamodb:PartiQLUpdate", "table/A"), grant("sqs:*", "queue/*")];
        let usage = [
            usage("dynamodb:PartiQLUpdate", "table/A", 1),
            usage("dynamodb:PartiQLInsert", "table/A", 1),
            usage("sqs:SendMessage", "queue/Bell", 1),
        ];
        assert_eq!(uncovered(&grants, &usage), [&usage[1]]);
    }

    #[test]
    fn a_wildcard_covers_names_below_it_and_no_others() {
        let prefix = grant("secretsmanager:GetSecretValue", "secret/qb/company/*");
        let used = |resource: &str| Use {
            action: "secretsmanager:GetSecretValue".into(),
            resource: resource.into(),
        };
        assert!(prefix.covers("w", &used("secret/qb/company/c-1")));
        assert!(!prefix.covers("w", &used("secret/qb/app")));
        assert!(!prefix.covers("x", &used("secret/qb/company/c-1")));
    }

    #[test]
    fn a_table_grant_does_not_cover_its_index() {
        let table = grant("dynamodb:Query", "table/Work");
        let index =
            Use { action: "dynamodb:Query".into(), resource: "table/Work/index/Due".into() };
        assert!(!table.covers("w", &index));
    }
}
