//! Decides whether a timecard goes to QuickBooks, and as what.

use jiff::tz::TimeZone;

use crate::{
    CostCodeTarget, Decision, Directory, FieldError, Frozen, Mapping, Settings, Target, TimeFormat,
    Timecard,
    description::{MAX_DESCRIPTION, clock_times, description, marker, printable},
    fields::shortened,
    settings::time_zone,
    time_activity::{BillableStatus, NameOf, Reference, TimeActivityBody},
};

/// What is to be done with `card`: the body to send, or every reason why it cannot be sent. Nothing is called for this.
///
/// `frozen` is what an earlier send of this record froze. A record that has it went out once, so the first day that is sent no longer
/// matters to it.
pub fn decide(
    card: &Timecard,
    mapping: &Mapping,
    directory: &impl Directory,
    settings: &Settings,
    frozen: Option<&Frozen>,
) -> Decision {
    let mut problems = Vec::new();
    let place = match place(card, settings, frozen) {
        Ok(place) => Some(place),
        Err(problem) => {
            problems.push(problem);
            None
        }
    };
    if let (Some((_, place)), None, Some(sync_from)) = (&place, frozen, settings.sync_from)
        && place.txn_date < sync_from
    {
        return Decision::BeforeStart { txn_date: place.txn_date, sync_from };
    }
    problems.extend(card.time_problem());
    let mut resolve = |resolved: Result<Option<Reference>, FieldError>| {
        resolved.unwrap_or_else(|problem| {
            problems.push(problem);
            None
        })
    };
    let employee_ref = resolve(employee(card, mapping, directory));
    let customer_ref = resolve(customer(card, mapping, directory));
    let (item_ref, class_ref) = match mapping.cost_code_target {
        CostCodeTarget::ServiceItem => (resolve(item(card, mapping, directory)), None),
        CostCodeTarget::Class => (None, resolve(class(card, mapping, directory))),
    };
    if card.billable && card.rate.is_none() {
        problems.push(FieldError::new(
            "rate",
            "missing-rate",
            "The timecard is billable but has no rate, and QuickBooks takes no billable time without one.",
            "Give the timecard a rate, or mark it as not billable, and approve it again.",
        ));
    }
    let time = place.as_ref().map(|(zone, _)| Time::of(card, mapping.time_format, zone));
    let marker = mapping.marker.then(|| marker(&card.company_id, &card.timecard_id));
    let description = description(
        card.notes.as_deref().unwrap_or_default(),
        time.as_ref().and_then(|time| time.in_words.as_deref()),
        marker.as_deref(),
    )
    .unwrap_or_else(|left| {
        problems.push(too_long(card, left));
        None
    });

    match (place, time, employee_ref, customer_ref) {
        (Some((_, frozen)), Some(time), Some(employee_ref), Some(customer_ref))
            if problems.is_empty() =>
        {
            let body = TimeActivityBody {
                txn_date: frozen.txn_date,
                name_of: NameOf::Employee,
                employee_ref,
                customer_ref,
                item_ref,
                class_ref,
                billable_status: if card.billable {
                    BillableStatus::Billable
                } else {
                    BillableStatus::NotBillable
                },
                hourly_rate: card.rate.filter(|_| card.billable),
                hours: time.hours,
                minutes: time.minutes,
                start_time: time.start,
                end_time: time.end,
                break_hours: time.break_hours,
                break_minutes: time.break_minutes,
                description,
            };
            Decision::Send { body, frozen }
        }
        _ => Decision::Refused(problems),
    }
}

/// The zone and the work day of a timecard: those frozen, else by its own zone, else by the company's.
fn place(
    card: &Timecard,
    settings: &Settings,
    frozen: Option<&Frozen>,
) -> Result<(TimeZone, Frozen), FieldError> {
    let name = frozen
        .map(|frozen| &frozen.time_zone)
        .or(card.time_zone.as_ref())
        .or(settings.time_zone.as_ref())
        .ok_or_else(|| {
            FieldError::new(
                "timeZone",
                "missing",
                "Neither the timecard nor the company has a time zone, so its work day is not known.",
                "Open Settings and choose the company's time zone.",
            )
        })?;
    let zone = time_zone(name).ok_or_else(|| {
        FieldError::new(
            "timeZone",
            "unknown-zone",
            format!("There is no time zone named '{}'.", shortened(name)),
            "Open Settings and choose the company's time zone, or correct the timecard's.",
        )
    })?;
    let frozen = frozen.cloned().unwrap_or_else(|| Frozen {
        time_zone: name.clone(),
        txn_date: card.clock_in.to_zoned(zone.clone()).date(),
    });
    Ok((zone, frozen))
}

fn employee(
    card: &Timecard,
    mapping: &Mapping,
    directory: &impl Directory,
) -> Result<Option<Reference>, FieldError> {
    let id = mapping.employee(&card.worker_id);
    let source = Source { field: "workerId", what: "worker", id: card.worker_id.as_str() };
    source.resolve("employee", id, |id| directory.employee(id)).map(Some)
}

