//! Timecards of a crew, and what QuickBooks must hold for them.

use serde_json::{Value, json};

use super::Stack;
use super::api::Caller;
use super::company::Company;
use super::stored::text;

/// Workers `w-1` to `w-27` are the active employees 55 to 81 of the sandbox's demo company, `w-28` is
/// the inactive 82.
pub const WORKERS: u32 = 27;
/// Projects `p-1` to `p-8` are the active customers 1 to 8, `p-9` is the inactive 9.
pub const PROJECTS: u32 = 8;

/// A timecard. Its fields follow from its number, so that no two are mistaken for each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// The host app's id.
    pub id: String,
    /// Its version.
    pub version: u64,
    /// The number of its worker.
    pub worker: u32,
    /// The number of its project.
    pub project: u32,
    /// Day of November 2026.
    pub day: u32,
    /// Net time in minutes.
    pub minutes: u32,
    /// Billable at this rate, or not at all.
    pub rate: Option<u32>,
    /// Notes.
    pub notes: String,
}

impl Card {
    /// A card that the demo company's mapping takes.
    pub fn new(id: impl Into<String>, number: u32) -> Self {
        let id = id.into();
        Self {
            notes: format!("Work for {id}, “as agreed” 👷"),
            id,
            version: 1,
            worker: number % WORKERS + 1,
            project: number % PROJECTS + 1,
            day: number % 20 + 2,
            minutes: 240 + number % 200,
            rate: number.is_multiple_of(3).then_some(50 + number % 40),
        }
    }

    /// `count` cards whose ids begin alike.
    pub fn several(prefix: &str, count: u32) -> Vec<Self> {
        (0..count).map(|number| Self::new(format!("{prefix}-{number}"), number)).collect()
    }

    /// The next version of it, with other hours.
    #[must_use]
    pub fn edited(&self, minutes: u32) -> Self {
        Self { version: self.version + 1, minutes, ..self.clone() }
    }

    /// The card as the host app sends it: from 07:00 on, with a break of half an hour.
    pub fn json(&self, company: &Company) -> Value {
        let end = 7 * 60 + 30 + self.minutes;
        json!({
            "companyId": company.id,
            "timecardId": self.id,
            "version": self.version,
            "workerId": format!("w-{}", self.worker),
            "projectId": format!("p-{}", self.project),
            "clockIn": format!("2026-11-{:02}T07:00:00-07:00", self.day),
            "clockOut": format!("2026-11-{:02}T{:02}:{:02}:00-07:00", self.day, end / 60, end % 60),
            "breakMinutes": 30,
            "billable": self.rate.is_some(),
            "rate": self.rate,
            "notes": self.notes,
        })
    }

    /// What is wrong with the TimeActivity that should be this card's.
    pub fn differences(&self, activity: &Value) -> Vec<String> {
        let number = |name: &str| activity[name].as_u64();
        let reference = |name: &str| activity[name]["value"].as_str();
        let (employee, customer) = ((54 + self.worker).to_string(), self.project.to_string());
        let billable = if self.rate.is_some() { "Billable" } else { "NotBillable" };
        let rate = self.rate.map(u64::from);
        let date = format!("2026-11-{:02}", self.day);
        let description = text(activity, "Description");
        let checks = [
            ("EmployeeRef", reference("EmployeeRef") == Some(&employee)),
            ("CustomerRef", reference("CustomerRef") == Some(&customer)),
            ("NameOf", text(activity, "NameOf") == "Employee"),
            ("TxnDate", text(activity, "TxnDate") == date),
            ("Hours", number("Hours") == Some(u64::from(self.minutes / 60))),
            ("Minutes", number("Minutes") == Some(u64::from(self.minutes % 60))),
            ("BillableStatus", text(activity, "BillableStatus") == billable),
            ("HourlyRate", rate.is_none() || activity["HourlyRate"].as_f64() == rate.map(to_float)),
            ("Description", description.starts_with(&self.notes)),
        ];
        let wrong = checks.into_iter().filter(|(_, right)| !right);
        wrong.map(|(field, _)| format!("{}: {field} of {activity}", self.id)).collect()
    }
}

#[expect(clippy::cast_precision_loss, reason = "two digits")]
fn to_float(rate: u64) -> f64 {
    rate as f64
}

/// The mapping of the crew to the sandbox's demo company.
pub fn mapping() -> Value {
    let employees: Vec<Value> = (1..=WORKERS + 1)
        .map(|n| json!({ "crewflowWorkerId": format!("w-{n}"), "qboEmployeeId": (54 + n).to_string() }))
        .collect();
    let customers: Vec<Value> = (1..=PROJECTS + 1)
        .map(|n| json!({ "crewflowProjectId": format!("p-{n}"), "qboCustomerId": n.to_string() }))
        .collect();
    json!({ "employeeMapping": employees, "customerMapping": customers })
}

/// Settings of a live company whose catch-up stays out of the way.
pub fn settings() -> Value {
    json!({
        "liveSync": true, "timeZone": "America/Denver", "syncFrom": "2026-10-26",
        "catchUpMinutes": 1440,
    })
}

