//! Mails: when, to whom, and that their words fit their reader.

use domain::alert::{
    About, AlertSwitches, ConnectionAlert, Mail, Reader, Threshold, connection_mail,
    credentials_mail,
};
use jiff::{SignedDuration, Timestamp};

const LINK: &str =
    "https://api.example.com/api/v1/integrations/quickbooks/reconnect?companyId=acme-roofing";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn mail(alert: &ConnectionAlert, reader: Reader, name: &str, zone: Option<&str>) -> Mail {
    let company = "acme-roofing".parse().unwrap();
    let zone = zone.map(|zone| domain::time_zone(zone).unwrap());
    let now = at("2031-10-21T12:00:00Z");
    connection_mail(
        alert,
        reader,
        &About { company: &company, company_name: name, link: LINK, zone, now },
    )
}

fn reconnect(reader: Reader, name: &str) -> Mail {
    let alert = ConnectionAlert::ReconnectRequired { since: at("2031-10-20T23:30:00Z") };
    mail(&alert, reader, name, None)
}

fn near(threshold: Threshold, ends: &str, zone: Option<&str>) -> Mail {
    let alert = ConnectionAlert::HardExpiry { threshold, ends: at(ends) };
    mail(&alert, Reader::Company, "Rocky Ridge", zone)
}

/// What a reader of the HTML sees, without the markup.
fn seen(html: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for c in html.chars() {
        match c {
            '<' => inside = true,
            '>' => inside = false,
            c if !inside => text.push(c),
            _ => {}
        }
    }
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&amp;", "&")
}

#[test]
fn thresholds_are_30_and_7_days_and_nothing_before_or_after() {
    let ends = at("2031-11-20T00:00:00Z");
    let left = |hours: i64| Threshold::reached(ends, ends - SignedDuration::from_hours(hours));
    assert_eq!(left(30 * 24 + 1), None);
    assert_eq!(left(30 * 24), Some(Threshold::Days30));
    assert_eq!(left(7 * 24 + 1), Some(Threshold::Days30));
    assert_eq!(left(7 * 24), Some(Threshold::Days7));
    assert_eq!(left(1), Some(Threshold::Days7));
    assert_eq!((left(0), left(-1)), (None, None));
}

#[test]
fn a_kind_that_is_switched_off_is_not_wanted() {
    let reconnect = ConnectionAlert::ReconnectRequired { since: Timestamp::UNIX_EPOCH };
    let hard =
        ConnectionAlert::HardExpiry { threshold: Threshold::Days7, ends: Timestamp::UNIX_EPOCH };
    for (alert, other, off) in [
        (reconnect, hard, AlertSwitches { reconnect_required: false, hard_expiry: true }),
        (hard, reconnect, AlertSwitches { reconnect_required: true, hard_expiry: false }),
    ] {
        assert!(alert.wanted(AlertSwitches::default()));
        assert!(!alert.wanted(off) && other.wanted(off));
    }
}

#[test]
fn a_companys_name_stands_in_text_and_html_as_it_is_and_is_no_markup() {
    let name = "<b>O'Brien & Söhne 🚧</b>";
    let mail = reconnect(Reader::Company, name);
    assert!(mail.subject.contains(name) && mail.text.contains(name));
    assert!(!mail.html.contains("<b>") && !mail.html.contains("O'Brien"));
    assert!(mail.html.contains("&lt;b&gt;O&#39;Brien &amp; Söhne 🚧&lt;/b&gt;"));
    assert!(seen(&mail.html).contains(name));
    let script = reconnect(Reader::Company, "\"><script>alert(1)</script>");
    assert!(!script.html.contains("<script"));
}

#[test]
fn a_name_with_line_breaks_adds_no_header() {
    let mail = reconnect(Reader::Company, "Acme\r\nBcc: everybody@example.com");
    assert_eq!(mail.subject, "Please reconnect QuickBooks: Acme Bcc: everybody@example.com");
}

#[test]
fn text_and_html_say_the_same_and_have_the_link() {
    for mail in [
        reconnect(Reader::Company, "A"),
        reconnect(Reader::OperatorForNobody, "A"),
        near(Threshold::Days30, "2031-11-20T00:00:00Z", None),
    ] {
        let html = seen(&mail.html);
        for line in mail.text.lines().filter(|line| !line.is_empty() && *line != "--") {
            // Headings are capitals in the text; the label of the link ends in a colon there.
            let line = line.trim_end_matches(':').to_lowercase();
            assert!(html.to_lowercase().contains(&line), "{line}");
        }
        assert_eq!(mail.text.matches(LINK).count(), 1);
        assert!(mail.html.contains(&format!("href=\"{LINK}\"")));
    }
}

