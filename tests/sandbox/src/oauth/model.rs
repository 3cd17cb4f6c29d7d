//! The rules of tokens against a simple model, over random interleavings.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::{
    book::{Book, Consent, Refusal},
    policy::{HARD_S, Policy},
    scope,
};
use crate::{
    chance::Chance,
    ids::{ClientId, Realm},
};

const URI: &str = "http://localhost:9/callback";
const DAY: i64 = 86_400;

/// One step of a history. Numbers choose among what was handed out so far.
#[derive(Clone, Debug)]
enum Step {
    Consent {
        realm: u8,
        client: u8,
    },
    Exchange {
        code: usize,
        client: u8,
    },
    Refresh {
        token: usize,
        client: u8,
    },
    /// Two refreshes of one value that overlap.
    Overlap {
        token: usize,
    },
    Revoke {
        token: usize,
        access: bool,
    },
    Disconnect {
        realm: u8,
    },
    Wait {
        seconds: i64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    // Mostly the app's own client, so that histories go on.
    let client = || prop_oneof![6 => Just(0_u8), 1 => Just(1)];
    prop_oneof![
        3 => (0..2_u8, client()).prop_map(|(realm, client)| Step::Consent { realm, client }),
        4 => (any::<usize>(), client()).prop_map(|(code, client)| Step::Exchange { code, client }),
        8 => (any::<usize>(), client()).prop_map(|(token, client)| Step::Refresh { token, client }),
        1 => any::<usize>().prop_map(|token| Step::Overlap { token }),
        1 => (any::<usize>(), any::<bool>())
            .prop_map(|(token, access)| Step::Revoke { token, access }),
        1 => (0..2_u8).prop_map(|realm| Step::Disconnect { realm }),
        6 => prop_oneof![0..3600_i64, 3600..2 * DAY, DAY..120 * DAY, 300 * DAY..2000 * DAY]
            .prop_map(|seconds| Step::Wait { seconds }),
    ]
}

fn policy() -> impl Strategy<Value = Policy> {
    (prop_oneof![Just(0), 0..3 * DAY], any::<bool>(), prop_oneof![Just(100 * DAY), DAY..HARD_S])
        .prop_map(|(refresh_grace_s, revoke_on_concurrent_refresh, refresh_expires_s)| Policy {
            refresh_grace_s,
            revoke_on_concurrent_refresh,
            refresh_expires_s,
            ..Policy::default()
        })
}

/// What the model knows of a grant, from the answers alone.
struct Known {
    client: u8,
    realm: u8,
    consented: Timestamp,
    /// Every refresh value, oldest first, with the time it was first handed out.
    values: Vec<(String, Timestamp)>,
    /// When it was last refreshed or begun.
    used: Timestamp,
    dead: bool,
}

struct World {
    book: Book,
    chance: Chance,
    policy: Policy,
    now: Timestamp,
    codes: Vec<(String, u8, u8, Timestamp, Option<usize>)>,
    grants: Vec<Known>,
    /// Every access token with its grant and its end.
    access: Vec<(String, usize, Timestamp)>,
}

fn client(number: u8) -> ClientId {
    ClientId::from(format!("app-{number}"))
}

fn realm(number: u8) -> Realm {
    Realm::from(format!("company-{number}"))
}

impl World {
    fn new(policy: Policy) -> Self {
        let mut book = Book::default();
        book.policy = policy;
        let now = "2026-11-20T12:00:00Z".parse().unwrap();
        let chance = Chance::new(1);
        Self { book, chance, policy, now, codes: vec![], grants: vec![], access: vec![] }
    }

    /// Whether the model says that a refresh of this value must succeed now.
    fn refreshes(&self, grant: usize, value: &str) -> bool {
        let known = &self.grants[grant];
        let (last, since) = known.values.last().unwrap();
        let in_grace = || {
            let before = known.values.iter().rev().nth(1);
            before.is_some_and(|(before, _)| before == value)
                && self.elapsed(*since) < self.policy.refresh_grace_s
        };
        !known.dead
            && self.elapsed(known.consented) < HARD_S
            && self.elapsed(known.used) < self.policy.refresh_expires_s
            && (last == value || in_grace())
    }

