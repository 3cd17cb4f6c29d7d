//! The rules of invoices.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    harness::{A, B, TestSandbox},
    sale::{line, payment, sale, with},
};

#[tokio::test]
async fn an_invoice_comes_back_with_totals_numbers_and_names() {
    let app = TestSandbox::connected().await;
    let lines = json!([
        with(line(3.0, 75.0, 225.0), json!({ "Description": "Façade 🛠️ d'angle" })),
        { "DetailType": "DescriptionOnly", "Description": "Thanks" },
        { "DetailType": "SubTotalLineDetail", "Amount": 9, "SubTotalLineDetail": {} },
        { "DetailType": "DiscountLineDetail",
          "DiscountLineDetail": { "PercentBased": true, "DiscountPercent": 10 } },
    ]);
    let body = sale(json!({ "Line": lines, "TxnTaxDetail": { "TotalTax": 12.5 } }));
    let invoice = app.put("Invoice", &body).await;
    assert_eq!(invoice["SyncToken"], "0");
    assert_eq!(invoice["DocNumber"], "1007");
    assert_eq!(invoice["TotalAmt"].to_string(), "215");
    for field in ["Balance", "HomeBalance", "HomeTotalAmt"] {
        assert_eq!(invoice[field], invoice["TotalAmt"], "{field}");
    }
    assert_eq!(invoice["CustomerRef"], json!({ "value": "6", "name": "Front Range Logistics" }));
    assert_eq!(invoice["DueDate"], "2026-12-18");
    assert_eq!(invoice["EmailStatus"], "NotSet");
    let kinds: Vec<&str> = invoice["Line"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["DetailType"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        ["SalesItemLineDetail", "DescriptionOnly", "SubTotalLineDetail", "DiscountLineDetail"]
    );
    let first = &invoice["Line"][0];
    assert_eq!((&first["Id"], &first["LineNum"]), (&json!("1"), &json!(1)));
    let detail = &first["SalesItemLineDetail"];
    assert_eq!(detail["ItemRef"], json!({ "value": "3", "name": "Carpentry" }));
    assert_eq!(detail["TaxCodeRef"], json!({ "value": "NON" }));
    assert_eq!(invoice["Line"][2]["Amount"], 225);
    assert_eq!(invoice["Line"][3]["Amount"], 22.5);
    assert_eq!(app.fresh("Invoice", &invoice).await, invoice);
}

#[tokio::test]
async fn each_broken_rule_has_its_code() {
    let app = TestSandbox::connected().await;
    app.admin_post(&format!("/companies/{A}"), json!({ "bookCloseDate": "2026-10-31" })).await;
    let detail = |changes: Value| {
        let mut line = line(2.0, 75.0, 150.0);
        line["SalesItemLineDetail"] = with(line["SalesItemLineDetail"].clone(), changes);
        json!({ "Line": [line] })
    };
    let long = |length: usize| "é".repeat(length);
    let cases: Vec<(&str, Value, &str)> = vec![
        ("no customer", json!({ "CustomerRef": null }), "2020"),
        ("unknown customer", json!({ "CustomerRef": { "value": "9999" } }), "2500"),
        ("an employee's id", json!({ "CustomerRef": { "value": "55" } }), "2500"),
        ("inactive customer", json!({ "CustomerRef": { "value": "9" } }), "610"),
        ("no lines", json!({ "Line": null }), "2020"),
        ("empty lines", json!({ "Line": [] }), "2020"),
        ("only a subtotal", json!({ "Line": [{ "DetailType": "SubTotalLineDetail" }] }), "2020"),
        ("line without a type", json!({ "Line": [{ "Amount": 1 }] }), "2020"),
        (
            "line of another trade",
            json!({ "Line": [{ "DetailType": "DepositLineDetail" }] }),
            "2170",
        ),
        ("line of no type", json!({ "Line": [{ "DetailType": "Nonsense" }] }), "2170"),
        (
            "line without detail",
            json!({ "Line": [{ "DetailType": "SalesItemLineDetail", "Amount": 1 }] }),
            "2020",
        ),
        (
            "line without amount",
            json!({ "Line": [with(line(1.0, 1.0, 1.0), json!({ "Amount": null }))] }),
            "2020",
        ),
        ("amount is no product", json!({ "Line": [line(2.0, 75.0, 149.99)] }), "6070"),
        ("amount is too large", json!({ "Line": [line(1.0, 1e12, 1e12)] }), "2240"),
        (
            "amount is text",
            json!({ "Line": [with(line(1.0, 1.0, 1.0), json!({ "Amount": "ten" }))] }),
            "2010",
        ),
        ("total below zero", json!({ "Line": [line(-1.0, 5.0, -5.0)] }), "6000"),
        ("unknown item", detail(json!({ "ItemRef": { "value": "999" } })), "2500"),
        ("inactive item", detail(json!({ "ItemRef": { "value": "14" } })), "2500"),
        ("category", detail(json!({ "ItemRef": { "value": "10" } })), "6000"),
        (
            "inactive class",
            detail(json!({ "ClassRef": { "value": "5000000000000123406" } })),
            "2500",
        ),
        ("unknown tax code", detail(json!({ "TaxCodeRef": { "value": "8" } })), "6100"),
        ("department", json!({ "DepartmentRef": { "value": "1" } }), "5030"),
        ("project that is none", json!({ "ProjectRef": { "value": "21" } }), "2500"),
        ("unknown term", json!({ "SalesTermRef": { "value": "77" } }), "2500"),
        ("foreign currency", json!({ "CurrencyRef": { "value": "EUR" } }), "6000"),
        ("tax below zero", json!({ "TxnTaxDetail": { "TotalTax": -1 } }), "2240"),
        ("deposit beyond the total", json!({ "Deposit": 151 }), "2240"),
        (
            "two discounts",
            json!({ "Line": [line(1.0, 9.0, 9.0),
            { "DetailType": "DiscountLineDetail", "Amount": 1, "DiscountLineDetail": {} },
            { "DetailType": "DiscountLineDetail", "Amount": 1, "DiscountLineDetail": {} }] }),
            "6000",
        ),
        (
            "discount of nothing",
            json!({ "Line": [line(1.0, 9.0, 9.0),
            { "DetailType": "DiscountLineDetail", "DiscountLineDetail": {} }] }),
            "6090",
        ),
        ("closed books", json!({ "TxnDate": "2026-10-31" }), "6210"),
        ("no such day", json!({ "TxnDate": "2026-02-30" }), "2010"),
        ("number too long", json!({ "DocNumber": long(22) }), "2050"),
        ("note too long", json!({ "PrivateNote": long(4001) }), "2050"),
        ("memo too long", json!({ "CustomerMemo": { "value": long(1001) } }), "2050"),
        (
            "description too long",
            json!({ "Line": [with(line(1.0, 1.0, 1.0), json!({ "Description": long(4001) }))] }),
            "2050",
        ),
        ("number taken", json!({ "DocNumber": "1003" }), "6140"),
        ("e-mail status", json!({ "EmailStatus": "Sent" }), "2170"),
        ("to send, but where", json!({ "EmailStatus": "NeedToSend" }), "2020"),
        ("no address", json!({ "BillEmail": { "Address": "nobody" } }), "2210"),
        ("unknown field", json!({ "Ballance": 1 }), "2010"),
        (
            "unknown link",
            json!({ "LinkedTxn": [{ "TxnId": "4711", "TxnType": "Estimate" }] }),
            "610",
        ),
        (
            "link of another kind",
            json!({ "LinkedTxn": [{ "TxnId": "1", "TxnType": "Bill" }] }),
            "620",
        ),
        (
            "another customer's estimate",
            json!({ "LinkedTxn": [{ "TxnId": "207", "TxnType": "Estimate" }] }),
            "620",
        ),
    ];
    let before = app.stored("Invoice").await;
    for (what, changes, code) in cases {
        let answer = app.post("invoice", &sale(changes)).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (400, code), "{what}: {}", answer.text);
    }
    assert_eq!(app.stored("Invoice").await, before);
}

