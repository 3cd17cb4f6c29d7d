//! The timecard that the host app sends, and what of it is accepted.

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    CompanyId, CostCodeId, FieldError, ProjectId, TimecardId, WorkerId,
    amount::amount,
    fields::{Fields, shortened, shown},
    settings::time_zone,
    shift::Shift,
};

/// The longest net time of one timecard, in minutes: a day.
pub const MAX_NET_MINUTES: u32 = 24 * 60;

/// The longest notes, in characters. QuickBooks' Description holds as many, and ours adds the clock times and the marker to it.
pub const MAX_NOTES: usize = 4000;

/// The most decimals of a rate, as QuickBooks keeps them.
const MAX_RATE_DECIMALS: u32 = 7;

/// The highest rate per hour that is believed.
const MAX_RATE: u32 = 1_000_000;

/// The highest version: what every JSON reader still holds exactly.
const MAX_VERSION: u64 = 1 << 53;

/// One approved shift of one worker.
///
/// As JSON it is canonical: the same timecard always gives the same text, whatever form its sender gave the amounts and times.
/// What comes from outside is read with [`Timecard::from_json`]; deserializing checks the ids alone and is for what was stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Timecard {
    /// Whose timecard it is.
    pub company_id: CompanyId,
    /// Unique within the company.
    pub timecard_id: TimecardId,
    /// Counts up with each change of the timecard, from 1.
    pub version: u64,
    /// Who worked.
    pub worker_id: WorkerId,
    /// For which project.
    pub project_id: ProjectId,
    /// What kind of work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_code_id: Option<CostCodeId>,
    /// When the shift began.
    pub clock_in: Timestamp,
    /// When the shift ended.
    pub clock_out: Timestamp,
    /// Unpaid minutes within the shift.
    pub break_minutes: u32,
    /// The net hours as the host app counts them; only compared.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "rust_decimal::serde::str_option"
    )]
    pub hours: Option<Decimal>,
    /// Whether the customer pays for the time.
    pub billable: bool,
    /// What the customer pays per hour.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "rust_decimal::serde::str_option"
    )]
    pub rate: Option<Decimal>,
    /// What the worker or the approver wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// The IANA name of the zone worked in, where it is not the company's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
}

impl Timecard {
    /// Reads a timecard and checks all that can be checked without mapping and settings.
    ///
    /// Unknown fields are ignored. On failure every problem is there, never only the first.
    pub fn from_json(value: &Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(value, "timecard", "")?;
        let company_id =
            fields.required_id("companyId", "Send companyId, the company the timecard is of.");
        let timecard_id =
            fields.required_id("timecardId", "Send timecardId, the timecard's own id.");
        let version = version(&mut fields);
        let worker_id = fields.required_id("workerId", "Send workerId, the person who worked.");
        let project_id =
            fields.required_id("projectId", "Send projectId, the project that was worked on.");
        let cost_code_id = fields.id("costCodeId");
        let clock_in = fields.time("clockIn", "Send clockIn, when the shift began.");
        let clock_out = fields.time("clockOut", "Send clockOut, when the shift ended.");
        let break_minutes = break_minutes(&mut fields);
        let hours = hours(&mut fields);
        let billable = fields
            .required(
                "billable",
                "Send billable: true if the customer pays for the time, else false.",
            )
            .and_then(|_| fields.boolean("billable"));
        let rate = rate(&mut fields);
        let notes = notes(&mut fields);
        let time_zone = zone(&mut fields);

        // Without both times and a break there is nothing to compare them with.
        let times = clock_in.zip(clock_out).zip(break_minutes);
        if let Some(((clock_in, clock_out), break_minutes)) = times {
            let shift = Shift { clock_in, clock_out, break_minutes: u64::from(break_minutes) };
            let problem = shift.problem().or_else(|| hours.and_then(|h| shift.contradicts(h)));
            fields.problems.extend(problem);
        }

        let timecard = (|| {
            Some(Self {
                company_id: company_id?,
                timecard_id: timecard_id?,
                version: version?,
                worker_id: worker_id?,
                project_id: project_id?,
                cost_code_id,
                clock_in: clock_in?,
                clock_out: clock_out?,
                break_minutes: break_minutes?,
                hours,
                billable: billable?,
                rate,
                notes,
                time_zone,
            })
        })();
        fields.finish(timecard)
    }

    /// The time worked in whole minutes, rounded half up: elapsed time, whatever the clocks on the wall did, less the break.
    pub fn net_minutes(&self) -> u32 {
        u32::try_from(self.shift().net_minutes()).unwrap_or(0)
    }

    /// What is wrong with the times of the shift, if anything is: end after start, break within the shift, net time over 0 and at most 24 h.
    pub fn time_problem(&self) -> Option<FieldError> {
        self.shift().problem()
    }

    /// Whether the net time is a whole number of minutes without rounding.
    pub(crate) fn is_whole_minutes(&self) -> bool {
        self.shift().is_whole_minutes()
    }

