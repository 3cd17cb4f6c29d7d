//! The hub without a receiver: from a change in a company to the body that tells it.

use serde_json::{Value, json};

use super::{book::Next, *};
use crate::{entities::Kind, ids::EntityId, oauth::Consent, store::ChangeKind};

const A: &str = "9341453000000001";

/// A sandbox's state with company A connected and `changes` laid over the default subscription.
fn app(changes: Value) -> App {
    let config =
        Config { webhook_url: Some("http://localhost:1/".into()), seed: 1, ..Config::ephemeral() };
    let app = App::new(config, "http://localhost:2".into()).unwrap();
    connect(&app, &app.config.client_id);
    let Value::Object(changes) = changes else { panic!("changes are an object") };
    let subscription = own(&app).subscription().unwrap().changed(changes).unwrap();
    own(&app).subscribe(Some(subscription));
    app
}

/// Lets a person connect company A to an app.
fn connect(app: &App, client: &str) {
    let registration = app.oauth.registration(client).unwrap();
    let redirect_uri = "http://localhost:1/x";
    let consent = Consent {
        client: registration.client_id.clone(),
        realm: Realm::from(A),
        redirect_uri: redirect_uri.into(),
        scope: String::new(),
        nonce: None,
        challenge: None,
    };
    let code = app.oauth.code(consent, app.now());
    assert!(app.oauth.exchange(&registration, &code, redirect_uri, None, app.now()).is_ok());
}

/// The channel of the configured app.
fn own(app: &App) -> Arc<Channel> {
    app.webhooks.channel(&ClientId::from(app.config.client_id.as_str()))
}

/// Writes customer 1 as `change`.
fn write(app: &App, change: ChangeKind) {
    let company = app.company(A).unwrap();
    let mut state = company.state();
    let fields = state.table(Kind::Customer).get("1").unwrap().fields.clone();
    state.put_as(change, Kind::Customer, EntityId::from("1"), fields, app.now());
}

/// The body that tells what waits.
fn body(app: &App) -> Value {
    own(app).flush();
    let Next::Batch(events, subscription, _) = own(app).next(app.now()) else {
        panic!("nothing waits")
    };
    let drafts = own(app).batch(app, events, &subscription);
    assert_eq!(drafts.len(), 1);
    serde_json::from_str(&drafts[0].body).unwrap()
}

fn merge() -> ChangeKind {
    ChangeKind::Merge { deleted: EntityId::from("27") }
}

#[test]
fn a_merge_names_what_is_gone_whatever_data_holds() {
    for data in ["empty", "absent", "full"] {
        let app = app(json!({ "data": data }));
        write(&app, merge());
        let event = &body(&app)[0];
        assert_eq!(event["type"], "qbo.customer.merged.v1");
        assert_eq!(event["intuitentityid"], "1");
        assert_eq!(event["data"]["deletedid"], "27");
        assert_eq!(event["data"].get("DisplayName").is_some(), data == "full");
    }
    let app = app(json!({ "shape": "classic" }));
    write(&app, merge());
    let body = body(&app);
    let entity = &body["eventNotifications"][0]["dataChangeEvent"]["entities"][0];
    assert_eq!((&entity["operation"], &entity["id"]), (&json!("Merge"), &json!("1")));
    assert_eq!(entity["deletedId"], "27");
}

#[test]
fn a_void_and_an_email_have_their_names_in_both_shapes() {
    let entities = json!({ "Customer": ["Void", "Emailed"] });
    for (void_name, word) in [("voided", "voided"), ("void", "void")] {
        let app = app(json!({ "entities": entities, "voidName": void_name }));
        write(&app, ChangeKind::Void);
        write(&app, ChangeKind::Emailed);
        let body = body(&app);
        assert_eq!(body[0]["type"], format!("qbo.customer.{word}.v1"));
        assert_eq!(body[1]["type"], "qbo.customer.emailed.v1");
    }
    let app = app(json!({ "entities": entities, "shape": "classic" }));
    write(&app, ChangeKind::Void);
    write(&app, ChangeKind::Emailed);
    let body = body(&app);
    let entities = &body["eventNotifications"][0]["dataChangeEvent"]["entities"];
    assert_eq!(
        (&entities[0]["operation"], &entities[1]["operation"]),
        (&json!("Void"), &json!("Emailed"))
    );
}

#[test]
fn the_table_of_the_page_decides_what_is_told() {
    let app = app(json!({}));
    write(&app, ChangeKind::Void);
    assert_eq!(own(&app).waiting().0, 0);
    write(&app, ChangeKind::Update);
    assert_eq!(own(&app).waiting().0, 1);
}

#[test]
fn posts_of_before_a_reset_are_not_queued_after_it() {
    let app = app(json!({}));
    write(&app, ChangeKind::Update);
    let channel = own(&app);
    channel.flush();
    let Next::Batch(events, subscription, generation) = channel.next(app.now()) else {
        panic!("nothing waits")
    };
    let posts = channel.batch(&app, events, &subscription);
    app.webhooks.reset(&app.config).unwrap();
    channel.enqueue(generation, posts, app.now());
    assert_eq!(channel.waiting(), (0, 0));
}

#[test]
fn each_app_is_told_of_the_companies_that_it_is_connected_to() {
    let app = app(json!({}));
    let wish = json!({ "clientId": "other", "clientSecret": "s" });
    app.oauth.register(serde_json::from_value(wish).unwrap()).unwrap();
    let other = app.webhooks.channel(&ClientId::from("other"));
    let subscription = own(&app).subscription().unwrap();
    other.subscribe(Some(subscription.changed(serde_json::Map::new()).unwrap()));
    write(&app, ChangeKind::Update);
    assert_eq!((own(&app).waiting().0, other.waiting().0), (1, 0));
    connect(&app, "other");
    write(&app, ChangeKind::Update);
    assert_eq!((own(&app).waiting().0, other.waiting().0), (2, 1));
    app.webhooks.forget_waiting();
    assert_eq!((own(&app).waiting().0, other.waiting().0), (0, 0));
}

#[test]
fn a_change_after_the_end_of_a_window_has_its_own_however_late_that_closes() {
    let app = app(json!({ "aggregateMs": 60_000 }));
    write(&app, ChangeKind::Update);
    app.clock.advance(30);
    write(&app, ChangeKind::Update);
    app.clock.advance(31);
    write(&app, ChangeKind::Update);
    app.clock.advance(3600);
    let sizes = [(); 2].map(|()| match own(&app).next(app.now()) {
        Next::Batch(events, ..) => events.len(),
        Next::Post(..) | Next::Wait(_) => 0,
    });
    assert_eq!(sizes, [2, 1]);
}
