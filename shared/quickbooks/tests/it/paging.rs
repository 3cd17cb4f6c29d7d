//! Nothing is lost and nothing comes twice, whatever others do meanwhile.

use std::collections::HashMap;

use proptest::collection::vec;
use proptest::prelude::*;
use quickbooks::{Entity, KeysetPages, PagingError};
use serde_json::{Value, json};

use crate::paging_model::{Act, Company};

/// Reads everything while `acts` happen, one entry between two calls. Gives each row given out, in
/// order.
fn read(mut pages: KeysetPages, company: &mut Company, acts: &[Vec<Act>]) -> Vec<Value> {
    let mut acts = acts.iter();
    let mut read = Vec::new();
    while let Some(statement) = pages.next_statement() {
        assert_eq!(pages.next_statement(), Some(statement.clone()), "a failed call is repeated");
        // What happens after the last call is not owed.
        if let Some(acts) = acts.next().filter(|_| company.queries > 0) {
            company.act(acts);
        }
        let page = company.query(&statement);
        read.extend(pages.accept(page).unwrap());
        assert!(company.queries < 5_000, "the read does not end");
    }
    read
}

fn number(value: &Value) -> usize {
    value.as_str().unwrap().parse().unwrap()
}

fn ids(read: &[Value]) -> Vec<usize> {
    let mut ids: Vec<usize> = read.iter().map(|row| number(&row["Id"])).collect();
    ids.sort_unstable();
    ids
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0..500_usize).prop_map(Act::Edit),
        2 => (0..500_usize).prop_map(Act::Delete),
        1 => Just(Act::Create),
    ]
}

/// Few different seconds, so that some are crowded; milliseconds within.
fn times() -> impl Strategy<Value = Vec<i64>> {
    let crowded = (0..2_i64, 0..2_i64).prop_map(|(second, ms)| second * 1_000 + ms);
    let spread = 0..60_000_i64;
    vec(prop_oneof![3 => crowded, 1 => spread], 0..200)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn each_row_comes_once_while_others_edit(times in times(), acts in vec(vec(act(), 0..2), 0..40)) {
        let mut company = Company::new(&times);
        let pages = KeysetPages::new(Entity::Employee).with_page_size(30);
        let read = read(pages, &mut company, &acts);
        let ids = ids(&read);
        let mut once = ids.clone();
        once.dedup();
        prop_assert_eq!(&ids, &once, "a row came twice");
        for row in company.rows.iter().filter(|row| row.id < 1_000_000) {
            prop_assert!(ids.binary_search(&row.id).is_ok(), "row {} was lost", row.id);
        }
    }

    #[test]
    fn a_delta_gives_the_last_version_of_each_row(
        times in times(),
        earlier in vec(vec(act(), 0..50), 0..4),
        acts in vec(vec(act(), 0..2), 0..40),
    ) {
        let mut company = Company::new(&times);
        let since = company.now();
        for acts in &earlier {
            company.act(acts);
        }
        let pages = KeysetPages::changed_since(Entity::TimeActivity, since).with_page_size(30);
        let read = read(pages, &mut company, &acts);
        let mut last = HashMap::new();
        for row in &read {
            last.insert(number(&row["Id"]), number(&row["SyncToken"]));
        }
        for row in company.rows.iter().filter(|row| row.version > 0) {
            prop_assert_eq!(last.get(&row.id), Some(&(row.version as usize)), "row {}", row.id);
        }
    }
}

#[test]
fn two_thousand_five_hundred_are_read_in_four_calls() {
    let times: Vec<i64> = (0..2_500).map(|n| n * 2_000).collect();
    let mut company = Company::new(&times);
    let edits: Vec<Vec<Act>> = (0..4).map(|n| vec![Act::Edit(n * 700), Act::Edit(0)]).collect();
    let read = read(KeysetPages::new(Entity::Employee), &mut company, &edits);
    assert_eq!(ids(&read), (0..2_500).collect::<Vec<_>>());
    assert!(company.queries <= 4, "{}", company.queries);
}

