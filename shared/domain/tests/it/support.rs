//! What the tests have in common: a good timecard, and a company that can send it.

use std::collections::HashMap;

use domain::{
    ClassId, CustomerId, Decision, Directory, EmployeeId, FieldError, ItemId, Mapping, Settings,
    Target, TimeActivityBody, Timecard, decide,
};
use serde_json::{Value, json};

/// A timecard of 8 h with nothing wrong.
pub(crate) fn good() -> Value {
    json!({
        "companyId": "company-a",
        "timecardId": "tc-1",
        "version": 1,
        "workerId": "w-1",
        "projectId": "p-1",
        "costCodeId": "06-100",
        "clockIn": "2026-10-26T08:00:00-06:00",
        "clockOut": "2026-10-26T16:30:00-06:00",
        "breakMinutes": 30,
        "billable": true,
        "rate": 75.5,
        "notes": "framing",
    })
}

/// The good timecard with some fields replaced.
pub(crate) fn with(changes: Value) -> Value {
    let mut card = good();
    for (field, value) in changes.as_object().unwrap() {
        card[field] = value.clone();
    }
    card
}

pub(crate) fn card(changes: Value) -> Timecard {
    Timecard::from_json(&with(changes)).unwrap()
}

/// The shift from `start` to `end`, with a break of so many minutes.
pub(crate) fn shift(start: &str, end: &str, minutes: u32) -> Timecard {
    card(json!({"clockIn": start, "clockOut": end, "breakMinutes": minutes}))
}

/// `field: code` of each problem.
pub(crate) fn codes(problems: &[FieldError]) -> Vec<String> {
    problems.iter().map(|problem| format!("{}: {}", problem.field, problem.code)).collect()
}

/// QuickBooks as imported: everything that it holds, under its id.
#[derive(Default)]
pub(crate) struct Book {
    pub(crate) employees: HashMap<String, Target>,
    pub(crate) customers: HashMap<String, Target>,
    pub(crate) items: HashMap<String, Target>,
    pub(crate) classes: HashMap<String, Target>,
}

impl Directory for Book {
    fn employee(&self, id: &EmployeeId) -> Option<&Target> {
        self.employees.get(id.as_str())
    }
    fn customer(&self, id: &CustomerId) -> Option<&Target> {
        self.customers.get(id.as_str())
    }
    fn item(&self, id: &ItemId) -> Option<&Target> {
        self.items.get(id.as_str())
    }
    fn class(&self, id: &ClassId) -> Option<&Target> {
        self.classes.get(id.as_str())
    }
}

pub(crate) fn target(id: &str, name: &str, active: bool) -> (String, Target) {
    (id.into(), Target { id: id.into(), name: name.into(), active })
}

/// A company whose mapping and settings fit the good timecard.
pub(crate) struct Company {
    pub(crate) mapping: Mapping,
    pub(crate) settings: Settings,
    pub(crate) book: Book,
}

impl Company {
    pub(crate) fn new() -> Self {
        let mapping = Mapping::from_json(&json!({
            "employeeMapping": [{"crewflowWorkerId": "w-1", "qboEmployeeId": "55"}],
            "customerMapping": [{"crewflowProjectId": "p-1", "qboCustomerId": "21"}],
            "costCodeMapping": [
                {"crewflowCostCodeId": "06-100", "qboServiceItemId": "3", "qboClassId": "500"}
            ],
        }));
        let settings = json!({
            "liveSync": true, "timeZone": "America/Denver", "syncFrom": "2026-10-26"
        });
        Self {
            mapping: mapping.unwrap(),
            settings: Settings::default().apply(&settings).unwrap(),
            book: Book {
                employees: HashMap::from([target("55", "Aaron O'Brien", true)]),
                customers: HashMap::from([target("21", "Clubhouse", true)]),
                items: HashMap::from([target("3", "Carpentry", true)]),
                classes: HashMap::from([target("500", "North", true)]),
            },
        }
    }

    pub(crate) fn decide(&self, card: &Timecard) -> Decision {
        decide(card, &self.mapping, &self.book, &self.settings, None)
    }

    pub(crate) fn body(&self, card: &Timecard) -> TimeActivityBody {
        match self.decide(card) {
            Decision::Send { body, .. } => body,
            other => panic!("not sent: {other:?}"),
        }
    }

    pub(crate) fn problems(&self, card: &Timecard) -> Vec<FieldError> {
        match self.decide(card) {
            Decision::Refused(problems) => problems,
            other => panic!("not refused: {other:?}"),
        }
    }
}
