//! The rules of payments, and what they do to invoices and customers.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    harness::{A, TestSandbox},
    sale::{payment, sale, with},
};

fn balances(customer: &Value) -> (f64, f64) {
    (customer["Balance"].as_f64().unwrap(), customer["BalanceWithJobs"].as_f64().unwrap())
}

#[tokio::test]
async fn a_payment_lowers_the_balance_and_links_both_sides() {
    let app = TestSandbox::connected().await;
    let invoice = app.put("Invoice", &sale(json!({}))).await;
    let first = app.put("Payment", &payment(&invoice, 100.0)).await;
    assert_eq!(first["UnappliedAmt"], 0);
    assert_eq!(first["DepositToAccountRef"], json!({ "value": "4", "name": "Undeposited Funds" }));
    let paid = app.fresh("Invoice", &invoice).await;
    assert_eq!((&paid["Balance"], &paid["SyncToken"]), (&json!(50), &json!("1")));
    assert_eq!(paid["LinkedTxn"], json!([{ "TxnId": first["Id"], "TxnType": "Payment" }]));
    assert_eq!(balances(&app.fresh("Customer", &json!("6")).await), (50.0, 50.0));

    let second = app.put("Payment", &payment(&invoice, 50.0)).await;
    let paid = app.fresh("Invoice", &invoice).await;
    assert_eq!(paid["Balance"], 0);
    assert_eq!(paid["LinkedTxn"].as_array().unwrap().len(), 2);

    // Whatever takes the payment back gives the balance back.
    app.act("Payment", "delete", &first).await.ok();
    assert_eq!(app.fresh("Invoice", &invoice).await["Balance"], 100);
    let body = json!({ "Id": second["Id"], "SyncToken": "0", "sparse": true });
    let void = app.post("payment?operation=update&include=void", &body).await.ok();
    let void = &void.body["Payment"];
    assert_eq!(
        (&void["TotalAmt"], &void["UnappliedAmt"], &void["PrivateNote"], &void["Line"]),
        (&json!(0), &json!(0), &json!("Voided"), &json!([]))
    );
    let open = app.fresh("Invoice", &invoice).await;
    assert_eq!((&open["Balance"], &open["LinkedTxn"]), (&json!(150), &json!([])));
    assert_eq!(balances(&app.fresh("Customer", &json!("6")).await), (150.0, 150.0));
}

#[tokio::test]
async fn a_changed_payment_moves_both_invoices() {
    let app = TestSandbox::connected().await;
    let one = app.put("Invoice", &sale(json!({}))).await;
    let two = app.put("Invoice", &sale(json!({}))).await;
    let paid = app.put("Payment", &payment(&one, 150.0)).await;
    let lines = payment(&two, 120.0)["Line"].clone();
    let moved = app.change("Payment", &paid, json!({ "Line": lines })).await;
    assert_eq!(moved["UnappliedAmt"], 30);
    assert_eq!(app.fresh("Invoice", &one).await["Balance"], 150);
    assert_eq!(app.fresh("Invoice", &two).await["Balance"], 30);
    // The same amount again is within what the invoice has open without this payment.
    let again = app.change("Payment", &moved, json!({ "PrivateNote": "seen" })).await;
    assert_eq!(again["UnappliedAmt"], 30);
    // Full: what is left out is nulled, the lines too.
    let full = json!({
        "Id": again["Id"], "SyncToken": again["SyncToken"],
        "CustomerRef": { "value": "6" }, "TotalAmt": 10,
    });
    let full = app.put("Payment", &full).await;
    assert_eq!((&full["UnappliedAmt"], &full["Line"]), (&json!(10), &json!([])));
    assert!(full.get("PrivateNote").is_none());
    assert_eq!(app.fresh("Invoice", &two).await["Balance"], 150);
}

#[tokio::test]
async fn one_payment_pays_several_invoices_and_a_sub_customers() {
    let app = TestSandbox::connected().await;
    let own = app.put("Invoice", &sale(json!({ "CustomerRef": { "value": "1" } }))).await;
    let below = app.put("Invoice", &sale(json!({ "CustomerRef": { "value": "21" } }))).await;
    assert_eq!(balances(&app.fresh("Customer", &json!("1")).await), (150.0, 300.0));
    assert_eq!(balances(&app.fresh("Customer", &json!("21")).await), (150.0, 150.0));
    let line = |invoice: &Value| payment(invoice, 150.0)["Line"][0].clone();
    let body = json!({
        "CustomerRef": { "value": "1" }, "TotalAmt": 400, "Line": [line(&own), line(&below)],
    });
    let paid = app.put("Payment", &body).await;
    assert_eq!(paid["UnappliedAmt"], 100);
    for invoice in [&own, &below] {
        assert_eq!(app.fresh("Invoice", invoice).await["Balance"], 0);
    }
    // The rest is money that the customer has with the company.
    assert_eq!(balances(&app.fresh("Customer", &json!("1")).await), (-100.0, -100.0));
    assert_eq!(balances(&app.fresh("Customer", &json!("21")).await), (0.0, 0.0));
}