    /// Tells two bodies of one timecard apart: hex SHA-256 of the content, the version included.
    /// Equal content gives equal fingerprints, however its sender wrote it.
    pub fn fingerprint(&self) -> String {
        let content = [
            ("companyId", Some(self.company_id.to_string())),
            ("timecardId", Some(self.timecard_id.to_string())),
            ("version", Some(self.version.to_string())),
            ("workerId", Some(self.worker_id.to_string())),
            ("projectId", Some(self.project_id.to_string())),
            ("costCodeId", self.cost_code_id.as_ref().map(ToString::to_string)),
            ("clockIn", Some(self.clock_in.to_string())),
            ("clockOut", Some(self.clock_out.to_string())),
            ("breakMinutes", Some(self.break_minutes.to_string())),
            ("hours", self.hours.map(|hours| hours.normalize().to_string())),
            ("billable", Some(self.billable.to_string())),
            ("rate", self.rate.map(|rate| rate.normalize().to_string())),
            ("notes", self.notes.clone()),
            ("timeZone", self.time_zone.clone()),
        ];
        let mut hash = Sha256::new();
        // The length before each value keeps one value's end from passing for the next one's start. Absent fields leave no
        // trace, so that a field that is added one day changes no fingerprint of a timecard without it.
        for (name, value) in
            content.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)))
        {
            hash.update(format!("{name}:{}:{value}\n", value.len()));
        }
        format!("{:x}", hash.finalize())
    }

    fn shift(&self) -> Shift {
        Shift {
            clock_in: self.clock_in,
            clock_out: self.clock_out,
            break_minutes: u64::from(self.break_minutes),
        }
    }
}

fn version(fields: &mut Fields<'_>) -> Option<u64> {
    fields.required("version", "Send version, a whole number that grows with each change.")?;
    let version = fields.count("version", "too-small")?;
    if (1..=MAX_VERSION).contains(&version) {
        return Some(version);
    }
    let (code, limit) =
        if version == 0 { ("too-small", "at least 1") } else { ("too-large", "at most 2^53") };
    fields.note(
        "version",
        code,
        format!("version must be {limit}."),
        "Start at 1 and add 1 with each change of the timecard.",
    );
    None
}

fn break_minutes(fields: &mut Fields<'_>) -> Option<u32> {
    fields.required("breakMinutes", "Send breakMinutes; 0 when there was no break.")?;
    let minutes = fields.count("breakMinutes", "negative-break")?;
    let fits = u32::try_from(minutes).ok();
    if fits.is_none() {
        let message = "breakMinutes is longer than any shift.";
        fields.note("breakMinutes", "break-too-long", message, "Correct the break.");
    }
    fits
}

fn hours(fields: &mut Fields<'_>) -> Option<Decimal> {
    let value = fields.value("hours")?;
    let hours = amount(value);
    if hours.is_none() {
        no_amount(fields, "hours", value, "7.5");
    }
    hours
}

fn rate(fields: &mut Fields<'_>) -> Option<Decimal> {
    let value = fields.value("rate")?;
    let Some(rate) = amount(value) else {
        no_amount(fields, "rate", value, "75.50");
        return None;
    };
    let (code, message, fix) = if rate.is_sign_negative() && !rate.is_zero() {
        ("negative-rate", format!("rate is {rate}, less than 0."), "Send rate as 0 or more.")
    } else if rate.scale() > MAX_RATE_DECIMALS {
        (
            "too-many-decimals",
            format!("rate {rate} has more than {MAX_RATE_DECIMALS} decimals."),
            "Round the rate.",
        )
    } else if rate > Decimal::from(MAX_RATE) {
        ("too-large", format!("rate is {rate} per hour; the most is {MAX_RATE}."), "Correct rate.")
    } else {
        return Some(rate);
    };
    fields.note("rate", code, message, fix);
    None
}

fn no_amount(fields: &mut Fields<'_>, field: &str, value: &Value, example: &str) {
    if value.is_number() || value.is_string() {
        let message = format!("{field} '{}' is not an amount.", shown(value));
        let fix = format!("Send {field} as a decimal number with a point, like {example}.");
        fields.note(field, "not-a-number", message, fix);
    } else {
        fields.wrong_type(field, value, "a number");
    }
}

fn notes(fields: &mut Fields<'_>) -> Option<String> {
    let notes = fields.text("notes")?;
    let length = notes.chars().count();
    if length > MAX_NOTES {
        fields.note(
            "notes",
            "too-long",
            format!("The notes have {length} characters; at most {MAX_NOTES} fit."),
            format!("Shorten the notes by {} characters.", length - MAX_NOTES),
        );
        return None;
    }
    Some(notes.to_owned())
}

fn zone(fields: &mut Fields<'_>) -> Option<String> {
    let name = fields.text("timeZone")?;
    if time_zone(name).is_none() {
        unknown_zone(fields, name);
        return None;
    }
    Some(name.to_owned())
}

/// Notes that `name` is no time zone.
pub(crate) fn unknown_zone(fields: &mut Fields<'_>, name: &str) {
    fields.note(
        "timeZone",
        "unknown-zone",
        format!("There is no time zone named '{}'.", shortened(name)),
        "Use a name of the IANA time zone list, such as America/Denver.",
    );
}
