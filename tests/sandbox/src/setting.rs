//! A switch: a value that the admin API changes while requests read it.

use std::sync::Mutex;

use crate::store::lock;

/// See the module.
#[derive(Default)]
pub(crate) struct Setting<T>(Mutex<T>);

impl<T: Clone> Setting<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    pub(crate) fn get(&self) -> T {
        lock(&self.0).clone()
    }

    pub(crate) fn set(&self, value: T) {
        *lock(&self.0) = value;
    }
}