#[test]
fn a_companys_mail_says_what_happened_what_it_means_what_to_do_and_until_when() {
    let mails = [
        reconnect(Reader::Company, "Acme"),
        near(Threshold::Days30, "2031-11-20T00:00:00Z", None),
        near(Threshold::Days7, "2031-10-28T00:00:00Z", None),
    ];
    for mail in mails {
        for part in ["WHAT THIS MEANS", "WHAT TO DO", "UNTIL WHEN", "Nothing is lost"] {
            assert!(mail.text.contains(part), "{part} is missing in:\n{}", mail.text);
        }
        let words = format!("{} {}", mail.subject, mail.text).to_lowercase();
        for jargon in
            ["token", "oauth", "api ", "sync", "webhook", "invalid", "expire", "realm", "error"]
        {
            assert!(!words.contains(jargon), "{jargon} in:\n{}", mail.text);
        }
        assert!(!words.contains("operator") && !words.contains("put /"));
    }
}

#[test]
fn the_operator_is_told_who_has_named_nobody_and_where_that_is_done() {
    for (reader, why) in [
        (Reader::OperatorForNobody, "the company acme-roofing has named nobody"),
        (
            Reader::OperatorForRefused,
            "no address that the company acme-roofing has named takes e-mail",
        ),
    ] {
        let mail = reconnect(reader, "Acme");
        for part in [why, "\"recipients\" (PUT /settings)", "OperatorEmail"] {
            assert!(mail.text.contains(part) && seen(&mail.html).contains(part), "{part}");
        }
    }
}

#[test]
fn a_deadline_is_a_day_where_the_company_works_and_never_too_late() {
    let ends = "2031-11-20T03:00:00Z";
    let subject = |zone| near(Threshold::Days30, ends, zone).subject;
    assert_eq!(
        subject(Some("America/Denver")),
        "Please reconnect QuickBooks by November 19, 2031: Rocky Ridge"
    );
    assert_eq!(
        subject(Some("Australia/Sydney")),
        "Please reconnect QuickBooks by November 20, 2031: Rocky Ridge"
    );
    // Without a zone: the day that is over nowhere on Earth when the connection ends.
    assert_eq!(subject(None), "Please reconnect QuickBooks by November 19, 2031: Rocky Ridge");
}

#[test]
fn days_left_are_counted_from_today() {
    let text = |threshold, ends| near(threshold, ends, Some("Etc/UTC")).text;
    assert!(
        text(Threshold::Days30, "2031-11-20T12:00:00Z")
            .contains("ends in 30 days, on November 20, 2031")
    );
    assert!(text(Threshold::Days30, "2031-11-20T12:00:00Z").contains("once more a week before"));
    assert!(
        text(Threshold::Days7, "2031-10-22T00:00:01Z")
            .contains("ends tomorrow, on October 22, 2031")
    );
    assert!(
        text(Threshold::Days7, "2031-10-21T23:00:00Z").contains("ends today, on October 21, 2031")
    );
    assert!(text(Threshold::Days7, "2031-10-28T12:00:00Z").contains("the last reminder"));
}

#[test]
fn the_operators_own_mail_says_which_keys_and_where_they_go() {
    let mail = credentials_mail("production", at("2031-10-21T12:00:00Z"));
    assert!(mail.subject.contains("production"));
    for part in
        ["October 21, 2031 at 12:00 UTC", "Every company", "IntuitAppSecret", "within 5 minutes"]
    {
        assert!(mail.text.contains(part) && seen(&mail.html).contains(part), "{part}");
    }
}

#[test]
fn each_kind_and_threshold_has_a_name_of_its_own() {
    let ends = Timestamp::UNIX_EPOCH;
    let names = [
        ConnectionAlert::ReconnectRequired { since: ends },
        ConnectionAlert::HardExpiry { threshold: Threshold::Days30, ends },
        ConnectionAlert::HardExpiry { threshold: Threshold::Days7, ends },
    ]
    .map(|alert| alert.to_string());
    assert_eq!(names, ["reconnectRequired", "hardExpiry-30", "hardExpiry-7"]);
}
