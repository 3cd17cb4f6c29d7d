//! The query language over HTTP.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{A, Connected, TestSandbox};

fn ids(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["Id"].as_str().unwrap()).collect()
}

/// Activities created one day apart, Id 1 first.
async fn days(count: usize) -> Connected {
    let app = TestSandbox::connected().await;
    let all: Vec<Value> = (1..=count)
        .map(|day| {
            json!({
                "TxnDate": format!("2026-11-{day:02}"), "NameOf": "Employee", "Hours": day,
                "Minutes": 0, "EmployeeRef": { "value": if day % 2 == 0 { "56" } else { "55" } },
                "BillableStatus": "NotBillable",
                "MetaData": {
                    "CreateTime": format!("2026-11-{day:02}T08:00:00-07:00"),
                    "LastUpdatedTime": format!("2026-11-{day:02}T08:00:00-07:00"),
                },
            })
        })
        .collect();
    app.admin_post(&format!("/companies/{A}/TimeActivity"), json!(all)).await;
    app
}

#[tokio::test]
async fn an_unsorted_answer_comes_most_recently_changed_first() {
    let app = days(5).await;
    let rows = app.rows("TimeActivity", "select * from TimeActivity").await;
    assert_eq!(ids(&rows), ["5", "4", "3", "2", "1"]);
    let touch = json!({ "Id": "2", "SyncToken": "0", "sparse": true, "Hours": 3 });
    app.post("timeactivity", &touch).await.ok();
    let rows = app.rows("TimeActivity", "select * from TimeActivity").await;
    assert_eq!(ids(&rows), ["2", "5", "4", "3", "1"]);
}

#[tokio::test]
async fn pages_start_at_one_and_report_what_they_hold() {
    let app = days(5).await;
    let statement = "select * from TimeActivity orderby TxnDate startposition 2 maxresults 2";
    let answer = app.query(statement).await.ok();
    let page = &answer.body["QueryResponse"];
    assert_eq!(ids(page["TimeActivity"].as_array().unwrap()), ["2", "3"]);
    assert_eq!((&page["startPosition"], &page["maxResults"]), (&json!(2), &json!(2)));
    assert!(answer.body["time"].is_string());
    let empty = app.query("select * from TimeActivity startposition 6").await.ok();
    assert_eq!(empty.body["QueryResponse"], json!({}));
}

#[tokio::test]
async fn a_page_is_100_unless_asked_and_1000_at_most() {
    let app = TestSandbox::connected().await;
    let many: Vec<Value> = (0..1100)
        .map(|n| json!({ "DisplayName": format!("Bulk {n}"), "GivenName": "B" }))
        .collect();
    app.admin_post(&format!("/companies/{A}/Employee"), json!(many)).await;
    assert_eq!(app.rows("Employee", "select * from Employee").await.len(), 100);
    let rows = app.rows("Employee", "select Id from Employee maxresults 1000").await;
    assert_eq!(rows.len(), 1000);
    assert_eq!(app.query("select * from Employee maxresults 1001").await.code(), "4001");
    let count = app.query("select count(*) from Employee").await.ok();
    assert_eq!(count.body["QueryResponse"], json!({ "totalCount": 1127 }));
}