#[tokio::test]
async fn the_longest_texts_are_taken() {
    let app = TestSandbox::connected().await;
    let text = |length: usize| "é".repeat(length);
    let body = sale(json!({
        "DocNumber": text(21),
        "PrivateNote": text(4000),
        "CustomerMemo": { "value": text(1000) },
        "Line": [with(line(1.0, 1.0, 1.0), json!({ "Description": text(4000) }))],
    }));
    app.put("Invoice", &body).await;
}

#[tokio::test]
async fn a_quantity_of_zero_leaves_the_amount_alone() {
    let app = TestSandbox::connected().await;
    let invoice = app.put("Invoice", &sale(json!({ "Line": [line(0.0, 0.0, 100.0)] }))).await;
    assert_eq!(invoice["TotalAmt"], 100);
}

#[tokio::test]
async fn a_sparse_update_keeps_what_it_does_not_send() {
    let app = TestSandbox::connected().await;
    let body =
        sale(json!({ "PrivateNote": "keep", "Deposit": 50, "CustomerMemo": { "value": "m" } }));
    let invoice = app.put("Invoice", &body).await;
    let changed =
        app.change("Invoice", &invoice, json!({ "CustomerMemo": { "value": "n" } })).await;
    assert_eq!(changed["SyncToken"], "1");
    assert_eq!(changed["CustomerMemo"]["value"], "n");
    for field in ["PrivateNote", "Line", "DocNumber", "DueDate", "TotalAmt", "Balance"] {
        assert_eq!(changed[field], invoice[field], "{field}");
    }
    assert_eq!(changed["Balance"], 100);
}

