//! Turning a job into work: every timecard that waits or failed, and one import per entity.
//!
//! It runs under the company's lease, so nothing finishes meanwhile, and what it counts is exact. If it
//! is interrupted it starts over, and the last count is the one that holds.

use std::collections::BTreeMap;

use domain::ids::{JobId, TimecardId};
use domain::work::Lane;
use platform::Result;
use platform::companies::CompanyState;
use platform::jobs::{Job, JobEntity, Outcome};
use platform::keys::{self, Task};
use platform::work::{Finished, NewWork, WorkItem};
use quickbooks::Entity;

use crate::conclude::timecard_id;
use crate::drain::Drain;

impl Drain<'_> {
    /// Adds the job's work and finishes the plan.
    pub async fn plan(&mut self, item: WorkItem, job_id: JobId) -> Result<()> {
        let now = self.worker.clock.now().await;
        if let Some(job) = self.worker.jobs.get(&job_id).await? {
            let mut work: Vec<NewWork> = job
                .entities
                .iter()
                .filter_map(|entity| imported(*entity))
                .map(|entity| self.for_job(&job, job.lane, Task::Import(entity), now))
                .collect();
            if job.entities.contains(&JobEntity::Timecards) && self.state == CompanyState::Live {
                for (id, lane) in self.waiting_timecards(job.lane).await? {
                    work.push(self.for_job(&job, lane, Task::Timecard(id), now));
                }
            }
            self.worker.jobs.planned(&job_id, work.len() as u64, now).await?;
            self.worker.work.add(&work).await?;
            self.due_at(now);
        }
        let finished = Finished { item, outcome: Outcome::Nothing };
        self.worker.work.finish(&self.worker.jobs, &[finished], now).await
    }

    fn for_job(&self, job: &Job, lane: Lane, task: Task, now: jiff::Timestamp) -> NewWork {
        NewWork { company: self.company.clone(), lane, task, due: now, job: Some(job.job.clone()) }
    }

    /// Timecards in the work list, in their lanes, and dead letters, in the job's lane.
    async fn waiting_timecards(&self, job_lane: Lane) -> Result<BTreeMap<TimecardId, Lane>> {
        let mut waiting = BTreeMap::new();
        for lane in Lane::ALL {
            let prefix = format!("{lane}#timecard#");
            let mut after = None;
            loop {
                let (items, next) =
                    self.worker.work.page(&self.company, &prefix, after, 500).await?;
                for item in items {
                    if let Task::Timecard(id) = item.task {
                        waiting.entry(id).or_insert(lane);
                    }
                }
                match next {
                    Some(key) => after = Some(key),
                    None => break,
                }
            }
        }
        let mut after = None;
        loop {
            let (letters, next) =
                self.worker.work.buried(self.company.as_ref(), keys::DEAD, after).await?;
            for letter in letters {
                if let Some(id) = letter.item.strip_prefix(keys::DEAD).and_then(timecard_id) {
                    waiting.entry(id).or_insert(job_lane);
                }
            }
            match next {
                Some(key) => after = Some(key),
                None => return Ok(waiting),
            }
        }
    }
}

fn imported(entity: JobEntity) -> Option<Entity> {
    match entity {
        JobEntity::Timecards => None,
        JobEntity::Employees => Some(Entity::Employee),
        JobEntity::Customers => Some(Entity::Customer),
        JobEntity::Items => Some(Entity::Item),
        JobEntity::Classes => Some(Entity::Class),
    }
}
