//! Counting crashes. A worker that takes an expired lease over counts a crash on what its predecessor
//! had in hand, and on nothing that only waited. At two, a record runs alone; at four it is given up as poison, so that the others go on.

use domain::retry::CRASHES_POISON;
use platform::Result;
use platform::work::DeadReason;

use crate::conclude::{Conclusions, timecard_id};
use crate::drain::Drain;
use crate::failure::poison;

impl Drain<'_> {
    /// Counts one crash on everything that the predecessor had in hand.
    pub async fn count_crash(&mut self) -> Result<()> {
        let predecessor = self.keeper.lease().fence.saturating_sub(1);
        for journal in self.open_sends().await? {
            let Some(in_hand) = journal.in_hand.clone().filter(|hand| hand.fence == predecessor)
            else {
                continue;
            };
            let mut conclusions = Conclusions::default();
            let keys: Vec<String> =
                journal.entries.iter().map(|entry| entry.work_item.clone()).collect();
            let items = self.worker.work.items(&self.company, &keys).await?;
            let ids: Vec<_> =
                journal.entries.iter().filter_map(|entry| timecard_id(&entry.record)).collect();
            let records = self.timecards(&ids).await?;
            for mut entry in journal.entries.clone() {
                let ran = in_hand.record.as_ref().is_none_or(|record| *record == entry.record);
                entry.crashes += u32::from(ran && !entry.parked);
                let record = timecard_id(&entry.record).and_then(|id| records.get(&id));
                match record {
                    Some(record) if entry.crashes >= CRASHES_POISON && !entry.parked => {
                        let item = items
                            .iter()
                            .find(|item| item.key == entry.work_item && item.seq == entry.seq)
                            .cloned();
                        conclusions.park(item, record, entry, DeadReason::Poison, poison());
                    }
                    _ => conclusions.keep(entry),
                }
            }
            conclusions.write_down(self, Some(journal)).await?;
        }
        Ok(())
    }
}
