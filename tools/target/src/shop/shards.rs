//! State in parts, each under a lock of its own.
//!
//! Two server threads seldom want the same part; and when a part's table grows, which copies it,
//! that is a part of the whole and no pause for anybody else.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many parts there are.
pub(super) const SHARDS: usize = 64;

#[derive(Debug)]
pub(super) struct Shards<T> {
    shards: Vec<Mutex<T>>,
}

impl<T: Default> Default for Shards<T> {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }
}

impl<T> Shards<T> {
    /// The part of what has these (evenly spread) bits.
    pub(super) fn of(&self, bits: u64) -> MutexGuard<'_, T> {
        lock(&self.shards[(bits % SHARDS as u64) as usize])
    }

    /// One part after the other.
    pub(super) fn iter(&self) -> impl Iterator<Item = MutexGuard<'_, T>> {
        self.shards.iter().map(lock)
    }
}

fn lock<T>(shard: &Mutex<T>) -> MutexGuard<'_, T> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
