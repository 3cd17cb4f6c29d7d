//! Everything random: tokens, trace ids, jitter, disorder. One seed repeats all of it, as long as the
//! requests come in the same order.

use std::sync::Mutex;

use rand::{Rng, SeedableRng, distr::Alphanumeric, rngs::StdRng, seq::SliceRandom};

use crate::store::lock;

/// A source of chance that all requests share.
pub(crate) struct Chance(Mutex<StdRng>);

/// A point in the run of a [`Chance`].
#[derive(Clone)]
pub(crate) struct Position(StdRng);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Mutex::new(StdRng::seed_from_u64(seed)))
    }

    /// Starts over, as after a reset.
    pub(crate) fn reseed(&self, seed: u64) {
        *lock(&self.0) = StdRng::seed_from_u64(seed);
    }

    /// How far it has come, so that a snapshot goes on from there.
    pub(crate) fn position(&self) -> Position {
        Position(lock(&self.0).clone())
    }

    /// Goes on from `position`.
    pub(crate) fn resume(&self, position: &Position) {
        *lock(&self.0) = position.0.clone();
    }

    /// `prefix` and `length` letters and digits.
    pub(crate) fn text(&self, prefix: &str, length: usize) -> String {
        let mut rng = lock(&self.0);
        let tail = (&mut *rng).sample_iter(Alphanumeric).take(length).map(char::from);
        prefix.chars().chain(tail).collect()
    }

    /// 128 random bits.
    pub(crate) fn bits(&self) -> u128 {
        lock(&self.0).random()
    }

    /// A version 4 UUID.
    pub(crate) fn uuid(&self) -> uuid::Uuid {
        uuid::Builder::from_random_bytes(self.bits().to_be_bytes()).into_uuid()
    }

    /// A number from 0 up to, but not including, 1.
    pub(crate) fn unit(&self) -> f64 {
        lock(&self.0).random()
    }

    /// Brings `items` into a random order.
    pub(crate) fn shuffle<T>(&self, items: &mut [T]) {
        items.shuffle(&mut *lock(&self.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_has_the_version_and_the_variant_of_a_random_one() {
        let chance = Chance::new(1);
        for _ in 0..100 {
            let uuid = chance.uuid();
            let form = (uuid.get_version(), uuid.get_variant());
            assert_eq!(form, (Some(uuid::Version::Random), uuid::Variant::RFC4122), "{uuid}");
        }
    }

    #[test]
    fn one_seed_gives_the_same_again() {
        let draw = |chance: &Chance| (chance.text("RT1-", 20), chance.bits(), chance.uuid());
        let (one, two) = (Chance::new(7), Chance::new(7));
        let first = draw(&one);
        assert_eq!(first, draw(&two));
        assert_ne!(first, draw(&one));
        one.reseed(7);
        assert_eq!(first, draw(&one));
    }
}