    fn elapsed(&self, since: Timestamp) -> i64 {
        self.now.duration_since(since).as_secs()
    }

    fn any_value(&self, token: usize) -> Option<(usize, String)> {
        let all: Vec<(usize, &String)> = self
            .grants
            .iter()
            .enumerate()
            .flat_map(|(grant, known)| known.values.iter().map(move |(value, _)| (grant, value)))
            .collect();
        let (grant, value) = all.get(token % all.len().max(1))?;
        Some((*grant, (*value).clone()))
    }

    fn refresh(&mut self, grant: usize, value: &str, by: u8) {
        let expected = self.refreshes(grant, value) && self.grants[grant].client == by;
        let answer = self.book.refresh(&client(by), value, self.now, &self.chance);
        let now = self.now;
        assert_eq!(answer.is_ok(), expected, "{value}: {answer:?}");
        let known = &mut self.grants[grant];
        let Ok(tokens) = answer else { return };
        known.used = now;
        let (last, since) = known.values.last().unwrap().clone();
        let rotates = last == value && now.duration_since(since).as_secs() >= DAY;
        assert_eq!(tokens.refresh != last, rotates, "the value changes once a day, on a refresh");
        if rotates {
            known.values.push((tokens.refresh.clone(), now));
        }
        let hard = HARD_S - now.duration_since(known.consented).as_secs();
        assert_eq!(tokens.hard_expires_s, hard, "the hard end never moves");
        assert_eq!(tokens.refresh_expires_s, self.policy.refresh_expires_s.min(hard));
        let ends = now.checked_add(SignedDuration::from_hours(1)).unwrap();
        self.access.push((tokens.access, grant, ends));
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Consent { realm: company, client: by } => {
                let consent = Consent {
                    client: client(by),
                    realm: realm(company),
                    redirect_uri: URI.into(),
                    scope: scope::ACCOUNTING.into(),
                    nonce: None,
                    challenge: None,
                };
                let code = self.book.code(consent, self.now, &self.chance);
                self.codes.push((code, by, company, self.now, None));
            }
            Step::Exchange { code, client: by } => self.exchange(code, by),
            Step::Refresh { token, client } => {
                if let Some((grant, value)) = self.any_value(token) {
                    self.refresh(grant, &value, client);
                }
            }
            Step::Overlap { token } => {
                let Some((grant, value)) = self.any_value(token) else { return };
                let owner = client(self.grants[grant].client);
                let (first, alone) = self.book.begin_refresh(&owner, &value);
                let (second, concurrent) = self.book.begin_refresh(&owner, &value);
                assert!(!alone && concurrent);
                self.grants[grant].dead |= self.policy.revoke_on_concurrent_refresh;
                let by = self.grants[grant].client;
                self.refresh(grant, &value, by);
                self.refresh(grant, &value, by);
                for begun in [first, second] {
                    self.book.end_refresh(begun.unwrap());
                }
                assert!(
                    !self.book.begin_refresh(&client(9), &value).1,
                    "a stranger is not counted"
                );
            }
            Step::Revoke { token, access } => {
                let found = if access && !self.access.is_empty() {
                    let (value, grant, _) = &self.access[token % self.access.len()];
                    Some((*grant, value.clone()))
                } else {
                    self.any_value(token)
                };
                let Some((grant, value)) = found else { return };
                let known = &mut self.grants[grant];
                assert_eq!(
                    self.book.revoke(&client(known.client + 5), &value),
                    Err(Refusal::WrongAppOrType)
                );
                let revoked = self.book.revoke(&client(known.client), &value).is_ok();
                assert_eq!(revoked, !known.dead, "revoked once");
                known.dead = true;
            }
            Step::Disconnect { realm: company } => {
                let alive = |known: &&mut Known| known.realm == company && !known.dead;
                let expected = self.grants.iter_mut().filter(alive).map(|k| k.dead = true).count();
                assert_eq!(self.book.disconnect(&realm(company)), expected);
            }
            Step::Wait { seconds } => {
                self.now = self.now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
            }
        }
    }