#[tokio::test]
async fn conditions_compare_by_the_fields_type() {
    let app = days(9).await;
    let cases = [
        ("TxnDate > '2026-11-07'", vec!["9", "8"]),
        ("TxnDate >= '2026-11-08' and EmployeeRef = '55'", vec!["9"]),
        ("EmployeeRef.value = '56' and TxnDate < '2026-11-05'", vec!["4", "2"]),
        ("ClassRef = ' ' and Hours > 8", vec!["9"]),
        ("EmployeeRef = ' '", vec![]),
        ("Id in ('3', '5', '77')", vec!["5", "3"]),
        ("Id = '4'", vec!["4"]),
        ("Hours <= 2", vec!["2", "1"]),
        ("Hours = '2'", vec!["2"]),
        ("MetaData.CreateTime >= '2026-11-08T08:00:00-07:00'", vec!["9", "8"]),
        ("MetaData.CreateTime >= '2026-11-08T15:00:00Z'", vec!["9", "8"]),
        ("Metadata.LastUpdatedTime > '2026-11-08T15:00:00Z'", vec!["9"]),
        ("MetaData.LastUpdatedTime > '2026-11-09'", vec!["9"]),
        (
            "MetaData.CreateTime > '2026-11-09T00:00:00Z' and MetaData.CreateTime < \
             '2026-11-01T00:00:00Z'",
            vec![],
        ),
    ];
    for (condition, expected) in cases {
        let statement = format!("select * from TimeActivity where {condition}");
        assert_eq!(ids(&app.rows("TimeActivity", &statement).await), expected, "{condition}");
    }
}

#[tokio::test]
async fn rows_are_sorted_by_several_properties_in_both_directions() {
    let app = days(6).await;
    let by = |order: &'static str| {
        let app = &app;
        async move {
            let statement = format!("select * from TimeActivity orderby {order}");
            let rows = app.rows("TimeActivity", &statement).await;
            ids(&rows).concat()
        }
    };
    assert_eq!(by("MetaData.CreateTime").await, "123456");
    assert_eq!(by("MetaData.CreateTime ASC").await, "123456");
    assert_eq!(by("MetaData.LastUpdatedTime DESC").await, "654321");
    assert_eq!(by("EmployeeRef DESC, TxnDate").await, "246135");
    assert_eq!(by("TxnDate DESC").await, "654321");
}

#[tokio::test]
async fn id_is_not_sortable_any_more() {
    let app = TestSandbox::connected().await;
    let answer = app.query("select * from Employee orderby Id").await;
    assert_eq!((answer.status.as_u16(), answer.code()), (400, "4001"));
}

#[tokio::test]
async fn name_lists_hide_the_inactive_unless_asked() {
    let app = TestSandbox::connected().await;
    let count = |statement: &'static str| {
        let app = &app;
        async move { app.query(statement).await.ok().body["QueryResponse"]["totalCount"].clone() }
    };
    assert_eq!(count("select count(*) from Employee").await, 27);
    assert_eq!(count("select count(*) from Employee where Active in (true, false)").await, 29);
    assert_eq!(count("select count(*) from Employee where Active = false").await, 2);
    assert_eq!(count("select count(*) from Customer where Id = '9'").await, 0);
}

#[tokio::test]
async fn like_and_escaped_quotes_find_awkward_names() {
    let app = TestSandbox::connected().await;
    for (pattern, count) in [
        (r"%O\'Brien", 1),
        (r"%O\'%", 1),
        ("Michael%Smith", 2),
        ("%100\\%%", 0),
        ("%100%", 1),
        ("%ñandú", 1),
        ("% “Bobby” %", 1),
        ("李%", 1),
        (r"%A\\C%", 1),
        (r"%A\C%", 1),
    ] {
        let statement = format!("select * from Employee where DisplayName like '{pattern}'");
        assert_eq!(app.rows("Employee", &statement).await.len(), count, "{pattern}");
    }
}

#[tokio::test]
async fn selected_fields_come_with_the_id_alone() {
    let app = TestSandbox::connected().await;
    let statement = "select DisplayName, Metadata.CreateTime from Employee where Id = '55'";
    let rows = app.rows("Employee", statement).await;
    assert_eq!(
        rows[0],
        json!({
            "Id": "55", "DisplayName": "Aaron O'Brien", "domain": "QBO", "sparse": true,
            "MetaData": { "CreateTime": "2025-03-03T08:01:00-07:00" },
        })
    );
}