#[tokio::test]
async fn a_sent_line_array_replaces_all_lines() {
    let app = TestSandbox::connected().await;
    let lines = json!([line(1.0, 10.0, 10.0), line(1.0, 20.0, 20.0)]);
    let invoice = app.put("Invoice", &sale(json!({ "Line": lines }))).await;
    let kept = with(invoice["Line"][1].clone(), json!({ "Description": "second" }));
    let sent = json!([line(1.0, 5.0, 5.0), kept]);
    let changed = app.change("Invoice", &invoice, json!({ "Line": sent })).await;
    assert_eq!(changed["TotalAmt"], 25);
    let ids: Vec<&Value> =
        changed["Line"].as_array().unwrap().iter().take(2).map(|line| &line["Id"]).collect();
    assert_eq!(ids, ["3", "2"]);
}

#[tokio::test]
async fn a_full_update_nulls_what_it_leaves_out_and_ignores_what_is_computed() {
    let app = TestSandbox::connected().await;
    let invoice = app.put("Invoice", &sale(json!({ "PrivateNote": "gone" }))).await;
    let body = sale(json!({
        "Id": invoice["Id"], "SyncToken": "0", "TotalAmt": 9, "Balance": 9, "InvoiceLink": "x",
    }));
    let changed = app.put("Invoice", &body).await;
    assert!(changed.get("PrivateNote").is_none());
    assert!(changed.get("DocNumber").is_none());
    assert!(changed.get("InvoiceLink").is_none());
    assert_eq!((&changed["TotalAmt"], &changed["Balance"]), (&json!(150), &json!(150)));
    // What was read is taken back as it is.
    let again = app.put("Invoice", &changed).await;
    assert_eq!(
        with(again, json!({ "SyncToken": null, "MetaData": null })),
        with(changed, json!({ "SyncToken": null, "MetaData": null }))
    );
}

#[tokio::test]
async fn an_old_sync_token_is_5010() {
    let app = TestSandbox::connected().await;
    let invoice = app.put("Invoice", &sale(json!({}))).await;
    app.change("Invoice", &invoice, json!({ "PrivateNote": "first" })).await;
    for operation in ["update", "delete", "void"] {
        assert_eq!(app.act("Invoice", operation, &invoice).await.code(), "5010", "{operation}");
    }
}

