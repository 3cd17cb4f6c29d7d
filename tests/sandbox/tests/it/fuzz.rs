//! Random input. Nothing that a caller sends may panic, and what is answered keeps to the schema.
//!
//! A bounded number of cases in every run; `QBO_SANDBOX_FUZZ_CASES` sets another number.

use proptest::{collection::vec, prelude::*, sample::select};
use quickbooks_sandbox::testing;
use serde_json::{Map, Value, json};

fn cases(usual: u32) -> ProptestConfig {
    let cases = std::env::var("QBO_SANDBOX_FUZZ_CASES").ok().and_then(|n| n.parse().ok());
    ProptestConfig { max_shrink_iters: 2000, ..ProptestConfig::with_cases(cases.unwrap_or(usual)) }
}

fn words(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    select(words).prop_map(ToOwned::to_owned)
}

const ENTITIES: &[&str] = &[
    "Employee",
    "customer",
    "TimeActivity",
    "ITEM",
    "Class",
    "Department",
    "Vendor",
    "Invoice",
    "Payment",
    "Estimate",
    "Account",
    "Term",
    "TaxCode",
    "CompanyInfo",
    "Preferences",
    "Nonsense",
];
const PROPERTIES: &[&str] = &[
    "Id",
    "DisplayName",
    "Active",
    "TxnDate",
    "Hours",
    "EmployeeRef",
    "CustomerRef.value",
    "Name",
    "MetaData.CreateTime",
    "metadata.lastupdatedtime",
    "PrimaryEmailAddr",
    "Balance",
    "Line",
    "Line.Amount",
    "ParentRef",
    "MetaData",
    "MetaData.",
    ".",
    "Nope",
    "DueDate",
    "TotalAmt",
];

fn literal() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => words(&[
            "'55'", "'%a%'", "'%'", "''", "' '", "true", "False", "7", "-1.5", "'2026-11-01'",
            "'2026-11-01T00:00:00Z'", "'2026-11-01T00:00:00-08:00'", "'-9999-01-01'",
            "'9999-12-31T23:59:59Z'", "'+262142-12-31'", "99999999999999999999999999999999",
            "'1e400'", r"'O\'Brien'", r"'back\\slash'", "'2026-02-30'", "null",
        ]),
        1 => any::<String>().prop_map(|text| {
            format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'"))
        }),
    ]
}

fn condition() -> impl Strategy<Value = String> {
    let one = (
        words(PROPERTIES),
        words(&["=", "<", ">", "<=", ">=", " like ", " LIKE ", "!="]),
        literal(),
    );
    let many = (words(PROPERTIES), vec(literal(), 0..6));
    prop_oneof![
        3 => one.prop_map(|(property, operator, literal)| format!("{property} {operator}{literal}")),
        1 => many.prop_map(|(property, all)| format!("{property} IN ({})", all.join(", "))),
    ]
}

/// A statement that is mostly sound.
fn statement() -> impl Strategy<Value = String> {
    let select = prop_oneof![
        4 => Just("select *".to_owned()),
        1 => Just("SELECT COUNT(*)".to_owned()),
        1 => Just("select *, Id".to_owned()),
        2 => vec(words(PROPERTIES), 1..4).prop_map(|all| format!("Select {}", all.join(" , "))),
    ];
    let order = prop_oneof![
        2 => Just(String::new()),
        1 => vec((words(PROPERTIES), words(&["", " asc", " DESC"])), 1..3).prop_map(|all| {
            let all: Vec<String> = all.into_iter().map(|(name, way)| name + &way).collect();
            format!(" orderby {}", all.join(","))
        }),
    ];
    let page = words(&[
        "",
        " startposition 1",
        " maxresults 1000",
        " STARTPOSITION 3 MAXRESULTS 2",
        " maxresults 1 startposition 18446744073709551615",
        " maxresults 0",
        ";",
    ]);
    (select, words(ENTITIES), vec(condition(), 0..4), order, page).prop_map(
        |(select, entity, conditions, order, page)| {
            let place = if conditions.is_empty() { "" } else { " where " };
            format!("{select} from {entity}{place}{}{order}{page}", conditions.join(" and "))
        },
    )
}