#[tokio::test]
async fn a_query_by_post_is_the_same_query() {
    let app = TestSandbox::connected().await;
    let post = |kind: &'static str| {
        let request = app
            .request(Method::POST, "query?minorversion=75")
            .header("content-type", kind)
            .body("select * from Class where Name = 'Shop'");
        app.send(request)
    };
    let answer = post("application/text").await.ok();
    assert_eq!(answer.body["QueryResponse"]["maxResults"], 1);
    assert_eq!(post("application/json").await.code(), "1050");
}

#[tokio::test]
async fn bad_statements_are_4000_and_bad_names_4001() {
    let app = TestSandbox::connected().await;
    for (statement, code) in [
        ("select * from Employee where", "4000"),
        ("select * from Employee where DisplayName = 'O'Brien'", "4000"),
        ("select * from Employee where Active = true or Id = '5'", "4000"),
        ("select * from Nonsense", "4001"),
        ("select * from Employee where Nonsense = '1'", "4001"),
        ("select Nonsense from Employee", "4001"),
        ("select * from Employee where PrimaryAddr = '1'", "4001"),
        ("select * from TimeActivity where Description like '%x%'", "4001"),
        ("select * from TimeActivity where TxnDate = 'yesterday'", "4001"),
        (
            "select * from TimeActivity where MetaData.CreateTime > '2026-11-01T00:00:00 07:00'",
            "4001",
        ),
        ("select * from Employee startposition 0", "4001"),
        ("select * from Employee where DisplayName != 'a'", "4000"),
        ("select * from Employee;", "4000"),
        ("select *, Nonsense from Employee", "4001"),
        ("select * from Customer where Line.Amount = '1'", "4001"),
        ("select * from Customer where ParentRef = '1'", "4001"),
        ("select * from Customer orderby Notes", "4001"),
        ("select * from Customer where PrimaryEmailAddr.Address = 'a@b.c'", "4001"),
        ("select * from Vendor where PrimaryEmailAddr = 'a@b.c'", "4001"),
        ("select * from Customer where Active = 'perhaps'", "4001"),
        ("select * from CompanyInfo where Nonsense = '1'", "4001"),
    ] {
        let answer = app.query(statement).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (400, code), "{statement}");
    }
    assert_eq!(app.get("query").await.code(), "2020");
}

#[tokio::test]
async fn a_plus_that_was_not_encoded_is_no_time() {
    let app = TestSandbox::connected().await;
    let raw = "query?query=select%20*%20from%20Employee%20where%20MetaData.CreateTime%20%3E%20\
               '2026-11-01T00:00:00+01:00'";
    assert_eq!(app.get(raw).await.code(), "4001");
}

#[tokio::test]
async fn refusals_carry_the_recorded_texts() {
    let app = TestSandbox::connected().await;
    for (statement, detail) in [
        (
            "select * from Vendor where PrimaryEmailAddr = 'john@doe.com'",
            "QueryValidationError: property 'PrimaryEmailAddr' is not queryable",
        ),
        (
            "select * from TaxService",
            "QueryValidationError: Metadata not found for Entity: TaxService",
        ),
        (
            "select * from Item maxresults 1500",
            "QueryValidationError: value 1500 is too large. Max allowed value is 1000",
        ),
        (
            "select * from Vendor where DisplayName = 'Cutlery 'R Us'",
            "QueryParserError: Encountered \" <IDENTIFIER> \"R \"\" at line 1, column 52.",
        ),
    ] {
        assert_eq!(app.query(statement).await.detail(), detail, "{statement}");
    }
}

