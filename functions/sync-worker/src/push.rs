//! Timecards out: check, journal, send, conclude.
//!
//! Cards go in groups: one journal item, one round of calls, one set of writes. A group is small enough
//! that urgent work waits for it only a few seconds, and large enough that AWS is asked a few times per
//! group rather than per card.

use std::collections::HashSet;

use domain::ids::TimecardId;
use domain::problem::FieldError;
use domain::retry::CRASHES_ALONE;
use domain::time_activity::{Decision, Frozen, TimeActivityBody, decide, differences};
use domain::timecard::Timecard;
use futures::StreamExt;
use jiff::SignedDuration;
use platform::Result;
use platform::access::AccessError;
use platform::journal::{Entry, JournalItem, MAX_BYTES, Operation};
use platform::keys;
use platform::records::{QuickBooksCopy, TimecardRecord};
use platform::work::WorkItem;
use quickbooks::{CallError, Entity};
use serde_json::Value;
use uuid::Uuid;

use crate::conclude::Conclusions;
use crate::drain::Drain;
use crate::failure::{already_billed, refusal};
use crate::send::{Answer, no_access};

/// Cards sent under one journal item: five seconds' worth at 8 calls a second.
const GROUP: usize = 40;
/// A group starts no call later than this after its journal was written. What is left over goes into
/// the next group.
const SEND_WITHIN: SignedDuration = SignedDuration::from_secs(20);

/// A card that is ready to be sent.
struct Ready {
    item: WorkItem,
    record: TimecardRecord,
    entry: Entry,
}

/// What looking at QuickBooks before an update came to.
enum Current {
    /// It must be written: this is the whole new body.
    Write(String),
    /// It shows the card already.
    Same(Value),
    /// It must not be written.
    Refused(FieldError),
    /// QuickBooks could not be asked; the reason.
    Later(String),
    /// There is no access: nothing is touched.
    NotTried,
}

