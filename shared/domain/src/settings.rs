//! What a company's admin decides about the sync.

use jiff::{civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    FieldError,
    alert::AlertSwitches,
    fields::{Fields, shortened},
    timecard::unknown_zone,
};

/// How often approved timecards are caught up, in minutes, unless the admin says otherwise.
const DEFAULT_CATCH_UP_MINUTES: u32 = 15;

/// The catch-up intervals that can be chosen, in minutes: the schedule runs no more often, and less than daily is no catch-up.
const CATCH_UP_MINUTES: std::ops::RangeInclusive<u64> = 5..=1440;

/// The most addresses that alerts go to.
const MAX_RECIPIENTS: usize = 20;

/// The longest e-mail address (RFC 5321, section 4.5.3.1.3, less the angle brackets).
const MAX_ADDRESS: usize = 254;

/// The settings that a change may name.
const KNOWN: [&str; 7] = [
    "liveSync",
    "catchUpMinutes",
    "timeZone",
    "syncFrom",
    "recipients",
    "alerts",
    "automaticRefresh",
];

/// What an answer of ours carries besides; sent back, it changes nothing.
const IGNORED: [&str; 4] = ["companyId", "version", "updatedBy", "updatedAt"];

/// A company's settings. Fields that this version does not know are tolerated when it reads them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Settings {
    /// Whether timecards are sent. Off keeps them waiting.
    pub live_sync: bool,
    /// How often timecards that waited are looked for, in minutes.
    pub catch_up_minutes: u32,
    /// IANA name of the zone whose calendar days count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// The first work day that is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sync_from: Option<Date>,
    /// Who gets the alerts, by e-mail.
    pub recipients: Vec<String>,
    /// Which alerts they get.
    pub alerts: AlertSwitches,
    /// Whether the five-minute sweep keeps the access token fresh.
    pub automatic_refresh: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            live_sync: false,
            catch_up_minutes: DEFAULT_CATCH_UP_MINUTES,
            time_zone: None,
            sync_from: None,
            recipients: Vec::new(),
            alerts: AlertSwitches::default(),
            automatic_refresh: true,
        }
    }
}

impl Settings {
    /// The settings after `change`: the fields it names replace ours, absent ones stay, and `null` clears the time zone, the first day
    /// and the recipients. In `alerts` too, kinds that it does not name stay. Names that are no setting are refused.
    ///
    /// On failure every problem is there, and nothing is changed.
    pub fn apply(&self, change: &Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(change, "settings", "")?;
        fields.refuse_others(&KNOWN, &IGNORED);
        let mut next = self.clone();
        for (name, setting) in
            [("liveSync", &mut next.live_sync), ("automaticRefresh", &mut next.automatic_refresh)]
        {
            if fields.has(name) {
                refuse_null(&mut fields, name, "true or false");
                *setting = fields.boolean(name).unwrap_or(*setting);
            }
        }
        if fields.has("catchUpMinutes") {
            refuse_null(&mut fields, "catchUpMinutes", "a whole number of minutes");
            next.catch_up_minutes = catch_up(&mut fields).unwrap_or(next.catch_up_minutes);
        }
        if fields.has("timeZone") {
            next.time_zone = zone(&mut fields);
        }
        if fields.has("syncFrom") {
            next.sync_from = fields.date("syncFrom");
        }
        if fields.has("recipients") {
            next.recipients = recipients(&mut fields);
        }
        if fields.has("alerts") {
            next.alerts = alerts(&mut fields, next.alerts);
        }
        next.check_live_sync(&mut fields);
        fields.finish(Some(next))
    }

    /// Live sync needs to know what day it is where the company works, and from which day on it sends.
    fn check_live_sync(&self, fields: &mut Fields<'_>) {
        if !self.live_sync {
            return;
        }
        // A value that is there and wrong has its own message already.
        if self.time_zone.is_none() && fields.value("timeZone").is_none() {
            fields.note(
                "timeZone",
                "missing",
                "Live sync cannot be on without a time zone: it decides on which day a shift counts.",
                "Choose the company's time zone, such as America/Denver.",
            );
        }
        if self.sync_from.is_none() && fields.value("syncFrom").is_none() {
            fields.note(
                "syncFrom",
                "missing",
                "Live sync cannot be on without a first day: earlier work days are never sent.",
                "Choose the first work day to send, like 2026-10-26.",
            );
        }
    }
}

