//! The lease of a company: one worker drains it at a time.
//!
//! A company's work is drained by one worker at a time. The worker takes the **lease**: one conditional
//! write that needs no lease, or an expired one, to be there. Each taking raises the **fence**, a number
//! that every later write of that worker carries or checks. While a lease is held, `nextDue` is its
//! end: if the worker dies, the one-minute sweep finds the row there and rings.
//!
//! *Guaranteed*: two holders never overlap by the shared clock; a release by somebody who is not the
//! holder changes nothing; work that was added while the lease was held (`again`) is never left behind
//! by a release. *Not guaranteed*: that a holder whose process was stopped for longer than the lease
//! knows it. It finds out at its next write, and a request of its own to Intuit may still be under
//! way; that is what the journal's waiting time is for (`journal`).

use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};
use domain::ids::CompanyId;
use jiff::{SignedDuration, Timestamp};

use super::{Companies, CompanyState, Row};
use crate::dynamo::{flag, ms, n, not_met, s};
use crate::error::Result;
use crate::keys;

/// How long a lease lasts without renewal. Long enough for a call's time-out (30 s) plus 15 s, several
/// times over; short enough that a crashed company waits little.
pub const LEASE: SignedDuration = SignedDuration::from_secs(90);

/// A lease as its holder knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The company.
    pub company: CompanyId,
    /// The holder: one per drain.
    pub owner: String,
    /// Raised at each taking.
    pub fence: u64,
    /// When it ends unless renewed.
    pub until: Timestamp,
    /// What runs, as of the last renewal.
    pub state: CompanyState,
    /// Work was added since the lease was taken or since [`Companies::renew`] last cleared it.
    pub again: bool,
    /// It was taken over from a holder that let it expire: a crash.
    pub taken_over: bool,
}

/// What came of asking for a lease.
#[derive(Debug)]
pub enum Acquired {
    /// It is ours.
    Yes(Lease),
    /// Somebody else holds it; they were told to look again before they release it.
    Held,
    /// The company is paused or unknown.
    NotRunning,
}

/// What came of releasing a lease.
#[derive(Debug, PartialEq, Eq)]
pub enum Released {
    /// Released; `nextDue` is as asked.
    Yes,
    /// Not released: work was added meanwhile. Drain once more, or give up the slice with `Again`.
    Again,
    /// Released, but the company was paused or switched meanwhile; the row says what is due.
    StateChanged,
    /// It was not ours any more. Nothing was changed.
    Lost,
}