#[test]
fn two_thousand_five_hundred_of_one_second_are_read() {
    let times: Vec<i64> = (0..2_500).map(|n| n % 3).chain([-5_000, 5_000]).collect();
    let mut company = Company::new(&times);
    let edits: Vec<Vec<Act>> = (0..8).map(|n| vec![Act::Edit(n * 300), Act::Edit(0)]).collect();
    let read = read(KeysetPages::new(Entity::Employee), &mut company, &edits);
    assert_eq!(ids(&read), (0..2_502).collect::<Vec<_>>());
    assert!(company.queries <= 20, "{}", company.queries);
}

#[test]
fn a_first_pass_without_news_is_not_trusted() {
    // Row 1 is edited, hence moved to the front, after the pass has read the front.
    let mut company = Company::new(&[-5_000, 0, 0, 0, 0, 0]);
    let acts = [vec![], vec![], vec![], vec![Act::Edit(1)]];
    let read = read(KeysetPages::new(Entity::Employee).with_page_size(4), &mut company, &acts);
    assert_eq!(ids(&read), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn an_empty_list_is_read_in_one_call() {
    let mut company = Company::new(&[]);
    assert!(read(KeysetPages::new(Entity::Class), &mut company, &[]).is_empty());
    assert_eq!(company.queries, 1);
}

#[test]
fn name_lists_ask_for_inactive_ones_and_transactions_do_not() {
    let first = |entity| KeysetPages::new(entity).next_statement().unwrap();
    assert_eq!(
        first(Entity::Employee),
        "SELECT * FROM Employee WHERE Active IN (true,false) ORDERBY MetaData.CreateTime ASC MAXRESULTS 1000"
    );
    assert_eq!(
        first(Entity::TimeActivity),
        "SELECT * FROM TimeActivity ORDERBY MetaData.CreateTime ASC MAXRESULTS 1000"
    );
    let since = "2026-11-20T16:00:00Z".parse().unwrap();
    assert_eq!(
        KeysetPages::created_since(Entity::TimeActivity, since).next_statement().unwrap(),
        "SELECT * FROM TimeActivity WHERE MetaData.CreateTime >= '2026-11-20T16:00:00Z' ORDERBY MetaData.CreateTime ASC MAXRESULTS 1000"
    );
}

fn row(id: &str, time: &str) -> Value {
    json!({"Id": id, "SyncToken": "0", "MetaData": {"CreateTime": time}})
}

#[test]
fn a_page_that_cannot_be_used_is_an_error_and_changes_nothing() {
    let mut pages = KeysetPages::new(Entity::Employee);
    let good = row("1", "2026-11-20T09:00:00-07:00");
    for bad in [
        json!({"MetaData": {"CreateTime": "2026-11-20T09:00:00-07:00"}}),
        row("", "2026-11-20T09:00:00-07:00"),
        row("2", "yesterday"),
        row("2", "2026-11-20T09:00:00"),
        json!({"Id": "2"}),
    ] {
        let result = pages.accept(vec![good.clone(), bad]);
        assert_eq!(result, Err(PagingError::Malformed(Entity::Employee)));
        assert_eq!(pages.seen(), 0);
    }
    assert_eq!(pages.accept(vec![good.clone()]), Ok(vec![good]));
    assert_eq!(pages.next_statement(), None);
}

#[test]
fn a_server_that_ignores_the_times_does_not_make_the_read_endless() {
    let mut pages = KeysetPages::new(Entity::Employee).with_page_size(2);
    let old = || vec![row("1", "2026-11-20T09:00:00Z"), row("2", "2026-11-20T09:00:01Z")];
    pages.accept(old()).unwrap();
    pages.accept(vec![row("3", "2026-11-20T09:00:01Z"), row("4", "2026-11-20T09:00:05Z")]).unwrap();
    assert_eq!(pages.accept(old()), Err(PagingError::OutOfOrder(Entity::Employee)));
}