#[tokio::test]
async fn each_broken_rule_has_its_code() {
    let app = TestSandbox::connected().await;
    let invoice = app.put("Invoice", &sale(json!({}))).await;
    let others = app.put("Invoice", &sale(json!({ "CustomerRef": { "value": "2" } }))).await;
    let void = app.put("Invoice", &sale(json!({}))).await;
    let void = app.act("Invoice", "void", &void).await.ok().body["Invoice"].clone();
    let lines = |of: &Value, amount: f64| json!({ "Line": payment(of, amount)["Line"] });
    let linked = |link: Value| json!({ "Line": [{ "Amount": 1, "LinkedTxn": link }] });
    let twice = json!([payment(&invoice, 80.0)["Line"][0], payment(&invoice, 80.0)["Line"][0]]);
    let cases: Vec<(&str, Value, &str)> = vec![
        ("no customer", json!({ "CustomerRef": null }), "2020"),
        ("no amount", json!({ "TotalAmt": null }), "2020"),
        ("amount below zero", json!({ "TotalAmt": -1 }), "2240"),
        ("inactive customer", json!({ "CustomerRef": { "value": "9" } }), "610"),
        ("unknown account", json!({ "DepositToAccountRef": { "value": "999" } }), "2500"),
        ("account of another type", json!({ "DepositToAccountRef": { "value": "1" } }), "6000"),
        ("line without amount", json!({ "Line": [{ "LinkedTxn": [] }] }), "2020"),
        ("line without link", json!({ "Line": [{ "Amount": 1 }] }), "2020"),
        ("line without links", linked(json!([])), "2020"),
        ("unknown invoice", linked(json!([{ "TxnId": "4711", "TxnType": "Invoice" }])), "610"),
        ("an estimate", linked(json!([{ "TxnId": "207", "TxnType": "Estimate" }])), "620"),
        ("another customer's invoice", lines(&others, 1.0), "620"),
        ("a void invoice", lines(&void, 1.0), "620"),
        ("more than is open", lines(&invoice, 151.0), "6000"),
        ("more than is open, in parts", json!({ "TotalAmt": 160, "Line": twice }), "6000"),
        (
            "more than was paid",
            json!({ "TotalAmt": 50, "Line": payment(&invoice, 60.0)["Line"] }),
            "6000",
        ),
        ("reference too long", json!({ "PaymentRefNum": "x".repeat(22) }), "2050"),
    ];
    let before = app.fresh("Invoice", &invoice).await;
    for (what, changes, code) in cases {
        let body = json!({ "CustomerRef": { "value": "6" }, "TotalAmt": 200 });
        let answer = app.post("payment", &with(body, changes)).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (400, code), "{what}: {}", answer.text);
    }
    assert_eq!(app.fresh("Invoice", &invoice).await, before);
}

#[tokio::test]
async fn a_customer_with_a_balance_stays_active() {
    let app = TestSandbox::connected().await;
    let invoice = app.put("Invoice", &sale(json!({}))).await;
    let end = || async {
        let customer = app.fresh("Customer", &json!("6")).await;
        let body = json!({
            "Id": "6", "SyncToken": customer["SyncToken"], "sparse": true, "Active": false,
        });
        app.post("customer", &body).await
    };
    let refused = end().await;
    assert_eq!(refused.code(), "6000");
    assert!(refused.detail().contains("non-zero balance"));
    app.put("Payment", &payment(&invoice, 150.0)).await;
    let ended = end().await.ok();
    assert_eq!(ended.body["Customer"]["DisplayName"], "Front Range Logistics (deleted)");
}

#[tokio::test]
async fn a_payment_written_by_hand_settles_the_invoice_too() {
    let app = TestSandbox::connected().await;
    let invoice = app.put("Invoice", &sale(json!({}))).await;
    let body = with(payment(&invoice, 150.0), json!({ "Id": "900", "UnappliedAmt": 0 }));
    let path = format!("/companies/{A}/Payment");
    app.admin_post(&path, body).await;
    assert_eq!(app.fresh("Invoice", &invoice).await["Balance"], 0);
    app.admin(Method::DELETE, &format!("{path}/900"), None).await;
    assert_eq!(app.fresh("Invoice", &invoice).await["Balance"], 150);
}