impl Companies {
    /// Asks for the company's lease.
    pub async fn acquire(
        &self,
        company: &CompanyId,
        owner: &str,
        now: Timestamp,
    ) -> Result<Acquired> {
        let until = now + LEASE;
        let taken = self
            .update(company)
            .update_expression(
                "SET leaseOwner = :owner, leaseUntil = :until, fence = if_not_exists(fence, :zero) + :one, \
                 again = :false, nextDue = :until, dueShard = :shard",
            )
            .condition_expression(
                "#state IN (:live, :inward) AND (attribute_not_exists(leaseOwner) OR leaseUntil <= :now)",
            )
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":live", s(CompanyState::Live.as_str()))
            .expression_attribute_values(":inward", s(CompanyState::Inward.as_str()))
            .expression_attribute_values(":owner", s(owner))
            .expression_attribute_values(":until", ms(until))
            .expression_attribute_values(":now", ms(now))
            .expression_attribute_values(":zero", n(0))
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":false", flag(false))
            .expression_attribute_values(":shard", s(keys::due_shard(company)))
            .return_values(ReturnValue::AllOld)
            .send()
            .await;
        match taken {
            Ok(answer) => {
                let before = Row::read(answer.attributes.unwrap_or_default())?;
                Ok(Acquired::Yes(Lease {
                    company: company.clone(),
                    owner: owner.to_owned(),
                    fence: before.fence + 1,
                    until,
                    state: before.state,
                    again: false,
                    taken_over: before.lease_owner.is_some(),
                }))
            }
            Err(error) => {
                let row = not_met(error, "take the company lease")?.map(Row::read).transpose()?;
                if row.is_some_and(|row| row.held(now)) {
                    self.mark_again(company).await?;
                    Ok(Acquired::Held)
                } else {
                    Ok(Acquired::NotRunning)
                }
            }
        }
    }

    async fn mark_again(&self, company: &CompanyId) -> Result<()> {
        let marked = self
            .update(company)
            .update_expression("SET again = :true")
            .condition_expression("attribute_exists(leaseOwner)")
            .expression_attribute_values(":true", flag(true))
            .send()
            .await;
        match marked {
            Ok(_) => Ok(()),
            Err(error) => not_met(error, "tell the lease's holder to look again").map(|_| ()),
        }
    }

    /// Renews the lease and reads the row's news. `clear_again` is for the start of a pass over the
    /// work. Answers `None` when the lease is not ours any more.
    pub async fn renew(
        &self,
        lease: &Lease,
        clear_again: bool,
        now: Timestamp,
    ) -> Result<Option<Lease>> {
        let until = now + LEASE;
        let clear = if clear_again { ", again = :false" } else { "" };
        let mut update = self
            .held_by(lease)
            .update_expression(format!("SET leaseUntil = :until{clear}"))
            .expression_attribute_values(":until", ms(until))
            .return_values(ReturnValue::AllNew);
        if clear_again {
            update = update.expression_attribute_values(":false", flag(false));
        }
        match update.send().await {
            Ok(answer) => {
                let row = Row::read(answer.attributes.unwrap_or_default())?;
                Ok(Some(Lease { until, state: row.state, again: row.again, ..lease.clone() }))
            }
            Err(error) => not_met(error, "renew the company lease").map(|_| None),
        }
    }

    /// Gives the lease back and says when work is due next; `None` takes the company out of the due
    /// index. With `even_if_again`, work added meanwhile does not stop the release: the caller rings.
    pub async fn release(
        &self,
        lease: &Lease,
        next_due: Option<Timestamp>,
        even_if_again: bool,
    ) -> Result<Released> {
        let due = if next_due.is_some() { "nextDue = :due, dueShard = :shard" } else { "" };
        let expression = if due.is_empty() {
            "REMOVE leaseOwner, leaseUntil, again, nextDue, dueShard".to_owned()
        } else {
            format!("SET {due} REMOVE leaseOwner, leaseUntil, again")
        };
        let mut condition = "leaseOwner = :owner AND fence = :fence AND #state = :state".to_owned();
        if !even_if_again {
            condition.push_str(" AND again = :false");
        }
        let mut update = self
            .update(&lease.company)
            .update_expression(expression)
            .condition_expression(condition)
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":owner", s(&lease.owner))
            .expression_attribute_values(":fence", n(lease.fence))
            .expression_attribute_values(":state", s(lease.state.as_str()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        if let Some(at) = next_due {
            update = update
                .expression_attribute_values(":due", ms(at))
                .expression_attribute_values(":shard", s(keys::due_shard(&lease.company)));
        }
        if !even_if_again {
            update = update.expression_attribute_values(":false", flag(false));
        }
        let Err(error) = update.send().await else { return Ok(Released::Yes) };
        let Some(row) = not_met(error, "release the company lease")?.map(Row::read).transpose()?
        else {
            return Ok(Released::Lost);
        };
        if row.lease_owner.as_deref() != Some(&lease.owner) || row.fence != lease.fence {
            return Ok(Released::Lost);
        }
        if row.state == lease.state {
            return Ok(Released::Again);
        }
        self.release_after_switch(lease).await
    }

    /// The company was switched while we held the lease: the switch wrote `nextDue` itself.
    async fn release_after_switch(&self, lease: &Lease) -> Result<Released> {
        let released = self
            .held_by(lease)
            .update_expression("REMOVE leaseOwner, leaseUntil, again")
            .send()
            .await;
        match released {
            Ok(_) => Ok(Released::StateChanged),
            Err(error) => not_met(error, "release the company lease").map(|_| Released::Lost),
        }
    }

    fn held_by(
        &self,
        lease: &Lease,
    ) -> aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder {
        self.update(&lease.company)
            .condition_expression("leaseOwner = :owner AND fence = :fence")
            .expression_attribute_values(":owner", s(&lease.owner))
            .expression_attribute_values(":fence", n(lease.fence))
    }
}
