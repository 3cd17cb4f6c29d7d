//! Accounts, terms, tax codes, and what other lists need of them.

use serde_json::{Value, json};

use crate::{
    harness::{Connected, TestSandbox},
    sale::with,
};

async fn code(app: &Connected, path: &str, body: Value) -> String {
    app.post(path, &body).await.code().to_owned()
}

#[tokio::test]
async fn a_company_starts_with_accounts_terms_and_tax_codes() {
    let app = TestSandbox::connected().await;
    let names = |entity: &'static str, condition: &str| {
        let statement = format!("select * from {entity} where {condition}");
        let app = &app;
        async move {
            let rows = app.rows(entity, &statement).await;
            rows.iter().map(|row| row["Name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        }
    };
    assert_eq!(names("Account", "Name = 'Travel'").await, ["Travel"]);
    assert!(names("Account", "AccountType = 'Expense'").await.len() > 5);
    assert_eq!(
        names("Account", "FullyQualifiedName = 'Job Expenses:Job Materials'").await.len(),
        1
    );
    assert_eq!(names("TaxCode", "Active = true").await.len(), 2);
    assert_eq!(names("Term", "DueDays = '30' and Name like 'Net%'").await, ["Net 30"]);
    let tax = app.fresh("TaxCode", &json!("TAX")).await;
    assert_eq!((&tax["Id"], &tax["Taxable"]), (&json!("TAX"), &json!(true)));

    app.admin_post("/companies", json!({ "realm": "42", "companyName": "Bare" })).await;
    let bare = app.admin_get("/companies/42").await;
    assert_eq!(bare["entities"]["TaxCode"], 2);
    assert!(bare["entities"]["Account"].as_u64().unwrap() > 20);
    assert_eq!(bare["entities"]["Invoice"], 0);
}

#[tokio::test]
async fn an_account_has_a_type_and_what_follows_from_it() {
    let app = TestSandbox::connected().await;
    let account = app.put("Account", &json!({ "Name": "Fuel", "AccountType": "Expense" })).await;
    assert_eq!(
        (&account["AccountSubType"], &account["Classification"], &account["CurrentBalance"]),
        (&json!("Travel"), &json!("Expense"), &json!(0))
    );
    assert_eq!(account["Id"], "100");
    let checking = json!({ "Name": "Payroll Bank", "AccountSubType": "Checking" });
    assert_eq!(app.put("Account", &checking).await["AccountType"], "Bank");
    let cases = [
        (json!({ "Name": "X" }), "6010"),
        (json!({ "AccountType": "Bank" }), "2020"),
        (json!({ "Name": "X", "AccountType": "Banks" }), "2170"),
        (json!({ "Name": "X", "AccountSubType": "Nope" }), "2170"),
        (json!({ "Name": "X", "AccountType": "Bank", "AccountSubType": "Inventory" }), "2170"),
        (json!({ "Name": "fuel", "AccountType": "Bank" }), "6240"),
        (json!({ "Name": "5\" pipe", "AccountType": "Bank" }), "2040"),
        (json!({ "Name": "a:b", "AccountType": "Bank" }), "2040"),
        (json!({ "Name": "x".repeat(101), "AccountType": "Bank" }), "2050"),
        (json!({ "Name": "X", "AcctNum": "12345678", "AccountType": "Bank" }), "2050"),
        (json!({ "Name": "X", "AccountType": "Bank", "ParentRef": { "value": "58" } }), "6000"),
        (json!({ "Name": "X", "AccountType": "Bank", "ParentRef": { "value": "999" } }), "2500"),
    ];
    for (body, expected) in cases {
        assert_eq!(code(&app, "account", body.clone()).await, expected, "{body}");
    }
    let body = json!({ "Name": "Diesel", "AccountType": "Expense", "ParentRef": { "value": account["Id"] } });
    let below = app.put("Account", &body).await;
    assert_eq!(
        (&below["FullyQualifiedName"], &below["SubAccount"]),
        (&json!("Fuel:Diesel"), &json!(true))
    );
}

#[tokio::test]
async fn accounts_and_terms_are_made_inactive_with_the_suffix() {
    let app = TestSandbox::connected().await;
    for (entity, id, name) in
        [("Account", "7", "Advertising (deleted)"), ("Term", "4", "Net 60 (deleted)")]
    {
        let read = app.fresh(entity, &json!(id)).await;
        let ended = app.change(entity, &read, json!({ "Active": false })).await;
        assert_eq!(ended["Name"], name);
        let statement = format!("select * from {entity} where Id = '{id}'");
        assert!(app.rows(entity, &statement).await.is_empty());
        assert_eq!(app.act(entity, "delete", &ended).await.code(), "500");
    }
    // Undeposited Funds is QuickBooks' own.
    let body = json!({ "Id": "4", "SyncToken": "0", "sparse": true, "Active": false });
    assert_eq!(code(&app, "account", body).await, "6000");
    let term = json!({ "SalesTermRef": { "value": "4" }, "DisplayName": "Late Payer" });
    assert_eq!(code(&app, "customer", term).await, "2500");
}

#[tokio::test]
async fn a_term_needs_days_and_a_short_name() {
    let app = TestSandbox::connected().await;
    let term = app.put("Term", &json!({ "Name": "Net 45", "DueDays": 45 })).await;
    assert_eq!(term["Type"], "STANDARD");
    assert_eq!(code(&app, "term", json!({ "Name": "net 45", "DueDays": 1 })).await, "6240");
    assert_eq!(code(&app, "term", json!({ "Name": "None" })).await, "2020");
    assert_eq!(code(&app, "term", json!({ "Name": "x".repeat(32), "DueDays": 1 })).await, "2050");
    assert_eq!(code(&app, "term", json!({ "Name": "X", "DueDays": -1 })).await, "2240");
    let monthly = json!({ "Name": "Month's end", "DayOfMonthDue": 31, "DueNextMonthDays": 5 });
    assert_eq!(app.put("Term", &monthly).await["Type"], "DATE_DRIVEN");
}

#[tokio::test]
async fn a_tax_code_is_not_written() {
    let app = TestSandbox::connected().await;
    let body = json!({ "Name": "CA" });
    assert_eq!(code(&app, "taxcode", body.clone()).await, "500");
    let update = with(body, json!({ "Id": "TAX", "SyncToken": "0" }));
    for operation in ["update", "delete", "void"] {
        let path = format!("taxcode?operation={operation}");
        assert_eq!(code(&app, &path, update.clone()).await, "500", "{operation}");
    }
}

#[tokio::test]
async fn an_items_accounts_exist_and_are_of_the_right_type() {
    let app = TestSandbox::connected().await;
    let item = |changes: Value| with(json!({ "Name": "Glazing", "Type": "Service" }), changes);
    let account = |field: &str, id: &str| item(json!({ field: { "value": id } }));
    assert_eq!(code(&app, "item", account("IncomeAccountRef", "999")).await, "2500");
    assert_eq!(code(&app, "item", account("IncomeAccountRef", "22")).await, "6000");
    assert_eq!(code(&app, "item", account("ExpenseAccountRef", "1")).await, "6000");
    let below = |parent: &str| {
        with(account("IncomeAccountRef", "1"), json!({ "ParentRef": { "value": parent } }))
    };
    assert_eq!(code(&app, "item", below("3")).await, "6000");
    let made = app.put("Item", &below("10")).await;
    assert_eq!(made["FullyQualifiedName"], "Labor:Glazing");
    assert_eq!(made["IncomeAccountRef"], json!({ "value": "1", "name": "Services" }));
    let stock = item(json!({
        "Name": "Brick", "Type": "Inventory", "QtyOnHand": 5, "InvStartDate": "2026-01-01",
        "IncomeAccountRef": { "value": "79" }, "ExpenseAccountRef": { "value": "80" },
        "AssetAccountRef": { "value": "81" },
    }));
    app.put("Item", &stock).await;
}

#[tokio::test]
async fn a_reference_shows_todays_name_in_lines_too() {
    let app = TestSandbox::connected().await;
    let item = app.fresh("Item", &json!("3")).await;
    app.change("Item", &item, json!({ "Name": "Carpentry & Joinery" })).await;
    let invoice = app.fresh("Invoice", &json!("201")).await;
    let detail = &invoice["Line"][0]["SalesItemLineDetail"];
    assert_eq!(detail["ItemRef"], json!({ "value": "3", "name": "Carpentry & Joinery" }));
    assert_eq!(invoice["CurrencyRef"]["name"], "United States Dollar");
    assert_eq!(invoice["SyncToken"], "1");
}

#[tokio::test]
async fn a_customer_keeps_what_quickbooks_computes() {
    let app = TestSandbox::connected().await;
    let body = json!({
        "DisplayName": "Annex", "Balance": 99, "IsProject": true, "BillWithParent": true,
        "SalesTermRef": { "value": "2" }, "DefaultTaxCodeRef": { "value": "TAX" },
    });
    let customer = app.put("Customer", &body).await;
    assert_eq!((&customer["Balance"], &customer["BalanceWithJobs"]), (&json!(0), &json!(0)));
    assert_eq!((&customer["Job"], &customer["BillWithParent"]), (&json!(false), &json!(false)));
    assert!(customer.get("IsProject").is_none());
    let job = json!({ "DisplayName": "Orphan", "Job": true });
    assert_eq!(code(&app, "customer", job).await, "2020");
    let money = json!({ "DisplayName": "Abroad", "CurrencyRef": { "value": "EUR" } });
    assert_eq!(code(&app, "customer", money).await, "6000");
    let tax = json!({ "DisplayName": "Taxed", "DefaultTaxCodeRef": { "value": "X" } });
    assert_eq!(code(&app, "customer", tax).await, "2500");
    let phone = json!({ "DisplayName": "P", "PrimaryPhone": { "FreeFormNumber": "1".repeat(31) } });
    assert_eq!(code(&app, "customer", phone).await, "2050");
}

#[tokio::test]
async fn an_employees_phone_and_address_are_checked() {
    let app = TestSandbox::connected().await;
    let employee =
        |changes: Value| with(json!({ "GivenName": "Mo", "FamilyName": "Reyes" }), changes);
    let short = employee(json!({ "Mobile": { "FreeFormNumber": "555-0101" } }));
    assert_eq!(code(&app, "employee", short).await, "6000");
    let zip = employee(json!({ "PrimaryAddr": { "PostalCode": "ABC" } }));
    assert_eq!(code(&app, "employee", zip).await, "6000");
    let good = employee(json!({
        "Mobile": { "FreeFormNumber": "(303) 555-0101" },
        "PrimaryAddr": { "Line1": "1 Main", "City": "Golden", "CountrySubDivisionCode": "CO", "PostalCode": "80401" },
    }));
    app.put("Employee", &good).await;
}

#[tokio::test]
async fn balances_follow_a_customer_to_another_parent() {
    let app = TestSandbox::connected().await;
    let owes = |id: &str| {
        let id = json!(id);
        let app = &app;
        async move { app.fresh("Customer", &id).await["BalanceWithJobs"].clone() }
    };
    // Storefront 12 owes 3,270; Juniper Creek above it has 750 with the company.
    assert_eq!(owes("10").await, 2520);
    let project = app.fresh("Customer", &json!("31")).await;
    app.change("Customer", &project, json!({ "ParentRef": { "value": "1" } })).await;
    assert_eq!(
        (owes("10").await, owes("1").await, owes("31").await),
        (json!(-750), json!(3270), json!(3270))
    );
}
