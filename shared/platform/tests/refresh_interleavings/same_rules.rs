//! The rows of the simulated world follow the same rules as the expressions that the product sends to
//! DynamoDB: a small DynamoDB takes those very expressions, and both must end alike.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use jiff::{SignedDuration, Timestamp};
use platform::connections::{Connection, ConnectionStatus, Connections};
use platform::refresh::{Expiries, GivenBack, Lease, LeaseAsked};
use serde_json::{Map, Value, json};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers};

use crate::rng::Rng;
use crate::rows;
use crate::world::{World, at};

/// One item, and the part of DynamoDB's expressions that the lease uses.
#[derive(Clone, Default)]
struct SmallDynamo {
    item: Arc<Mutex<Option<Map<String, Value>>>>,
    /// The AWS client repeats each write, since the first answer was lost.
    twice: bool,
}

impl Respond for SmallDynamo {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let asked: Value = serde_json::from_slice(&request.body).unwrap();
        let mut item = self.item.lock().unwrap();
        if self.twice {
            update(&mut item, &asked);
        }
        let before = item.clone().map(typed_item);
        if update(&mut item, &asked) {
            return ResponseTemplate::new(200).set_body_json(json!({ "Attributes": before }));
        }
        let error = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
        ResponseTemplate::new(400).set_body_json(json!({ "__type": error, "Item": before }))
    }
}

/// Does what an `UpdateItem` asks, if its condition holds.
fn update(item: &mut Option<Map<String, Value>>, asked: &Value) -> bool {
    let mut names = HashMap::new();
    for (name, real) in asked["ExpressionAttributeNames"].as_object().into_iter().flatten() {
        names.insert(name.clone(), real.as_str().unwrap().to_owned());
    }
    let texts = |key: &str| -> Vec<String> {
        let spaced = asked[key]
            .as_str()
            .unwrap()
            .replace('(', " ( ")
            .replace(')', " ) ")
            .replace(',', " , ");
        let real = |word: &str| names.get(word).cloned().unwrap_or_else(|| word.to_owned());
        spaced.split_whitespace().map(real).collect()
    };
    let values = &asked["ExpressionAttributeValues"];
    let empty = Map::new();
    let mut condition = Condition {
        words: texts("ConditionExpression").into_iter(),
        row: item.as_ref().unwrap_or(&empty),
        values,
    };
    if !condition.any(&mut None) {
        return false;
    }
    let Some(row) = item else { return false };
    let before = row.clone();
    let mut setting = false;
    for part in texts("UpdateExpression").split(|word| word == ",") {
        let mut words: Vec<&str> = part.iter().map(String::as_str).collect();
        // A part may end one list and begin the next: `a = :a REMOVE b`.
        while !words.is_empty() {
            match words.as_slice() {
                ["SET", ..] => setting = true,
                ["REMOVE", ..] => setting = false,
                [name, "=", base, "+", more, ..] if setting => {
                    let sum =
                        before[*base].as_i64().unwrap() + plain(&values[*more]).as_i64().unwrap();
                    row.insert((*name).to_owned(), json!(sum));
                    words.drain(1..5);
                }
                [name, "=", value, ..] if setting => {
                    row.insert((*name).to_owned(), plain(&values[*value]));
                    words.drain(1..3);
                }
                [name, ..] => {
                    assert!(!setting, "not understood: {words:?}");
                    row.remove(*name);
                }
                [] => {}
            }
            words.remove(0);
        }
    }
    true
}

/// A condition, read from left to right.
struct Condition<'a> {
    words: std::vec::IntoIter<String>,
    row: &'a Map<String, Value>,
    values: &'a Value,
}

