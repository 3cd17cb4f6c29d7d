//! Who in the host app is who in QuickBooks, and how a timecard is written there.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{collections::HashMap, hash::Hash, str::FromStr};

use crate::{
    ClassId, CostCodeId, CustomerId, EmployeeId, FieldError, IdError, ItemId, ProjectId, WorkerId,
    fields::{Fields, shortened},
};

/// The profile that a company starts with.
pub const DEFAULT_PROFILE: &str = "default";

/// The longest name of a profile, in characters.
const MAX_PROFILE_NAME: usize = 64;

const KNOWN: [&str; 7] = [
    "profile",
    "employeeMapping",
    "customerMapping",
    "costCodeMapping",
    "costCodeTarget",
    "timeFormat",
    "marker",
];

/// What an answer of ours carries besides; sent back, it changes nothing.
const IGNORED: [&str; 4] = ["companyId", "version", "updatedBy", "updatedAt"];

/// What a cost code becomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CostCodeTarget {
    /// An Item of the type Service.
    #[default]
    ServiceItem,
    /// A Class.
    Class,
}

/// How the time is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TimeFormat {
    /// Net hours and minutes; the clock times stand in the Description.
    #[default]
    Duration,
    /// Start, end and break, where QuickBooks then counts the same net time.
    StartEnd,
}

/// One worker is one employee.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EmployeeMapping {
    /// The worker.
    pub crewflow_worker_id: WorkerId,
    /// Who it is in QuickBooks.
    pub qbo_employee_id: EmployeeId,
}

/// One project is one customer, sub-customer or project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomerMapping {
    /// The project.
    pub crewflow_project_id: ProjectId,
    /// What it is in QuickBooks.
    pub qbo_customer_id: CustomerId,
}

/// One cost code is one service item, or one class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CostCodeMapping {
    /// The cost code.
    pub crewflow_cost_code_id: CostCodeId,
    /// The service item, used where cost codes go to items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qbo_service_item_id: Option<ItemId>,
    /// The class, used where cost codes go to classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qbo_class_id: Option<ClassId>,
}

/// A company's mapping. Fields that this version does not know are tolerated when it reads a stored one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Mapping {
    /// The profile's name.
    pub profile: String,
    /// Workers and employees.
    pub employee_mapping: Vec<EmployeeMapping>,
    /// Projects and customers.
    pub customer_mapping: Vec<CustomerMapping>,
    /// Cost codes and items or classes.
    pub cost_code_mapping: Vec<CostCodeMapping>,
    /// What cost codes become.
    pub cost_code_target: CostCodeTarget,
    /// How the time is written.
    pub time_format: TimeFormat,
    /// Whether the marker ends the Description, by which a record is found again.
    pub marker: bool,
    /// Counts the saves, from 1; 0 was never saved.
    pub version: u64,
    /// Who saved it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_by: Option<String>,
    /// When it was saved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
}

impl Default for Mapping {
    fn default() -> Self {
        Self {
            profile: DEFAULT_PROFILE.to_owned(),
            employee_mapping: Vec::new(),
            customer_mapping: Vec::new(),
            cost_code_mapping: Vec::new(),
            cost_code_target: CostCodeTarget::default(),
            time_format: TimeFormat::default(),
            marker: true,
            version: 0,
            updated_by: None,
            updated_at: None,
        }
    }
}

impl Mapping {
    /// Reads a mapping as an admin sends it. Absent lists are empty. `version`, `updatedBy` and `updatedAt` are the saver's business
    /// and not read.
    ///
    /// On failure every problem is there, with the place of its row. Names that are no field are refused, since a list under a
    /// misspelt name would empty the real one.
    pub fn from_json(value: &Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(value, "mapping", "")?;
        fields.refuse_others(&KNOWN, &IGNORED);
        let defaults = Self::default();
        let cost_code_target = fields.choice(
            "costCodeTarget",
            &[("serviceItem", CostCodeTarget::ServiceItem), ("class", CostCodeTarget::Class)],
        );
        let target = cost_code_target.unwrap_or_default();
        let mapping = Self {
            profile: profile(&mut fields).unwrap_or(defaults.profile),
            employee_mapping: rows(
                &mut fields,
                "employeeMapping",
                "crewflowWorkerId",
                |row, worker| {
                    let employee = target_id(row, "qboEmployeeId", "employee");
                    Some(EmployeeMapping {
                        crewflow_worker_id: worker?,
                        qbo_employee_id: employee?,
                    })
                },
            ),
            customer_mapping: rows(
                &mut fields,
                "customerMapping",
                "crewflowProjectId",
                |row, project| {
                    let customer = target_id(row, "qboCustomerId", "customer");
                    Some(CustomerMapping {
                        crewflow_project_id: project?,
                        qbo_customer_id: customer?,
                    })
                },
            ),
            cost_code_mapping: rows(
                &mut fields,
                "costCodeMapping",
                "crewflowCostCodeId",
                |row, code| cost_code(row, code, target),
            ),
            cost_code_target: target,
            time_format: fields
                .choice(
                    "timeFormat",
                    &[("duration", TimeFormat::Duration), ("startEnd", TimeFormat::StartEnd)],
                )
                .unwrap_or_default(),
            marker: fields.boolean("marker").unwrap_or(defaults.marker),
            ..Self::default()
        };
        fields.finish(Some(mapping))
    }