impl Stack {
    /// A live company of the crew's, at rest.
    pub async fn crew(&self) -> Company {
        let company = self.live_company("demo", &mapping(), &settings()).await;
        self.idle(&[&company]).await;
        company
    }

    /// Several of them, made at the same time.
    pub async fn crews(&self, count: usize) -> Vec<Company> {
        let mut crews = tokio::task::JoinSet::new();
        for _ in 0..count {
            let stack = self.clone();
            crews.spawn(async move { stack.crew().await });
        }
        crews.join_all().await
    }

    /// Sends cards to the API as the host app's back end; all must be accepted.
    pub async fn deliver(&self, company: &Company, cards: &[Card]) {
        for cards in cards.chunks(500) {
            let rows: Vec<Value> = cards.iter().map(|card| card.json(company)).collect();
            let body = json!({ "timecards": rows });
            let answer = self.post(&Caller::service(), "/timecards", &body).await.ok();
            assert_eq!(answer["refused"], 0, "{answer}");
        }
    }

    /// Publishes cards on the bus as the host app does, ten to a call, four calls at a time.
    pub async fn publish_cards(&self, company: &Company, cards: &[Card]) {
        let mut calls = tokio::task::JoinSet::new();
        for cards in cards.chunks(10) {
            let entries: Vec<Value> = cards
                .iter()
                .map(|card| {
                    json!({
                        "EventBusName": self.is.bus_name,
                        "Source": "host-app",
                        "DetailType": "timecard.approved",
                        "Detail": card.json(company).to_string(),
                    })
                })
                .collect();
            if calls.len() == 4 {
                calls.join_next().await;
            }
            let stack = self.clone();
            calls.spawn(async move {
                let body = json!({ "Entries": entries });
                let (status, answer) = stack.aws("events", "PutEvents", &body).await;
                assert!(status == 200 && answer["FailedEntryCount"] == 0, "{status} {answer}");
            });
        }
        calls.join_all().await;
    }

    /// Removes an entity from QuickBooks without a trace.
    pub async fn remove_from_quickbooks(&self, company: &Company, entity: &str, id: &str) {
        let path = format!("/companies/{}/{entity}/{id}", company.realm);
        let url = format!("{}{path}", self.is.sandbox_admin_url);
        let answer = self.http.delete(url).send().await.expect("the sandbox answers");
        assert!(answer.status().is_success(), "the sandbox has no {path}");
    }

    /// TimeActivities that QuickBooks holds.
    pub async fn activities(&self, company: &Company) -> Vec<Value> {
        let rows = self.sandbox().entities(&company.realm, "TimeActivity").await;
        rows.into_iter().filter(|row| text(row, "status") != "Deleted").collect()
    }

    /// Everything by which company and QuickBooks are not as they must be once these cards, and no
    /// others, went out: exactly one TimeActivity per card with its fields, the record synced, and
    /// nothing left to do.
    pub async fn not_exactly_once(&self, company: &Company, cards: &[Card]) -> Vec<String> {
        let activities = self.activities(company).await;
        let records = self.records(company).await;
        let mut wrong = Vec::new();
        if activities.len() != cards.len() {
            wrong.push(format!("{} TimeActivities for {} cards", activities.len(), cards.len()));
        }
        for card in cards {
            let Some(record) = records.get(&card.id) else {
                wrong.push(format!("{} is not stored", card.id));
                continue;
            };
            if record.status != "synced" || record.version != card.version {
                wrong.push(format!("{}: {record:?}", card.id));
            }
            let (id, version) = record.quick_books.clone().unwrap_or_default();
            match activities.iter().find(|activity| text(activity, "Id") == id) {
                Some(activity) if version == card.version => {
                    wrong.extend(card.differences(activity));
                }
                _ => wrong.push(format!("{}: TimeActivity {id:?} of version {version}", card.id)),
            }
        }
        wrong.extend(self.timecard_work(company).await.iter().map(|item| format!("left: {item}")));
        wrong.extend(self.open_sends(company).await.iter().map(|entry| format!("open: {entry}")));
        let dead = self.dead_letters(company).await;
        wrong.extend(dead.iter().map(|(id, reason)| format!("dead: {id}, {reason}")));
        wrong
    }

    /// See [`Stack::not_exactly_once`].
    ///
    /// # Panics
    ///
    /// If anything is not as it must be.
    pub async fn exactly_once(&self, company: &Company, cards: &[Card]) {
        let wrong = self.not_exactly_once(company, cards).await;
        assert!(wrong.is_empty(), "{}:\n{}", company.id, wrong.join("\n"));
    }

    /// Waits until all of these cards went out, without moving the clock.
    pub async fn all_synced(
        &self,
        company: &Company,
        cards: &[Card],
        patience: std::time::Duration,
    ) {
        let what = format!("{} cards of {} to be synced", cards.len(), company.id);
        super::eventually(&what, patience, async || {
            let records = self.records(company).await;
            let synced = |card: &Card| {
                let record = records.get(&card.id);
                record.is_some_and(|record| {
                    record.status == "synced" && record.version == card.version
                })
            };
            cards.iter().all(synced).then_some(())
        })
        .await;
        self.idle(&[company]).await;
    }
}