impl Condition<'_> {
    /// `a OR b`; leaves the word after it in `next`.
    fn any(&mut self, next: &mut Option<String>) -> bool {
        let mut holds = self.all(next);
        while next.as_deref() == Some("OR") {
            holds |= self.all(next);
        }
        holds
    }

    fn all(&mut self, next: &mut Option<String>) -> bool {
        let mut holds = self.one();
        *next = self.words.next();
        while next.as_deref() == Some("AND") {
            holds &= self.one();
            *next = self.words.next();
        }
        holds
    }

    fn one(&mut self) -> bool {
        let mut word = || self.words.next().unwrap();
        match word().as_str() {
            "(" => self.any(&mut None),
            "attribute_not_exists" => {
                let (_, name, _) = (word(), word(), word());
                !self.row.contains_key(&name)
            }
            name => {
                let (compare, value) = (word(), word());
                let Some(stored) = self.row.get(name) else { return false };
                let value = plain(&self.values[&value]);
                match compare.as_str() {
                    "=" => *stored == value,
                    "<=" => stored.as_i64().unwrap() <= value.as_i64().unwrap(),
                    other => panic!("not understood: {other}"),
                }
            }
        }
    }
}

fn plain(typed: &Value) -> Value {
    let (kind, value) = typed.as_object().unwrap().iter().next().unwrap();
    match kind.as_str() {
        "N" => value.as_str().unwrap().parse::<i64>().map(|number| json!(number)).unwrap(),
        "L" => value.as_array().unwrap().iter().map(plain).collect(),
        _ => value.clone(),
    }
}

fn typed(plain: &Value) -> Value {
    match plain {
        Value::Number(number) => json!({ "N": number.to_string() }),
        Value::Bool(yes) => json!({ "BOOL": yes }),
        Value::Array(values) => json!({ "L": values.iter().map(typed).collect::<Vec<_>>() }),
        other => json!({ "S": other }),
    }
}

fn typed_item(item: Map<String, Value>) -> Value {
    item.into_iter().map(|(name, value)| (name, typed(&value))).collect()
}

impl SmallDynamo {
    async fn start(twice: bool) -> (Self, Connections, MockServer) {
        let dynamo = Self { twice, ..Self::default() };
        let server = MockServer::start().await;
        let target = matchers::header("x-amz-target", "DynamoDB_20120810.UpdateItem");
        Mock::given(target).respond_with(dynamo.clone()).mount(&server).await;
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(server.uri())
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .build();
        let client = aws_sdk_dynamodb::Client::from_conf(config);
        (dynamo, Connections::new(client, "connections"), server)
    }

    fn hold(&self, row: Option<&Connection>) {
        let item = row.map(|row| serde_json::to_value(row).unwrap().as_object().unwrap().clone());
        *self.item.lock().unwrap() = item;
    }

    fn held(&self) -> Option<Connection> {
        let item = self.item.lock().unwrap().clone()?;
        Some(serde_json::from_value(Value::Object(item)).unwrap())
    }
}

fn a_row() -> Connection {
    World::new(0, None, false).rows[0].clone().unwrap()
}

/// A row like `seen`, with what others may have done to it meanwhile.
fn a_case(rng: &mut Rng, seen: &Connection, now: Timestamp) -> Option<Connection> {
    let mut row = seen.clone();
    let ms = now.as_millisecond();
    if rng.chance(400) {
        row.refresh_owner = Some("somebody".to_owned());
        row.refresh_until = Some(ms + rng.pick(&[-100_000, -1, 0, 1, 100_000]));
        row.promised_version = Some("promised".to_owned());
    }
    row.refresh_after = rng.pick(&[None, None, Some(ms - 1), Some(ms), Some(ms + 1)]);
    row.unresolved_versions =
        (0..rng.pick(&[0, 1, 15])).map(|n| format!("unresolved-{n}")).collect();
    if rng.chance(150) {
        row.refresh_fence += 1;
    }
    if rng.chance(100) {
        "another".clone_into(&mut row.version_id);
    }
    if rng.chance(100) {
        "another".clone_into(&mut row.connection_id);
    }
    row.status = rng.pick(&[
        seen.status,
        seen.status,
        seen.status,
        ConnectionStatus::Unconfirmed,
        ConnectionStatus::ReconnectRequired,
        ConnectionStatus::Disconnected,
    ]);
    (!rng.chance(50)).then_some(row)
}