/// A statement with a few characters put in, taken out or doubled.
fn mutated() -> impl Strategy<Value = String> {
    let change = (any::<prop::sample::Index>(), 0..3_u8, any::<char>());
    (statement(), vec(change, 0..5)).prop_map(|(statement, changes)| {
        let mut chars: Vec<char> = statement.chars().collect();
        for (at, what, character) in changes {
            let at = at.index(chars.len() + 1);
            match what {
                0 => chars.insert(at, character),
                1 if at < chars.len() => drop(chars.remove(at)),
                _ => chars.truncate(at.max(1)),
            }
        }
        chars.into_iter().collect()
    })
}

/// Any JSON, a few levels deep.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(|n| json!(n)),
        any::<f64>().prop_map(|n| json!(n)),
        any::<String>().prop_map(Value::String),
        select(vec![
            json!(""),
            json!(" "),
            json!("55"),
            json!({ "value": "55" }),
            json!({ "value": "" }),
            json!({ "value": 1 }),
            json!("2026-11-18"),
            json!("0000-00-00"),
            json!("08:00:00-08:00"),
            json!(1e300),
            json!(-0.0),
            json!("1_000"),
            json!("Billable"),
            json!("HasBeenBilled"),
            json!([]),
            json!({}),
            json!([{}]),
            json!([null]),
            json!("x".repeat(5000)),
            json!("99999999999999999999999999999999999999"),
            json!({ "FreeFormNumber": 5 }),
            json!([{ "Amount": 1, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": {} }]),
        ]),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::Array),
            vec((words(FIELDS), inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

const FIELDS: &[&str] = &[
    "Id",
    "SyncToken",
    "sparse",
    "MetaData",
    "domain",
    "status",
    "DisplayName",
    "GivenName",
    "Name",
    "Active",
    "ParentRef",
    "Job",
    "TxnDate",
    "NameOf",
    "EmployeeRef",
    "VendorRef",
    "CustomerRef",
    "ItemRef",
    "ClassRef",
    "DepartmentRef",
    "ProjectRef",
    "BillableStatus",
    "HourlyRate",
    "Hours",
    "Minutes",
    "StartTime",
    "EndTime",
    "BreakHours",
    "Description",
    "PrimaryEmailAddr",
    "PrimaryPhone",
    "BillAddr",
    "PrimaryAddr",
    "Type",
    "UnitPrice",
    "IncomeAccountRef",
    "Line",
    "LinkedTxn",
    "TotalAmt",
    "Balance",
    "DocNumber",
    "DueDate",
    "AccountType",
    "CustomField",
    "TxnTaxDetail",
    "Amount",
    "DetailType",
    "value",
    "name",
    "Nonsense",
    "CustomerEx",
];

/// Bodies that the sandbox takes, to be changed in one place or a few.
fn sound_body() -> impl Strategy<Value = (&'static str, Value)> {
    select(vec![
        (
            "timeactivity",
            json!({
                "TxnDate": "2026-11-18", "NameOf": "Employee", "EmployeeRef": { "value": "55" },
                "Hours": 7, "Minutes": 30, "Description": "x", "BillableStatus": "NotBillable",
            }),
        ),
        (
            "timeactivity",
            json!({
                "NameOf": "Employee", "EmployeeRef": { "value": "56" }, "BreakHours": 1,
                "StartTime": "08:00:00-08:00", "EndTime": "16:00:00-08:00",
            }),
        ),
        (
            "employee",
            json!({
                "GivenName": "Ada", "FamilyName": "Fuzz", "PrimaryPhone": { "FreeFormNumber": "1" },
                "PrimaryEmailAddr": { "Address": "a@b.example" }, "HiredDate": "2020-01-01",
            }),
        ),
        (
            "customer",
            json!({ "DisplayName": "Fuzz Inc", "ParentRef": { "value": "1" }, "Job": true }),
        ),
        ("vendor", json!({ "DisplayName": "Fuzz Supply", "BillAddr": { "Line1": "1 Main St" } })),
        (
            "item",
            json!({ "Name": "Fuzz", "Type": "Service", "IncomeAccountRef": { "value": "1" } }),
        ),
        ("class", json!({ "Name": "Fuzz", "ParentRef": { "value": "5000000000000123401" } })),
        ("department", json!({ "Name": "Fuzz" })),
        ("employee", json!({ "Id": "55", "SyncToken": "0", "sparse": true, "Active": false })),
        ("customer", json!({ "Id": "1", "SyncToken": "0", "DisplayName": "Renamed" })),
        (
            "invoice",
            json!({
                "CustomerRef": { "value": "1" },
                "Line": [{
                    "Amount": 100, "DetailType": "SalesItemLineDetail",
                    "SalesItemLineDetail": { "ItemRef": { "value": "3" }, "Qty": 2, "UnitPrice": 50 },
                }],
            }),
        ),
        ("payment", json!({ "CustomerRef": { "value": "1" }, "TotalAmt": 12.5 })),
        ("account", json!({ "Name": "Fuzz", "AccountType": "Bank" })),
        ("term", json!({ "Name": "Fuzz", "DueDays": 30 })),
    ])
}

fn body() -> impl Strategy<Value = (&'static str, Map<String, Value>)> {
    (sound_body(), vec((words(FIELDS), any_json()), 0..4), vec(any::<prop::sample::Index>(), 0..2))
        .prop_map(|((kind, body), put, taken)| {
            let Value::Object(mut body) = body else { unreachable!() };
            for at in taken {
                let names: Vec<String> = body.keys().cloned().collect();
                if !names.is_empty() {
                    body.remove(&names[at.index(names.len())]);
                }
            }
            body.extend(put);
            (kind, body)
        })
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn no_text_makes_the_query_language_panic(statement in any::<String>()) {
        testing::run_query(&statement);
    }

    #[test]
    fn no_mutated_statement_makes_it_panic(statement in prop_oneof![statement(), mutated()]) {
        let answer = testing::run_query(&statement);
        prop_assert!(!answer.is_empty());
    }

    #[test]
    fn a_well_formed_condition_is_answered(
        field in select(vec!["DisplayName", "Id", "GivenName", "MiddleName"]),
        operator in select(vec!["=", "<", ">", "<=", ">="]),
        literal in "[^\u{0}]{0,20}",
    ) {
        let literal = literal.replace('\\', r"\\").replace('\'', r"\'");
        let statement = format!("select * from Employee where {field} {operator} '{literal}'");
        let answer = testing::run_query(&statement);
        prop_assert!(answer.starts_with('{'), "{statement}: {answer}");
    }
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn no_body_makes_a_write_panic_and_what_is_stored_fits_the_schema(
        (kind, body) in body(),
        operation in select(vec!["create", "create", "update", "delete", "void"]),
        ignores_unknown in any::<bool>(),
    ) {
        let answer = testing::write_on_seed(kind, operation, &body, ignores_unknown);
        if let Err(wrong) = testing::check_answer(&answer) {
            prop_assert!(false, "{kind} {body:?}\n{answer}\n{wrong:?}");
        }
    }

    #[test]
    fn no_form_makes_the_oauth_endpoints_panic(
        authorization in prop_oneof![
            words(&["Basic", "Basic ", "Basic c2FuZGJveC1jbGllbnQ6c2FuZGJveC1zZWNyZXQ=", "Bearer x"]),
            any::<String>(),
        ],
        fields in vec(
            (
                words(&[
                    "grant_type", "code", "redirect_uri", "refresh_token", "client_id", "token",
                    "client_secret", "scope", "state", "response_type", "code_challenge", "nonce",
                    "code_challenge_method", "code_verifier", "auto", "x",
                ]),
                prop_oneof![
                    words(&[
                        "authorization_code", "refresh_token", "sandbox-client", "sandbox-secret",
                        "http://localhost:9/callback", "http://[::1", "https://localhost@evil.example",
                        "openid", "com.intuit.quickbooks.accounting", "code", "S256", "",
                    ]),
                    any::<String>(),
                ],
            ),
            0..10,
        ),
        tail in vec(any::<u8>(), 0..20),
    ) {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(&fields);
        let mut body = form.finish().into_bytes();
        body.extend(tail);
        testing::oauth_forms(&authorization, &body);
    }
}