#[tokio::test]
async fn numbers_count_up_and_are_not_used_twice() {
    let app = TestSandbox::connected().await;
    let create = |number: Value| sale(json!({ "DocNumber": number }));
    app.put("Invoice", &create(json!("2000"))).await;
    assert_eq!(app.put("Invoice", &create(Value::Null)).await["DocNumber"], "2001");
    assert_eq!(app.put("Invoice", &create(json!("R-7/a"))).await["DocNumber"], "R-7/a");
    let answer = app.post("invoice", &create(json!("r-7/A"))).await;
    assert_eq!(answer.code(), "6140");
    assert!(answer.detail().contains("TxnType=Invoice"), "{}", answer.detail());
    // An estimate has numbers of its own.
    app.put("Estimate", &create(json!("2000"))).await;
    app.post("invoice?include=allowduplicatedocnum", &create(json!("2000"))).await.ok();
    let own = app.put("Invoice", &create(json!("3000"))).await;
    app.change("Invoice", &own, json!({ "DocNumber": "3000" })).await;
    app.admin_post(&format!("/companies/{A}"), json!({ "customTxnNumbers": false })).await;
    app.put("Invoice", &create(json!("2000"))).await;
    let huge = "9".repeat(21);
    app.put("Invoice", &create(json!(huge))).await;
    assert_eq!(app.put("Invoice", &create(Value::Null)).await["DocNumber"], "3001");
}

#[tokio::test]
async fn a_due_day_follows_from_the_term() {
    let app = TestSandbox::connected().await;
    let term = |id: &str| json!({ "SalesTermRef": { "value": id } });
    let invoice = app.put("Invoice", &sale(term("2"))).await;
    assert_eq!(invoice["DueDate"], "2026-12-03");
    assert_eq!(invoice["SalesTermRef"], json!({ "value": "2", "name": "Net 15" }));
    let customer = app.fresh("Customer", &json!("6")).await;
    app.change("Customer", &customer, term("1")).await;
    assert_eq!(app.put("Invoice", &sale(json!({}))).await["DueDate"], "2026-11-18");
    let sent = app.put("Invoice", &sale(json!({ "DueDate": "2027-01-01" }))).await;
    assert_eq!(sent["DueDate"], "2027-01-01");
}

#[tokio::test]
async fn a_missing_day_is_today_in_the_company() {
    let app = TestSandbox::start().await;
    // 23:30 in Denver, when it is tomorrow in Greenwich.
    app.admin_post("/clock/set", json!({ "now": "2026-11-26T06:30:00Z" })).await;
    let app = app.connect(A).await;
    let invoice = app.put("Invoice", &sale(json!({ "TxnDate": null }))).await;
    assert_eq!(invoice["TxnDate"], "2026-11-25");
}

#[tokio::test]
async fn a_void_invoice_has_no_amounts_and_frees_its_payments() {
    let app = TestSandbox::connected().await;
    let invoice = app.put("Invoice", &sale(json!({ "PrivateNote": "Entered twice" }))).await;
    let paid = app.put("Payment", &payment(&invoice, 60.0)).await;
    let invoice = app.fresh("Invoice", &invoice).await;
    let void = app.act("Invoice", "void", &invoice).await.ok().body["Invoice"].clone();
    assert_eq!(void["PrivateNote"], "Voided - Entered twice");
    assert_eq!((&void["TotalAmt"], &void["Balance"]), (&json!(0), &json!(0)));
    assert_eq!(void["Line"][0]["Amount"], 0);
    assert_eq!(void["Line"][0]["SalesItemLineDetail"]["Qty"], 0);
    assert_eq!(void["LinkedTxn"], json!([]));
    let paid = app.fresh("Payment", &paid).await;
    assert_eq!((&paid["Line"], &paid["UnappliedAmt"]), (&json!([]), &json!(60)));
    assert_eq!(app.fresh("Customer", &json!("6")).await["Balance"], -60);
    // It stays as it is, but can be deleted.
    let changed = json!({ "Id": void["Id"], "SyncToken": void["SyncToken"], "sparse": true, "PrivateNote": "x" });
    assert_eq!(app.post("invoice", &changed).await.code(), "6000");
    assert_eq!(app.act("Invoice", "void", &void).await.ok().body["Invoice"], void);
    app.act("Invoice", "delete", &void).await.ok();
    assert_eq!(app.get(&format!("invoice/{}", void["Id"].as_str().unwrap())).await.code(), "610");
}