    fn exchange(&mut self, code: usize, by: u8) {
        if self.codes.is_empty() {
            return;
        }
        let at = code % self.codes.len();
        let (value, owner, company, given, spent) = self.codes[at].clone();
        let answer = self.book.exchange(&client(by), &value, URI, None, self.now, &self.chance);
        let expected = owner == by && spent.is_none() && self.elapsed(given) < 600;
        assert_eq!(answer.is_ok(), expected);
        if let Some(grant) = spent.filter(|_| owner == by) {
            self.grants[grant].dead = true;
        }
        let Ok((tokens, _)) = answer else { return };
        let grant = self.grants.len();
        self.codes[at].4 = Some(grant);
        self.grants.push(Known {
            client: owner,
            realm: company,
            consented: self.now,
            values: vec![(tokens.refresh, self.now)],
            used: self.now,
            dead: false,
        });
        let ends = self.now.checked_add(SignedDuration::from_hours(1)).unwrap();
        self.access.push((tokens.access, grant, ends));
    }

    /// What holds at every moment.
    fn check(&self) {
        for (grant, known) in self.grants.iter().enumerate() {
            // A copy is asked, so that asking changes nothing.
            let live: Vec<&String> = known
                .values
                .iter()
                .map(|(value, _)| value)
                .filter(|value| {
                    let mut copy = self.book.clone();
                    copy.policy.refresh_grace_s = 0;
                    copy.refresh(&client(known.client), value, self.now, &Chance::new(2)).is_ok()
                })
                .collect();
            assert!(live.len() <= 1, "grant {grant} has {} live refresh values", live.len());
            assert!(!known.dead || live.is_empty(), "grant {grant} is dead and stays so");
        }
        for (token, grant, ends) in &self.access {
            let known = &self.grants[*grant];
            let open = !known.dead && self.now < *ends && self.elapsed(known.consented) < HARD_S;
            match self.book.check(token, self.now) {
                Ok((granted, _)) => {
                    assert!(open, "an access token of grant {grant} outlived it");
                    assert_eq!(granted.realm, realm(known.realm));
                }
                Err(refusal) => assert!(!open, "{refusal:?}"),
            }
        }
    }
}

/// How many histories; `QBO_SANDBOX_FUZZ_CASES` sets another number.
fn cases() -> u32 {
    std::env::var("QBO_SANDBOX_FUZZ_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(200)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn no_history_breaks_the_rules_of_tokens(
        policy in policy(),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut world = World::new(policy);
        for step in steps {
            world.take(&step);
        }
        world.check();
    }
}

/// An access token given just before the hard end ends with it, which random histories hardly meet.
#[test]
fn an_access_token_does_not_outlive_the_hard_end() {
    let mut world = World::new(Policy { refresh_expires_s: HARD_S, ..Policy::default() });
    let start = world.now;
    world.take(&Step::Consent { realm: 0, client: 0 });
    world.take(&Step::Exchange { code: 0, client: 0 });
    world.take(&Step::Wait { seconds: HARD_S - 600 });
    world.take(&Step::Refresh { token: 0, client: 0 });
    assert_eq!(world.access.len(), 2);
    for (after, opens) in [(HARD_S - 1, true), (HARD_S, false)] {
        world.now = start.checked_add(SignedDuration::from_secs(after)).unwrap();
        assert_eq!(world.book.check(&world.access[1].0, world.now).is_ok(), opens);
        world.check();
    }
}