/// The time zone of this IANA name, in the list's own spelling; `None` when there is none.
pub fn time_zone(name: &str) -> Option<TimeZone> {
    let zone = jiff::tz::db().get(name).ok()?;
    // The list is searched without regard to case; other programs that get the name are stricter. `Etc/Unknown` and `Factory`
    // are in the list to say that no zone was chosen.
    let named = zone.iana_name() == Some(name) && !matches!(name, "Etc/Unknown" | "Factory");
    named.then_some(zone)
}

fn refuse_null(fields: &mut Fields<'_>, field: &str, wanted: &str) {
    if fields.value(field).is_none() {
        fields.wrong_type(field, &Value::Null, wanted);
    }
}

fn catch_up(fields: &mut Fields<'_>) -> Option<u32> {
    let minutes = fields.count("catchUpMinutes", "out-of-range")?;
    if CATCH_UP_MINUTES.contains(&minutes) {
        return u32::try_from(minutes).ok();
    }
    fields.note(
        "catchUpMinutes",
        "out-of-range",
        format!("catchUpMinutes is {minutes}."),
        format!("Choose from {} to {} minutes.", CATCH_UP_MINUTES.start(), CATCH_UP_MINUTES.end()),
    );
    None
}

fn zone(fields: &mut Fields<'_>) -> Option<String> {
    let name = fields.text("timeZone")?;
    if time_zone(name).is_none() {
        unknown_zone(fields, name);
        return None;
    }
    Some(name.to_owned())
}

fn recipients(fields: &mut Fields<'_>) -> Vec<String> {
    let mut addresses: Vec<String> = Vec::new();
    let Some(value) = fields.value("recipients") else { return addresses };
    let Some(list) = value.as_array() else {
        fields.wrong_type("recipients", value, "a list of e-mail addresses");
        return addresses;
    };
    for (index, entry) in list.iter().enumerate().take(MAX_RECIPIENTS) {
        match entry.as_str().map(str::trim) {
            Some(address) if is_address(address) => {
                if !addresses.iter().any(|known| known.eq_ignore_ascii_case(address)) {
                    addresses.push(address.to_owned());
                }
            }
            _ => {
                let shown = entry.as_str().map_or_else(|| entry.to_string(), str::to_owned);
                fields.note(
                    &format!("recipients[{index}]"),
                    "not-an-address",
                    format!("'{}' is not an e-mail address.", shortened(&shown)),
                    "Correct the address, or remove it.",
                );
            }
        }
    }
    if list.len() > MAX_RECIPIENTS {
        fields.note(
            "recipients",
            "too-many",
            format!("There are {} recipients; at most {MAX_RECIPIENTS} are possible.", list.len()),
            "Use the address of a mailing list.",
        );
    }
    addresses
}

/// The kinds of alerts after a change, which is laid over those in force.
fn alerts(fields: &mut Fields<'_>, mut switches: AlertSwitches) -> AlertSwitches {
    let change = fields.value("alerts").unwrap_or(&Value::Null);
    let mut kinds = match Fields::of(change, "kinds of alerts", "alerts") {
        Ok(kinds) => kinds,
        Err(problems) => {
            fields.problems.extend(problems);
            return switches;
        }
    };
    kinds.refuse_others(&AlertSwitches::NAMES, &[]);
    for (name, switch) in AlertSwitches::NAMES
        .into_iter()
        .zip([&mut switches.reconnect_required, &mut switches.hard_expiry])
    {
        if kinds.has(name) {
            refuse_null(&mut kinds, name, "true or false");
            *switch = kinds.boolean(name).unwrap_or(*switch);
        }
    }
    fields.problems.append(&mut kinds.problems);
    switches
}

/// Whether `text` can be an address. Strict about what could change a mail's header, lenient about the rest: only mail that arrives
/// proves an address.
fn is_address(text: &str) -> bool {
    let Some((local, host)) = text.rsplit_once('@') else { return false };
    let plain = |c: char| {
        !c.is_whitespace()
            && !c.is_control()
            && !matches!(c, ',' | ';' | '<' | '>' | '"' | '(' | ')' | '@')
    };
    text.len() <= MAX_ADDRESS
        && !local.is_empty()
        && local.chars().all(plain)
        && host.chars().all(plain)
        && host.contains('.')
        && host.split('.').all(|label| !label.is_empty())
}
