//! Who may do what: every route of the template against every kind of caller.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper that cannot do its work fails the test, and says why"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use regex::Regex;
use reqwest::Method;
use serde_json::{Value, json};
use stack_tests::stack::api::{Answer, Caller};
use stack_tests::stack::company::Company;
use stack_tests::stack::{Stack, eventually};
use uuid::Uuid;

use crate::outside::{self, call, content_type, token};

const BASE: &str = "/api/v1/integrations/quickbooks";

/// What a route asks of its caller.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// Nothing: a browser comes without a token. The answer is the same for everybody.
    Public,
    /// viewer, admin, operator.
    Read,
    /// The same and the host app's back end.
    ReadStatus,
    /// admin.
    Administer,
    /// admin and the host app's back end.
    Deliver,
}

/// One route, a request to it, and what those get who may do it.
struct Row {
    route: &'static str,
    rule: Rule,
    /// The path below the base and the body, for a company and a job.
    request: fn(&str, &str) -> (String, Option<Value>),
    /// Status and problem code.
    works: (u16, &'static str),
    /// The code for a company that is not the caller's.
    absent: &'static str,
}

fn rows() -> Vec<Row> {
    let row = |route, rule, works, request| Row {
        route,
        rule,
        request,
        works,
        absent: "company-not-found",
    };
    vec![
        row("POST /connect", Rule::Administer, (200, ""), |company, _| {
            ("/connect".into(), Some(json!({ "companyId": company })))
        }),
        row("GET /connect", Rule::Public, (410, ""), |company, _| {
            (format!("/connect?companyId={company}&ticket=x"), None)
        }),
        row("GET /callback", Rule::Public, (410, ""), |_, _| {
            ("/callback?state=x&code=y&realmId=1".into(), None)
        }),
        row("GET /reconnect", Rule::Public, (200, ""), |company, _| {
            (format!("/reconnect?companyId={company}"), None)
        }),
        row("GET /disconnected", Rule::Public, (200, ""), |_, _| {
            ("/disconnected?realmId=1".into(), None)
        }),
        row(
            "POST /connect/confirm",
            Rule::Administer,
            (409, "nothing-to-confirm"),
            |company, _| ("/connect/confirm".into(), Some(json!({ "companyId": company }))),
        ),
        row("GET /status", Rule::ReadStatus, (200, ""), |company, _| {
            (format!("/status?companyId={company}"), None)
        }),
        row("POST /test-connection", Rule::Administer, (200, ""), |company, _| {
            ("/test-connection".into(), Some(json!({ "companyId": company })))
        }),
        row("GET /settings", Rule::Read, (200, ""), |company, _| {
            (format!("/settings?companyId={company}"), None)
        }),
        row("PUT /settings", Rule::Administer, (200, ""), |company, _| {
            (
                format!("/settings?companyId={company}"),
                Some(json!({ "companyId": company, "catchUpMinutes": 20 })),
            )
        }),
        row("GET /mapping", Rule::Read, (200, ""), |company, _| {
            (format!("/mapping?companyId={company}"), None)
        }),
        row("PUT /mapping", Rule::Administer, (200, ""), |company, _| {
            (
                format!("/mapping?companyId={company}"),
                Some(json!({ "companyId": company, "mapping": {} })),
            )
        }),
        row("POST /timecards", Rule::Deliver, (202, ""), |company, _| {
            ("/timecards".into(), Some(card(company, "matrix")))
        }),
        row("POST /sync-now", Rule::Deliver, (202, ""), |company, _| {
            (
                "/sync-now".into(),
                Some(json!({ "companyId": company, "entities": ["classes"], "direction": "in" })),
            )
        }),
        Row {
            absent: "job-not-found",
            ..row("GET /sync-status/{jobId}", Rule::ReadStatus, (200, ""), |_, job| {
                (format!("/sync-status/{job}"), None)
            })
        },
        row("POST /refresh", Rule::Administer, (200, ""), |company, _| {
            ("/refresh".into(), Some(json!({ "companyId": company })))
        }),
        // After it the company is not connected.
        row("DELETE /disconnect", Rule::Administer, (200, ""), |company, _| {
            (format!("/disconnect?companyId={company}"), None)
        }),
        // It was connected to another QuickBooks company than this.
        row("POST /reset", Rule::Administer, (422, "invalid-request"), |company, _| {
            ("/reset".into(), Some(json!({ "companyId": company, "realmId": "1" })))
        }),
    ]
}

fn card(company: &str, id: &str) -> Value {
    json!({
        "companyId": company,
        "timecardId": id,
        "version": 1,
        "workerId": "w-1",
        "projectId": "p-1",
        "clockIn": "2026-11-02T08:00:00-07:00",
        "clockOut": "2026-11-02T16:30:00-07:00",
        "breakMinutes": 30,
        "billable": false,
    })
}

fn method(row: &Row) -> Method {
    row.route.split(' ').next().unwrap().parse().unwrap()
}

async fn ask(stack: &Stack, bearer: Option<&str>, row: &Row, company: &str, job: &str) -> Answer {
    let (path, body) = (row.request)(company, job);
    // A company tests its connection once a second.
    eventually("an answer other than 429", Duration::from_secs(20), async || {
        let answer = call(stack, bearer, method(row), &path, body.as_ref()).await;
        (answer.status != 429).then_some(answer)
    })
    .await
}

/// A connected company and one of its jobs.
async fn company_with_a_job(stack: &Stack) -> (Company, String) {
    let company = stack.company("empty").await;
    stack.connect(&company).await;
    let wanted = json!({ "companyId": company.id, "entities": ["items"], "direction": "in" });
    let job = stack.post(&company.admin, "/sync-now", &wanted).await.ok();
    (company, job["jobId"].as_str().unwrap().to_owned())
}

/// Routes of the template with whether they take callers without a token.
fn template_routes() -> BTreeMap<String, bool> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../template.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    let method = Regex::new(r"Method:\s*([A-Za-z]+)").unwrap();
    let path = Regex::new(r#"Path:\s*(?:"([^"]+)"|([^\s"}]+))"#).unwrap();
    let event = Regex::new(r"(?m)^ +Type: HttpApi$").unwrap();
    let starts: Vec<usize> = event.find_iter(&text).map(|found| found.start()).collect();
    let next = Regex::new(r"(?m)^ +(Type|Policies):").unwrap();
    starts
        .iter()
        .map(|start| {
            let rest = &text[*start..];
            let line = rest.find('\n').unwrap();
            let end = next.find_at(rest, line).map_or(rest.len(), |found| found.start());
            let event = &rest[..end];
            let method = method.captures(event).expect("an event has a method");
            let path = path.captures(event).expect("an event has a path");
            let path = path.get(1).or(path.get(2)).unwrap().as_str();
            let route = format!("{} {path}", method[1].to_uppercase());
            (route, event.contains("Authorizer: NONE"))
        })
        .collect()
}

#[tokio::test]
async fn every_route_of_the_template_has_a_row_here() {
    let (stack, _shared) = Stack::shared().await;
    let template = template_routes();
    let full = |row: &Row| row.route.replacen(' ', &format!(" {BASE}"), 1);
    let mut rows: Vec<(String, bool)> =
        rows().iter().map(|row| (full(row), row.rule == Rule::Public)).collect();
    rows.sort();
    assert_eq!(template.into_iter().collect::<Vec<_>>(), rows, "template.yaml and the rows above");
    let mut deployed = stack.is.routes.clone();
    deployed.sort();
    let rows: Vec<String> = rows.into_iter().map(|(route, _)| route).collect();
    assert_eq!(deployed, rows, "the deployed routes and the rows above");
}

#[tokio::test]
async fn each_caller_may_do_on_each_route_what_the_matrix_says() {
    let (stack, _shared) = Stack::shared().await;
    let (company, job) = company_with_a_job(&stack).await;
    let id = &company.id;
    let of = async |claim: String| {
        Some(token(&stack, &json!({ "sub": format!("u-{claim}"), "companies": claim })).await)
    };
    let admin = format!("{id}:admin");
    let expired = json!({ "sub": "u", "companies": admin, "expiresIn": -60 });
    let elsewhere = json!({ "sub": "u", "companies": admin, "audience": "another-app" });
    let good = of(admin.clone()).await.unwrap();
    let (head, signature) = good.rsplit_once('.').unwrap();
    let forged = format!("{head}.{}", signature.chars().rev().collect::<String>());

    // (who, bearer, role in the company): no role is a stranger, no token is nobody.
    let callers: Vec<(&str, Option<String>, &str)> = vec![
        ("nobody", None, "unknown"),
        ("garbage", Some("garbage".into()), "unknown"),
        ("forged", Some(forged), "unknown"),
        ("expired", Some(token(&stack, &expired).await), "unknown"),
        ("another audience", Some(token(&stack, &elsewhere).await), "unknown"),
        ("no companies", of(String::new()).await, "stranger"),
        ("admin of another", of(format!("{id}-2:admin")).await, "stranger"),
        ("viewer", of(format!("{id}:viewer")).await, "viewer"),
        ("admin", of(admin).await, "admin"),
        ("service", stack.token(&Caller::service()).await, "service"),
        ("operator", stack.token(&Caller::operator()).await, "operator"),
    ];
    let mut wrong = Vec::new();
    for row in rows() {
        for (who, bearer, role) in &callers {
            let allowed = match row.rule {
                Rule::Public => true,
                Rule::Read => matches!(*role, "viewer" | "admin" | "operator"),
                Rule::ReadStatus => matches!(*role, "viewer" | "admin" | "operator" | "service"),
                Rule::Administer => *role == "admin",
                Rule::Deliver => matches!(*role, "admin" | "service"),
            };
            let expected = match *role {
                _ if allowed => row.works,
                // The gateway's own answer: it is no problem document.
                "unknown" => (401, ""),
                "stranger" => (404, row.absent),
                _ => (403, "role-not-allowed"),
            };
            let answer = ask(&stack, bearer.as_deref(), &row, id, &job).await;
            let got = (answer.status, answer.code().unwrap_or_default());
            if got != (expected.0, expected.1.to_owned()) {
                wrong.push(format!("{} by {who}: {got:?}, not {expected:?}", row.route));
            }
            if got.0 >= 400 && got.0 != 401 && row.rule != Rule::Public {
                outside::problem(&answer, expected.0, expected.1);
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_foreign_company_answers_on_every_route_as_one_that_does_not_exist() {
    let (stack, _shared) = Stack::shared().await;
    let (company, job) = company_with_a_job(&stack).await;
    let own = stack.company("empty").await;
    let absent_company = format!("{}-never", company.id);
    let absent_job = Uuid::now_v7().to_string();
    let claims = [format!("{}:admin", own.id), String::new()];
    for row in rows().iter().filter(|row| row.rule != Rule::Public) {
        for claim in &claims {
            let bearer = stack.token(&Caller::Companies(claim.clone())).await;
            let bearer = bearer.as_deref();
            let foreign = ask(&stack, bearer, row, &company.id, &job).await;
            outside::problem(&foreign, 404, row.absent);
            let others = [
                (absent_company.as_str(), absent_job.as_str()),
                // Ids that can be none.
                ("not%20a%20company", "not-a-job!"),
            ];
            for (company, job) in others {
                let absent = ask(&stack, bearer, row, company, job).await;
                assert_eq!(foreign.text, absent.text, "{} as {claim:?}", row.route);
                assert_eq!(foreign.status, absent.status);
                assert_eq!(content_type(&foreign.headers), content_type(&absent.headers));
                assert_eq!(
                    foreign.headers.keys().collect::<Vec<_>>(),
                    absent.headers.keys().collect::<Vec<_>>(),
                    "{}",
                    row.route
                );
            }
        }
    }
}

#[tokio::test]
async fn the_company_of_the_body_counts_and_not_the_one_of_the_address() {
    let (stack, _shared) = Stack::shared().await;
    let (own, foreign) = (stack.company("empty").await, stack.company("empty").await);
    let before = stack.get(&foreign.admin, &format!("/settings?companyId={}", foreign.id)).await;
    for (path, body) in [
        ("settings", json!({ "companyId": foreign.id, "automaticRefresh": false })),
        ("mapping", json!({ "companyId": foreign.id, "mapping": {} })),
    ] {
        let path = format!("/{path}?companyId={}", own.id);
        outside::problem(&stack.put(&own.admin, &path, &body).await, 404, "company-not-found");
    }
    let after = stack.get(&foreign.admin, &format!("/settings?companyId={}", foreign.id)).await;
    assert_eq!(before.text, after.text);
}

#[tokio::test]
async fn each_company_of_a_token_keeps_its_own_role() {
    let (stack, _shared) = Stack::shared().await;
    let (a, b) = (stack.company("empty").await, stack.company("empty").await);
    let both = Caller::Companies(format!("{}:viewer {}:admin", a.id, b.id));
    let wanted = |company: &Company| json!({ "companyId": company.id, "automaticRefresh": true });
    for (company, status) in [(&a, 403), (&b, 200)] {
        let answer = stack.put(&both, "/settings", &wanted(company)).await;
        assert_eq!(answer.status, status, "{}", answer.text);
    }
    let either = stack.get(&both, &format!("/settings?companyId={}", a.id)).await;
    assert_eq!(either.status, 200);
}

#[tokio::test]
async fn claims_that_grant_nothing_open_nothing() {
    let (stack, _shared) = Stack::shared().await;
    let company = stack.company("empty").await;
    let id = &company.id;
    for claim in [
        "*:admin".to_owned(),
        "*:viewer".to_owned(),
        id.clone(),
        format!("{id}:"),
        format!(":{id}:admin"),
        format!("{id}:owner"),
        format!("{id}:Admin"),
        format!("{id}:service"),
        format!("{id}:operator"),
        format!("{id}:admin:viewer"),
        format!("{id}1:admin"),
        format!("{}:admin", &id[..id.len() - 1]),
        format!("{id},other:admin"),
    ] {
        let answer =
            stack.get(&Caller::Companies(claim.clone()), &format!("/status?companyId={id}")).await;
        assert_eq!(answer.code().as_deref(), Some("company-not-found"), "{claim}");
    }
}

#[tokio::test]
async fn in_a_list_a_foreign_row_is_refused_and_the_others_are_accepted() {
    let (stack, _shared) = Stack::shared().await;
    let (own, foreign) = (stack.company("empty").await, stack.company("empty").await);
    let absent = format!("{}-never", own.id);
    let cards = json!({ "timecards": [
        card(&foreign.id, "t-1"), card(&own.id, "t-2"), card(&absent, "t-3"), card(&own.id, "t-4"),
    ] });
    let answer = stack.post(&own.admin, "/timecards", &cards).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let answer = answer.json();
    assert_eq!((&answer["accepted"], &answer["refused"]), (&json!(2), &json!(2)));
    let results = answer["results"].as_array().unwrap();
    let accepted: Vec<&Value> = results.iter().map(|row| &row["accepted"]).collect();
    assert_eq!(accepted, [&json!(false), &json!(true), &json!(false), &json!(true)]);
    assert_eq!(results[0]["errors"], results[2]["errors"], "foreign and absent are told apart");
    outside::names(&results[0], "companyId", "company-not-found");

    // The foreign card was not stored: its own company sends it, and it is new there.
    let own_card = stack.post(&foreign.admin, "/timecards", &card(&foreign.id, "t-1")).await.ok();
    assert_eq!(own_card["results"][0]["duplicate"], false);

    // A list with nothing else in it is refused as a whole, alike for foreign and absent.
    let only = async |company: &str| {
        let cards = json!({ "timecards": [card(company, "t-1")] });
        stack.post(&own.admin, "/timecards", &cards).await
    };
    let (foreign, absent) = (only(&foreign.id).await, only(&absent).await);
    outside::problem(&foreign, 404, "company-not-found");
    assert_eq!(foreign.text, absent.text);
}

#[tokio::test]
async fn pages_of_the_configured_origin_may_call_and_no_others() {
    let (stack, _shared) = Stack::shared().await;
    let preflight = async |origin: &str| {
        let url = format!("{}/status?companyId=x", stack.is.api_url);
        let request = stack.http.request(Method::OPTIONS, url);
        let request =
            request.header("origin", origin).header("access-control-request-method", "GET");
        let answer = request.send().await.unwrap();
        let header = answer.headers().get("access-control-allow-origin");
        header.map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(preflight("http://localhost:3000").await.as_deref(), Some("http://localhost:3000"));
    assert_eq!(preflight("https://evil.example").await, None);
}