impl Drain<'_> {
    /// Sends what is due. Answers false when the slice must end.
    pub async fn push(&mut self, cards: Vec<(TimecardId, WorkItem)>) -> Result<bool> {
        let ids: Vec<TimecardId> = cards.iter().map(|(id, _)| id.clone()).collect();
        let mut records = self.timecards(&ids).await?;
        let mut known = Vec::with_capacity(cards.len());
        let mut conclusions = Conclusions::default();
        let mut asked_for_parked = false;
        for (id, item) in cards {
            let key = keys::timecard(&id);
            asked_for_parked |= self.parked.contains(&key);
            if self.unsettled.contains(&key) {
                continue;
            }
            match records.remove(&id) {
                None => conclusions.nothing(item),
                Some(record) if record.is_current() => conclusions.already_synced(item),
                Some(record) if record.is_former() => conclusions.nothing(item),
                Some(record) => {
                    let card = record.timecard()?;
                    known.push((item, record, card));
                }
            }
        }
        if asked_for_parked {
            self.unpark(&ids).await?;
        }
        self.read_names(known.iter().map(|(_, _, card)| card)).await?;

        let mut ready = Vec::new();
        for (item, record, card) in known {
            match self.decide(&card, record.frozen.as_ref()).await {
                Decision::BeforeStart { .. } => conclusions.before_start(item, &record),
                Decision::Refused(errors) => conclusions.check_failed(item, &record, errors),
                Decision::Send { body, frozen } => ready.push((item, record, body, frozen)),
            }
        }
        conclusions.write_down(self, None).await?;

        let mut ready = ready.into_iter().peekable();
        while ready.peek().is_some() {
            if self.stopping() {
                return Ok(false);
            }
            let mut conclusions = Conclusions::default();
            let mut group: Vec<Ready> = Vec::new();
            let mut bytes = 0;
            while let Some((item, ..)) = ready.peek() {
                let alone = item.crashes >= CRASHES_ALONE;
                if group.len() == GROUP || (alone && !group.is_empty()) {
                    break;
                }
                let Some((item, record, body, frozen)) = ready.next() else { break };
                if let Some(card) =
                    self.make_ready(item, record, &body, frozen, &mut conclusions).await?
                {
                    bytes += card.entry.body.len() * 2;
                    group.push(card);
                }
                if alone || bytes > MAX_BYTES / 2 {
                    break;
                }
            }
            if !self.send_group(group, conclusions).await? {
                return Ok(false);
            }
            self.look_at_urgent().await?;
        }
        Ok(true)
    }

    /// What the rules say about a card, with the names read so far.
    pub async fn decide(&self, card: &Timecard, frozen: Option<&Frozen>) -> Decision {
        let names = self.names.lock().await;
        decide(card, &self.mapping.document, &*names, &self.settings.document, frozen)
    }

    /// Reads the names that these cards point to and that were not read yet.
    pub async fn read_names(&self, cards: impl Iterator<Item = &Timecard>) -> Result<()> {
        let mapping = &self.mapping.document;
        let mut names = self.names.lock().await;
        let mut wanted = HashSet::new();
        for card in cards {
            if let Some(employee) = mapping.employee(&card.worker_id) {
                wanted.insert(keys::imported(Entity::Employee, employee.as_ref()));
            }
            if let Some(customer) = mapping.customer(&card.project_id) {
                wanted.insert(keys::imported(Entity::Customer, customer.as_ref()));
            }
            if let Some(code) = card.cost_code_id.as_ref().and_then(|code| mapping.cost_code(code))
            {
                if let Some(item) = &code.qbo_service_item_id {
                    wanted.insert(keys::imported(Entity::Item, item.as_ref()));
                }
                if let Some(class) = &code.qbo_class_id {
                    wanted.insert(keys::imported(Entity::Class, class.as_ref()));
                }
            }
        }
        wanted.retain(|key| !names.has(key));
        let found = self.worker.records.imported(&self.company, &self.realm, wanted).await?;
        names.extend(&found);
        Ok(())
    }

    /// Makes the journal entry of a card, or says why there is none.
    async fn make_ready(
        &self,
        item: WorkItem,
        record: TimecardRecord,
        body: &TimeActivityBody,
        frozen: Frozen,
        conclusions: &mut Conclusions,
    ) -> Result<Option<Ready>> {
        let json = serde_json::to_string(body)
            .map_err(|error| platform::Error::unreadable(&record.item, error))?;
        let (operation, json) = match &record.quick_books {
            None => (Operation::Create, json),
            Some(copy) => match self.current(copy, body, &json).await? {
                Current::Write(json) => (Operation::Update, json),
                Current::Same(stored) => {
                    let version = record.version;
                    conclusions.stored(Some(item), &record, version, frozen, &stored, Vec::new());
                    return Ok(None);
                }
                Current::Refused(error) => {
                    conclusions.refused(Some(item), &record, record.version, vec![error], None);
                    return Ok(None);
                }
                Current::NotTried => {
                    conclusions.not_tried();
                    return Ok(None);
                }
                Current::Later(reason) => {
                    let now = self.worker.clock.now().await;
                    let attempts = item.attempts + 1;
                    let due = domain::retry::next_attempt(attempts, now, rand::random());
                    let counts = (attempts, item.crashes);
                    conclusions.anew(Some(item), &record, record.version, due, counts, &reason);
                    return Ok(None);
                }
            },
        };
        let now = self.worker.clock.now().await;
        let entry = Entry {
            record: record.item.clone(),
            work_item: item.key.clone(),
            seq: item.seq.clone(),
            version: record.version,
            operation,
            request_id: Uuid::new_v4().to_string(),
            body: json,
            frozen,
            attempts: item.attempts,
            crashes: item.crashes,
            first_sent_at: now.as_millisecond(),
            resend_at: None,
            look_up: false,
            parked: false,
        };
        Ok(Some(Ready { item, record, entry }))
    }

    /// Reads a TimeActivity and lays our fields over it.
    async fn current(
        &self,
        copy: &QuickBooksCopy,
        body: &TimeActivityBody,
        json: &str,
    ) -> Result<Current> {
        let read = self
            .quickbooks
            .call_paced(
                &self.company,
                async || self.leave(None).await,
                async |client, session| client.read(session, Entity::TimeActivity, &copy.id).await,
            )
            .await;
        let stored = match read {
            Ok(stored) => stored,
            Err(AccessError::Call(CallError::Refused(fault))) => {
                return Ok(Current::Refused(refusal(&fault)));
            }
            Err(AccessError::Declined) => return Ok(Current::NotTried),
            Err(error) if no_access(&error) => {
                self.keeper.note_no_access();
                return Ok(Current::NotTried);
            }
            Err(error) => return Ok(Current::Later(error.to_string())),
        };
        if stored.get("BillableStatus").and_then(Value::as_str) == Some("HasBeenBilled") {
            return Ok(Current::Refused(already_billed()));
        }
        let description = body.description.as_deref().unwrap_or_default();
        if differences(body, &stored).is_empty()
            && stored.get("Description").and_then(Value::as_str).unwrap_or_default() == description
        {
            return Ok(Current::Same(stored));
        }
        lay_over(stored, json).map(Current::Write)
    }

    /// Journals and sends a group, and writes down what came of it. Answers false when the lease is
    /// not ours any more.
    async fn send_group(
        &mut self,
        group: Vec<Ready>,
        mut conclusions: Conclusions,
    ) -> Result<bool> {
        if group.is_empty() {
            conclusions.write_down(self, None).await?;
            return Ok(true);
        }
        let send_by = self.worker.clock.now().await + SEND_WITHIN;
        let entries = group.iter().map(|card| card.entry.clone()).collect();
        let journal = JournalItem::new(&self.keeper.lease(), self.realm.clone(), send_by, entries);
        if !self.worker.journal.write(&self.keeper.lease(), &journal).await? {
            return Ok(false);
        }
        let this: &Self = self;
        let answers: Vec<(usize, Answer)> = futures::stream::iter(group.iter().enumerate())
            .map(
                |(index, card)| async move { (index, this.send(&card.entry, send_by, true).await) },
            )
            .buffer_unordered(GROUP)
            .collect()
            .await;
        let mut group: Vec<Option<Ready>> = group.into_iter().map(Some).collect();
        for (index, answer) in answers {
            if let Some(Ready { item, record, entry }) = group[index].take() {
                conclusions.answered(Some(item), &record, entry, answer);
            }
        }
        conclusions.write_down(self, Some(journal)).await?;
        Ok(true)
    }
}