fn customer(
    card: &Timecard,
    mapping: &Mapping,
    directory: &impl Directory,
) -> Result<Option<Reference>, FieldError> {
    let id = mapping.customer(&card.project_id);
    let source = Source { field: "projectId", what: "project", id: card.project_id.as_str() };
    source.resolve("customer", id, |id| directory.customer(id)).map(Some)
}

fn item(
    card: &Timecard,
    mapping: &Mapping,
    directory: &impl Directory,
) -> Result<Option<Reference>, FieldError> {
    let Some(code) = &card.cost_code_id else { return Ok(None) };
    let id = mapping.cost_code(code).and_then(|row| row.qbo_service_item_id.as_ref());
    let source = Source { field: "costCodeId", what: "cost code", id: code.as_str() };
    source.resolve("service item", id, |id| directory.item(id)).map(Some)
}

fn class(
    card: &Timecard,
    mapping: &Mapping,
    directory: &impl Directory,
) -> Result<Option<Reference>, FieldError> {
    let Some(code) = &card.cost_code_id else { return Ok(None) };
    let id = mapping.cost_code(code).and_then(|row| row.qbo_class_id.as_ref());
    let source = Source { field: "costCodeId", what: "cost code", id: code.as_str() };
    source.resolve("class", id, |id| directory.class(id)).map(Some)
}

/// What of the timecard is looked up.
struct Source<'a> {
    field: &'static str,
    what: &'static str,
    id: &'a str,
}

impl Source<'_> {
    /// The reference to the QuickBooks record `target` that the mapping names, if QuickBooks still takes it.
    fn resolve<'d, T: AsRef<str>>(
        &self,
        target: &str,
        id: Option<&T>,
        look_up: impl FnOnce(&T) -> Option<&'d Target>,
    ) -> Result<Reference, FieldError> {
        let Self { field, what, id: own } = *self;
        let choose = format!("Open Mapping and choose the QuickBooks {target} for {what} {own}.");
        let Some(id) = id else {
            let message = format!("No QuickBooks {target} is chosen for {what} {own}.");
            return Err(FieldError::new(field, "not-mapped", message, choose));
        };
        let Some(found) = look_up(id) else {
            let message = format!(
                "The QuickBooks {target} {} that is chosen for {what} {own} is not in QuickBooks.",
                id.as_ref()
            );
            return Err(FieldError::new(field, "not-in-quickbooks", message, choose));
        };
        if !found.active {
            let name = shortened(&found.name);
            let message = format!(
                "'{name}', the QuickBooks {target} of {what} {own}, is inactive in QuickBooks."
            );
            let fix = format!(
                "Make '{name}' active in QuickBooks, or open Mapping and choose another {target} for {what} {own}."
            );
            return Err(FieldError::new(field, "inactive", message, fix));
        }
        Ok(Reference::to(id))
    }
}

/// How the time of a timecard is written.
#[derive(Default)]
struct Time {
    hours: Option<u32>,
    minutes: Option<u32>,
    start: Option<String>,
    end: Option<String>,
    break_hours: Option<u32>,
    break_minutes: Option<u32>,
    /// The clock times for the Description, where they have no fields.
    in_words: Option<String>,
}

impl Time {
    fn of(card: &Timecard, format: TimeFormat, zone: &TimeZone) -> Self {
        (format == TimeFormat::StartEnd)
            .then(|| Self::start_end(card, zone))
            .flatten()
            .unwrap_or_else(|| {
                let net = card.net_minutes();
                Self {
                    hours: Some(net / 60),
                    minutes: Some(net % 60),
                    in_words: Some(clock_times(card, zone)),
                    ..Self::default()
                }
            })
    }

    /// Start, end and break, if QuickBooks counts the same net time from them as we do.
    ///
    /// It keeps only times of day and counts by the clock on the wall. So not over midnight, not where the clocks were changed in between,
    /// and not where seconds would be left over.
    fn start_end(card: &Timecard, zone: &TimeZone) -> Option<Self> {
        let start = card.clock_in.to_zoned(zone.clone());
        let end = card.clock_out.to_zoned(zone.clone());
        let counts_alike =
            start.date() == end.date() && start.offset() == end.offset() && card.is_whole_minutes();
        counts_alike.then(|| {
            let format = "%H:%M:%S%:z";
            let pause = Some(card.break_minutes).filter(|minutes| *minutes > 0);
            Self {
                start: Some(start.strftime(format).to_string()),
                end: Some(end.strftime(format).to_string()),
                break_hours: pause.map(|minutes| minutes / 60),
                break_minutes: pause.map(|minutes| minutes % 60),
                ..Self::default()
            }
        })
    }
}

fn too_long(card: &Timecard, left: usize) -> FieldError {
    let length = printable(card.notes.as_deref().unwrap_or_default()).chars().count();
    FieldError::new(
        "notes",
        "too-long",
        format!(
            "The notes have {length} characters; {left} fit, since QuickBooks holds {MAX_DESCRIPTION} and what we add needs the rest."
        ),
        format!("Shorten the notes to {left} characters and approve the timecard again."),
    )
}