#[tokio::test]
async fn a_deleted_invoice_leaves_its_payment_unapplied() {
    let app = TestSandbox::connected().await;
    let invoice = app.put("Invoice", &sale(json!({}))).await;
    let paid = app.put("Payment", &payment(&invoice, 150.0)).await;
    let invoice = app.fresh("Invoice", &invoice).await;
    let gone = app.act("Invoice", "delete", &invoice).await.ok().body["Invoice"].clone();
    assert_eq!(gone, json!({ "Id": invoice["Id"], "status": "Deleted", "domain": "QBO" }));
    let freed = app.fresh("Payment", &paid).await;
    assert_eq!((&freed["UnappliedAmt"], &freed["Line"]), (&json!(150), &json!([])));
    assert_eq!(freed["SyncToken"], "1");
}

#[tokio::test]
async fn closed_books_refuse_every_operation() {
    let app = TestSandbox::connected().await;
    let invoice = app.put("Invoice", &sale(json!({}))).await;
    app.admin_post(&format!("/companies/{A}"), json!({ "bookCloseDate": "2026-11-18" })).await;
    for operation in ["delete", "void"] {
        assert_eq!(app.act("Invoice", operation, &invoice).await.code(), "6210", "{operation}");
    }
    let later =
        json!({ "Id": invoice["Id"], "SyncToken": "0", "sparse": true, "TxnDate": "2026-11-19" });
    assert_eq!(app.post("invoice", &later).await.code(), "6210");
}

#[tokio::test]
async fn a_sent_invoice_says_so_and_forty_a_day_are_enough() {
    let app = TestSandbox::connected().await;
    let invoice = app.put("Invoice", &sale(json!({}))).await;
    let id = invoice["Id"].as_str().unwrap();
    let send = |query: &str| {
        let request = app.request(Method::POST, &format!("invoice/{id}/send{query}"));
        app.send(request)
    };
    assert_eq!(send("").await.code(), "2020");
    assert_eq!(send("?sendTo=nobody").await.code(), "2210");
    let sent = send("?sendTo=ap%40example.com").await.ok().body["Invoice"].clone();
    assert_eq!(sent["EmailStatus"], "EmailSent");
    assert_eq!(sent["BillEmail"]["Address"], "ap@example.com");
    assert_eq!(sent["DeliveryInfo"]["DeliveryType"], "Email");
    assert_eq!(sent["SyncToken"], "1");
    for _ in 1..40 {
        send("").await.ok();
    }
    assert_eq!(send("").await.code(), "6000");
    // The next day; the token has expired meanwhile.
    app.advance(86_400).await;
    let app = app.sandbox.connect(A).await;
    app.send(app.request(Method::POST, &format!("invoice/{id}/send"))).await.ok();
    assert_eq!(app.send(app.request(Method::POST, "customer/6/send")).await.code(), "500");
    assert_eq!(app.send(app.request(Method::POST, "invoice/9999/send")).await.code(), "610");
}

#[tokio::test]
async fn an_invoiced_activity_is_billed_until_the_invoice_is_gone() {
    let app = TestSandbox::connected().await;
    let billable = json!({
        "CustomerRef": { "value": "6" }, "BillableStatus": "Billable", "HourlyRate": 75,
    });
    let (one, two) = (app.activity(billable.clone()).await, app.activity(billable.clone()).await);
    let link = |activity: &Value| json!([{ "TxnId": activity["Id"], "TxnType": "TimeActivity" }]);
    let on_line = with(line(2.0, 75.0, 150.0), json!({ "LinkedTxn": link(&two) }));
    let body = sale(json!({ "LinkedTxn": link(&one), "Line": [on_line] }));
    let invoice = app.put("Invoice", &body).await;
    let status = |activity: &Value| {
        let id = activity["Id"].clone();
        let app = &app;
        async move { app.fresh("TimeActivity", &id).await["BillableStatus"].clone() }
    };
    assert_eq!(
        (status(&one).await, status(&two).await),
        (json!("HasBeenBilled"), json!("HasBeenBilled"))
    );
    // Billed once, and not to be changed.
    assert_eq!(app.post("invoice", &sale(json!({ "LinkedTxn": link(&one) }))).await.code(), "620");
    let billed = app.fresh("TimeActivity", &one).await;
    assert_eq!(billed["SyncToken"], "1");
    let change = with(billed.clone(), json!({ "Hours": 1 }));
    assert_eq!(app.post("timeactivity", &change).await.code(), "6000");
    assert_eq!(app.act("TimeActivity", "delete", &billed).await.code(), "6000");

    // The line is replaced: its activity is billable again. The link above stays.
    let changed = app.change("Invoice", &invoice, json!({ "Line": [line(1.0, 75.0, 75.0)] })).await;
    assert_eq!(
        (status(&one).await, status(&two).await),
        (json!("HasBeenBilled"), json!("Billable"))
    );
    app.act("Invoice", "void", &changed).await.ok();
    assert_eq!(status(&one).await, "Billable");

    let again = app.put("Invoice", &sale(json!({ "LinkedTxn": link(&one) }))).await;
    assert_eq!(status(&one).await, "HasBeenBilled");
    app.act("Invoice", "delete", &again).await.ok();
    assert_eq!(status(&one).await, "Billable");
}

