//! The words of the mails.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{TimeZone, offset};

use super::letter::{Letter, Section};
use super::{About, ConnectionAlert, Reader, Threshold};
use crate::ids::CompanyId;

/// How many characters of a company's name a mail repeats.
const NAME_SHOWN: usize = 80;

/// The mail about a connection.
pub(super) fn connection(alert: &ConnectionAlert, reader: Reader, about: &About<'_>) -> Letter {
    let name = one_line(about.company_name);
    let (subject, opening, meaning, first, deadline) = match *alert {
        ConnectionAlert::ReconnectRequired { since } => {
            let since = spelled(day(since, about.zone.as_ref(), TimeZone::UTC));
            (
                format!("Please reconnect QuickBooks: {name}"),
                format!(
                    "QuickBooks no longer accepts the connection to your company \"{name}\". We noticed it on {since}. This happens when the connection is ended in QuickBooks, for example by a colleague."
                ),
                "Approved timecards wait now, and new ones are kept too. Nothing is lost, and nothing in QuickBooks has changed.",
                "It takes about two minutes.",
                "There is no deadline. But hours reach QuickBooks only after you have reconnected, so please do it before your next payroll.".to_owned(),
            )
        }
        ConnectionAlert::HardExpiry { threshold, ends } => {
            let zone = about.zone.as_ref();
            let ends = day(ends, zone, earliest_zone());
            let left = (ends - day(about.now, zone, earliest_zone())).get_days();
            let (ends, left) = (spelled(ends), in_days(left));
            let again = match threshold {
                Threshold::Days30 => "We remind you once more a week before.",
                Threshold::Days7 => "This is the last reminder.",
            };
            (
                format!("Please reconnect QuickBooks by {ends}: {name}"),
                format!(
                    "The connection to your QuickBooks company \"{name}\" ends {left}, on {ends}. Nothing is broken: Intuit, the maker of QuickBooks, ends every connection after five years and asks you to allow it again."
                ),
                "Until then everything goes on as usual. If nobody has reconnected by then, timecards wait from that day on. Nothing is lost.",
                "It takes about two minutes and can be done today; the new connection takes over at once.",
                format!("Please reconnect by {ends}. {again}"),
            )
        }
    };
    let what_to_do = vec![
        format!(
            "An administrator of your company opens the page below, signs in the way you do for your timecards, and allows the connection in QuickBooks. {first} When QuickBooks asks for a company, choose \"{name}\" again."
        ),
        "If that is a colleague of yours, please forward this e-mail: the page works for every administrator.".to_owned(),
    ];
    Letter {
        subject,
        note: note(reader, about.company),
        opening,
        sections: vec![
            Section::new("What this means", vec![meaning.to_owned()]),
            Section::new("What to do", what_to_do).with_button("Reconnect QuickBooks", about.link),
            Section::new("Until when", vec![deadline]),
            Section::new("After that", vec![
                "Everything that waited goes to QuickBooks by itself, each timecard once. You need not enter anything again.".to_owned(),
            ]),
        ],
        footer: footer(reader).to_owned(),
    }
}

/// Why the operator gets a company's mail.
fn note(reader: Reader, company: &CompanyId) -> Option<String> {
    let why = match reader {
        Reader::Company => return None,
        Reader::OperatorForNobody => {
            format!("For the operator: the company {company} has named nobody who gets its e-mails")
        }
        Reader::OperatorForRefused => {
            format!(
                "For the operator: no address that the company {company} has named takes e-mail"
            )
        }
    };
    Some(format!(
        "{why}. Please pass this one on to its administrator. Addresses are named in the company's settings, in the field \"recipients\" (PUT /settings)."
    ))
}

fn footer(reader: Reader) -> &'static str {
    match reader {
        Reader::Company => {
            "You get this e-mail because your company's QuickBooks settings name your address. An administrator of your company can change the addresses there, and switch off this kind of e-mail."
        }
        Reader::OperatorForNobody | Reader::OperatorForRefused => {
            "You get this e-mail because your address is the stack's OperatorEmail."
        }
    }
}

/// The operator's mail about the app's keys.
pub(super) fn credentials(environment: &str, at: Timestamp) -> Letter {
    let at = at.strftime("%B %-d, %Y at %H:%M UTC");
    Letter {
        subject: format!("QuickBooks connector: Intuit refuses the app's keys ({environment})"),
        note: None,
        opening: format!(
            "Intuit refuses the client id or client secret of your Intuit app ({environment} keys), or they are another app's keys than those that companies connected with. It was found on {at}."
        ),
        sections: vec![
            Section::new(
                "What this means",
                vec![
                    "Every company is affected: no connection can be kept fresh, and nobody can connect. Within an hour their access ends, and from then on timecards wait. No connection is lost by this, and no timecard.".to_owned(),
                ],
            ),
            Section::new(
                "What to do",
                vec![
                    "Look at the keys of the app at developer.intuit.com. If somebody changed the client secret there, put the new one into the secret that the stack's output IntuitAppSecret names. It takes effect within 5 minutes, without a deploy.".to_owned(),
                    "If the secret holds another app's keys, put the old ones back. If it holds the right ones, see whether the app was suspended.".to_owned(),
                    "More is in docs/runbook.md, under \"Secrets\".".to_owned(),
                ],
            ),
            Section::new(
                "Until when",
                vec![
                    "Today, if you can: hours do not reach QuickBooks meanwhile. As long as it lasts you get this e-mail once a day.".to_owned(),
                ],
            ),
        ],
        footer: "You get this e-mail because your address is the stack's OperatorEmail.".to_owned(),
    }
}

/// The day at `at` in `zone`, or else in `other`.
fn day(at: Timestamp, zone: Option<&TimeZone>, other: TimeZone) -> Date {
    at.to_zoned(zone.cloned().unwrap_or(other)).date()
}

/// Where a day ends last. A deadline that is told in its days is too early by a day at most, and never
/// too late, wherever the reader is.
fn earliest_zone() -> TimeZone {
    TimeZone::fixed(offset(-12))
}

/// `December 20, 2026`.
fn spelled(date: Date) -> String {
    date.strftime("%B %-d, %Y").to_string()
}

fn in_days(days: i32) -> String {
    match days {
        ..=0 => "today".to_owned(),
        1 => "tomorrow".to_owned(),
        days => format!("in {days} days"),
    }
}

/// A name as it can stand in a subject: on one line, and of a length that leaves room for the rest.
fn one_line(name: &str) -> String {
    let spaced: String = name.chars().map(|c| if turns(c) { ' ' } else { c }).collect();
    let mut words = spaced.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = words.char_indices().nth(NAME_SHOWN) {
        words.truncate(end);
        words.push('…');
    }
    if words.is_empty() { "your company".to_owned() } else { words }
}

/// Line breaks, other control characters, and marks that turn the direction of the text after them.
fn turns(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_break_a_subject() {
        assert_eq!(one_line("A\r\nBcc: x@y.example\u{202e} B"), "A Bcc: x@y.example B");
        assert_eq!(one_line(" \n "), "your company");
        let long = one_line(&"🚧".repeat(200));
        assert_eq!(long.chars().count(), NAME_SHOWN + 1);
        assert!(long.ends_with('…'));
        assert_eq!(one_line("O'Brien & Söhne 👷‍♀️"), "O'Brien & Söhne 👷‍♀️");
    }

    #[test]
    fn days_are_counted_as_people_do() {
        assert_eq!(
            [-1, 0, 1, 2, 30].map(in_days),
            ["today", "today", "tomorrow", "in 2 days", "in 30 days"]
        );
    }
}
