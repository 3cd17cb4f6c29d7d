//! A company's data as a state file has it: without what follows from the rest.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::State;
use crate::{
    entities::Kind,
    store::{Profile, Table},
};

/// See the module.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Written {
    profile: Profile,
    emails: (Date, u32),
    sequence: u64,
    /// The highest DocNumber so far, which may be that of a transaction that is gone.
    last_number: BTreeMap<Kind, u64>,
    tables: BTreeMap<Kind, Table>,
}

impl From<State> for Written {
    fn from(state: State) -> Self {
        // Named one by one, so that a new field is not forgotten here.
        let State { profile, zone: _, tables, names: _, index, emails, sequence, changes: _ } =
            state;
        Self {
            profile,
            emails,
            sequence,
            last_number: index.last_number.into_iter().collect(),
            tables: tables.into_iter().collect(),
        }
    }
}

impl TryFrom<Written> for State {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written { profile, emails, sequence, last_number, tables } = written;
        let mut state = Self::new(profile)?;
        (state.emails, state.sequence) = (emails, sequence);
        for (kind, table) in tables {
            let records: Vec<_> = table.iter().cloned().collect();
            // With its gravestones; the records go in one by one for names, links and balances.
            state.tables.insert(kind, table.emptied());
            for record in records {
                state.put_record(kind, record);
            }
        }
        state.index.last_number.extend(last_number);
        Ok(state)
    }
}