#[tokio::test]
async fn only_billable_time_of_the_same_customer_is_invoiced() {
    let app = TestSandbox::connected().await;
    let link = |activity: &Value| {
        sale(json!({ "LinkedTxn": [{ "TxnId": activity["Id"], "TxnType": "TimeActivity" }] }))
    };
    let not_billable = app.activity(json!({ "CustomerRef": { "value": "6" } })).await;
    assert_eq!(app.post("invoice", &link(&not_billable)).await.code(), "620");
    let others = app
        .activity(json!({ "CustomerRef": { "value": "2" }, "BillableStatus": "Billable", "HourlyRate": 1 }))
        .await;
    assert_eq!(app.post("invoice", &link(&others)).await.code(), "620");
    assert_eq!(app.post("invoice", &link(&json!({ "Id": "77" }))).await.code(), "610");
}

#[tokio::test]
async fn an_invoice_is_never_worth_less_than_its_payments() {
    let app = TestSandbox::connected().await;
    let invoice = app.put("Invoice", &sale(json!({}))).await;
    app.put("Payment", &payment(&invoice, 100.0)).await;
    let invoice = app.fresh("Invoice", &invoice).await;
    let update = |changes: Value| {
        let body =
            json!({ "Id": invoice["Id"], "SyncToken": invoice["SyncToken"], "sparse": true });
        with(body, changes)
    };
    let less = update(json!({ "Line": [line(1.0, 75.0, 75.0)] }));
    assert_eq!(app.post("invoice", &less).await.code(), "6000");
    let other = update(json!({ "CustomerRef": { "value": "2" } }));
    assert_eq!(app.post("invoice", &other).await.code(), "620");
    let more = app.put("Invoice", &update(json!({ "Line": [line(4.0, 75.0, 300.0)] }))).await;
    assert_eq!(more["Balance"], 200);
    assert_eq!(more["LinkedTxn"][0]["TxnType"], "Payment");
}

#[tokio::test]
async fn the_companies_are_apart() {
    let app = TestSandbox::start().await.connect(B).await;
    let url = app.public(&format!("/v3/company/{B}/invoice/210"));
    let answer = app.send(app.http.get(url).bearer_auth(&app.token)).await;
    assert_eq!(answer.code(), "610");
}

#[tokio::test]
async fn invoices_are_found_by_customer_balance_and_day() {
    let app = TestSandbox::connected().await;
    let count = |condition: &str| {
        let statement = format!("select * from Invoice where {condition}");
        let app = &app;
        async move { app.rows("Invoice", &statement).await.len() }
    };
    assert_eq!(count("Balance > '0'").await, 4);
    assert_eq!(count("CustomerRef = '31'").await, 1);
    assert_eq!(count("DueDate < '2026-10-01' and Balance > '0'").await, 2);
    assert_eq!(count("DocNumber in ('1001', '1004')").await, 2);
    let rows = app.rows("Customer", "select * from Customer where Balance > '0'").await;
    assert_eq!(rows.len(), 4);
}