/// The fields of a TimeActivity that are ours: an update sets them or takes them away.
const OURS: [&str; 16] = [
    "TxnDate",
    "NameOf",
    "EmployeeRef",
    "CustomerRef",
    "ItemRef",
    "ClassRef",
    "BillableStatus",
    "HourlyRate",
    "Hours",
    "Minutes",
    "Seconds",
    "StartTime",
    "EndTime",
    "BreakHours",
    "BreakMinutes",
    "Description",
];

/// QuickBooks sets every field to null that a full update leaves out, so what is not ours stays.
fn lay_over(mut stored: Value, json: &str) -> Result<String> {
    let unreadable = |error| platform::Error::unreadable("a TimeActivity", error);
    let ours: Value = serde_json::from_str(json).map_err(unreadable)?;
    if let (Some(stored), Value::Object(ours)) = (stored.as_object_mut(), ours) {
        for field in OURS {
            stored.remove(field);
        }
        stored.extend(ours);
    }
    serde_json::to_string(&stored).map_err(unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_update_keeps_what_is_not_ours_and_drops_what_we_no_longer_say() {
        let stored = json!({
            "Id": "6", "SyncToken": "2", "DepartmentRef": {"value": "3"}, "Hours": 8, "Minutes": 0,
            "StartTime": "08:00:00-07:00", "Description": "old"
        });
        let body = lay_over(stored, r#"{"Hours":7,"Minutes":30,"Description":"new"}"#).unwrap();
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            body,
            json!({"Id": "6", "SyncToken": "2", "DepartmentRef": {"value": "3"}, "Hours": 7, "Minutes": 30, "Description": "new"})
        );
    }
}
