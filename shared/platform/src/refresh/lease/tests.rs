use jiff::SignedDuration;

use super::*;

fn now() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

/// A live connection that nobody refreshes.
pub(crate) fn a_connection() -> Connection {
    serde_json::from_value(serde_json::json!({
        "id": "company#hollow-oak", "company": "hollow-oak", "connectionId": "c1",
        "realm": "91001", "environment": "sandbox", "companyName": "Hollow Oak",
        "status": "connected", "secret": "tokens/hollow-oak/c1", "ready": true,
        "versionId": "v1", "accessExpiresAt": 0, "refreshExpiresAt": 0, "refreshedAt": 0,
        "lastRefreshResult": "ok", "connectedBy": "u", "connectedAt": 0, "refreshFence": 7
    }))
    .unwrap()
}

fn held() -> Connection {
    Connection {
        refresh_owner: Some("somebody".to_owned()),
        refresh_until: Some((now() + LEASE).as_millisecond()),
        promised_version: Some("promised".to_owned()),
        ..a_connection()
    }
}

#[test]
fn a_lease_raises_the_fence_and_outlives_every_process() {
    let lease = Lease::taken(a_connection(), "we", "new", now());
    assert_eq!((lease.fence, lease.until, lease.promised.as_str()), (8, now() + LEASE, "new"));
    assert_eq!(lease.unresolved, Vec::<String>::new());
    // The longest time-out of a function, and the reserve for clocks that differ.
    assert!(LEASE >= SignedDuration::from_secs(180 + 20));
}

#[test]
fn a_lease_that_ran_out_leaves_its_promise_to_the_next() {
    let row = Connection { unresolved_versions: vec!["older".to_owned()], ..held() };
    let lease = Lease::taken(row, "we", "new", now());
    assert_eq!(lease.unresolved, ["older", "promised"]);
}

#[test]
fn a_lease_that_was_given_back_leaves_only_what_was_owed_before() {
    let row =
        Connection { refresh_owner: None, unresolved_versions: vec!["older".to_owned()], ..held() };
    assert_eq!(Lease::taken(row, "we", "new", now()).unresolved, ["older"]);
}

#[test]
fn of_many_promises_the_newest_fifteen_are_remembered() {
    let row =
        Connection { unresolved_versions: (0..15).map(|n| format!("v{n}")).collect(), ..held() };
    let unresolved = Lease::taken(row, "we", "new", now()).unresolved;
    assert_eq!(unresolved.len(), UNRESOLVED);
    assert_eq!(unresolved.first().map(String::as_str), Some("v1"));
    assert_eq!(unresolved.last().map(String::as_str), Some("promised"));
}

fn refused(row: Option<&Connection>) -> &'static str {
    match LeaseAsked::refused(&a_connection(), row, now()) {
        LeaseAsked::Taken(_) => "taken",
        LeaseAsked::Held => "held",
        LeaseAsked::CoolingDown => "cooling down",
        LeaseAsked::Newer => "newer",
    }
}

#[test]
fn who_gets_no_lease_is_told_why() {
    assert_eq!(refused(Some(&held())), "held");
    let after =
        |ms| Connection { refresh_after: Some(now().as_millisecond() + ms), ..a_connection() };
    assert_eq!(refused(Some(&after(1))), "cooling down");
    // It is over at this moment: another look will get the lease.
    assert_eq!(refused(Some(&after(0))), "held");
    let newer = Connection { version_id: "v2".to_owned(), ..held() };
    assert_eq!(refused(Some(&newer)), "newer");
    let replaced = Connection { connection_id: "c2".to_owned(), ..held() };
    assert_eq!(refused(Some(&replaced)), "newer");
    let ended = Connection { status: ConnectionStatus::Disconnected, ..a_connection() };
    assert_eq!(refused(Some(&ended)), "newer");
    assert_eq!(refused(None), "newer");
}