#[tokio::test]
async fn a_lease_is_taken_by_the_same_rules_as_in_dynamodb() {
    let mut rng = Rng::new(1);
    let (mut taken, mut refused) = (0, 0);
    for twice in [false, true] {
        let (dynamo, connections, _server) = SmallDynamo::start(twice).await;
        for _ in 0..300 {
            let now = at(0);
            let seen = a_row();
            let case = a_case(&mut rng, &seen, now);
            // Half of them saw what is there, and lose only to leases and cool-downs.
            let seen = case.clone().filter(|_| rng.chance(500)).unwrap_or(seen);
            dynamo.hold(case.as_ref());
            let asked = connections.take_lease(&seen, now).await.unwrap();
            let (owner, promised) = match &asked {
                LeaseAsked::Taken(lease) => (lease.owner.clone(), lease.promised.clone()),
                _ => ("nobody".to_owned(), "nothing".to_owned()),
            };
            let mut row = case.clone();
            if twice {
                rows::take(&mut row, &seen, &owner, &promised, now);
            }
            let expected = rows::take(&mut row, &seen, &owner, &promised, now);
            assert_eq!(dynamo.held(), row, "{case:?}");
            assert_eq!(format!("{asked:?}"), format!("{expected:?}"), "{case:?}");
            let got_it = matches!(asked, LeaseAsked::Taken(_));
            taken += u32::from(got_it);
            refused += u32::from(!got_it);
        }
    }
    assert!(taken > 50 && refused > 50, "{taken} taken, {refused} refused");
}

#[tokio::test]
async fn a_lease_ends_by_the_same_rules_as_in_dynamodb() {
    let mut rng = Rng::new(2);
    let (mut done, mut fenced) = (0, 0);
    let (dynamo, connections, _server) = SmallDynamo::start(false).await;
    for case in 0..600 {
        let now = at(5_000);
        let mut seen = a_row();
        seen.status = rng.pick(&[ConnectionStatus::Connected, ConnectionStatus::Unconfirmed]);
        let lease = Lease::taken(seen.clone(), "we", "promised", at(0));
        let mut row = seen;
        rows::write_lease(&mut row, &lease);
        row.unresolved_versions = vec!["unresolved".to_owned()];
        match rng.index(6) {
            0 => row.refresh_owner = Some("somebody".to_owned()),
            1 => row.refresh_fence += 1,
            2 => row.connection_id = "another".to_owned(),
            3 => rows::disconnect(&mut row, now),
            _ => {}
        }
        let stored = (!rng.chance(50)).then_some(row);
        dynamo.hold(stored.as_ref());
        let holds = stored.as_ref().is_some_and(|row| rows::holds(row, &lease));
        let mut expected = stored.clone();
        let reason = "why";
        let outcome = match case % 5 {
            0 => GivenBack::Unused,
            1 => GivenBack::Failed { reason, after: now + SignedDuration::from_secs(60) },
            2 => GivenBack::Kept { reason, until: now + SignedDuration::from_secs(600) },
            3 => GivenBack::RefusedForGood { reason },
            _ => {
                let hard = rng.chance(500).then_some(at(9));
                let expiries = Expiries { access: at(6), refresh: at(7), hard, issued: at(8) };
                let answer = connections.point_at(&lease, "new", expiries).await.unwrap();
                if let Some(row) = expected.as_mut().filter(|_| holds) {
                    rows::point_at(row, &lease, "new", expiries);
                }
                assert_eq!((answer, dynamo.held()), (holds, expected), "{stored:?}");
                continue;
            }
        };
        let answer = connections.give_back(&lease, &outcome, now).await.unwrap();
        if let Some(row) = expected.as_mut().filter(|_| holds) {
            rows::give_back(row, &lease, &outcome, now);
        }
        assert_eq!((answer, dynamo.held()), (holds, expected), "{outcome:?} on {stored:?}");
        if holds { done += 1 } else { fenced += 1 }
    }
    assert!(done > 50 && fenced > 50, "{done} done, {fenced} fenced");
}