    /// Who the worker is in QuickBooks.
    pub fn employee(&self, worker: &WorkerId) -> Option<&EmployeeId> {
        let row = self.employee_mapping.iter().find(|row| row.crewflow_worker_id == *worker)?;
        Some(&row.qbo_employee_id)
    }

    /// What the project is in QuickBooks.
    pub fn customer(&self, project: &ProjectId) -> Option<&CustomerId> {
        let row = self.customer_mapping.iter().find(|row| row.crewflow_project_id == *project)?;
        Some(&row.qbo_customer_id)
    }

    /// What the cost code is in QuickBooks.
    pub fn cost_code(&self, code: &CostCodeId) -> Option<&CostCodeMapping> {
        self.cost_code_mapping.iter().find(|row| row.crewflow_cost_code_id == *code)
    }
}

impl Fields<'_> {
    fn choice<T: Copy>(&mut self, field: &str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(field)?;
        let choice = words.iter().find(|(word, _)| *word == text).map(|(_, choice)| *choice);
        if choice.is_none() {
            let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            self.note(
                field,
                "unknown-choice",
                format!("{field} cannot be '{}'.", shortened(text)),
                format!("Choose one of {}.", known.join(", ")),
            );
        }
        choice
    }
}

fn profile(fields: &mut Fields<'_>) -> Option<String> {
    let name = fields.text("profile")?;
    let fits = !name.trim().is_empty()
        && name.trim() == name
        && name.chars().count() <= MAX_PROFILE_NAME
        && !name.chars().any(|c| c == '#' || c.is_control());
    if !fits {
        fields.note(
            "profile",
            "invalid-name",
            format!("'{}' cannot be the name of a profile.", shortened(name)),
            format!("Use 1 to {MAX_PROFILE_NAME} characters, without '#' and line breaks."),
        );
    }
    fits.then(|| name.to_owned())
}

/// Reads the rows of a list, of which each names one `key` that no other row names.
fn rows<K, R>(
    fields: &mut Fields<'_>,
    list: &str,
    key: &str,
    read: impl Fn(&mut Fields<'_>, Option<K>) -> Option<R>,
) -> Vec<R>
where
    K: FromStr<Err = IdError> + Clone + Eq + Hash + std::fmt::Display,
{
    let mut read_rows = Vec::new();
    let Some(value) = fields.value(list) else { return read_rows };
    let Some(entries) = value.as_array() else {
        fields.wrong_type(list, value, "a list of objects");
        return read_rows;
    };
    let mut first_rows: HashMap<K, usize> = HashMap::new();
    for (index, entry) in entries.iter().enumerate() {
        let path = format!("{list}[{index}]");
        let mut row = match Fields::of(entry, "row", &path) {
            Ok(row) => row,
            Err(problems) => {
                fields.problems.extend(problems);
                continue;
            }
        };
        let id: Option<K> = row.required_id(key, &format!("Give {key}, or remove the row."));
        if let Some(id) = &id {
            let first = *first_rows.entry(id.clone()).or_insert(index);
            if first != index {
                row.note(
                    key,
                    "duplicate",
                    format!("{id} is mapped twice: in row {index} and in row {first}."),
                    "Remove one of the two rows.",
                );
            }
        }
        read_rows.extend(read(&mut row, id));
        fields.problems.append(&mut row.problems);
    }
    read_rows
}

fn target_id<T: FromStr<Err = IdError>>(
    row: &mut Fields<'_>,
    field: &str,
    what: &str,
) -> Option<T> {
    row.required_id(field, &format!("Choose the QuickBooks {what}, or remove the row."))
}

fn cost_code(
    row: &mut Fields<'_>,
    code: Option<CostCodeId>,
    target: CostCodeTarget,
) -> Option<CostCodeMapping> {
    let item = row.id("qboServiceItemId");
    let class = row.id("qboClassId");
    let (field, what) = match target {
        CostCodeTarget::ServiceItem => ("qboServiceItemId", "service item"),
        CostCodeTarget::Class => ("qboClassId", "class"),
    };
    // A row that leaves open what all cost codes become would fail each of its timecards.
    row.required(field, &format!("Choose the QuickBooks {what}, or remove the row."))?;
    Some(CostCodeMapping {
        crewflow_cost_code_id: code?,
        qbo_service_item_id: item,
        qbo_class_id: class,
    })
}
