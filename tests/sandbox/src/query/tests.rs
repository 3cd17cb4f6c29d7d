//! That indexes change no answer, and how many entities a query looks at.

use jiff::{Timestamp, civil::date};
use proptest::{collection::vec, option, prelude::*, sample::select};
use serde_json::{Map, Value, json};

use super::{
    eval::{Order, Planner, run_by},
    filter::Filter,
    parser::parse,
    plan::{Plan, everything, plan},
};
use crate::{
    entities::Kind,
    ids::EntityId,
    seed,
    store::{State, Table},
};

/// Looks at every entity and sorts what matches.
fn plain<'a>(table: &'a Table, _: &[Filter], _: &Order, _: Option<usize>) -> Plan<'a> {
    everything(table)
}

fn answer(planner: Planner, state: &State, statement: &str) -> (Map<String, Value>, usize) {
    run_by(planner, state, &parse(statement).unwrap())
        .unwrap_or_else(|fault| panic!("{statement}: {fault:?}"))
}

fn fields(value: Value) -> Map<String, Value> {
    let Value::Object(fields) = value else { panic!("no object") };
    fields
}

/// Company A with 100,000 activities: one an hour, 100 a day by TxnDate, of 200 employees and 500
/// customers.
fn large() -> State {
    let mut state = seed::load().unwrap().remove(0);
    let first = date(2020, 1, 1);
    for number in 0..100_000_i64 {
        let at = Timestamp::from_second(number * 3600).unwrap();
        let day = first.checked_add(jiff::Span::new().days(number / 100)).unwrap();
        let body = json!({
            "TxnDate": day.to_string(),
            "EmployeeRef": { "value": (number % 200).to_string() },
            "CustomerRef": { "value": (number % 500).to_string() },
            "Hours": number % 9,
        });
        let id = EntityId::from(format!("1{number:06}"));
        state.put(Kind::TimeActivity, id, fields(body), at);
    }
    state
}

#[test]
fn a_query_of_a_hundred_thousand_looks_at_few() {
    let state = large();
    // Statement, rows answered, most entities that may be looked at.
    for (condition, rows, most) in [
        ("Id = '1050000'", 1, 1),
        ("Id in ('1050000', '1050001', '7')", 2, 3),
        ("TxnDate = '2021-01-01'", 100, 100),
        ("TxnDate = '2021-01-01' orderby TxnDate desc", 100, 100),
        ("TxnDate = '2021-01-01' orderby Hours maxresults 5", 5, 100),
        ("TxnDate >= '2021-01-01' and TxnDate <= '2021-01-31' maxresults 1000", 1000, 3100),
        ("TxnDate > '2021-01-01' and TxnDate < '2021-01-03'", 100, 300),
        ("TxnDate >= '2020-01-01' maxresults 10", 10, 10),
        ("TxnDate >= '2020-01-01' orderby TxnDate startposition 11 maxresults 10", 10, 20),
        ("TxnDate >= '2020-01-01' orderby MetaData.CreateTime maxresults 10", 10, 10),
        ("TxnDate = '2021-01-01' orderby MetaData.CreateTime desc", 100, 100),
        ("TxnDate = '2021-01-01' and MetaData.CreateTime >= '1970-01-01T00:00:00Z'", 100, 100),
        ("TxnDate >= '2020-01-01' and MetaData.LastUpdatedTime > '1981-05-28T00:00:00Z'", 39, 40),
        (
            "MetaData.LastUpdatedTime >= '1981-05-28T00:00:00Z' orderby MetaData.LastUpdatedTime",
            40,
            40,
        ),
        (
            "MetaData.CreateTime >= '1975-01-01T00:00:00Z' orderby MetaData.CreateTime maxresults 7",
            7,
            7,
        ),
        ("MetaData.CreateTime < '1970-01-01T05:00:00Z'", 5, 6),
        ("EmployeeRef = '7' and TxnDate = '2021-01-01'", 1, 1),
        ("EmployeeRef in ('7', '8') and TxnDate >= '2021-01-02' and TxnDate <= '2021-01-05'", 4, 6),
        ("CustomerRef = '7' and TxnDate >= '2020-01-01' orderby TxnDate maxresults 3", 3, 3),
        ("CustomerRef.value = '7'", 100, 200),
        ("CustomerRef = '7' and EmployeeRef = '7' maxresults 1000", 100, 200),
        ("CustomerRef = 'nobody'", 0, 0),
        ("TxnDate > '2021-01-02' and TxnDate < '2021-01-01'", 0, 0),
        ("TxnDate = '1999-01-01'", 0, 0),
    ] {
        let statement = format!("select * from TimeActivity where {condition}");
        let (found, looked_at) = answer(plan, &state, &statement);
        let found = found.get("TimeActivity").and_then(Value::as_array).map_or(0, Vec::len);
        assert_eq!(found, rows, "{statement}");
        assert!(looked_at <= most, "{statement}: {looked_at}");
    }
    for (condition, total, most) in [
        ("", 100_000, 0),
        (" where TxnDate = '2021-01-01'", 100, 100),
        (" where TxnDate >= '2021-01-01' and TxnDate <= '2021-01-31'", 3100, 3100),
        (" where CustomerRef = '7' and TxnDate >= '2022-01-01'", 53, 60),
    ] {
        let statement = format!("select count(*) from TimeActivity{condition}");
        let (counted, looked_at) = answer(plan, &state, &statement);
        assert_eq!(counted["totalCount"], total, "{statement}");
        assert!(looked_at <= most, "{statement}: {looked_at}");
    }
}