#[tokio::test]
async fn statements_of_public_clients_are_read() {
    let app = days(3).await;
    for (entity, statement, rows) in [
        // node-quickbooks: camel case, lower case keywords, paging words everywhere.
        ("TimeActivity", "select * from timeActivity startposition 1 maxresults 1000", 3),
        ("TimeActivity", "select * from timeActivity where Id = 2", 1),
        ("Employee", "select * from employee where Active = true orderby DisplayName asc", 27),
        ("CompanyInfo", "select * from companyInfo startposition 1 maxresults 1000", 1),
        ("Preferences", "select * from preferences", 1),
        // python-quickbooks: a field beside the star, two blanks, Python's booleans, both orders.
        ("Item", "SELECT *, Sku FROM Item MAXRESULTS 2", 2),
        ("Employee", "SELECT * FROM Employee WHERE Active = False  MAXRESULTS 100", 2),
        ("Employee", "SELECT * FROM Employee WHERE Id in ('55', '56') ", 2),
        ("Item", "SELECT * FROM Item  ORDER BY Name MAXRESULTS 1", 1),
        ("Item", "SELECT * FROM Item WHERE Type = 'Service' ORDERBY Name MAXRESULTS 1", 1),
        ("Class", "\nselect *\n  from Class\n where Name='Shop'and Active=true", 1),
    ] {
        assert_eq!(app.rows(entity, statement).await.len(), rows, "{statement}");
    }
    // Paging words do not lower a count.
    let count = "select count(*) from employee startposition 5 maxresults 2";
    let answer = app.query(count).await.ok();
    assert_eq!(answer.body["QueryResponse"], json!({ "totalCount": 27 }));
}

#[tokio::test]
async fn what_a_company_has_one_of_is_filtered_and_paged_as_the_rest() {
    let app = TestSandbox::connected().await;
    for (statement, rows) in [
        ("select * from CompanyInfo where Id = '1'", 1),
        ("select * from CompanyInfo where Id = '2'", 0),
        ("select CompanyName from CompanyInfo", 1),
        ("select * from CompanyInfo where MetaData.CreateTime > '2000-01-01T00:00:00Z'", 1),
        ("select * from CompanyInfo where MetaData.CreateTime > '2100-01-01T00:00:00Z'", 0),
        ("select * from CompanyInfo startposition 2", 0),
    ] {
        assert_eq!(app.rows("CompanyInfo", statement).await.len(), rows, "{statement}");
    }
    let count = app.query("select count(*) from Preferences where Id = '2'").await.ok();
    assert_eq!(count.body["QueryResponse"], json!({ "totalCount": 0 }));
}

#[tokio::test]
async fn an_empty_or_huge_statement_is_refused_clearly() {
    let app = TestSandbox::connected().await;
    let post = |statement: String| {
        let request = app.request(Method::POST, "query").header("content-type", "application/text");
        app.send(request.body(statement))
    };
    let empty = post(" \n".into()).await;
    assert_eq!((empty.status.as_u16(), empty.code()), (400, "4000"));
    assert!(empty.detail().contains("\"select\""), "{}", empty.detail());
    let huge = format!("select * from Item where Name in ('{}')", "x','".repeat(100_000));
    let huge = post(huge).await;
    assert_eq!((huge.status.as_u16(), huge.code()), (400, "4000"));
    assert!(huge.detail().contains("Max allowed value is 65536"), "{}", huge.detail());
    let many: Vec<String> = (0..5000).map(|n| format!("'{n}'")).collect();
    post(format!("select * from Employee where Id in ({})", many.join(","))).await.ok();
}

#[tokio::test]
async fn the_old_parser_can_be_had_back_which_knows_no_dash() {
    let app = TestSandbox::connected().await;
    let statement = "select * from Employee where DisplayName like '% \u{201c}Bobby%'";
    assert_eq!(app.rows("Employee", statement).await.len(), 1);
    app.admin_post(&format!("/companies/{A}"), json!({ "queryLatin1Only": true })).await;
    let answer = app.query(statement).await;
    assert_eq!(answer.code(), "4000");
    assert!(answer.detail().contains(r#"Encountered: "\u201c" (8220)"#), "{}", answer.detail());
    let latin = "select * from Employee where DisplayName like '%\u{f1}and\u{fa}'";
    assert_eq!(app.rows("Employee", latin).await.len(), 1);
}
