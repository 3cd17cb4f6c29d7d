//! The table's rows: the same rules as the DynamoDB expressions in `platform::refresh::lease`, which
//! `same_rules` holds against these.

use jiff::Timestamp;
use platform::connections::{CLEAN_UP, Connection, ConnectionStatus};
use platform::refresh::lease::HardExpiry;
use platform::refresh::{Expiries, GivenBack, Lease, LeaseAsked};

/// `Connections::take_lease`.
pub(crate) fn take(
    row: &mut Option<Connection>,
    seen: &Connection,
    owner: &str,
    promised: &str,
    now: Timestamp,
) -> LeaseAsked {
    let ms = now.as_millisecond();
    let taken = match row {
        Some(row)
            if row.connection_id == seen.connection_id
                && row.version_id == seen.version_id
                && row.status == seen.status
                && row.refresh_fence == seen.refresh_fence
                && (row.refresh_owner.is_none()
                    || row.refresh_until.is_some_and(|at| at <= ms))
                && row.refresh_after.is_none_or(|at| at <= ms) =>
        {
            let lease = Lease::taken(row.clone(), owner, promised, now);
            write_lease(row, &lease);
            // What is written was computed from what was seen; the fence says that nothing was added.
            row.unresolved_versions = Lease::taken(seen.clone(), owner, promised, now).unresolved;
            return LeaseAsked::Taken(Box::new(lease));
        }
        Some(row) => row.refresh_owner.as_deref() == Some(owner),
        None => false,
    };
    if taken {
        return LeaseAsked::Taken(Box::new(Lease::taken(seen.clone(), owner, promised, now)));
    }
    LeaseAsked::refused(seen, row.as_ref(), now)
}

/// What the taking of a lease leaves on the row.
pub(crate) fn write_lease(row: &mut Connection, lease: &Lease) {
    row.refresh_owner = Some(lease.owner.clone());
    row.refresh_until = Some(lease.until.as_millisecond());
    row.refresh_fence = lease.fence;
    row.promised_version = Some(lease.promised.clone());
    row.unresolved_versions.clone_from(&lease.unresolved);
    row.refresh_after = None;
}

/// The fence: whether the row is still as the holder of the lease left it.
pub(crate) fn holds(row: &Connection, lease: &Lease) -> bool {
    row.connection_id == lease.connection.connection_id
        && row.refresh_owner.as_ref() == Some(&lease.owner)
        && row.refresh_fence == lease.fence
}

/// `Connections::point_at`, where the fence lets it through.
pub(crate) fn point_at(row: &mut Connection, lease: &Lease, version: &str, expiries: Expiries) {
    version.clone_into(&mut row.version_id);
    row.access_expires_at = expiries.access.as_millisecond();
    row.refresh_expires_at = expiries.refresh.as_millisecond();
    row.refreshed_at = expiries.issued.as_millisecond();
    let HardExpiry { hard, warn_at } = HardExpiry::after(&lease.connection, expiries);
    row.hard_expires_at = hard.map(Timestamp::as_millisecond);
    row.warn_at = warn_at.map(Timestamp::as_millisecond);
    "ok".clone_into(&mut row.last_refresh_result);
    release(row);
    row.unresolved_versions.clear();
    row.refresh_after = None;
}

/// `Connections::give_back`, where the fence lets it through.
pub(crate) fn give_back(
    row: &mut Connection,
    lease: &Lease,
    outcome: &GivenBack<'_>,
    now: Timestamp,
) {
    match *outcome {
        GivenBack::Unused => release(row),
        GivenBack::Failed { reason, after } => {
            reason.clone_into(&mut row.last_refresh_result);
            row.refresh_after = Some(after.as_millisecond());
            release(row);
        }
        GivenBack::Kept { reason, until } => {
            reason.clone_into(&mut row.last_refresh_result);
            row.refresh_until = Some(until.as_millisecond());
        }
        GivenBack::RefusedForGood { reason } => {
            reason.clone_into(&mut row.last_refresh_result);
            row.status = ConnectionStatus::ReconnectRequired;
            release(row);
            row.unresolved_versions.clear();
            if lease.connection.status != ConnectionStatus::Unconfirmed {
                row.clean_up_shard = Some(CLEAN_UP.to_owned());
                row.clean_up_at = Some(now.as_millisecond());
                row.live_shard = None;
                row.active_shard = None;
            }
        }
    }
}

fn release(row: &mut Connection) {
    row.refresh_owner = None;
    row.refresh_until = None;
    row.promised_version = None;
}

/// What a disconnect writes, however a refresh stands.
pub(crate) fn disconnect(row: &mut Connection, now: Timestamp) {
    row.status = ConnectionStatus::Disconnected;
    row.disconnected_at = Some(now.as_millisecond());
    row.refresh_fence += 1;
    row.refresh_owner = None;
    row.refresh_until = None;
    row.refresh_after = None;
    row.live_shard = None;
    row.active_shard = None;
}