/// One step in a company's life. Few values, so that many are equal.
#[derive(Clone, Debug)]
enum Step {
    Put {
        id: u8,
        day: Option<u8>,
        employee: Option<u8>,
        customer: u8,
        hours: u8,
        second: i64,
    },
    /// Stored without checks, with times of its own.
    Raw {
        id: u8,
        day: u8,
        created: i64,
        updated: i64,
    },
    Remove {
        id: u8,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let put = (0..40_u8, option::of(0..5_u8), option::of(0..3_u8), 0..3_u8, 0..3_u8, 0..6_i64)
        .prop_map(|(id, day, employee, customer, hours, second)| Step::Put {
            id,
            day,
            employee,
            customer,
            hours,
            second,
        });
    let raw = (0..40_u8, 0..5_u8, 0..6_i64, 0..6_i64)
        .prop_map(|(id, day, created, updated)| Step::Raw { id, day, created, updated });
    prop_oneof![6 => put, 2 => raw, 1 => (0..40_u8).prop_map(|id| Step::Remove { id })]
}

fn take(state: &mut State, step: &Step) {
    let kind = Kind::TimeActivity;
    let at = |second: i64| Timestamp::from_second(1_000_000 + second).unwrap();
    match step {
        Step::Put { id, day, employee, customer, hours, second } => {
            let mut body = json!({ "CustomerRef": { "value": format!("c{customer}") } });
            body["Hours"] = json!(hours);
            if let Some(day) = day {
                body["TxnDate"] = json!(format!("2026-11-0{}", day + 1));
            }
            if let Some(employee) = employee {
                body["EmployeeRef"] = json!({ "value": format!("E{employee}"), "name": "x" });
            }
            state.put(kind, EntityId::from(id.to_string()), fields(body), at(*second));
        }
        Step::Raw { id, day, created, updated } => {
            let body = json!({
                "Id": id.to_string(),
                "TxnDate": format!("2026-11-0{}", day + 1),
                "EmployeeRef": "e1",
                "MetaData": {
                    "CreateTime": at(*created).to_string(),
                    "LastUpdatedTime": at(*updated).to_string(),
                },
            });
            seed::put_raw(state, kind, fields(body), at(3)).unwrap();
        }
        Step::Remove { id } => {
            state.remove(kind, &id.to_string(), at(5));
        }
    }
}

fn condition() -> impl Strategy<Value = String> {
    let operator = || select(vec!["=", "<", "<=", ">", ">="]);
    let day = || (1..7_u8).prop_map(|day| format!("'2026-11-0{day}'"));
    let time =
        || (0..7_i64).prop_map(|s| format!("'{}'", Timestamp::from_second(1_000_000 + s).unwrap()));
    prop_oneof![
        4 => (operator(), day()).prop_map(|(op, day)| format!("TxnDate {op} {day}")),
        1 => (day(), day()).prop_map(|(a, b)| format!("TxnDate in ({a}, {b})")),
        2 => (operator(), time()).prop_map(|(op, at)| format!("MetaData.LastUpdatedTime {op} {at}")),
        2 => (operator(), time()).prop_map(|(op, at)| format!("MetaData.CreateTime {op} {at}")),
        1 => (0..4_u8).prop_map(|n| format!("EmployeeRef = 'e{n}'")),
        1 => (0..4_u8).prop_map(|n| format!("EmployeeRef.value = 'e{n}'")),
        1 => (0..4_u8).prop_map(|n| format!("CustomerRef in ('C{n}', 'c0', 'c0')")),
        1 => (operator(), 0..4_u8).prop_map(|(op, n)| format!("CustomerRef {op} 'c{n}'")),
        1 => (0..40_u8, 0..40_u8).prop_map(|(a, b)| format!("Id in ('{a}', '{b}')")),
        1 => (0..4_u8).prop_map(|n| format!("Hours >= {n}")),
    ]
}

fn statement() -> impl Strategy<Value = String> {
    let key = select(vec![
        "TxnDate",
        "TxnDate desc",
        "MetaData.CreateTime",
        "MetaData.CreateTime desc",
        "MetaData.LastUpdatedTime asc",
        "MetaData.LastUpdatedTime desc",
        "Hours",
        "CustomerRef desc",
    ]);
    (
        select(vec!["*", "count(*)"]),
        vec(condition(), 0..4),
        vec(key, 0..3),
        option::of(1..30_usize),
        option::of(1..30_usize),
    )
        .prop_map(|(what, conditions, order, start, max)| {
            let mut words = vec![format!("select {what} from TimeActivity")];
            if !conditions.is_empty() {
                words.push(format!("where {}", conditions.join(" and ")));
            }
            if !order.is_empty() {
                words.push(format!("orderby {}", order.join(", ")));
            }
            words.extend(start.map(|start| format!("startposition {start}")));
            words.extend(max.map(|max| format!("maxresults {max}")));
            words.join(" ")
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_plan_answers_what_a_look_at_everything_answers(
        steps in vec(step(), 0..120),
        statements in vec(statement(), 1..12),
    ) {
        let mut state = seed::load().unwrap().remove(1);
        for step in &steps {
            take(&mut state, step);
        }
        for statement in &statements {
            let (planned, few) = answer(plan, &state, statement);
            let (all, every) = answer(plain, &state, statement);
            prop_assert_eq!(Value::Object(planned), Value::Object(all), "{}", statement);
            prop_assert!(few <= every, "{}: {} of {}", statement, few, every);
        }
    }
}
